//! Rows of tenants as the payment provider knows them, and of those that are to be forgotten there.

use super::{Row, StoreError, Tx};
use crate::time::UnixMillis;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Customer {
    pub(crate) tenant_id: String,
    /// Ours: what makes creating it at the provider one effect.
    pub(crate) id: String,
    /// `None` until the provider has answered.
    pub(crate) provider_id: Option<String>,
    /// When the provider was asked for it for the first time.
    pub(crate) tried_at: Option<UnixMillis>,
}

/// A customer that is to be removed at the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Farewell {
    pub(crate) customer_id: String,
    /// Whether the provider's answer was lost: the id is ours.
    pub(crate) is_lost: bool,
    pub(crate) due_at: UnixMillis,
    pub(crate) attempts: i64,
}

/// The customer of a tenant; made with that id where there is none.
pub(crate) fn find_or_insert(
    tx: &Tx<'_>,
    tenant_id: &str,
    id: &str,
) -> Result<Customer, StoreError> {
    tx.execute(
        "INSERT INTO payment_customers (tenant_id, id) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        &[tenant_id.into(), id.into()],
    )?;
    tx.one(
        "SELECT tenant_id, id, provider_id, tried_at_ms FROM payment_customers WHERE tenant_id = ?1",
        &[tenant_id.into()],
        read,
    )
}

pub(crate) fn find(tx: &Tx<'_>, tenant_id: &str) -> Result<Option<Customer>, StoreError> {
    tx.optional(
        "SELECT tenant_id, id, provider_id, tried_at_ms FROM payment_customers WHERE tenant_id = ?1",
        &[tenant_id.into()],
        read,
    )
}

/// Notes that the provider is about to be asked for the customer.
pub(crate) fn set_tried(tx: &Tx<'_>, now: UnixMillis, id: &str) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE payment_customers SET tried_at_ms = coalesce(tried_at_ms, ?2) WHERE id = ?1",
        &[id.into(), now.ms().into()],
    )?;
    Ok(())
}

/// Notes what the provider calls the customer; false when it is gone by now.
pub(crate) fn set_provider_id(
    tx: &Tx<'_>,
    id: &str,
    provider_id: &str,
) -> Result<bool, StoreError> {
    let changed = tx.execute(
        "UPDATE payment_customers SET provider_id = ?2 WHERE id = ?1 AND (provider_id IS NULL OR provider_id = ?2)",
        &[id.into(), provider_id.into()],
    )?;
    Ok(changed > 0)
}

pub(crate) fn delete(tx: &Tx<'_>, tenant_id: &str) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM payment_customers WHERE tenant_id = ?1",
        &[tenant_id.into()],
    )?;
    Ok(())
}

/// Has a customer removed at the provider.
pub(crate) fn bid_farewell(
    tx: &Tx<'_>,
    now: UnixMillis,
    customer_id: &str,
    is_lost: bool,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO payment_farewells (customer_id, is_lost, due_at_ms, attempts) VALUES (?1, ?2, ?3, 0)
         ON CONFLICT DO NOTHING",
        &[
            customer_id.into(),
            is_lost.into(),
            now.ms().into(),
        ],
    )?;
    Ok(())
}

/// The farewell that has been due longest.
pub(crate) fn due_farewell(tx: &Tx<'_>, now: UnixMillis) -> Result<Option<Farewell>, StoreError> {
    tx.optional(
        "SELECT customer_id, is_lost, due_at_ms, attempts FROM payment_farewells WHERE due_at_ms <= ?1
         ORDER BY due_at_ms LIMIT 1",
        &[now.ms().into()],
        |row| {
            Ok(Farewell {
                customer_id: row.text(0)?,
                is_lost: row.int(1)? != 0,
                due_at: UnixMillis::from_ms(row.int(2)?),
                attempts: row.int(3)?,
            })
        },
    )
}

/// Puts a farewell off.
pub(crate) fn put_off_farewell(
    tx: &Tx<'_>,
    customer_id: &str,
    due_at: UnixMillis,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE payment_farewells SET due_at_ms = ?2, attempts = attempts + 1 WHERE customer_id = ?1",
        &[customer_id.into(), due_at.ms().into()],
    )?;
    Ok(())
}

pub(crate) fn end_farewell(tx: &Tx<'_>, customer_id: &str) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM payment_farewells WHERE customer_id = ?1",
        &[customer_id.into()],
    )?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Customer, StoreError> {
    Ok(Customer {
        tenant_id: row.text(0)?,
        id: row.text(1)?,
        provider_id: row.optional_text(2)?,
        tried_at: row.optional_int(3)?.map(UnixMillis::from_ms),
    })
}
