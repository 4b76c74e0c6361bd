//! Notices: what the owners of a tenant are to be told, each once, kept as events that mail and other channels carry.

use nexa_core::uuid_v7_from;

use super::error::Error;
use super::events::{self, Event};
use crate::store::api_keys::ApiKey;
use crate::store::notices::{self, NoticeRow};
use crate::store::{Store, Tx, credits, mails, tenants, users};
use crate::time::UnixMillis;

/// How long before its end a trial is told to end, in seconds; one that does not last as long is told at its beginning.
const BEFORE_END_S: i64 = 3 * 24 * 3600;

/// What there is to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// What the tenant may spend has come down to this, in millicents.
    CreditsLow { left_mc: i64 },
    /// A payment was not made, in cents.
    PaymentFailed {
        amount_cents: i64,
        paid_for: PaidFor,
    },
    /// The tenant has no plan any more.
    SubscriptionEnded { plan_name: String },
    /// The trial of an app ends then, or without one that of the tenant's credits.
    TrialEnding {
        app_id: Option<String>,
        ends_at: UnixMillis,
    },
    /// A key, or an agent's secret, was found where others can read it, at that URL if it is known, and is dead.
    KeyLeaked {
        /// Whose key it was, if that user is to be told; otherwise the owners are.
        user_id: Option<String>,
        key_name: String,
        key_prefix: String,
        url: Option<String>,
        /// Only a value that a rotation had replaced has ended, and the key lives.
        is_replaced: bool,
    },
}

/// What a payment was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PaidFor {
    Subscription,
    Topup,
    /// A top-up that the tenant has asked for once and for all.
    AutoRecharge,
}

/// A notice, and when it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) at: UnixMillis,
    pub(crate) notice: Notice,
}

/// Tells the tenant's owners, in the transaction of what it is about. `subject` says which one of its kind it is: a notice of
/// that kind with the same subject is told once. A tenant that is being erased is told nothing.
pub(crate) fn tell(
    tx: &Tx<'_>,
    now: UnixMillis,
    tenant_id: &str,
    subject: &str,
    notice: &Notice,
) -> Result<(), Error> {
    tell_at(tx, now, tenant_id, subject, notice, now)
}

/// As [`tell`], but not before `due_at`; what is told until then of the same kind and subject is this one.
pub(crate) fn tell_at(
    tx: &Tx<'_>,
    now: UnixMillis,
    tenant_id: &str,
    subject: &str,
    notice: &Notice,
    due_at: UnixMillis,
) -> Result<(), Error> {
    let row = NoticeRow::new(new_id(tx, now)?, now, tenant_id, subject, notice, due_at);
    let is_new = notices::insert(tx, &row)?;
    match *notice {
        Notice::CreditsLow { left_mc } if is_new => {
            events::tell(tx, now, tenant_id, &Event::CreditsLow { left_mc })
        }
        _ => Ok(()),
    }
}

/// Tells of a key that was found where others can read it: whose key it was, if its address is known to be read, or else the
/// owners.
pub(super) fn tell_of_leak(
    tx: &Tx<'_>,
    now: UnixMillis,
    key: &ApiKey,
    url: Option<&str>,
    is_replaced: bool,
) -> Result<(), Error> {
    let user = users::find(tx, &key.user_id)?.filter(|user| {
        user.is_active && user.email_verified_at.is_some() && user.email_given.is_some()
    });
    let notice = Notice::KeyLeaked {
        user_id: user.map(|user| user.id),
        key_name: key.name.clone(),
        key_prefix: key.prefix.clone(),
        url: url.map(str::to_owned),
        is_replaced,
    };
    // A key may have had several values that were replaced.
    let subject = match is_replaced {
        true => format!("{} {}", key.id, now.ms()),
        false => key.id.clone(),
    };
    tell(tx, now, &key.tenant_id, &subject, &notice)
}

/// As [`tell_of_leak`], of an agent's secret, which has a prefix and else the name that the API has for it.
pub(super) fn tell_of_leaked_secret(
    tx: &Tx<'_>,
    now: UnixMillis,
    tenant_id: &str,
    prefix: &str,
    url: Option<&str>,
) -> Result<(), Error> {
    let notice = Notice::KeyLeaked {
        user_id: None,
        key_name: "api_secret".to_owned(),
        key_prefix: prefix.to_owned(),
        url: url.map(str::to_owned),
        is_replaced: false,
    };
    // An agent may lose one secret after the other.
    let subject = format!("api_secret {}", now.ms());
    tell(tx, now, tenant_id, &subject, &notice)
}

