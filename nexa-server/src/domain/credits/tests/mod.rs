//! The ledger against attacks and clocks.

mod model;

use std::sync::Arc;

use super::super::tariff::{Plan, Tariff};
use super::*;
use crate::store::credits::{Amounts, Entry};
use crate::store::tenants::{self, Tenant};
use crate::store::{MIGRATIONS, Store, StoreError};

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

/// A plan for people that costs nothing, and two that do.
fn tariff() -> Tariff {
    let plan = |id: &str, price_cents, credits_mc, overdraft_mc| Plan {
        id: id.to_owned(),
        name: id.to_uppercase(),
        description: None,
        price_cents,
        credits_mc,
        overdraft_mc,
    };
    Tariff {
        currency: "EUR".to_owned(),
        plans: vec![
            plan("free", 0, 300, 0),
            plan("small", 500, 1_000, 0),
            plan("large", 900, 5_000, 700),
        ],
        rates: Vec::new(),
        low_mc: 0,
    }
}

fn lapse(store: &Store, now: i64) -> Result<Vec<(String, Error)>, Error> {
    expire(store, at(now), &Arc::new(tariff()))
}

/// Does something with a tenant's account, in one transaction.
fn with<T: Send + 'static>(
    store: &Store,
    now: i64,
    tenant: usize,
    f: impl FnOnce(&Tx<'_>, &mut Account<'_>) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    store.write(move |tx| {
        let (tariff, tenant_id) = (tariff(), tenant.to_string());
        f(tx, &mut Account::open(tx, at(now), &tariff, &tenant_id)?)
    })
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
        grant_trial(tx, at(now), &tariff(), &tenant.to_string(), &trial)
    })
}

fn ledger(store: &Store, tenant: usize) -> Vec<StoredEntry> {
    let read = store.read(|tx| credits::list(tx, &tenant.to_string(), None, 10_000));
    read.unwrap_or_else(|error: StoreError| panic!("{error}"))
}

fn times(store: &Store, tenant: usize) -> Vec<i64> {
    let entries = ledger(store, tenant).into_iter();
    entries.map(|entry| entry.at.ms()).collect()
}

fn balance_of(store: &Store, now: i64, tenant: usize) -> Balance {
    let tariff = tariff();
    let opened = store.write(move |tx| {
        Ok::<_, Error>(Account::open(tx, at(now), &tariff, &tenant.to_string())?.balance())
    });
    opened.unwrap()
}

/// Every entry of a tenant: monthly, top-up, the balances after them, cause.
fn entries(store: &Store, tenant: usize) -> Vec<(i64, i64, i64, i64, String)> {
    let entries = ledger(store, tenant).into_iter();
    let shown = entries.map(|entry| {
        let (change, after) = (entry.change, entry.after);
        (
            change.monthly_mc,
            change.topup_mc,
            after.monthly_mc,
            after.topup_mc,
            entry.cause,
        )
    });
    shown.collect()
}

