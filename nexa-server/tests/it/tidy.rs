//! The house rules that a reader of ARCHITECTURE.md relies on, as tests over the source text.

use std::fs;
use std::path::{Path, PathBuf};

/// Which layer may use which: every arrow points down, `http` and `time` know none of ours.
const LAYERS: &[(&str, &[&str])] = &[
    ("cli", &["api", "config", "serve", "store", "time"]),
    (
        "serve",
        &[
            "api", "app", "config", "domain", "http", "job", "store", "time",
        ],
    ),
    (
        "app",
        &["api", "config", "domain", "gate", "http", "store", "time"],
    ),
    ("config", &["domain", "gate", "http"]),
    ("job", &["api", "domain", "outbound", "store", "time"]),
    (
        "api",
        &["domain", "gate", "http", "outbound", "store", "time"],
    ),
    ("gate", &["domain", "store", "time"]),
    ("domain", &["store", "time"]),
    ("store", &["time"]),
    ("http", &[]),
    ("time", &[]),
    ("app_tests", &["config", "job", "store", "testing", "time"]),
    ("testing", &[]),
    ("lib", &["cli", "config", "serve"]),
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
        let text = fs::read_to_string(&file).unwrap();
        for used in without_tests(&text).flat_map(used_layers) {
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
    .filter(|file| !file.components().any(|part| part.as_os_str() == "ui"))
    {
        let text = fs::read_to_string(&file).unwrap();
        if !text.starts_with("//!") {
            faults.push(format!("{}: no //! line", file.display()));
        }
        let is_test = file.components().any(|part| part.as_os_str() == "tests")
            || file
                .file_stem()
                .is_some_and(|stem| stem.to_string_lossy().ends_with("_tests"));
        let lines = without_tests(&text).count();
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
                    !without_tests(&text).any(|line| line.contains(word)),
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
        let function = format!("fn {name}()");
        assert!(
            sources.iter().any(|source| source.contains(&function)),
            "no test is called {name}"
        );
    }
}

#[test]
fn the_tidy_test_sees_what_it_should() {
    let used: Vec<String> = [
        "use crate::api::Cx;",
        "    crate::store::open()",
        "use crate::{app, gate::limit};",
        "// none",
    ]
    .iter()
    .flat_map(|line| used_layers(line))
    .collect();
    assert_eq!(used, ["api", "store", "app", "gate"]);
}

/// The first path segment after each `crate::` of a line.
fn used_layers(line: &str) -> Vec<String> {
    let mut used = Vec::new();
    for rest in line.split("crate::").skip(1) {
        let list = match rest.strip_prefix('{') {
            Some(group) => group.split(',').map(str::trim).collect(),
            None => vec![rest],
        };
        for path in list {
            let name: String = path
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                .collect();
            if !name.is_empty() {
                used.push(name);
            }
        }
    }
    used
}

fn without_tests(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .filter(|line| !line.trim_start().starts_with("//"))
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
