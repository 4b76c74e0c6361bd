//! Teams: the users of a tenant, and the invitations to become one.

use nexa_core::{KeyDigest, uuid_v7};
use rand_core::CryptoRng;

use super::accounts;
use super::audit::{self, Act, Origin};
use super::email::EmailAddress;
use super::error::Error;
use super::key_cache::Weakened;
use super::mailed_tokens::{self, INVITE_DAYS};
use super::mails::{self, Addressee, Letter, MailKind};
use super::paging::{Page, Paged};
use super::principal::{Member, Role};
use super::{keys, sessions};
use crate::store::invites::{self, Invite};
use crate::store::users::{self, User};
use crate::store::{Tx, tenants, usage};
use crate::time::UnixMillis;

const SECONDS_A_DAY: i64 = 24 * 3600;
const MEMBER: &str = "Member";
const INVITE: &str = "Invite";

/// One page of the tenant's users, newest first.
pub(crate) fn members(tx: &Tx<'_>, member: &Member, page: &Page) -> Result<Paged<User>, Error> {
    let before = page.before.as_deref();
    let found = users::list(tx, &member.tenant_id, before, page.probe())?;
    Ok(Paged::new(found, page, |user| &user.id))
}

/// Gives a user of the tenant another role; answers the user as it is then.
///
/// # Errors
/// `NotFound`; `Forbidden` for an admin who reaches for an owner's role; `Conflict` for the last owner.
pub(crate) fn change_role(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    user_id: &str,
    role: Role,
) -> Result<(User, Weakened), Error> {
    let member = manager(origin)?;
    let user = managed(tx, member, user_id)?;
    let is_change = user.role != role.as_str();
    if role == Role::Owner && is_change {
        member.require_owner()?;
    }
    if is_change {
        require_other_owner(tx, &user)?;
        users::set_role(tx, &user.id, role.as_str())?;
        record(tx, now, origin, Act::MemberRoleChanged, &user.id)?;
    }
    let user = User {
        role: role.as_str().to_owned(),
        ..user
    };
    Ok((user, Weakened::User(user_id.to_owned())))
}

/// Ends everything that a user of the tenant can do, before [`remove`] takes the user away.
///
/// # Errors
/// `NotFound`; `Forbidden` for an admin who removes an owner; `Conflict` for the last owner.
pub(crate) fn begin_removing(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    user_id: &str,
) -> Result<((), Weakened), Error> {
    let user = managed(tx, manager(origin)?, user_id)?;
    require_other_owner(tx, &user)?;
    users::set_active(tx, &user.id, false)?;
    sessions::end_all(tx, &user.id)?;
    record(tx, now, origin, Act::UserDisabled, &user.id)?;
    Ok(((), Weakened::User(user.id)))
}

/// Removes a user from the tenant, with its sessions, tokens and keys; what it made for the tenant stays the tenant's.
///
/// # Errors
/// As [`begin_removing`].
pub(crate) fn remove(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    user_id: &str,
) -> Result<((), Weakened), Error> {
    let member = manager(origin)?;
    let user = managed(tx, member, user_id)?;
    require_other_owner(tx, &user)?;
    keys::delete_of_user(tx, now, origin, &user.tenant_id, &user.id)?;
    sessions::end_all(tx, &user.id)?;
    mailed_tokens::forget(tx, &user.id)?;
    usage::leave(tx, &user.tenant_id, &user.id)?;
    users::delete(tx, &user.id)?;
    record(tx, now, origin, Act::MemberRemoved, &user.id)?;
    Ok(((), Weakened::User(user.id)))
}

/// An invitation that [`invite`] has yet to record.
pub(crate) struct NewInvite {
    id: String,
    mail_id: String,
    email: EmailAddress,
    role: Role,
}

impl NewInvite {
    pub(crate) fn new(
        now: UnixMillis,
        rng: &mut dyn CryptoRng,
        email: EmailAddress,
        role: Role,
    ) -> Self {
        Self {
            id: uuid_v7(now.unsigned_ms(), rng),
            mail_id: uuid_v7(now.unsigned_ms(), rng),
            email,
            role,
        }
    }
}

