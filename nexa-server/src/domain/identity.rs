//! Identity tokens of other issuers: the signature, checked by `jsonwebtoken` with one fixed algorithm.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{DecodingKey, Validation, decode};
use serde::de::IgnoredAny;

use super::jws_keys;
use super::trust::{Algorithm, Refused, SubjectRule, TrustedIssuer};

/// A token whose claims hold, and whose signature has not been looked at.
#[derive(Debug)]
pub(crate) struct Claimed<'a> {
    pub(super) token: &'a str,
    pub(super) place: usize,
    pub(super) issuer: &'a TrustedIssuer,
    pub(super) rule: &'a SubjectRule,
    pub(super) algorithm: Algorithm,
    pub(super) subject: String,
    pub(super) ends_at_s: u64,
}

/// A public key of an issuer, of a kind and a size that tokens are signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IssuerKey {
    Rsa {
        /// Big-endian, without leading zeros.
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// The uncompressed point (SEC 1 §2.3.3).
    P256 { point: [u8; 65] },
}

/// Who an identity token is about: claims and signature hold.
#[derive(Debug)]
pub(crate) struct Identity<'a> {
    issuer: &'a TrustedIssuer,
    rule: &'a SubjectRule,
    subject: String,
    ends_at_s: u64,
}

impl<'a> Claimed<'a> {
    /// The place of the token's issuer among the trusted ones.
    pub(crate) fn place(&self) -> usize {
        self.place
    }

    /// Checks the signature; the key's own kind says how.
    ///
    /// # Errors
    /// `Refused::Untrusted`.
    ///
    /// # Security
    /// `jsonwebtoken` reads the token a second time, and has to find the same issuer, audience and subject. Its checks of
    /// times are off, because they read the system clock; ours were made by [`TrustedIssuers::claimed`].
    ///
    /// [`TrustedIssuers::claimed`]: super::trust::TrustedIssuers::claimed
    pub(crate) fn verify(self, key: &IssuerKey) -> Result<Identity<'a>, Refused> {
        if key.algorithm() != self.algorithm {
            return Err(Refused::Untrusted(format!(
                "alg {} is not that of the key, {}",
                self.algorithm.name(),
                key.algorithm().name()
            )));
        }
        jws_keys::install();
        let mut validation = Validation::new(match self.algorithm {
            Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
            Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        });
        validation.set_required_spec_claims(&["iss", "sub", "aud", "exp"]);
        validation.set_issuer(&[&self.issuer.issuer]);
        validation.set_audience(&[&self.issuer.audience]);
        validation.sub = Some(self.subject.clone());
        validation.leeway = 0;
        validation.validate_exp = false;
        validation.validate_nbf = false;
        decode::<IgnoredAny>(self.token, &key.for_decoding(), &validation).map_err(|error| {
            Refused::Untrusted(match error.kind() {
                ErrorKind::InvalidSignature => "the signature is not the key's".to_owned(),
                _ => format!("jsonwebtoken: {error}"),
            })
        })?;
        Ok(Identity {
            issuer: self.issuer,
            rule: self.rule,
            subject: self.subject,
            ends_at_s: self.ends_at_s,
        })
    }
}

impl<'a> Identity<'a> {
    pub(crate) fn issuer(&self) -> &'a TrustedIssuer {
        self.issuer
    }

    pub(crate) fn rule(&self) -> &'a SubjectRule {
        self.rule
    }

    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }

    /// When the identity token ends, leeway included; Unix seconds.
    pub(crate) fn ends_at_s(&self) -> u64 {
        self.ends_at_s
    }
}

impl IssuerKey {
    /// The only one that the key signs with.
    pub(crate) const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa { .. } => Algorithm::Rs256,
            Self::P256 { .. } => Algorithm::Es256,
        }
    }

    fn for_decoding(&self) -> DecodingKey {
        match self {
            Self::Rsa { modulus, exponent } => {
                DecodingKey::from_rsa_raw_components(modulus, exponent)
            }
            Self::P256 { point } => DecodingKey::from_ec_der(point),
        }
    }
}
