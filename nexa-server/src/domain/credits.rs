//! Credits: an append-only ledger of integer millicents, with a monthly part that lapses and a topped-up part that stays.

use nexa_core::uuid_v7;
use rand_core::CryptoRng;

use super::error::Error;
use crate::store::credits::{self, Amounts, Entry, Period};
use crate::store::{Store, Tx};
use crate::time::UnixMillis;

/// What 1.00 of the currency is.
pub(crate) const MILLICENTS_A_UNIT: i64 = 100_000;

/// What a tenant may spend at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Balance {
    /// In millicents; nothing once its period has ended, whether the ledger says so already or not.
    pub(crate) monthly_mc: i64,
    /// In millicents.
    pub(crate) topup_mc: i64,
    /// The period that is running.
    pub(crate) period: Option<Period>,
}

/// Why an entry stands in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// The first period of an agent.
    Trial,
    /// The end of a period.
    Expiry,
}

/// What a tenant starts with.
pub(crate) struct Trial {
    /// Of its ledger entry.
    pub(crate) entry_id: String,
    /// Not negative.
    pub(crate) amount_mc: i64,
    pub(crate) ends_at: UnixMillis,
}

/// Opens a tenant's first period with a grant that lapses at its end.
///
/// # Errors
/// `Store` when the tenant has had a trial, or has a period.
pub(crate) fn grant_trial(
    tx: &Tx<'_>,
    now: UnixMillis,
    tenant_id: &str,
    trial: &Trial,
) -> Result<(), Error> {
    let period = Period {
        started_at: now,
        ends_at: trial.ends_at,
    };
    credits::start_period(tx, tenant_id, &period)?;
    if trial.amount_mc == 0 {
        return Ok(());
    }
    let change = Amounts {
        monthly_mc: trial.amount_mc,
        topup_mc: 0,
    };
    let once = Some(tenant_id);
    append(
        tx,
        now,
        &trial.entry_id,
        tenant_id,
        change,
        Cause::Trial,
        once,
    )
}

/// What the tenant may spend now.
pub(crate) fn balance(tx: &Tx<'_>, now: UnixMillis, tenant_id: &str) -> Result<Balance, Error> {
    let newest = credits::newest(tx, tenant_id)?;
    let period = credits::period(tx, tenant_id)?;
    let has_lapsed = period.is_some_and(|period| period.ends_at <= now);
    Ok(Balance {
        monthly_mc: if has_lapsed { 0 } else { newest.monthly_mc },
        topup_mc: newest.topup_mc,
        period: period.filter(|_| !has_lapsed),
    })
}

/// Writes the end of periods that are over into the ledger, in turns of the writer that keep nobody waiting for long;
/// what is left over waits for the next call.
///
/// # Errors
/// `Store`.
pub(crate) fn expire(store: &Store, now: UnixMillis, rng: &mut dyn CryptoRng) -> Result<(), Error> {
    /// Tenants in one turn.
    const CHUNK: u32 = 200;
    const TURNS: usize = 20;
    for _ in 0..TURNS {
        let ended = store.read(|tx| credits::ended(tx, now, CHUNK))?;
        let is_last = ended.len() < CHUNK as usize;
        let ended: Vec<(String, String)> = ended
            .into_iter()
            .map(|tenant_id| (tenant_id, uuid_v7(now.unsigned_ms(), rng)))
            .collect();
        if !ended.is_empty() {
            store.write(move |tx| -> Result<(), Error> {
                for (tenant_id, entry_id) in &ended {
                    end_period(tx, now, tenant_id, entry_id)?;
                }
                Ok(())
            })?;
        }
        if is_last {
            break;
        }
    }
    Ok(())
}

/// Takes away what is left of a period that is over. Asked again here, in the transaction of the entry: since the period was
/// found, another may have taken its place.
fn end_period(tx: &Tx<'_>, now: UnixMillis, tenant_id: &str, entry_id: &str) -> Result<(), Error> {
    let Some(period) = credits::period(tx, tenant_id)?.filter(|period| period.ends_at <= now)
    else {
        return Ok(());
    };
    let left_mc = credits::newest(tx, tenant_id)?.monthly_mc;
    if left_mc != 0 {
        let change = Amounts {
            monthly_mc: -left_mc,
            topup_mc: 0,
        };
        let once = period.ends_at.ms().to_string();
        append(
            tx,
            now,
            entry_id,
            tenant_id,
            change,
            Cause::Expiry,
            Some(&once),
        )?;
    }
    credits::end_period(tx, tenant_id)?;
    Ok(())
}

