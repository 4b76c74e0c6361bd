//! The client: checks licences by what its state knows, says what to fetch next, and takes what was fetched.

use core::fmt;

use nexa_core::{
    ClockReading, Decision, DeviceExpectation, Freshness, KeySet, KeySetError, KeyUse,
    LicenseExpectations, LicenseReport, RevocationStatus, Revocations, Scratch, ShardError,
    SignedKeySet, StatusRef, StatusShard, UnixSeconds, Verdict, check_license,
};

use crate::fetch::{Fetch, Wanted, Why};
use crate::state::State;
use crate::trust::{Anchor, Trust};

/// The least time between two fetches of one document, in seconds.
const PACE_S: u64 = 60;
/// How old a key set may get, in seconds: it tells of revoked keys.
const KEY_SET_FRESH_S: u64 = 86_400;

/// Checks licences of one issuer for one app on one device, with all that its [`State`] has learnt.
#[derive(Clone, Debug)]
pub struct Client<'a> {
    trust: Trust,
    issuer: &'a str,
    expectations: LicenseExpectations<'a>,
}

impl<'a> Client<'a> {
    /// `issuer` is compared byte for byte with `iss`, `audience` (the app's id) with `aud`; `device` says what this device
    /// is made of.
    #[must_use]
    pub const fn new(
        trust: Trust,
        issuer: &'a str,
        audience: &'a str,
        device: DeviceExpectation<'a>,
    ) -> Self {
        Self {
            trust,
            issuer,
            expectations: LicenseExpectations::new(issuer, audience, device),
        }
    }

    /// Changes the longest life (exp − iat) that is accepted, in seconds; 400 days unless told.
    #[must_use]
    pub fn with_max_lifetime_s(mut self, max_lifetime_s: u64) -> Self {
        self.expectations = self.expectations.with_max_lifetime_s(max_lifetime_s);
        self
    }

