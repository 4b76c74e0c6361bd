//! The house rules that a reader of ARCHITECTURE.md relies on, as tests over the source text.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which layer may use which: every arrow points down, `http` and `time` know none of ours.
const LAYERS: &[(&str, &[&str])] = &[
    (
        "cli",
        &["api", "config", "domain", "http", "serve", "store", "time"],
    ),
    (
        "serve",
        &[
            "api", "app", "config", "domain", "http", "job", "outbound", "store", "sync", "time",
        ],
    ),
    (
        "app",
        &[
            "api", "config", "domain", "gate", "http", "outbound", "store", "time",
        ],
    ),
    ("config", &["domain", "gate", "http", "outbound"]),
    ("job", &["api", "domain", "outbound", "store", "time"]),
    (
        "api",
        &["domain", "gate", "http", "outbound", "store", "time"],
    ),
    ("gate", &["domain", "http", "store", "time"]),
    // Only its tests can see `testing`.
    ("outbound", &["domain", "http", "testing", "time"]),
    ("domain", &["store", "sync", "time"]),
    ("store", &["time"]),
    ("http", &[]),
    ("sync", &[]),
    ("time", &[]),
    (
        "app_tests",
        &[
            "api", "app", "config", "domain", "http", "job", "outbound", "store", "testing", "time",
        ],
    ),
    ("audit_tests", &["domain", "store", "testing", "time"]),
    (
        "matrix_tests",
        &[
            "api", "app", "config", "domain", "gate", "http", "outbound", "store", "testing",
            "time",
        ],
    ),
    (
        "testing",
        &[
            "app", "config", "domain", "http", "outbound", "store", "time",
        ],
    ),
    ("bare_store", &["store"]),
    ("lib", &["bare_store", "cli", "config", "serve"]),
    ("main", &[]),
];

/// Longest file, in lines before its tests.
const LINES_MAX: usize = 400;

#[test]
fn arrows_point_down() {
    let root = workspace().join("nexa-server/src");
    let mut upward = Vec::new();
    for file in rust_files(&root) {
        let relative = file.strip_prefix(&root).unwrap();
        let layer = relative
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap()
            .trim_end_matches(".rs");
        let (_, allowed) = LAYERS
            .iter()
            .find(|(name, _)| *name == layer)
            .unwrap_or_else(|| {
                panic!(
                    "{}: the layer {layer:?} is not in the list",
                    relative.display()
                )
            });
        let code = without_tests(&fs::read_to_string(&file).unwrap()).join("\n");
        for used in used_layers(&module_of(relative), &code) {
            if used != layer && !allowed.contains(&used.as_str()) {
                upward.push(format!("{}: uses crate::{used}", relative.display()));
            }
        }
    }
    assert!(
        upward.is_empty(),
        "arrows that point up:\n{}",
        upward.join("\n")
    );
}

