//! What a program is built with: the keys that everything else must be signed under.

use nexa_core::{KeyError, KeyProblem, KeySet, VerificationKey};

/// The embedded keys of a [`Client`](crate::Client).
#[derive(Clone, Debug)]
pub struct Trust(pub(crate) Anchor);

#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is no heap to put the larger one on"
)]
pub(crate) enum Anchor {
    /// Signed key sets under it bring the keys for licences and for status.
    Root(VerificationKey),
    /// These, for as long as the program lives.
    Embedded {
        licenses: KeySet,
        /// Without them revocation is not checked.
        status: Option<KeySet>,
    },
}

impl Trust {
    /// Trusts a root key, as `nexa keyset export --root` prints it: keys may be replaced and revoked without a new version
    /// of the program.
    ///
    /// # Errors
    /// The document does not hold exactly one good key; two would leave open which one decides.
    pub fn root(jwks: &[u8]) -> Result<Self, KeyError> {
        let keys = KeySet::from_jwks(jwks)?;
        let mut keys = keys.iter();
        match (keys.next(), keys.next()) {
            (Some(root), None) => Ok(Self(Anchor::Root(root.clone()))),
            _ => Err(KeyError {
                index: None,
                problem: KeyProblem::TooMany,
            }),
        }
    }

    /// Trusts the published JWK set as it was when the program was built; with status keys, also status shards that they
    /// signed. The way of programs that take a new version whenever a key is replaced.
    ///
    /// # Errors
    /// One of the documents holds no good key, or a bad one.
    pub fn embedded(jwks: &[u8], status_jwks: Option<&[u8]>) -> Result<Self, KeyError> {
        Ok(Self(Anchor::Embedded {
            licenses: KeySet::from_jwks(jwks)?,
            status: status_jwks.map(KeySet::from_jwks).transpose()?,
        }))
    }
}
