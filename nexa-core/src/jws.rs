//! Opens a compact JWS (RFC 7515 §7.1) signed with Ed25519 (RFC 8037), strictly and in a fixed order.
use crate::base64url::{self, Base64Fault};
use crate::json::{self, JsonFault, Node, Object};
use crate::jwk::{KeySet, SignatureError, TrustedKey};
use crate::refusal::{Refusal, TokenPart};

/// The longest token that is read, in bytes.
pub(crate) const MAX_TOKEN_BYTES: usize = 4096;
/// Header, payload and signature of the longest token, decoded; and slack, because the decoder wants room for
/// three bytes per started group of four characters.
const DECODED_BYTES: usize = MAX_TOKEN_BYTES / 4 * 3 + 9;
const MAX_VALUES: usize = 512;
/// A header is read before anything is known of its author, so it is held to little more than the 92 bytes and seven
/// values that ours have.
const MAX_HEADER_BYTES: usize = 512;
const MAX_HEADER_VALUES: usize = 64;
const MAX_HEADER_MEMBERS: u16 = 16;
const MAX_PAYLOAD_MEMBERS: u16 = 64;

/// Working memory for one check, about 7 KB: the decoded token and an index of its values.
///
/// What a check returns borrows from it. It can be used again and again; nothing is left over from one check
/// to the next.
#[derive(Clone)]
pub struct Scratch {
    bytes: [u8; DECODED_BYTES],
    nodes: [Node; MAX_VALUES],
}

impl Scratch {
    /// Fresh working memory.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: [0; DECODED_BYTES],
            nodes: [Node::EMPTY; MAX_VALUES],
        }
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Scratch").finish_non_exhaustive()
    }
}

/// A token whose signature holds.
pub(crate) struct Opened<'k, 'b> {
    pub(crate) trusted: &'k TrustedKey,
    pub(crate) claims: Object<'b>,
}

/// Checks structure, header and signature of `token`, then reads its payload.
///
/// The payload is decoded before, because an undecodable token must not cost a signature check, but not looked
/// at: until the signature holds, only the header has been parsed.
pub(crate) fn open<'k, 'b>(
    keys: &'k KeySet,
    typ: &str,
    token: &[u8],
    scratch: &'b mut Scratch,
) -> Result<Opened<'k, 'b>, Refusal> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Refusal::TokenTooLong { bytes: token.len() });
    }
    let Scratch { bytes, nodes } = scratch;
    let (trusted, payload) = open_payload(keys, typ, token, bytes, nodes)?;
    Ok(Opened {
        trusted,
        claims: read_object(TokenPart::Payload, payload, nodes, MAX_PAYLOAD_MEMBERS)?,
    })
}

/// As [`open`], for a token of any length: decodes into `bytes` and answers the payload unread.
pub(crate) fn open_payload<'k, 'b>(
    keys: &'k KeySet,
    typ: &str,
    token: &[u8],
    bytes: &'b mut [u8],
    nodes: &mut [Node],
) -> Result<(&'k TrustedKey, &'b mut [u8]), Refusal> {
    let segments = split(token)?;
    let undecodable = |part| move |fault| why_undecodable(token, part, fault);
    let (header, rest) =
        base64url::decode(segments.header, bytes).map_err(undecodable(TokenPart::Header))?;
    let (payload, rest) =
        base64url::decode(segments.payload, rest).map_err(undecodable(TokenPart::Payload))?;
    let (signature, _) =
        base64url::decode(segments.signature, rest).map_err(undecodable(TokenPart::Signature))?;

    let trusted = check_header(keys, typ, header, nodes)?;
    trusted
        .key
        .verify(segments.signed, signature)
        .map_err(|error| match error {
            SignatureError::Length { bytes } => Refusal::SignatureLength { bytes },
            SignatureError::ScalarRange => Refusal::SignatureScalarRange,
            SignatureError::SmallOrder => Refusal::SignatureSmallOrder,
            SignatureError::Mismatch => Refusal::SignatureWrong,
        })?;
    Ok((trusted, payload))
}

/// Reads a payload that has no signature yet: the issuer's check of its own work.
#[cfg(feature = "issue")]
pub(crate) fn read_unsigned_payload<'b>(
    payload: &[u8],
    scratch: &'b mut Scratch,
) -> Result<Object<'b>, Refusal> {
    let Scratch { bytes, nodes } = scratch;
    let copy = bytes
        .get_mut(..payload.len())
        .ok_or(Refusal::TokenTooLong {
            bytes: payload.len().div_ceil(3) * 4,
        })?;
    copy.copy_from_slice(payload);
    read_object(TokenPart::Payload, copy, nodes, MAX_PAYLOAD_MEMBERS)
}

