//! Credits: an append-only ledger of integer millicents, with a monthly part that lapses and a topped-up part that stays.

use super::error::Error;
use super::paging::{Page, Paged};
use crate::store::credits::{self, Amounts, Entry, Period, StoredEntry};
use crate::store::{Store, Tx};
use crate::time::UnixMillis;

/// What 1.00 of the currency is.
pub(crate) const MILLICENTS_A_UNIT: i64 = 100_000;

/// What a tenant may spend at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Of its period.
    pub(crate) period_id: String,
    /// Not negative.
    pub(crate) amount_mc: i64,
    pub(crate) ends_at: UnixMillis,
}

/// The kind of the period that a tenant starts with.
const TRIAL_PERIOD: &str = "trial";

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
        id: trial.period_id.clone(),
        kind: TRIAL_PERIOD.to_owned(),
        started_at: now,
        ends_at: trial.ends_at,
    };
    start_period(tx, now, tenant_id, &period)?;
    if trial.amount_mc == 0 {
        return Ok(());
    }
    let change = Amounts {
        monthly_mc: trial.amount_mc,
        topup_mc: 0,
    };
    append(tx, now, tenant_id, change, Cause::Trial, &period.id)
}

/// What the tenant may spend now.
pub(crate) fn balance(tx: &Tx<'_>, now: UnixMillis, tenant_id: &str) -> Result<Balance, Error> {
    let newest = credits::newest(tx, tenant_id)?;
    let (_, newest) = newest.unwrap_or((now, Amounts::default()));
    let period = credits::period(tx, tenant_id)?;
    let has_lapsed = period.as_ref().is_some_and(|period| period.ends_at <= now);
    Ok(Balance {
        monthly_mc: if has_lapsed { 0 } else { newest.monthly_mc },
        topup_mc: newest.topup_mc,
        period: period.filter(|_| !has_lapsed),
    })
}

/// One page of the ledger, newest first. A page goes on before an instant, so it never ends within one: entries of the same
/// millisecond stand on one page, also when that makes it longer than it should be.
pub(crate) fn entries(
    tx: &Tx<'_>,
    tenant_id: &str,
    page: &Page<UnixMillis>,
) -> Result<Paged<StoredEntry>, Error> {
    let mut items = credits::earlier(tx, tenant_id, page.before, page.probe())?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let (Some(first), Some(beyond)) = (items.first(), items.get(limit)) else {
        return Ok(Paged { items, next: None });
    };
    let (first_at, beyond_at) = (first.at, beyond.at);
    let has_more = match first_at == beyond_at {
        true => {
            items = credits::of_instant(tx, tenant_id, first_at)?;
            !credits::earlier(tx, tenant_id, Some(first_at), 1)?.is_empty()
        }
        false => {
            items.retain(|entry| entry.at > beyond_at);
            true
        }
    };
    let next = items.last().filter(|_| has_more);
    Ok(Paged {
        next: next.map(|entry| entry.at.to_rfc3339()),
        items,
    })
}

impl Balance {
    /// Whether the period that is running is the one that the tenant started with.
    pub(crate) fn is_of_trial(&self) -> bool {
        self.period
            .as_ref()
            .is_some_and(|period| period.kind == TRIAL_PERIOD)
    }
}

/// Writes the end of periods that are over into the ledger, a bounded number of them; what is left over waits for the next
/// call. Each tenant has a write of its own, so that none stands in the way of the others; answers the tenants whose end
/// could not be written, and why.
///
/// # Errors
/// `Store` when the store takes nothing at present.
pub(crate) fn expire(store: &Store, now: UnixMillis) -> Result<Vec<(String, Error)>, Error> {
    const CHUNK: u32 = 100;
    const CHUNKS: usize = 10;
    let mut failed = Vec::new();
    let mut after = None;
    for _ in 0..CHUNKS {
        let ended = store.read(|tx| credits::ended(tx, now, after.as_ref(), CHUNK))?;
        for (_, tenant_id) in &ended {
            let tenant = tenant_id.clone();
            match store.write(move |tx| settle(tx, now, &tenant)) {
                Ok(()) => {}
                Err(Error::Store(error)) if error.is_temporary() => return Err(error.into()),
                Err(error) => failed.push((tenant_id.clone(), error)),
            }
        }
        match ended.into_iter().next_back() {
            Some(last) => after = Some(last),
            None => break,
        }
    }
    Ok(failed)
}

