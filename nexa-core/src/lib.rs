//! API keys, scopes and strict Ed25519 licence and access tokens, without IO.
//!
//! Nothing in this crate reads a clock, draws randomness, opens a file or a socket: `now` and `rng` are
//! arguments. What is checked comes back as a type that only a check can make ([`Verified`]), and what is not
//! accepted comes back as a code from a closed set ([`Refusal`], [`Verdict`]), never as a bare `false`.
//!
//! ```
//! # #[cfg(feature = "issue")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use nexa_core::{
//!     DeviceExpectation, DevicePolicy, KeySet, LicenseExpectations, LicenseIssuer, NewDevice, NewLicense,
//!     NewTerms, Scratch, SigningKey, UnixSeconds, Verdict, check_license, public_jwks,
//! };
//!
//! // The issuer: a key, a licence for one app on one device.
//! let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
//! let now = UnixSeconds::parse_rfc3339("2026-11-21T03:00:00Z").ok_or("not a time")?;
//! let issuer = LicenseIssuer::new(SigningKey::generate(&mut rng), "https://licenses.example")?;
//! let device = &[("fingerprint", "a1b2c3")];
//! let issued = issuer.issue(now, &mut rng, &NewLicense {
//!     jti: "licence-1",
//!     subject: "tenant-1",
//!     audience: "my-app",
//!     ttl_s: 30 * 86_400,
//!     device: NewDevice { components: device, policy: DevicePolicy::All },
//!     terms: NewTerms::default(),
//!     status: None,
//! })?;
//!
//! // The app, offline: the issuer's public key is all it knows.
//! let keys = KeySet::from_jwks(public_jwks(&[issuer.verification_key()]).as_bytes())?;
//! let this_device = DeviceExpectation::Components(device);
//! let expect = LicenseExpectations::new("https://licenses.example", "my-app", this_device);
//! let mut scratch = Scratch::new();
//! let report = check_license(&keys, &expect, now, issued.token.as_bytes(), &mut scratch);
//! assert_eq!(report.verdict(), Verdict::Valid);
//!
//! // A month later.
//! let later = now.plus(30 * 86_400).ok_or("out of range")?;
//! let report = check_license(&keys, &expect, later, issued.token.as_bytes(), &mut scratch);
//! assert_eq!(report.verdict(), Verdict::Expired { since_s: 0, grace_left_s: None });
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "issue"))]
//! # fn main() {}
//! ```
//!
//! # What it will not do
//!
//! - Take a key, an algorithm or an address from a token: the verifier's own [`KeySet`] decides.
//! - Parse a payload before its signature holds, or accept two spellings of one token.
//! - Look up sessions, seats or revocations: [`Revocations`] is where the host answers.
//! - Replace a general JWT library: it reads its own two kinds of tokens and nothing else.
//!
//! # Features
//!
//! Features add items and never change behaviour.
//!
//! | feature | adds |
//! |---|---|
//! | none | checking licences, access tokens, key sets, status shards, revocation feeds and audit checkpoints; trusted time: `no_std`, no heap |
//! | `keys` | API keys and scopes (needs `alloc`) |
//! | `issue` | signing keys; issuing licences, access and refresh tokens, key sets and status shards (needs `alloc`) |
//! | `std` | default: `keys` and `issue` |
//! | `tables` | a table per verification key: checks in half the time for 2.1 MB a key; implies `std` |
#![no_std]
#[cfg(feature = "alloc")]
extern crate alloc;

mod access;
mod base64url;
mod checkpoint;
mod claims;
mod clock;
mod hmac;
#[cfg(feature = "issue")]
mod issue;
mod json;
mod jwk;
mod jws;
#[cfg(feature = "keys")]
mod keys;
mod keyset;
mod license;
mod refusal;
#[cfg(feature = "keys")]
mod scopes;
#[cfg(all(test, any(feature = "keys", feature = "issue")))]
mod seeded;
mod statement;
mod status;
#[cfg(feature = "tables")]
mod table;
mod time;

// The public interface is:
pub use access::{AccessClaims, check_access};
pub use base64url::Base64Fault;
pub use checkpoint::AuditCheckpoint;
pub use claims::Verified;
pub use clock::{ClockReading, TrustedClock};
pub use hmac::{is_state_mac, state_mac};
#[cfg(feature = "issue")]
pub use issue::{
    AccessIssuer, IssueError, IssuedAccess, IssuedLicense, LicenseIssuer, NewAccess, NewDevice,
    NewKeySet, NewLicense, NewRevocationList, NewShard, NewStatusList, NewTerms, NewWebhook,
    RefreshToken, ShardChanges, SigningKey, SigningKeyError, check_issuer, public_jwks,
    sign_key_set, uuid_v7, uuid_v7_from,
};
pub use json::JsonFault;
pub use jwk::{KeyError, KeyProblem, KeySet, SignatureError, VerificationKey};
pub use jws::Scratch;
#[cfg(feature = "keys")]
pub use keys::{DigestParseError, KeyDigest, KeyFormat, KeyFormatError, KeyShape, PlainKey};
pub use keyset::{KeySetContents, KeySetEntry, KeySetError, KeyUse, RevokedKey, SignedKeySet};
pub use license::{
    Decision, DeviceBinding, DeviceExpectation, DeviceMatch, DevicePolicy, DriftedKinds,
    Entitlements, FINGERPRINT_KIND, FeedError, FeedProblem, Freshness, License,
    LicenseExpectations, LicenseReport, LicenseTerms, Limits, NoRevocations, RevocationFeed,
    RevocationStatus, Revocations, SignedFeedError, StalePolicy, StatusRef, Verdict, check_license,
};
pub use refusal::{Claim, Refusal, TokenPart};
#[cfg(feature = "keys")]
pub use scopes::{FULL_ACCESS, Requirement, Scope, ScopeError, ScopeSet};
pub use status::{ShardError, StatusShard};
pub use time::UnixSeconds;
