//! The private half of an issuing key, and the published document of the public halves.
use alloc::string::String;
use core::fmt;

use ed25519_dalek::Signer as _;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::json::ObjectWriter;
use crate::base64url;
use crate::jwk::VerificationKey;

/// A private Ed25519 key that signs tokens.
///
/// ```
/// use nexa_core::SigningKey;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
/// let key = SigningKey::generate(&mut rng);
/// let same = SigningKey::from_pkcs8_pem(&key.to_pkcs8_pem()?)?;
/// assert_eq!(same.kid(), key.kid());
/// assert_eq!(format!("{key:?}"), format!("SigningKey {{ kid: {:?}, .. }}", key.kid()));
/// # Ok(())
/// # }
/// ```
///
/// # Security
///
/// The public half is always derived from the private one: signing with a foreign public key beside a seed,
/// which gives the seed away, cannot be expressed. The memory is wiped on drop; `Debug` shows the id only.
#[derive(Clone)]
pub struct SigningKey {
    // Wipes itself on drop (the feature `zeroize` of its crate).
    key: ed25519_dalek::SigningKey,
    public: VerificationKey,
}

impl SigningKey {
    /// A new key.
    ///
    /// # Security
    ///
    /// `rng` must be the operating system's random source or seeded from it.
    #[must_use]
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut());
        Self::derive(ed25519_dalek::SigningKey::from_bytes(&seed))
    }

    /// Reads a PKCS#8 document in PEM (RFC 8410 §7), with or without the public key.
    ///
    /// # Errors
    ///
    /// It is not such a document, or it names a public key that is not the private key's.
    pub fn from_pkcs8_pem(pem: &str) -> Result<Self, SigningKeyError> {
        ed25519_dalek::SigningKey::from_pkcs8_pem(pem)
            .map(Self::derive)
            .map_err(|_| SigningKeyError)
    }

    /// Writes the key as a PKCS#8 document in PEM (RFC 8410 §7), in the form without the public key, which every
    /// tool reads.
    ///
    /// # Errors
    ///
    /// Never for a key of this type; the encoder's own limits are passed on.
    pub fn to_pkcs8_pem(&self) -> Result<Zeroizing<String>, SigningKeyError> {
        let document = ed25519_dalek::pkcs8::KeypairBytes {
            secret_key: self.key.to_bytes(),
            public_key: None,
        };
        document
            .to_pkcs8_pem(Default::default())
            .map_err(|_| SigningKeyError)
    }

    /// The public half.
    #[must_use]
    pub fn verification_key(&self) -> VerificationKey {
        self.public.clone()
    }

    /// The key's id: the RFC 7638 thumbprint of its public half.
    #[must_use]
    pub fn kid(&self) -> &str {
        self.public.kid()
    }

    /// Makes a compact JWS (RFC 7515 §7.1) of this kind over `payload`.
    pub(super) fn sign_compact(&self, typ: &str, payload: &str) -> String {
        let mut header = String::with_capacity(96);
        let mut members = ObjectWriter::open(&mut header);
        members.string("alg", "EdDSA");
        members.string("typ", typ);
        members.string("kid", self.kid());
        members.close();

        let mut token = String::with_capacity((header.len() + payload.len()) * 4 / 3 + 96);
        base64url::encode_into(header.as_bytes(), &mut token);
        token.push('.');
        base64url::encode_into(payload.as_bytes(), &mut token);
        let signature = self.sign(Purpose::CompactJws, token.as_bytes());
        token.push('.');
        base64url::encode_into(&signature, &mut token);
        token
    }

    /// Signs `message` for one purpose only.
    pub(crate) fn sign(&self, purpose: Purpose, message: &[u8]) -> [u8; 64] {
        match purpose {
            // RFC 7515 fixes what is signed: base64url, a dot, base64url. What another purpose signs starts with
            // a prefix that holds a byte outside of that alphabet, so neither ever passes as the other; a webhook has such a
            // byte in its body, and an id that begins none of the prefixes.
            Purpose::CompactJws
            | Purpose::AuditCheckpoint
            | Purpose::StatusShard
            | Purpose::KeySet
            | Purpose::Webhook => self.key.sign(message).to_bytes(),
        }
    }

    fn derive(key: ed25519_dalek::SigningKey) -> Self {
        let public = VerificationKey::from_bytes(&key.verifying_key().to_bytes())
            .expect("a clamped scalar times the base point is canonical and has large order");
        Self { key, public }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid())
            .finish_non_exhaustive()
    }
}

/// What a signature is for. No signature for one purpose passes for another.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// A compact JWS: access tokens and licences, kept apart by their `typ`.
    CompactJws,
    /// A checkpoint of an audit trail, which begins with a prefix of its own.
    AuditCheckpoint,
    /// A status shard, as [`statement`](crate::statement) puts it.
    StatusShard,
    /// A key set, as [`statement`](crate::statement) puts it.
    KeySet,
    /// An attempt to deliver a webhook.
    Webhook,
}

/// The document is not a PKCS#8 Ed25519 private key in PEM, or its halves do not belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningKeyError;

impl fmt::Display for SigningKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an Ed25519 private key in PKCS#8 PEM")
    }
}

impl core::error::Error for SigningKeyError {}

/// The JWK set (RFC 7517 §5, RFC 8037 §2) of these keys, in this order: what an issuer publishes.
#[must_use]
pub fn public_jwks(keys: &[VerificationKey]) -> String {
    let mut text = String::from("{\"keys\":[");
    for (index, key) in keys.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        let x = base64url::encode_32(&key.to_bytes());
        let mut jwk = ObjectWriter::open(&mut text);
        jwk.string("kty", "OKP");
        jwk.string("crv", "Ed25519");
        jwk.string("x", core::str::from_utf8(&x).unwrap_or_default());
        jwk.string("kid", key.kid());
        jwk.string("use", "sig");
        jwk.string("alg", "EdDSA");
        jwk.close();
    }
    text.push_str("]}");
    text
}
