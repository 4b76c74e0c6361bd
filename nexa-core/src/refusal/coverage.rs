//! Tests: every rule has a code and a sentence of its own, and every code that a licence can get has a case in the
//! conformance file.
extern crate std;

use std::collections::BTreeSet;
use std::string::ToString;
use std::vec::Vec;

use super::*;
use crate::jwk::{KeyProblem, SignatureError};
use crate::keyset::KeySetError;
use crate::status::ShardError;

const FILE: &str = include_str!("../../tests/license-vectors.json");

/// Lists an enum; a variant that is added to it but not here does not compile.
macro_rules! every {
    ($name:ident: $type:ident { $($variant:ident)* }) => {
        const $name: &[$type] = &[$($type::$variant),*];
        const _: fn($type) = |value| match value {
            $($type::$variant => (),)*
        };
    };
}

every!(PARTS: TokenPart { Header Payload Signature });
every!(BASE64_FAULTS: Base64Fault { Padding Alphabet Length TrailingBits });
every!(JSON_FAULTS: JsonFault {
    Utf8 ByteOrderMark Syntax TrailingData DuplicateMember LoneSurrogate TooDeep TooManyMembers TooLarge NumberRange
});

/// One refusal per code.
fn every_refusal() -> Vec<Refusal> {
    let part = TokenPart::Header;
    let mut all = std::vec![
        Refusal::TokenTooLong { bytes: 5_000 },
        Refusal::NotThreeSegments { segments: 1 },
        Refusal::Whitespace { position: 3 },
        Refusal::NotAnObject { part },
        Refusal::AlgMissing,
        Refusal::AlgType,
        Refusal::AlgNone,
        Refusal::AlgNotAllowed,
        Refusal::HeaderCrit,
        Refusal::HeaderB64,
        Refusal::HeaderJwk,
        Refusal::HeaderJku,
        Refusal::HeaderX5c,
        Refusal::HeaderX5u,
        Refusal::HeaderZip,
        Refusal::HeaderUnknownMember,
        Refusal::TypMissing,
        Refusal::TypType,
        Refusal::TypWrong,
        Refusal::KidMissing,
        Refusal::KidType,
        Refusal::KidUnknown,
        Refusal::KidRevoked,
        Refusal::KidNotInForce,
        Refusal::SignatureLength { bytes: 63 },
        Refusal::SignatureScalarRange,
        Refusal::SignatureSmallOrder,
        Refusal::SignatureWrong,
        Refusal::RoleAndScopeMissing,
        Refusal::ExpNotAfterNbf,
        Refusal::ExpNotAfterIat,
        Refusal::LifetimeTooLong {
            lifetime_s: 2,
            max_s: 1,
        },
        Refusal::IssuedInFuture { ahead_s: 301 },
        Refusal::NotYetValid { starts_in_s: 1 },
        Refusal::Expired { since_s: 1 },
    ];
    all.extend(BASE64_FAULTS.iter().map(|fault| Refusal::Base64 {
        part,
        fault: *fault,
    }));
    all.extend(JSON_FAULTS.iter().map(|fault| Refusal::Json {
        part,
        fault: *fault,
    }));
    for claim in Claim::ALL {
        all.extend([
            Refusal::ClaimMissing(*claim),
            Refusal::ClaimType(*claim),
            Refusal::ClaimWrong(*claim),
        ]);
    }
    all.iter().for_each(is_listed_above);
    all
}

/// Does not compile when a variant is added that the list above may lack.
fn is_listed_above(refusal: &Refusal) {
    match refusal {
        Refusal::TokenTooLong { .. }
        | Refusal::NotThreeSegments { .. }
        | Refusal::Whitespace { .. }
        | Refusal::Base64 { .. }
        | Refusal::Json { .. }
        | Refusal::NotAnObject { .. }
        | Refusal::AlgMissing
        | Refusal::AlgType
        | Refusal::AlgNone
        | Refusal::AlgNotAllowed
        | Refusal::HeaderCrit
        | Refusal::HeaderB64
        | Refusal::HeaderJwk
        | Refusal::HeaderJku
        | Refusal::HeaderX5c
        | Refusal::HeaderX5u
        | Refusal::HeaderZip
        | Refusal::HeaderUnknownMember
        | Refusal::TypMissing
        | Refusal::TypType
        | Refusal::TypWrong
        | Refusal::KidMissing
        | Refusal::KidType
        | Refusal::KidUnknown
        | Refusal::KidRevoked
        | Refusal::KidNotInForce
        | Refusal::SignatureLength { .. }
        | Refusal::SignatureScalarRange
        | Refusal::SignatureSmallOrder
        | Refusal::SignatureWrong
        | Refusal::ClaimMissing(_)
        | Refusal::ClaimType(_)
        | Refusal::ClaimWrong(_)
        | Refusal::RoleAndScopeMissing
        | Refusal::ExpNotAfterNbf
        | Refusal::ExpNotAfterIat
        | Refusal::LifetimeTooLong { .. }
        | Refusal::IssuedInFuture { .. }
        | Refusal::NotYetValid { .. }
        | Refusal::Expired { .. } => (),
    }
}

