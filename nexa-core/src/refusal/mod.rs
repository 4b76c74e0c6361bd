//! Why a token is refused: one variant per rule, one stable code per variant.
mod claim;
#[cfg(test)]
mod coverage;

use core::fmt;

pub use claim::Claim;

use crate::base64url::Base64Fault;
use crate::json::JsonFault;

/// The rule a token broke.
///
/// [`code`](Self::code) is for machines and never changes; `Display` is one sentence for people, which names
/// the field and the rule. Where several rules are broken, the first in this order wins: size, segments, white
/// space, base64url (header, payload, signature), header JSON, header rules, the key, the signature, payload
/// JSON, claims. A rule that is added later gets a variant and a code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The token has more than 4,096 bytes.
    TokenTooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// The token is not three segments between two dots (RFC 7515 §7.1).
    NotThreeSegments {
        /// How many segments it has.
        segments: usize,
    },
    /// There is white space in the token.
    Whitespace {
        /// The position of the first such byte.
        position: usize,
    },
    /// A segment is not canonical base64url.
    Base64 {
        /// The segment.
        part: TokenPart,
        /// What is wrong with it.
        fault: Base64Fault,
    },
    /// The header or the payload is not strict JSON.
    Json {
        /// Header or payload.
        part: TokenPart,
        /// What is wrong with it.
        fault: JsonFault,
    },
    /// The header or the payload is JSON, but not an object.
    NotAnObject {
        /// Header or payload.
        part: TokenPart,
    },
    /// The header has no `alg`.
    AlgMissing,
    /// The header's `alg` is not a string.
    AlgType,
    /// The header's `alg` is "none" in some spelling.
    AlgNone,
    /// The header's `alg` is neither "EdDSA" nor "Ed25519".
    AlgNotAllowed,
    /// The header has `crit` (RFC 7515 §4.1.11): no extension is understood.
    HeaderCrit,
    /// The header has `b64` (RFC 7797).
    HeaderB64,
    /// The header carries a key in `jwk`.
    HeaderJwk,
    /// The header points to keys with `jku`.
    HeaderJku,
    /// The header carries certificates in `x5c`.
    HeaderX5c,
    /// The header points to certificates with `x5u`.
    HeaderX5u,
    /// The header has `zip` (compression).
    HeaderZip,
    /// The header has a member other than `alg`, `typ` and `kid`.
    HeaderUnknownMember,
    /// The header has no `typ`.
    TypMissing,
    /// The header's `typ` is not a string.
    TypType,
    /// The header's `typ` names another kind of token.
    TypWrong,
    /// The header has no `kid`.
    KidMissing,
    /// The header's `kid` is not a string.
    KidType,
    /// No key in the set has this `kid`: a newer key set may.
    KidUnknown,
    /// The key set lists the key as revoked.
    KidRevoked,
    /// The signature does not have 64 bytes.
    SignatureLength {
        /// How many it has.
        bytes: usize,
    },
    /// The signature's scalar S is not below the group order (RFC 8032 §5.1.7): a second spelling of another one.
    SignatureScalarRange,
    /// The signature's point R has small order.
    SignatureSmallOrder,
    /// The key did not make this signature for this header and payload.
    SignatureWrong,
    /// A required claim is missing.
    ClaimMissing(Claim),
    /// A claim has another JSON type than its rule says.
    ClaimType(Claim),
    /// A claim has the right type and a value that is not accepted.
    ClaimWrong(Claim),
    /// An access token has neither `role` nor `scope`: nothing would say what it may do.
    RoleAndScopeMissing,
    /// `exp` is not later than `nbf`.
    ExpNotAfterNbf,
    /// `exp` is not later than `iat`.
    ExpNotAfterIat,
    /// `exp` is further from `iat` than the verifier allows.
    LifetimeTooLong {
        /// exp − iat in seconds.
        lifetime_s: u64,
        /// The most that is allowed.
        max_s: u64,
    },
    /// The key was not trusted yet when the licence was issued, or is no longer now.
    KidNotInForce,
    /// `iat` is more than 300 s ahead of now.
    IssuedInFuture {
        /// How far ahead it is, in seconds.
        ahead_s: u64,
    },
    /// An access token's time has not come. (For licences this is a verdict, not a refusal.)
    NotYetValid {
        /// The seconds until it comes.
        starts_in_s: u64,
    },
    /// An access token's time has passed. (For licences this is a verdict, not a refusal.)
    Expired {
        /// The seconds since it passed.
        since_s: u64,
    },
}