#[test]
fn every_file_says_its_job_and_stays_short() {
    let mut faults = Vec::new();
    for file in [
        "nexa-core",
        "nexa-verify",
        "nexa-server",
        "examples",
        "benches",
    ]
    .iter()
    .flat_map(|member| rust_files(&workspace().join(member)))
    // Tests of the compiler, and what builds have written.
    .filter(|file| {
        let mut parts = file.strip_prefix(workspace()).unwrap().components();
        !parts.any(|part| matches!(part.as_os_str().to_str(), Some("ui" | "target")))
    }) {
        let text = fs::read_to_string(&file).unwrap();
        if !text.starts_with("//!") {
            faults.push(format!("{}: no //! line", file.display()));
        }
        let is_test = file.components().any(|part| part.as_os_str() == "tests")
            || file
                .file_stem()
                .is_some_and(|stem| stem.to_string_lossy().ends_with("_tests"));
        let lines = without_tests(&text).len();
        if lines > LINES_MAX && !is_test {
            faults.push(format!("{}: {lines} lines", file.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_rules_hold_no_sql_and_no_http() {
    let root = workspace().join("nexa-server/src");
    for (folder, foreign) in [
        (
            "domain",
            &["SELECT ", "INSERT ", "hyper::", "StatusCode", "serde_json"][..],
        ),
        ("store", &["ScopeSet", "hyper::", "serde"]),
        ("http", &["nexa_core"]),
    ] {
        for file in rust_files(&root.join(folder)) {
            let text = fs::read_to_string(&file).unwrap();
            for word in foreign {
                assert!(
                    !without_tests(&text).iter().any(|line| line.contains(word)),
                    "{} holds {word:?}",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn every_invariant_names_a_test_that_exists() {
    let page = fs::read_to_string(workspace().join("ARCHITECTURE.md")).unwrap();
    assert!(page.lines().count() <= 150);
    let invariants = page
        .split("## Invariants")
        .nth(1)
        .unwrap()
        .split("\n## ")
        .next()
        .unwrap();
    let named: Vec<&str> = invariants
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.contains('_'))
        .collect();
    assert!(named.len() >= 13, "{named:?}");
    let sources: Vec<String> = ["nexa-core", "nexa-verify", "nexa-server"]
        .iter()
        .flat_map(|member| rust_files(&workspace().join(member)))
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    for name in named {
        // A property test has parameters.
        let function = format!("fn {name}(");
        assert!(
            sources.iter().any(|source| source.contains(&function)),
            "no test is called {name}"
        );
    }
}

#[test]
fn the_tidy_test_sees_what_it_should() {
    for (module, code, expected) in [
        ("gate", "use crate::api::Cx;", &["api"][..]),
        ("gate", "    crate::store::open()", &["store"]),
        ("gate", "use crate::{app, gate::limit};", &["app", "gate"]),
        (
            "gate",
            "use crate::{\n    app::App,\n    store,\n};",
            &["app", "store"],
        ),
        (
            "gate",
            "use crate::{api::{v1::{keys, users}, error}, job as jobs, time};",
            &["api", "job", "time"],
        ),
        (
            "gate",
            "fn f(app: &crate::app::App) -> Vec<crate::store::Row>",
            &["app", "store"],
        ),
        ("gate", "use crate::*;", &["*"]),
        ("gate", "use crate as all;", &["crate"]),
        ("gate", "use crate::Config;", &["Config"]),
        ("gate::limit", "use super::super::api::Cx;", &["api"]),
        (
            "gate::limit",
            "use super::{super::{api, job}, access};",
            &["api", "gate", "job"],
        ),
        ("gate::limit", "use super::access::Access;", &["gate"]),
        ("gate::limit", "use self::inner::Thing;", &["gate"]),
        (
            "gate::limit::fast",
            "super::super::super::app::run(super::slow)",
            &["app", "gate"],
        ),
        ("gate", "use super::api;", &["api"]),
        ("gate", "use super::*;", &["*"]),
        (
            "",
            "pub use store::Store;\nuse std::time::Duration;",
            &["store"],
        ),
        ("gate", "pub(crate) fn f(self) { self.store() }", &[]),
        ("gate", "use std::{self, fmt::{self, Write}};", &[]),
        ("gate", "use nexa_core::crate_name;", &[]),
    ] {
        let module: Vec<String> = module
            .split("::")
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        let used: Vec<String> = used_layers(&module, code).into_iter().collect();
        assert_eq!(used, expected, "{code}");
    }

    for (file, module) in [
        ("lib.rs", &[][..]),
        ("app.rs", &["app"]),
        ("gate/mod.rs", &["gate"]),
        ("api/v1/api_keys.rs", &["api", "v1", "api_keys"]),
        ("app_tests/races.rs", &["app_tests", "races"]),
        ("store/kill_tests.rs", &["store", "kill_tests"]),
    ] {
        assert_eq!(module_of(Path::new(file)), module, "{file}");
    }

    let text = "//! Job.\n#[cfg(test)]\nmod testing;\nuse a;\n#[cfg(test)]\n#[expect(\n    lint\n)]\nmod tests {\n    \
                use b;\n    fn f() {\n    }\n}\nuse c;\n#[cfg(test)]\nmod more {\n";
    assert_eq!(
        without_tests(text),
        ["#[cfg(test)]", "mod testing;", "use a;", "use c;"]
    );
}

/// The layers that the code of a module reaches, by paths that start at `crate`, `super` or `self`; in the root also
/// by the layers' own names. `*` and names that are no layers are answered too: nothing else stands in the root.
fn used_layers(module: &[String], code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    let mut rest = code;
    while let Some(start) = rest.find(is_of_name) {
        let text = &rest[start..];
        let (word, after) = split_name(text);
        let is_layer = module.is_empty() && LAYERS.iter().any(|(name, _)| *name == word);
        let is_path = match word {
            "crate" => after.starts_with("::") || after.starts_with(" as "),
            "super" | "self" => after.starts_with("::"),
            _ => is_layer && after.starts_with("::"),
        };
        rest = if is_path {
            read_path(module, text, &mut used)
        } else {
            after_plain_path(after)
        };
    }
    used
}

/// Reads a path or a group of them as it stands in `module`; answers what follows it.
fn read_path<'t>(module: &[String], text: &'t str, used: &mut BTreeSet<String>) -> &'t str {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        let mut rest = group.trim_start();
        while !rest.is_empty() && !rest.starts_with('}') {
            rest = read_path(module, rest, used).trim_start_matches(|c| c != ',' && c != '}');
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
        return rest.strip_prefix('}').unwrap_or(rest);
    }
    let (name, after) = split_name(text);
    let inside = match name {
        "crate" => &[],
        "self" => module,
        "super" => &module[..module.len().saturating_sub(1)],
        _ => {
            let first = if name.is_empty() { "*" } else { name };
            let layer = module.first().map_or(first, String::as_str).to_owned();
            used.insert(layer.clone());
            return match after.strip_prefix("::") {
                Some(tail) => read_path(&[layer], tail, used),
                None => after,
            };
        }
    };
    match after.strip_prefix("::") {
        Some(tail) => read_path(inside, tail, used),
        None => {
            used.insert(inside.first().map_or(name, String::as_str).to_owned());
            after
        }
    }
}

/// Skips the further names of a path that starts at none of ours.
fn after_plain_path(mut rest: &str) -> &str {
    while let Some(tail) = rest.strip_prefix("::") {
        rest = split_name(tail).1;
    }
    rest
}

fn split_name(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c| !is_of_name(c)).unwrap_or(text.len()))
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The path of the module that a file holds, known from its place.
fn module_of(relative: &Path) -> Vec<String> {
    let mut module: Vec<String> = relative
        .with_extension("")
        .iter()
        .map(|part| part.to_str().unwrap().to_owned())
        .collect();
    let stem = module.pop().unwrap();
    match stem.as_str() {
        "mod" => {}
        "lib" | "main" if module.is_empty() => {}
        _ => module.push(stem),
    }
    module
}

/// The lines that are neither comments nor part of an inline test module.
fn without_tests(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    let mut kept = Vec::new();
    let mut rest = lines.as_slice();
    while let Some((line, after)) = rest.split_first() {
        if is_inline_test_module(rest) {
            let end = rest.iter().position(|line| *line == "}");
            rest = end.map_or(&[], |end| &rest[end + 1..]);
        } else {
            kept.push(*line);
            rest = after;
        }
    }
    kept.retain(|line| !line.trim_start().starts_with("//"));
    kept
}

/// Whether a module with a body follows `#[cfg(test)]`, perhaps after more attributes.
fn is_inline_test_module(lines: &[&str]) -> bool {
    let item = lines
        .iter()
        .find(|line| !line.starts_with(['#', ' ', ')', '/']));
    lines
        .first()
        .is_some_and(|line| line.starts_with("#[cfg(test)]"))
        && item.is_some_and(|line| {
            line.split_whitespace().any(|word| word == "mod") && line.ends_with('{')
        })
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}