/// Tells of the end of a trial before it comes. The subject is the app, or the period of the credits. An end that has moved
/// since, because the operator gives more days or fewer, is told as it is now, unless the old one has been.
pub(crate) fn tell_of_trial(
    tx: &Tx<'_>,
    now: UnixMillis,
    tenant_id: &str,
    trial: TrialOf<'_>,
    ends_at: UnixMillis,
) -> Result<(), Error> {
    if ends_at <= now {
        return Ok(());
    }
    let (subject, app_id) = match trial {
        TrialOf::App(id) => (id, Some(id.to_owned())),
        TrialOf::Credits { period_id } => (period_id, None),
    };
    let notice = Notice::TrialEnding { app_id, ends_at };
    let due_at = ends_at.plus_seconds(-BEFORE_END_S).max(now);
    let row = NoticeRow::new(new_id(tx, now)?, now, tenant_id, subject, &notice, due_at);
    notices::insert(tx, &row)?;
    Ok(notices::set_end(tx, &row, ends_at)?)
}

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TrialOf<'a> {
    App(&'a str),
    Credits { period_id: &'a str },
}

/// What became of the notices that were due.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    /// How many mails wait to be sent now.
    pub(crate) mails: usize,
    /// The notices that could not be carried, and why; the next call tries again.
    pub(crate) failed: Vec<(String, Error)>,
}

/// Hands the notices that are due to what carries them, the longest due first, a bounded number of them; what is left over
/// waits for the next call. Each has a write of its own, so that none stands in the way of the others.
///
/// # Errors
/// `Store` when the store takes nothing at present.
pub(crate) fn carry_due(store: &Store, now: UnixMillis) -> Result<Carried, Error> {
    const CHUNK: u32 = 100;
    const CHUNKS: usize = 10;
    let mut carried = Carried::default();
    let mut after = None;
    for _ in 0..CHUNKS {
        let due = store.read(|tx| notices::due(tx, now, after.as_ref(), CHUNK))?;
        for (_, id) in &due {
            let notice_id = id.clone();
            match store.write(move |tx| carry(tx, now, &notice_id)) {
                Ok(mails) => carried.mails += mails,
                Err(Error::Store(error)) if error.is_temporary() => return Err(error.into()),
                Err(error) => carried.failed.push((id.clone(), error)),
            }
        }
        match due.into_iter().next_back() {
            Some(last) => after = Some(last),
            None => break,
        }
    }
    Ok(carried)
}

/// Carries one notice: a mail for each owner, in the transaction that notes it; answers how many. Who can be reached, and where, is
/// seen when it is sent. What has no reason any more is dropped, and may be told anew.
fn carry(tx: &Tx<'_>, now: UnixMillis, id: &str) -> Result<usize, Error> {
    let Some(row) = notices::find(tx, id)?.filter(|row| row.carried_at.is_none()) else {
        return Ok(0);
    };
    if !has_reason(tx, now, &row)? {
        notices::delete(tx, id)?;
        return Ok(0);
    }
    notices::set_carried(tx, now, id)?;
    if let Some(user_id) = &row.user_id {
        mails::insert_notice(tx, now, &new_id(tx, now)?, id, user_id)?;
        return Ok(1);
    }
    const OWNERS: u32 = 100;
    let mut mails = 0;
    let mut last: Option<String> = None;
    loop {
        let owners = users::active_owners(tx, &row.tenant_id, last.as_deref(), OWNERS)?;
        for owner in &owners {
            mails::insert_notice(tx, now, &new_id(tx, now)?, id, owner)?;
        }
        mails += owners.len();
        match owners.into_iter().next_back() {
            Some(owner) => last = Some(owner),
            None => return Ok(mails),
        }
    }
}

/// What a mail is to say; `None` when there is nothing to say any more.
pub(super) fn still_told(tx: &Tx<'_>, now: UnixMillis, id: &str) -> Result<Option<Told>, Error> {
    let Some(row) = notices::find(tx, id)? else {
        return Ok(None);
    };
    match has_reason(tx, now, &row)? {
        true => Ok(Some(Told {
            at: row.told_at,
            notice: row.notice()?,
        })),
        false => Ok(None),
    }
}

/// Whether what a notice tells of is still to come, or has happened for good.
fn has_reason(tx: &Tx<'_>, now: UnixMillis, row: &NoticeRow) -> Result<bool, Error> {
    match row.notice()? {
        Notice::CreditsLow { .. }
        | Notice::PaymentFailed { .. }
        | Notice::SubscriptionEnded { .. }
        | Notice::KeyLeaked { .. } => Ok(true),
        Notice::TrialEnding { ends_at, .. } if ends_at <= now => Ok(false),
        // Whoever has a plan has no trial of any app.
        Notice::TrialEnding {
            app_id: Some(_), ..
        } => Ok(tenants::plan(tx, &row.tenant_id)?.is_none()),
        Notice::TrialEnding { app_id: None, .. } => {
            let account = credits::account(tx, &row.tenant_id)?;
            let period = account.and_then(|account| account.period);
            Ok(period.is_some_and(|period| period.id == row.subject))
        }
    }
}

