//! The README's walk, pasted block by block into a shell; what comes back is compared with what it shows.

use std::path::Path;
use std::process::Command;

use crate::harness::Server;
use crate::mollie::Mollie;

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap()
}

/// The fenced blocks as (language, text).
fn blocks(text: &str) -> Vec<(&str, &str)> {
    text.split("\n```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.split_once('\n'))
        .collect()
}

/// Whether the output is what is shown; `…` stands for anything on its line.
fn matches(output: &str, shown: &str) -> bool {
    let (output, shown): (Vec<_>, Vec<_>) = (
        output.trim_end().lines().collect(),
        shown.trim_end().lines().collect(),
    );
    output.len() == shown.len()
        && output
            .iter()
            .zip(shown)
            .all(|(line, pattern)| line_matches(line, pattern))
}

fn line_matches(line: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[test]
fn every_step_of_the_readme_works_as_pasted() {
    let scratch = tempfile::tempdir().unwrap();
    let mails = format!("file:{}/mails", scratch.path().display());
    let mollie = Mollie::start();
    let server = Server::start_with(&[
        "--mail-url",
        &mails,
        "--mollie-api-key",
        Mollie::KEY,
        "--mollie-api-url",
        &mollie.url(),
    ]);
    let readme = readme();
    let blocks = blocks(&readme);
    let binaries = Path::new(env!("CARGO_BIN_EXE_nexa")).parent().unwrap();
    std::os::unix::fs::symlink(server.data(), scratch.path().join("nexa-data")).unwrap();
    // One shell for the whole walk, with a mark after every block whose answer is shown.
    let mut script = String::new();
    let mut shown_answers = Vec::new();
    for (index, (language, text)) in blocks.iter().enumerate() {
        if *language == "sh" {
            script.push_str(text);
            script.push('\n');
            if let Some(("text", shown)) = blocks.get(index + 1) {
                script.push_str("echo '--mark--'\n");
                shown_answers.push(*shown);
            }
        }
    }
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let script = script
        .replace("http://127.0.0.1:8080", &server.url)
        .replace("$OPERATOR_KEY", &server.operator_key())
        .replace(
            "PATH=$PWD/target/release:$PATH",
            &format!("PATH={}:$PATH", binaries.display()),
        )
        .replace(
            "cargo run -q",
            &format!(
                "{} run -q --manifest-path {}",
                env!("CARGO"),
                manifest.display()
            ),
        );
    let output = Command::new("bash")
        .arg("-c")
        .arg(&script)
        .current_dir(scratch.path())
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let mut answers = stdout.split("--mark--\n");
    assert!(
        shown_answers.len() >= 6,
        "the walk shows {} answers",
        shown_answers.len()
    );
    for shown in shown_answers {
        let answered = answers.next().unwrap_or_default();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            matches(answered, shown),
            "shown:\n{shown:?}\nanswered:\n{answered:?}\n{stderr}"
        );
    }
}

#[test]
fn the_comparison_sees_a_difference() {
    for (line, pattern, expected) in [
        ("a b c", "a b c", true),
        ("a b c", "a … c", true),
        ("a b c", "a …", true),
        ("a b c", "a b", false),
        ("a b c", "…d", false),
        ("", "…", true),
    ] {
        assert_eq!(
            line_matches(line, pattern),
            expected,
            "{line:?} against {pattern:?}"
        );
    }
}

#[test]
fn the_front_of_the_readme_is_the_crates_documentation() {
    let readme = readme();
    let front = readme
        .split("<!-- front: nexa-server/src/lib.rs -->\n")
        .nth(1)
        .unwrap();
    let front = front.split("<!-- /front -->").next().unwrap();
    let source =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let documented: Vec<&str> = source
        .lines()
        .take_while(|line| line.starts_with("//!"))
        .map(|line| {
            line.trim_start_matches("//!")
                .strip_prefix(' ')
                .unwrap_or_default()
        })
        .collect();
    assert!(
        documented.join("\n").starts_with(front.trim_end()),
        "{}",
        documented.join("\n")
    );
}

#[test]
fn every_code_of_the_conformance_file_stands_in_the_readme() {
    let readme = readme();
    let codes = readme.split("### Codes\n").nth(1).unwrap();
    let codes = codes.split("\n#").next().unwrap();
    let named: Vec<&str> = codes.split('`').skip(1).step_by(2).collect();
    let of_a_claim = |code: &str| {
        let claim = ["_missing", "_type", "_wrong"]
            .iter()
            .find_map(|suffix| code.strip_suffix(suffix));
        claim.is_some_and(|claim| named.contains(&claim))
    };
    let vectors =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../nexa-core/tests/license-vectors.json");
    let vectors: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(vectors).unwrap()).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert!(cases.len() > 800);
    for case in cases {
        let code = case["code"].as_str().unwrap();
        assert!(
            named.contains(&code) || of_a_claim(code),
            "README.md, Codes, lacks {code}"
        );
    }
}