#[test]
fn a_trial_lapses_at_its_end_and_then_in_the_ledger() {
    let (_folder, store) = store_with(1);
    grant(&store, 10, 0, 500_000, 20).unwrap();
    let running = balance_of(&store, 19, 0);
    assert_eq!((running.monthly_mc, running.topup_mc), (500_000, 0));
    assert_eq!(running.period.map(|period| period.ends_at), Some(at(20)));
    let over = store.read(|tx| {
        let tariff = tariff();
        Ok::<_, Error>(Account::open_settled(tx, at(20), &tariff, "0")?.is_some())
    });
    assert!(!over.unwrap(), "its end has to be written first");
    assert_eq!(entries(&store, 0).len(), 1, "nothing has been written yet");

    lapse(&store, 19).unwrap();
    assert_eq!(entries(&store, 0).len(), 1, "not before its end");
    for _ in 0..2 {
        assert!(lapse(&store, 25).unwrap().is_empty());
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
    lapse(&store, 10).unwrap();
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
    lapse(&store, 10).unwrap();
    assert_eq!(entries(&store, 0), []);
}

#[test]
fn what_has_lapsed_is_not_spent_and_blocks_nothing() {
    let (_folder, store) = store_with(1);
    grant(&store, 10, 0, 500, 20).unwrap();
    let refused = with(&store, 25, 0, |tx, account| {
        account.spend(tx, at(25), 5, "late")
    });
    assert!(matches!(
        refused,
        Err(Error::CreditsTooLow {
            cost_mc: 5,
            total_mc: 0
        })
    ));
    assert_eq!(entries(&store, 0).len(), 1, "a refusal leaves nothing");
    let paid = with(&store, 25, 0, |tx, account| {
        account.put_in(tx, at(25), 7, Cause::Payment, "p")?;
        account.spend(tx, at(25), 5, "late")
    });
    paid.unwrap();
    assert_eq!(
        entries(&store, 0)[1..],
        [
            (-500, 0, 0, 0, "expiry".to_owned()),
            (0, 7, 0, 7, "payment".to_owned()),
            (0, -5, 0, 2, "usage".to_owned()),
        ]
    );
    assert_eq!(times(&store, 0), [10, 20, 25, 25]);
}

#[test]
fn the_monthly_part_is_spent_first_and_a_plan_lends_what_it_says() {
    let (_folder, store) = store_with(1);
    set_plan(&store, 1, 0, Some("large"), false).unwrap();
    let spent = with(&store, 2, 0, |tx, account| {
        account.put_in(tx, at(2), 300, Cause::Payment, "p")?;
        account.spend(tx, at(2), 4_900, "a")?;
        account.spend(tx, at(2), 200, "b")?;
        account.spend(tx, at(2), 900, "c")
    });
    spent.unwrap();
    assert_eq!(
        entries(&store, 0),
        [
            (5_000, 0, 5_000, 0, "grant".to_owned()),
            (0, 300, 5_000, 300, "payment".to_owned()),
            (-4_900, 0, 100, 300, "usage".to_owned()),
            (-100, -100, 0, 200, "usage".to_owned()),
            (0, -900, 0, -700, "usage".to_owned()),
        ]
    );
    let more = with(&store, 3, 0, |tx, account| account.spend(tx, at(3), 1, "d"));
    assert!(matches!(
        more,
        Err(Error::CreditsTooLow { total_mc: -700, .. })
    ));
    // What was lent is owed to the next month too.
    set_plan(&store, 4, 0, Some("small"), false).unwrap();
    assert_eq!(balance_of(&store, 4, 0).total_mc(), 300);
    let most = with(&store, 5, 0, |tx, account| {
        account.spend(tx, at(5), 301, "e")
    });
    assert!(most.is_err());
    with(&store, 5, 0, |tx, account| {
        account.spend(tx, at(5), 300, "f")
    })
    .unwrap();
}

#[test]
fn what_comes_twice_counts_once_and_nobody_is_brought_below_nothing() {
    let (_folder, store) = store_with(1);
    for is_new in [true, false] {
        let put = with(&store, 1, 0, |tx, account| {
            account.put_in(tx, at(1), 100, Cause::Payment, "p")
        });
        assert_eq!(put.unwrap(), is_new);
    }
    with(&store, 2, 0, |tx, account| {
        account.spend(tx, at(2), 70, "a")
    })
    .unwrap();
    for (id, taken) in [("r1", 20), ("r2", 10), ("r3", 0)] {
        let back = with(&store, 3, 0, move |tx, account| {
            account.take_back(tx, at(3), 20, Cause::Refund, id)
        });
        assert_eq!(back.unwrap(), taken);
    }
    assert_eq!(balance_of(&store, 4, 0).total_mc(), 0);
    assert_eq!(entries(&store, 0).len(), 4);
}

#[test]
fn months_follow_each_other_and_are_not_made_up_for() {
    let (_folder, store) = store_with(1);
    let first = START;
    set_plan(&store, first, 0, Some("small"), false).unwrap();
    let end = |months| at(first).plus_months(months).ms();
    lapse(&store, end(1) + 5).unwrap();
    assert_eq!(times(&store, 0), [first, end(1), end(1)]);
    assert_eq!(
        balance_of(&store, end(1) + 5, 0)
            .period
            .unwrap()
            .ends_at
            .ms(),
        end(2)
    );
    // A server that was away for long grants once, and from then on.
    let late = end(7) + 11;
    lapse(&store, late).unwrap();
    assert_eq!(times(&store, 0)[3..], [end(2), late]);
    assert_eq!(
        balance_of(&store, late, 0).period.unwrap().ends_at,
        at(late).plus_months(1)
    );
}

#[test]
fn a_clock_that_steps_back_keeps_the_order() {
    let (_folder, store) = store_with(1);
    grant(&store, 30, 0, 5, 40).unwrap();
    let put = with(&store, 10, 0, |tx, account| {
        account.put_in(tx, at(10), 1, Cause::Payment, "x")
    });
    assert!(put.unwrap());
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
    let spoiled = with(&store, 1, 0, |tx, account| {
        account.put_in(tx, at(1), 1, Cause::Expiry, "period of 0 at 1 for 10")
    });
    spoiled.unwrap();
    for _ in 0..2 {
        let failed = lapse(&store, 10).unwrap();
        let tenants: Vec<&str> = failed.iter().map(|(tenant, _)| tenant.as_str()).collect();
        assert_eq!(tenants, ["0"]);
    }
    assert!((1..120).all(|tenant| entries(&store, tenant).len() == 2));
}

/// In the middle of a month, in milliseconds.
const START: i64 = 1_771_000_000_000;

fn set_plan(
    store: &Store,
    now: i64,
    tenant: usize,
    plan: Option<&'static str>,
    crashes: bool,
) -> Result<(), Error> {
    store.write(move |tx| {
        tenants::set_plan(tx, &tenant.to_string(), plan)?;
        plan_changed(tx, at(now), &tariff(), &tenant.to_string())?;
        survive(crashes)
    })
}

/// A transaction that is cut off at its end leaves nothing.
fn survive(crashes: bool) -> Result<(), Error> {
    match crashes {
        true => Err(Error::Fault("cut off".to_owned())),
        false => Ok(()),
    }
}