/// Invites an address, in the place of an earlier invitation of it. Whether anybody has an account with it is not said.
///
/// # Errors
/// `Conflict` for an address that a user of this tenant has.
pub(crate) fn invite(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    new: NewInvite,
) -> Result<Invite, Error> {
    let member = manager(origin)?;
    let holder = users::find_by_email(tx, &new.email.normal)?;
    if holder.is_some_and(|user| user.tenant_id == member.tenant_id) {
        return Err(Error::Conflict {
            rule: "A member of this team has this address",
        });
    }
    invites::delete_of_address(tx, &member.tenant_id, &new.email.normal)?;
    let invite = Invite {
        id: new.id,
        tenant_id: member.tenant_id.clone(),
        invited_by: member.user_id.clone(),
        email: new.email.normal,
        email_given: new.email.given,
        role: new.role.as_str().to_owned(),
        created_at: now,
        expires_at: now.plus_seconds(i64::from(INVITE_DAYS) * SECONDS_A_DAY),
    };
    invites::insert(tx, &invite)?;
    let to = Addressee::Invite(&invite.id);
    mails::enqueue(tx, now, origin, &new.mail_id, MailKind::Invite, to)?;
    record(tx, now, origin, Act::InviteCreated, &invite.id)?;
    Ok(invite)
}

/// One page of the invitations that stand, newest first.
pub(crate) fn invites(
    tx: &Tx<'_>,
    now: UnixMillis,
    member: &Member,
    page: &Page,
) -> Result<Paged<Invite>, Error> {
    let before = page.before.as_deref();
    let found = invites::list(tx, now, &member.tenant_id, before, page.probe())?;
    Ok(Paged::new(found, page, |invite| &invite.id))
}

/// Withdraws an invitation; its token is dead.
///
/// # Errors
/// `NotFound`.
pub(crate) fn withdraw(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    id: &str,
) -> Result<(), Error> {
    let member = manager(origin)?;
    let invite = invites::find(tx, id)?
        .filter(|invite| invite.tenant_id == member.tenant_id && now < invite.expires_at)
        .ok_or(Error::NotFound { noun: INVITE })?;
    invites::delete(tx, &invite.id)?;
    record(tx, now, origin, Act::InviteWithdrawn, &invite.id)
}

/// The letter of an invitation that still stands, whose token counts from now on.
pub(super) fn letter(
    tx: &Tx<'_>,
    now: UnixMillis,
    invite_id: &str,
    token: &KeyDigest,
) -> Result<Option<Letter>, Error> {
    let Some(invite) = invites::find(tx, invite_id)? else {
        return Ok(None);
    };
    let Some(inviter) = inviter(tx, now, &invite)? else {
        return Ok(None);
    };
    invites::set_token(tx, &invite.id, &token.to_bytes())?;
    let tenant = tenants::find(tx, &invite.tenant_id)?;
    Ok(Some(Letter {
        kind: MailKind::Invite,
        to: invite.email_given,
        tenant_name: tenant.map(|tenant| tenant.name).unwrap_or_default(),
        // Nobody is to write in the name of an address that may be another's.
        inviter: inviter
            .email_given
            .filter(|_| inviter.email_verified_at.is_some()),
        role: invite.role,
        asked_from: None,
    }))
}

/// Whether the token would let somebody in: asked before a password is hashed.
///
/// # Errors
/// `MailedTokenInvalid`, and `Conflict` where the address stays with its user.
pub(crate) fn require_invite(tx: &Tx<'_>, now: UnixMillis, token: &KeyDigest) -> Result<(), Error> {
    holder(tx, &standing(tx, now, token)?).map(drop)
}

/// Deletes some keys of the user who loses the address to whoever accepts, if there is one; answers whether there are more.
/// So that [`accept`] has few left.
///
/// # Errors
/// As [`require_invite`].
pub(crate) fn clear_for_acceptance(
    tx: &Tx<'_>,
    now: UnixMillis,
    token: &KeyDigest,
) -> Result<(bool, Weakened), Error> {
    match holder(tx, &standing(tx, now, token)?)? {
        Some(holder) => keys::delete_part_of_user(tx, now, &holder.id),
        None => Ok((false, Weakened::Values(Vec::new()))),
    }
}

