//! Which deliveries are under way: a bounded number, few of one tenant, and in turns, so that no receiver that hangs keeps those
//! of others waiting.

use std::collections::{BTreeMap, BTreeSet};

use super::super::error::Error;
use crate::store::webhooks::{self, Delivery};
use crate::store::{Store, Tx};
use crate::sync::{Mutex, lock};
use crate::time::UnixMillis;

/// At once, of all tenants.
const ALL: usize = 32;
/// At once, of those whose last attempt came to nothing: the rest is always free for the others.
const FAILING: usize = 16;
/// At once, of one tenant.
const OF_ONE: usize = 2;
/// How long a delivery rests whose outcome could not be written down, in seconds: it would be sent again and again.
const REST_S: i64 = 300;

/// The places, shared by all that deliver.
#[derive(Default)]
pub(crate) struct Slots(Mutex<State>);

#[derive(Default)]
struct State {
    /// By tenant, the places of the events.
    taken: BTreeMap<String, BTreeSet<i64>>,
    failing: BTreeSet<String>,
    resting: BTreeMap<i64, UnixMillis>,
    /// The tenant whose turn was last, among those that fail and among the others.
    last_failing: String,
    last: String,
}

/// One place, until it is dropped.
pub(crate) struct Slot<'a> {
    slots: &'a Slots,
    delivery: &'a Delivery,
}

impl Slots {
    /// Takes places for what is due.
    pub(super) fn fill(&self, store: &Store, now: UnixMillis) -> Result<Vec<Delivery>, Error> {
        let mut state = lock(&self.0);
        state.resting.retain(|_, until| *until > now);
        store.read(|tx| state.fill(tx, now))
    }

    /// The place that was taken for a delivery.
    pub(crate) fn of<'a>(&'a self, delivery: &'a Delivery) -> Slot<'a> {
        Slot {
            slots: self,
            delivery,
        }
    }
}

impl Slot<'_> {
    /// Notes how the receiver did.
    pub(crate) fn note(&self, is_delivered: bool) {
        let mut state = lock(&self.slots.0);
        let tenant_id = &self.delivery.tenant_id;
        match is_delivered {
            true => drop(state.failing.remove(tenant_id)),
            false => drop(state.failing.insert(tenant_id.clone())),
        }
    }

    /// Lets the delivery rest.
    pub(crate) fn rest(&self, now: UnixMillis) {
        let until = now.plus_seconds(REST_S);
        let seq = self.delivery.event_seq;
        lock(&self.slots.0).resting.insert(seq, until);
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.slots.0);
        let Delivery {
            tenant_id,
            event_seq,
            ..
        } = self.delivery;
        if let Some(taken) = state.taken.get_mut(tenant_id) {
            taken.remove(event_seq);
            if taken.is_empty() {
                state.taken.remove(tenant_id);
            }
        }
    }
}

impl State {
    fn fill(&mut self, tx: &Tx<'_>, now: UnixMillis) -> Result<Vec<Delivery>, Error> {
        let mut picked = Vec::new();
        for is_failing in [true, false] {
            self.round(tx, now, is_failing, &mut picked)?;
        }
        Ok(picked)
    }

    /// One round over the tenants for which something waits, either those that fail or the others, from the one whose turn is
    /// next.
    fn round(
        &mut self,
        tx: &Tx<'_>,
        now: UnixMillis,
        is_failing: bool,
        picked: &mut Vec<Delivery>,
    ) -> Result<(), Error> {
        let start = match is_failing {
            true => self.last_failing.clone(),
            false => self.last.clone(),
        };
        let (mut place, mut has_wrapped) = (start.clone(), false);
        while self.room(is_failing) > 0 {
            let Some((tenant_id, due_at)) = webhooks::next_tenant(tx, &place)? else {
                if has_wrapped {
                    break;
                }
                has_wrapped = true;
                place.clear();
                continue;
            };
            if has_wrapped && tenant_id > start {
                break;
            }
            if due_at <= now
                && self.failing.contains(&tenant_id) == is_failing
                && self.pick_of(tx, now, &tenant_id, is_failing, picked)?
            {
                match is_failing {
                    true => self.last_failing.clone_from(&tenant_id),
                    false => self.last.clone_from(&tenant_id),
                }
            }
            place = tenant_id;
        }
        Ok(())
    }

    /// Whether there was something, and a place for it.
    fn pick_of(
        &mut self,
        tx: &Tx<'_>,
        now: UnixMillis,
        tenant_id: &str,
        is_failing: bool,
        picked: &mut Vec<Delivery>,
    ) -> Result<bool, Error> {
        let of_one = self.taken.get(tenant_id).map_or(0, BTreeSet::len);
        let mut room = OF_ONE.saturating_sub(of_one).min(self.room(is_failing));
        if room == 0 {
            return Ok(false);
        }
        let before = picked.len();
        // What is under way and what rests is among what is found.
        let found = u32::try_from(OF_ONE * 2 + self.resting.len()).unwrap_or(u32::MAX);
        for delivery in webhooks::due(tx, now, tenant_id, found)? {
            let seq = delivery.event_seq;
            let is_free = !self.resting.contains_key(&seq);
            if room > 0 && is_free && self.take(tenant_id, seq) {
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
            true => of_all.min(FAILING.saturating_sub(self.count(|id| self.failing.contains(id)))),
            false => of_all,
        }
    }

    /// False when it is taken.
    fn take(&mut self, tenant_id: &str, seq: i64) -> bool {
        let taken = self.taken.entry(tenant_id.to_owned()).or_default();
        taken.insert(seq)
    }

    fn count(&self, is_meant: impl Fn(&str) -> bool) -> usize {
        let meant = self.taken.iter().filter(|(id, _)| is_meant(id));
        meant.map(|(_, taken)| taken.len()).sum()
    }
}
