//! How the program ends.

use std::process::ExitCode;

/// The exit codes of every subcommand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// All went well; everything that was checked is valid.
    Success = 0,
    /// Something that was checked is not valid.
    NotValid = 1,
    /// Wrong usage, or input that cannot be read.
    Usage = 2,
    /// The machine or another program stood in the way: a port in use, a full disk, a server that does not answer.
    Failed = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a subcommand could not do its work; printed to stderr.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Exit 2.
    #[error("{0}")]
    Usage(String),
    /// Exit 3.
    #[error("{0}")]
    Failed(String),
}

impl Failure {
    pub(super) fn usage(problem: impl std::fmt::Display) -> Self {
        Self::Usage(problem.to_string())
    }

    pub(super) fn failed(problem: impl std::fmt::Display) -> Self {
        Self::Failed(problem.to_string())
    }

    pub(super) const fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Failed(_) => Exit::Failed,
        }
    }
}
