//! Checks Nexa licences offline, inside the program they license: no IO, no heap, no clock.
//!
//! A [`Verifier`] holds the issuer's public keys (embedded in the program), the issuer, the app and
//! what is known of this device. [`Verifier::check`] takes a token and the time, and answers with a
//! [`LicenseReport`]: a verdict out of a closed set, every fact that was checked, and a default
//! [`Decision`]. What to do about it is the program's own choice.
//!
//! ```
//! use nexa_verify::{Decision, DeviceExpectation, Scratch, UnixSeconds, Verdict, Verifier};
//!
//! # use nexa_core::{DevicePolicy, LicenseIssuer, NewDevice, NewLicense, NewTerms, SigningKey, public_jwks};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
//! # let key = SigningKey::generate(&mut rng);
//! # let jwks = public_jwks(&[key.verification_key()]);
//! # let jwks = jwks.as_bytes();
//! # let now = UnixSeconds::new(1_800_000_000).ok_or("out of range")?;
//! # let issuer = LicenseIssuer::new(key, "https://auth.example.com")?;
//! # let token = issuer.issue(now, &mut rng, &NewLicense {
//! #     jti: "1", subject: "tenant", audience: "my-app", ttl_s: 86_400,
//! #     device: NewDevice { components: &[("fingerprint", "f-1")], policy: DevicePolicy::All },
//! #     terms: NewTerms { entitlements: &["export"], ..NewTerms::default() }, status: None,
//! # })?.token;
//! # let token = token.as_bytes();
//! // `jwks` is what /.well-known/jwks.json served when the program was built (include_bytes!), `token`
//! // what the user was given, `now` the program's clock.
//! let device = DeviceExpectation::Components(&[("fingerprint", "f-1")]);
//! let verifier = Verifier::new(jwks, "https://auth.example.com", "my-app", device)?;
//!
//! let mut scratch = Scratch::new();
//! let report = verifier.check(now, token, &mut scratch);
//! assert_eq!(report.decision(), Decision::Allow);
//! assert_eq!(report.verdict(), Verdict::Valid);
//! let license = report.license().ok_or("refused")?.claims();
//! assert!(license.terms().allows("export"));
//! # Ok(())
//! # }
//! ```
//!
//! Revoked licences come as the published list, fetched by the program whenever it can and handed to
//! [`Verifier::with_revocations`] as a [`RevocationFeed`]. How old that list is, the program knows and the verifier does
//! not: `fresh_s`, `max_age_s` and `stale` of [`LicenseTerms`] are facts for the program to act on.
//!
//! # What it will not do
//! - Fetch anything, read a clock or keep state: the program passes bytes and the time in.
//! - Stop somebody who can patch the program or the embedded key. Offline checks raise the price of
//!   cheating; they do not make it impossible.
//! - Notice a clock that was set back. Pass the best time you have.
//! - Fall open in silence. What was not checked (no device, no revocations) is said in the report; a key
//!   set that holds a weak, private or malformed key is an error when it is read.
//!
//! # Requirements
//! `no_std`, no allocator. Rust 1.85. Beside `nexa-core` at most 19 crates are built (13 for WASM); a test pins their
//! names.
//!
//! Memory, measured on x86-64: a [`Verifier`] has 4,872 bytes (5,000 where feature `tables` of nexa-core is on), a
//! [`Scratch`] 7,178; both may be static. [`Verifier::new`] needs a stack of 44 KiB in a release build and of 64 KiB
//! without optimization, because it reads the key set on it; [`Verifier::check`] needs less than 16 KiB beside its
//! [`Scratch`].
//!
//! # Size
//! Optimize the three crates of arithmetic for speed even in a size profile: with
//! `opt-level = "z"` the AVX2 code of curve25519-dalek is some 70 times slower.
//!
//! ```toml
//! [profile.release]
//! opt-level = "z"
//! lto = true
//! codegen-units = 1
//! panic = "abort"
//!
//! [profile.release.package]
//! curve25519-dalek = { opt-level = 3 }
//! ed25519-dalek = { opt-level = 3 }
//! sha2 = { opt-level = 3 }
//! ```
#![no_std]

mod verifier;

// The public interface is:
pub use nexa_core::{
    Base64Fault, Claim, Decision, DeviceBinding, DeviceExpectation, DeviceMatch, DevicePolicy,
    DriftedKinds, Entitlements, FINGERPRINT_KIND, FeedError, FeedProblem, Freshness, JsonFault,
    KeyError, KeyProblem, KeySet, KeySetContents, KeySetEntry, KeySetError, KeyUse, License,
    LicenseReport, LicenseTerms, Limits, NoRevocations, Refusal, RevocationFeed, RevocationStatus,
    Revocations, RevokedKey, Scratch, ShardError, SignatureError, SignedFeedError, SignedKeySet,
    StalePolicy, StatusRef, StatusShard, TokenPart, UnixSeconds, Verdict, VerificationKey,
    Verified,
};
pub use verifier::Verifier;
