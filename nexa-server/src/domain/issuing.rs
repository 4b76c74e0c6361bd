//! The issuing key of this server, and what it signs and checks.

use std::sync::Arc;

use nexa_core::{AccessIssuer, KeySet, LicenseIssuer, SigningKey, VerificationKey, public_jwks};

use super::error::Error;
use super::status::Signer;
use super::trust::TrustedIssuers;

/// Issuers over the current signing key, and the public keys that verify what they issued.
pub(crate) struct Issuing {
    /// The `iss` of every token: the public URL.
    pub(crate) issuer: String,
    pub(crate) licenses: LicenseIssuer,
    pub(crate) access: AccessIssuer,
    pub(crate) keys: KeySet,
    /// The published JWK set, current key first.
    pub(crate) jwks: String,
    /// Those whose identity tokens are exchanged here.
    pub(crate) trusted: TrustedIssuers,
    /// Signs what is told of revocations.
    pub(crate) status: Arc<Signer>,
}

impl Issuing {
    /// # Errors
    /// `Invalid` for `public_url` when it cannot stand as an issuer.
    pub(crate) fn new(key: &SigningKey, status: Signer, public_url: &str) -> Result<Self, Error> {
        let refused =
            |error: &dyn std::fmt::Display| Error::invalid("public_url", error.to_string());
        let verification_keys: [VerificationKey; 1] = [key.verification_key().with_table()];
        Ok(Self {
            issuer: public_url.to_owned(),
            licenses: LicenseIssuer::new(key.clone(), public_url).map_err(|e| refused(&e))?,
            access: AccessIssuer::new(key.clone(), public_url).map_err(|e| refused(&e))?,
            jwks: public_jwks(&verification_keys),
            keys: KeySet::from_keys(&verification_keys).map_err(|e| refused(&e))?,
            trusted: TrustedIssuers::default(),
            status: Arc::new(status),
        })
    }
}
