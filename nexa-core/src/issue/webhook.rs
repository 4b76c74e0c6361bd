//! Signs deliveries of webhooks as Standard Webhooks wants it.
use alloc::vec::Vec;

use super::error::IssueError;
use super::signing_key::{Purpose, SigningKey};
use crate::time::UnixSeconds;

/// One attempt to deliver a webhook, to be signed by the scheme `v1a` of the Standard Webhooks specification.
///
/// ```
/// use nexa_core::{NewWebhook, SigningKey, UnixSeconds};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = SigningKey::generate(&mut rand_core::UnwrapErr(getrandom::SysRng));
/// let attempt = NewWebhook {
///     id: "0197c0a4-5f3e-7a10-8d3c-2b1f0e9d8c7b",
///     timestamp: UnixSeconds::new(1_795_230_000).ok_or("out of range")?,
///     body: br#"{"type":"key.created"}"#,
/// };
/// let signature = attempt.sign(&key)?;
/// let signed = br#"0197c0a4-5f3e-7a10-8d3c-2b1f0e9d8c7b.1795230000.{"type":"key.created"}"#;
/// key.verification_key().verify(signed, &signature)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct NewWebhook<'a> {
    /// Of what it tells, the same at every attempt: hexadecimal digits in lower case and hyphens, as in a UUID.
    pub id: &'a str,
    /// Of the attempt.
    pub timestamp: UnixSeconds,
    /// The bytes that are sent: a JSON object.
    pub body: &'a [u8],
}

impl NewWebhook<'_> {
    /// Signs what the specification names: `id`, `timestamp` and `body`, with full stops between them.
    ///
    /// # Errors
    ///
    /// [`IssueError::Value`] for an id or a body that is not what its field says.
    ///
    /// # Security
    ///
    /// The specification leaves no room for a prefix. What keeps the signature from passing for another purpose is the brace
    /// that the body begins with, which no compact JWS holds, and the id, whose digits begin no other statement. Without a full
    /// stop in the id, no two attempts are signed as the same bytes.
    pub fn sign(&self, key: &SigningKey) -> Result<[u8; 64], IssueError> {
        let broken = |field, rule| Err(IssueError::Value { field, rule });
        let is_of_id = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-');
        if self.id.is_empty() || !self.id.bytes().all(is_of_id) {
            return broken("id", "hexadecimal digits in lower case and hyphens");
        }
        if self.body.first() != Some(&b'{') {
            return broken("body", "a JSON object without blanks before it");
        }
        let timestamp = alloc::format!("{}", self.timestamp.get());
        let parts = [self.id.as_bytes(), timestamp.as_bytes(), self.body];
        let message: Vec<u8> = parts.join(&b'.');
        Ok(key.sign(Purpose::Webhook, &message))
    }
}
