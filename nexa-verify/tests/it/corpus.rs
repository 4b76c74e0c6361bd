//! What the fuzzers have found so far, and every document of the conformance file: nothing panics, and what is accepted
//! has one spelling.
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::conformance;

#[path = "../../fuzz/targets.rs"]
mod targets;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 7] = [
    ("token", targets::token),
    ("jwk_set", targets::jwk_set),
    ("shard", targets::shard),
    ("delta", targets::delta),
    ("key_set", targets::key_set),
    ("feed", targets::feed),
    ("state_blob", targets::state_blob),
];

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target)
}

#[test]
fn nothing_that_was_found_panics() {
    for (name, target) in TARGETS {
        let mut files = 0;
        for entry in fs::read_dir(corpus(name)).unwrap() {
            target(&fs::read(entry.unwrap().path()).unwrap());
            files += 1;
        }
        assert!(files > 20, "{name}: {files}");
    }
}

#[test]
fn no_document_of_the_conformance_file_panics() {
    for case in conformance::cases() {
        targets::token(conformance::text(&case["token"]).as_bytes());
        targets::jwk_set(conformance::text(&case["keys"]).as_bytes());
        let documents: [Target; 3] = [
            ("shard", targets::shard),
            ("delta", targets::delta),
            ("key_set", targets::key_set),
        ];
        for (member, target) in documents {
            if let Some(document) = case["expect"][member].as_str() {
                let bytes = URL_SAFE_NO_PAD.decode(document).unwrap();
                target(&bytes);
                // Behind the signature: what it was made over, signed anew.
                target(
                    bytes
                        .get(12..bytes.len().saturating_sub(64))
                        .unwrap_or_default(),
                );
            }
        }
        let list = case["expect"]["revocations"].to_string();
        targets::feed(list.as_bytes());
    }
}

#[test]
fn every_target_is_replayed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let mut found: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    found.sort();
    let mut replayed = TARGETS.map(|(name, _)| name.to_owned());
    replayed.sort();
    assert_eq!(found, replayed);
}
