//! Why a token was not issued.
use core::fmt;

use crate::keyset::KeySetError;
use crate::refusal::Refusal;

/// Why a token was not issued: a field of the request broke a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IssueError {
    /// The field's length or count is outside of its bounds.
    Length {
        /// The field's name.
        field: &'static str,
        /// The least that is accepted.
        min: usize,
        /// The most that is accepted.
        max: usize,
        /// What is counted: "bytes" or "entries".
        unit: &'static str,
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
    /// A reader would refuse the key set for this reason.
    KeySetWouldBeRefused(KeySetError),
}

impl fmt::Display for IssueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length {
                field,
                min,
                max,
                unit,
            } => write!(f, "{field} must have {min} to {max} {unit}"),
            Self::Value { field, rule } => write!(f, "{field} must be {rule}"),
            Self::TooLong { bytes } => {
                write!(
                    f,
                    "the token would have {bytes} bytes; at most 4096 are read"
                )
            }
            Self::WouldBeRefused(refusal) => write!(f, "the token would be refused: {refusal}"),
            Self::KeySetWouldBeRefused(error) => write!(f, "the key set would be refused: {error}"),
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
        false => Err(IssueError::Length {
            field,
            min: 1,
            max,
            unit: "bytes",
        }),
    }
}

/// Whether `issuer` can stand as `iss`: a public URL in one spelling, because it is compared byte by byte.
///
/// 1 to 256 printable ASCII characters: `https://` or `http://` in lower case, a host and perhaps a path; no query, no
/// fragment, no quote, no backslash, no trailing slash.
///
/// # Errors
///
/// The rule that it breaks.
///
/// ```
/// use nexa_core::check_issuer;
///
/// check_issuer("https://auth.example.com/nexa")?;
/// assert!(check_issuer("https://auth.example.com/").is_err());
/// assert!(check_issuer("auth.example.com").is_err());
/// # Ok::<(), nexa_core::IssueError>(())
/// ```
pub fn check_issuer(issuer: &str) -> Result<(), IssueError> {
    check_length("issuer", issuer, 256)?;
    let broken = |rule| {
        Err(IssueError::Value {
            field: "issuer",
            rule,
        })
    };
    let rest = issuer
        .strip_prefix("https://")
        .or_else(|| issuer.strip_prefix("http://"));
    if !rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/')) {
        return broken("an address that starts with https:// or http:// and a host");
    }
    if issuer
        .bytes()
        .any(|b| !b.is_ascii_graphic() || matches!(b, b'?' | b'#' | b'"' | b'\\'))
    {
        return broken("printable ASCII without spaces, query, fragment, quotes and backslashes");
    }
    match issuer.ends_with('/') {
        true => broken("without a trailing slash"),
        false => Ok(()),
    }
}