/// An id that sorts by time: closures on the writer's thread have no other source of chance.
fn new_id(tx: &Tx<'_>, now: UnixMillis) -> Result<String, Error> {
    Ok(uuid_v7_from(now.unsigned_ms(), tx.salt()?))
}

const CREDITS_LOW: &str = "credits_low";
const PAYMENT_FAILED: &str = "payment_failed";
const SUBSCRIPTION_ENDED: &str = "subscription_ended";
const TRIAL_ENDING: &str = "trial_ending";
const KEY_LEAKED: &str = "key_leaked";

impl NoticeRow {
    fn new(
        id: String,
        now: UnixMillis,
        tenant_id: &str,
        subject: &str,
        notice: &Notice,
        due_at: UnixMillis,
    ) -> Self {
        let mut row = Self {
            id,
            tenant_id: tenant_id.to_owned(),
            kind: String::new(),
            subject: subject.to_owned(),
            left_mc: None,
            amount_cents: None,
            paid_for: None,
            plan: None,
            app_id: None,
            ends_at: None,
            user_id: None,
            key_name: None,
            key_prefix: None,
            found_at_url: None,
            is_replaced: false,
            told_at: now,
            due_at,
            carried_at: None,
        };
        let kind = match notice {
            Notice::CreditsLow { left_mc } => {
                row.left_mc = Some(*left_mc);
                CREDITS_LOW
            }
            Notice::PaymentFailed {
                amount_cents,
                paid_for,
            } => {
                row.amount_cents = Some(*amount_cents);
                row.paid_for = Some(paid_for.as_str().to_owned());
                PAYMENT_FAILED
            }
            Notice::SubscriptionEnded { plan_name } => {
                row.plan = Some(plan_name.clone());
                SUBSCRIPTION_ENDED
            }
            Notice::TrialEnding { app_id, ends_at } => {
                row.app_id = app_id.clone();
                row.ends_at = Some(*ends_at);
                TRIAL_ENDING
            }
            Notice::KeyLeaked {
                user_id,
                key_name,
                key_prefix,
                url,
                is_replaced,
            } => {
                row.user_id.clone_from(user_id);
                row.key_name = Some(key_name.clone());
                row.key_prefix = Some(key_prefix.clone());
                row.found_at_url.clone_from(url);
                row.is_replaced = *is_replaced;
                KEY_LEAKED
            }
        };
        row.kind = kind.to_owned();
        row
    }

    /// What a stored notice says.
    fn notice(&self) -> Result<Notice, Error> {
        let amount = |column: Option<i64>| column.ok_or_else(|| self.fault());
        Ok(match self.kind.as_str() {
            CREDITS_LOW => Notice::CreditsLow {
                left_mc: amount(self.left_mc)?,
            },
            PAYMENT_FAILED => Notice::PaymentFailed {
                amount_cents: amount(self.amount_cents)?,
                paid_for: (self.paid_for.as_deref())
                    .and_then(PaidFor::parse)
                    .ok_or_else(|| self.fault())?,
            },
            SUBSCRIPTION_ENDED => Notice::SubscriptionEnded {
                plan_name: self.plan.clone().ok_or_else(|| self.fault())?,
            },
            TRIAL_ENDING => Notice::TrialEnding {
                app_id: self.app_id.clone(),
                ends_at: self.ends_at.ok_or_else(|| self.fault())?,
            },
            KEY_LEAKED => Notice::KeyLeaked {
                user_id: self.user_id.clone(),
                key_name: self.key_name.clone().ok_or_else(|| self.fault())?,
                key_prefix: self.key_prefix.clone().ok_or_else(|| self.fault())?,
                url: self.found_at_url.clone(),
                is_replaced: self.is_replaced,
            },
            _ => return Err(self.fault()),
        })
    }

    fn fault(&self) -> Error {
        Error::Fault(format!(
            "notice {} in the store is no {:?}",
            self.id, self.kind
        ))
    }
}

impl PaidFor {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Subscription => "subscription",
            Self::Topup => "topup",
            Self::AutoRecharge => "auto_recharge",
        }
    }

    /// Reads a stored one.
    fn parse(text: &str) -> Option<Self> {
        [Self::Subscription, Self::Topup, Self::AutoRecharge]
            .into_iter()
            .find(|paid_for| paid_for.as_str() == text)
    }
}
