//! What a client wants next: the document that would tell the most, each at most once a minute.

use nexa_core::{
    Freshness, LicenseReport, Refusal, RevocationStatus, ShardError, StatusRef, UnixSeconds,
    Verdict,
};

use crate::fetch::{Fetch, Wanted, Why};
use crate::state::State;

/// For so long after a document came, or could not be had, it is not asked for again, in seconds.
const PACE_S: u64 = 60;
/// For so long after the key set came once more as it was, in seconds: longer than caches keep it.
const UNCHANGED_PACE_S: u64 = 600;
/// From this age on a newer key set is wanted: it may tell of a revoked key.
const KEY_SET_FRESH_S: u64 = 24 * 3_600;

/// What a check has found, as far as it says what is missing.
pub(crate) struct Plan<'c, 's, 'r> {
    pub(crate) issuer: &'s str,
    /// Whether key sets are read at all.
    pub(crate) has_root: bool,
    pub(crate) state: &'c State,
    pub(crate) report: Option<&'r LicenseReport<'s>>,
    /// Why the shard that is here cannot be read.
    pub(crate) shard_error: Option<ShardError>,
    /// When the shard that is here was signed, and when the next one was promised for.
    pub(crate) times: Option<(UnixSeconds, UnixSeconds)>,
}

impl<'s> Plan<'_, 's, '_> {
    /// Keys before all else where nothing can be said without them; then revocations; then, once a day, keys again. A document
    /// that was tried a moment ago keeps nothing else waiting.
    pub(crate) fn next(&self) -> Option<Fetch<'s>> {
        let now = self.state.now;
        let key_set = |why| Fetch {
            document: Wanted::KeySet,
            why,
            base: self.issuer,
        };
        let may_ask_keys = self.has_root && self.state.key_set.tried.is_apart(now, PACE_S);
        let lacks_keys = match self.report.map(LicenseReport::verdict) {
            None => Some(Why::Missing),
            // One that was replaced may be in force for longer by now.
            Some(Verdict::UnknownKey) => Some(Why::UnknownKey),
            Some(Verdict::Refused(Refusal::KidNotInForce)) => Some(Why::UnknownKey),
            Some(_) if self.state.wants_key_set || self.shard_error.is_some_and(is_for_keys) => {
                Some(Why::UnknownStatusKey)
            }
            Some(_) => None,
        };
        // The issuer has had none newer: the licence's key may be over and gone.
        let pace_s = match self.state.has_newest_key_set {
            true => UNCHANGED_PACE_S,
            false => PACE_S,
        };
        let may_ask_again = self.state.key_set.tried.is_apart(now, pace_s);
        if let Some(why) = lacks_keys.filter(|_| may_ask_keys && may_ask_again) {
            return Some(key_set(why));
        }
        if let Some(fetch) = self.shard() {
            return Some(fetch);
        }
        let is_old = self.state.key_set.received.is_apart(now, KEY_SET_FRESH_S);
        (may_ask_keys && is_old).then(|| key_set(Why::Old))
    }

    fn shard(&self) -> Option<Fetch<'s>> {
        let report = self.report?;
        if report.revocation() == RevocationStatus::NotChecked || !is_of_use(report.verdict()) {
            return None;
        }
        let (state, now) = (self.state, self.state.now);
        let status: StatusRef<'s> = report.license()?.claims().status()?;
        let number = status.shard()?;
        let is_here = state.shard().is_some_and(|(kept, _)| kept == number);
        let is_readable = is_here && self.times.is_some();
        let why = match (is_here, is_readable) {
            _ if !state.shard.tried.is_apart(now, PACE_S) => return None,
            (false, _) => Why::Missing,
            (true, false) => Why::UnknownStatusKey,
            (true, true) if state.wants_whole_shard => Why::DeltaFailed,
            (true, true) if self.is_old(report) => Why::Old,
            (true, true) => return None,
        };
        let can_lead_on = is_readable && !state.wants_whole_shard;
        Some(Fetch {
            document: Wanted::Shard {
                number,
                since: can_lead_on.then(|| state.seen(number)),
            },
            why,
            base: status.uri,
        })
    }

    /// By the licence's own measure, else by what the shard promises; by the wall clock too, since trusted time stands still
    /// while that is behind.
    fn is_old(&self, report: &LicenseReport<'s>) -> bool {
        let (state, now) = (self.state, self.state.now);
        let Some((this_update, next_update)) = self.times else {
            return false;
        };
        let fresh_s = report
            .license()
            .and_then(|license| license.claims().terms().fresh_s());
        let is_old = match report.freshness() {
            Freshness::Aging { .. } | Freshness::TooOld { .. } => true,
            Freshness::Unknown | Freshness::Fresh { .. } => {
                fresh_s.is_none() && next_update.get() <= now.trusted
            }
        };
        let promised_s = next_update.since(this_update).unwrap_or(0);
        let wall_s = state.shard.received.wall.abs_diff(now.wall);
        is_old || wall_s >= fresh_s.unwrap_or(promised_s).max(PACE_S)
    }
}

/// Whether a newer key set might hold the key that signed the shard, or hold it for longer.
pub(crate) const fn is_for_keys(error: ShardError) -> bool {
    matches!(error, ShardError::UnknownKey | ShardError::KeyNotInForce)
}

/// Whether news of revocations could change what is done: not for a licence that is refused for another reason.
const fn is_of_use(verdict: Verdict) -> bool {
    matches!(
        verdict,
        Verdict::Valid
            | Verdict::Revoked { .. }
            | Verdict::RevocationDataOld { .. }
            | Verdict::Expired {
                grace_left_s: Some(_),
                ..
            }
    )
}
