//! Everything that can go wrong in the rules, as one closed set.

use std::borrow::Cow;

use nexa_core::Scope;

use super::key_usage::RateState;
use crate::store::StoreError;

/// Why a call was refused. The client learns the sentence that `api` makes of it, the log the rest.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A value breaks the rule of its field, named in snake_case; each document has its own casing on the wire.
    #[error("{field}: {rule}")]
    Invalid {
        field: Cow<'static, str>,
        rule: String,
    },
    /// There is no such thing, or it is another tenant's, which answers alike.
    #[error("{noun} not found")]
    NotFound { noun: &'static str },
    /// The route wants a session or a key and none was sent.
    #[error("no credential")]
    CredentialMissing,
    /// A session's access token did not hold.
    #[error("access token refused: {reason}")]
    TokenInvalid { reason: String },
    /// An API key is unknown, expired, or its owner is not active.
    #[error("API key refused")]
    KeyInvalid,
    /// Two carriers brought different credentials.
    #[error("two different credentials")]
    TwoCredentials,
    /// The address and the password do not belong together.
    #[error("wrong e-mail or password")]
    LoginFailed,
    /// A refresh token is unknown, used or too old, or its session has ended.
    #[error("refresh token refused")]
    RefreshInvalid,
    /// A mailed token is unknown, used, replaced or too old.
    #[error("mailed token refused")]
    MailedTokenInvalid,
    /// The password of the caller's own account, asked for once more, is not this one.
    #[error("wrong password")]
    PasswordWrong,
    /// What stands already is in the way.
    #[error("conflict: {rule}")]
    Conflict { rule: &'static str },
    /// The tenant uses as many devices as it may.
    #[error("device limit of {limit} for {app_id} reached")]
    DeviceLimit { app_id: String, limit: u32 },
    /// The tenant has no plan, and its trial has ended.
    #[error("trial of {days} days for {app_id} over")]
    TrialOver { app_id: String, days: u32 },
    /// A licence is for another device.
    #[error("another device")]
    OtherDevice,
    /// A licence has been revoked.
    #[error("licence revoked")]
    LicenseRevoked,
    /// The balance, and what the plan lends, do not cover a use.
    #[error("costs {cost_mc} mc, and there are {total_mc}")]
    CreditsTooLow { cost_mc: i64, total_mc: i64 },
    /// A licence token did not hold, or its licence is none of this server's.
    #[error("licence token refused: {reason}")]
    LicenseTokenInvalid { reason: String },
    /// The licence that came as a credential is over, its grace included.
    #[error("licence over")]
    LicenseOver,
    /// The licence that came as a credential is revoked, or its tenant or whoever issued it is not active any more.
    #[error("licence ended")]
    LicenseEnded,
    /// The licence that came as a credential does not carry an entitlement.
    #[error("entitlement missing: {entitlement}")]
    EntitlementMissing { entitlement: String },
    /// The operator has not set this server up for what is asked of it.
    #[error("{what} not configured")]
    NotConfigured { what: &'static str },
    /// The payment provider did not answer, or not so that it can be read; why stands in the log.
    #[error("payment provider silent")]
    ProviderSilent,
    /// The payment provider will not do what it was asked; why stands in the log.
    #[error("payment provider refused")]
    ProviderRefused,
    /// The first call with this key is still running.
    #[error("idempotency key in use")]
    IdempotencyKeyInUse,
    /// The first call with this key was another one.
    #[error("idempotency key reused")]
    IdempotencyKeyReused,
    /// The first answer to a call with this key cannot be given again.
    #[error("idempotent answer gone: {reason}")]
    IdempotentAnswerGone { reason: String },
    /// A client is unknown, its secret is wrong, or its key is not valid: RFC 6749 §5.2 keeps them one.
    #[error("client refused")]
    ClientInvalid,
    /// A client that may not have tokens.
    #[error("client may not have tokens: {rule}")]
    ClientForbidden { rule: &'static str },
    /// A grant type that is not served.
    #[error("grant type not served")]
    GrantUnsupported,
    /// A token for another service than this one.
    #[error("target refused: {field}")]
    TargetRefused { field: &'static str },
    /// The keys of a trusted issuer could not be read.
    #[error("issuer's keys not readable for {retry_after_s} s")]
    IssuerSilent { retry_after_s: u64 },
    /// Scopes that a client asked for and cannot have.
    #[error("scope refused: {problem}")]
    ScopeRefused { problem: String },
    /// A token of a kind that cannot be revoked by itself.
    #[error("token of this kind cannot be revoked")]
    TokenTypeUnsupported,
    /// The key lacks a scope.
    #[error("scope missing: {scope}")]
    ScopeMissing { scope: Scope },
    /// The key may not come from this address.
    #[error("address not allowed")]
    AddressNotAllowed,
    /// A test key where a live one is wanted, or the other way round.
    #[error("wrong environment")]
    WrongEnvironment,
    /// The key's own rate limit is used up.
    #[error("key limited for {} s", .state.resets_in_s)]
    KeyLimited { state: RateState },
    /// The key has too few uses left.
    #[error("key used up")]
    UsedUp,
    /// The principal may not do this.
    #[error("forbidden: {rule}")]
    Forbidden { rule: &'static str },
    /// No scope rule covers the path that a gateway asked about.
    #[error("no rule covers {method} {path}")]
    NoRule { method: String, path: String },
    /// The path could be read in two ways.
    #[error("ambiguous path: {problem}")]
    AmbiguousPath { problem: &'static str },
    /// The headers that describe the original request are missing or disagree.
    #[error("original request unclear: {problem}")]
    OriginalRequest { problem: String },
    /// A rate limit is used up.
    #[error("limited for {retry_after_s} s")]
    Limited { retry_after_s: u64 },
    /// All permits for slow work are taken and the queue is full.
    #[error("busy for {retry_after_s} s")]
    Busy { retry_after_s: u64 },
    /// The answer is not in memory and the store may not be asked on this thread.
    #[error("not in memory")]
    NotInMemory,
    /// The store did not answer as it should.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Our own fault: an invariant did not hold.
    #[error("fault: {0}")]
    Fault(String),
}

impl Error {
    pub(crate) fn invalid(field: impl Into<Cow<'static, str>>, rule: impl Into<String>) -> Self {
        Self::Invalid {
            field: field.into(),
            rule: rule.into(),
        }
    }

    /// As a fault of one item of an array: `scopes` becomes `[3].scopes`.
    pub(crate) fn in_item(self, place: usize) -> Self {
        match self {
            Self::Invalid { field, rule } => Self::invalid(format!("[{place}].{field}"), rule),
            error => error,
        }
    }
}
