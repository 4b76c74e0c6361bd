//! Signs lists of what is revoked for readers of JWTs.
use alloc::string::String;

use super::json::ObjectWriter;
use super::signing_key::SigningKey;
use crate::base64url;
use crate::time::UnixSeconds;

/// A status list token that is to be signed (OAuth Token Status List, section 5.1): the same facts as a status shard,
/// for software that knows that standard and not Nexa.
///
/// ```
/// use nexa_core::{NewStatusList, SigningKey, UnixSeconds};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = SigningKey::generate(&mut rand_core::UnwrapErr(getrandom::SysRng));
/// let issued_at = UnixSeconds::new(1_795_230_000).ok_or("out of range")?;
/// let expires_at = UnixSeconds::new(1_795_237_200).ok_or("out of range")?;
/// // The empty list of eight positions, compressed by some zlib.
/// let zlib = b"\x78\x9c\x63\x00\x00\x00\x01\x00\x01";
/// let uri = "https://licenses.example/api/licenses/status/7";
/// let token = NewStatusList { uri, issued_at, expires_at, ttl_s: 300, zlib }.sign(&key);
/// assert_eq!(token.split('.').count(), 3);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct NewStatusList<'a> {
    /// What licences name as `status.status_list.uri`; the claim `sub`.
    pub uri: &'a str,
    /// Now.
    pub issued_at: UnixSeconds,
    /// From when on it must not be used.
    pub expires_at: UnixSeconds,
    /// How long it may be kept, in seconds.
    pub ttl_s: u64,
    /// One bit a position, the first in the lowest bit of the first byte, in the ZLIB format (RFC 1950).
    pub zlib: &'a [u8],
}

impl NewStatusList<'_> {
    /// Writes the token and signs it with a status key.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> String {
        let mut list = String::with_capacity(self.zlib.len() * 4 / 3 + 4);
        base64url::encode_into(self.zlib, &mut list);
        let mut payload = String::with_capacity(list.len() + 256);
        let mut claims = ObjectWriter::open(&mut payload);
        claims.string("sub", self.uri);
        claims.integer("iat", self.issued_at.get());
        claims.integer("exp", self.expires_at.get());
        claims.integer("ttl", self.ttl_s);
        let mut status_list = claims.object("status_list");
        status_list.integer("bits", 1);
        status_list.string("lst", &list);
        status_list.close();
        claims.close();
        key.sign_compact("statuslist+jwt", &payload)
    }
}

/// The published revocation list in its signed form, for [`RevocationFeed::open`](crate::RevocationFeed::open) and for
/// every reader of JWTs.
///
/// ```
/// use nexa_core::{KeySet, NewRevocationList, RevocationFeed, RevocationStatus, Revocations, SigningKey, UnixSeconds};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = SigningKey::generate(&mut rand_core::UnwrapErr(getrandom::SysRng));
/// let list = NewRevocationList {
///     issuer: "https://licenses.example",
///     issued_at: UnixSeconds::new(1_795_230_000).ok_or("out of range")?,
///     expires_at: UnixSeconds::new(1_795_237_200).ok_or("out of range")?,
///     since: None,
/// };
/// let token = list.sign(&key, [("licence-1", "2026-11-21T03:00:00.000Z")]);
///
/// let keys = KeySet::from_keys(&[key.verification_key()])?;
/// let mut buffer = vec![0; token.len()];
/// let feed = RevocationFeed::open(token.as_bytes(), &keys, "https://licenses.example", &mut buffer)?;
/// assert!(matches!(feed.lookup("licence-1", None), RevocationStatus::Revoked { .. }));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct NewRevocationList<'a> {
    /// The issuer's public URL.
    pub issuer: &'a str,
    /// Now.
    pub issued_at: UnixSeconds,
    /// When the next one will be there.
    pub expires_at: UnixSeconds,
    /// The time after which everything is listed, where it is not all; RFC 3339.
    pub since: Option<&'a str>,
}

impl NewRevocationList<'_> {
    /// Writes the list, ids and RFC 3339 times, and signs it with a status key.
    #[must_use]
    pub fn sign<'e>(
        &self,
        key: &SigningKey,
        entries: impl IntoIterator<Item = (&'e str, &'e str)>,
    ) -> String {
        let mut payload = String::with_capacity(256);
        let mut claims = ObjectWriter::open(&mut payload);
        claims.string("iss", self.issuer);
        claims.integer("iat", self.issued_at.get());
        claims.integer("exp", self.expires_at.get());
        if let Some(since) = self.since {
            claims.string("since", since);
        }
        // Last: a reader without a heap cuts it off there.
        let mut list = claims.list("revocations");
        for (jti, revoked_at) in entries {
            let mut entry = list.object();
            entry.string("jti", jti);
            entry.string("revokedAt", revoked_at);
            entry.close();
        }
        list.close();
        claims.close();
        key.sign_compact("revocations+jwt", &payload)
    }
}