impl Refusal {
    /// The stable name of the rule, in snake case.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TokenTooLong { .. } => "token_too_long",
            Self::NotThreeSegments { .. } => "not_three_segments",
            Self::Whitespace { .. } => "whitespace",
            Self::Base64 { fault, .. } => match fault {
                Base64Fault::Padding => "base64_padding",
                Base64Fault::Alphabet => "base64_alphabet",
                Base64Fault::Length => "base64_length",
                Base64Fault::TrailingBits => "base64_trailing_bits",
            },
            Self::Json { fault, .. } => match fault {
                JsonFault::Utf8 => "json_utf8",
                JsonFault::ByteOrderMark => "json_bom",
                JsonFault::Syntax => "json_syntax",
                JsonFault::TrailingData => "json_trailing_data",
                JsonFault::DuplicateMember => "json_duplicate_member",
                JsonFault::LoneSurrogate => "json_lone_surrogate",
                JsonFault::TooDeep => "json_too_deep",
                JsonFault::TooManyMembers => "json_too_many_members",
                JsonFault::TooLarge => "json_too_large",
                JsonFault::NumberRange => "json_number_range",
            },
            Self::NotAnObject { .. } => "json_not_object",
            Self::AlgMissing => "alg_missing",
            Self::AlgType => "alg_type",
            Self::AlgNone => "alg_none",
            Self::AlgNotAllowed => "alg_not_allowed",
            Self::HeaderCrit => "header_crit",
            Self::HeaderB64 => "header_b64",
            Self::HeaderJwk => "header_jwk",
            Self::HeaderJku => "header_jku",
            Self::HeaderX5c => "header_x5c",
            Self::HeaderX5u => "header_x5u",
            Self::HeaderZip => "header_zip",
            Self::HeaderUnknownMember => "header_unknown_member",
            Self::TypMissing => "typ_missing",
            Self::TypType => "typ_type",
            Self::TypWrong => "typ_wrong",
            Self::KidMissing => "kid_missing",
            Self::KidType => "kid_type",
            Self::KidUnknown => "unknown_key",
            Self::KidRevoked => "kid_revoked",
            Self::SignatureLength { .. } => "signature_length",
            Self::SignatureScalarRange => "signature_scalar_range",
            Self::SignatureSmallOrder => "signature_small_order",
            Self::SignatureWrong => "signature_wrong",
            Self::ClaimMissing(claim) => claim.row().missing,
            Self::ClaimType(claim) => claim.row().mistyped,
            Self::ClaimWrong(claim) => claim.row().wrong,
            Self::RoleAndScopeMissing => "role_and_scope_missing",
            Self::ExpNotAfterNbf => "exp_not_after_nbf",
            Self::ExpNotAfterIat => "exp_not_after_iat",
            Self::LifetimeTooLong { .. } => "lifetime_too_long",
            Self::KidNotInForce => "kid_not_in_force",
            Self::IssuedInFuture { .. } => "issued_in_future",
            Self::NotYetValid { .. } => "not_yet_valid",
            Self::Expired { .. } => "expired",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TokenTooLong { bytes } => {
                write!(f, "the token has {bytes} bytes; at most 4096 are read")
            }
            Self::NotThreeSegments { segments } => write!(
                f,
                "the token has {segments} segments; a compact JWS has exactly three"
            ),
            Self::Whitespace { position } => write!(
                f,
                "the token has white space at byte {position}; a token has none"
            ),
            Self::Base64 { part, fault } => {
                write!(f, "the {part} is not canonical base64url: {fault}")
            }
            Self::Json { part, fault } => write!(f, "the {part} is not strict JSON: {fault}"),
            Self::NotAnObject { part } => write!(f, "the {part} is not a JSON object"),
            Self::AlgMissing => f.write_str("header member alg is missing"),
            Self::AlgType => f.write_str("header member alg is not a string"),
            Self::AlgNone => f.write_str("header member alg says that nobody signed the token"),
            Self::AlgNotAllowed => {
                f.write_str("header member alg is neither \"EdDSA\" nor \"Ed25519\"")
            }
            Self::HeaderCrit => f.write_str("header member crit demands an unknown extension"),
            Self::HeaderB64 => f.write_str("header member b64 is not supported"),
            Self::HeaderJwk => f.write_str("header member jwk: a token cannot bring its own key"),
            Self::HeaderJku => f.write_str("header member jku: a token cannot choose its keys"),
            Self::HeaderX5c => {
                f.write_str("header member x5c: a token cannot bring its own certificate")
            }
            Self::HeaderX5u => {
                f.write_str("header member x5u: a token cannot choose its certificate")
            }
            Self::HeaderZip => f.write_str("header member zip: compression is not supported"),
            Self::HeaderUnknownMember => {
                f.write_str("the header has a member other than alg, typ and kid")
            }
            Self::TypMissing => f.write_str("header member typ is missing"),
            Self::TypType => f.write_str("header member typ is not a string"),
            Self::TypWrong => f.write_str("header member typ names another kind of token"),
            Self::KidMissing => f.write_str("header member kid is missing"),
            Self::KidType => f.write_str("header member kid is not a string"),
            Self::KidUnknown => f.write_str(
                "header member kid names a key that is not in the key set; a newer key set may hold it",
            ),
            Self::KidRevoked => f.write_str("header member kid names a key that was revoked"),
            Self::SignatureLength { bytes } => {
                write!(f, "the signature has {bytes} bytes instead of 64")
            }
            Self::SignatureScalarRange => {
                f.write_str("the signature's scalar is not below the group order")
            }
            Self::SignatureSmallOrder => f.write_str("the signature's point has small order"),
            Self::SignatureWrong => {
                f.write_str("the signature does not belong to this header, payload and key")
            }
            Self::ClaimMissing(claim) => write!(f, "claim {} is missing", claim.name()),
            Self::ClaimType(claim) => {
                write!(f, "claim {} must be {}", claim.name(), claim.row().expected)
            }
            Self::ClaimWrong(claim) => write!(f, "claim {} {}", claim.name(), claim.row().fault),
            Self::RoleAndScopeMissing => {
                f.write_str("claims role and scope are both missing; an access token has one")
            }
            Self::ExpNotAfterNbf => f.write_str("claim exp is not later than claim nbf"),
            Self::ExpNotAfterIat => f.write_str("claim exp is not later than claim iat"),
            Self::LifetimeTooLong { lifetime_s, max_s } => write!(
                f,
                "claim exp is {lifetime_s} s after claim iat; at most {max_s} s are allowed"
            ),
            Self::KidNotInForce => f.write_str(
                "the key was not in use yet when the token was issued, or its time is over",
            ),
            Self::IssuedInFuture { ahead_s } => write!(
                f,
                "claim iat is {ahead_s} s in the future; at most 300 s are allowed"
            ),
            Self::NotYetValid { starts_in_s } => {
                write!(f, "the token is not valid for another {starts_in_s} s")
            }
            Self::Expired { since_s } => write!(f, "the token expired {since_s} s ago"),
        }
    }
}

impl core::error::Error for Refusal {}

/// A segment of a compact JWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenPart {
    /// The first: what signed it and what it is.
    Header,
    /// The second: the claims.
    Payload,
    /// The third.
    Signature,
}

impl fmt::Display for TokenPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Signature => "signature",
        })
    }
}

impl fmt::Display for Base64Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Padding => "it is padded",
            Self::Alphabet => "it has a character outside A-Z a-z 0-9 - _",
            Self::Length => "its length is one more than a multiple of four",
            Self::TrailingBits => "its last character has bits set that stand for nothing",
        })
    }
}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf8 => "it is not UTF-8",
            Self::ByteOrderMark => "it starts with a byte-order mark",
            Self::Syntax => "it breaks the grammar",
            Self::TrailingData => "something follows the document",
            Self::DuplicateMember => "an object names a member twice",
            Self::LoneSurrogate => "an escape stands for half a character",
            Self::TooDeep => "it is nested more than four deep",
            Self::TooManyMembers => "an object has too many members",
            Self::TooLarge => "it has too many values",
            Self::NumberRange => "a number is 2^53 or more from zero",
        })
    }
}
