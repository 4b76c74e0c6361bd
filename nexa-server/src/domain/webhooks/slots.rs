//! Which deliveries are under way: a bounded number, one of each tenant, and in turns, so that no receiver that hangs keeps those
//! of others waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::error::Error;
use crate::store::webhooks::{self, Delivery, DueTenant};
use crate::store::{Store, Tx};
use crate::sync::{Mutex, lock};
use crate::time::UnixMillis;

/// At once, of all tenants.
pub(crate) const ALL: usize = 32;
/// At once, of those whose last attempt came to nothing: the rest is always free for the others.
const FAILING: usize = 16;
/// At once, of one tenant: two on their way could overtake each other.
const OF_ONE: usize = 1;
/// How long a delivery rests whose outcome could not be written down, in seconds: it would be sent again and again.
const REST_S: i64 = 300;

/// The places, shared by all that deliver.
#[derive(Default)]
pub(crate) struct Slots(Mutex<State>);

#[derive(Default)]
struct State {
    taken: BTreeMap<String, Taken>,
    resting: BTreeMap<i64, UnixMillis>,
    /// The tenant whose turn was last, among those that fail and among the others.
    last_failing: String,
    last: String,
}

/// The places of one tenant.
struct Taken {
    /// Whether it failed when the last of them was taken.
    is_failing: bool,
    /// Of the events.
    seqs: BTreeSet<i64>,
}

/// One place, until it is dropped.
pub(crate) struct Slot {
    slots: Arc<Slots>,
    tenant_id: String,
    event_seq: i64,
}

impl Slots {
    /// Takes places for what is due.
    pub(super) fn fill(&self, store: &Store, now: UnixMillis) -> Result<Vec<Delivery>, Error> {
        let mut state = lock(&self.0);
        // No longer than that either where the clock was set back.
        let latest = now.plus_seconds(REST_S);
        (state.resting).retain(|_, until| *until > now && *until <= latest);
        store.read(|tx| state.fill(tx, now))
    }

    /// The place that was taken for a delivery.
    pub(crate) fn of(self: &Arc<Self>, delivery: &Delivery) -> Slot {
        Slot {
            slots: Arc::clone(self),
            tenant_id: delivery.tenant_id.clone(),
            event_seq: delivery.event_seq,
        }
    }
}

impl Slot {
    /// Lets the delivery rest.
    pub(crate) fn rest(&self, now: UnixMillis) {
        let until = now.plus_seconds(REST_S);
        lock(&self.slots.0).resting.insert(self.event_seq, until);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = lock(&self.slots.0);
        if let Some(taken) = state.taken.get_mut(&self.tenant_id) {
            taken.seqs.remove(&self.event_seq);
            if taken.seqs.is_empty() {
                state.taken.remove(&self.tenant_id);
            }
        }
    }
}

impl State {
    fn fill(&mut self, tx: &Tx<'_>, now: UnixMillis) -> Result<Vec<Delivery>, Error> {
        let mut picked = Vec::new();
        if self.room(false) == 0 {
            return Ok(picked);
        }
        let tenants = webhooks::due_tenants(tx, now)?;
        for is_failing in [true, false] {
            self.round(tx, now, &tenants, is_failing, &mut picked)?;
        }
        Ok(picked)
    }

    /// One round over the tenants for which something is due, either those that fail or the others, from the one whose turn is
    /// next.
    fn round(
        &mut self,
        tx: &Tx<'_>,
        now: UnixMillis,
        tenants: &[DueTenant],
        is_failing: bool,
        picked: &mut Vec<Delivery>,
    ) -> Result<(), Error> {
        let last = match is_failing {
            true => &self.last_failing,
            false => &self.last,
        };
        let next = tenants.partition_point(|tenant| tenant.id <= *last);
        let (had_turns, have_turns) = tenants.split_at(next);
        for tenant in have_turns.iter().chain(had_turns) {
            if self.room(is_failing) == 0 {
                break;
            }
            if tenant.is_failing == is_failing && self.pick_of(tx, now, tenant, picked)? {
                match is_failing {
                    true => self.last_failing.clone_from(&tenant.id),
                    false => self.last.clone_from(&tenant.id),
                }
            }
        }
        Ok(())
    }

    /// Whether there was something, and a place for it.
    fn pick_of(
        &mut self,
        tx: &Tx<'_>,
        now: UnixMillis,
        tenant: &DueTenant,
        picked: &mut Vec<Delivery>,
    ) -> Result<bool, Error> {
        let of_one = (self.taken.get(&tenant.id)).map_or(0, |taken| taken.seqs.len());
        let of_all = self.room(tenant.is_failing);
        let mut room = OF_ONE.saturating_sub(of_one).min(of_all);
        if room == 0 {
            return Ok(false);
        }
        let before = picked.len();
        // What is under way and what rests is among what is found.
        let found = u32::try_from(OF_ONE * 2 + self.resting.len()).unwrap_or(u32::MAX);
        for delivery in webhooks::due(tx, now, &tenant.id, found)? {
            let seq = delivery.event_seq;
            let is_free = !self.resting.contains_key(&seq);
            if room > 0 && is_free && self.take(tenant, seq) {
                picked.push(delivery);
                room -= 1;
            }
        }
        Ok(picked.len() > before)
    }

    /// How many places are free for them.
    fn room(&self, is_failing: bool) -> usize {
        let of_all = ALL.saturating_sub(self.count(|_| true));
        match is_failing {
            true => of_all.min(FAILING.saturating_sub(self.count(|taken| taken.is_failing))),
            false => of_all,
        }
    }

    /// False when it is taken.
    fn take(&mut self, tenant: &DueTenant, seq: i64) -> bool {
        let taken = (self.taken.entry(tenant.id.clone())).or_insert_with(|| Taken {
            is_failing: tenant.is_failing,
            seqs: BTreeSet::new(),
        });
        taken.is_failing = tenant.is_failing;
        taken.seqs.insert(seq)
    }

    fn count(&self, is_meant: impl Fn(&Taken) -> bool) -> usize {
        let meant = self.taken.values().filter(|taken| is_meant(taken));
        meant.map(|taken| taken.seqs.len()).sum()
    }
}