/// Makes whoever holds the token a user of the tenant that invited. Who has it reads the address, so a user who has the
/// address and never showed that loses it.
///
/// # Errors
/// `MailedTokenInvalid` for an invitation that was withdrawn, has expired or was accepted, or whose inviter may invite nobody
/// any more; `Conflict` when a user has the address and has shown so.
pub(crate) fn accept(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    token: &KeyDigest,
    user_id: String,
    password_hash: String,
) -> Result<((), Weakened), Error> {
    let invite = standing(tx, now, token)?;
    let weakened = match holder(tx, &invite)? {
        None => Weakened::Values(Vec::new()),
        Some(holder) => accounts::give_up_address(tx, now, origin, &holder)?,
    };
    let user = User {
        id: user_id,
        tenant_id: invite.tenant_id.clone(),
        email: Some(invite.email),
        email_given: Some(invite.email_given),
        email_verified_at: Some(now),
        password_hash: Some(password_hash),
        role: invite.role,
        session_version: 1,
        created_at: now,
        is_active: true,
    };
    users::insert(tx, &user)?;
    invites::delete(tx, &invite.id)?;
    let tenant_id = Some(invite.tenant_id.as_str());
    audit::record(
        tx,
        now,
        origin,
        Act::InviteAccepted,
        tenant_id,
        Some(&user.id),
    )?;
    Ok(((), weakened))
}

/// The user who has the address of an invitation, and has never shown that it is theirs.
///
/// # Errors
/// `Conflict` for one who has.
fn holder(tx: &Tx<'_>, invite: &Invite) -> Result<Option<User>, Error> {
    let holder = users::find_by_email(tx, &invite.email)?;
    match holder {
        Some(holder) if holder.email_verified_at.is_some() => Err(Error::Conflict {
            rule: "This address has an account already",
        }),
        holder => Ok(holder),
    }
}

/// The invitation of a token, while it stands.
fn standing(tx: &Tx<'_>, now: UnixMillis, token: &KeyDigest) -> Result<Invite, Error> {
    let invite = invites::find_by_token(tx, &token.to_bytes())?.ok_or(Error::MailedTokenInvalid)?;
    match inviter(tx, now, &invite)? {
        Some(_) => Ok(invite),
        None => Err(Error::MailedTokenInvalid),
    }
}

/// Who invited, while the invitation has time left and they may still invite.
fn inviter(tx: &Tx<'_>, now: UnixMillis, invite: &Invite) -> Result<Option<User>, Error> {
    let user = users::find(tx, &invite.invited_by)?.filter(|user| user.is_active);
    match user {
        Some(user) if now < invite.expires_at && Role::parse(&user.role)?.manages_tenant() => {
            Ok(Some(user))
        }
        Some(_) | None => Ok(None),
    }
}

/// The caller, in person and with a role that manages the tenant.
fn manager(origin: &Origin) -> Result<&Member, Error> {
    let member = origin.principal.member()?;
    member.require_person()?;
    member.require_manager()?;
    Ok(member)
}

/// A user of the caller's tenant whom the caller may touch.
fn managed(tx: &Tx<'_>, member: &Member, user_id: &str) -> Result<User, Error> {
    let user = users::find(tx, user_id)?
        .filter(|user| user.tenant_id == member.tenant_id)
        .ok_or(Error::NotFound { noun: MEMBER })?;
    if Role::parse(&user.role)?.outranks(member.role) {
        return Err(Error::Forbidden {
            rule: "Only an owner changes or removes an owner",
        });
    }
    Ok(user)
}

/// A tenant keeps an owner who can act.
fn require_other_owner(tx: &Tx<'_>, user: &User) -> Result<(), Error> {
    let owner = Role::Owner.as_str();
    if user.role == owner && users::count_others(tx, &user.tenant_id, owner, &user.id)? == 0 {
        return Err(Error::Conflict {
            rule: "The last owner stays: make another member an owner first",
        });
    }
    Ok(())
}

fn record(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    act: Act,
    subject_id: &str,
) -> Result<(), Error> {
    let tenant_id = origin.principal.member()?.tenant_id.as_str();
    audit::record(tx, now, origin, act, Some(tenant_id), Some(subject_id))
}
