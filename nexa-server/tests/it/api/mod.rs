//! Endpoints beyond their documents: limits, strictness, tenants, carriers. Files mirror URLs.

mod audit;
mod auth;
mod auth_mail;
mod authorize;
mod base_v1_account;
mod base_v1_account_exchange;
mod base_v1_api_keys;
mod credits;
mod downloads;
mod edge;
mod licenses;
mod licenses_devices;
mod licenses_idempotency;
mod licenses_status;
mod oauth;
mod operator;
mod operator_apps;
mod operator_tenants;
mod usage;
mod usage_idempotency;
mod usage_summary;
mod users_me_api_keys;
mod v1_api_keys;
mod v1_api_keys_many;
mod v1_api_keys_terms;
mod v1_api_keys_verify;
