//! What a client may learn of a fault: status, code, sentence. The log learns the rest.

use std::borrow::Cow;

use hyper::StatusCode;

use super::blame::Blame;
use super::dialect::Dialect;
use crate::domain::Error;
use crate::domain::key_usage::RateState;
use crate::http::extract::BadInput;
use crate::store::StoreError;

/// What the client may learn of a fault.
pub(super) struct Shown {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) sentence: String,
    /// What is to blame, where that is a part of the request.
    pub(super) blame: Option<Blame>,
    pub(super) retry_after_s: Option<u64>,
    pub(super) rate: Option<RateState>,
}

impl Shown {
    pub(super) fn new(status: StatusCode, code: &'static str, sentence: impl Into<String>) -> Self {
        Self {
            status,
            code,
            sentence: sentence.into(),
            blame: None,
            retry_after_s: None,
            rate: None,
        }
    }

    fn blame(mut self, blame: Blame) -> Self {
        self.blame = Some(blame);
        self
    }

    fn rate(mut self, state: RateState) -> Self {
        self.rate = Some(state);
        self.retry_after(state.resets_in_s)
    }

    pub(super) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }
}

pub(super) fn bad_input(bad: &BadInput) -> Shown {
    let code = match bad {
        BadInput::MediaType { .. } => "unsupported_media_type",
        BadInput::Json { .. } | BadInput::Form { .. } => "invalid_body",
        BadInput::Query { .. } => "invalid_query",
        BadInput::Header { .. } => "invalid_header",
        BadInput::Upgrade { .. } => "upgrade_required",
        BadInput::Path { .. } => "invalid_path",
    };
    Shown::new(bad.status(), code, bad.sentence()).blame(Blame::of(bad))
}

