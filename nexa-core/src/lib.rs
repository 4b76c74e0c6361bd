//! API keys, scopes and strict Ed25519 licence and access tokens, without IO.
#![no_std]
#[cfg(feature = "alloc")]
extern crate alloc;

mod access;
mod base64url;
mod claims;
#[cfg(feature = "issue")]
mod issue;
mod json;
mod jwk;
mod jws;
#[cfg(feature = "keys")]
mod keys;
mod license;
mod refusal;
#[cfg(feature = "keys")]
mod scopes;
#[cfg(all(test, any(feature = "keys", feature = "issue")))]
mod seeded;
#[cfg(feature = "tables")]
mod table;
mod time;

// The public interface is:
pub use access::{AccessClaims, check_access};
pub use base64url::Base64Fault;
pub use claims::Verified;
#[cfg(feature = "issue")]
pub use issue::{
    AccessIssuer, IssueError, IssuedAccess, IssuedLicense, LicenseIssuer, NewAccess, NewDevice,
    NewLicense, NewTerms, RefreshToken, SigningKey, SigningKeyError, public_jwks, uuid_v7,
};
pub use json::JsonFault;
pub use jwk::{KeyError, KeyProblem, KeySet, SignatureError, VerificationKey};
pub use jws::Scratch;
#[cfg(feature = "keys")]
pub use keys::{DigestParseError, KeyDigest, KeyFormat, KeyFormatError, KeyShape, PlainKey};
pub use license::{
    Decision, DeviceBinding, DeviceExpectation, DeviceMatch, DevicePolicy, DriftedKinds,
    Entitlements, FINGERPRINT_KIND, FeedError, FeedProblem, License, LicenseExpectations,
    LicenseReport, LicenseTerms, Limits, NoRevocations, RevocationFeed, RevocationStatus,
    Revocations, StalePolicy, StatusRef, Verdict, check_license,
};
pub use refusal::{Claim, Refusal, TokenPart};
#[cfg(feature = "keys")]
pub use scopes::{FULL_ACCESS, Requirement, Scope, ScopeError, ScopeSet};
pub use time::UnixSeconds;
