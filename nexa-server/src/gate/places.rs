//! The places of WebSockets: so many in all and so many of one tenant; whoever has the most makes room for those with few.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::domain::Error;
use crate::http::websocket::{Closing, Place};

/// The places of all tenants.
///
/// When there is none left, the tenant with the most WebSockets loses its oldest one to a tenant that has fewer even with one
/// more. Anybody may register tenants, and each takes its share: so whoever fills all places makes room for those who come,
/// down to as many as they have, and nobody loses a place to a tenant that has as many.
pub(crate) struct Places {
    of_one: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    all: usize,
    taken: usize,
    /// Those that lost their place, and whose sockets are still open.
    leaving: usize,
    /// Of the next place; never used twice, so that the order is that of their coming.
    number: u64,
    /// Each with what tells its connection that it has lost its place.
    tenants: HashMap<Arc<str>, BTreeMap<u64, oneshot::Sender<Closing>>>,
    /// The same tenants, those with the most places last.
    by_count: BTreeSet<(usize, Arc<str>)>,
}

/// A place that is taken, until its socket is gone.
struct Seat {
    places: Arc<Places>,
    tenant_id: Arc<str>,
    number: u64,
}

/// Whoever lost its place hears why, which takes a socket some seconds that does not listen: so many at once have a file handle
/// beside those that have a place.
pub(crate) const LEAVING_MAX: usize = 32;

/// When a tenant whose places are all taken may look again, in seconds.
const RETRY_OWN_S: u64 = 60;
/// The same where it has some left, and everybody else's are taken.
const RETRY_ALL_S: u64 = 5;

/// RFC 6455 §7.4.2 in the registry that it opened: try again later.
const DISPLACED: Closing = Closing {
    code: 1013,
    reason: "all places are taken, and a tenant with fewer needed one; connect again later",
};

impl Places {
    /// So many in all, and of one tenant.
    pub(crate) fn new(all: usize, of_one: usize) -> Arc<Self> {
        let state = State {
            all,
            ..State::default()
        };
        Arc::new(Self {
            of_one,
            state: Mutex::new(state),
        })
    }

    /// From now on at most `all`.
    pub(crate) fn shrink_to(&self, all: usize) {
        let mut state = self.state();
        state.all = state.all.min(all);
    }

    /// Whether there would be a place for one more of a tenant.
    ///
    /// # Errors
    /// As [`Places::take`].
    pub(crate) fn check(&self, tenant_id: &str) -> Result<(), Error> {
        let state = self.state();
        state.room_for(tenant_id, self.of_one).map(drop)
    }

    /// Takes a place, if need be from whoever has the most.
    ///
    /// # Errors
    /// `Limited` when the tenant has as many as it may; `Busy` when all are taken, and nobody has to make room.
    pub(crate) fn take(self: &Arc<Self>, tenant_id: &str) -> Result<Place, Error> {
        let mut state = self.state();
        if let Some(loser) = state.room_for(tenant_id, self.of_one)?
            && let Some((_, told)) = state.change(&loser, BTreeMap::pop_first)
        {
            state.leaving += 1;
            // It may be over in this very moment.
            let _ = told.send(DISPLACED);
        }
        let (tells, displaced) = oneshot::channel();
        let (number, tenant_id) = (state.number, Arc::from(tenant_id));
        state.number += 1;
        state.change(&tenant_id, |places| places.insert(number, tells));
        drop(state);
        let seat = Seat {
            places: Arc::clone(self),
            tenant_id,
            number,
        };
        Ok(Place {
            displaced,
            held: Box::new(seat),
        })
    }

    /// Nothing in between its statements panics, so a panic elsewhere does not spoil it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Who has to make room for one more of a tenant; `None` where there is room.
    ///
    /// # Errors
    /// As [`Places::take`].
    fn room_for(&self, tenant_id: &str, of_one: usize) -> Result<Option<Arc<str>>, Error> {
        let own = self.tenants.get(tenant_id).map_or(0, BTreeMap::len);
        if own >= of_one {
            return Err(Error::Limited {
                retry_after_s: RETRY_OWN_S,
            });
        }
        if self.taken < self.all {
            return Ok(None);
        }
        match self.by_count.last() {
            Some((most, loser)) if *most > own + 1 && self.leaving < LEAVING_MAX => {
                Ok(Some(Arc::clone(loser)))
            }
            _ => Err(Error::Busy {
                retry_after_s: RETRY_ALL_S,
            }),
        }
    }