struct Segments<'t> {
    header: &'t [u8],
    payload: &'t [u8],
    signature: &'t [u8],
    /// Header, dot and payload: what the signature is made over.
    signed: &'t [u8],
}

fn split(token: &[u8]) -> Result<Segments<'_>, Refusal> {
    // In chunks whose count fits a byte: the compiler makes wide instructions of that.
    let dots: usize = token
        .chunks(255)
        .map(|chunk| usize::from(chunk.iter().map(|b| u8::from(*b == b'.')).sum::<u8>()))
        .sum();
    if dots != 2 {
        return Err(Refusal::NotThreeSegments { segments: dots + 1 });
    }
    let first = token.iter().position(|b| *b == b'.').unwrap_or_default();
    let last = token.iter().rposition(|b| *b == b'.').unwrap_or_default();
    Ok(Segments {
        header: token.get(..first).unwrap_or_default(),
        payload: token.get(first + 1..last).unwrap_or_default(),
        signature: token.get(last + 1..).unwrap_or_default(),
        signed: token.get(..last).unwrap_or_default(),
    })
}

/// White space comes before base64url in the order of refusals. No decodable segment holds any, so it is
/// looked for only here.
#[cold]
fn why_undecodable(token: &[u8], part: TokenPart, fault: Base64Fault) -> Refusal {
    let is_space = |b: &u8| matches!(b, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r');
    match token.iter().position(is_space) {
        Some(position) => Refusal::Whitespace { position },
        None => Refusal::Base64 { part, fault },
    }
}

/// The header's rules: exactly `alg`, `typ` and `kid`, judged in this order with foreign members before `typ`.
fn check_header<'k>(
    keys: &'k KeySet,
    typ: &str,
    header: &mut [u8],
    nodes: &mut [Node],
) -> Result<&'k TrustedKey, Refusal> {
    if header.len() > MAX_HEADER_BYTES {
        return Err(Refusal::Json {
            part: TokenPart::Header,
            fault: JsonFault::TooLarge,
        });
    }
    let nodes = nodes.get_mut(..MAX_HEADER_VALUES).unwrap_or_default();
    let header = read_object(TokenPart::Header, header, nodes, MAX_HEADER_MEMBERS)?;
    let alg = header.get("alg").ok_or(Refusal::AlgMissing)?;
    match alg.as_str().ok_or(Refusal::AlgType)? {
        "EdDSA" | "Ed25519" => {}
        none if none.eq_ignore_ascii_case("none") => return Err(Refusal::AlgNone),
        _ => return Err(Refusal::AlgNotAllowed),
    }
    // The rank decides which of several foreign members is reported.
    let foreign = header.members().filter_map(|(name, _)| match name {
        "alg" | "typ" | "kid" => None,
        "crit" => Some((0, Refusal::HeaderCrit)),
        "b64" => Some((1, Refusal::HeaderB64)),
        "jwk" => Some((2, Refusal::HeaderJwk)),
        "jku" => Some((3, Refusal::HeaderJku)),
        "x5c" => Some((4, Refusal::HeaderX5c)),
        "x5u" => Some((5, Refusal::HeaderX5u)),
        "zip" => Some((6, Refusal::HeaderZip)),
        _ => Some((7, Refusal::HeaderUnknownMember)),
    });
    if let Some((_, refusal)) = foreign.min_by_key(|(rank, _)| *rank) {
        return Err(refusal);
    }
    let found = header.get("typ").ok_or(Refusal::TypMissing)?;
    if found.as_str().ok_or(Refusal::TypType)? != typ {
        return Err(Refusal::TypWrong);
    }
    let kid = header.get("kid").ok_or(Refusal::KidMissing)?;
    let kid = kid.as_str().ok_or(Refusal::KidType)?;
    match keys.find_trusted(kid) {
        Some(trusted) => Ok(trusted),
        None if keys.is_revoked(kid) => Err(Refusal::KidRevoked),
        None => Err(Refusal::KidUnknown),
    }
}

fn read_object<'b>(
    part: TokenPart,
    text: &'b mut [u8],
    nodes: &'b mut [Node],
    max_members: u16,
) -> Result<Object<'b>, Refusal> {
    json::parse(text, nodes, max_members)
        .map_err(|fault| Refusal::Json { part, fault })?
        .as_object()
        .ok_or(Refusal::NotAnObject { part })
}
