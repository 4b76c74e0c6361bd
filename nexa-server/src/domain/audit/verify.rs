//! Proves a trail from its file alone: the chain, what is personal beside it, and every checkpoint.

use std::collections::BTreeMap;

use nexa_core::{AuditCheckpoint, KeySet};

use super::super::error::Error;
use super::Act;
use super::chain;
use super::checkpoint::{Checkpoint, CheckpointProblem};
use crate::store::audit::{self, Personal, StoredEvent};
use crate::store::{ReadOnly, StoreError};

/// Events in memory at once.
const PIECE: u32 = 1_000;

/// What a trail proves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verification {
    /// Events that hold: all, or those before the first that does not or whose erasure nothing vouches for.
    pub(crate) events: u64,
    /// Those of them whose personal part is erased, so that only the chain speaks for them.
    pub(crate) erased: u64,
    /// The newest checkpoint of those that were kept elsewhere and that the trail agrees with: nothing up to its event
    /// has been changed.
    pub(crate) exported: Option<Checkpoint>,
    /// The same of the checkpoints in the file, which proves it against whoever lacks the audit key.
    pub(crate) stored: Option<Checkpoint>,
    /// What does not hold first.
    pub(crate) fault: Option<Fault>,
}

/// Where a trail does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {seq}: {problem}")]
pub(crate) struct Fault {
    pub(crate) seq: i64,
    pub(crate) problem: Problem,
}

/// Why it does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("it was changed, or put in the place of another one")]
    Changed,
    #[error("it was moved: it stands as event {found}")]
    Moved { found: i64 },
    #[error("it was removed")]
    Removed,
    #[error("what is personal in it was changed")]
    PersonalChanged,
    #[error("what is personal in it was erased in part")]
    HalfErased,
    #[error(
        "what is personal in it was erased, and no event says that the erasure of its tenant was begun"
    )]
    ErasedWithoutErasure,
    #[error("a column of it is not of its type")]
    Malformed,
    #[error(
        "it is not chained: it was changed, or an upgrade was cut off before the server had started"
    )]
    NotChained,
    #[error("it is not the event that its checkpoint of {} names: something up to it was changed, removed or reordered, and all that follows was chained anew", at(.point))]
    Rewritten { point: AuditCheckpoint },
    #[error("it has a checkpoint of {}, and the trail ends before it: the end was removed, or this is an older copy", at(.point))]
    Truncated { point: AuditCheckpoint },
    #[error("it has a checkpoint in the file, and is not there: it was removed")]
    CheckpointOfNothing,
    #[error("its checkpoint proves nothing: {0}")]
    Checkpoint(#[from] CheckpointProblem),
    #[error("its checkpoint in the file is not of its form")]
    CheckpointMalformed,
}

fn at(point: &AuditCheckpoint) -> String {
    crate::time::UnixMillis::from_ms(point.at_ms).to_rfc3339()
}

/// Goes through the whole trail, in pieces; a server may be writing meanwhile. `exported` are checkpoints that were kept
/// elsewhere.
///
/// An event may be erased only if the chain itself says that the erasure of its tenant was begun. Whoever can append to
/// the chain after the last exported checkpoint can append that too, and then erase events of that tenant: this holds.
/// But the event cannot be taken back once a later checkpoint is exported, and the number of erased events, compared
/// with what it was at the checkpoint before, shows it.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn verify(
    trail: &ReadOnly,
    keys: &[KeySet],
    exported: &[Checkpoint],
) -> Result<Verification, Error> {
    for checkpoint in exported {
        if let Err(problem) = checkpoint.check(keys) {
            return Ok(Verification {
                fault: Some(Fault {
                    seq: seq_of(&checkpoint.point),
                    problem: problem.into(),
                }),
                ..Verification::default()
            });
        }
    }
    let mut walk = Walk {
        trail,
        keys,
        exported: BTreeMap::new(),
        next_seq: 1,
        before: chain::START,
        erasures: BTreeMap::new(),
        proven: Verification::default(),
    };
    for checkpoint in exported {
        let of_one_event: &mut Vec<_> = walk.exported.entry(seq_of(&checkpoint.point)).or_default();
        of_one_event.push(checkpoint);
    }
    let fault = match walk.run() {
        Ok(()) => None,
        Err(Stop::Fault(fault)) => Some(fault),
        Err(Stop::Unreadable(error)) => return Err(error.into()),
    };
    let proven = match walk.first_unfounded() {
        Some((_, before)) => before.clone(),
        None => walk.proven,
    };
    Ok(Verification { fault, ..proven })
}

