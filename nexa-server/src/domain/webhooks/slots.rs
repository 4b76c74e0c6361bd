//! Which deliveries are under way: a bounded number, one of each tenant, since two on their way could overtake each other, and in
//! turns, so that no receiver that hangs keeps those of others waiting.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::error::Error;
use crate::store::webhooks::{self, Delivery, DueTenant};
use crate::store::{Store, Tx};
use crate::sync::{Mutex, lock};
use crate::time::UnixMillis;

/// At once, of all tenants.
pub(crate) const ALL: usize = 32;
/// At once, of those that are degraded: the rest is always free for the others.
const DEGRADED: usize = 16;
/// How long a delivery rests whose outcome could not be written down, in seconds: it would be sent again and again.
const REST_S: i64 = 300;

/// The places, shared by all that deliver.
#[derive(Default)]
pub(crate) struct Slots(Mutex<State>);

#[derive(Default)]
struct State {
    /// By tenant: whether it was degraded when its place was taken.
    taken: BTreeMap<String, bool>,
    resting: BTreeMap<i64, UnixMillis>,
    /// The tenant whose turn was last, among those that are degraded and among the others.
    last_degraded: String,
    last: String,
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
        lock(&self.slots.0).taken.remove(&self.tenant_id);
    }
}

impl State {
    fn fill(&mut self, tx: &Tx<'_>, now: UnixMillis) -> Result<Vec<Delivery>, Error> {
        let mut picked = Vec::new();
        if !self.has_room(false) {
            return Ok(picked);
        }
        let tenants = webhooks::due_tenants(tx, now)?;
        for is_degraded in [true, false] {
            self.round(tx, now, &tenants, is_degraded, &mut picked)?;
        }
        Ok(picked)
    }

    /// One round over the tenants for which something is due, either those that are degraded or the others, from the one
    /// whose turn is next.
    fn round(
        &mut self,
        tx: &Tx<'_>,
        now: UnixMillis,
        tenants: &[DueTenant],
        is_degraded: bool,
        picked: &mut Vec<Delivery>,
    ) -> Result<(), Error> {
        let last = match is_degraded {
            true => &self.last_degraded,
            false => &self.last,
        };
        let next = tenants.partition_point(|tenant| tenant.id <= *last);
        let (had_turns, have_turns) = tenants.split_at(next);
        for tenant in have_turns.iter().chain(had_turns) {
            if !self.has_room(is_degraded) {
                break;
            }
            if tenant.is_degraded == is_degraded && self.pick_of(tx, now, tenant, picked)? {
                match is_degraded {
                    true => self.last_degraded.clone_from(&tenant.id),
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
        if self.taken.contains_key(&tenant.id) {
            return Ok(false);
        }
        // What rests is among what is found.
        let found = u32::try_from(self.resting.len() + 1).unwrap_or(u32::MAX);
        let due = webhooks::due(tx, now, &tenant.id, found)?;
        let is_free = |delivery: &Delivery| !self.resting.contains_key(&delivery.event_seq);
        let Some(delivery) = due.into_iter().find(is_free) else {
            return Ok(false);
        };
        self.taken.insert(tenant.id.clone(), tenant.is_degraded);
        picked.push(delivery);
        Ok(true)
    }

    /// Whether a place is free for them.
    fn has_room(&self, is_degraded: bool) -> bool {
        let degraded = || self.taken.values().filter(|is_one| **is_one).count();
        self.taken.len() < ALL && (!is_degraded || degraded() < DEGRADED)
    }
}
