//! Why calls in process are refused.

use crate::api;
use crate::domain::Error;

/// Why a call in process was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// A value breaks the rule of its field.
    #[error("{field}: {rule}")]
    Invalid {
        /// In `snake_case`.
        field: String,
        /// What must hold, as a clause: `must not be empty`.
        rule: String,
    },
    /// There is no such thing, or it is another tenant's: both answer alike.
    #[error("{noun} not found")]
    NotFound {
        /// What was looked for.
        noun: &'static str,
    },
    /// A rule stands in the way: a token that does not hold, a tenant's last seat, a trial that is over.
    #[error("{reason}")]
    Refused {
        /// Stable, for programs: the `code` that the HTTP API answers with.
        code: &'static str,
        /// A sentence for people, which may be shown to a client.
        reason: String,
    },
    /// The [`Nexa`](crate::Nexa) has been closed.
    #[error("Nexa is closed")]
    Closed,
    /// The store did not do what it should; more stands in the log. Whether the call had its effect is not known.
    #[error("the store failed: {0}")]
    Store(String),
}

impl From<Error> for CallError {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid { field, rule } => Self::Invalid {
                field: field.into_owned(),
                rule,
            },
            Error::NotFound { noun } => Self::NotFound { noun },
            Error::Store(_) | Error::Fault(_) | Error::NotInMemory => {
                tracing::error!(%error, "a call in process failed");
                Self::Store(error.to_string())
            }
            refused => {
                let (code, reason) = api::error::told(refused);
                Self::Refused { code, reason }
            }
        }
    }
}