/// The one way into the ledger: the balances after an entry are those before it and its changes.
fn append(
    tx: &Tx<'_>,
    now: UnixMillis,
    entry_id: &str,
    tenant_id: &str,
    change: Amounts,
    cause: Cause,
    cause_id: Option<&str>,
) -> Result<(), Error> {
    let before = credits::newest(tx, tenant_id)?;
    let sum = |before: i64, change: i64| {
        before
            .checked_add(change)
            .ok_or_else(|| Error::Fault(format!("credits of tenant {tenant_id} overflow")))
    };
    let entry = Entry {
        id: entry_id,
        tenant_id,
        at: now,
        change,
        after: Amounts {
            monthly_mc: sum(before.monthly_mc, change.monthly_mc)?,
            topup_mc: sum(before.topup_mc, change.topup_mc)?,
        },
        cause: cause.name(),
        cause_id,
    };
    Ok(credits::append(tx, &entry)?)
}

impl Cause {
    const fn name(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::Expiry => "expiry",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::tenants::{self, Tenant};
    use crate::store::{MIGRATIONS, StoreError};
    use crate::testing::SeededRng;

    fn at(ms: i64) -> UnixMillis {
        UnixMillis::from_ms(ms)
    }

    /// A store with the tenants `0`, `1`, ….
    fn store_with(tenants: usize) -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), MIGRATIONS).unwrap();
        let written = store.write(move |tx| -> Result<(), Error> {
            for id in 0..tenants {
                let tenant = Tenant {
                    id: id.to_string(),
                    name: "T".to_owned(),
                    kind: "agent".to_owned(),
                    created_at: at(0),
                };
                tenants::insert(tx, &tenant)?;
            }
            Ok(())
        });
        written.unwrap();
        (folder, store)
    }

    fn grant(
        store: &Store,
        now: i64,
        tenant: usize,
        amount_mc: i64,
        ends_ms: i64,
    ) -> Result<(), Error> {
        store.write(move |tx| {
            let trial = Trial {
                entry_id: format!("entry of {tenant} at {now} for {ends_ms}"),
                amount_mc,
                ends_at: at(ends_ms),
            };
            grant_trial(tx, at(now), &tenant.to_string(), &trial)
        })
    }

    fn balance_of(store: &Store, now: i64, tenant: usize) -> Balance {
        store
            .read(|tx| balance(tx, at(now), &tenant.to_string()))
            .unwrap()
    }

    /// Every entry of a tenant: monthly, top-up, the balances after them, cause.
    fn entries(store: &Store, tenant: usize) -> Vec<(i64, i64, i64, i64, String)> {
        let read = store.read(|tx| -> Result<_, StoreError> {
            tx.all(
                "SELECT monthly_mc, topup_mc, monthly_after_mc, topup_after_mc, cause
                 FROM credit_entries WHERE tenant_id = ?1 ORDER BY seq",
                &[tenant.to_string().as_str().into()],
                |row| {
                    Ok((
                        row.int(0)?,
                        row.int(1)?,
                        row.int(2)?,
                        row.int(3)?,
                        row.text(4)?,
                    ))
                },
            )
        });
        read.unwrap()
    }

    #[test]
    fn a_trial_lapses_at_its_end_and_then_in_the_ledger() {
        let (_folder, store) = store_with(1);
        grant(&store, 10, 0, 500_000, 20).unwrap();
        let running = balance_of(&store, 19, 0);
        assert_eq!((running.monthly_mc, running.topup_mc), (500_000, 0));
        assert_eq!(running.period.map(|period| period.ends_at), Some(at(20)));
        let over = balance_of(&store, 20, 0);
        assert_eq!((over.monthly_mc, over.period), (0, None));
        assert_eq!(entries(&store, 0).len(), 1, "nothing has been written yet");

        let mut rng = SeededRng::new(1);
        expire(&store, at(19), &mut rng).unwrap();
        assert_eq!(entries(&store, 0).len(), 1, "not before its end");
        for _ in 0..2 {
            expire(&store, at(25), &mut rng).unwrap();
            let expiry = (-500_000, 0, 0, 0, "expiry".to_owned());
            assert_eq!(entries(&store, 0).get(1), Some(&expiry));
            assert_eq!(entries(&store, 0).len(), 2);
        }
    }

    #[test]
    fn one_cause_has_one_effect() {
        let (_folder, store) = store_with(1);
        grant(&store, 1, 0, 5, 10).unwrap();
        assert!(grant(&store, 2, 0, 5, 12).is_err(), "a period is running");
        expire(&store, at(10), &mut SeededRng::new(1)).unwrap();
        assert!(grant(&store, 11, 0, 5, 20).is_err(), "it has had its trial");
        assert_eq!(entries(&store, 0).len(), 2);
        assert_eq!(
            balance_of(&store, 11, 0).period,
            None,
            "nothing was left behind"
        );
    }

    #[test]
    fn a_trial_of_nothing_has_an_end_and_no_entry() {
        let (_folder, store) = store_with(1);
        grant(&store, 1, 0, 0, 10).unwrap();
        assert!(balance_of(&store, 9, 0).period.is_some());
        expire(&store, at(10), &mut SeededRng::new(1)).unwrap();
        assert_eq!(entries(&store, 0), []);
    }

    #[test]
    fn the_ledger_is_append_only() {
        let (_folder, store) = store_with(1);
        grant(&store, 1, 0, 5, 10).unwrap();
        for sql in [
            "UPDATE credit_entries SET monthly_mc = 6",
            "UPDATE credit_entries SET at_ms = 0 WHERE tenant_id = '0'",
            "DELETE FROM credit_entries",
            "INSERT INTO credit_entries (id, tenant_id, at_ms, monthly_mc, topup_mc, monthly_after_mc, topup_after_mc, cause) VALUES ('x', '0', 1, 0, 0, 5, 0, 'usage')",
            "INSERT INTO credit_entries (id, tenant_id, at_ms, monthly_mc, topup_mc, monthly_after_mc, topup_after_mc, cause) VALUES ('x', '0', 1, 1, 0, 6, 0, 'whim')",
        ] {
            let written = store.write(move |tx| tx.execute(sql, &[]).map_err(Error::from));
            assert!(written.is_err(), "{sql}");
        }
        assert_eq!(entries(&store, 0), [(5, 0, 5, 0, "trial".to_owned())]);
    }

    #[test]
    fn many_ends_are_written_in_several_turns() {
        let (_folder, store) = store_with(450);
        for tenant in 0..450 {
            grant(&store, 1, tenant, 5, 10).unwrap();
        }
        let before = store.commits();
        expire(&store, at(10), &mut SeededRng::new(1)).unwrap();
        assert_eq!(store.commits() - before, 3);
        assert!((0..450).all(|tenant| entries(&store, tenant).len() == 2));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Grant {
            tenant: usize,
            amount_mc: i64,
            lasts_ms: i64,
        },
        Pass {
            ms: i64,
        },
        Expire,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0_usize..4, 1_i64..1_000_000, 1_i64..50).prop_map(|(tenant, amount_mc, lasts_ms)| {
                Step::Grant {
                    tenant,
                    amount_mc,
                    lasts_ms,
                }
            }),
            (0_i64..30).prop_map(|ms| Step::Pass { ms }),
            Just(Step::Expire),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_ledger_agrees_with_a_plain_model(steps in proptest::collection::vec(step(), 1..40)) {
            let (_folder, store) = store_with(4);
            let mut rng = SeededRng::new(9);
            let mut now = 1;
            // Amount and end of each tenant's trial.
            let mut model: [Option<(i64, i64)>; 4] = [None; 4];
            for step in steps {
                match step {
                    Step::Grant { tenant, amount_mc, lasts_ms } => {
                        let granted = grant(&store, now, tenant, amount_mc, now + lasts_ms);
                        prop_assert_eq!(granted.is_ok(), model[tenant].is_none());
                        if granted.is_ok() {
                            model[tenant] = Some((amount_mc, now + lasts_ms));
                        }
                    }
                    Step::Pass { ms } => now += ms,
                    Step::Expire => expire(&store, at(now), &mut rng).unwrap(),
                }
                for (tenant, trial) in model.iter().enumerate() {
                    let expected = trial.filter(|(_, ends)| now < *ends).map_or(0, |(amount, _)| amount);
                    prop_assert_eq!(balance_of(&store, now, tenant).monthly_mc, expected);
                    let mut sums = (0, 0);
                    for (monthly, topup, monthly_after, topup_after, _) in entries(&store, tenant) {
                        sums = (sums.0 + monthly, sums.1 + topup);
                        prop_assert_eq!(sums, (monthly_after, topup_after));
                    }
                }
            }
        }
    }
}
