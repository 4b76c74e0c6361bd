//! `/api/auth/*`: accounts and sessions of people.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::route::Cx;
use crate::domain::accounts::{self, NewAccount};
use crate::domain::email::EmailAddress;
use crate::domain::password::Password;
use crate::domain::{Error, sessions};
use crate::gate::limit::Limit;
use crate::http::extract::Body;
use crate::http::reply::{Created, Ok200, Secret, Success};
use crate::time::UnixMillis;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Registration {
    email: String,
    password: String,
    tenant_name: String,
}

/// Registers an account. The answer is the same for an address that is already known, so that
/// nobody can find out who has an account.
pub(crate) fn register(
    cx: &mut Cx<'_>,
    Body(body): Body<Registration>,
) -> Result<Created<Success>, Error> {
    let email = EmailAddress::parse(&body.email)?;
    let password = Password::new("password", body.password)?;
    let account = NewAccount::new(cx.now, cx.rng, &email, &password, &body.tenant_name)?;
    cx.write(move |tx, now, origin| accounts::register(tx, now, origin, &account))?;
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

pub(crate) fn login(
    cx: &mut Cx<'_>,
    Body(body): Body<Login>,
) -> Result<Secret<Ok200<Tokens>>, Error> {
    let email = EmailAddress::parse(&body.email)?;
    cx.limit(Limit::LoginPerAccount, &email.normal)?;
    let user = cx.read(|tx| sessions::candidate(tx, &email))?;
    let user = match sessions::check_password(user, &body.password) {
        Err(Error::LoginFailed) => {
            cx.write(move |tx, now, origin| sessions::record_failure(tx, now, origin, &email))?;
            return Err(Error::LoginFailed);
        }
        checked => checked?,
    };
    let opened = sessions::draft(cx.now, cx.rng, &cx.services.issuing, &user)?;
    let opened =
        cx.write(move |tx, now, origin| sessions::open(tx, now, origin, &opened).map(|()| opened))?;
    Ok(Secret(Ok200(Tokens {
        access_token_camel: opened.access_token.clone(),
        access_token: opened.access_token,
        access_expires_at: opened.access_expires_at,
        refresh_token: opened.refresh_token.expose().to_owned(),
        refresh_expires_at: opened.refresh_expires_at,
        token_type: "Bearer",
        expires_in: sessions::ACCESS_TTL_S,
    })))
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
