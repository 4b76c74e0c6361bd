//! Mails that are due: queued with the effect they tell of, written when they are sent, and tried again until they are.

use std::net::IpAddr;

use nexa_core::KeyDigest;
use sha2::{Digest, Sha256};

use super::audit::{self, Act, Origin};
use super::email;
use super::error::Error;
use super::mailed_tokens::{self, Purpose};
use super::notices::{self, Notice, Told};
use super::principal::{Principal, Role};
use super::team;
use crate::store::agents;
use crate::store::mails::{self, ContactLetter, Mail};
use crate::store::users::{self, User};
use crate::store::{Tx, tenants};
use crate::time::UnixMillis;

/// How long a mail is tried, in seconds: nobody waits longer for what was asked for.
const GIVE_UP_S: i64 = 24 * 3600;
/// As [`GIVE_UP_S`], of a notice, which nobody waits for and nobody asks for again.
const GIVE_UP_NOTICE_S: i64 = 14 * 24 * 3600;
/// The first pause between two tries, in seconds; each one after it is twice as long, up to an hour.
const FIRST_PAUSE_S: i64 = 10;
const PAUSE_MAX_S: i64 = 3600;
/// How many letters go to an address that agents have named, in a day: nobody has shown that it is theirs.
const CONTACT_LETTERS_A_DAY: i64 = 10;

/// What a mail says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MailKind {
    VerifyEmail,
    ResetPassword,
    Invite,
    /// To the owner of an address that somebody tried to register again.
    AlreadyRegistered,
    PasswordChanged,
}

/// Who a mail goes to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Addressee<'a> {
    User(&'a str),
    /// The address that an invitation names.
    Invite(&'a str),
    /// Nobody has the address: what is done for a known one is done for this one too, for a user who does not exist.
    Nobody,
}

/// Queues a mail under a new id. It takes the place of an unsent one of the same kind to the same user.
pub(super) fn enqueue(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    id: &str,
    kind: MailKind,
    to: Addressee<'_>,
) -> Result<(), Error> {
    let (user_id, invite_id) = match to {
        Addressee::User(id) => (Some(id.to_owned()), None),
        Addressee::Invite(id) => (None, Some(id.to_owned())),
        Addressee::Nobody => (Some(id.to_owned()), None),
    };
    let mail = Mail {
        id: id.to_owned(),
        kind: kind.as_str().to_owned(),
        user_id,
        invite_id,
        notice_id: None,
        address: origin.address.map(|address| address.to_string()),
        attempts: 0,
        created_at: now,
        due_at: now,
    };
    Ok(mails::insert(tx, &mail)?)
}

/// What is to be written to somebody.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) kind: MailKind,
    pub(crate) to: String,
    pub(crate) tenant_name: String,
    /// The address of whoever invited, if it is known to be theirs.
    pub(crate) inviter: Option<String>,
    pub(crate) role: String,
    /// The client that asked for it, if it is known.
    pub(crate) asked_from: Option<IpAddr>,
}

/// What became of a mail that was due.
#[derive(Debug)]
pub(crate) enum Begun {
    /// Send it, with the token; [`done`] then.
    Letter(Box<Letter>),
    /// Send it, without one; [`done`] then.
    Notice {
        to: String,
        reader: Reader,
        told: Told,
    },
    /// There is nobody to send it to, or nothing to say any more.
    Nothing,
    /// It has been tried for long enough.
    GivenUp,
}

/// Who reads a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    User,
    /// Whoever an agent has named: nobody who could log in.
    AgentContact,
}

/// The mail that is to be sent next.
pub(crate) fn next(tx: &Tx<'_>, now: UnixMillis) -> Result<Option<Mail>, Error> {
    Ok(mails::next(tx, now)?)
}

/// Begins to send a mail: notes when to try again, and makes the token that will be in it count. The tokens of earlier tries
/// are dead with that, since the newest counts.
pub(crate) fn begin(
    tx: &Tx<'_>,
    now: UnixMillis,
    mail: &Mail,
    token: &KeyDigest,
) -> Result<Begun, Error> {
    let give_up_s = match mail.notice_id {
        Some(_) => GIVE_UP_NOTICE_S,
        None => GIVE_UP_S,
    };
    if now >= mail.created_at.plus_seconds(give_up_s) {
        return Ok(Begun::GivenUp);
    }
    if !mails::begin(tx, &mail.id, now.plus_seconds(pause_s(mail.attempts)))? {
        return Ok(Begun::Nothing);
    }
    if let (Some(notice_id), Some(user_id)) = (&mail.notice_id, &mail.user_id) {
        return to_told(tx, now, mail, user_id, notice_id);
    }
    let kind = MailKind::parse(&mail.kind)?;
    let letter = match (&mail.user_id, &mail.invite_id) {
        (Some(user_id), _) => to_user(tx, now, mail, kind, user_id, token)?,
        (None, Some(invite_id)) => team::letter(tx, now, invite_id, token)?,
        (None, None) => None,
    };
    Ok(letter.map_or(Begun::Nothing, |letter| Begun::Letter(Box::new(letter))))
}

/// The mail needs no more tries.
pub(crate) fn done(tx: &Tx<'_>, id: &str) -> Result<(), Error> {
    Ok(mails::delete(tx, id)?)
}

