//! Why a token was not issued.
use core::fmt;

use crate::refusal::Refusal;

/// Why a token was not issued: a field of the request broke a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueError {
    /// The field's length or count is outside of its bounds.
    Length {
        /// The field's name.
        field: &'static str,
        /// The least that is accepted.
        min: usize,
        /// The most that is accepted.
        max: usize,
    },
    /// The field is not what its rule says.
    Value {
        /// The field's name.
        field: &'static str,
        /// What it has to be.
        rule: &'static str,
    },
    /// The token would be longer than 4,096 bytes.
    TooLong {
        /// How long it would be.
        bytes: usize,
    },
    /// A checker would refuse the token for this reason.
    WouldBeRefused(Refusal),
}

impl fmt::Display for IssueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { field, min, max } => write!(f, "{field} must have {min} to {max}"),
            Self::Value { field, rule } => write!(f, "{field} must be {rule}"),
            Self::TooLong { bytes } => {
                write!(
                    f,
                    "the token would have {bytes} bytes; at most 4096 are read"
                )
            }
            Self::WouldBeRefused(refusal) => write!(f, "the token would be refused: {refusal}"),
        }
    }
}

impl core::error::Error for IssueError {}

impl From<Refusal> for IssueError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TokenTooLong { bytes } => Self::TooLong { bytes },
            refusal => Self::WouldBeRefused(refusal),
        }
    }
}

/// The rule of ids and names in a token: 1 to `max` bytes.
pub(super) fn check_length(field: &'static str, text: &str, max: usize) -> Result<(), IssueError> {
    match (1..=max).contains(&text.len()) {
        true => Ok(()),
        false => Err(IssueError::Length { field, min: 1, max }),
    }
}

/// The rule of an issuer: its public URL in 1 to 256 printable ASCII characters, without a trailing slash, so
/// that it has one spelling.
pub(super) fn check_issuer(issuer: &str) -> Result<(), IssueError> {
    check_length("issuer", issuer, 256)?;
    if !issuer.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(IssueError::Value {
            field: "issuer",
            rule: "printable ASCII without spaces",
        });
    }
    match issuer.ends_with('/') {
        true => Err(IssueError::Value {
            field: "issuer",
            rule: "without a trailing slash",
        }),
        false => Ok(()),
    }
}
