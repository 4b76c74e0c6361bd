//! Rows of subscriptions.

use super::{Row, StoreError, Tx};
use crate::time::UnixMillis;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) id: String,
    pub(crate) tenant_id: String,
    pub(crate) plan_id: String,
    pub(crate) price_cents: i64,
    pub(crate) currency: String,
    /// At the payment provider.
    pub(crate) customer_id: String,
    /// Of the subscription there, once it is known.
    pub(crate) provider_id: Option<String>,
    /// Months are counted from here.
    pub(crate) started_at: UnixMillis,
    /// Paid so far.
    pub(crate) months: u32,
    pub(crate) paid_until: UnixMillis,
    pub(crate) canceled_at: Option<UnixMillis>,
    pub(crate) ended_at: Option<UnixMillis>,
    /// When to ask the provider for charges whose news was lost.
    pub(crate) ask_at: Option<UnixMillis>,
    /// When the provider has told of them last.
    pub(crate) asked_at: Option<UnixMillis>,
    /// What is still to be done at the provider.
    pub(crate) errand: Option<Errand>,
    /// When that was tried for the first time.
    pub(crate) tried_at: Option<UnixMillis>,
    pub(crate) due_at: Option<UnixMillis>,
    pub(crate) attempts: i64,
}

/// What is to be done at the payment provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    Create,
    Cancel,
}

macro_rules! columns {
    () => {
        "id, tenant_id, plan_id, price_cents, currency, customer_id, provider_id, started_at_ms, months, paid_until_ms,
         canceled_at_ms, ended_at_ms, errand, tried_at_ms, due_at_ms, attempts, ask_at_ms, asked_at_ms"
    };
}

pub(crate) fn insert(tx: &Tx<'_>, subscription: &Subscription) -> Result<(), StoreError> {
    let ms = |at: Option<UnixMillis>| at.map(UnixMillis::ms).into();
    tx.execute(
        concat!(
            "INSERT INTO subscriptions (",
            columns!(),
            ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)"
        ),
        &[
            (&subscription.id).into(),
            (&subscription.tenant_id).into(),
            (&subscription.plan_id).into(),
            subscription.price_cents.into(),
            (&subscription.currency).into(),
            (&subscription.customer_id).into(),
            subscription.provider_id.as_deref().into(),
            subscription.started_at.ms().into(),
            subscription.months.into(),
            subscription.paid_until.ms().into(),
            ms(subscription.canceled_at),
            ms(subscription.ended_at),
            subscription.errand.map(Errand::name).into(),
            ms(subscription.tried_at),
            ms(subscription.due_at),
            subscription.attempts.into(),
            ms(subscription.ask_at),
            ms(subscription.asked_at),
        ],
    )?;
    Ok(())
}

/// Writes down what can change of a subscription.
pub(crate) fn update(tx: &Tx<'_>, subscription: &Subscription) -> Result<(), StoreError> {
    let ms = |at: Option<UnixMillis>| at.map(UnixMillis::ms).into();
    tx.execute(
        "UPDATE subscriptions SET provider_id = ?2, months = ?3, paid_until_ms = ?4, canceled_at_ms = ?5, ended_at_ms = ?6,
             errand = ?7, tried_at_ms = ?8, due_at_ms = ?9, attempts = ?10, ask_at_ms = ?11, asked_at_ms = ?12
         WHERE id = ?1",
        &[
            (&subscription.id).into(),
            subscription.provider_id.as_deref().into(),
            subscription.months.into(),
            subscription.paid_until.ms().into(),
            ms(subscription.canceled_at),
            ms(subscription.ended_at),
            subscription.errand.map(Errand::name).into(),
            ms(subscription.tried_at),
            ms(subscription.due_at),
            subscription.attempts.into(),
            ms(subscription.ask_at),
            ms(subscription.asked_at),
        ],
    )?;
    Ok(())
}

/// The subscription of a tenant that has not ended.
pub(crate) fn live(tx: &Tx<'_>, tenant_id: &str) -> Result<Option<Subscription>, StoreError> {
    tx.optional(
        concat!(
            "SELECT ",
            columns!(),
            " FROM subscriptions WHERE tenant_id = ?1 AND ended_at_ms IS NULL"
        ),
        &[tenant_id.into()],
        read,
    )
}

/// The plans that are paid for, each with the number of tenants.
pub(crate) fn live_plans(tx: &Tx<'_>) -> Result<Vec<(String, i64)>, StoreError> {
    tx.all(
        "SELECT plan_id, count(*) FROM subscriptions WHERE ended_at_ms IS NULL GROUP BY plan_id ORDER BY plan_id",
        &[],
        |row| Ok((row.text(0)?, row.int(1)?)),
    )
}

