//! Authentication and licensing that a Rust program embeds, that a client trusts offline, and that a
//! self-hoster runs as one binary.
//!
//! - **API keys**: `nex_` and 32 characters, shown once, kept as a SHA-256 digest, compared in constant
//!   time, limited to scopes, dead the moment a deletion is answered.
//! - **Licences**: Ed25519 tokens bound to a device, checked strictly and offline, revocable.
//! - **One server**: accounts, keys, licences and forward authorization for a gateway, over one SQLite
//!   file. What was answered with success survives a power cut.
//!
//! This crate is the server and the binary `nexa`. The rules of keys and tokens stand in `nexa-core`.
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
pub use config::{Config, ConfigError, ObjectStoreSettings, Overrides, SAMPLE};
pub use serve::{
    Ask, Body, CallError, CheckError, IssuedKey, IssuedLicense, KeyEnvironments, KeyFacts,
    ListedKey, MemberFacts, MemberRole, NewKey, NewLicense, Nexa, OpenError, RateLeft, Refusal,
    RefusedRequest, RegisteredAgent, ServeError, Server, Tenant,
};