/// A number that no event can have counts as the last one.
fn seq_of(point: &AuditCheckpoint) -> i64 {
    i64::try_from(point.seq).unwrap_or(i64::MAX)
}

/// Why a walk ends early.
enum Stop {
    Fault(Fault),
    Unreadable(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Unreadable(error)
    }
}

fn stop(seq: i64, problem: Problem) -> Stop {
    Stop::Fault(Fault { seq, problem })
}

/// What the walk knows of the erasure of one tenant.
enum Erasure {
    /// The chain says that it was begun.
    Begun,
    /// An event is erased, and the chain has not said so yet: it does later, in a trail that holds.
    Unfounded {
        /// Of the first such event.
        seq: i64,
        /// What was proven before it.
        before: Box<Verification>,
    },
}

struct Walk<'a> {
    trail: &'a ReadOnly,
    keys: &'a [KeySet],
    /// Those whose event has not been met, by its number.
    exported: BTreeMap<i64, Vec<&'a Checkpoint>>,
    /// The number that the next event has, unless some are missing.
    next_seq: i64,
    /// The hash before the next event.
    before: [u8; 32],
    /// By tenant; events that name none have one entry together, and nothing begins their erasure.
    erasures: BTreeMap<Option<String>, Erasure>,
    proven: Verification,
}

