//! Takes what may be a secret out of a path before it is logged.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// How the keys and tokens begin that this server makes or is asked about.
const BEGINNINGS: [&str; 8] = ["nex_", "nxr_", "nxs_", "sk_", "pk_", "rk_", "eyj", "whsec_"];

/// What stands in the place of a secret.
const MASK: &str = "***";

/// The longest path that is logged; the rest is cut off.
const LENGTH_MAX: usize = 256;

/// A path as the log may show it: segments that look like secrets are masked, and control characters cannot stand in a path.
pub(super) fn masked(path: &str) -> String {
    let mut shown = String::with_capacity(path.len().min(LENGTH_MAX));
    for (place, segment) in path.split('/').enumerate() {
        if place > 0 {
            shown.push('/');
        }
        shown.push_str(if holds_secret(segment) { MASK } else { segment });
        if shown.len() > LENGTH_MAX {
            let mut cut: String = shown.chars().take(LENGTH_MAX).collect();
            cut.push('…');
            return cut;
        }
    }
    shown
}

/// Whether a text holds something that begins as a key does, or a long word of letters and digits that is no id of ours.
pub(super) fn holds_secret(text: &str) -> bool {
    let decoded = decoded(text);
    let lower = decoded.to_ascii_lowercase();
    if BEGINNINGS.iter().any(|beginning| lower.contains(beginning)) {
        return true;
    }
    let is_of_word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '+' | '=');
    let mut words = decoded.split(|c| !is_of_word(c));
    words.any(is_random)
}

/// Until nothing changes: an escape of an escape is none of ours, and hides nothing.
fn decoded(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for _ in 0..3 {
        if !text.contains('%') {
            break;
        }
        text = Cow::Owned(percent_decode_str(&text).decode_utf8_lossy().into_owned());
    }
    text
}

/// Whether a word is long and mixed as only secrets and hashes are. Ids of rows are no secrets: UUIDs, and `key_` with 26
/// characters.
fn is_random(word: &str) -> bool {
    const LEAST: usize = 20;
    let has_digit = word.bytes().any(|b| b.is_ascii_digit());
    let has_both = word.bytes().any(|b| b.is_ascii_lowercase())
        && word.bytes().any(|b| b.is_ascii_uppercase());
    word.len() >= LEAST && (has_digit || has_both) && !is_uuid(word) && !is_key_id(word)
}

fn is_uuid(word: &str) -> bool {
    word.len() == 36
        && word.bytes().enumerate().all(|(place, b)| match place {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

fn is_key_id(word: &str) -> bool {
    word.strip_prefix("key_").is_some_and(|rest| {
        rest.len() == 26 && (rest.bytes()).all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_not_shown() {
        for (path, shown) in [
            (
                "/api/auth/resend-verification",
                "/api/auth/resend-verification",
            ),
            (
                "/api/v1/api-keys/0190c1d2-0000-7000-8000-00000000abcd/rotate",
                "/api/v1/api-keys/0190c1d2-0000-7000-8000-00000000abcd/rotate",
            ),
            (
                "/v1/api-keys/key_abcdefghijklmnopqrstuvwx23",
                "/v1/api-keys/key_abcdefghijklmnopqrstuvwx23",
            ),
            ("/api/downloads/llama-3.1", "/api/downloads/llama-3.1"),
            ("/a/nex_x/b", "/a/***/b"),
            ("/a/b=NEX_x", "/a/***"),
            ("/a/%6eex_x", "/a/***"),
            ("/a/%256eex%255fx", "/a/***"),
            ("/a/nxr_1", "/a/***"),
            ("/a/sk_live_1", "/a/***"),
            ("/a/eyJhbGciOiJFZERTQSJ9.e30.c2ln", "/a/***"),
            ("/a/q8h3K1bXv_-09zTnWl4RfA7c", "/a/***"),
            ("/a/QWERTYuiopASDFGHjklzxcv", "/a/***"),
            ("/a/0190c1d2-0000-7000-8000-00000000abcdZ", "/a/***"),
            ("//", "//"),
            ("*", "*"),
        ] {
            assert_eq!(masked(path), shown);
        }
        let long = "/é".repeat(1_000);
        assert!(masked(&long).len() < 300);
    }
}
