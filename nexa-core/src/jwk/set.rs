//! A set of verification keys, and the JWK documents it is read from.
use core::fmt;

use super::{KeyError, KeyProblem, VerificationKey};
use crate::base64url;
use crate::json::{self, Node, Object, Value};
use crate::time::UnixSeconds;

const MAX_VALUES: usize = 512;
const MAX_MEMBERS: u16 = 64;

/// The keys a verifier trusts, one to sixteen of them.
///
/// There is no default key: what names no key of the set is refused.
#[derive(Clone)]
pub struct KeySet {
    // Filled from the front and never empty: an empty set would make "no key matched" the normal case.
    keys: [Option<TrustedKey>; Self::MAX_KEYS],
    /// Ids of keys that were trusted once and must not be again.
    revoked: [Option<[u8; 43]>; Self::MAX_REVOKED],
}

/// A key of a set, and the licences it is trusted for.
#[derive(Clone)]
pub(crate) struct TrustedKey {
    pub(crate) key: VerificationKey,
    /// Issued from here on.
    pub(crate) not_before: UnixSeconds,
    /// Checked before here; `None` without an end.
    pub(crate) not_after: Option<UnixSeconds>,
}

impl KeySet {
    /// The most keys a set holds.
    pub const MAX_KEYS: usize = 16;

    /// The most ids of revoked keys that a set holds.
    pub const MAX_REVOKED: usize = 16;

    /// The longest document [`from_jwks`](Self::from_jwks) reads, in bytes.
    pub const MAX_DOCUMENT_BYTES: usize = 8 * 1024;

    /// Reads a JWK set (RFC 7517 §5) or one bare JWK.
    ///
    /// Ed25519 keys are those of RFC 8037: `kty` "OKP", `crv` "Ed25519", `x`. Keys of other types and curves
    /// are skipped, as RFC 7517 §5 says. At most 8,192 bytes, 512 values (names included), 64 members of an object.
    /// Takes up to 40 KB of stack while it reads; the set itself is about 4 KB.
    ///
    /// # Errors
    ///
    /// The document is too long, is not strict JSON, is a set and a key at once (`keys` beside `kty`), holds a secret
    /// (`d` or `k`, in a key of any type), or one of its Ed25519 keys is weak, malformed, meant for something else
    /// (`use`, `alg`, `key_ops`), misnamed (`kid` is not its thumbprint) or there twice, or no key is left. The error says at which position of the set. Nothing is skipped in silence that a key set
    /// for Nexa should not contain.
    pub fn from_jwks(document: &[u8]) -> Result<Self, KeyError> {
        let mut set = Self::EMPTY;
        set.fill(document)?;
        Ok(set)
    }

    /// Makes a set of keys that were loaded already.
    ///
    /// # Errors
    ///
    /// No key, more than sixteen, or one key twice.
    pub fn from_keys(keys: &[VerificationKey]) -> Result<Self, KeyError> {
        let mut set = Self::EMPTY;
        for (index, key) in keys.iter().enumerate() {
            set.push(TrustedKey::always(key.clone()))
                .map_err(|problem| KeyError {
                    index: Some(index),
                    problem,
                })?;
        }
        set.check_not_empty()?;
        Ok(set)
    }

    /// The key with this id.
    #[must_use]
    pub fn find(&self, kid: &str) -> Option<&VerificationKey> {
        self.find_trusted(kid).map(|trusted| &trusted.key)
    }

    /// All keys, in the order of the document.
    pub fn iter(&self) -> impl Iterator<Item = &VerificationKey> {
        self.keys.iter().flatten().map(|trusted| &trusted.key)
    }

    pub(crate) fn find_trusted(&self, kid: &str) -> Option<&TrustedKey> {
        let mut keys = self.keys.iter().flatten();
        keys.find(|trusted| trusted.key.kid() == kid)
    }

    /// The key with this beginning of its thumbprint.
    pub(crate) fn find_hint(&self, hint: [u8; 8]) -> Option<&TrustedKey> {
        let mut keys = self.keys.iter().flatten();
        keys.find(|trusted| trusted.key.hint() == hint)
    }