    /// Changes the places of a tenant, and whatever depends on their number.
    fn change<T>(
        &mut self,
        tenant_id: &Arc<str>,
        change: impl FnOnce(&mut BTreeMap<u64, oneshot::Sender<Closing>>) -> T,
    ) -> T {
        let places = self.tenants.entry(Arc::clone(tenant_id)).or_default();
        let before = places.len();
        let changed = change(places);
        let after = places.len();
        self.taken = self.taken + after - before;
        self.by_count.remove(&(before, Arc::clone(tenant_id)));
        match after {
            0 => drop(self.tenants.remove(tenant_id)),
            _ => drop(self.by_count.insert((after, Arc::clone(tenant_id)))),
        }
        changed
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.places.state();
        let had = state.change(&self.tenant_id, |places| places.remove(&self.number));
        if had.is_none() {
            state.leaving -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `take` comes to.
    fn answer(taken: &Result<Place, Error>) -> &'static str {
        match taken {
            Ok(_) => "taken",
            Err(Error::Limited { .. }) => "limited",
            Err(Error::Busy { .. }) => "busy",
            Err(_) => "something else",
        }
    }

    fn has_lost(place: &mut Place) -> bool {
        match place.displaced.try_recv() {
            Ok(closing) => {
                assert_eq!(closing.code, 1013);
                true
            }
            Err(_) => false,
        }
    }

    fn take_all(places: &Arc<Places>, tenant_ids: &str) -> Vec<Place> {
        let each = tenant_ids
            .split(' ')
            .filter(|tenant_id| !tenant_id.is_empty());
        each.map(|tenant_id| places.take(tenant_id).unwrap())
            .collect()
    }

    #[test]
    fn whoever_has_the_most_makes_room_for_those_with_few() {
        for (all, taken, comes, expected, loses) in [
            (4, "a a a", "b", "taken", None),
            (4, "a a a", "a", "limited", None),
            (3, "a a a", "a", "limited", None),
            (3, "a a a", "b", "taken", Some(0)),
            (4, "b a a a", "b", "taken", Some(1)),
            (4, "a a b b", "b", "busy", None),
            (4, "a a b b", "c", "taken", Some(2)),
            (5, "a b a b a", "b", "busy", None),
            (5, "b b a a a", "c", "taken", Some(2)),
            (3, "a b c", "d", "busy", None),
            (1, "a", "b", "busy", None),
            (0, "", "a", "busy", None),
        ] {
            let case = format!("{comes} after {taken} of {all}");
            let places = Places::new(all, 3);
            let mut before = take_all(&places, taken);
            let may = places.check(comes).is_ok();
            let come = places.take(comes);
            assert_eq!(answer(&come), expected, "{case}");
            assert_eq!(may, come.is_ok(), "{case}");
            let lost = before.iter_mut().position(has_lost);
            assert_eq!(lost, loses, "{case}");
            drop((before, come));
            let state = places.state();
            assert_eq!((state.taken, state.leaving), (0, 0), "{case}");
            assert!(state.tenants.is_empty() && state.by_count.is_empty());
        }
    }

    #[test]
    fn asking_takes_no_place_from_anybody() {
        let places = Places::new(3, 3);
        let mut taken = take_all(&places, "a a a");
        places.check("b").unwrap();
        assert!(!taken.iter_mut().any(has_lost));
    }

    /// Ten strangers with all they may have, against a thousand tenants that come one by one, and back again.
    #[test]
    fn those_who_fill_all_places_keep_no_more_than_the_others() {
        let places = Places::new(1_000, 100);
        let strangers: Vec<String> = (0..10).map(|number| format!("stranger {number}")).collect();
        let mut strangers: Vec<(&str, Place)> = strangers
            .iter()
            .flat_map(|stranger| {
                (0..100).map(|_| (stranger.as_str(), places.take(stranger).unwrap()))
            })
            .collect();
        let mut comers = Vec::new();
        for number in 0..990 {
            comers.push(places.take(&format!("comer {number}")).unwrap());
            strangers.retain_mut(|(_, place)| !has_lost(place));
            assert_eq!(strangers.len() + comers.len(), 1_000);
            // They come back at once, and displace nobody.
            for number in 0..10 {
                let stranger = format!("stranger {number}");
                assert_ne!(answer(&places.take(&stranger)), "taken");
            }
        }
        assert_eq!(answer(&places.take("one too many")), "busy");
        assert!(!comers.iter_mut().any(has_lost));
        assert_eq!(strangers.len(), 10, "each stranger has one left");
    }

    #[test]
    fn those_that_leave_are_few_until_their_sockets_are_gone() {
        let places = Places::new(100, 100);
        let mut strangers = take_all(&places, &"a ".repeat(100));
        let comers: Vec<_> = (0..=LEAVING_MAX)
            .map(|number| places.take(&format!("comer {number}")))
            .collect();
        let answers: Vec<_> = comers.iter().map(answer).collect();
        let (last, others) = answers.split_last().unwrap();
        assert!(others.iter().all(|answer| *answer == "taken"));
        assert_eq!(*last, "busy");
        // The oldest are those that go.
        let lost: Vec<bool> = strangers.iter_mut().map(has_lost).collect();
        assert_eq!(lost.iter().rposition(|lost| *lost), Some(LEAVING_MAX - 1));
        strangers.remove(0);
        assert_eq!(answer(&places.take("another")), "taken");
    }

    #[test]
    fn a_tenant_gets_its_places_back_and_a_limit_only_falls() {
        let places = Places::new(10, 2);
        let mut taken = take_all(&places, "a a b");
        assert_eq!(answer(&places.take("a")), "limited");
        taken.remove(0);
        taken.push(places.take("a").unwrap());
        places.shrink_to(20);
        places.shrink_to(3);
        assert_eq!(
            answer(&places.take("c")),
            "taken",
            "a has two, and makes room"
        );
        assert_eq!(
            answer(&places.take("c")),
            "taken",
            "the one before has gone"
        );
    }
}
