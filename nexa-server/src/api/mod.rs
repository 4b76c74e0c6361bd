//! The endpoints: wire shapes and error texts live here and nowhere else. A file's path mirrors its URL.

mod account;
mod amounts;
mod audit;
mod auth;
pub(crate) mod authorize;
pub(crate) mod base_v1;
mod blame;
mod credits;
pub(crate) mod dialect;
mod downloads;
pub(crate) mod error;
pub(crate) mod events;
mod healthz;
mod issuer_keys;
mod key_questions;
pub(crate) mod keys;
mod leaks;
pub(crate) mod licenses;
mod oauth;
mod oauth_error;
mod openapi;
mod operator;
mod payments;
pub(crate) mod rate_limit;
mod refusal;
mod repeat;
mod route;
mod subscriptions;
mod team;
mod usage;
mod users;
mod v1;
mod well_known;
mod wire;
mod ws;

pub(crate) use issuer_keys::IssuerKeys;
pub(crate) use licenses::status::ShardBytes;
pub(crate) use openapi::document as openapi_document;
pub(crate) use operator::audit::SignedCheckpoint;
pub(crate) use payments::{customers, provider, subscribing};
pub(crate) use repeat::attempt;
pub(crate) use route::{Cx, Lane, Route, Services};
pub(crate) use well_known::KeySetBytes;
pub(crate) use ws::Hub;

use dialect::Dialect;
use hyper::{Method, StatusCode};
use route::handler;

use crate::gate::access::Access;
use crate::gate::limit::Limit;

