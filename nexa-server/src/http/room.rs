//! Room for connections: a fixed number of places, made free where a peer only sits in one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::io::PhaseCell;

/// The places of all open connections.
///
/// When there is none left, the connection that has waited longest for its first request goes, and
/// without such a one the oldest that waits between two requests. So whoever fills all places with
/// unfinished heads only displaces the unfinished heads before them, and a client that sends its
/// request is served. A quota per address would hurt the proxy behind which everybody has the same
/// address, and would not stop a peer that has many.
pub(super) struct Room {
    permits: Arc<Semaphore>,
    seats: Mutex<Seats>,
}

/// One connection's place; dropping it makes room.
pub(super) struct Place {
    room: Arc<Room>,
    phase: Arc<PhaseCell>,
    number: u64,
    _permit: OwnedSemaphorePermit,
}

#[derive(Default)]
struct Seats {
    /// Of the next connection; never used twice, so that the order is that of their coming.
    number: u64,
    unanswered: BTreeMap<u64, Arc<PhaseCell>>,
    answered: BTreeMap<u64, Arc<PhaseCell>>,
}

impl Room {
    /// A room with so many places.
    pub(super) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self {
            permits: Arc::new(Semaphore::new(places)),
            seats: Mutex::default(),
        })
    }

    /// A place, once there is one.
    pub(super) async fn enter(self: &Arc<Self>) -> Place {
        /// Who was told to go may have begun a request in this very moment, and whoever was busy
        /// may have become idle.
        const ASK_AGAIN: Duration = Duration::from_millis(20);
        let permit = loop {
            if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
                break permit;
            }
            self.make_room();
            let permit = Arc::clone(&self.permits).acquire_owned();
            if let Ok(permit) = tokio::time::timeout(ASK_AGAIN, permit).await {
                break permit.expect("the semaphore of the places is never closed");
            }
        };
        let phase = Arc::default();
        let mut seats = self.seats();
        let number = seats.number;
        seats.number += 1;
        seats.unanswered.insert(number, Arc::clone(&phase));
        drop(seats);
        Place {
            room: Arc::clone(self),
            phase,
            number,
            _permit: permit,
        }
    }

    /// Ready once every one of `places` is free, and for good.
    pub(super) async fn until_empty(&self, places: usize) {
        until_all(&self.permits, places).await;
    }

    fn make_room(&self) {
        let seats = self.seats();
        let mut oldest_first = seats.unanswered.values().chain(seats.answered.values());
        if let Some(phase) = oldest_first.find(|phase| phase.is_waiting()) {
            phase.want();
        }
    }

    /// The lists are whole after each statement, so a panic elsewhere does not spoil them.
    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ready once all `permits` are back, and for good.
pub(super) async fn until_all(permits: &Semaphore, all: usize) {
    let all = u32::try_from(all).unwrap_or(u32::MAX);
    if let Ok(permits) = permits.acquire_many(all).await {
        permits.forget();
    }
}

impl Place {
    /// Where the connection stands.
    pub(super) fn phase(&self) -> &Arc<PhaseCell> {
        &self.phase
    }

    /// The connection has sent a whole request: it is no longer among the first to go.
    pub(super) fn has_asked(&self) {
        let mut seats = self.room.seats();
        if let Some(phase) = seats.unanswered.remove(&self.number) {
            seats.answered.insert(self.number, phase);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut seats = self.room.seats();
        seats.unanswered.remove(&self.number);
        seats.answered.remove(&self.number);
    }
}
