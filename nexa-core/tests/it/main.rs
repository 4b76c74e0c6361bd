//! The crate from outside: one binary, one module per module of the source.
//!
//! Without features (`--no-default-features`) everything that only checks is run too: what programs embed is built
//! that way.

mod clock;
mod conformance;
mod jwk;
mod revocation;
mod schedules;
#[path = "../../src/seeded.rs"]
mod seeded;
mod strict;
mod vectors;
mod wycheproof;

// Tests of what issues, and tests that need something issued.
#[cfg(feature = "issue")]
mod access;
#[cfg(feature = "issue")]
mod checkpoint;
#[cfg(feature = "issue")]
mod forge;
#[cfg(feature = "issue")]
mod issue;
#[cfg(feature = "issue")]
mod jws;
#[cfg(feature = "issue")]
mod key_set;
#[cfg(feature = "issue")]
mod license;
#[cfg(feature = "issue")]
mod oracle;
#[cfg(feature = "issue")]
mod signed_feed;
#[cfg(feature = "issue")]
mod status;
#[cfg(feature = "std")]
mod ui;
#[cfg(feature = "issue")]
mod webhook;
