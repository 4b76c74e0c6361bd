//! What deliveries of webhooks are signed as.
use ed25519_dalek::{Signature, Verifier};
use nexa_core::{IssueError, NewWebhook};

use crate::forge::{Forge, NOW, at};

const ID: &str = "0197c0a4-5f3e-7a10-8d3c-2b1f0e9d8c7b";
const BODY: &[u8] = br#"{"type":"key.created"}"#;

fn attempt<'a>(id: &'a str, body: &'a [u8]) -> NewWebhook<'a> {
    NewWebhook {
        id,
        timestamp: at(NOW),
        body,
    }
}

#[test]
fn what_is_signed_is_what_the_specification_names() {
    let forge = Forge::new(1);
    let signature = attempt(ID, BODY).sign(&forge.key).unwrap();
    let signed = format!("{ID}.{NOW}.{}", str::from_utf8(BODY).unwrap());
    let public = forge.bare.verifying_key();
    let signature = Signature::from_bytes(&signature);
    assert!(public.verify(signed.as_bytes(), &signature).is_ok());
}

/// What could be read as two attempts, or as something else that the same key has signed.
#[test]
fn what_could_pass_as_something_else_is_not_signed() {
    let forge = Forge::new(1);
    let token = forge.license();
    let (signed, _) = token.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    for (id, body, field) in [
        ("", BODY, "id"),
        ("a.1", BODY, "id"),
        (header, BODY, "id"),
        ("nexa audit checkpoint 1\0", BODY, "id"),
        ("nexa key set 1", BODY, "id"),
        ("ABC", BODY, "id"),
        ("0 1", BODY, "id"),
        (ID, b"", "body"),
        (ID, payload.as_bytes(), "body"),
        (ID, b" {}", "body"),
        (ID, b"[]", "body"),
    ] {
        let refused = attempt(id, body).sign(&forge.key);
        let named = |error: &IssueError| matches!(error, IssueError::Value { field: named, .. } if *named == field);
        assert!(refused.as_ref().is_err_and(named), "{id:?}: {refused:?}");
    }
}
