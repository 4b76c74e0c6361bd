//! The crate from outside: one binary, one module per module of the source.
#![cfg(feature = "issue")]

mod access;
mod forge;
mod issue;
mod jwk;
mod jws;
mod license;
mod revocation;
#[path = "../../src/seeded.rs"]
mod seeded;
mod strict;