/// One error per code; what is added and not listed here does not compile.
fn every_shard_error() -> [ShardError; 14] {
    let (seq, shard) = (1, 1);
    let all = [
        ShardError::Length { bytes: 0 },
        ShardError::Magic,
        ShardError::UnknownKey,
        ShardError::Signature(SignatureError::Mismatch),
        ShardError::KeyNotInForce,
        ShardError::Times,
        ShardError::Count { count: 65_537 },
        ShardError::Parameter {
            found: 1,
            expected: 2,
        },
        ShardError::Truncated,
        ShardError::OutOfRange,
        ShardError::Rest,
        ShardError::Base { base_seq: 2, seq },
        ShardError::Number { delta: 2, shard },
        ShardError::Changes,
    ];
    for error in &all {
        match error {
            ShardError::Length { .. }
            | ShardError::Magic
            | ShardError::UnknownKey
            | ShardError::Signature(_)
            | ShardError::KeyNotInForce
            | ShardError::Times
            | ShardError::Count { .. }
            | ShardError::Parameter { .. }
            | ShardError::Truncated
            | ShardError::OutOfRange
            | ShardError::Rest
            | ShardError::Base { .. }
            | ShardError::Number { .. }
            | ShardError::Changes => (),
        }
    }
    all
}

/// As [`every_shard_error`].
fn every_key_set_error() -> [KeySetError; 8] {
    let problem = KeyProblem::Weak;
    let all = [
        KeySetError::Length { bytes: 0 },
        KeySetError::Magic,
        KeySetError::OtherRoot,
        KeySetError::Signature(SignatureError::Mismatch),
        KeySetError::Use { index: 0, found: 9 },
        KeySetError::Key { index: 0, problem },
        KeySetError::Times,
        KeySetError::Revoked { index: 0 },
    ];
    for error in &all {
        match error {
            KeySetError::Length { .. }
            | KeySetError::Magic
            | KeySetError::OtherRoot
            | KeySetError::Signature(_)
            | KeySetError::Use { .. }
            | KeySetError::Key { .. }
            | KeySetError::Times
            | KeySetError::Revoked { .. } => (),
        }
    }
    all
}

#[test]
fn errors_of_documents_are_told_apart() {
    let shard = every_shard_error().map(|error| (error.code(), error.to_string()));
    let key_set = every_key_set_error().map(|error| (error.code(), error.to_string()));
    let all: Vec<_> = shard.into_iter().chain(key_set).collect();
    let codes: BTreeSet<_> = all.iter().map(|(code, _)| code).collect();
    let messages: BTreeSet<_> = all.iter().map(|(_, message)| message).collect();
    assert_eq!(codes.len(), all.len());
    // What a signature lacks is said in the same words wherever it stands.
    assert_eq!(messages.len(), all.len() - 1);
}

#[test]
fn codes_are_snake_case_and_tell_rules_apart() {
    let all = every_refusal();
    let codes: BTreeSet<&str> = all.iter().map(Refusal::code).collect();
    assert_eq!(codes.len(), all.len());
    for code in codes {
        assert!(
            code.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
            "{code}"
        );
    }
}

#[test]
fn messages_are_sentences_that_tell_rules_apart() {
    let all = every_refusal();
    let messages: BTreeSet<_> = all.iter().map(ToString::to_string).collect();
    assert_eq!(messages.len(), all.len());
    let part = TokenPart::Payload;
    let fault = Base64Fault::Padding;
    for (refusal, message) in [
        (
            Refusal::ClaimType(Claim::DeviceSalt),
            "claim device.salt must be a string",
        ),
        (
            Refusal::ClaimWrong(Claim::Iss),
            "claim iss is not the expected issuer, compared byte by byte",
        ),
        (
            Refusal::ClaimWrong(Claim::LicStale),
            "claim lic.stale is neither allow, warn nor deny",
        ),
        (
            Refusal::Base64 { part, fault },
            "the payload is not canonical base64url: it is padded",
        ),
    ] {
        assert_eq!(refusal.to_string(), message);
    }
    let parts: BTreeSet<_> = PARTS.iter().map(ToString::to_string).collect();
    assert_eq!(parts.len(), PARTS.len());
}

#[test]
fn every_code_has_a_case() {
    let file: serde_json::Value = serde_json::from_str(FILE).unwrap();
    let cases = file["cases"].as_array().unwrap();
    let seen: BTreeSet<&str> = cases
        .iter()
        .filter_map(|case| case["code"].as_str())
        .collect();
    let others = [
        "valid",
        "revoked",
        "other_device",
        "revocation_data_old",
        "key_set_refused",
    ];
    let all = every_refusal();
    let documents = every_shard_error().map(|error| error.code());
    let documents = documents
        .into_iter()
        .chain(every_key_set_error().map(|error| error.code()));
    let known: BTreeSet<&str> = (all.iter().map(Refusal::code))
        .chain(others)
        .chain(documents)
        .collect();
    let reachable: BTreeSet<&str> = known
        .iter()
        .copied()
        .filter(|code| !is_unreachable(code))
        .collect();
    assert_eq!(seen, reachable);
}

/// Codes that no licence can get.
fn is_unreachable(code: &str) -> bool {
    let Some((claim, rule)) = code.rsplit_once('_') else {
        return false;
    };
    match claim {
        // Claims of access tokens.
        "tenant" | "sid" | "sv" | "role" | "scope" | "role_and_scope" => true,
        // Every whole number in range is a time, and what is an object is judged by its members.
        "iat" | "nbf" | "exp" | "device" | "status_list" => rule == "wrong",
        // Optional, and every value of the right type is accepted.
        "status" | "lic" | "lic_plan" | "lic_entitlements" | "lic_limits" | "lic_grace_s"
        | "lic_fresh_s" | "lic_max_age_s" | "lic_renew_after" | "lic_trial" => {
            rule == "missing" || rule == "wrong"
        }
        "lic_stale" => rule == "missing",
        _ => false,
    }
}
