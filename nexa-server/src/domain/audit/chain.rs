//! How events are chained: pure functions over bytes, with fixed vectors.

use sha2::{Digest, Sha256};

use crate::store::audit::{Event, Personal};

/// What stands before the first event.
pub(super) const START: [u8; 32] = [0; 32];

/// The hash of an event: over all of it that is never erased, the commitment to the rest, and the hash before it.
pub(super) fn hash(event: &Event<'_>, commitment: &[u8], before: &[u8; 32]) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(b"nexa audit event 1\0");
    hash.update(event.seq.to_be_bytes());
    hash.update(event.at.ms().to_be_bytes());
    put_optional(&mut hash, event.tenant_id);
    put(&mut hash, event.actor_kind.as_bytes());
    put(&mut hash, event.act.as_bytes());
    put(&mut hash, commitment);
    hash.update(before);
    hash.finalize().into()
}

/// The commitment to what is personal. Once the salt is erased it says nothing: addresses are few enough to try them
/// all, salts are not.
pub(super) fn commitment(salt: &[u8], personal: &Personal<'_>) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(b"nexa audit personal 1\0");
    put(&mut hash, salt);
    put_optional(&mut hash, personal.actor_id);
    put_optional(&mut hash, personal.user_id);
    put_optional(&mut hash, personal.subject_id);
    put_optional(&mut hash, personal.address);
    hash.finalize().into()
}

/// With its length before it, so that no two lists of fields make the same bytes.
fn put(hash: &mut Sha256, bytes: &[u8]) {
    hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
    hash.update(bytes);
}

/// What is absent differs from what is empty.
fn put_optional(hash: &mut Sha256, text: Option<&str>) {
    match text {
        None => hash.update([0]),
        Some(text) => {
            hash.update([1]);
            put(hash, text.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::UnixMillis;

    const SALT: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    fn hex(bytes: [u8; 32]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn personal(fields: [Option<&str>; 4]) -> Personal<'_> {
        let [actor_id, user_id, subject_id, address] = fields;
        Personal {
            actor_id,
            user_id,
            subject_id,
            address,
        }
    }

    fn event(seq: i64, at_ms: i64, tenant_id: Option<&'static str>) -> Event<'static> {
        Event {
            seq,
            at: UnixMillis::from_ms(at_ms),
            tenant_id,
            actor_kind: "user",
            act: "key.created",
            personal: Personal::default(),
        }
    }

    /// Trails of earlier versions must verify for good, so these never change.
    #[test]
    fn the_bytes_of_the_chain_are_fixed() {
        let full = personal([
            Some("user-1"),
            Some("user-1"),
            Some("key-1"),
            Some("192.0.2.7"),
        ]);
        for (personal, expected) in [
            (
                full,
                "5dfe3e739ca4dfe77b6fc049c65f713faddc13c7ce608d1b199a9bdf5a81de7b",
            ),
            (
                Personal::default(),
                "93d97d2159e45e6a07cb747802616ff74fec51644a684754514e160a5c703846",
            ),
            (
                self::personal([Some(""); 4]),
                "5655bafea04de28555f9b30609f43b4d8016937530009aea4e3fa018ce82b33c",
            ),
        ] {
            assert_eq!(hex(commitment(&SALT, &personal)), expected);
        }
        let first = hash(
            &event(1, 1_800_000_000_000, Some("tenant-1")),
            &commitment(&SALT, &full),
            &START,
        );
        let second = hash(
            &Event {
                actor_kind: "anyone",
                act: "login.failed",
                ..event(2, -1, None)
            },
            &commitment(&SALT, &Personal::default()),
            &first,
        );
        assert_eq!(
            [first, second].map(hex),
            [
                "15577369b53dde87716f19119baeba1fbc874861a09b9de50e43bfb0c689be0d",
                "221f5e34e102fa92e827fe41e0ea14b72ac826955ea4ea9a882ea6c08e28865f",
            ]
        );
    }

    #[test]
    fn no_two_events_and_no_two_people_have_the_same_bytes() {
        let commitments = [
            personal([None; 4]),
            personal([Some(""), None, None, None]),
            personal([None, Some(""), None, None]),
            personal([Some("a"), Some("b"), None, None]),
            personal([Some("ab"), Some(""), None, None]),
            personal([Some("ab"), None, None, None]),
            personal([None, Some("ab"), None, None]),
            personal([None, None, Some("ab"), None]),
            personal([None, None, None, Some("ab")]),
            personal([Some("a\0b"), None, None, None]),
        ]
        .map(|personal| commitment(&SALT, &personal));
        let salted =
            [&SALT[..15], &[0; 16], &[]].map(|salt| commitment(salt, &personal([None; 4])));
        let plain = event(1, 2, Some("t"));
        let hashes = [
            (plain, &[7; 32][..], START),
            (event(2, 2, Some("t")), &[7; 32], START),
            (event(1, 3, Some("t")), &[7; 32], START),
            (event(1, 2, None), &[7; 32], START),
            (event(1, 2, Some("")), &[7; 32], START),
            (event(1, 2, Some("tuser")), &[7; 32], START),
            (
                Event {
                    actor_kind: "userkey",
                    act: ".created",
                    ..plain
                },
                &[7; 32],
                START,
            ),
            (
                Event {
                    act: "key.changed",
                    ..plain
                },
                &[7; 32],
                START,
            ),
            (plain, &[8; 32], START),
            (plain, &[7; 31], START),
            (plain, &[7; 32], [1; 32]),
        ]
        .map(|(event, commitment, before)| hash(&event, commitment, &before));
        let all: Vec<_> = [&commitments[..], &salted, &hashes].concat();
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