fn to_user(
    tx: &Tx<'_>,
    now: UnixMillis,
    mail: &Mail,
    kind: MailKind,
    user_id: &str,
    token: &KeyDigest,
) -> Result<Option<Letter>, Error> {
    let Some((user, to)) = reachable(tx, user_id)? else {
        return Ok(None);
    };
    match kind {
        MailKind::VerifyEmail if user.email_verified_at.is_some() => return Ok(None),
        MailKind::VerifyEmail => {
            mailed_tokens::keep(tx, now, Purpose::VerifyEmail, user_id, token)?;
        }
        MailKind::ResetPassword => {
            mailed_tokens::keep(tx, now, Purpose::ResetPassword, user_id, token)?;
            if mail.attempts == 0 {
                record_request(tx, now, &user, mail)?;
            }
        }
        MailKind::AlreadyRegistered | MailKind::PasswordChanged => {}
        MailKind::Invite => return Ok(None),
    }
    let tenant = tenants::find(tx, &user.tenant_id)?;
    Ok(Some(Letter {
        kind,
        to,
        tenant_name: tenant.map(|tenant| tenant.name).unwrap_or_default(),
        inviter: None,
        role: user.role,
        asked_from: client(mail),
    }))
}

/// Whoever has left the owners since, or has no way in any more, is told nothing; what is about somebody's own key is told
/// to them, whatever their role. An agent has no address of its own: it is told of leaks alone, where it says.
fn to_told(
    tx: &Tx<'_>,
    now: UnixMillis,
    mail: &Mail,
    user_id: &str,
    notice_id: &str,
) -> Result<Begun, Error> {
    let (Some(user), Some(told)) = (
        active(tx, user_id)?,
        notices::still_told(tx, now, notice_id)?,
    ) else {
        return Ok(Begun::Nothing);
    };
    let (is_leak, is_own) = match &told.notice {
        Notice::KeyLeaked { user_id, .. } => (true, user_id.as_deref() == Some(user.id.as_str())),
        Notice::CreditsLow { .. }
        | Notice::PaymentFailed { .. }
        | Notice::SubscriptionEnded { .. }
        | Notice::TrialEnding { .. } => (false, false),
    };
    if !is_own && user.role != Role::Owner.as_str() {
        return Ok(Begun::Nothing);
    }
    let (to, reader) = match user.email_given {
        None if is_leak => (
            contact(tx, now, mail, &user.tenant_id)?,
            Reader::AgentContact,
        ),
        given => (given, Reader::User),
    };
    Ok(to.map_or(Begun::Nothing, |to| Begun::Notice { to, reader, told }))
}

/// The address that an agent has named, unless it has had its letters for a day; the mail is counted as one.
fn contact(
    tx: &Tx<'_>,
    now: UnixMillis,
    mail: &Mail,
    tenant_id: &str,
) -> Result<Option<String>, Error> {
    const DAY_S: i64 = 24 * 3600;
    let named = agents::find(tx, tenant_id)?.and_then(|agent| agent.contact_email);
    let Some(named) = named else {
        return Ok(None);
    };
    let letter = ContactLetter {
        mail_id: &mail.id,
        contact_digest: &Sha256::digest(email::normal(&named)).into(),
        expires_at: now.plus_seconds(DAY_S),
    };
    if mails::count_contact_letters(tx, now, letter)? >= CONTACT_LETTERS_A_DAY {
        return Ok(None);
    }
    mails::put_contact_letter(tx, letter)?;
    Ok(Some(named))
}

fn active(tx: &Tx<'_>, user_id: &str) -> Result<Option<User>, Error> {
    Ok(users::find(tx, user_id)?.filter(|user| user.is_active))
}

/// An active user with an address.
fn reachable(tx: &Tx<'_>, user_id: &str) -> Result<Option<(User, String)>, Error> {
    Ok(active(tx, user_id)?.and_then(|user| {
        let to = user.email_given.clone()?;
        Some((user, to))
    }))
}

/// Recorded here and not where it was asked for, so that asking for a known address writes no more than for another.
fn record_request(tx: &Tx<'_>, now: UnixMillis, user: &User, mail: &Mail) -> Result<(), Error> {
    let origin = Origin {
        principal: Principal::Anyone,
        address: client(mail),
    };
    let (tenant_id, user_id) = (Some(user.tenant_id.as_str()), Some(user.id.as_str()));
    audit::record(
        tx,
        now,
        &origin,
        Act::PasswordResetRequested,
        tenant_id,
        user_id,
    )
}

/// The client that asked for the mail.
fn client(mail: &Mail) -> Option<IpAddr> {
    mail.address.as_ref().and_then(|text| text.parse().ok())
}

pub(super) fn pause_s(attempts: i64) -> i64 {
    let doublings = u32::try_from(attempts).unwrap_or(0).min(16);
    (FIRST_PAUSE_S << doublings).min(PAUSE_MAX_S)
}

impl MailKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::Invite => "invite",
            Self::AlreadyRegistered => "already_registered",
            Self::PasswordChanged => "password_changed",
        }
    }

    /// Reads a stored kind.
    fn parse(text: &str) -> Result<Self, Error> {
        [
            Self::VerifyEmail,
            Self::ResetPassword,
            Self::Invite,
            Self::AlreadyRegistered,
            Self::PasswordChanged,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == text)
        .ok_or_else(|| Error::Fault(format!("unknown mail {text:?} in the store")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        for (attempts, pause) in [
            (0, 10),
            (1, 20),
            (2, 40),
            (8, 2560),
            (9, 3600),
            (1000, 3600),
        ] {
            assert_eq!(pause_s(attempts), pause, "{attempts}");
        }
    }
}
