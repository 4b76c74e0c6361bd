//! The signed form of the published revocation list: a compact JWS of any length.
use core::fmt;

use crate::json::{self, Node, Object};
use crate::jwk::KeySet;
use crate::jws;
use crate::license::{FeedError, RevocationFeed};
use crate::refusal::{Refusal, TokenPart};
use crate::time::UnixSeconds;

/// The header's `typ` of a signed revocation list.
const TYP: &str = "revocations+jwt";
/// What stands before the list, which is the payload's last member. Inside of a string it would have backslashes.
const LIST: &[u8] = br#","revocations":"#;
/// What stands before the list is `iss`, `iat`, `exp` and perhaps `since`.
const MAX_HEAD_BYTES: usize = 1024;
const MAX_VALUES: usize = 64;
const MAX_MEMBERS: u16 = 16;

impl<'a> RevocationFeed<'a> {
    /// Reads the signed form of the list: what `GET /api/licenses/revocations` answers to
    /// `Accept: application/revocations+jwt`.
    ///
    /// It is a compact JWS (RFC 7515 §7.1) of `typ` "revocations+jwt" by a status key, with `iss`, `iat`, `exp` (when the
    /// next one will be there), and as the last member `revocations`, the list. `buffer` must be as long as the token.
    /// The list counts as of `iat`. One that was asked for with `since` is refused: it does not say enough.
    ///
    /// # Errors
    /// The first rule it breaks.
    pub fn open(
        token: &[u8],
        status_keys: &KeySet,
        issuer: &str,
        buffer: &'a mut [u8],
    ) -> Result<Self, SignedFeedError> {
        if buffer.len() < token.len() {
            return Err(SignedFeedError::Buffer {
                needed: token.len(),
            });
        }
        let mut nodes = [Node::EMPTY; MAX_VALUES];
        let (trusted, payload) = jws::open_payload(status_keys, TYP, token, buffer, &mut nodes)
            .map_err(SignedFeedError::Refused)?;
        let payload: &'a [u8] = payload;
        let at = payload
            .windows(LIST.len())
            .take(MAX_HEAD_BYTES)
            .position(|window| window == LIST)
            .ok_or(SignedFeedError::Payload)?;
        let (head, list) = payload.split_at(at);
        let list = list
            .get(LIST.len()..list.len().saturating_sub(1))
            .filter(|_| list.ends_with(b"}"))
            .ok_or(SignedFeedError::Payload)?;
        let as_of = read_head(head, issuer)?;
        if !trusted.is_in_force(as_of, as_of) {
            return Err(SignedFeedError::Refused(Refusal::KidNotInForce));
        }
        let feed = Self::read(list).map_err(SignedFeedError::Feed)?;
        Ok(feed.with_as_of(as_of))
    }
}

/// Checks what stands before the list, and answers `iat`.
fn read_head(head: &[u8], issuer: &str) -> Result<UnixSeconds, SignedFeedError> {
    let mut text = [0; MAX_HEAD_BYTES + 1];
    let mut nodes = [Node::EMPTY; MAX_VALUES];
    let text = text
        .get_mut(..=head.len())
        .ok_or(SignedFeedError::Payload)?;
    for (place, byte) in text.iter_mut().zip(head.iter().chain(b"}")) {
        *place = *byte;
    }
    let part = TokenPart::Payload;
    let claims: Object<'_> = json::parse(text, &mut nodes, MAX_MEMBERS)
        .map_err(|fault| SignedFeedError::Refused(Refusal::Json { part, fault }))?
        .as_object()
        .ok_or(SignedFeedError::Payload)?;
    let string = |name| claims.get(name).and_then(|value| value.as_str());
    if string("iss") != Some(issuer) {
        return Err(SignedFeedError::OtherIssuer);
    }
    if claims.get("since").is_some() {
        return Err(SignedFeedError::Partial);
    }
    claims
        .get("iat")
        .and_then(|value| value.as_integer())
        .and_then(UnixSeconds::new)
        .ok_or(SignedFeedError::Payload)
}

/// Why a signed revocation list was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignedFeedError {
    /// The buffer is shorter than the token.
    Buffer {
        /// The bytes that are needed.
        needed: usize,
    },
    /// Structure, header or signature are not those of a signed list, or no status key at hand signed it.
    Refused(Refusal),
    /// The payload is not laid out as documented.
    Payload,
    /// `iss` is not the expected issuer.
    OtherIssuer,
    /// The list was asked for with `since`: what it does not name may have been revoked before.
    Partial,
    /// The list itself is not what it should be.
    Feed(FeedError),
}

impl fmt::Display for SignedFeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Buffer { needed } => write!(f, "the buffer needs {needed} bytes"),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Payload => f.write_str("the payload is not that of a signed revocation list"),
            Self::OtherIssuer => f.write_str("claim iss is not the expected issuer"),
            Self::Partial => f.write_str("the list holds only what was revoked since some time"),
            Self::Feed(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SignedFeedError {}
