//! Schema versions: numbered migrations, each applied once and whole.

use std::path::Path;

use rusqlite::Connection;

use super::{
    connection::APPLICATION_ID,
    error::{OpenError, StoreError},
};

/// One step of the schema. Steps are numbered 1, 2, 3, … and never change once released.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Migration {
    /// Schema version that the file has afterwards (`PRAGMA user_version`).
    pub(crate) version: u32,
    /// Statements for SQLite, without transaction commands. Tables are STRICT.
    pub(crate) sql: &'static str,
}

/// Brings the file to the newest version.
///
/// # Errors
/// As [`check`], and [`OpenError::Migration`]: then the file keeps the version before the failed one.
pub(super) fn migrate(
    connection: &Connection,
    path: &Path,
    migrations: &[Migration],
) -> Result<(), OpenError> {
    let found = check(connection, path, migrations)?;
    for migration in migrations
        .iter()
        .filter(|migration| migration.version > found)
    {
        if let Err(source) = apply(connection, migration) {
            // Harmless if SQLite has rolled back by itself.
            let _ = connection.execute_batch("ROLLBACK");
            return Err(OpenError::Migration {
                version: migration.version,
                source,
            });
        }
    }
    Ok(())
}

/// Whether the file is ours and not too new, without a change to it; answers its version.
///
/// # Errors
/// [`OpenError::Newer`], [`OpenError::Foreign`], [`OpenError::Store`].
pub(super) fn check(
    connection: &Connection,
    path: &Path,
    migrations: &[Migration],
) -> Result<u32, OpenError> {
    let known = known_version(migrations)?;
    let found = schema_version(connection)?;
    let is_ours = match found {
        0 => is_empty(connection)?,
        _ => application_id(connection)? == APPLICATION_ID,
    };
    if !is_ours {
        return Err(OpenError::Foreign {
            path: path.to_owned(),
        });
    }
    if found > known {
        return Err(OpenError::Newer { found, known });
    }
    Ok(found)
}

/// Schema version of a file; 0 before the first migration.
pub(super) fn schema_version(connection: &Connection) -> Result<u32, StoreError> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

/// Whose file this is.
pub(super) fn application_id(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row("PRAGMA application_id", [], |row| row.get(0))?)
}

/// The newest version, after checking that the list has no gap: a step that is left out today cannot be made up
/// for on files that have passed it.
fn known_version(migrations: &[Migration]) -> Result<u32, StoreError> {
    let mut known = 0;
    for migration in migrations {
        if migration.version != known + 1 {
            let message = format!("migration {} follows migration {known}", migration.version);
            return Err(StoreError::Misuse { message });
        }
        known = migration.version;
    }
    Ok(known)
}

fn apply(connection: &Connection, migration: &Migration) -> Result<(), StoreError> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    connection.execute_batch(migration.sql)?;
    // Pragmas take no bound values; both are numbers of ours.
    connection.execute_batch(&format!(
        "PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={};",
        migration.version
    ))?;
    if count(connection, "SELECT count(*) FROM pragma_foreign_key_check")? > 0 {
        return Err(StoreError::ForeignKey);
    }
    let loose = "SELECT count(*) FROM pragma_table_list
        WHERE schema = 'main' AND type = 'table' AND strict = 0 AND name NOT LIKE 'sqlite!_%' ESCAPE '!'";
    if count(connection, loose)? > 0 {
        return Err(StoreError::Constraint {
            message: "a table is not STRICT".to_owned(),
        });
    }
    Ok(connection.execute_batch("COMMIT")?)
}

fn is_empty(connection: &Connection) -> Result<bool, StoreError> {
    Ok(count(connection, "SELECT count(*) FROM sqlite_schema")? == 0)
}

fn count(connection: &Connection, sql: &str) -> Result<i64, StoreError> {
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Migration = Migration {
        version: 1,
        sql: "CREATE TABLE one (id INTEGER PRIMARY KEY) STRICT; INSERT INTO one VALUES (1);",
    };
    const SECOND: Migration = Migration {
        version: 2,
        sql: "ALTER TABLE one ADD COLUMN name TEXT;",
    };

    fn run(connection: &Connection, migrations: &[Migration]) -> Result<u32, OpenError> {
        migrate(connection, Path::new("nexa.db"), migrations)?;
        Ok(schema_version(connection)?)
    }

    #[test]
    fn steps_are_applied_once_in_order() {
        let connection = Connection::open_in_memory().unwrap();
        assert_eq!(run(&connection, &[]).unwrap(), 0);
        assert_eq!(run(&connection, &[FIRST]).unwrap(), 1);
        assert_eq!(run(&connection, &[FIRST, SECOND]).unwrap(), 2);
        assert_eq!(run(&connection, &[FIRST, SECOND]).unwrap(), 2);
        assert_eq!(
            count(&connection, "SELECT count(*) FROM one WHERE name IS NULL").unwrap(),
            1
        );
        assert_eq!(application_id(&connection).unwrap(), APPLICATION_ID);
    }

    #[test]
    fn a_newer_file_is_refused_and_left_alone() {
        let connection = Connection::open_in_memory().unwrap();
        run(&connection, &[FIRST, SECOND]).unwrap();
        assert!(matches!(
            run(&connection, &[FIRST]),
            Err(OpenError::Newer { found: 2, known: 1 })
        ));
        assert_eq!(schema_version(&connection).unwrap(), 2);
    }

    #[test]
    fn a_failing_step_leaves_the_version_before_it() {
        for sql in [
            "CREATE TABLE two (id INTEGER PRIMARY KEY) STRICT; no SQL;",
            "CREATE TABLE two (id INTEGER PRIMARY KEY);",
            "CREATE TABLE two (id INTEGER REFERENCES one (id)) STRICT; PRAGMA defer_foreign_keys=ON; INSERT INTO two VALUES (9);",
        ] {
            let connection = Connection::open_in_memory().unwrap();
            run(&connection, &[FIRST]).unwrap();
            let result = run(&connection, &[FIRST, Migration { version: 2, sql }]);
            assert!(
                matches!(result, Err(OpenError::Migration { version: 2, .. })),
                "{result:?}"
            );
            assert_eq!(schema_version(&connection).unwrap(), 1);
            assert_eq!(
                count(
                    &connection,
                    "SELECT count(*) FROM sqlite_schema WHERE name = 'two'"
                )
                .unwrap(),
                0
            );
            assert!(connection.is_autocommit());
            run(&connection, &[FIRST, SECOND]).unwrap();
        }
    }

    #[test]
    fn the_file_of_another_program_is_refused() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE theirs (id INTEGER);")
            .unwrap();
        assert!(matches!(
            run(&connection, &[FIRST]),
            Err(OpenError::Foreign { .. })
        ));
        connection.execute_batch("PRAGMA user_version=1;").unwrap();
        assert!(matches!(
            run(&connection, &[FIRST]),
            Err(OpenError::Foreign { .. })
        ));
    }

    #[test]
    fn a_gap_in_the_list_is_our_bug() {
        let connection = Connection::open_in_memory().unwrap();
        let result = run(&connection, &[SECOND]);
        assert!(
            matches!(result, Err(OpenError::Store(StoreError::Misuse { .. }))),
            "{result:?}"
        );
    }
}
