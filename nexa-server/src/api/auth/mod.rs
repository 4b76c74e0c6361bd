//! `/api/auth/*`: accounts and sessions of people.

pub(crate) mod password;
pub(crate) mod sessions;

use nexa_core::uuid_v7;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::route::Cx;
use crate::domain::accounts::{self, NewAccount};
use crate::domain::email::EmailAddress;
use crate::domain::password::Password;
use crate::domain::sessions::{self as rules, Device, Opened, Presented};
use crate::domain::{Error, access_tokens, mailed_tokens, password_change, team};
use crate::gate::limit::Limit;
use crate::http::extract::Body;
use crate::http::reply::{Created, Ok200, Secret, Success};
use crate::time::UnixMillis;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Registration {
    email: String,
    /// 8 to 1024 bytes; common ones are refused.
    password: String,
    tenant_name: String,
}

/// Registers an account. The answer is the same for an address that is already known, so that
/// nobody can find out who has an account; its owner gets a mail.
pub(crate) fn register(
    cx: &mut Cx<'_>,
    Body(body): Body<Registration>,
) -> Result<Created<Success>, Error> {
    let email = EmailAddress::parse(&body.email)?;
    let password = Password::new("password", body.password)?;
    let tells_holder = cx.limit(Limit::NoticePerAccount, &email.normal).is_ok();
    let name = &body.tenant_name;
    let account = NewAccount::new(cx.now, cx.rng, &email, &password, name, tells_holder)?;
    cx.write(move |tx, now, origin| accounts::register(tx, now, origin, &account))?;
    cx.wake_mail();
    Ok(Created(Success))
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Login {
    email: String,
    password: String,
}

/// Two documents describe this answer, in two casings: it carries both.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Tokens {
    #[serde(rename = "accessToken")]
    access_token_camel: String,
    #[serde(rename = "accessExpiresAt")]
    access_expires_at: UnixMillis,
    #[serde(rename = "refreshToken")]
    refresh_token: String,
    #[serde(rename = "refreshExpiresAt")]
    refresh_expires_at: UnixMillis,
    access_token: String,
    /// Always `Bearer` (RFC 6750).
    token_type: &'static str,
    /// Seconds the access token lasts.
    expires_in: u64,
}

impl From<Opened> for Tokens {
    fn from(opened: Opened) -> Self {
        Self {
            access_token_camel: opened.access.token.clone(),
            access_token: opened.access.token,
            access_expires_at: opened.access.expires_at,
            refresh_token: opened.refresh_token.expose().to_owned(),
            refresh_expires_at: opened.refresh_expires_at,
            token_type: "Bearer",
            expires_in: access_tokens::ACCESS_TTL_S,
        }
    }
}

