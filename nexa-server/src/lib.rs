//! Authentication and licensing that a Rust program embeds, that a client trusts offline, and that a
//! self-hoster runs as one binary.
//!
//! - **API keys**: `nex_` and 32 characters, shown once, kept as a SHA-256 digest, compared in constant
//!   time, limited to scopes, dead the moment a deletion is answered.
//! - **Licences**: Ed25519 tokens bound to a device, checked strictly and offline, revocable.
//! - **One server**: accounts, keys, licences and forward authorization for a gateway, over one SQLite
//!   file. What was answered with success survives a power cut.
//!
//! This crate is the server and the binary `nexa`, with two front doors. The rules of keys and tokens stand in `nexa-core`.
//!
//! # In your own process
//! [`Nexa`] opens a data folder without a socket: [`Nexa::check_key`] judges a key, [`Tenant`] makes and revokes keys and
//! licences, [`Nexa::call`] is the whole HTTP API as a function, and [`Nexa::handle`] mounts it in a hyper or axum server,
//! beside routes that [`Nexa::authorize`] guards by the scope rules. `examples/embedded_keys.rs` and
//! `examples/embedded_axum.rs` show both.
//!
//! # With a port of its own
//! [`Server`] is a [`Nexa`] and a listener: what `nexa serve` runs.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use nexa_server::{Config, Overrides, Server};
//!
//! let config = Config::load(None, Overrides::default())?;
//! let server = Server::open(config).await?;
//! println!("listening on http://{}", server.address());
//! server.run(async { /* resolves when the server is to stop */ }).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is public
//! Types of `hyper` 1 (and so of `http` 1 and `bytes` 1), of `nexa-core` and of `tracing` (a level) stand in signatures; nothing
//! else does. Enums and structs with public fields may grow (`#[non_exhaustive]`), except [`Overrides`], which is to be filled with
//! `..Overrides::default()`.

mod api;
mod app;
#[cfg(test)]
mod app_tests;
#[cfg(test)]
mod audit_tests;
#[cfg(feature = "bench")]
mod bare_store;
mod cli;
mod config;
mod domain;
mod gate;
mod http;
mod job;
#[cfg(test)]
mod matrix_tests;
mod outbound;
mod serve;
mod store;
mod sync;
#[cfg(test)]
mod testing;
mod time;

#[cfg(feature = "bench")]
#[doc(hidden)]
pub use bare_store::BareStore;
pub use cli::run as run_command_line;
pub use config::{Config, ConfigError, LogFormat, ObjectStoreSettings, Overrides, SAMPLE};
pub use serve::{
    Ask, Body, CallError, CheckError, IssuedKey, IssuedLicense, KeyEnvironments, KeyFacts,
    ListedKey, MemberFacts, MemberRole, NewKey, NewLicense, Nexa, OpenError, RateLeft, Refusal,
    RefusedRequest, RegisteredAgent, ServeError, Server, Tenant,
};
