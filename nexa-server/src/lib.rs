//! The Nexa server: accounts, API keys and licences behind one small binary.

mod api;
mod app;
mod cli;
mod config;
mod domain;
mod gate;
mod http;
mod job;
mod serve;
mod store;
#[cfg(test)]
mod testing;
mod time;

pub use cli::run as run_command_line;
pub use config::{Config, ConfigError, Overrides, SAMPLE};
pub use serve::{ServeError, Server};
