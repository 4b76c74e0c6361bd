//! Chains the events that versions without a chain have left.

use super::super::error::Error;
use super::{chain, seal};
use crate::store::audit::{self, Event};
use crate::store::{Store, Tx};

/// Events in one transaction: few enough that nobody waits long.
const PIECE: u32 = 500;

/// Chains what is not chained yet, oldest first; until that is done nothing can be recorded. Cut off in between, it
/// goes on where it was.
///
/// The chain vouches for these events from now on: what became of them before, nobody can tell.
pub(crate) fn adopt(store: &Store) -> Result<(), Error> {
    // A start writes nothing where there is nothing to do: it must work on a full disk too.
    while !store.read(|tx| audit::unchained(tx, 1))?.is_empty() {
        store.write(adopt_piece)?;
    }
    Ok(())
}

fn adopt_piece(tx: &Tx<'_>) -> Result<(), Error> {
    let events = audit::unchained(tx, PIECE)?;
    let mut before = match events.first() {
        Some(first) => audit::hash_before(tx, first.seq)?.unwrap_or(chain::START),
        None => return Ok(()),
    };
    for event in &events {
        let event: Event<'_> = event.event();
        let seal = seal(tx, &event, &before)?;
        audit::chain(tx, &event, &seal)?;
        before = seal.hash;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::verify::{Problem, Verification, verify};
    use super::super::{Act, Origin, record};
    use super::*;
    use crate::domain::principal::Principal;
    use crate::store::{DATABASE_FILE, MIGRATIONS, ReadOnly, StoreError};
    use crate::time::UnixMillis;

    fn add(store: &Store) -> Result<(), Error> {
        let machine = Origin {
            principal: Principal::Machine,
            address: None,
        };
        let now = UnixMillis::from_ms(3_000);
        store.write(move |tx| record(tx, now, &machine, Act::KeyCreated, None, None))
    }

    fn run(store: &Store, sql: String) -> Result<usize, StoreError> {
        store.write(move |tx| tx.execute(&sql, &[]))
    }

    fn verified(folder: &Path) -> Verification {
        let file = ReadOnly::open(&folder.join(DATABASE_FILE), MIGRATIONS).unwrap();
        verify(&file, &[], &[]).unwrap()
    }

    /// A folder as the version before the chain left it.
    fn old_folder(events: i64) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &MIGRATIONS[..3]).unwrap();
        let written = store.write(move |tx| -> Result<(), StoreError> {
            tx.execute(
                "INSERT INTO tenants VALUES ('tenant', 'T', 'workspace', 'active', 1)",
                &[],
            )?;
            tx.execute(
                "INSERT INTO users (id, tenant_id, role, state, session_version, created_at_ms)
                 VALUES ('user', 'tenant', 'member', 'active', 1, 1)",
                &[],
            )?;
            tx.execute(
                "INSERT INTO api_keys (id, tenant_id, user_id, name, prefix, scopes, created_at_ms)
                 VALUES ('key', 'tenant', 'user', 'k', 'nex_', '', 1)",
                &[],
            )?;
            for seq in 1..=events {
                let (kind, actor) = match seq % 4 {
                    0 => ("user", Some("user")),
                    1 => ("key", Some("key")),
                    2 => ("secret", Some("gone")),
                    _ => ("anyone", None),
                };
                tx.execute(
                    "INSERT INTO audit_events (at_ms, tenant_id, actor_kind, actor_id, act, subject_id, address)
                     VALUES (?1, 'tenant', ?2, ?3, 'key.changed', NULL, '192.0.2.1')",
                    &[seq.into(), kind.into(), actor.into()],
                )?;
            }
            Ok(())
        });
        written.unwrap();
        store.close();
        folder
    }

    #[test]
    fn events_of_an_older_version_are_chained_before_anything_is_recorded() {
        let folder = old_folder(2_500);
        let store = Store::open(folder.path(), MIGRATIONS).unwrap();
        let early = add(&store);
        assert!(matches!(early, Err(Error::Fault(_))), "{early:?}");
        let blobs = "zeroblob(16), zeroblob(32), zeroblob(32)";
        for sql in [
            format!("INSERT INTO audit_events (seq, at_ms, actor_kind, act, salt, commitment, hash) VALUES (2501, 1, 'x', 'x', {blobs})"),
            // Out of order, and with another content.
            "UPDATE audit_events SET salt = zeroblob(16), commitment = zeroblob(32), hash = zeroblob(32) WHERE seq = 2".to_owned(),
            "UPDATE audit_events SET salt = zeroblob(16), commitment = zeroblob(32), hash = zeroblob(32), act = 'x' WHERE seq = 1"
                .to_owned(),
            "UPDATE audit_events SET salt = zeroblob(16), commitment = zeroblob(32), hash = zeroblob(32), address = NULL
                 WHERE seq = 1".to_owned(),
            "UPDATE audit_events SET actor_id = NULL, subject_id = NULL, address = NULL, salt = NULL WHERE seq = 1".to_owned(),
        ] {
            assert!(run(&store, sql.clone()).is_err(), "{sql}");
        }
        let found = verified(folder.path()).fault.unwrap();
        assert_eq!((found.seq, found.problem), (1, Problem::NotChained));

        for _ in 0..2 {
            adopt(&store).unwrap();
        }
        add(&store).unwrap();
        let found = verified(folder.path());
        assert_eq!((found.events, found.fault), (2_501, None));
        let known = store.read(|tx| -> Result<_, StoreError> {
            tx.all(
                "SELECT user_id FROM audit_events WHERE seq IN (4, 5, 6, 7) ORDER BY seq",
                &[],
                |row| row.optional_text(0),
            )
        });
        let user = || Some("user".to_owned());
        assert_eq!(known.unwrap(), [user(), user(), None, None]);
    }

    #[test]
    fn chaining_goes_on_where_it_was_cut_off() {
        let folder = old_folder(2_500);
        let store = Store::open(folder.path(), MIGRATIONS).unwrap();
        store.write(adopt_piece).unwrap();
        let found = verified(folder.path()).fault.unwrap();
        assert_eq!((found.seq, found.problem), (501, Problem::NotChained));
        let early = add(&store);
        assert!(early.is_err());
        store.close();
        let store = Store::open(folder.path(), MIGRATIONS).unwrap();
        adopt(&store).unwrap();
        let found = verified(folder.path());
        assert_eq!((found.events, found.fault), (2_500, None));
    }
}
