//! What the operator grants: credits that stay.

use nexa_core::uuid_v7;
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};

use super::super::audit::{self, Act, Origin};
use super::super::error::Error;
use super::super::fields;
use super::super::money::{Cents, MILLICENTS_A_CENT};
use super::super::tariff::Tariff;
use super::super::tenants;
use super::{Account, Balance, Cause};
use crate::store::{StoreError, Tx, credits};
use crate::time::UnixMillis;

/// A grant whose fields hold.
pub(crate) struct NewGrant {
    amount_mc: i64,
    reference: String,
}

/// A grant that stands in the ledger.
pub(crate) struct Granted {
    /// False where it stood there before.
    pub(crate) is_new: bool,
    pub(crate) reference: String,
    /// What there is now.
    pub(crate) balance: Balance,
}

impl NewGrant {
    /// Checks the fields; without a reference the grant gets one that nothing else has.
    ///
    /// # Errors
    /// `Invalid` for `amount` and `reference`.
    pub(crate) fn new(
        now: UnixMillis,
        rng: &mut dyn CryptoRng,
        amount: Cents,
        reference: Option<&str>,
    ) -> Result<Self, Error> {
        if amount.units() == 0 {
            return Err(Error::invalid("amount", "must be more than nothing"));
        }
        Ok(Self {
            amount_mc: amount.units().saturating_mul(MILLICENTS_A_CENT),
            reference: match reference {
                Some(reference) => fields::name("reference", reference)?,
                None => uuid_v7(now.unsigned_ms(), rng),
            },
        })
    }

    /// What the ledger calls it: nothing that a period is called. The ledger outlives its tenant, and a reference may name
    /// somebody, so only a hash of it stands there; the reference itself stands in the audit trail, which is erased.
    fn cause_id(&self, tenant_id: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(b"nexa grant v1\0");
        hash.update(tenant_id.as_bytes());
        hash.update([0]);
        hash.update(self.reference.as_bytes());
        let digest = hash.finalize();
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("operator:{hex}")
    }
}

/// Adds to the part of a tenant's credits that stays: once for one reference, however often it is asked for.
///
/// # Errors
/// `NotFound`, also for a tenant that is erased or about to be; `Conflict` when another amount was granted under the reference.
pub(crate) fn grant(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    tariff: &Tariff,
    tenant_id: &str,
    new: NewGrant,
) -> Result<Granted, Error> {
    tenants::require(tx, tenant_id)?;
    let cause_id = new.cause_id(tenant_id);
    let mut account = Account::open(tx, now, tariff, tenant_id)?;
    let is_new = account.put_in(tx, now, new.amount_mc, Cause::Grant, &cause_id)?;
    if is_new {
        let (tenant_id, reference) = (Some(tenant_id), Some(new.reference.as_str()));
        audit::record(tx, now, origin, Act::CreditsGranted, tenant_id, reference)?;
    } else {
        let earlier = credits::of_cause(tx, tenant_id, Cause::Grant.name(), &cause_id)?;
        let earlier = earlier.ok_or(StoreError::NoRow)?;
        if earlier.change.topup_mc != new.amount_mc {
            return Err(Error::Conflict {
                rule: "Another amount was granted under this reference",
            });
        }
    }
    Ok(Granted {
        is_new,
        reference: new.reference,
        balance: account.balance(),
    })
}
