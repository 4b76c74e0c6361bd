//! Makes tokens out of any header and any payload, well formed or not.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};

/// 2026-11-21T03:00:00Z.
pub(super) const NOW: u64 = 1_795_230_000;
pub(super) const DAY_S: u64 = 86_400;
/// When the licences of most cases end.
pub(super) const EXP: u64 = NOW + 30 * DAY_S;
pub(super) const ISSUER: &str = "https://licenses.example";
pub(super) const AUDIENCE: &str = "editor";
pub(super) const SALT: &[u8; 16] = b"sixteen bytes ok";
pub(super) const FINGERPRINT: &str = "a1b2c3d4";

/// An Ed25519 key whose seed is one byte repeated: everybody may know it.
pub(super) struct Key(pub(super) SigningKey);

impl Key {
    pub(super) fn new(seed: u8) -> Self {
        Self(SigningKey::from_bytes(&[seed; 32]))
    }

    /// The key that signs, and that verifiers trust, unless a case says otherwise.
    pub(super) fn issuing() -> Self {
        Self::new(1)
    }

    /// A key that no verifier trusts.
    pub(super) fn strange() -> Self {
        Self::new(99)
    }

    pub(super) fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    pub(super) fn kid(&self) -> String {
        kid(&self.public())
    }

    pub(super) fn jwk(&self) -> String {
        jwk(&self.public())
    }

    pub(super) fn sign(&self, header: &str, payload: &str) -> String {
        self.sign_segments(&b64(header), &b64(payload))
    }

    /// Signs segments as they are, so that a reader who is too lenient with them finds a good signature.
    pub(super) fn sign_segments(&self, header: &str, payload: &str) -> String {
        let signed = format!("{header}.{payload}");
        let signature = self.0.sign(signed.as_bytes()).to_bytes();
        format!("{signed}.{}", b64(signature))
    }
}

/// A JSON object as text: names and values are written as they are given, in the given order.
#[derive(Clone)]
pub(super) struct Object(pub(super) Vec<(String, String)>);

impl Object {
    pub(super) fn with(mut self, name: &str, json: impl ToString) -> Self {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, value)) => *value = json.to_string(),
            None => self.0.push((name.to_owned(), json.to_string())),
        }
        self
    }

    /// Adds a member even if one of that name is there.
    pub(super) fn again(mut self, name: &str, json: impl ToString) -> Self {
        self.0.push((name.to_owned(), json.to_string()));
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self
    }

    pub(super) fn reversed(mut self) -> Self {
        self.0.reverse();
        self
    }

    pub(super) fn text(&self) -> String {
        let members: Vec<String> = self
            .0
            .iter()
            .map(|(name, json)| format!("\"{name}\":{json}"))
            .collect();
        format!("{{{}}}", members.join(","))
    }

    /// A licence with this payload, its header and signature in order.
    pub(super) fn token(&self) -> String {
        Key::issuing().sign(&header().text(), &self.text())
    }
}

pub(super) fn header() -> Object {
    Object(Vec::new())
        .with("alg", quoted("EdDSA"))
        .with("typ", quoted("license+jwt"))
        .with("kid", quoted(&Key::issuing().kid()))
}

/// A licence's claims, all in order, bound to one fingerprint.
pub(super) fn claims() -> Object {
    Object(Vec::new())
        .with("iss", quoted(ISSUER))
        .with("sub", quoted("tenant-1"))
        .with("aud", quoted(AUDIENCE))
        .with("type", quoted("license"))
        .with("jti", quoted("licence-1"))
        .with("iat", NOW)
        .with("nbf", NOW - 300)
        .with("exp", EXP)
        .with(
            "device",
            device("\"all\"", &[("fingerprint", FINGERPRINT)]).text(),
        )
}

/// The claim `device`; the policy is JSON, the components are kinds and values.
pub(super) fn device(policy: &str, components: &[(&str, &str)]) -> Object {
    let hashes = components
        .iter()
        .fold(Object(Vec::new()), |hashes, (kind, value)| {
            hashes.again(kind, quoted(&b64(component_hash(kind, value))))
        });
    Object(Vec::new())
        .with("salt", quoted(&b64(SALT)))
        .with("policy", policy)
        .with("components", hashes.text())
}

/// The first 8 bytes of HMAC-SHA-256(salt, "nexa device v1" ‖ 0 ‖ kind ‖ 0 ‖ value), RFC 2104 written out.
pub(super) fn component_hash(kind: &str, value: &str) -> Vec<u8> {
    let message = ["nexa device v1", kind, value].join("\0");
    let mut key = SALT.to_vec();
    key.resize(64, 0);
    let pad = |byte: u8| key.iter().map(|key| key ^ byte).collect::<Vec<u8>>();
    let inner = Sha256::digest([pad(0x36), message.into_bytes()].concat());
    let outer = Sha256::digest([pad(0x5c), inner.to_vec()].concat());
    outer.iter().take(8).copied().collect()
}

pub(super) fn jwk(public: &[u8; 32]) -> String {
    let (x, kid) = (b64(public), kid(public));
    format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}","kid":"{kid}","use":"sig","alg":"EdDSA"}}"#)
}

pub(super) fn jwks(jwks: &[String]) -> String {
    format!(r#"{{"keys":[{}]}}"#, jwks.join(","))
}

/// RFC 7638 with the members of RFC 8037 §2.
pub(super) fn kid(public: &[u8; 32]) -> String {
    b64(Sha256::digest(format!(
        r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#,
        b64(public)
    )))
}

pub(super) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A text as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    let mut json = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            '\0'..='\x1f' => json.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => json.push(character),
        }
    }
    json.push('"');
    json
}
