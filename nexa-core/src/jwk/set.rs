//! A set of verification keys, and the JWK documents it is read from.
use super::{KeyError, KeyProblem, VerificationKey};
use crate::base64url;
use crate::json::{self, JsonFault, Node, Object, Value};

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
        self.iter().find(|key| key.kid() == kid)
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
