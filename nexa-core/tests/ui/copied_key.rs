//! A key in the clear is not copied about, and neither it nor its digest turns into text on its own.

use nexa_core::{KeyDigest, PlainKey};

fn copied(key: &PlainKey) -> PlainKey {
    key.clone()
}

fn as_text(key: &PlainKey) -> &str {
    key.as_ref()
}

fn printed(digest: &KeyDigest) -> String {
    digest.to_string()
}

fn main() {
    let _ = (copied, as_text, printed);
}
