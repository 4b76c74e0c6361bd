//! Replays of the published documents: requests are cut out of their text, answers compared with it.

mod agentyk;
mod agentyk_downloads;
mod agentyk_money;
mod agentyk_payments;
mod agentyk_people;
mod agentyk_usage;
mod dialnexa;
mod nexalayer;
mod nexgent;
mod nexora;
mod shown;
mod together;

use serde_json::Value;

use crate::harness::{Answer, Request, Server, members};
use shown::Shown;

/// The text between two marks, without them.
fn between<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    let start = text
        .find(from)
        .unwrap_or_else(|| panic!("the document has no {from:?}"))
        + from.len();
    let length = text[start..]
        .find(to)
        .unwrap_or_else(|| panic!("the document has no {to:?} after {from:?}"));
    &text[start..start + length]
}

/// The JSON between two marks.
fn json_between(text: &str, from: &str, to: &str) -> Value {
    let shown = between(text, from, to);
    serde_json::from_str(shown).unwrap_or_else(|error| panic!("{error}: {shown}"))
}

/// Asserts that two values have the same members and kinds, whatever their strings say.
fn assert_same_shape(answered: &Value, documented: &Value) {
    match (answered, documented) {
        (Value::Object(_), Value::Object(expected)) => {
            assert_eq!(members(answered), members(documented));
            for (name, value) in expected {
                assert_same_shape(&answered[name], value);
            }
        }
        (Value::Array(answered), Value::Array(expected)) => {
            for item in answered {
                assert_same_shape(item, &expected[0]);
            }
        }
        _ => assert_eq!(
            std::mem::discriminant(answered),
            std::mem::discriminant(documented),
            "{answered} against {documented}"
        ),
    }
}

fn assert_rfc3339(value: &Value) {
    let text = value.as_str().unwrap();
    assert!(
        text.len() == 24 && text.ends_with('Z') && text.as_bytes()[19] == b'.',
        "{text}"
    );
}

/// A version 7 UUID (RFC 9562 §5.7).
fn assert_uuid(value: &Value) {
    let text = value.as_str().unwrap();
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12], "{text}");
    assert_eq!(&text[14..15], "7", "{text}");
}

/// A key of that prefix with 32 characters more.
fn assert_key<'v>(value: &'v Value, prefix: &str) -> &'v str {
    let key = value.as_str().unwrap();
    assert!(key.starts_with(prefix), "{key}");
    assert_eq!(key.len(), prefix.len() + 32, "{key}");
    key
}

/// Asks as nginx does.
fn authorize<'s>(server: &'s Server, method: &str, uri: &str) -> Request<'s> {
    server
        .get("/api/authorize")
        .header("X-Original-Method", method)
        .header("X-Original-URI", uri)
}

/// What a value of a key opens, by either carrier: Nexa's own routes of every document, and the gateway's question.
fn assert_opens(server: &Server, key: &str, expected: (u16, &str)) {
    let own = [
        "/api/auth/me",
        "/api/users/me/api-keys",
        "/api/v1/api-keys",
        "/v1/api-keys",
        "/api/licenses",
    ];
    let judge = |answer: Answer, path: &str| {
        let sentence = answer.json["error"].as_str().unwrap_or_default();
        assert_eq!((answer.status, sentence), expected, "{path}");
    };
    for path in own {
        judge(server.get(path).key(key).send(), path);
        judge(server.get(path).bearer(key).send(), path);
    }
    for path in ["/api/agents", "/v1/agents2", "/api/v1/trading-signals"] {
        judge(authorize(server, "GET", path).key(key).send(), path);
        judge(authorize(server, "GET", path).bearer(key).send(), path);
        judge(
            server.get(&format!("/api/authorize{path}")).key(key).send(),
            path,
        );
    }
}

const OPEN: (u16, &str) = (200, "");
const DEAD: (u16, &str) = (401, "Invalid API key");