/// Every route, in the order of the documentation.
///
/// The table feeds the router, the gate and the OpenAPI document.
pub(crate) fn routes() -> Vec<Route> {
    use Access::{
        CallersKey, Checker, License, Manager, ManagerInPerson, Member, OauthChecker, OauthMember,
        Operator, OwnerInPerson, Person, Public, WebsocketMember,
    };
    let get = || Some(Method::GET);
    let post = || Some(Method::POST);
    let put = || Some(Method::PUT);
    let patch = || Some(Method::PATCH);
    let delete = || Some(Method::DELETE);
    #[rustfmt::skip]
    let table = vec![
        Route { method: post(), path: "/api/auth/register", access: Public, limits: &[Limit::RegisterPerAddress], lane: Lane::Slow, replays: None, dialect: Dialect::Agentyk,
            summary: "Register a tenant and its owner", handler: handler(auth::register) },
        Route { method: post(), path: "/api/auth/login", access: Public, limits: &[Limit::LoginPerAddress], lane: Lane::Slow, replays: None, dialect: Dialect::Nexora,
            summary: "Log in", handler: handler(auth::login) },
        Route { method: get(), path: "/api/auth/me", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "The calling user and its tenant", handler: handler(auth::me) },
        Route { method: post(), path: "/api/auth/refresh", access: Public, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Go on with a session: the refresh token is replaced", handler: handler(auth::refresh) },
        Route { method: post(), path: "/api/auth/logout", access: Public, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "End the session of a refresh token", handler: handler(auth::logout) },
        Route { method: post(), path: "/api/auth/forgot", access: Public, limits: &[Limit::MailPerAddress], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Have a token mailed that resets the password", handler: handler(auth::forgot) },
        Route { method: post(), path: "/api/auth/reset", access: Public, limits: &[Limit::MailedTokenPerAddress], lane: Lane::Slow, replays: None, dialect: Dialect::Agentyk,
            summary: "Reset the password with a mailed token", handler: handler(auth::reset) },
        Route { method: post(), path: "/api/auth/verify-email", access: Public, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Show with a mailed token that the address is read", handler: handler(auth::verify_email) },
        Route { method: post(), path: "/api/auth/resend-verification", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Have another token mailed that verifies the address", handler: handler(auth::resend_verification) },
        Route { method: post(), path: "/api/auth/accept-invite", access: Public, limits: &[Limit::MailedTokenPerAddress], lane: Lane::Slow, replays: None, dialect: Dialect::Agentyk,
            summary: "Become a member with a mailed token", handler: handler(auth::accept_invite) },
        Route { method: post(), path: "/api/auth/password", access: Person, limits: &[], lane: Lane::Slow, replays: None, dialect: Dialect::Agentyk,
            summary: "Change one's own password, which ends one's sessions", handler: handler(auth::password::change) },
        Route { method: get(), path: "/api/auth/sessions", access: Person, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "List one's own sessions", handler: handler(auth::sessions::list) },
        Route { method: delete(), path: "/api/auth/sessions", access: Person, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "End one's own sessions but this one", handler: handler(auth::sessions::end_others) },
        Route { method: delete(), path: "/api/auth/sessions/{id}", access: Person, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "End a session of one's own", handler: handler(auth::sessions::end) },

        Route { method: get(), path: "/api/team/members", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "List the tenant's users", handler: handler(team::members::list) },
        Route { method: patch(), path: "/api/team/members/{id}", access: ManagerInPerson, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Change a user's role", handler: handler(team::members::update) },
        Route { method: delete(), path: "/api/team/members/{id}", access: ManagerInPerson, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Remove a user from the tenant", handler: handler(team::members::remove) },
        Route { method: get(), path: "/api/team/invites", access: Manager, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "List invitations that stand", handler: handler(team::invites::list) },
        Route { method: post(), path: "/api/team/invite", access: ManagerInPerson, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Invite somebody by mail", handler: handler(team::invites::create) },
        Route { method: delete(), path: "/api/team/invites/{id}", access: ManagerInPerson, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Withdraw an invitation", handler: handler(team::invites::withdraw) },

        Route { method: get(), path: "/api/account/export", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "The caller's data, to take along", handler: handler(account::export::export) },
        Route { method: delete(), path: "/api/account", access: OwnerInPerson, limits: &[], lane: Lane::Slow, replays: None, dialect: Dialect::Agentyk,
            summary: "Erase the tenant and everything personal in it", handler: handler(account::erase) },

        Route { method: post(), path: "/api/v1/api-keys", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Nexgent,
            summary: "Create an API key", handler: handler(v1::api_keys::create) },
        Route { method: get(), path: "/api/v1/api-keys", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Nexgent,
            summary: "List API keys", handler: handler(v1::api_keys::list) },
        Route { method: post(), path: "/api/v1/api-keys/verify", access: Checker, limits: &[], lane: Lane::Memory, replays: None, dialect: Dialect::Nexgent,
            summary: "Check API keys that were presented elsewhere", handler: handler(v1::api_keys::verify::verify) },
        Route { method: post(), path: "/api/v1/api-keys/revoke", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Nexgent,
            summary: "Delete the API keys that a filter means", handler: handler(v1::api_keys::revoke) },
        Route { method: get(), path: "/api/v1/api-keys/{id}", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Nexgent,
            summary: "One API key", handler: handler(v1::api_keys::get) },
        Route { method: patch(), path: "/api/v1/api-keys/{id}", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Nexgent,
            summary: "Change an API key", handler: handler(v1::api_keys::update) },
        Route { method: post(), path: "/api/v1/api-keys/{id}/rotate", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Nexgent,
            summary: "Give an API key another value", handler: handler(v1::api_keys::rotate) },
        Route { method: delete(), path: "/api/v1/api-keys/{id}", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Nexgent,
            summary: "Delete an API key", handler: handler(v1::api_keys::delete) },

        Route { method: post(), path: "/api/users/me/api-keys", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Nexora,
            summary: "Create an API key of one's own", handler: handler(users::me::api_keys::create) },
        Route { method: get(), path: "/api/users/me/api-keys", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Nexora,
            summary: "List one's own API keys", handler: handler(users::me::api_keys::list) },
        Route { method: post(), path: "/api/users/me/api-keys/{key_id}/rotate", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Nexora,
            summary: "Give an API key of one's own another value", handler: handler(users::me::api_keys::rotate) },
        Route { method: delete(), path: "/api/users/me/api-keys/{key_id}", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Nexora,
            summary: "Delete an API key of one's own", handler: handler(users::me::api_keys::delete) },

        Route { method: post(), path: "/v1/api-keys", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Nexalayer,
            summary: "Create an API key of the workspace", handler: handler(base_v1::api_keys::create) },
        Route { method: get(), path: "/v1/api-keys", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Nexalayer,
            summary: "List the API keys of the workspace", handler: handler(base_v1::api_keys::list) },
        Route { method: delete(), path: "/v1/api-keys/{id}", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Nexalayer,
            summary: "Delete an API key of the workspace", handler: handler(base_v1::api_keys::delete) },

        Route { method: post(), path: "/v1/account/register", access: Public, limits: &[Limit::RegisterPerAddress], lane: Lane::Store, replays: None, dialect: Dialect::Nexalayer,
            summary: "Register an agent", handler: handler(base_v1::account::register) },
        Route { method: post(), path: "/v1/auth/register", access: Public, limits: &[Limit::RegisterPerAddress], lane: Lane::Store, replays: None, dialect: Dialect::Nexalayer,
            summary: "Register an agent, by its other name", handler: handler(base_v1::account::register) },
        Route { method: get(), path: "/v1/account/info", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Nexalayer,
            summary: "The calling agent", handler: handler(base_v1::account::info) },
        Route { method: put(), path: "/v1/account/info", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Nexalayer,
            summary: "Change the calling agent", handler: handler(base_v1::account::update) },
        Route { method: post(), path: "/v1/account/rotate-secret", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Nexalayer,
            summary: "Give the calling agent another secret", handler: handler(base_v1::account::rotate_secret) },
        Route { method: get(), path: "/v1/account/webhooks", access: Manager, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Nexalayer,
            summary: "Where the calling agent's events go, and the keys that sign them", handler: handler(base_v1::account::webhooks::get) },
        Route { method: get(), path: "/v1/account/webhooks/deliveries", access: Manager, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Nexalayer,
            summary: "What was delivered and what was not, newest first", handler: handler(base_v1::account::webhooks::deliveries) },
        Route { method: post(), path: "/v1/account/webhooks/deliveries/{id}/resend", access: Manager, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Nexalayer,
            summary: "Deliver an event once more, now", handler: handler(base_v1::account::webhooks::resend) },
        Route { method: post(), path: "/v1/account/token", access: Public, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Oauth,
            summary: "Get an access token for an agent's key and secret, or for an identity token of a trusted issuer", handler: handler(base_v1::account::token) },

        Route { method: post(), path: "/api/oauth/introspect", access: OauthChecker, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Oauth,
            summary: "Whether a key or an access token is active, and what it may do", handler: handler(oauth::introspect) },
        Route { method: post(), path: "/api/oauth/revoke", access: OauthMember, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Oauth,
            summary: "Delete the API key, or end the session, whose token is sent", handler: handler(oauth::revoke) },

        Route { method: post(), path: "/api/leaks/github", access: Public, limits: &[Limit::LeakReportPerAddress], lane: Lane::Leak, replays: None, dialect: Dialect::Agentyk,
            summary: "Report tokens that were found in public, as GitHub's secret scanning does", handler: handler(leaks::github::report) },

        Route { method: None, path: "/api/authorize", access: CallersKey, limits: &[], lane: Lane::Memory, replays: None, dialect: Dialect::Gateway,
            summary: "Decide on a request that a gateway describes in headers", handler: handler(authorize::by_headers) },
        Route { method: None, path: "/api/authorize/", access: CallersKey, limits: &[], lane: Lane::Memory, replays: None, dialect: Dialect::Gateway,
            summary: "Decide on a request for the root that a gateway sends under this path", handler: handler(authorize::by_path) },
        Route { method: None, path: "/api/authorize/{*rest}", access: CallersKey, limits: &[], lane: Lane::Memory, replays: None, dialect: Dialect::Gateway,
            summary: "Decide on a request that a gateway sends under this path", handler: handler(authorize::by_path) },

        Route { method: post(), path: "/api/licenses/issue", access: Member, limits: &[], lane: Lane::Store, replays: Some(StatusCode::CREATED), dialect: Dialect::Agentyk,
            summary: "Issue a licence to a device", handler: handler(licenses::issue::issue) },
        Route { method: get(), path: "/api/licenses", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "List licences", handler: handler(licenses::list) },
        Route { method: get(), path: "/api/licenses/revocations", access: Public, limits: &[Limit::StatusPerAddress], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "What has been revoked", handler: handler(licenses::revocations) },
        Route { method: get(), path: "/api/licenses/status/{shard}", access: Public, limits: &[Limit::StatusPerAddress], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Which licences of a shard are revoked, as a status list token", handler: handler(licenses::status::list) },
        Route { method: get(), path: "/api/licenses/status/{shard}/shard", access: Public, limits: &[Limit::StatusPerAddress], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Which licences of a shard are revoked, as a status shard or a delta", handler: handler(licenses::status::shard) },
        Route { method: get(), path: "/api/licenses/devices", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "List devices that have a seat", handler: handler(licenses::devices::list) },
        Route { method: delete(), path: "/api/licenses/devices/{id}", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Release a device: its licences are revoked and its seat is free", handler: handler(licenses::devices::release) },
        Route { method: post(), path: "/api/licenses/{jti}/renew", access: Member, limits: &[], lane: Lane::Store, replays: Some(StatusCode::CREATED), dialect: Dialect::Agentyk,
            summary: "Issue the licence that follows one, for the same app and device", handler: handler(licenses::issue::renew) },
        Route { method: post(), path: "/api/licenses/{jti}/revoke", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Revoke a licence", handler: handler(licenses::revoke) },

        Route { method: get(), path: "/api/subscriptions/plans", access: Public, limits: &[], lane: Lane::Memory, replays: None, dialect: Dialect::Agentyk,
            summary: "The plans that are for sale", handler: handler(subscriptions::plans) },
        Route { method: get(), path: "/api/subscriptions", access: Manager, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "What the tenant is subscribed to", handler: handler(subscriptions::own) },
        Route { method: post(), path: "/api/subscriptions/checkout", access: ManagerInPerson, limits: &[], lane: Lane::Outbound, replays: Some(StatusCode::CREATED), dialect: Dialect::Agentyk,
            summary: "Begin to pay for a plan", handler: handler(subscriptions::checkout) },
        Route { method: post(), path: "/api/subscriptions/cancel", access: ManagerInPerson, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Cancel the subscription at the end of what is paid", handler: handler(subscriptions::cancel) },

        Route { method: get(), path: "/api/credits/rates", access: Public, limits: &[], lane: Lane::Memory, replays: None, dialect: Dialect::Agentyk,
            summary: "What uses of apps cost", handler: handler(credits::rates) },
        Route { method: get(), path: "/api/credits/balance", access: Manager, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "What the tenant may spend", handler: handler(credits::balance) },
        Route { method: get(), path: "/api/credits/transactions", access: Manager, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "The ledger, newest first", handler: handler(credits::transactions) },
        Route { method: post(), path: "/api/credits/topup", access: ManagerInPerson, limits: &[], lane: Lane::Outbound, replays: Some(StatusCode::CREATED), dialect: Dialect::Agentyk,
            summary: "Begin to pay for credits that stay", handler: handler(credits::topup::topup) },
        Route { method: get(), path: "/api/credits/auto-recharge", access: Manager, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "When the balance is topped up by itself", handler: handler(credits::auto_recharge::get) },
        Route { method: post(), path: "/api/credits/auto-recharge/setup", access: ManagerInPerson, limits: &[], lane: Lane::Outbound, replays: Some(StatusCode::CREATED), dialect: Dialect::Agentyk,
            summary: "Begin to have the balance topped up by itself", handler: handler(credits::auto_recharge::setup) },
        Route { method: patch(), path: "/api/credits/auto-recharge", access: ManagerInPerson, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Change when the balance is topped up by itself", handler: handler(credits::auto_recharge::update) },
        Route { method: delete(), path: "/api/credits/auto-recharge", access: ManagerInPerson, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Have the balance topped up by itself no more", handler: handler(credits::auto_recharge::remove) },

        Route { method: post(), path: payments::provider::WEBHOOK_PATH, access: Public, limits: &[Limit::WebhookPerAddress], lane: Lane::Webhook, replays: None, dialect: Dialect::Agentyk,
            summary: "What the payment provider calls when something has happened to a payment", handler: handler(payments::webhook::webhook) },

        Route { method: post(), path: "/api/usage/report", access: License, limits: &[Limit::UsageReportPerAddress], lane: Lane::Store, replays: Some(StatusCode::OK), dialect: Dialect::Agentyk,
            summary: "Report what an app has used, and pay for it", handler: handler(usage::report) },
        Route { method: get(), path: "/api/usage/summary", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "What was used, by day, app or model", handler: handler(usage::summary) },

        Route { method: get(), path: "/api/downloads/models/{modelId}", access: License, limits: &[Limit::DownloadPerAddress], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Where a model can be downloaded for a while", handler: handler(downloads::model) },

        Route { method: get(), path: "/api/audit/events", access: Member, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "The audit trail, newest first", handler: handler(audit::events) },

        Route { method: post(), path: "/api/operator/keys", access: Operator, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Create an operator key", handler: handler(operator::keys::create) },
        Route { method: get(), path: "/api/operator/keys", access: Operator, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "List operator keys", handler: handler(operator::keys::list) },
        Route { method: delete(), path: "/api/operator/keys/{id}", access: Operator, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Delete an operator key", handler: handler(operator::keys::delete) },

        Route { method: post(), path: "/api/operator/api-keys/import", access: Operator, limits: &[], lane: Lane::Bulk, replays: None, dialect: Dialect::Agentyk,
            summary: "Import keys that another program has issued, by their hashes", handler: handler(operator::api_keys::import::import) },
        Route { method: get(), path: "/api/operator/api-keys/export", access: Operator, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Export keys by their hashes", handler: handler(operator::api_keys::export::export) },

        Route { method: get(), path: "/api/operator/apps", access: Operator, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "List apps and their terms", handler: handler(operator::apps::list) },
        Route { method: get(), path: "/api/operator/apps/{id}", access: Operator, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "One app and its terms", handler: handler(operator::apps::get) },
        Route { method: put(), path: "/api/operator/apps/{id}", access: Operator, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Create an app, or replace its terms", handler: handler(operator::apps::put) },
        Route { method: delete(), path: "/api/operator/apps/{id}", access: Operator, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Delete an app; its licences stay valid", handler: handler(operator::apps::delete) },

        Route { method: get(), path: "/api/operator/tenants", access: Operator, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "List tenants, newest first", handler: handler(operator::tenants::list) },
        Route { method: get(), path: "/api/operator/tenants/{id}", access: Operator, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "One tenant", handler: handler(operator::tenants::get) },
        Route { method: patch(), path: "/api/operator/tenants/{id}", access: Operator, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Enable or disable a tenant, or give it a plan", handler: handler(operator::tenants::update) },
        Route { method: delete(), path: "/api/operator/tenants/{id}", access: Operator, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Erase a tenant and everything personal in it", handler: handler(operator::tenants::erase) },
        Route { method: get(), path: "/api/operator/tenants/{id}/credits", access: Operator, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "What a tenant may spend", handler: handler(operator::tenants::credits::get) },
        Route { method: post(), path: "/api/operator/tenants/{id}/credits", access: Operator, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Grant a tenant credits that stay", handler: handler(operator::tenants::credits::grant) },
        Route { method: get(), path: "/api/operator/tenants/{id}/credits/transactions", access: Operator, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "A tenant's ledger, newest first", handler: handler(operator::tenants::credits::transactions) },
        Route { method: patch(), path: "/api/operator/users/{id}", access: Operator, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Enable or disable a user", handler: handler(operator::users::update) },
        Route { method: get(), path: "/api/operator/audit/checkpoint", access: Operator, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "How far the audit trail has come, signed", handler: handler(operator::audit::checkpoint) },

        Route { method: get(), path: "/api/operator/keyset", access: Operator, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "The keys that sign for this server", handler: handler(operator::keyset::show) },
        Route { method: put(), path: "/api/operator/keyset", access: Operator, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Publish a key set that the root key has signed elsewhere", handler: handler(operator::keyset::import) },
        Route { method: post(), path: "/api/operator/keyset/rotate", access: Operator, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Put up the key that is to sign next", handler: handler(operator::keyset::rotate) },
        Route { method: post(), path: "/api/operator/keyset/revoke", access: Operator, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "End all trust in a key of this server", handler: handler(operator::keyset::revoke) },
        Route { method: get(), path: "/api/operator/status", access: Operator, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "List status shards", handler: handler(operator::status::list) },

        Route { method: get(), path: "/api/ws/{chat_id}", access: WebsocketMember, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Nexora,
            summary: "Open a WebSocket that tells the tenant's events as they happen", handler: handler(ws::open) },

        Route { method: get(), path: "/.well-known/jwks.json", access: Public, limits: &[], lane: Lane::Memory, replays: None, dialect: Dialect::Agentyk,
            summary: "The public keys that verify tokens", handler: handler(well_known::jwks) },
        Route { method: get(), path: "/.well-known/nexa-keyset", access: Public, limits: &[], lane: Lane::Memory, replays: None, dialect: Dialect::Agentyk,
            summary: "Which keys are for what, signed by the root key", handler: handler(well_known::key_set) },
        Route { method: get(), path: "/.well-known/webhook-keys.json", access: Public, limits: &[], lane: Lane::Memory, replays: None, dialect: Dialect::Agentyk,
            summary: "The public keys that verify webhooks", handler: handler(well_known::webhook_keys) },
        Route { method: get(), path: "/.well-known/oauth-authorization-server", access: Public, limits: &[], lane: Lane::Memory, replays: None, dialect: Dialect::Agentyk,
            summary: "Where the OAuth endpoints are and what they take", handler: handler(well_known::oauth_server) },
        Route { method: get(), path: "/openapi.json", access: Public, limits: &[], lane: Lane::Memory, replays: None, dialect: Dialect::Agentyk,
            summary: "This API as an OpenAPI document", handler: handler(openapi::get) },
        Route { method: get(), path: "/healthz", access: Public, limits: &[], lane: Lane::Store, replays: None, dialect: Dialect::Agentyk,
            summary: "Whether the server can read and write its store", handler: handler(healthz::get) },
    ];
    table
}