    /// Whether this is the id of a key that was revoked.
    pub(crate) fn is_revoked(&self, kid: &str) -> bool {
        let mut revoked = self.revoked.iter().flatten();
        revoked.any(|revoked| revoked == kid.as_bytes())
    }

    /// Fills a set with keys that are trusted for a while, and ids of revoked ones.
    pub(crate) fn from_trusted(
        keys: impl Iterator<Item = TrustedKey>,
        revoked: impl Iterator<Item = [u8; 43]>,
    ) -> Result<Self, KeyProblem> {
        let mut set = Self::EMPTY;
        for key in keys {
            set.push(key)?;
        }
        for (slot, kid) in set.revoked.iter_mut().zip(revoked) {
            *slot = Some(kid);
        }
        set.check_not_empty().map_err(|error| error.problem)?;
        Ok(set)
    }

    /// Where reading starts; never handed out.
    const EMPTY: Self = Self {
        keys: [const { None }; Self::MAX_KEYS],
        revoked: [None; Self::MAX_REVOKED],
    };

    fn fill(&mut self, document: &[u8]) -> Result<(), KeyError> {
        let mut text = [0; Self::MAX_DOCUMENT_BYTES];
        let mut nodes = [Node::EMPTY; MAX_VALUES];
        let bytes = document.len();
        let text = text
            .get_mut(..bytes)
            .ok_or(in_document(KeyProblem::TooLong { bytes }))?;
        text.copy_from_slice(document);
        let root = json::parse(text, &mut nodes, MAX_MEMBERS)
            .map_err(|fault| in_document(KeyProblem::Json(fault)))?;
        let document = root.as_object().ok_or(in_document(KeyProblem::NotAJwk))?;
        match document.get("keys") {
            Some(_) if document.get("kty").is_some() => {
                return Err(in_document(KeyProblem::SetAndKey));
            }
            Some(list) => {
                let list = list.as_array().ok_or(in_document(KeyProblem::NotAJwk))?;
                for (index, jwk) in list.enumerate() {
                    self.push_jwk(jwk).map_err(|problem| KeyError {
                        index: Some(index),
                        problem,
                    })?;
                }
            }
            None => self.push_jwk(root).map_err(in_document)?,
        }
        self.check_not_empty()
    }

    fn push_jwk(&mut self, jwk: Value<'_>) -> Result<(), KeyProblem> {
        match read_jwk(jwk.as_object().ok_or(KeyProblem::NotAJwk)?)? {
            Some(key) => self.push(TrustedKey::always(key)),
            None => Ok(()),
        }
    }

    fn push(&mut self, key: TrustedKey) -> Result<(), KeyProblem> {
        if self.iter().any(|earlier| *earlier == key.key) {
            return Err(KeyProblem::Duplicate);
        }
        let free = self.keys.iter_mut().find(|slot| slot.is_none());
        *free.ok_or(KeyProblem::TooMany)? = Some(key);
        Ok(())
    }

    fn check_not_empty(&self) -> Result<(), KeyError> {
        match self.iter().next() {
            Some(_) => Ok(()),
            None => Err(in_document(KeyProblem::Empty)),
        }
    }
}

impl TrustedKey {
    /// Trusted for whatever it signs.
    const fn always(key: VerificationKey) -> Self {
        Self {
            key,
            not_before: UnixSeconds::EPOCH,
            not_after: None,
        }
    }

    /// Whether it is trusted at `now` for a token that was issued then.
    pub(crate) fn is_in_force(&self, issued_at: UnixSeconds, now: UnixSeconds) -> bool {
        self.not_before <= issued_at && self.not_after.is_none_or(|end| now < end)
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

fn in_document(problem: KeyProblem) -> KeyError {
    KeyError {
        index: None,
        problem,
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
    // Before the type is looked at: a secret does not belong here in a key that is skipped either.
    if jwk.get("d").is_some() || jwk.get("k").is_some() {
        return Err(KeyProblem::PrivateKey);
    }
    let kty = string("kty")?.ok_or(KeyProblem::Member { name: "kty" })?;
    if kty != "OKP" {
        return Ok(None);
    }
    let crv = string("crv")?.ok_or(KeyProblem::Member { name: "crv" })?;
    if crv != "Ed25519" {
        return Ok(None);
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
