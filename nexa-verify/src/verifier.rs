//! The verifier: what a program knows, and one call.

use nexa_core::{
    DeviceExpectation, KeyError, KeySet, LicenseExpectations, LicenseReport, Revocations, Scratch,
    UnixSeconds, check_license,
};

/// Checks licences of one issuer for one app.
#[derive(Clone)]
pub struct Verifier<'a> {
    keys: KeySet,
    expectations: LicenseExpectations<'a>,
}

impl<'a> Verifier<'a> {
    /// Reads the embedded keys: a JWK set or a single JWK (RFC 7517), at most 16 Ed25519 keys.
    ///
    /// `issuer` is compared byte for byte with `iss`, `audience` (the app's id) with `aud`.
    ///
    /// # Errors
    /// [`KeyError`] for a set that is malformed, is empty, or holds a weak or private key. A program
    /// should find this out in its tests: the set is embedded.
    ///
    /// # Security
    /// Only these keys decide. Nothing in a token can bring another one in.
    pub fn new(jwks: &[u8], issuer: &'a str, audience: &'a str) -> Result<Self, KeyError> {
        Ok(Self::with_keys(KeySet::from_jwks(jwks)?, issuer, audience))
    }

    /// The same over keys that have been loaded before.
    pub fn with_keys(keys: KeySet, issuer: &'a str, audience: &'a str) -> Self {
        Self {
            keys,
            expectations: LicenseExpectations::new(issuer, audience),
        }
    }

    /// Says what this device is made of, as (kind, value) pairs; `fingerprint` is the published kind.
    ///
    /// Without this call the device is not checked, and the report says so.
    #[must_use]
    pub fn with_device(mut self, components: &'a [(&'a str, &'a str)]) -> Self {
        self.expectations = self
            .expectations
            .with_device(DeviceExpectation::Components(components));
        self
    }

    /// Says where to look revocations up, for instance a [`RevocationFeed`](crate::RevocationFeed).
    ///
    /// Without this call revocation is not checked, and the report says so.
    #[must_use]
    pub fn with_revocations(mut self, revocations: &'a dyn Revocations) -> Self {
        self.expectations = self.expectations.with_revocations(revocations);
        self
    }

    /// Changes the longest life (exp − iat) that is accepted, in seconds; 400 days unless told.
    #[must_use]
    pub fn with_max_lifetime_s(mut self, max_lifetime_s: u64) -> Self {
        self.expectations = self.expectations.with_max_lifetime_s(max_lifetime_s);
        self
    }

    /// Checks one token at `now`.
    ///
    /// The report borrows from `scratch`, which can be used again when the report is gone.
    #[must_use]
    pub fn check<'s>(
        &self,
        now: UnixSeconds,
        token: &[u8],
        scratch: &'s mut Scratch,
    ) -> LicenseReport<'s> {
        check_license(&self.keys, &self.expectations, now, token, scratch)
    }
}
