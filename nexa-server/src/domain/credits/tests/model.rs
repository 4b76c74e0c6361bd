//! The ledger against a plain model: random operations, cut off in between, and programs that end.

use proptest::prelude::*;

use super::*;
use crate::store::users::{self, User};

#[derive(Clone, Debug)]
enum Step {
    Spend {
        cost_mc: i64,
    },
    PutIn {
        amount_mc: i64,
        id: u8,
    },
    TakeBack {
        amount_mc: i64,
    },
    Plan(Option<&'static str>),
    Enable(bool),
    Pass {
        ms: i64,
    },
    Lapse,
    /// The program ends and begins again.
    Reopen,
}

fn step() -> impl Strategy<Value = (usize, bool, Step)> {
    let day = 86_400_000_i64;
    let step = prop_oneof![
        6 => (0_i64..1_500).prop_map(|cost_mc| Step::Spend { cost_mc }),
        2 => (1_i64..2_000, 0_u8..12).prop_map(|(amount_mc, id)| Step::PutIn { amount_mc, id }),
        1 => (1_i64..2_000).prop_map(|amount_mc| Step::TakeBack { amount_mc }),
        2 => prop_oneof![Just(None), Just(Some("free")), Just(Some("small")), Just(Some("large"))].prop_map(Step::Plan),
        1 => any::<bool>().prop_map(Step::Enable),
        3 => prop_oneof![0..day, 0..20 * day, 20 * day..80 * day].prop_map(|ms| Step::Pass { ms }),
        1 => Just(Step::Lapse),
        1 => Just(Step::Reopen),
    ];
    (0_usize..3, prop::bool::weighted(0.2), step)
}

/// As [`store_with`], of people; the last tenant's owner has not verified an address.
fn store_of_people(tenants: usize) -> (tempfile::TempDir, Store) {
    let (folder, store) = store_with(0);
    let written = store.write(move |tx| -> Result<(), Error> {
        for id in 0..tenants {
            let tenant = Tenant {
                id: id.to_string(),
                name: "T".to_owned(),
                kind: "workspace".to_owned(),
                created_at: at(0),
            };
            tenants::insert(tx, &tenant)?;
            let owner = User {
                id: format!("owner of {id}"),
                tenant_id: id.to_string(),
                email: Some(format!("{id}@example.com")),
                email_given: Some(format!("{id}@example.com")),
                email_verified_at: (id + 1 < tenants).then_some(at(0)),
                password_hash: None,
                role: "owner".to_owned(),
                session_version: 1,
                created_at: at(0),
                is_active: true,
            };
            users::insert(tx, &owner)?;
        }
        Ok(())
    });
    written.unwrap();
    (folder, store)
}

/// What a tenant has, said as plainly as possible.
#[derive(Clone, Default)]
struct Model {
    monthly: i64,
    topup: i64,
    plan: Option<&'static str>,
    is_disabled: bool,
    /// The plan that granted last, and until when.
    period: Option<(&'static str, i64)>,
    put_in: Vec<u8>,
    is_verified: bool,
}

impl Model {
    fn granted(&self) -> i64 {
        match self.plan {
            Some("small") => 1_000,
            Some("large") => 5_000,
            Some(_) => 300,
            None if self.is_verified => 300,
            None => 0,
        }
    }

    fn lent(&self) -> i64 {
        if self.plan == Some("large") { 700 } else { 0 }
    }

    fn settle(&mut self, now: i64) {
        let last = match self.period {
            Some((_, ends)) if ends > now => return,
            Some((_, ends)) => Some(ends),
            None => None,
        };
        self.renew(now, last);
    }

    fn renew(&mut self, now: i64, last: Option<i64>) {
        (self.monthly, self.period) = (0, None);
        // Without a plan a tenant has the one that costs nothing.
        let plan = self.plan.unwrap_or("free");
        if let (false, 1..) = (self.is_disabled, self.granted()) {
            let month = |start: i64| at(start).plus_months(1).ms();
            let start = last.filter(|last| month(*last) > now).unwrap_or(now);
            // What is owed is paid off first.
            let owed = self.granted().min((-self.topup).max(0));
            (self.monthly, self.period) = (self.granted() - owed, Some((plan, month(start))));
            self.topup += owed;
        }
    }

