//! Public keys: one Ed25519 key, checked when it is loaded, and a set of up to sixteen of them.
use core::fmt;

#[cfg(feature = "tables")]
use alloc::sync::Arc;

use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::base64url;
use crate::json::{self, JsonFault, Node, Object, Value};
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

    /// The same key with a table that makes every check faster, for 640 KiB that clones share.
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

    fn checked(bytes: &[u8; 32]) -> Result<Self, KeyProblem> {
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

/// The keys a verifier trusts, one to sixteen of them.
///
/// There is no default key: what names no key of the set is refused.
#[derive(Clone, Debug)]
pub struct KeySet {
    // Filled from the front and never empty: an empty set would make "no key matched" the normal case.
    keys: [Option<VerificationKey>; Self::MAX_KEYS],
}

impl KeySet {
    /// The most keys a set holds.
    pub const MAX_KEYS: usize = 16;

    /// The longest document [`from_jwks`](Self::from_jwks) reads, in bytes.
    pub const MAX_DOCUMENT_BYTES: usize = 8 * 1024;

    /// Reads a JWK set (RFC 7517 §5) or one bare JWK.
    ///
    /// Ed25519 keys are those of RFC 8037: `kty` "OKP", `crv` "Ed25519", `x`. Keys of other types and curves
    /// are skipped, as RFC 7517 §5 says. Uses about 12 KB of stack.
    ///
    /// # Errors
    ///
    /// The document is not strict JSON, or one of its Ed25519 keys is weak, malformed, private, meant for
    /// something else (`use`, `alg`, `key_ops`), misnamed (`kid` is not its thumbprint) or there twice, or no
    /// key is left. The error says at which position of the set. Nothing is skipped in silence that a key set
    /// for Nexa should not contain.
    pub fn from_jwks(document: &[u8]) -> Result<Self, KeyError> {
        let problem = |problem| KeyError {
            index: None,
            problem,
        };
        let mut text = [0; Self::MAX_DOCUMENT_BYTES];
        let mut nodes = [Node::EMPTY; 512];
        let text = text
            .get_mut(..document.len())
            .ok_or(problem(KeyProblem::Json(JsonFault::TooLarge)))?;
        text.copy_from_slice(document);
        let root =
            json::parse(text, &mut nodes, 64).map_err(|fault| problem(KeyProblem::Json(fault)))?;
        let set = root.as_object().ok_or(problem(KeyProblem::NotAJwk))?;
        let mut keys = KeyList::new();
        match set.get("keys") {
            Some(list) => {
                let list = list.as_array().ok_or(problem(KeyProblem::NotAJwk))?;
                for (index, jwk) in list.enumerate() {
                    keys.push_jwk(jwk).map_err(|problem| KeyError {
                        index: Some(index),
                        problem,
                    })?;
                }
            }
            None => keys.push_jwk(root).map_err(problem)?,
        }
        keys.finish()
    }

    /// Makes a set of keys that were loaded already.
    ///
    /// # Errors
    ///
    /// No key, more than sixteen, or one key twice.
    pub fn from_keys(keys: &[VerificationKey]) -> Result<Self, KeyError> {
        let mut list = KeyList::new();
        for (index, key) in keys.iter().enumerate() {
            list.push(key.clone()).map_err(|problem| KeyError {
                index: Some(index),
                problem,
            })?;
        }
        list.finish()
    }

    /// The key with this id.
    #[must_use]
    pub fn find(&self, kid: &str) -> Option<&VerificationKey> {
        self.iter().find(|key| key.kid == *kid.as_bytes())
    }

    /// All keys, in the order of the document.
    pub fn iter(&self) -> impl Iterator<Item = &VerificationKey> {
        self.keys.iter().flatten()
    }
}

/// A key set under construction.
struct KeyList {
    keys: [Option<VerificationKey>; KeySet::MAX_KEYS],
    used: usize,
}

impl KeyList {
    fn new() -> Self {
        Self {
            keys: [const { None }; KeySet::MAX_KEYS],
            used: 0,
        }
    }

    fn push(&mut self, key: VerificationKey) -> Result<(), KeyProblem> {
        if self.keys.iter().flatten().any(|earlier| *earlier == key) {
            return Err(KeyProblem::Duplicate);
        }
        *self.keys.get_mut(self.used).ok_or(KeyProblem::TooMany)? = Some(key);
        self.used += 1;
        Ok(())
    }

    fn push_jwk(&mut self, jwk: Value<'_>) -> Result<(), KeyProblem> {
        match read_jwk(jwk.as_object().ok_or(KeyProblem::NotAJwk)?)? {
            Some(key) => self.push(key),
            None => Ok(()),
        }
    }

    fn finish(self) -> Result<KeySet, KeyError> {
        match self.used {
            0 => Err(KeyError {
                index: None,
                problem: KeyProblem::Empty,
            }),
            _ => Ok(KeySet { keys: self.keys }),
        }
    }
}

/// Reads one JWK; `None` if it is a key of another type or curve.
fn read_jwk(jwk: Object<'_>) -> Result<Option<VerificationKey>, KeyProblem> {
    let string = |name: &'static str| match jwk.get(name) {
        Some(value) => match value.as_str() {
            Some(text) => Ok(Some(text)),
            None => Err(KeyProblem::Member { name }),
        },
        None => Ok(None),
    };
    let kty = string("kty")?.ok_or(KeyProblem::Member { name: "kty" })?;
    if kty != "OKP" {
        return Ok(None);
    }
    let crv = string("crv")?.ok_or(KeyProblem::Member { name: "crv" })?;
    if crv != "Ed25519" {
        return Ok(None);
    }
    if jwk.get("d").is_some() {
        return Err(KeyProblem::PrivateKey);
    }
    if !matches!(string("use")?, None | Some("sig")) {
        return Err(KeyProblem::Member { name: "use" });
    }
    if !matches!(string("alg")?, None | Some("EdDSA" | "Ed25519")) {
        return Err(KeyProblem::Member { name: "alg" });
    }
    if let Some(operations) = jwk.get("key_ops") {
        let name = "key_ops";
        let mut may_verify = false;
        for operation in operations.as_array().ok_or(KeyProblem::Member { name })? {
            may_verify |= operation.as_str().ok_or(KeyProblem::Member { name })? == "verify";
        }
        if !may_verify {
            return Err(KeyProblem::Member { name });
        }
    }
    let bytes = string("x")?
        .and_then(base64url::decode_exact::<32>)
        .ok_or(KeyProblem::Member { name: "x" })?;
    let key = VerificationKey::checked(&bytes)?;
    match string("kid")? {
        Some(kid) if kid != key.kid() => Err(KeyProblem::KidMismatch),
        Some(_) | None => Ok(Some(key)),
    }
}

