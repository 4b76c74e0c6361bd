//! The token-exchange grant (RFC 8693): a machine's identity token, signed by an issuer that the operator trusts, for an
//! access token.

use super::super::super::route::Cx;
use super::token::AccessToken;
use crate::domain::principal::Principal;
use crate::domain::trust::Refused;
use crate::domain::{Error, exchange};
use crate::gate::{client, credential, identity_token};

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const SUBJECT_TOKENS: [&str; 2] = [
    "urn:ietf:params:oauth:token-type:jwt",
    "urn:ietf:params:oauth:token-type:id_token",
];
const SUBJECT_TOKEN: &str = "subject_token";

/// The parameters of RFC 8693 §2.1; none is empty.
pub(super) struct Exchange {
    pub(super) client_secret: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) subject_token: Option<String>,
    pub(super) subject_token_type: Option<String>,
    pub(super) requested_token_type: Option<String>,
    pub(super) resource: Option<String>,
    pub(super) audience: Option<String>,
    /// Either of the two that tell of an actor.
    pub(super) actor_token: Option<String>,
}

pub(super) fn by_identity(cx: &mut Cx<'_>, request: Exchange) -> Result<AccessToken, Error> {
    let token = checked(cx, &request)?;
    match exchanged(cx, token, request.scope.as_deref()) {
        Ok(token) => Ok(token),
        Err(Failed::Error(error)) => Err(error),
        Err(Failed::Refused(refused)) => {
            cx.authority().count_refused_address(cx.now, &cx.origin)?;
            tracing::info!(address = ?cx.origin.address, %refused, "identity token refused");
            // RFC 8693 §2.2.2 has invalid_request for every token that is not taken.
            Err(Error::invalid(
                SUBJECT_TOKEN,
                match refused {
                    Refused::Plain(problem) => problem,
                    Refused::Untrusted(_) => UNTRUSTED.to_owned(),
                },
            ))
        }
    }
}

/// The same for all that depends on the configuration, so that nobody learns it by trying.
const UNTRUSTED: &str = "not trusted here, by its issuer, audience, subject, key or signature; the server's log says which. \
                         New keys of an issuer are read once a minute";

/// Checks what can be checked without looking into the token, and answers the token.
fn checked<'r>(cx: &Cx<'_>, request: &'r Exchange) -> Result<&'r str, Error> {
    let headers = &cx.head.headers;
    let has_client = client::presented(headers, None, None)?.is_some();
    if has_client
        || request.client_secret.is_some()
        || !matches!(credential::presented(headers), Ok(None))
    {
        return Err(Error::TwoCredentials);
    }
    let token = request
        .subject_token
        .as_deref()
        .ok_or_else(|| Error::invalid(SUBJECT_TOKEN, "required"))?;
    match request.subject_token_type.as_deref() {
        Some(name) if SUBJECT_TOKENS.contains(&name) => {}
        Some(_) => {
            let rule = format!("must be {}", SUBJECT_TOKENS.join(" or "));
            return Err(Error::invalid("subject_token_type", rule));
        }
        None => return Err(Error::invalid("subject_token_type", "required")),
    }
    if let Some(name) = &request.requested_token_type
        && name != ACCESS_TOKEN
    {
        let rule = format!("must be {ACCESS_TOKEN}");
        return Err(Error::invalid("requested_token_type", rule));
    }
    if request.actor_token.is_some() {
        return Err(Error::invalid("actor_token", "not taken: the subject acts"));
    }
    let own = cx.services.ring.issuer();
    for (field, target) in [
        ("resource", &request.resource),
        ("audience", &request.audience),
    ] {
        if target.as_ref().is_some_and(|target| target != own) {
            return Err(Error::TargetRefused { field });
        }
    }
    Ok(token)
}

enum Failed {
    Refused(Refused),
    Error(Error),
}

impl From<Refused> for Failed {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

fn exchanged(cx: &mut Cx<'_>, token: &str, scope: Option<&str>) -> Result<AccessToken, Failed> {
    let services = cx.services;
    let issuing = &services.ring.issuing();
    let presented = identity_token::read(cx.now, &issuing.trusted, token)?;
    let key_id = &presented.key_id;
    let keys = services
        .issuer_keys
        .get(presented.claimed.place())
        .ok_or_else(|| Error::Fault("an issuer without a place for its keys".to_owned()))?;
    let key = keys
        .find(cx.now, key_id)?
        .ok_or_else(|| Refused::Untrusted(format!("kid {key_id:?} is no key of the issuer")))?;
    let identity = presented.claimed.verify(&key)?;
    let rule = identity.rule();
    let owner = cx
        .read(|tx| exchange::owner(tx, rule))?
        .ok_or_else(|| no_owner(&rule.tenant_id))?;
    let exchanged = exchange::issue(
        cx.now,
        cx.rng,
        issuing,
        &services.key_policy.known,
        &identity,
        &owner,
        scope,
    )?;
    // From here on the subject is the caller: the write asks whether its owner still stands.
    cx.origin.principal = Principal::Member(exchanged.member);
    match cx.write(exchange::record_issue) {
        Err(Error::TokenInvalid { .. }) => return Err(no_owner(&rule.tenant_id).into()),
        written => written?,
    }
    Ok(AccessToken {
        access_token: exchanged.token,
        issued_token_type: Some(ACCESS_TOKEN),
        token_type: "Bearer",
        expires_in: exchanged.ttl_s,
        scope: Some(exchanged.scope),
    })
}

fn no_owner(tenant_id: &str) -> Refused {
    Refused::Untrusted(format!("no active owner in the tenant {tenant_id}"))
}
