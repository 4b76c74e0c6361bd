//! Which events a member sees, and what of them.

use sha2::{Digest, Sha256};

use super::super::error::Error;
use super::super::paging::{Page, Paged};
use super::super::principal::Member;
use crate::store::Tx;
use crate::store::audit::{self, StoredEvent};
use crate::time::UnixMillis;

/// Where a page of events begins.
#[derive(Clone, Debug)]
pub(crate) enum EventsBefore {
    /// Events of an earlier time.
    Instant(UnixMillis),
    /// Events that stand after this one in the list.
    Event(String),
}

/// An event as a member sees it.
pub(crate) struct SeenEvent {
    pub(crate) id: String,
    pub(crate) at: UnixMillis,
    pub(crate) act: String,
    pub(crate) actor_kind: String,
    pub(crate) actor_id: Option<String>,
    pub(crate) subject_id: Option<String>,
    pub(crate) address: Option<String>,
}

/// One page, newest first: of the tenant, or for those who do not manage it of what they did, by whatever
/// credential, and of what was done to them.
///
/// # Errors
/// `Invalid` for `before` when it names no event that the member sees.
pub(crate) fn list(
    tx: &Tx<'_>,
    member: &Member,
    page: &Page<EventsBefore>,
) -> Result<Paged<SeenEvent>, Error> {
    let before = match &page.before {
        None => audit::Before {
            at_ms: i64::MAX,
            seq: i64::MAX,
        },
        Some(EventsBefore::Instant(at)) => audit::Before {
            at_ms: at.ms(),
            seq: i64::MIN,
        },
        Some(EventsBefore::Event(id)) => find(tx, member, id)?,
    };
    let events = audit::list(
        tx,
        &member.tenant_id,
        member.sees_only(),
        before,
        page.probe(),
    )?;
    let seen = events.into_iter().map(|event| see(member, event)).collect();
    Ok(Paged::new(seen, page, |event: &SeenEvent| &event.id))
}

/// The place of the event of that id.
fn find(tx: &Tx<'_>, member: &Member, id: &str) -> Result<audit::Before, Error> {
    const PIECE: u32 = 1_000;
    let unknown = || Error::invalid("before", "must be the id of an event from the list");
    let at_ms = instant(id).ok_or_else(unknown)?;
    let mut before = audit::Before {
        at_ms,
        seq: i64::MAX,
    };
    // One after the other: within a millisecond there are few.
    loop {
        let events = audit::list(tx, &member.tenant_id, member.sees_only(), before, PIECE)?;
        for event in &events {
            before = audit::Before {
                at_ms: event.at.ms(),
                seq: event.seq,
            };
            if before.at_ms != at_ms {
                return Err(unknown());
            }
            if self::id(event) == id {
                return Ok(before);
            }
        }
        if events.is_empty() {
            return Err(unknown());
        }
    }
}

/// Acts of the operator are shown without its key and its address, and acts of others without their address to those
/// who do not manage the tenant.
fn see(member: &Member, event: StoredEvent) -> SeenEvent {
    let id = id(&event);
    let is_of_the_house = matches!(event.actor_kind.as_str(), "operator" | "machine");
    let is_own = event.user_id.as_deref() == Some(&member.user_id);
    // A stranger at the door is the business of whose door it is.
    let shows_address =
        !is_of_the_house && (is_own || event.user_id.is_none() || member.sees_only().is_none());
    SeenEvent {
        id,
        at: event.at,
        act: event.act,
        actor_kind: event.actor_kind,
        actor_id: event.actor_id.filter(|_| !is_of_the_house),
        subject_id: event.subject_id,
        address: event.address.filter(|_| shows_address),
    }
}

/// A UUID v7 made of the event's time and of its hash. It gives away neither how many events other tenants have, as a
/// number would, nor the hash, and it outlasts erasure.
fn id(event: &StoredEvent) -> String {
    let mut digest = Sha256::new_with_prefix(b"nexa audit event id 1\0");
    digest.update(event.hash.as_deref().unwrap_or_default());
    let digest: [u8; 32] = digest.finalize().into();
    let (bits, _) = digest.split_first_chunk().expect("32 bytes begin with 16");
    nexa_core::uuid_v7_from(event.at.unsigned_ms(), *bits)
}

/// The time in an id.
fn instant(id: &str) -> Option<i64> {
    let (high, low) = (id.get(..8)?, id.get(9..13)?);
    i64::from_str_radix(&[high, low].concat(), 16).ok()
}
