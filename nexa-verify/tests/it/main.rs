//! The crate from outside, as a licensed program uses it.
//!
//! The tests issue what they check, so they build nexa-core with its features, unlike a program that links this crate.
//! The same cases run against nexa-core without features in its own tests (`--no-default-features`).
#![expect(
    clippy::unwrap_used,
    reason = "a helper of the tests fails like a test: by panicking"
)]

mod client;
mod client_any_order;
mod client_wrong_clock;
mod corpus;
mod dependencies;
mod device;
mod facts;
mod keys;
mod revocation;
mod time;
mod vectors;

#[path = "../../../nexa-core/tests/it/conformance.rs"]
mod conformance;
#[path = "../../../nexa-core/src/seeded.rs"]
mod seeded;

use nexa_core::{
    DevicePolicy, LicenseIssuer, NewDevice, NewLicense, NewTerms, SigningKey, public_jwks,
};
use nexa_verify::UnixSeconds;

use seeded::Seeded;

const ISSUER: &str = "https://auth.example.com";
const APP: &str = "my-app";
const DAY_S: u64 = 86_400;

/// When every licence of these tests is issued.
const ISSUED_AT: UnixSeconds = UnixSeconds::new(1_795_230_000).unwrap();

/// What an issuer publishes and hands out: its JWK set and one licence.
struct Issued {
    jwks: String,
    token: String,
}

/// A licence of 30 days for one device, which `change` may alter.
fn issue(change: impl for<'a> FnOnce(NewLicense<'a>) -> NewLicense<'a>) -> Issued {
    let key = SigningKey::generate(&mut Seeded::new(1));
    let jwks = public_jwks(&[key.verification_key()]);
    let issuer = LicenseIssuer::new(key, ISSUER).unwrap();
    let license = change(NewLicense {
        jti: "licence-1",
        subject: "tenant-1",
        audience: APP,
        ttl_s: 30 * DAY_S,
        device: NewDevice {
            components: &[("fingerprint", "f-1")],
            policy: DevicePolicy::All,
        },
        terms: NewTerms::default(),
        status: None,
    });
    let token = issuer
        .issue(ISSUED_AT, &mut Seeded::new(2), &license)
        .unwrap()
        .token;
    Issued { jwks, token }
}

fn after(seconds: u64) -> UnixSeconds {
    ISSUED_AT.plus(seconds).unwrap()
}