    /// Checks one licence now: at the trusted time, which is the wall clock's unless that is known to be behind.
    ///
    /// `monotonic_s` is a clock that only goes forward and began anywhere, if the program has one (`Instant` in Rust). The
    /// answer borrows from `scratch`. Two signatures more than the licence's own are verified: the key set's and the shard's.
    #[must_use]
    pub fn check<'s>(
        &'s self,
        state: &mut State,
        wall: UnixSeconds,
        monotonic_s: Option<u64>,
        token: &[u8],
        scratch: &'s mut Scratch,
    ) -> Checked<'s> {
        let clock = state.clock.observe(wall, monotonic_s);
        state.now = clock.trusted.get();
        let keys = self.keys(state, KeyUse::License);
        let status_keys = self.keys(state, KeyUse::Status);
        let shard = status_keys.as_ref().and_then(|keys| {
            let bytes = state.shard.get()?;
            Some(StatusShard::open(bytes, keys, self.issuer))
        });
        let shard_error = shard.and_then(Result::err);
        let known = KnownStatus(shard.and_then(Result::ok));
        let asks_status = match &self.trust.0 {
            Anchor::Root(_) => true,
            Anchor::Embedded { status, .. } => status.is_some(),
        };
        let expect = match asks_status {
            true => self.expectations.with_revocations(&known),
            false => self.expectations,
        };
        let report = keys.map(|keys| check_license(&keys, &expect, clock.trusted, token, scratch));
        let next_update = known.0.map(|shard| shard.next_update());
        let license = report.as_ref().and_then(|report| report.license());
        if let Some(license) = license {
            state.clock.learn(license.claims().issued_at());
        }
        let next_fetch = self.next_fetch(state, report.as_ref(), shard_error, next_update);
        Checked {
            report,
            clock,
            next_fetch,
        }
    }

    /// Takes what was fetched. What is refused changes nothing but what is asked for next: the whole shard after a delta that
    /// did not fit, the key set after a shard or a delta by a key that is not known.
    ///
    /// # Errors
    /// Why it was refused; a server or mirror that sends such a thing is broken, behind, or not the issuer's.
    pub fn receive(
        &self,
        state: &mut State,
        wanted: Wanted,
        bytes: &[u8],
    ) -> Result<(), ReceiveError> {
        match wanted {
            Wanted::KeySet => self.receive_key_set(state, bytes),
            Wanted::Shard { number, .. } => self.receive_shard(state, number, bytes),
        }
    }

    fn receive_key_set(&self, state: &mut State, bytes: &[u8]) -> Result<(), ReceiveError> {
        let Anchor::Root(root) = &self.trust.0 else {
            return Err(ReceiveError::NotAsked);
        };
        let key_set = SignedKeySet::open(bytes, root, self.issuer).map_err(ReceiveError::KeySet)?;
        let seq = key_set.contents().seq();
        if seq < state.key_set.seq {
            return Err(ReceiveError::Older {
                seq,
                seen: state.key_set.seq,
            });
        }
        state.key_set.set(bytes, seq, state.now);
        state.wants_key_set = false;
        state.clock.learn(key_set.contents().issued_at());
        Ok(())
    }

    fn receive_shard(
        &self,
        state: &mut State,
        number: u32,
        bytes: &[u8],
    ) -> Result<(), ReceiveError> {
        let keys = self
            .keys(state, KeyUse::Status)
            .ok_or(ReceiveError::NotAsked)?;
        let mut rebuilt = [0; StatusShard::MAX_BYTES];
        let is_delta = StatusShard::is_delta(bytes);
        let opened = match is_delta {
            false => StatusShard::open(bytes, &keys, self.issuer),
            true => {
                let old = state.shard.get().ok_or(ReceiveError::NotAsked)?;
                StatusShard::open(old, &keys, self.issuer)
                    .and_then(|old| old.apply(bytes, &keys, self.issuer, &mut rebuilt))
            }
        };
        let shard = opened.map_err(|error| {
            // Not the delta's fault, and the whole shard is by the same key: only a newer key set can help.
            if error == ShardError::UnknownKey {
                state.wants_key_set = self.has_root();
            } else if is_delta {
                state.wants_whole_shard = true;
            }
            ReceiveError::Shard(error)
        })?;
        if shard.number() != number {
            return Err(ReceiveError::OtherShard {
                number: shard.number(),
                wanted: number,
            });
        }
        if state.shard_number == number && shard.seq() < state.shard.seq {
            return Err(ReceiveError::Older {
                seq: shard.seq(),
                seen: state.shard.seq,
            });
        }
        state.clock.learn(shard.this_update());
        state.shard_number = number;
        state.wants_whole_shard = false;
        let now = state.now;
        state.shard.set(shard.as_bytes(), shard.seq(), now);
        Ok(())
    }

    const fn has_root(&self) -> bool {
        matches!(self.trust.0, Anchor::Root(_))
    }

    /// The keys for one use, as far as they are known and their signature holds.
    fn keys(&self, state: &State, key_use: KeyUse) -> Option<KeySet> {
        match (&self.trust.0, key_use) {
            (Anchor::Root(root), key_use) => {
                SignedKeySet::open(state.key_set.get()?, root, self.issuer)
                    .ok()?
                    .keys(key_use)
            }
            (Anchor::Embedded { licenses, .. }, KeyUse::License) => Some(licenses.clone()),
            (Anchor::Embedded { status, .. }, KeyUse::Status) => status.clone(),
            (Anchor::Embedded { .. }, KeyUse::Webhook | KeyUse::Audit) => None,
        }
    }

    fn next_fetch<'s>(
        &'s self,
        state: &State,
        report: Option<&LicenseReport<'s>>,
        shard_error: Option<ShardError>,
        next_update: Option<UnixSeconds>,
    ) -> Option<Fetch<'s>> {
        let is_due = |received_at: u64| {
            received_at == 0 || state.now < received_at || state.now - received_at >= PACE_S
        };
        if self.has_root() && is_due(state.key_set.received_at) {
            let age_s = state.now.saturating_sub(state.key_set.received_at);
            let why = match report.map(LicenseReport::verdict) {
                None => Some(Why::Missing),
                Some(Verdict::UnknownKey) => Some(Why::UnknownKey),
                Some(_) if state.wants_key_set || shard_error == Some(ShardError::UnknownKey) => {
                    Some(Why::UnknownStatusKey)
                }
                Some(_) if age_s >= KEY_SET_FRESH_S => Some(Why::Old),
                Some(_) => None,
            };
            if let Some(why) = why {
                return Some(Fetch {
                    document: Wanted::KeySet,
                    why,
                    base: self.issuer,
                });
            }
        }
        // The shard would be refused again until there is a newer key set.
        if state.wants_key_set && self.has_root() {
            return None;
        }
        let report = report.filter(|report| report.revocation() != RevocationStatus::NotChecked)?;
        let status = report.license()?.claims().status()?;
        let number = status.shard()?;
        let is_here = state.shard.get().is_some() && state.shard_number == number;
        let is_readable = is_here && shard_error.is_none();
        let is_old = match report.freshness() {
            Freshness::Aging { .. } | Freshness::TooOld { .. } => true,
            Freshness::Unknown | Freshness::Fresh { .. } => {
                let terms = report.license()?.claims().terms();
                terms.fresh_s().is_none()
                    && next_update.is_some_and(|next_update| next_update.get() <= state.now)
            }
        };
        let why = match (is_here, is_readable) {
            (false, _) => Why::Missing,
            _ if !is_due(state.shard.received_at) && !state.wants_whole_shard => return None,
            (true, false) => Why::UnknownStatusKey,
            _ if state.wants_whole_shard => Why::DeltaFailed,
            _ if is_old => Why::Old,
            (true, true) => return None,
        };
        let can_lead_on = is_readable && !state.wants_whole_shard;
        Some(Fetch {
            document: Wanted::Shard {
                number,
                since: can_lead_on.then_some(state.shard.seq),
            },
            why,
            base: status.uri,
        })
    }
}

