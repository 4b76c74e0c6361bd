//! The client: checks licences by what its state knows, says what to fetch next, and takes what was fetched.

use nexa_core::{
    ClockReading, Decision, DeviceExpectation, KeySet, KeyUse, LicenseExpectations, LicenseReport,
    RevocationStatus, Revocations, Scratch, SignedKeySet, StatusRef, StatusShard, UnixSeconds,
    Verdict, VerificationKey, check_license,
};

use crate::fetch::{Fetch, Wanted};
use crate::plan::{Plan, is_for_keys};
use crate::receive_error::ReceiveError;
use crate::state::{Moment, State};
use crate::trust::{Anchor, Trust};

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
        state.now = Moment {
            trusted: clock.trusted.get(),
            wall: wall.get(),
        };
        let (keys, status_keys) = self.keys(state);
        let mut shard_error = None;
        let known = match (status_keys, state.shard.get()) {
            (Some(keys), Some(bytes)) => match StatusShard::open(bytes, &keys, self.issuer) {
                Ok(shard) => KnownStatus::All(shard),
                Err(error) => {
                    shard_error = Some(error);
                    self.revoked(state)
                }
            },
            (None, Some(_)) => self.revoked(state),
            (_, None) => KnownStatus::None,
        };
        let asks_status = match &self.trust.0 {
            Anchor::Root(_) => true,
            Anchor::Embedded { status, .. } => status.is_some(),
        };
        let expect = match asks_status {
            true => self.expectations.with_revocations(&known),
            false => self.expectations,
        };
        let report = keys.map(|keys| check_license(&keys, &expect, clock.trusted, token, scratch));
        let times = match &known {
            KnownStatus::All(shard) => Some((shard.this_update(), shard.next_update())),
            KnownStatus::Revoked(_) | KnownStatus::None => None,
        };
        let license = report.as_ref().and_then(|report| report.license());
        if let Some(license) = license {
            state.clock.learn(license.claims().issued_at());
        }
        let next_fetch = Plan {
            issuer: self.issuer,
            has_root: self.has_root(),
            state,
            report: report.as_ref(),
            shard_error,
            times,
        }
        .next();
        Checked {
            report,
            clock,
            next_fetch,
        }
    }

    /// Takes what was fetched. What is refused changes nothing but what is asked for next: the whole shard after a delta that
    /// did not fit, the key set after a shard or a delta by a key that is not known; and for a minute, not the same again.
    ///
    /// # Errors
    /// Why it was refused; a server or mirror that sends such a thing is broken, behind, or not the issuer's.
    pub fn receive(
        &self,
        state: &mut State,
        wanted: Wanted,
        bytes: &[u8],
    ) -> Result<(), ReceiveError> {
        self.failed(state, wanted);
        match wanted {
            Wanted::KeySet => self.receive_key_set(state, bytes),
            Wanted::Shard { number, .. } => self.receive_shard(state, number, bytes),
        }
    }

    /// Notes that a document could not be fetched: for a minute it is not asked for, and something else may be.
    pub const fn failed(&self, state: &mut State, wanted: Wanted) {
        match wanted {
            Wanted::KeySet => state.key_set.tried = state.now,
            Wanted::Shard { .. } => state.shard.tried = state.now,
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
        if seq == state.key_set.seq && state.key_set.get().is_some_and(|kept| kept != bytes) {
            return Err(ReceiveError::Twice { seq });
        }
        state.has_newest_key_set = seq == state.key_set.seq;
        state.key_set.set(bytes, seq, state.now);
        if state.wants_key_set {
            state.wants_key_set = false;
            state.shard.tried = Moment::NEVER;
        }
        // What is here is not read any more: the next one is wanted at once.
        if let Some((keys, kept)) = self.status_keys(state).zip(state.shard.get()) {
            state.wants_whole_shard = StatusShard::open(kept, &keys, self.issuer).is_err();
            if state.wants_whole_shard {
                state.shard.tried = Moment::NEVER;
            }
        }
        state.clock.learn(key_set.contents().issued_at());
        Ok(())
    }

    fn receive_shard(
        &self,
        state: &mut State,
        number: u32,
        bytes: &[u8],
    ) -> Result<(), ReceiveError> {
        let keys = self.status_keys(state).ok_or(ReceiveError::NotAsked)?;
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
            let lacks_key = is_for_keys(error);
            state.wants_key_set |= lacks_key && self.has_root();
            state.wants_whole_shard = is_delta && !lacks_key;
            if state.wants_whole_shard {
                state.shard.tried = Moment::NEVER;
            }
            ReceiveError::Shard(error)
        })?;
        if shard.number() != number {
            return Err(ReceiveError::OtherShard {
                number: shard.number(),
                wanted: number,
            });
        }
        let (seq, seen) = (shard.seq(), state.seen(number));
        let is_kept = state.shard().is_some_and(|(kept, _)| kept == number);
        if seq < seen {
            state.wants_whole_shard = false;
            return Err(ReceiveError::Older { seq, seen });
        }
        if is_kept && seq == seen && state.shard.get() != Some(shard.as_bytes()) {
            state.wants_whole_shard = false;
            return Err(ReceiveError::Twice { seq });
        }
        if !is_kept {
            state.remember_version();
        }
        state.clock.learn(shard.this_update());
        state.shard_number = number;
        state.shard_key = shard.key(&keys).map_or([0; 32], VerificationKey::to_bytes);
        state.wants_whole_shard = false;
        state.wants_key_set = false;
        let now = state.now;
        state.shard.set(shard.as_bytes(), seq, now);
        Ok(())
    }

    const fn has_root(&self) -> bool {
        matches!(self.trust.0, Anchor::Root(_))
    }

    /// The keys for licences and for status, as far as they are known and their signature holds.
    fn keys(&self, state: &State) -> (Option<KeySet>, Option<KeySet>) {
        match &self.trust.0 {
            Anchor::Root(root) => {
                let bytes = state.key_set.get();
                let opened =
                    bytes.and_then(|bytes| SignedKeySet::open(bytes, root, self.issuer).ok());
                let of = |key_use| opened.as_ref().and_then(|key_set| key_set.keys(key_use));
                (of(KeyUse::License), of(KeyUse::Status))
            }
            Anchor::Embedded { licenses, status } => (Some(licenses.clone()), status.clone()),
        }
    }

    fn status_keys(&self, state: &State) -> Option<KeySet> {
        self.keys(state).1
    }

    /// What the kept shard says is revoked, though the key set does not hold its key any more: what was revoked once stays so.
    /// Nothing, where that key was revoked.
    fn revoked<'s>(&self, state: &'s State) -> KnownStatus<'s> {
        self.kept(state)
            .map_or(KnownStatus::None, KnownStatus::Revoked)
    }

    fn kept<'s>(&self, state: &'s State) -> Option<StatusShard<'s>> {
        let key = VerificationKey::from_bytes(&state.shard_key).ok()?;
        if let Anchor::Root(root) = &self.trust.0 {
            let key_set = SignedKeySet::open(state.key_set.get()?, root, self.issuer).ok()?;
            let thumbprint = key.thumbprint();
            let mut revoked = key_set.contents().revoked();
            if revoked.any(|revoked| revoked.thumbprint == thumbprint) {
                return None;
            }
        }
        let keys = KeySet::from_keys(core::slice::from_ref(&key)).ok()?;
        StatusShard::open(state.shard.get()?, &keys, self.issuer).ok()
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

/// What is known from the shard that is here; asking is always possible.
enum KnownStatus<'a> {
    All(StatusShard<'a>),
    /// What is revoked counts, and nothing else.
    Revoked(StatusShard<'a>),
    None,
}

impl Revocations for KnownStatus<'_> {
    fn lookup(&self, jti: &str, status: Option<&StatusRef<'_>>) -> RevocationStatus {
        match self {
            Self::All(shard) => shard.lookup(jti, status),
            Self::Revoked(shard) => match shard.lookup(jti, status) {
                revoked @ RevocationStatus::Revoked { .. } => revoked,
                _ => RevocationStatus::NoData,
            },
            Self::None => RevocationStatus::NoData,
        }
    }
}
