//! `/api/auth/password`: the caller's own password.

use nexa_core::uuid_v7;
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::route::Cx;
use super::{Tokens, device};
use crate::domain::password::Password;
use crate::domain::{Error, password_change, sessions};
use crate::gate::limit::Limit;
use crate::http::extract::Body;
use crate::http::reply::{Ok200, Secret};
use crate::store::users::User;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PasswordChange {
    current_password: String,
    /// 8 to 1024 bytes; common ones are refused.
    new_password: String,
}

/// Every session of the user ends; the answer opens one in their place.
pub(crate) fn change(
    cx: &mut Cx<'_>,
    Body(body): Body<PasswordChange>,
) -> Result<Secret<Ok200<Tokens>>, Error> {
    let password = Password::new("new_password", body.new_password)?;
    let mut user = confirmed(cx, &body.current_password)?;
    let hash = password.hash(cx.rng)?;
    // As it will be when the old sessions have ended.
    user.session_version += 1;
    let device = device(cx);
    let draft = sessions::draft(cx.now, cx.rng, &cx.services.ring.issuing(), &user, device)?;
    let mail_id = uuid_v7(cx.now.unsigned_ms(), cx.rng);
    let draft = cx.write(move |tx, now, origin| {
        password_change::change(tx, now, origin, &hash, &draft, &mail_id).map(|()| draft)
    })?;
    cx.wake_mail();
    Ok(Secret(Ok200(draft.opened.into())))
}

/// The calling user, who has given its password once more: whoever has got hold of a session can neither guess it by that
/// nor do without it.
///
/// # Errors
/// `PasswordWrong`, which is recorded; `Limited` after too many.
pub(crate) fn confirmed(cx: &Cx<'_>, password: &str) -> Result<User, Error> {
    let member = cx.member()?;
    let user = cx.read(|tx| password_change::caller(tx, member))?;
    cx.limit(Limit::LoginPerAccount, &user.id)?;
    match password_change::check_own(user, password) {
        Err(Error::PasswordWrong) => {
            cx.write(password_change::record_refusal)?;
            Err(Error::PasswordWrong)
        }
        checked => checked,
    }
}
