//! The crate from outside: one binary, one module per module of the source.
#![cfg(feature = "issue")]

mod access;
mod conformance;
mod forge;
mod issue;
mod jwk;
mod jws;
mod license;
mod oracle;
mod revocation;
#[path = "../../src/seeded.rs"]
mod seeded;
mod strict;
#[cfg(feature = "std")]
mod ui;
mod vectors;
mod wycheproof;
