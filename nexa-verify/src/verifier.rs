//! The verifier: what a program knows, and one call.

use nexa_core::{
    DeviceExpectation, KeyError, KeySet, LicenseExpectations, LicenseReport, Revocations, Scratch,
    UnixSeconds, check_license,
};

/// Checks licences of one issuer for one app.
///
/// It can be shared between threads; each needs a [`Scratch`] of its own.
#[derive(Clone, Debug)]
pub struct Verifier<'a> {
    keys: KeySet,
    expectations: LicenseExpectations<'a>,
}

impl<'a> Verifier<'a> {
    /// Reads the embedded keys: a JWK set or a single JWK (RFC 7517), at most 16 Ed25519 keys.
    ///
    /// `issuer` is compared byte for byte with `iss`, `audience` (the app's id) with `aud`. `device` says what this
    /// device is made of, as (kind, value) pairs, where [`FINGERPRINT_KIND`](crate::FINGERPRINT_KIND) is the published
    /// kind; leaving it out has to be written down as [`DeviceExpectation::NotChecked`].
    ///
    /// # Errors
    /// [`KeyError`] for a set that is malformed, is empty, or holds a weak or private key. A program
    /// should find this out in its tests: the set is embedded.
    ///
    /// # Security
    /// Only these keys decide. Nothing in a token can bring another one in.
    pub fn new(
        jwks: &[u8],
        issuer: &'a str,
        audience: &'a str,
        device: DeviceExpectation<'a>,
    ) -> Result<Self, KeyError> {
        let keys = KeySet::from_jwks(jwks)?;
        Ok(Self::with_keys(keys, issuer, audience, device))
    }

    /// The same over keys that have been loaded before.
    #[must_use]
    pub const fn with_keys(
        keys: KeySet,
        issuer: &'a str,
        audience: &'a str,
        device: DeviceExpectation<'a>,
    ) -> Self {
        Self {
            keys,
            expectations: LicenseExpectations::new(issuer, audience, device),
        }
    }

    /// Says where to look revocations up, for instance a [`RevocationFeed`](crate::RevocationFeed).
    ///
    /// Without this call revocation is not checked, and the report says so.
    #[must_use]
    pub fn with_revocations(mut self, revocations: &'a dyn Revocations) -> Self {
        self.expectations = self.expectations.with_revocations(revocations);
        self
    }

    /// Changes the longest life (exp − iat) that is accepted, in seconds; 400 days unless told. Grace ends there too.
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