pub(super) fn refused(error: Error, dialect: Dialect) -> Shown {
    use StatusCode as S;
    match error {
        Error::Invalid { field, rule } => {
            let field = dialect.field(&field);
            Shown::new(S::BAD_REQUEST, "invalid_field", format!("{field}: {rule}"))
                .blame(Blame::of_body(field))
        }
        Error::NotFound { noun } => {
            Shown::new(S::NOT_FOUND, "not_found", format!("{noun} not found"))
        }
        Error::CredentialMissing => match dialect {
            Dialect::Nexgent | Dialect::Nexalayer | Dialect::Gateway => {
                Shown::new(S::UNAUTHORIZED, "api_key_required", "API key required")
            }
            Dialect::Agentyk | Dialect::Nexora => Shown::new(
                S::UNAUTHORIZED,
                "credential_required",
                "Authentication required",
            ),
            Dialect::Oauth => Shown::new(
                S::UNAUTHORIZED,
                "invalid_client",
                "Client authentication required",
            ),
        },
        Error::TokenInvalid { reason } => {
            tracing::debug!(reason, "access token refused");
            Shown::new(
                S::UNAUTHORIZED,
                "invalid_token",
                "Invalid or expired access token",
            )
        }
        Error::KeyInvalid => Shown::new(S::UNAUTHORIZED, "invalid_api_key", "Invalid API key"),
        Error::TwoCredentials => Shown::new(
            S::BAD_REQUEST,
            "two_credentials",
            "Send one credential, once: in X-API-Key or in Authorization",
        ),
        Error::LoginFailed => {
            Shown::new(S::UNAUTHORIZED, "login_failed", "Invalid email or password")
        }
        Error::RefreshInvalid => Shown::new(
            S::UNAUTHORIZED,
            "invalid_refresh_token",
            "Invalid or expired refresh token",
        ),
        Error::MailedTokenInvalid => Shown::new(
            S::BAD_REQUEST,
            "invalid_mailed_token",
            "token: invalid, used or expired",
        )
        .blame(Blame::of_body("token".to_owned())),
        Error::PasswordWrong => Shown::new(S::FORBIDDEN, "wrong_password", "Wrong password"),
        Error::Conflict { rule } => Shown::new(S::CONFLICT, "conflict", rule),
        Error::DeviceLimit { app_id, limit } => Shown::new(
            S::CONFLICT,
            "device_limit_reached",
            format!(
                "All {limit} devices for the app {app_id:?} are in use; release one with DELETE /api/licenses/devices/{{id}}, as GET /api/licenses/devices lists them"
            ),
        ),
        Error::TrialOver { app_id, days } => Shown::new(
            S::PAYMENT_REQUIRED,
            "trial_over",
            format!("The trial of {days} days for the app {app_id:?} is over; a plan is needed"),
        ),
        Error::OtherDevice => Shown::new(
            S::CONFLICT,
            "other_device",
            "The licence is for another device; issue one for this device instead",
        ),
        Error::LicenseRevoked => Shown::new(
            S::CONFLICT,
            "license_revoked",
            "The licence is revoked and cannot be renewed",
        ),
        Error::CreditsTooLow { cost_mc, total_mc } => Shown::new(
            S::PAYMENT_REQUIRED,
            "credits_too_low",
            format!("This costs {cost_mc} millicents, and the balance is {total_mc}"),
        ),
        Error::LicenseTokenInvalid { reason } => {
            tracing::debug!(reason, "licence token refused");
            Shown::new(S::UNAUTHORIZED, "invalid_token", "Invalid licence token")
        }
        Error::LicenseOver => Shown::new(
            S::UNAUTHORIZED,
            "license_expired",
            "The licence has expired; POST /api/licenses/{jti}/renew issues the next one",
        ),
        Error::LicenseEnded => {
            Shown::new(S::UNAUTHORIZED, "license_revoked", "The licence is revoked")
        }
        Error::EntitlementMissing { entitlement } => Shown::new(
            S::FORBIDDEN,
            "entitlement_missing",
            format!("The licence lacks the entitlement {entitlement:?}"),
        ),
        Error::NotConfigured { what } => Shown::new(
            S::SERVICE_UNAVAILABLE,
            "not_configured",
            format!("This server has no {what}; its operator has to configure one"),
        ),
        Error::ProviderSilent => Shown::new(
            S::SERVICE_UNAVAILABLE,
            "payment_provider_silent",
            "The payment provider does not answer; try again, with the same Idempotency-Key if there was one",
        )
        .retry_after(30),
        Error::ProviderRefused => Shown::new(
            S::SERVICE_UNAVAILABLE,
            "payment_provider_refused",
            "The payment provider refused this; its operator finds the reason in the log of this server",
        ),
        Error::IdempotencyKeyInUse => Shown::new(
            S::CONFLICT,
            "idempotency_key_in_use",
            "The first request with this Idempotency-Key is still running; try again",
        )
        .retry_after(1),
        Error::IdempotencyKeyReused => Shown::new(
            S::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "This Idempotency-Key was sent with another request within the last 24 hours",
        ),
        Error::IdempotentAnswerGone { reason } => {
            tracing::info!(reason, "an answer cannot be given again");
            Shown::new(
                S::GONE,
                "idempotency_answer_gone",
                "The first request with this Idempotency-Key succeeded, but the key that signed its answer is no longer in use; list the licences, or issue one with another Idempotency-Key",
            )
        }
        Error::ClientInvalid => Shown::new(S::UNAUTHORIZED, "invalid_client", "Invalid client"),
        Error::ClientForbidden { rule } => Shown::new(S::BAD_REQUEST, "unauthorized_client", rule),
        Error::GrantUnsupported => Shown::new(
            S::BAD_REQUEST,
            "unsupported_grant_type",
            "The grant type must be client_credentials or urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        Error::TargetRefused { field } => Shown::new(
            S::BAD_REQUEST,
            "invalid_target",
            format!("{field}: tokens are for this server alone; leave it out"),
        ),
        Error::IssuerSilent { retry_after_s } => Shown::new(
            S::SERVICE_UNAVAILABLE,
            "issuer_unavailable",
            "The keys of the token's issuer cannot be read now; try again",
        )
        .retry_after(retry_after_s),
        Error::TokenTypeUnsupported => Shown::new(
            S::BAD_REQUEST,
            "unsupported_token_type",
            "A token of this kind ends with its session or its secret; API keys and sessions of one's own can be revoked here",
        ),
        Error::ScopeRefused { problem } => Shown::new(S::BAD_REQUEST, "invalid_scope", problem),
        Error::ScopeMissing { scope } => Shown::new(
            S::FORBIDDEN,
            "scope_missing",
            format!("API key missing required scope: {scope}"),
        ),
        Error::AddressNotAllowed => Shown::new(
            S::FORBIDDEN,
            "address_not_allowed",
            "This API key may not be used from this address",
        ),
        Error::WrongEnvironment => Shown::new(
            S::FORBIDDEN,
            "wrong_environment",
            "This API key belongs to another environment",
        ),
        Error::KeyLimited { state } => Shown::new(
            S::TOO_MANY_REQUESTS,
            "rate_limited",
            format!(
                "The API key's rate limit is used up; try again in {} s",
                state.resets_in_s
            ),
        )
        .rate(state),
        Error::UsedUp => Shown::new(S::FORBIDDEN, "used_up", "The API key has too few uses left"),
        Error::Forbidden { rule } => Shown::new(S::FORBIDDEN, "forbidden", rule),
        Error::NoRule { method, path } => Shown::new(
            S::FORBIDDEN,
            "no_rule",
            format!("No rule covers {method} {}", beginning(&path)),
        ),
        Error::AmbiguousPath { problem } => Shown::new(
            S::FORBIDDEN,
            "ambiguous_path",
            format!("The path could be read in two ways: {problem}"),
        ),
        Error::OriginalRequest { problem } => Shown::new(
            S::BAD_REQUEST,
            "original_request",
            format!("The original request is unclear: {problem}"),
        ),
        Error::Limited { retry_after_s } => {
            let sentence = format!("Too many requests; try again in {retry_after_s} s");
            Shown::new(S::TOO_MANY_REQUESTS, "rate_limited", sentence).retry_after(retry_after_s)
        }
        Error::Busy { retry_after_s } => Shown::new(
            S::SERVICE_UNAVAILABLE,
            "busy",
            "The server is busy; try again",
        )
        .retry_after(retry_after_s),
        Error::Store(error) => store_failed(&error),
        Error::NotInMemory | Error::Fault(_) => {
            tracing::error!(%error, "fault");
            Shown::new(
                S::INTERNAL_SERVER_ERROR,
                "internal",
                "Something went wrong on the server",
            )
        }
    }
}

/// As much of a path as fits into a header that every gateway takes (nginx: 4 KiB for all of them).
fn beginning(path: &str) -> Cow<'_, str> {
    const SHOWN: usize = 256;
    match path.split_at_checked(SHOWN) {
        Some((start, rest)) if !rest.is_empty() => Cow::Owned(format!("{start}...")),
        _ => Cow::Borrowed(path),
    }
}

fn store_failed(error: &StoreError) -> Shown {
    tracing::error!(%error, "store");
    if error.is_temporary() {
        Shown::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "store_unavailable",
            "The store cannot take this now; try again",
        )
        .retry_after(5)
    } else {
        Shown::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong on the server",
        )
    }
}