pub(crate) fn login(
    cx: &mut Cx<'_>,
    Body(body): Body<Login>,
) -> Result<Secret<Ok200<Tokens>>, Error> {
    let email = EmailAddress::parse(&body.email)?;
    cx.limit(Limit::LoginPerAccount, &email.normal)?;
    let user = cx.read(|tx| rules::candidate(tx, &email))?;
    let user = match rules::check_password(user, &body.password) {
        Err(Error::LoginFailed) => {
            cx.write(move |tx, now, origin| rules::record_failure(tx, now, origin, &email))?;
            return Err(Error::LoginFailed);
        }
        checked => checked?,
    };
    let device = device(cx);
    let draft = rules::draft(cx.now, cx.rng, &cx.services.ring.issuing(), &user, device)?;
    let draft =
        cx.write(move |tx, now, origin| rules::open(tx, now, origin, &draft).map(|()| draft))?;
    Ok(Secret(Ok200(draft.opened.into())))
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RefreshTokenBody {
    refresh_token: String,
}

pub(crate) fn refresh(
    cx: &mut Cx<'_>,
    Body(body): Body<RefreshTokenBody>,
) -> Result<Secret<Ok200<Tokens>>, Error> {
    let device = device(cx);
    let presented = Presented::new(cx.rng, &body.refresh_token, device)?;
    cx.read(|tx| presented.require_session(tx))?;
    let refreshed = cx.write(move |tx, now, origin| rules::refresh(tx, now, origin, presented))?;
    let refreshed = refreshed.ok_or(Error::RefreshInvalid)?;
    let opened = refreshed.open(cx.now, cx.rng, &cx.services.ring.issuing())?;
    Ok(Secret(Ok200(opened.into())))
}

/// Whoever has the token may end its session. One that is unknown has no session left to end.
pub(crate) fn logout(
    cx: &mut Cx<'_>,
    Body(body): Body<RefreshTokenBody>,
) -> Result<Ok200<Success>, Error> {
    let token = Zeroizing::new(body.refresh_token);
    if cx.read(|tx| rules::of_refresh_token(tx, &token))?.is_some() {
        cx.write(move |tx, now, origin| rules::log_out(tx, now, origin, &token))?;
    }
    Ok(Ok200(Success))
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Me {
    user: MyUser,
    tenant: MyTenant,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct MyUser {
    id: String,
    /// Null for the backend user of an agent.
    email: Option<String>,
    /// Whether somebody has followed the link in a mail to the address.
    email_verified: bool,
    role: String,
    created_at: UnixMillis,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct MyTenant {
    id: String,
    name: String,
    created_at: UnixMillis,
}

pub(crate) fn me(cx: &mut Cx<'_>, (): ()) -> Result<Ok200<Me>, Error> {
    let user_id = &cx.member()?.user_id;
    let (user, tenant) = cx.read(|tx| accounts::profile(tx, user_id))?;
    Ok(Ok200(Me {
        user: MyUser {
            id: user.id,
            email: user.email_given,
            email_verified: user.email_verified_at.is_some(),
            role: user.role,
            created_at: user.created_at,
        },
        tenant: MyTenant {
            id: tenant.id,
            name: tenant.name,
            created_at: tenant.created_at,
        },
    }))
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Forgot {
    email: String,
}

/// The answer, and the work before it, are the same whether anybody has the address or not.
pub(crate) fn forgot(cx: &mut Cx<'_>, Body(body): Body<Forgot>) -> Result<Ok200<Success>, Error> {
    let email = EmailAddress::parse(&body.email)?;
    cx.limit(Limit::MailPerAccount, &email.normal)?;
    let mail_id = uuid_v7(cx.now.unsigned_ms(), cx.rng);
    cx.write(move |tx, now, origin| password_change::forgot(tx, now, origin, &mail_id, &email))?;
    cx.wake_mail();
    Ok(Ok200(Success))
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reset {
    /// From the mail; it works once, for 30 minutes.
    token: String,
    /// 8 to 1024 bytes; common ones are refused.
    new_password: String,
}

pub(crate) fn reset(cx: &mut Cx<'_>, Body(body): Body<Reset>) -> Result<Ok200<Success>, Error> {
    let password = Password::new("new_password", body.new_password)?;
    let token = mailed_tokens::presented(&body.token);
    cx.read(|tx| password_change::whose_reset(tx, cx.now, &token))?;
    let hash = password.hash(cx.rng)?;
    // The slow work is done, and others want to log in.
    cx.permit = None;
    while cx.weaken(move |tx, now, _| password_change::clear_for_reset(tx, now, &token))? {}
    let mail_id = uuid_v7(cx.now.unsigned_ms(), cx.rng);
    cx.weaken(move |tx, now, origin| {
        password_change::reset(tx, now, origin, &token, &hash, &mail_id)
    })?;
    cx.wake_mail();
    Ok(Ok200(Success))
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Verification {
    /// From the mail; it works once, for 24 hours.
    token: String,
}

pub(crate) fn verify_email(
    cx: &mut Cx<'_>,
    Body(body): Body<Verification>,
) -> Result<Ok200<Success>, Error> {
    let token = mailed_tokens::presented(&body.token);
    cx.read(|tx| accounts::require_verification_token(tx, cx.now, &token))?;
    cx.write(move |tx, now, origin| accounts::verify_email(tx, now, origin, &token))?;
    Ok(Ok200(Success))
}

/// Does nothing for an address that is verified.
pub(crate) fn resend_verification(cx: &mut Cx<'_>, (): ()) -> Result<Ok200<Success>, Error> {
    let user_id = &cx.member()?.user_id;
    let (user, _) = cx.read(|tx| accounts::profile(tx, user_id))?;
    // By the user, so that whoever has registered an address cannot keep its owner from asking for a reset.
    cx.limit(Limit::MailPerAccount, &user.id)?;
    let mail_id = uuid_v7(cx.now.unsigned_ms(), cx.rng);
    cx.write(move |tx, now, origin| accounts::resend_verification(tx, now, origin, &mail_id))?;
    cx.wake_mail();
    Ok(Ok200(Success))
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Acceptance {
    /// From the mail; it works once, for 7 days.
    token: String,
    /// Of the new account: 8 to 1024 bytes; common ones are refused.
    password: String,
}

pub(crate) fn accept_invite(
    cx: &mut Cx<'_>,
    Body(body): Body<Acceptance>,
) -> Result<Created<Success>, Error> {
    let password = Password::new("password", body.password)?;
    let token = mailed_tokens::presented(&body.token);
    cx.read(|tx| team::require_invite(tx, cx.now, &token))?;
    let hash = password.hash(cx.rng)?;
    // The slow work is done, and others want to log in.
    cx.permit = None;
    while cx.weaken(move |tx, now, _| team::clear_for_acceptance(tx, now, &token))? {}
    let user_id = uuid_v7(cx.now.unsigned_ms(), cx.rng);
    cx.weaken(move |tx, now, origin| team::accept(tx, now, origin, &token, user_id, hash))?;
    Ok(Created(Success))
}

/// The client as its user will recognise it.
fn device(cx: &Cx<'_>) -> Device {
    let user_agent = cx.head.headers.get(hyper::header::USER_AGENT);
    Device::new(
        cx.origin.address,
        user_agent.and_then(|name| name.to_str().ok()),
    )
}