    fn change_plan(&mut self, now: i64, plan: Option<&'static str>) {
        self.plan = plan;
        self.settle(now);
        let plan = plan.unwrap_or("free");
        if self.period.is_some_and(|(granting, _)| granting != plan) {
            self.renew(now, None);
        }
    }

    fn spend(&mut self, cost: i64) -> bool {
        if cost > self.monthly + self.topup + self.lent() {
            return false;
        }
        let of_month = cost.min(self.monthly);
        self.monthly -= of_month;
        self.topup -= cost - of_month;
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn the_ledger_agrees_with_a_plain_model(steps in proptest::collection::vec(step(), 1..60)) {
        let (folder, mut store) = store_of_people(3);
        let mut now = START;
        let verified = |is_verified| Model { is_verified, ..Model::default() };
        let mut models = [verified(true), verified(true), verified(false)];
        for (n, (tenant, crashes, step)) in steps.into_iter().enumerate() {
            let mut model = models[tenant].clone();
            let id = n.to_string();
            let done = match step {
                Step::Spend { cost_mc } => {
                    model.settle(now);
                    let is_covered = model.spend(cost_mc);
                    let spent = with(&store, now, tenant, move |tx, account| {
                        account.spend(tx, at(now), cost_mc, &id)?;
                        survive(crashes)
                    });
                    prop_assert_eq!(matches!(spent, Err(Error::CreditsTooLow { .. })), !is_covered);
                    spent
                }
                Step::PutIn { amount_mc, id } => {
                    model.settle(now);
                    let is_new = !model.put_in.contains(&id);
                    if is_new {
                        model.put_in.push(id);
                        model.topup += amount_mc;
                    }
                    with(&store, now, tenant, move |tx, account| {
                        let is_put = account.put_in(tx, at(now), amount_mc, Cause::Payment, &id.to_string())?;
                        assert_eq!(is_put, is_new);
                        survive(crashes)
                    })
                }
                Step::TakeBack { amount_mc } => {
                    model.settle(now);
                    model.topup -= amount_mc.min(model.topup.max(0));
                    with(&store, now, tenant, move |tx, account| {
                        account.take_back(tx, at(now), amount_mc, Cause::Refund, &id)?;
                        survive(crashes)
                    })
                }
                Step::Plan(plan) => {
                    model.change_plan(now, plan);
                    set_plan(&store, now, tenant, plan, crashes)
                }
                Step::Enable(is_enabled) => {
                    model.is_disabled = !is_enabled;
                    store.write(move |tx| {
                        tenants::set_active(tx, &tenant.to_string(), is_enabled)?;
                        survive(crashes)
                    })
                }
                Step::Pass { ms } => {
                    now += ms;
                    Ok(())
                }
                Step::Lapse => {
                    // Who has no period waits for the first one who asks.
                    for model in models.iter_mut().filter(|model| model.period.is_some()) {
                        model.settle(now);
                    }
                    prop_assert!(lapse(&store, now).unwrap().is_empty());
                    continue;
                }
                Step::Reopen => {
                    drop(store);
                    store = Store::open(folder.path(), MIGRATIONS).unwrap();
                    Ok(())
                }
            };
            if done.is_ok() {
                models[tenant] = model;
            }
        }
        for (tenant, model) in models.iter_mut().enumerate() {
            model.settle(now);
            let balance = balance_of(&store, now, tenant);
            prop_assert_eq!((balance.monthly_mc, balance.topup_mc), (model.monthly, model.topup));
            let mut sums = (0, 0);
            for (monthly, topup, monthly_after, topup_after, _) in entries(&store, tenant) {
                sums = (sums.0 + monthly, sums.1 + topup);
                prop_assert_eq!(sums, (monthly_after, topup_after));
                prop_assert!(monthly_after >= 0 && topup_after >= -700);
                prop_assert!(monthly_after == 0 || topup_after >= 0, "nothing is owed while there is something");
            }
            prop_assert_eq!(sums, (model.monthly, model.topup));
        }
    }
}
