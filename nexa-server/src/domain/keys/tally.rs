//! How many checks of keys ended in which way, since the start.

use std::sync::atomic::{AtomicU64, Ordering};

use super::check::KeyRefusal;

/// Outcomes of checks; a check that runs again, because memory did not know, is noted once.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: [AtomicU64; Self::NAMES.len()],
}

impl Tally {
    /// As `POST /api/v1/api-keys/verify` calls them.
    const NAMES: [&'static str; 10] = [
        "valid",
        "not_found",
        "disabled",
        "owner_disabled",
        "expired",
        "address_not_allowed",
        "wrong_environment",
        "insufficient_scope",
        "rate_limited",
        "used_up",
    ];

    pub(in crate::domain) fn valid(&self) {
        self.add(0);
    }

    pub(crate) fn refused(&self, refusal: &KeyRefusal) {
        self.add(match refusal {
            KeyRefusal::Deleted => 1,
            KeyRefusal::Disabled => 2,
            KeyRefusal::OwnerDisabled => 3,
            KeyRefusal::Expired => 4,
            KeyRefusal::Address => 5,
            KeyRefusal::Environment => 6,
            KeyRefusal::ScopeMissing(_) => 7,
            KeyRefusal::Limited(_) => 8,
            KeyRefusal::UsedUp { .. } => 9,
        });
    }

    fn add(&self, place: usize) {
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Each outcome by its name.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.counts.iter();
        Self::NAMES
            .into_iter()
            .zip(counts.map(|count| count.load(Ordering::Relaxed)))
    }
}