/// Starts a period of a tenant whose last one is over.
///
/// # Errors
/// `Store` when one is running.
fn start_period(
    tx: &Tx<'_>,
    now: UnixMillis,
    tenant_id: &str,
    period: &Period,
) -> Result<(), Error> {
    settle(tx, now, tenant_id)?;
    Ok(credits::start_period(tx, tenant_id, period)?)
}

/// Takes away what is left of a period that is over, as of its end.
fn settle(tx: &Tx<'_>, now: UnixMillis, tenant_id: &str) -> Result<(), Error> {
    let Some(period) = credits::period(tx, tenant_id)?.filter(|period| period.ends_at <= now)
    else {
        return Ok(());
    };
    let left = credits::newest(tx, tenant_id)?.map_or(0, |(_, after)| after.monthly_mc);
    if left != 0 {
        let change = Amounts {
            monthly_mc: -left,
            topup_mc: 0,
        };
        write(
            tx,
            period.ends_at,
            tenant_id,
            change,
            Cause::Expiry,
            &period.id,
        )?;
    }
    Ok(credits::end_period(tx, tenant_id)?)
}

/// The one way into the ledger. What has lapsed by `now` is taken away first, so that nobody spends it.
fn append(
    tx: &Tx<'_>,
    now: UnixMillis,
    tenant_id: &str,
    change: Amounts,
    cause: Cause,
    cause_id: &str,
) -> Result<(), Error> {
    settle(tx, now, tenant_id)?;
    write(tx, now, tenant_id, change, cause, cause_id)
}

