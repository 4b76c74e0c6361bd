//! The notices that go along with the compiled libraries name the crates that are in them, in their versions.

use std::collections::BTreeSet;
use std::process::Command;

const NOTICES: &str = include_str!("../../NOTICES.txt");
/// Run while building; nothing of them is in the libraries.
const AT_BUILD_TIME: [&str; 5] = [
    "curve25519-dalek-derive",
    "proc-macro2",
    "quote",
    "syn",
    "unicode-ident",
];

#[test]
fn the_notices_name_what_is_linked() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--edges", "normal", "--prefix", "none"])
        .args(["--target", "x86_64-unknown-linux-gnu", "--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success());
    let linked: BTreeSet<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter(|line| !line.starts_with("nexa-"))
        .filter_map(|line| line.split_once(" v"))
        .filter(|(name, _)| !AT_BUILD_TIME.contains(name))
        .map(|(name, rest)| format!("{name} {}", rest.split(' ').next().unwrap()))
        .collect();
    let named: BTreeSet<String> = NOTICES
        .lines()
        .filter_map(|line| line.split_once(" ("))
        .filter(|(_, license)| matches!(*license, "BSD-3-Clause)" | "taken under MIT)"))
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(named, linked);
}
