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
//! That is the simple way: one key set for the life of the program, and revoked licences from the published list, handed to
//! [`Verifier::with_revocations`] as a [`RevocationFeed`].
//!
//! # Keys that change, revocations in few bytes, clocks that lie
//! A [`Client`] embeds the issuer's root key alone ([`Trust::root`]). Its [`State`] keeps the newest signed key set, the status
//! shard of the licence and the trusted clock; the program keeps the state. [`Client::check`] says what to fetch next and from
//! where ([`Fetch`]), [`Client::receive`] takes the bytes, from a server, a mirror or a stick: they need no trust.
//!
//! ```
//! use nexa_verify::{Client, Decision, DeviceExpectation, Scratch, State, Trust, UnixSeconds};
//!
//! # use nexa_core::{DevicePolicy, KeySetEntry, KeyUse, LicenseIssuer, NewDevice, NewKeySet, NewLicense, NewTerms, SigningKey, public_jwks};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
//! # let (root, key) = (SigningKey::generate(&mut rng), SigningKey::generate(&mut rng));
//! # let root_jwks = public_jwks(&[root.verification_key()]);
//! # let now = UnixSeconds::new(1_800_000_000).ok_or("out of range")?;
//! # let entry = KeySetEntry { key_use: KeyUse::License, key: key.verification_key(), not_before: now, not_after: None };
//! # let key_set = NewKeySet { seq: 1, issued_at: now, keys: &[entry], revoked: &[] }.sign(&root, "https://auth.example.com")?;
//! # let token = LicenseIssuer::new(key, "https://auth.example.com")?.issue(now, &mut rng, &NewLicense {
//! #     jti: "1", subject: "tenant", audience: "my-app", ttl_s: 86_400,
//! #     device: NewDevice { components: &[("fingerprint", "f-1")], policy: DevicePolicy::All },
//! #     terms: NewTerms::default(), status: None,
//! # })?.token;
//! # let fetch = |url: &str| { assert_eq!(url, "https://auth.example.com/.well-known/nexa-keyset"); key_set.clone() };
//! // `root_jwks` is what `nexa keyset export --root` printed when the program was built.
//! let device = DeviceExpectation::Components(&[("fingerprint", "f-1")]);
//! let trust = Trust::root(root_jwks.as_bytes())?;
//! let client = Client::new(trust, "https://auth.example.com", "my-app", device);
//!
//! let mut state = State::new(); // or State::restore(&kept, b"f-1")?
//! let mut scratch = Scratch::new();
//! let decision = loop {
//!     let checked = client.check(&mut state, now, None, token.as_bytes(), &mut scratch);
//!     let Some(wanted) = checked.next_fetch() else { break checked.decision() };
//!     let bytes = fetch(&wanted.to_string());
//!     client.receive(&mut state, wanted.document, &bytes)?;
//! };
//! assert_eq!(decision, Decision::Allow);
//!
//! let mut buffer = [0; State::MAX_BYTES];
//! let kept = state.save(b"f-1", &mut buffer).ok_or("too short")?;
//! assert!(State::restore(kept, b"another device").is_err());
//! # Ok(())
//! # }
//! ```
//!
//! A program that cannot fetch says so ([`Client::failed`]) and goes on with what it has: how old revocation data may get, and
//! what then, stands in the licence. What came, was refused or could not be had is not asked for again for a minute, and keeps
//! nothing else waiting.
//!
//! # What offline checks cannot stop
//! - Somebody who patches the program, its embedded key or its memory.
//! - A whole machine, or an old state, that is put back as it was: it looks like the machine it was.
//! - Somebody who did not use the program for some days, and sets the clock back over them, less 48 hours; all of them with a
//!   signed document that was held back ([`TrustedClock`] says why). Without a state that is kept, any clock is believed.
//! - A revocation that no signed document has told of yet; `max_age_s` of a licence bounds how long that may be.
//!
//! # What it will not do
//! - Fetch anything, read a clock or write a file: the program passes bytes and the time in, and keeps the state.
//! - Stop somebody who can patch the program or the embedded key. Offline checks raise the price of
//!   cheating; they do not make it impossible.
//! - Notice with a [`Verifier`] that a clock was set back: that takes a [`Client`] and its state.
//! - Fall open in silence. What was not checked (no device, no revocations) is said in the report; a key
//!   set that holds a weak, private or malformed key is an error when it is read.
//!
//! # Requirements
//! `no_std`, no allocator. Rust 1.85. Beside `nexa-core` at most 19 crates are built (13 for WASM); a test pins their
//! names.
//!
//! Memory, measured on x86-64: a [`Verifier`] has 5,000 bytes (5,128 where feature `tables` of nexa-core is on), a
//! [`Scratch`] 7,178; both may be static. [`Verifier::new`] needs a stack of 44 KiB in a release build and of 64 KiB
//! without optimization, because it reads the key set on it; [`Verifier::check`] needs less than 16 KiB beside its
//! [`Scratch`]. A [`Client`] has 9,944 bytes (10,200 there) and a [`State`] 10,760; both may be static. Checking and receiving need a stack of
//! 80 KiB without optimization.
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

mod client;
mod fetch;
mod plan;
mod receive_error;
mod state;
mod trust;
mod verifier;

// The public interface is:
pub use client::{Checked, Client};
pub use fetch::{Fetch, Wanted, Why};
pub use nexa_core::{
    Base64Fault, Claim, ClockReading, Decision, DeviceBinding, DeviceExpectation, DeviceMatch,
    DevicePolicy, DriftedKinds, Entitlements, FINGERPRINT_KIND, FeedError, FeedProblem, Freshness,
    JsonFault, KeyError, KeyProblem, KeySet, KeySetContents, KeySetEntry, KeySetError, KeyUse,
    License, LicenseReport, LicenseTerms, Limits, NoRevocations, Refusal, RevocationFeed,
    RevocationStatus, Revocations, RevokedKey, Scratch, ShardError, SignatureError,
    SignedFeedError, SignedKeySet, StalePolicy, StatusRef, StatusShard, TokenPart, TrustedClock,
    UnixSeconds, Verdict, VerificationKey, Verified,
};
pub use receive_error::ReceiveError;
pub use state::{State, StateFault};
pub use trust::Trust;
pub use verifier::Verifier;
