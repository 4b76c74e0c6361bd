//! Everything that is tested from outside: a real binary, real sockets, real files.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic: that is how it fails"
)]
#![expect(clippy::disallowed_methods, reason = "tests stand outside the shell")]

mod air_gap;
mod api;
mod audit;
mod cli;
mod cli_credits;
mod cli_key_import;
mod cli_tenants;
mod documents;
mod gateways;
mod harness;
mod in_process;
mod issuer;
mod logs;
mod mail;
mod metrics;
#[allow(dead_code, reason = "unit tests share it, and use the rest")]
mod mollie;
mod mollie_itself;
mod payments;
mod payments_killed;
mod readme;
mod resources;
mod rotation;
mod s3;
#[allow(dead_code, reason = "unit tests share it, and use the rest")]
mod smtp;
mod tidy;
mod usage_killed;
mod webhooks;
mod websocket;