pub(crate) fn find(tx: &Tx<'_>, id: &str) -> Result<Option<Subscription>, StoreError> {
    tx.optional(
        concat!("SELECT ", columns!(), " FROM subscriptions WHERE id = ?1"),
        &[id.into()],
        read,
    )
}

/// The subscriptions of a tenant after the one of that id, oldest first.
pub(crate) fn list(
    tx: &Tx<'_>,
    tenant_id: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Subscription>, StoreError> {
    tx.all(
        concat!(
            "SELECT ",
            columns!(),
            " FROM subscriptions WHERE tenant_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3"
        ),
        &[
            tenant_id.into(),
            after.unwrap_or_default().into(),
            limit.into(),
        ],
        read,
    )
}

/// The subscription that the provider calls so.
pub(crate) fn find_provided(
    tx: &Tx<'_>,
    provider_id: &str,
) -> Result<Option<Subscription>, StoreError> {
    tx.optional(
        concat!(
            "SELECT ",
            columns!(),
            " FROM subscriptions WHERE provider_id = ?1"
        ),
        &[provider_id.into()],
        read,
    )
}

/// Subscriptions that are to end: not paid since they were canceled, or for so long. With `must_ask` the provider has told since
/// then that it knows of no payment, for those that it knows. The longest unpaid first, and only those that come after `after`.
pub(crate) fn unpaid(
    tx: &Tx<'_>,
    now: UnixMillis,
    grace_ms: i64,
    must_ask: bool,
    after: Option<&(UnixMillis, String)>,
    limit: u32,
) -> Result<Vec<Subscription>, StoreError> {
    let (after_ms, after_id) = after.map_or((i64::MIN, ""), |(paid_until, id)| {
        (paid_until.ms(), id.as_str())
    });
    tx.all(
        concat!(
            "SELECT ",
            columns!(),
            " FROM subscriptions WHERE ended_at_ms IS NULL AND paid_until_ms <= ?1
             AND paid_until_ms + CASE WHEN canceled_at_ms IS NULL THEN ?2 ELSE 0 END
                 <= CASE WHEN ?3 = 1 AND provider_id IS NOT NULL THEN coalesce(asked_at_ms, 0) ELSE ?1 END
             AND (paid_until_ms, id) > (?4, ?5)
             ORDER BY paid_until_ms, id LIMIT ?6"
        ),
        &[
            now.ms().into(),
            grace_ms.into(),
            must_ask.into(),
            after_ms.into(),
            after_id.into(),
            limit.into(),
        ],
        read,
    )
}

/// The subscription for whose charges the provider is to be asked.
pub(crate) fn to_ask(tx: &Tx<'_>, now: UnixMillis) -> Result<Option<Subscription>, StoreError> {
    tx.optional(
        concat!(
            "SELECT ",
            columns!(),
            " FROM subscriptions WHERE ask_at_ms <= ?1 ORDER BY ask_at_ms LIMIT 1"
        ),
        &[now.ms().into()],
        read,
    )
}

/// The errand that has been due longest.
pub(crate) fn due(tx: &Tx<'_>, now: UnixMillis) -> Result<Option<Subscription>, StoreError> {
    tx.optional(
        concat!(
            "SELECT ",
            columns!(),
            " FROM subscriptions WHERE due_at_ms <= ?1 ORDER BY due_at_ms LIMIT 1"
        ),
        &[now.ms().into()],
        read,
    )
}

impl Errand {
    const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Cancel => "cancel",
        }
    }
}

fn read(row: &Row<'_>) -> Result<Subscription, StoreError> {
    let time = |column| Ok::<_, StoreError>(row.optional_int(column)?.map(UnixMillis::from_ms));
    let errand = match row.optional_text(12)?.as_deref() {
        Some("create") => Some(Errand::Create),
        Some(_) => Some(Errand::Cancel),
        None => None,
    };
    Ok(Subscription {
        id: row.text(0)?,
        tenant_id: row.text(1)?,
        plan_id: row.text(2)?,
        price_cents: row.int(3)?,
        currency: row.text(4)?,
        customer_id: row.text(5)?,
        provider_id: row.optional_text(6)?,
        started_at: UnixMillis::from_ms(row.int(7)?),
        months: u32::try_from(row.int(8)?).unwrap_or(u32::MAX),
        paid_until: UnixMillis::from_ms(row.int(9)?),
        canceled_at: time(10)?,
        ended_at: time(11)?,
        errand,
        tried_at: time(13)?,
        due_at: time(14)?,
        attempts: row.int(15)?,
        ask_at: time(16)?,
        asked_at: time(17)?,
    })
}
