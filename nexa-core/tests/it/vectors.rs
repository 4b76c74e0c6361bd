//! The conformance file: it is what the generator makes, it covers every code, and this crate agrees with it.

use std::collections::BTreeSet;

use nexa_core::{
    Base64Fault, Claim, DeviceExpectation, JsonFault, KeySet, LicenseExpectations, Refusal,
    TokenPart, check_license,
};
use serde_json::Value;

use crate::conformance::{self, FILE, KEY_SET_REFUSED, cases, expectation, text};

#[path = "../../examples/license_vectors/vectors/mod.rs"]
mod generator;

/// When the tokens of most cases were issued.
pub(crate) const NOW: u64 = 1_795_230_000;

#[test]
fn the_file_is_what_the_generator_makes() {
    let generated = generator::document();
    for (line, made) in FILE.lines().zip(generated.lines()) {
        assert_eq!(line, made);
    }
    assert_eq!(FILE.len(), generated.len());
}

#[test]
fn names_are_unique_and_many() {
    let cases = cases();
    let names: BTreeSet<&str> = cases.iter().map(|case| text(&case["name"])).collect();
    assert_eq!(names.len(), cases.len());
    assert!(cases.len() >= 200);
}

#[test]
fn this_crate_agrees_with_every_case() {
    let disagreements: Vec<String> = cases()
        .iter()
        .filter_map(|case| {
            let expected = expectation(case);
            let found = run(case, |keys| keys);
            (found != expected).then(|| format!("{}: {found} instead of {expected}", case["name"]))
        })
        .collect();
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
}

#[cfg(feature = "tables")]
#[test]
fn tables_change_no_answer() {
    let tabled = |keys: KeySet| {
        let keys: Vec<_> = keys.iter().map(|key| key.clone().with_table()).collect();
        KeySet::from_keys(&keys).expect("the keys were a set before")
    };
    let mut run_with_tables = 0;
    for case in cases() {
        if text(&case["name"]).starts_with("signature/") {
            assert_eq!(run(&case, tabled), expectation(&case), "{}", case["name"]);
            run_with_tables += 1;
        }
    }
    assert!(run_with_tables > 30);
}

#[test]
fn every_code_has_a_case() {
    let cases = cases();
    let seen: BTreeSet<&str> = cases.iter().map(|case| text(&case["code"])).collect();
    let verdicts = [
        "valid",
        "not_yet_valid",
        "expired",
        "revoked",
        "other_device",
        "unknown_key",
    ];
    let refusals: BTreeSet<&str> = every_refusal().iter().map(Refusal::code).collect();
    let known = refusals
        .iter()
        .copied()
        .chain(verdicts)
        .chain([KEY_SET_REFUSED]);
    let missing: Vec<&str> = known
        .clone()
        .filter(|code| !seen.contains(code) && !is_unreachable(code))
        .collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
    let wrongly_listed: Vec<&str> = known
        .clone()
        .filter(|code| seen.contains(code) && is_unreachable(code))
        .collect();
    assert!(
        wrongly_listed.is_empty(),
        "reached after all: {wrongly_listed:?}"
    );
    let known: BTreeSet<&str> = known.collect();
    let unknown: Vec<_> = seen.difference(&known).collect();
    assert!(unknown.is_empty(), "no such code: {unknown:?}");
}

/// Codes that no licence can get.
fn is_unreachable(code: &str) -> bool {
    // For a licence this is the verdict `unknown_key`.
    if code == "kid_unknown" {
        return true;
    }
    let Some((claim, rule)) = code.rsplit_once('_') else {
        return false;
    };
    match claim {
        // Claims of access tokens.
        "tenant" | "sid" | "sv" | "role" | "scope" => true,
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

/// Lists a closed enum; a variant that is added to it but not here does not compile.
macro_rules! every {
    ($name:ident: $type:ident { $($variant:ident)* }) => {
        const $name: &[$type] = &[$($type::$variant),*];
        const _: fn($type) = |value| match value {
            $($type::$variant => (),)*
        };
    };
}

every!(BASE64_FAULTS: Base64Fault { Padding Alphabet Length TrailingBits });
every!(JSON_FAULTS: JsonFault {
    Utf8 ByteOrderMark Syntax TrailingData DuplicateMember LoneSurrogate TooDeep TooManyMembers TooLarge NumberRange
});
every!(CLAIMS: Claim {
    Iss Sub Aud Jti Iat Nbf Exp Type Tenant Sid Sv Role Scope Device DeviceSalt DevicePolicy DeviceComponents
    Status StatusList StatusIdx StatusUri Lic LicPlan LicEntitlements LicLimits LicGrace LicFresh LicMaxAge
    LicStale LicRenewAfter LicTrial
});

fn every_refusal() -> Vec<Refusal> {
    let part = TokenPart::Header;
    let mut all = vec![
        Refusal::TokenTooLong { bytes: 0 },
        Refusal::NotThreeSegments { segments: 0 },
        Refusal::Whitespace { position: 0 },
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
        Refusal::SignatureLength { bytes: 0 },
        Refusal::SignatureScalarRange,
        Refusal::SignatureSmallOrder,
        Refusal::SignatureWrong,
        Refusal::ExpNotAfterNbf,
        Refusal::LifetimeTooLong {
            lifetime_s: 0,
            max_s: 0,
        },
        Refusal::IssuedInFuture { ahead_s: 0 },
        Refusal::NotYetValid { starts_in_s: 0 },
        Refusal::Expired { since_s: 0 },
    ];
    all.extend(BASE64_FAULTS.iter().map(|fault| Refusal::Base64 {
        part,
        fault: *fault,
    }));
    all.extend(JSON_FAULTS.iter().map(|fault| Refusal::Json {
        part,
        fault: *fault,
    }));
    for claim in CLAIMS {
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
        | Refusal::SignatureLength { .. }
        | Refusal::SignatureScalarRange
        | Refusal::SignatureSmallOrder
        | Refusal::SignatureWrong
        | Refusal::ClaimMissing(_)
        | Refusal::ClaimType(_)
        | Refusal::ClaimWrong(_)
        | Refusal::ExpNotAfterNbf
        | Refusal::LifetimeTooLong { .. }
        | Refusal::IssuedInFuture { .. }
        | Refusal::NotYetValid { .. }
        | Refusal::Expired { .. } => (),
    }
}

/// The case's outcome by `check_license`, with keys that went through `prepare`.
fn run(case: &Value, prepare: impl Fn(KeySet) -> KeySet) -> Value {
    conformance::run(case, |given, scratch| {
        let keys = prepare(KeySet::from_jwks(given.keys).ok()?);
        let mut expect = LicenseExpectations::new(given.issuer, given.audience);
        if let Some(max_lifetime_s) = given.max_lifetime_s {
            expect = expect.with_max_lifetime_s(max_lifetime_s);
        }
        if let Some(components) = given.device {
            expect = expect.with_device(DeviceExpectation::Components(components));
        }
        if let Some(feed) = given.revocations {
            expect = expect.with_revocations(feed);
        }
        Some(check_license(
            &keys,
            &expect,
            given.now,
            given.token,
            scratch,
        ))
    })
}
