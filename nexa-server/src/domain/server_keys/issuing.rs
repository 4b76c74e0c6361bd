//! What the keys of this server are right now, for whatever needs no transaction.

use std::sync::Arc;

use nexa_core::{AccessIssuer, KeySet, SigningKey, VerificationKey, public_jwks};

use super::super::error::Error;
use super::super::trust::TrustedIssuers;
use super::key_set::Published;
use super::{Standing, in_jwks, standing, verification_key};
use crate::store::server_keys::ServerKey;
use crate::time::UnixMillis;

/// Who signs access tokens, and the public keys that verify what was signed; one state of many, never changed.
pub(crate) struct Issuing {
    /// The `iss` of every token: the public URL.
    pub(crate) issuer: String,
    pub(crate) access: AccessIssuer,
    /// Those of access tokens and licences.
    pub(crate) keys: KeySet,
    /// The same as a published JWK set, the one that signs first.
    pub(crate) jwks: String,
    /// As the root key signed it.
    pub(crate) key_set: Published,
    /// Those whose identity tokens are exchanged here.
    pub(crate) trusted: Arc<TrustedIssuers>,
    /// When the next of the keys is over, in Unix seconds.
    pub(super) over_at_s: Option<u64>,
}

impl Issuing {
    /// # Errors
    /// `Invalid` for `public_url` when it cannot stand as an issuer.
    pub(super) fn new(
        now: UnixMillis,
        signing_key: SigningKey,
        rows: &[ServerKey],
        key_set: Published,
        issuer: &str,
        trusted: &Arc<TrustedIssuers>,
    ) -> Result<Self, Error> {
        let refused =
            |error: &dyn std::fmt::Display| Error::invalid("public_url", error.to_string());
        let rows: Vec<_> = in_jwks(rows, now).collect();
        let keys: Result<Vec<VerificationKey>, Error> = (rows.iter())
            .map(|row| verification_key(row).map(VerificationKey::with_table))
            .collect();
        let keys = keys?;
        let over_at_s = (rows.iter())
            .filter(|row| standing(row, now) == Standing::Verifying)
            .map(|row| row.needed_until_s)
            .min();
        Ok(Self {
            issuer: issuer.to_owned(),
            access: AccessIssuer::new(signing_key, issuer).map_err(|e| refused(&e))?,
            jwks: public_jwks(&keys),
            keys: KeySet::from_keys(&keys)
                .map_err(|error| Error::Fault(format!("server keys: {error}")))?,
            key_set,
            trusted: Arc::clone(trusted),
            over_at_s,
        })
    }
}