/// Why a key or a key set was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError {
    /// The position in the set, counted from zero, where the problem is about one key of a set.
    pub index: Option<usize>,
    /// The problem.
    pub problem: KeyProblem,
}

/// What is wrong with a key or a key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyProblem {
    /// The document is not strict JSON, or longer than is read.
    Json(JsonFault),
    /// This is neither a JWK nor a JWK set.
    NotAJwk,
    /// A member of a JWK is missing, mistyped, or has a value that does not fit a key for verification.
    Member {
        /// The member's name.
        name: &'static str,
    },
    /// The JWK holds a private key (`d`), which has no business with a verifier.
    PrivateKey,
    /// The bytes are not a point of the curve.
    NotAPoint,
    /// The key has small order: anybody can make signatures for it.
    Weak,
    /// The bytes are a second spelling of another key.
    NotCanonical,
    /// The JWK's `kid` is not the key's RFC 7638 thumbprint.
    KidMismatch,
    /// The key is in the set already.
    Duplicate,
    /// The set has more than sixteen keys.
    TooMany,
    /// The set holds no Ed25519 key.
    Empty,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(index) = self.index {
            write!(f, "key {index} of the set: ")?;
        }
        match self.problem {
            KeyProblem::Json(fault) => write!(f, "the document is not strict JSON: {fault}"),
            KeyProblem::NotAJwk => f.write_str("neither a JWK nor a JWK set"),
            KeyProblem::Member { name } => write!(
                f,
                "member {name} is missing or not what an Ed25519 verification key has there"
            ),
            KeyProblem::PrivateKey => f.write_str("member d: this is a private key"),
            KeyProblem::NotAPoint => f.write_str("the key is not a point of the curve"),
            KeyProblem::Weak => f.write_str("the key is weak: anybody can sign for it"),
            KeyProblem::NotCanonical => f.write_str("the key is not in its canonical encoding"),
            KeyProblem::KidMismatch => f.write_str("member kid is not the key's thumbprint"),
            KeyProblem::Duplicate => f.write_str("the key is in the set twice"),
            KeyProblem::TooMany => f.write_str("a set has at most 16 keys"),
            KeyProblem::Empty => f.write_str("the set holds no Ed25519 key"),
        }
    }
}

impl core::error::Error for KeyError {}

/// Why a signature was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureError {
    /// It does not have 64 bytes.
    Length {
        /// How many it has.
        bytes: usize,
    },
    /// Its scalar S is not below the group order.
    ScalarRange,
    /// Its point R has small order.
    SmallOrder,
    /// It does not fit the key and the message.
    Mismatch,
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { bytes } => write!(f, "the signature has {bytes} bytes instead of 64"),
            Self::ScalarRange => f.write_str("the scalar S is not below the group order"),
            Self::SmallOrder => f.write_str("the point R has small order"),
            Self::Mismatch => f.write_str("the signature does not fit the key and the message"),
        }
    }
}

impl core::error::Error for SignatureError {}

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