/// What a check found, and what would tell more.
#[derive(Clone, Debug)]
pub struct Checked<'s> {
    report: Option<LicenseReport<'s>>,
    clock: ClockReading,
    next_fetch: Option<Fetch<'s>>,
}

impl<'s> Checked<'s> {
    /// Verdict, facts and default decision; `None` while there are no keys at all.
    #[must_use]
    pub const fn report(&self) -> Option<&LicenseReport<'s>> {
        self.report.as_ref()
    }

    /// The verdict; without any keys, that the key is unknown.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.report
            .as_ref()
            .map_or(Verdict::UnknownKey, LicenseReport::verdict)
    }

    /// What to do if the program has no rule of its own.
    #[must_use]
    pub fn decision(&self) -> Decision {
        self.report
            .as_ref()
            .map_or(Decision::Deny, LicenseReport::decision)
    }

    /// What the clocks said.
    #[must_use]
    pub const fn clock(&self) -> ClockReading {
        self.clock
    }

    /// What to fetch next, when the program can; `None` while everything is as new as it has to be.
    #[must_use]
    pub const fn next_fetch(&self) -> Option<Fetch<'s>> {
        self.next_fetch
    }
}

/// The shard that is here, if it can be read; asking is always possible.
struct KnownStatus<'a>(Option<StatusShard<'a>>);

impl Revocations for KnownStatus<'_> {
    fn lookup(&self, jti: &str, status: Option<&StatusRef<'_>>) -> RevocationStatus {
        match &self.0 {
            Some(shard) => shard.lookup(jti, status),
            None => RevocationStatus::NoData,
        }
    }
}

/// Why something fetched was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceiveError {
    /// Nothing of the kind was asked for: there is no root key, no status key, or nothing that a delta leads on from.
    NotAsked,
    /// It is no good key set.
    KeySet(KeySetError),
    /// It is no good shard, or a delta that does not fit.
    Shard(ShardError),
    /// It is the shard of another number.
    OtherShard {
        /// Its number.
        number: u32,
        /// The one that was asked for.
        wanted: u32,
    },
    /// It is older than one that was here before: an old copy, or somebody who hides what came after.
    Older {
        /// Its version.
        seq: u64,
        /// The newest that was seen.
        seen: u64,
    },
}

impl fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsked => f.write_str("nothing of the kind was asked for"),
            Self::KeySet(error) => error.fmt(f),
            Self::Shard(error) => error.fmt(f),
            Self::OtherShard { number, wanted } => {
                write!(f, "this is shard {number}, not {wanted}")
            }
            Self::Older { seq, seen } => {
                write!(
                    f,
                    "version {seq} is older than {seen}, which was seen before"
                )
            }
        }
    }
}

impl core::error::Error for ReceiveError {}
