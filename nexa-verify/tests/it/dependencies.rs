//! What an SDK takes on by linking this crate: pinned by name, so that a new dependency is a decision.
use std::process::Command;

/// Beside our own crates, on x86-64: the largest tree, because only there curve25519-dalek chooses
/// its code at run time through a macro.
const ON_X86_64: [&str; 19] = [
    "base64",
    "block-buffer",
    "cfg-if",
    "cpufeatures",
    "crypto-common",
    "curve25519-dalek",
    "curve25519-dalek-derive",
    "digest",
    "ed25519",
    "ed25519-dalek",
    "hybrid-array",
    "proc-macro2",
    "quote",
    "sha2",
    "signature",
    "subtle",
    "syn",
    "typenum",
    "unicode-ident",
];

/// What only the macro of x86-64 and the detection of processors need.
const NOT_IN_WASM: [&str; 6] = [
    "cpufeatures",
    "curve25519-dalek-derive",
    "proc-macro2",
    "quote",
    "syn",
    "unicode-ident",
];

#[test]
fn the_normal_tree_is_these_crates() {
    assert_eq!(normal_tree("x86_64-unknown-linux-gnu"), ON_X86_64);
}

#[test]
fn the_tree_for_wasm_is_smaller() {
    let expected: Vec<_> = ON_X86_64
        .into_iter()
        .filter(|name| !NOT_IN_WASM.contains(name))
        .collect();
    assert_eq!(normal_tree("wasm32-unknown-unknown"), expected);
}

/// The names of the crates in the normal dependency tree (no build and development dependencies), sorted.
fn normal_tree(target: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--package", "nexa-verify"])
        .args(["--edges", "normal", "--target", target])
        .args(["--prefix", "none", "--no-dedupe", "--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let mut names: Vec<_> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| line.split(' ').next().map(str::to_owned))
        .filter(|name| !matches!(name.as_str(), "nexa-core" | "nexa-verify"))
        .collect();
    names.sort();
    names.dedup();
    names
}
