//! `Idempotency-Key`: how it is written, and which keys belong to calls that are still running.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hyper::HeaderMap;
use sha2::{Digest, Sha256};

use crate::domain::Error;
use crate::domain::idempotency::Attempt;

/// The header's name, as errors show it.
pub(crate) const HEADER: &str = "Idempotency-Key";
/// In characters.
pub(crate) const KEY_MIN: usize = 8;
/// In characters.
pub(crate) const KEY_MAX: usize = 200;

/// The key that was sent, if there is one: 8 to 200 visible ASCII characters, or the same as a string of RFC 9651 §3.3.3,
/// in quotes.
///
/// # Errors
/// `Invalid` for [`HEADER`].
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let refused = |rule: String| Err(Error::invalid(HEADER, rule));
    let mut sent = headers.get_all(HEADER).iter();
    let (first, second) = (sent.next(), sent.next());
    let Some(value) = first else {
        return Ok(None);
    };
    if second.is_some() {
        return refused("must be sent once".to_owned());
    }
    let text = value.to_str().unwrap_or_default().trim_matches([' ', '\t']);
    let key = match text.strip_prefix('"') {
        Some(rest) => unquoted(rest),
        None => Some(text.to_owned()),
    };
    let is_key = |key: &String| {
        (KEY_MIN..=KEY_MAX).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic())
    };
    match key.filter(is_key) {
        Some(key) => Ok(Some(key)),
        None => refused(format!(
            "must be {KEY_MIN} to {KEY_MAX} visible ASCII characters, as they are or in quotes"
        )),
    }
}

/// What stands in quotes of which the first has been read; `None` when they do not end at the end.
fn unquoted(rest: &str) -> Option<String> {
    let mut key = String::with_capacity(rest.len());
    let mut letters = rest.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return letters.next().is_none().then_some(key),
            '\\' => key.push(letters.next().filter(|c| matches!(c, '"' | '\\'))?),
            letter => key.push(letter),
        }
    }
    None
}

/// The keys of calls that are running. One process owns a data folder, so its memory is where they all are.
#[derive(Default)]
pub(crate) struct Running {
    /// Digests, because the parts are of others' choosing.
    keys: Mutex<HashSet<[u8; 32]>>,
}

/// That a call with a key is running, until it is dropped, also by a panic.
pub(crate) struct Guard<'a> {
    running: &'a Running,
    key: [u8; 32],
}

impl Running {
    /// Notes that a call of a tenant begins.
    ///
    /// # Errors
    /// `IdempotencyKeyInUse` while another one with the same key is running.
    pub(crate) fn begin(&self, tenant_id: &str, attempt: &Attempt) -> Result<Guard<'_>, Error> {
        let mut hash = Sha256::new();
        for part in [tenant_id, attempt.route, &attempt.key] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let key = hash.finalize().into();
        match self.lock().insert(key) {
            true => Ok(Guard { running: self, key }),
            false => Err(Error::IdempotencyKeyInUse),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<[u8; 32]>> {
        // A set is whole between two calls of it.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.running.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn read(values: &[&[u8]]) -> Result<Option<String>, String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_bytes(value).unwrap());
        }
        key(&headers).map_err(|error| error.to_string())
    }

    #[test]
    fn a_key_is_raw_or_quoted_and_has_8_to_200_characters() {
        let long = "k".repeat(200);
        let quoted = format!("\"{long}\"");
        for (value, expected) in [
            ("12345678", "12345678"),
            ("\"12345678\"", "12345678"),
            (r#""1234\"\\78""#, r#"1234"\78"#),
            ("a-b_c.d:e/f", "a-b_c.d:e/f"),
            (&long, &long),
            (&quoted, &long),
        ] {
            assert_eq!(read(&[value.as_bytes()]), Ok(Some(expected.to_owned())));
        }
        assert_eq!(read(&[]), Ok(None));
        let rule =
            "Idempotency-Key: must be 8 to 200 visible ASCII characters, as they are or in quotes";
        let longer = "k".repeat(201);
        for value in [
            "",
            "1234567",
            "\"1234567\"",
            &longer,
            "1234 678",
            "\"12345678",
            "\"12345678\"x",
            "\"1234567\\",
            r#""1234567\x""#,
        ] {
            assert_eq!(read(&[value.as_bytes()]), Err(rule.to_owned()), "{value}");
        }
        assert_eq!(read(&["schlüssel".as_bytes()]), Err(rule.to_owned()));
        let twice = "Idempotency-Key: must be sent once".to_owned();
        assert_eq!(read(&[b"12345678", b"12345678"]), Err(twice));
    }

    #[test]
    fn a_key_is_free_again_when_its_call_has_ended_however_it_ended() {
        let running = Running::default();
        let attempt = |route| Attempt {
            route,
            key: "12345678".to_owned(),
            payload: [0; 32],
            status: 201,
        };
        let first = running.begin("t", &attempt("/a")).unwrap();
        let second = running.begin("t", &attempt("/a"));
        assert!(matches!(second, Err(Error::IdempotencyKeyInUse)));
        let others = [
            running.begin("u", &attempt("/a")),
            running.begin("t", &attempt("/b")),
        ];
        assert!(others.iter().all(Result::is_ok));
        drop(first);
        let panicked = std::panic::catch_unwind(|| {
            let _guard = running.begin("t", &attempt("/a")).unwrap();
            panic!("in the middle");
        });
        assert!(panicked.is_err());
        assert!(running.begin("t", &attempt("/a")).is_ok());
    }
}
