//! Rows of payments, and of what of them went back.

use super::{Row, StoreError, Tx};
use crate::time::UnixMillis;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payment {
    pub(crate) id: String,
    pub(crate) tenant_id: String,
    pub(crate) kind: Kind,
    /// That a subscription begins with.
    pub(crate) plan_id: Option<String>,
    /// That it has begun or renewed.
    pub(crate) subscription_id: Option<String>,
    pub(crate) amount_cents: i64,
    pub(crate) currency: String,
    pub(crate) state: State,
    /// At the provider, once it is known.
    pub(crate) provider_id: Option<String>,
    /// Where the payer goes afterwards.
    pub(crate) redirect_url: Option<String>,
    /// Where the payer pays.
    pub(crate) checkout_url: Option<String>,
    pub(crate) created_at: UnixMillis,
    /// When the provider was asked for it for the first time.
    pub(crate) tried_at: Option<UnixMillis>,
    /// When to look after it.
    pub(crate) due_at: Option<UnixMillis>,
    pub(crate) attempts: i64,
}

/// What a payment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The first month of a plan.
    Subscription,
    /// Another month.
    Renewal,
    Topup,
    /// A top-up that allows others without the payer.
    RechargeSetup,
    /// A top-up without the payer.
    Recharge,
}

/// How far a payment has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The provider may not know of it yet.
    New,
    /// The provider knows of it.
    Open,
    Paid,
    Failed,
}

/// Which way a payment went back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReversalKind {
    Refund,
    Chargeback,
}

/// A payment, or a part of one, that went back.
pub(crate) struct Reversal<'a> {
    /// At the provider.
    pub(crate) id: &'a str,
    pub(crate) payment_id: &'a str,
    pub(crate) kind: ReversalKind,
    pub(crate) amount_cents: i64,
    /// From the credits.
    pub(crate) taken_mc: i64,
    /// Whether it stands no more.
    pub(crate) is_given_back: bool,
}

macro_rules! columns {
    () => {
        "id, tenant_id, kind, plan_id, subscription_id, amount_cents, currency, state, provider_id, redirect_url, checkout_url,
         created_at_ms, tried_at_ms, due_at_ms, attempts"
    };
}

/// Adds a payment.
///
/// # Errors
/// `UniqueViolation` for a recharge while another one is on its way.
pub(crate) fn insert(tx: &Tx<'_>, payment: &Payment) -> Result<(), StoreError> {
    tx.execute(
        concat!(
            "INSERT INTO payments (",
            columns!(),
            ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
        ),
        &[
            (&payment.id).into(),
            (&payment.tenant_id).into(),
            payment.kind.name().into(),
            payment.plan_id.as_deref().into(),
            payment.subscription_id.as_deref().into(),
            payment.amount_cents.into(),
            (&payment.currency).into(),
            payment.state.name().into(),
            payment.provider_id.as_deref().into(),
            payment.redirect_url.as_deref().into(),
            payment.checkout_url.as_deref().into(),
            payment.created_at.ms().into(),
            payment.tried_at.map(UnixMillis::ms).into(),
            payment.due_at.map(UnixMillis::ms).into(),
            payment.attempts.into(),
        ],
    )?;
    Ok(())
}

/// Writes down what can change of a payment.
pub(crate) fn update(tx: &Tx<'_>, payment: &Payment) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE payments SET subscription_id = ?2, state = ?3, provider_id = ?4, redirect_url = ?5, checkout_url = ?6,
             tried_at_ms = ?7, due_at_ms = ?8, attempts = ?9
         WHERE id = ?1",
        &[
            (&payment.id).into(),
            payment.subscription_id.as_deref().into(),
            payment.state.name().into(),
            payment.provider_id.as_deref().into(),
            payment.redirect_url.as_deref().into(),
            payment.checkout_url.as_deref().into(),
            payment.tried_at.map(UnixMillis::ms).into(),
            payment.due_at.map(UnixMillis::ms).into(),
            payment.attempts.into(),
        ],
    )?;
    Ok(())
}

pub(crate) fn find(tx: &Tx<'_>, id: &str) -> Result<Option<Payment>, StoreError> {
    tx.optional(
        concat!("SELECT ", columns!(), " FROM payments WHERE id = ?1"),
        &[id.into()],
        read,
    )
}

/// The payment that the provider calls so.
pub(crate) fn find_provided(tx: &Tx<'_>, provider_id: &str) -> Result<Option<Payment>, StoreError> {
    tx.optional(
        concat!(
            "SELECT ",
            columns!(),
            " FROM payments WHERE provider_id = ?1"
        ),
        &[provider_id.into()],
        read,
    )
}

/// The recharge of a tenant that is on its way.
pub(crate) fn recharge_on_its_way(
    tx: &Tx<'_>,
    tenant_id: &str,
) -> Result<Option<Payment>, StoreError> {
    tx.optional(
        concat!(
            "SELECT ",
            columns!(),
            " FROM payments WHERE tenant_id = ?1 AND kind = 'recharge' AND state IN ('new', 'open')"
        ),
        &[tenant_id.into()],
        read,
    )
}

/// How many recharges of a tenant have begun since then.
pub(crate) fn recharges_since(
    tx: &Tx<'_>,
    tenant_id: &str,
    since: UnixMillis,
) -> Result<i64, StoreError> {
    tx.one(
        "SELECT count(*) FROM payments WHERE tenant_id = ?1 AND kind = 'recharge' AND created_at_ms > ?2",
        &[tenant_id.into(), since.ms().into()],
        |row| row.int(0),
    )
}

