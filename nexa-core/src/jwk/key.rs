//! One verification key: what is loaded, and which signatures it accepts.
use core::fmt;

#[cfg(feature = "tables")]
use alloc::sync::Arc;

use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};
use sha2::{Digest as _, Sha256};

use super::{KeyError, KeyProblem, SignatureError};
use crate::base64url;
#[cfg(feature = "tables")]
use crate::table::PointTable;

/// One Ed25519 public key that may be trusted to verify.
///
/// # Security
///
/// Weak keys (small order, for which anybody can sign) and second spellings of a key are refused when the key
/// is loaded, so no signature check pays for it again.
///
/// ```
/// use nexa_core::KeySet;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // The key of RFC 8037, appendix A.2, and its thumbprint from appendix A.3.
/// let jwk = br#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
/// let keys = KeySet::from_jwks(jwk)?;
/// let kid = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
/// assert_eq!(keys.find(kid).ok_or("no such key")?.kid(), kid);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct VerificationKey {
    // Neither small order nor a second spelling: otherwise plain `verify` would accept what strict does not.
    key: VerifyingKey,
    kid: [u8; 43],
    #[cfg(feature = "tables")]
    table: Option<Arc<PointTable>>,
}

impl VerificationKey {
    /// Loads a key from its 32 bytes (RFC 8032 §5.1.5).
    ///
    /// # Errors
    ///
    /// [`KeyProblem::NotAPoint`], [`KeyProblem::Weak`] or [`KeyProblem::NotCanonical`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        Self::checked(bytes).map_err(|problem| KeyError {
            index: None,
            problem,
        })
    }

    /// The key's id: its RFC 7638 thumbprint (SHA-256, as RFC 8037 §2 applies it), 43 base64url characters.
    #[must_use]
    pub fn kid(&self) -> &str {
        // Base64url is ASCII, so the default is never taken.
        core::str::from_utf8(&self.kid).unwrap_or_default()
    }

    pub(crate) const fn kid_bytes(&self) -> [u8; 43] {
        self.kid
    }

    /// The key's thumbprint (RFC 7638): the 32 bytes that [`kid`](Self::kid) spells.
    #[must_use]
    pub fn thumbprint(&self) -> [u8; 32] {
        base64url::decode_exact(self.kid()).unwrap_or_default()
    }

    /// The first eight bytes of the thumbprint: what documents other than tokens name their key by. It only says which key
    /// to try; the signature decides.
    pub(crate) fn hint(&self) -> [u8; 8] {
        let [a, b, c, d, e, f, g, h, ..] = self.thumbprint();
        [a, b, c, d, e, f, g, h]
    }

    /// The key's 32 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// Checks that `signature` is this key's signature over `message` (RFC 8032 §5.1.7, strictly).
    ///
    /// # Errors
    ///
    /// What is wrong with the signature; structure is looked at before any arithmetic.
    ///
    /// # Security
    ///
    /// Accepts exactly what ed25519-dalek's `verify_strict` accepts, without decompressing R: the equation's
    /// result is encoded and compared as bytes, which leaves only eight spellings of a small-order R, and
    /// those are refused by name.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let signature: &[u8; 64] = signature.try_into().map_err(|_| SignatureError::Length {
            bytes: signature.len(),
        })?;
        let (point, scalar) = signature
            .split_first_chunk::<32>()
            .ok_or(SignatureError::Mismatch)?;
        if !is_below_group_order(scalar) {
            return Err(SignatureError::ScalarRange);
        }
        if SMALL_ORDER.contains(point) {
            return Err(SignatureError::SmallOrder);
        }
        match self.satisfies_equation(message, signature) {
            true => Ok(()),
            false => Err(SignatureError::Mismatch),
        }
    }

    /// The same key with a table that makes every check faster, for 2.1 MB that clones share.
    #[cfg(feature = "tables")]
    #[must_use]
    pub fn with_table(mut self) -> Self {
        self.table = Some(Arc::new(PointTable::new(&self.key)));
        self
    }

    #[cfg(feature = "tables")]
    fn satisfies_equation(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        match &self.table {
            Some(table) => table.verify(self.key.as_bytes(), message, signature),
            None => self.satisfies_plain_equation(message, signature),
        }
    }

    #[cfg(not(feature = "tables"))]
    fn satisfies_equation(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.satisfies_plain_equation(message, signature)
    }

    fn satisfies_plain_equation(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.key
            .verify(message, &Signature::from_bytes(signature))
            .is_ok()
    }

    pub(super) fn checked(bytes: &[u8; 32]) -> Result<Self, KeyProblem> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyProblem::NotAPoint)?;
        if key.is_weak() {
            return Err(KeyProblem::Weak);
        }
        if key.to_edwards().compress().to_bytes() != *bytes {
            return Err(KeyProblem::NotCanonical);
        }
        Ok(Self {
            kid: thumbprint(bytes),
            key,
            #[cfg(feature = "tables")]
            table: None,
        })
    }
}

impl PartialEq for VerificationKey {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for VerificationKey {}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VerificationKey").field(&self.kid()).finish()
    }
}

/// RFC 7638 §3 over the members RFC 8037 §2 requires, in lexicographic order.
fn thumbprint(key: &[u8; 32]) -> [u8; 43] {
    let hash = Sha256::new()
        .chain_update(br#"{"crv":"Ed25519","kty":"OKP","x":""#)
        .chain_update(base64url::encode_32(key))
        .chain_update(br#""}"#)
        .finalize();
    base64url::encode_32(&hash.into())
}

/// Whether a little-endian scalar is below L = 2^252 + 27742317777372353535851937790883648493.
fn is_below_group_order(scalar: &[u8]) -> bool {
    scalar.iter().rev().lt(GROUP_ORDER.iter().rev())
}

const GROUP_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10,
];

/// The canonical encodings of the eight points whose order divides eight.
const SMALL_ORDER: [[u8; 32]; 8] = [
    with_ends(0x01, 0x00, 0x00),
    with_ends(0xec, 0xff, 0x7f),
    with_ends(0x00, 0x00, 0x00),
    with_ends(0x00, 0x00, 0x80),
    ORDER_EIGHT_A,
    with_sign(ORDER_EIGHT_A),
    ORDER_EIGHT_B,
    with_sign(ORDER_EIGHT_B),
];

const ORDER_EIGHT_A: [u8; 32] = [
    0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
    0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
];

const ORDER_EIGHT_B: [u8; 32] = [
    0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
    0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
];

const fn with_ends(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

const fn with_sign(mut bytes: [u8; 32]) -> [u8; 32] {
    bytes[31] |= 0x80;
    bytes
}
