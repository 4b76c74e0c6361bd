//! The rules, one file per noun: no HTTP status, no JSON name, no SQL.

pub(crate) mod access_tokens;
pub(crate) mod accounts;
pub(crate) mod agent_tokens;
pub(crate) mod agents;
pub(crate) mod apps;
pub(crate) mod audit;
pub(crate) mod credits;
pub(crate) mod email;
pub(crate) mod erasure;
pub(crate) mod error;
pub(crate) mod exchange;
pub(crate) mod export;
mod fields;
pub(crate) mod idempotency;
pub(crate) mod identity;
mod jws_keys;
pub(crate) mod key_cache;
#[cfg(all(test, shuttle))]
mod key_cache_model;
pub(crate) mod key_usage;
pub(crate) mod keys;
pub(crate) mod license_tokens;
pub(crate) mod licenses;
pub(crate) mod mailed_tokens;
pub(crate) mod mails;
pub(crate) mod models;
pub(crate) mod money;
pub(crate) mod operators;
pub(crate) mod original;
pub(crate) mod paging;
pub(crate) mod password;
pub(crate) mod password_change;
pub(crate) mod principal;
pub(crate) mod rates;
pub(crate) mod rules;
pub(crate) mod server_keys;
pub(crate) mod sessions;
pub(crate) mod standing;
pub(crate) mod status;
pub(crate) mod sweep;
pub(crate) mod tariff;
pub(crate) mod team;
pub(crate) mod trust;
pub(crate) mod usage;
mod web_url;

pub(crate) use error::Error;