/// The payments of a tenant after the one of that id, oldest first.
pub(crate) fn list(
    tx: &Tx<'_>,
    tenant_id: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Payment>, StoreError> {
    tx.all(
        concat!(
            "SELECT ",
            columns!(),
            " FROM payments WHERE tenant_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3"
        ),
        &[
            tenant_id.into(),
            after.unwrap_or_default().into(),
            limit.into(),
        ],
        read,
    )
}

/// The payment that has been due longest.
pub(crate) fn due(tx: &Tx<'_>, now: UnixMillis) -> Result<Option<Payment>, StoreError> {
    tx.optional(
        concat!(
            "SELECT ",
            columns!(),
            " FROM payments WHERE due_at_ms <= ?1 ORDER BY due_at_ms LIMIT 1"
        ),
        &[now.ms().into()],
        read,
    )
}

/// Adds a reversal, unless it is known.
pub(crate) fn add_reversal(tx: &Tx<'_>, reversal: &Reversal<'_>) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO payment_reversals (id, payment_id, kind, amount_cents, taken_mc, is_given_back)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        &[
            reversal.id.into(),
            reversal.payment_id.into(),
            reversal.kind.name().into(),
            reversal.amount_cents.into(),
            reversal.taken_mc.into(),
            reversal.is_given_back.into(),
        ],
    )?;
    Ok(())
}

/// Whether a reversal is known.
pub(crate) fn has_reversal(tx: &Tx<'_>, id: &str) -> Result<bool, StoreError> {
    let found = tx.optional(
        "SELECT id FROM payment_reversals WHERE id = ?1",
        &[id.into()],
        |row| row.text(0),
    )?;
    Ok(found.is_some())
}

/// Whether a chargeback of that payment stands.
pub(crate) fn has_chargeback(tx: &Tx<'_>, payment_id: &str) -> Result<bool, StoreError> {
    let found = tx.optional(
        "SELECT id FROM payment_reversals WHERE payment_id = ?1 AND kind = 'chargeback' AND is_given_back = 0 LIMIT 1",
        &[payment_id.into()],
        |row| row.text(0),
    )?;
    Ok(found.is_some())
}

/// A reversal as it stands in its row.
pub(crate) struct StoredReversal {
    /// `refund` or `chargeback`.
    pub(crate) kind: String,
    pub(crate) amount_cents: i64,
    /// From the credits.
    pub(crate) taken_mc: i64,
    /// It has been called off.
    pub(crate) is_given_back: bool,
}

/// What went back of a payment.
pub(crate) fn reversals(tx: &Tx<'_>, payment_id: &str) -> Result<Vec<StoredReversal>, StoreError> {
    tx.all(
        "SELECT kind, amount_cents, taken_mc, is_given_back FROM payment_reversals WHERE payment_id = ?1 ORDER BY id",
        &[payment_id.into()],
        |row| {
            Ok(StoredReversal {
                kind: row.text(0)?,
                amount_cents: row.int(1)?,
                taken_mc: row.int(2)?,
                is_given_back: row.int(3)? != 0,
            })
        },
    )
}

/// Notes that a reversal stands no more; answers what it took, if that was not noted before.
pub(crate) fn give_back(tx: &Tx<'_>, id: &str) -> Result<Option<i64>, StoreError> {
    tx.optional(
        "UPDATE payment_reversals SET is_given_back = 1 WHERE id = ?1 AND is_given_back = 0 RETURNING taken_mc",
        &[id.into()],
        |row| row.int(0),
    )
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Subscription => "subscription",
            Self::Renewal => "renewal",
            Self::Topup => "topup",
            Self::RechargeSetup => "recharge_setup",
            Self::Recharge => "recharge",
        }
    }
}

impl State {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Open => "open",
            Self::Paid => "paid",
            Self::Failed => "failed",
        }
    }
}

impl ReversalKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Refund => "refund",
            Self::Chargeback => "chargeback",
        }
    }
}

fn read(row: &Row<'_>) -> Result<Payment, StoreError> {
    let time = |column| Ok::<_, StoreError>(row.optional_int(column)?.map(UnixMillis::from_ms));
    let kinds = [
        Kind::Subscription,
        Kind::Renewal,
        Kind::Topup,
        Kind::RechargeSetup,
        Kind::Recharge,
    ];
    let states = [State::New, State::Open, State::Paid, State::Failed];
    let (kind, state) = (row.text(2)?, row.text(7)?);
    Ok(Payment {
        id: row.text(0)?,
        tenant_id: row.text(1)?,
        kind: (kinds.into_iter().find(|known| known.name() == kind)).ok_or(StoreError::NoRow)?,
        plan_id: row.optional_text(3)?,
        subscription_id: row.optional_text(4)?,
        amount_cents: row.int(5)?,
        currency: row.text(6)?,
        state: (states.into_iter().find(|known| known.name() == state)).ok_or(StoreError::NoRow)?,
        provider_id: row.optional_text(8)?,
        redirect_url: row.optional_text(9)?,
        checkout_url: row.optional_text(10)?,
        created_at: UnixMillis::from_ms(row.int(11)?),
        tried_at: time(12)?,
        due_at: time(13)?,
        attempts: row.int(14)?,
    })
}