impl Walk<'_> {
    fn run(&mut self) -> Result<(), Stop> {
        // From the smallest number there is: nothing may hide before the first event.
        let mut from_seq = Some(i64::MIN);
        while let Some(from) = from_seq {
            let page = self.page(from)?;
            from_seq = match page.last() {
                Some((last, _)) => last.seq.checked_add(1),
                None => None,
            };
            for (event, stored) in page {
                self.step(&event, stored)?;
            }
        }
        if let Some((seq, checkpoint)) = self.exported.first_key_value()
            && let Some(checkpoint) = checkpoint.first()
        {
            let point = checkpoint.point;
            return Err(stop(*seq, Problem::Truncated { point }));
        }
        if let Some(seq) = self.trail.read(audit::checkpoint_of_nothing)? {
            return Err(stop(seq, Problem::CheckpointOfNothing));
        }
        // Last, since an end that was removed may have said what is missing here.
        match self.first_unfounded() {
            Some((seq, _)) => Err(stop(seq, Problem::ErasedWithoutErasure)),
            None => Ok(()),
        }
    }

    /// The first event that is erased though no erasure was begun, and what was proven before it.
    fn first_unfounded(&self) -> Option<(i64, &Verification)> {
        let unfounded = self.erasures.values().filter_map(|erasure| match erasure {
            Erasure::Begun => None,
            Erasure::Unfounded { seq, before } => Some((*seq, before.as_ref())),
        });
        unfounded.min_by_key(|(seq, _)| *seq)
    }

    /// The events from that number on. What is not even of its type is found by going one by one.
    fn page(&self, from: i64) -> Result<Vec<(StoredEvent, Option<audit::Checkpoint>)>, Stop> {
        let read = |limit| self.trail.read(|tx| audit::page(tx, from, limit));
        match read(PIECE) {
            Err(StoreError::Shape { .. }) => {}
            answer => return Ok(answer?),
        }
        match read(1) {
            Err(StoreError::Shape { .. }) => {
                let seq = self.trail.read(|tx| audit::next_seq(tx, from))?;
                Err(stop(seq.unwrap_or(from), Problem::Malformed))
            }
            answer => Ok(answer?),
        }
    }

    fn step(&mut self, event: &StoredEvent, stored: Option<audit::Checkpoint>) -> Result<(), Stop> {
        let seq = event.seq;
        self.refuse_missing(seq)?;
        let (Some(commitment), Some(hash)) = (&event.commitment, &event.hash) else {
            return Err(stop(seq, Problem::NotChained));
        };
        let expected = chain::hash(&event.event(), commitment, &self.before);
        if expected.as_slice() != hash.as_slice() {
            return Err(self.explain(event)?);
        }
        let personal = event.event().personal;
        let is_erased = match &event.salt {
            Some(salt) if chain::commitment(salt, &personal).as_slice() == commitment => false,
            Some(_) => return Err(stop(seq, Problem::PersonalChanged)),
            None if is_empty(&personal) => true,
            None => return Err(stop(seq, Problem::HalfErased)),
        };
        self.note_erasure(event, is_erased);
        self.agree(seq, &expected, stored)?;
        self.before = expected;
        self.next_seq = seq.saturating_add(1);
        self.proven.events += 1;
        self.proven.erased += u64::from(is_erased);
        Ok(())
    }

    fn note_erasure(&mut self, event: &StoredEvent, is_erased: bool) {
        let tenant_id = &event.tenant_id;
        if tenant_id.is_some() && event.act == Act::ErasureBegun.name() {
            self.erasures.insert(tenant_id.clone(), Erasure::Begun);
        } else if is_erased && !self.erasures.contains_key(tenant_id) {
            let unfounded = Erasure::Unfounded {
                seq: event.seq,
                before: Box::new(self.proven.clone()),
            };
            self.erasures.insert(tenant_id.clone(), unfounded);
        }
    }

    /// An exported checkpoint of an event that the walk has passed by.
    fn refuse_missing(&self, seq: i64) -> Result<(), Stop> {
        match self.exported.first_key_value() {
            Some((missing, _)) if *missing < seq => Err(stop(self.next_seq, Problem::Removed)),
            Some(_) | None => Ok(()),
        }
    }

    /// Compares the event with the checkpoints of it, if it has any.
    fn agree(
        &mut self,
        seq: i64,
        hash: &[u8; 32],
        stored: Option<audit::Checkpoint>,
    ) -> Result<(), Stop> {
        if let Some(stored) = stored {
            let checkpoint =
                read(&stored).ok_or_else(|| stop(seq, Problem::CheckpointMalformed))?;
            checkpoint
                .check(self.keys)
                .map_err(|problem| stop(seq, problem.into()))?;
            require_same(seq, hash, &checkpoint)?;
            self.proven.stored = Some(checkpoint);
        }
        for exported in self.exported.remove(&seq).unwrap_or_default() {
            require_same(seq, hash, exported)?;
            self.proven.exported = Some(exported.clone());
        }
        Ok(())
    }

    /// What became of the event that belongs here, since the one that stands here is another.
    fn explain(&self, event: &StoredEvent) -> Result<Stop, Stop> {
        let seq = self.next_seq;
        if event.seq < seq {
            return Ok(stop(event.seq, Problem::Changed));
        }
        let mut from_seq = Some(event.seq);
        while let Some(from) = from_seq {
            let page = self.page(from)?;
            for (candidate, _) in &page {
                let in_place = audit::Event {
                    seq,
                    ..candidate.event()
                };
                if let (Some(commitment), Some(hash)) = (&candidate.commitment, &candidate.hash)
                    && chain::hash(&in_place, commitment, &self.before).as_slice() == hash
                {
                    let found = candidate.seq;
                    return Ok(stop(seq, Problem::Moved { found }));
                }
            }
            from_seq = match page.last() {
                Some((last, _)) => last.seq.checked_add(1),
                None => None,
            };
        }
        Ok(match event.seq > seq {
            true => stop(seq, Problem::Removed),
            false => stop(seq, Problem::Changed),
        })
    }
}

fn require_same(seq: i64, hash: &[u8; 32], checkpoint: &Checkpoint) -> Result<(), Stop> {
    match checkpoint.point.hash == *hash {
        true => Ok(()),
        false => Err(stop(
            seq,
            Problem::Rewritten {
                point: checkpoint.point,
            },
        )),
    }
}

const fn is_empty(personal: &Personal<'_>) -> bool {
    let Personal {
        actor_id,
        user_id,
        subject_id,
        address,
    } = personal;
    actor_id.is_none() && user_id.is_none() && subject_id.is_none() && address.is_none()
}

/// A checkpoint of the file as what it should be.
fn read(stored: &audit::Checkpoint) -> Option<Checkpoint> {
    Some(Checkpoint {
        point: AuditCheckpoint {
            seq: u64::try_from(stored.seq).ok()?,
            hash: stored.hash.as_slice().try_into().ok()?,
            at_ms: stored.at.ms(),
        },
        kid: stored.kid.clone(),
        signature: stored.signature.as_slice().try_into().ok()?,
    })
}
