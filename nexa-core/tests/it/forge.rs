//! Makes tokens that nobody would issue, signed by a key that the verifier trusts.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Signer;
use nexa_core::{
    DeviceExpectation, DevicePolicy, KeySet, LicenseExpectations, LicenseIssuer, NewDevice,
    NewLicense, NewTerms, Scratch, SigningKey, StalePolicy, StatusRef, UnixSeconds,
    VerificationKey, check_license,
};
use rand_core::Rng;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::seeded::Seeded;

pub(crate) const ISSUER: &str = "https://licenses.example";
pub(crate) const AUDIENCE: &str = "my-app";
pub(crate) const NOW: u64 = 1_795_230_000;
pub(crate) const DEVICE: &[(&str, &str)] =
    &[("fingerprint", "a1b2"), ("cpu", "x86"), ("mac", "02:00")];

pub(crate) fn at(seconds: u64) -> UnixSeconds {
    UnixSeconds::new(seconds).expect("below 2^53")
}

/// A key twice: as the crate has it, and bare, so that it signs anything.
pub(crate) struct Forge {
    pub(crate) bare: ed25519_dalek::SigningKey,
    pub(crate) key: SigningKey,
    pub(crate) keys: KeySet,
}

impl Forge {
    pub(crate) fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        Seeded::new(seed).fill_bytes(&mut bytes);
        let key = SigningKey::generate(&mut Seeded::new(seed));
        Self {
            bare: ed25519_dalek::SigningKey::from_bytes(&bytes),
            keys: KeySet::from_keys(&[key.verification_key()]).expect("one key"),
            key,
        }
    }

    pub(crate) fn verification_key(&self) -> VerificationKey {
        self.key.verification_key()
    }

    pub(crate) fn header(&self, typ: &str) -> String {
        format!(
            r#"{{"alg":"EdDSA","typ":"{typ}","kid":"{}"}}"#,
            self.key.kid()
        )
    }

    /// A token of this header and payload, byte by byte, with a true signature.
    pub(crate) fn sign(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        self.sign_segments(&encode(header), &encode(payload))
    }

    pub(crate) fn sign_segments(&self, header: &str, payload: &str) -> String {
        let signed = format!("{header}.{payload}");
        let signature = self.bare.sign(signed.as_bytes());
        format!("{signed}.{}", encode(signature.to_bytes()))
    }

    /// A signature over a document that is no token, put together as the documentation says.
    pub(crate) fn sign_document(&self, prefix: &str, document: &[u8]) -> [u8; 64] {
        let mut statement = prefix.as_bytes().to_vec();
        statement.resize(24, 0);
        statement.extend(Sha256::digest(ISSUER));
        statement.extend(Sha256::digest(document));
        self.bare.sign(&statement).to_bytes()
    }

    pub(crate) fn license_issuer(&self) -> LicenseIssuer {
        LicenseIssuer::new(self.key.clone(), ISSUER).expect("a good issuer")
    }

    pub(crate) fn license(&self) -> String {
        self.license_issuer()
            .issue(at(NOW), &mut Seeded::new(99), &full_license())
            .expect("a good request")
            .token
    }

    /// The claims of a licence that says everything there is to say.
    pub(crate) fn license_claims(&self) -> Value {
        serde_json::from_slice(&payload_of(&self.license())).expect("JSON")
    }

    /// The verdict's code on a licence with this payload.
    pub(crate) fn code_of_payload(&self, payload: impl AsRef<[u8]>) -> &'static str {
        self.code_of(self.sign(self.header("license+jwt"), payload))
    }

    /// The verdict's code on a token, with default expectations.
    pub(crate) fn code_of(&self, token: impl AsRef<[u8]>) -> &'static str {
        let expect = LicenseExpectations::new(ISSUER, AUDIENCE, DeviceExpectation::NotChecked);
        check_license(
            &self.keys,
            &expect,
            at(NOW),
            token.as_ref(),
            &mut Scratch::new(),
        )
        .verdict()
        .code()
    }
}

pub(crate) fn full_license() -> NewLicense<'static> {
    NewLicense {
        jti: "licence-1",
        subject: "tenant-1",
        audience: AUDIENCE,
        ttl_s: 30 * 86_400,
        device: NewDevice {
            components: DEVICE,
            policy: DevicePolicy::Two,
        },
        terms: NewTerms {
            plan: Some("pro"),
            entitlements: &["export", "a \"quoted\" \\ name\n", "žluťoučký"],
            limits: &[("seats", 5), ("most", (1 << 53) - 1)],
            grace_s: 3_600,
            fresh_s: Some(60),
            max_age_s: Some(7_200),
            stale: Some(StalePolicy::Warn),
            renew_after: Some(at(NOW + 86_400)),
            is_trial: true,
        },
        status: Some(StatusRef {
            index: 65_535,
            uri: "https://licenses.example/shards/1",
        }),
    }
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn payload_of(token: &str) -> Vec<u8> {
    let segment = token.split('.').nth(1).expect("a payload");
    URL_SAFE_NO_PAD.decode(segment).expect("base64url")
}

/// `claims` with the member at `path` (names between dots) set, or taken away.
pub(crate) fn with_member(claims: &Value, path: &str, value: Option<Value>) -> Value {
    let mut claims = claims.clone();
    let (parents, name) = path.rsplit_once('.').unwrap_or(("", path));
    let mut object = &mut claims;
    for parent in parents.split('.').filter(|parent| !parent.is_empty()) {
        object = &mut object[parent];
    }
    let object = object.as_object_mut().expect("an object");
    match value {
        Some(value) => object.insert(name.to_owned(), value),
        None => object.remove(name),
    };
    claims
}
