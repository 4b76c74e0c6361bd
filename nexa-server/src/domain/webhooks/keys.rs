//! The keys that sign deliveries of webhooks, and nothing else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nexa_core::{NewWebhook, SigningKey, VerificationKey};

use super::super::error::Error;
use crate::store::server_keys::ServerKey;
use crate::time::UnixMillis;

/// The key that signs, and while receivers learn of it, the one before it, which signs too.
pub(crate) struct WebhookKeys {
    key: SigningKey,
    previous: Option<SigningKey>,
}

impl WebhookKeys {
    /// # Errors
    /// `Invalid` where one of them is another key of this server, the root key among them: a key has one use.
    pub(crate) fn new(
        key: SigningKey,
        previous: Option<SigningKey>,
        others: &[ServerKey],
        root_kid: Option<&str>,
    ) -> Result<Self, Error> {
        let keys = Self { key, previous };
        for kid in keys.all().map(SigningKey::kid) {
            let other = others.iter().find(|other| other.kid == kid);
            let other = other.map(|other| other.key_use.as_str());
            if let Some(other) = other.or((root_kid == Some(kid)).then_some("root")) {
                let rule = format!("must be another key than the {other} key");
                return Err(Error::invalid("webhook key", rule));
            }
        }
        Ok(keys)
    }

    /// What the header `webhook-signature` says of an attempt: the signature of each key, with a blank between them.
    ///
    /// # Errors
    /// `Fault` for an id that is no UUID or a body that is no JSON object: none of ours is.
    pub(crate) fn sign(&self, now: UnixMillis, id: &str, body: &str) -> Result<String, Error> {
        let attempt = NewWebhook {
            id,
            timestamp: now.seconds(),
            body: body.as_bytes(),
        };
        let signed = self.all().map(|key| {
            let signature = attempt.sign(key);
            let signature =
                signature.map_err(|error| Error::Fault(format!("webhook {id}: {error}")))?;
            Ok(format!("v1a,{}", STANDARD.encode(signature)))
        });
        let signed: Result<Vec<String>, Error> = signed.collect();
        Ok(signed?.join(" "))
    }

    /// The public halves, the one of the newest key first.
    pub(crate) fn public(&self) -> impl Iterator<Item = VerificationKey> {
        self.all().map(SigningKey::verification_key)
    }

    fn all(&self) -> impl Iterator<Item = &SigningKey> {
        std::iter::once(&self.key).chain(&self.previous)
    }
}

/// A public key as the Standard Webhooks specification writes it.
pub(crate) fn written(key: &VerificationKey) -> String {
    format!("whpk_{}", STANDARD.encode(key.to_bytes()))
}
