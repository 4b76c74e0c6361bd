//! API keys, scopes and strict Ed25519 licence and access tokens, without IO.
#![no_std]
#[cfg(feature = "alloc")]
extern crate alloc;