/// Writes an entry: the balances after it are those before it and its changes, and its time is not before the newest one's,
/// even when the clock has stepped back.
fn write(
    tx: &Tx<'_>,
    at: UnixMillis,
    tenant_id: &str,
    change: Amounts,
    cause: Cause,
    cause_id: &str,
) -> Result<(), Error> {
    let (newest_at, before) = credits::newest(tx, tenant_id)?.unwrap_or((at, Amounts::default()));
    let sum = |before: i64, change: i64| {
        before
            .checked_add(change)
            .ok_or_else(|| Error::Fault(format!("credits of tenant {tenant_id} overflow")))
    };
    let entry = Entry {
        tenant_id,
        at: at.max(newest_at),
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

    /// Whatever was written in one millisecond, no entry is on two pages or on none.
    #[test]
    fn pages_of_the_ledger_hold_every_entry_once() {
        let (_folder, store) = store_with(2);
        let times = [1, 1, 2, 5, 5, 5, 5, 5, 6, 7, 7, 8, 9, 9, 9];
        let written = store.write(move |tx| -> Result<(), Error> {
            let mut total = 0;
            for (n, ms) in (1_i64..).zip(times) {
                total += n;
                for tenant_id in ["0", "1"] {
                    let entry = Entry {
                        tenant_id,
                        at: at(ms),
                        change: Amounts {
                            monthly_mc: 0,
                            topup_mc: n,
                        },
                        after: Amounts {
                            monthly_mc: 0,
                            topup_mc: total,
                        },
                        cause: "payment",
                        cause_id: &n.to_string(),
                    };
                    credits::append(tx, &entry)?;
                }
            }
            Ok(())
        });
        written.unwrap();
        for limit in 1..=16 {
            let (mut before, mut found) = (None, Vec::new());
            loop {
                let page = Page { limit, before };
                let paged = store.read(|tx| super::entries(tx, "1", &page)).unwrap();
                let is_of_one_instant = paged
                    .items
                    .iter()
                    .all(|entry| entry.at == paged.items[0].at);
                assert!(paged.items.len() <= limit as usize || is_of_one_instant);
                found.extend(paged.items.iter().map(|entry| entry.change.topup_mc));
                match paged.next {
                    Some(next) => before = Some(next.parse().unwrap()),
                    None => break,
                }
            }
            assert!(found.into_iter().eq((1..=15).rev()), "limit {limit}");
        }
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
                period_id: format!("period of {tenant} at {now} for {ends_ms}"),
                amount_mc,
                ends_at: at(ends_ms),
            };
            grant_trial(tx, at(now), &tenant.to_string(), &trial)
        })
    }

    fn times(store: &Store, tenant: usize) -> Vec<i64> {
        let read = store.read(|tx| -> Result<_, StoreError> {
            tx.all(
                "SELECT at_ms FROM credit_entries WHERE tenant_id = ?1 ORDER BY seq",
                &[tenant.to_string().as_str().into()],
                |row| row.int(0),
            )
        });
        read.unwrap()
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

        expire(&store, at(19)).unwrap();
        assert_eq!(entries(&store, 0).len(), 1, "not before its end");
        for _ in 0..2 {
            assert!(expire(&store, at(25)).unwrap().is_empty());
            let expiry = (-500_000, 0, 0, 0, "expiry".to_owned());
            assert_eq!(entries(&store, 0).get(1), Some(&expiry));
            assert_eq!(entries(&store, 0).len(), 2);
        }
        assert_eq!(times(&store, 0), [10, 20], "it ended when it ended");
    }

    #[test]
    fn one_cause_has_one_effect() {
        let (_folder, store) = store_with(1);
        grant(&store, 1, 0, 5, 10).unwrap();
        assert!(grant(&store, 2, 0, 5, 12).is_err(), "a period is running");
        expire(&store, at(10)).unwrap();
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
        expire(&store, at(10)).unwrap();
        assert_eq!(entries(&store, 0), []);
    }

    #[test]
    fn the_ledger_is_append_only() {
        const INTO: &str = "INTO credit_entries (seq, tenant_id, at_ms, monthly_mc, topup_mc, monthly_after_mc, topup_after_mc, cause, cause_id) VALUES";
        let (_folder, store) = store_with(2);
        grant(&store, 1, 0, 5, 10).unwrap();
        let run = |sql: String| store.write(move |tx| tx.execute(&sql, &[]).map_err(Error::from));
        let expected = [(5, 0, 5, 0, "trial".to_owned())];
        for sql in [
            "UPDATE credit_entries SET monthly_mc = 6".to_owned(),
            "UPDATE credit_entries SET at_ms = 0 WHERE tenant_id = '0'".to_owned(),
            "DELETE FROM credit_entries".to_owned(),
            // Sums, times and causes.
            format!("INSERT {INTO} (NULL, '0', 1, 0, 0, 5, 0, 'grant', 'x')"),
            format!("INSERT {INTO} (NULL, '0', 1, 1, 0, 7, 0, 'grant', 'x')"),
            format!("INSERT {INTO} (NULL, '0', 1, 0, 1, 5, 2, 'grant', 'x')"),
            format!("INSERT {INTO} (NULL, '1', 1, 1, 0, 6, 0, 'grant', 'x')"),
            format!("INSERT {INTO} (NULL, '0', 0, 1, 0, 6, 0, 'grant', 'x')"),
            format!("INSERT {INTO} (NULL, '0', 1, 1, 0, 6, 0, 'whim', 'x')"),
            format!("INSERT {INTO} (NULL, '0', 1, 1, 0, 6, 0, 'grant', NULL)"),
            format!("INSERT {INTO} (NULL, '0', 1, 1, 0, 6, 0, 'trial', 'x')"),
            format!("INSERT {INTO} (-1, '1', 1, 1, 0, 1, 0, 'grant', 'x')"),
            // In the place of what stands there.
            format!("INSERT OR REPLACE {INTO} (1, '0', 1, 6, 0, 6, 0, 'grant', 'x')"),
            format!("INSERT OR REPLACE {INTO} (1, '0', 1, 1, 0, 6, 0, 'grant', 'x')"),
            format!("INSERT OR REPLACE {INTO} (1, '1', 1, 1, 0, 1, 0, 'grant', 'x')"),
            format!(
                "INSERT OR REPLACE {INTO} (NULL, '0', 1, 1, 0, 6, 0, 'trial', 'period of 0 at 1 for 10')"
            ),
            format!("REPLACE {INTO} (1, '0', 1, 5, 0, 5, 0, 'trial', 'period of 0 at 1 for 10')"),
        ] {
            assert!(run(sql.clone()).is_err(), "{sql}");
            assert_eq!(entries(&store, 0), expected, "{sql}");
        }
        for sql in [
            format!("INSERT {INTO} (NULL, '0', 1, 0, 0, 5, 0, 'usage', 'free')"),
            format!("INSERT OR REPLACE {INTO} (NULL, '0', 2, -1, 3, 4, 3, 'usage', 'paid')"),
        ] {
            assert!(run(sql.clone()).is_ok(), "{sql}");
        }
        assert_eq!(entries(&store, 0).len(), 3);
    }

    #[test]
    fn what_has_lapsed_is_not_spent_and_blocks_nothing() {
        let (_folder, store) = store_with(2);
        for tenant in 0..2 {
            grant(&store, 10, tenant, 500, 20).unwrap();
        }
        let spent = Amounts {
            monthly_mc: -5,
            topup_mc: 7,
        };
        let appended =
            store.write(move |tx| append(tx, at(25), "0", spent, Cause::Expiry, "another"));
        appended.unwrap();
        let expiry = (-500, 0, 0, 0, "expiry".to_owned());
        assert_eq!(
            entries(&store, 0)[1..],
            [expiry.clone(), (-5, 7, -5, 7, "expiry".to_owned())]
        );
        assert_eq!(times(&store, 0), [10, 20, 25]);

        let next = Period {
            id: "next".to_owned(),
            kind: "plan".to_owned(),
            started_at: at(25),
            ends_at: at(40),
        };
        let started = store.write(move |tx| start_period(tx, at(25), "1", &next));
        started.unwrap();
        assert_eq!(entries(&store, 1)[1..], [expiry]);
        let balance = balance_of(&store, 25, 1);
        assert!(balance.period.is_some() && !balance.is_of_trial());
    }

    #[test]
    fn a_clock_that_steps_back_keeps_the_order() {
        let (_folder, store) = store_with(1);
        grant(&store, 30, 0, 5, 40).unwrap();
        let topup = Amounts {
            monthly_mc: 0,
            topup_mc: 1,
        };
        let appended = store.write(move |tx| append(tx, at(10), "0", topup, Cause::Expiry, "x"));
        appended.unwrap();
        assert_eq!(times(&store, 0), [30, 30]);
        assert_eq!(balance_of(&store, 10, 0).topup_mc, 1);
    }

    #[test]
    fn one_tenant_does_not_stop_the_others() {
        let (_folder, store) = store_with(120);
        for tenant in 0..120 {
            grant(&store, 1, tenant, 5, 10).unwrap();
        }
        // The end of its period has had its effect, and cannot have it again.
        let spoiled = store.write(|tx| {
            let more = Amounts {
                monthly_mc: 1,
                topup_mc: 0,
            };
            append(
                tx,
                at(1),
                "0",
                more,
                Cause::Expiry,
                "period of 0 at 1 for 10",
            )
        });
        spoiled.unwrap();
        for _ in 0..2 {
            let failed = expire(&store, at(10)).unwrap();
            let tenants: Vec<&str> = failed.iter().map(|(tenant, _)| tenant.as_str()).collect();
            assert_eq!(tenants, ["0"]);
        }
        assert!((1..120).all(|tenant| entries(&store, tenant).len() == 2));
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
                    Step::Expire => prop_assert!(expire(&store, at(now)).unwrap().is_empty()),
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
