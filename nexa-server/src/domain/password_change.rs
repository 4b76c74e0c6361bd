//! Passwords of accounts: changed by their owner, forgotten, reset.

use nexa_core::KeyDigest;

use super::audit::{self, Act, Origin};
use super::email::EmailAddress;
use super::error::Error;
use super::key_cache::Weakened;
use super::keys;
use super::mailed_tokens::{self, Purpose};
use super::mails::{self, Addressee, MailKind};
use super::password;
use super::principal::{Member, Role};
use super::sessions::{self, Draft};
use crate::store::users::{self, User};
use crate::store::{StoreError, Tx, invites};
use crate::time::UnixMillis;

/// The calling user, if the password is its own: the slow part.
///
/// # Errors
/// `PasswordWrong`.
pub(crate) fn check_own(user: User, presented: &str) -> Result<User, Error> {
    match password::verify(presented, user.password_hash.as_deref())? {
        true => Ok(user),
        false => Err(Error::PasswordWrong),
    }
}

/// Records that the caller's own password was asked for once more, and was not this one.
pub(crate) fn record_refusal(tx: &Tx<'_>, now: UnixMillis, origin: &Origin) -> Result<(), Error> {
    let member = origin.principal.member()?;
    let act = Act::PasswordRefused;
    record(tx, now, origin, act, &member.tenant_id, &member.user_id)
}

/// The calling user with its password's hash.
pub(crate) fn caller(tx: &Tx<'_>, member: &Member) -> Result<User, Error> {
    Ok(users::find(tx, &member.user_id)?.ok_or(StoreError::NoRow)?)
}

/// Replaces the calling user's password. All its sessions end, and the one that was drafted takes their place.
///
/// # Errors
/// `Forbidden` when the caller is not there in person.
pub(crate) fn change(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    password_hash: &str,
    draft: &Draft,
    mail_id: &str,
) -> Result<(), Error> {
    let member = origin.principal.member()?;
    member.require_person()?;
    replace(tx, &member.user_id, password_hash)?;
    record(
        tx,
        now,
        origin,
        Act::PasswordChanged,
        &member.tenant_id,
        &member.user_id,
    )?;
    notify(tx, now, origin, mail_id, &member.user_id)?;
    sessions::open(tx, now, origin, draft)
}

/// Queues a mail with a token that resets the password; for an unknown address one to nobody. Whether the user may still log
/// in is asked when it is sent.
pub(crate) fn forgot(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    mail_id: &str,
    email: &EmailAddress,
) -> Result<(), Error> {
    let user_id = users::id_of_email(tx, &email.normal)?;
    let to = user_id
        .as_deref()
        .map_or(Addressee::Nobody, Addressee::User);
    mails::enqueue(tx, now, origin, mail_id, MailKind::ResetPassword, to)
}

/// The user whose password the token would reset: asked before the new one is hashed.
///
/// # Errors
/// `MailedTokenInvalid`.
pub(crate) fn whose_reset(tx: &Tx<'_>, now: UnixMillis, token: &KeyDigest) -> Result<User, Error> {
    let user_id = mailed_tokens::user_of(tx, now, Purpose::ResetPassword, token)?;
    users::find(tx, &user_id)?
        .filter(|user| user.is_active)
        .ok_or(Error::MailedTokenInvalid)
}

/// Deletes some keys of the user whose password the token would reset, if nobody has shown that the address is theirs;
/// answers whether there are more. So that [`reset`] has few left.
///
/// # Errors
/// `MailedTokenInvalid`.
pub(crate) fn clear_for_reset(
    tx: &Tx<'_>,
    now: UnixMillis,
    token: &KeyDigest,
) -> Result<(bool, Weakened), Error> {
    let user = whose_reset(tx, now, token)?;
    match user.email_verified_at {
        Some(_) => Ok((false, Weakened::Values(Vec::new()))),
        None => keys::delete_part_of_user(tx, now, &user.id),
    }
}

/// Sets the password of the user that the token was mailed to. All its sessions end. Who has the token reads the address:
/// if nobody had shown that before, what was done in its name ends too: keys, invitations, and what others became by it.
///
/// # Errors
/// `MailedTokenInvalid`, also for a user who has been disabled.
pub(crate) fn reset(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    token: &KeyDigest,
    password_hash: &str,
    mail_id: &str,
) -> Result<((), Weakened), Error> {
    let user = whose_reset(tx, now, token)?;
    // The token is used up by this: it was mailed for the old password.
    replace(tx, &user.id, password_hash)?;
    if user.email_verified_at.is_none() {
        keys::delete_of_user(tx, now, origin, &user.tenant_id, &user.id)?;
        invites::delete_of_inviter(tx, &user.id)?;
        // An owner in somebody else's name made others what they are; whoever is less made nobody anything.
        let has_ranked = user.role == Role::Owner.as_str();
        if has_ranked && users::demote_others(tx, &user.tenant_id, &user.id)? > 0 {
            record(
                tx,
                now,
                origin,
                Act::MembersDemoted,
                &user.tenant_id,
                &user.id,
            )?;
        }
        users::set_email_verified(tx, now, &user.id)?;
    }
    record(
        tx,
        now,
        origin,
        Act::PasswordReset,
        &user.tenant_id,
        &user.id,
    )?;
    notify(tx, now, origin, mail_id, &user.id)?;
    // What the others could do is cached too.
    Ok(((), Weakened::Tenant(user.tenant_id)))
}

/// What was mailed for the old password is dead with it.
fn replace(tx: &Tx<'_>, user_id: &str, password_hash: &str) -> Result<(), Error> {
    users::set_password(tx, user_id, password_hash)?;
    mailed_tokens::forget(tx, user_id)?;
    sessions::end_all(tx, user_id)
}

fn notify(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    mail_id: &str,
    user_id: &str,
) -> Result<(), Error> {
    let to = Addressee::User(user_id);
    mails::enqueue(tx, now, origin, mail_id, MailKind::PasswordChanged, to)
}

fn record(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    act: Act,
    tenant_id: &str,
    user_id: &str,
) -> Result<(), Error> {
    audit::record(tx, now, origin, act, Some(tenant_id), Some(user_id))
}
