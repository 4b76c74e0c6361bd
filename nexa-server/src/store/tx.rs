//! The facade that noun files see: statements, bound values, rows.

use std::cell::RefCell;

use rusqlite::{
    Connection, ToSql, params_from_iter,
    types::{ToSqlOutput, ValueRef},
};

use super::{
    announce::Announcement,
    error::{Severity, StoreError, severity},
};

/// A transaction. SQL has `?1`, `?2`, …, is made of constants, and is such that SQLite and PostgreSQL both accept it;
/// values are bound.
///
/// It begins and ends with the closure it is handed to, so no statement here may begin, end or name a transaction.
/// Foreign keys are immediate: a deferred one would fail at COMMIT and take a whole group of callers with it.
pub(crate) struct Tx<'a> {
    connection: &'a Connection,
    /// The worst error so far, kept because a closure may swallow it while the transaction is gone.
    worst: RefCell<Option<(Severity, StoreError)>>,
    announced: RefCell<Vec<Announcement>>,
}

impl<'a> Tx<'a> {
    pub(super) fn new(connection: &'a Connection) -> Tx<'a> {
        Tx {
            connection,
            worst: RefCell::new(None),
            announced: RefCell::default(),
        }
    }

    /// The worst error that any statement met, the first of its severity; and what was announced.
    pub(super) fn into_parts(self) -> (Option<(Severity, StoreError)>, Vec<Announcement>) {
        (self.worst.into_inner(), self.announced.into_inner())
    }

    /// Has it heard when what this closure writes is on the disk; nothing is heard of what is undone. Said twice, it is
    /// heard once.
    pub(crate) fn announce(&self, announcement: Announcement) {
        let mut announced = self.announced.borrow_mut();
        if !announced.contains(&announcement) {
            announced.push(announcement);
        }
    }

    /// Runs a statement that answers no rows, and counts the rows it changed.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Misuse`] if the statement answers rows or the number of values is wrong.
    pub(crate) fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<usize, StoreError> {
        let run = || {
            self.connection
                .prepare_cached(sql)?
                .execute(params_from_iter(values))
        };
        run().map_err(|error| self.note(error))
    }

    /// The only row, or `None`.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Misuse`] if there is a second row: the caller meant a key that is not unique.
    pub(crate) fn optional<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut read = Some(read);
        let mut found = None;
        self.each(sql, values, |row| match read.take() {
            Some(read) => {
                found = Some(read(row)?);
                Ok(())
            }
            None => Err(StoreError::Misuse {
                message: "more than one row where at most one was certain".to_owned(),
            }),
        })?;
        Ok(found)
    }

    /// The only row.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::NoRow`] if there is none, [`StoreError::Misuse`] if there is a second.
    pub(crate) fn one<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.optional(sql, values, read)?.ok_or(StoreError::NoRow)
    }

    /// Every row, in the order of the statement. The statement carries its own `LIMIT`: all rows are held in memory.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(crate) fn all<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        self.each(sql, values, |row| {
            found.push(read(row)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// Sixteen bytes that nobody can guess, from the engine's own generator: closures on the writer's thread have no
    /// other.
    ///
    /// # Errors
    /// [`StoreError`]
    ///
    /// # Security
    /// For salts, never for secrets. SQLite's generator is ChaCha20 (since 3.41), seeded once in a process from
    /// /dev/urandom; that it could be is seen to when the store is opened, since SQLite would go on with the clock
    /// instead. A salt needs no more than to be unique and unknown to whoever sees only the file. A secret has to
    /// withstand whoever sees the memory too: the generator's state, which is never stirred again, gives away every
    /// byte since the start of the process.
    pub(crate) fn salt(&self) -> Result<[u8; 16], StoreError> {
        self.one("SELECT randomblob(16)", &[], |row| row.array(0))
    }

    /// Runs the statement to its end, which `RETURNING` needs as much as a query does.
    fn each(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut visit: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut statement = self
            .connection
            .prepare_cached(sql)
            .map_err(|error| self.note(error))?;
        let mut rows = statement
            .query(params_from_iter(values))
            .map_err(|error| self.note(error))?;
        while let Some(row) = rows.next().map_err(|error| self.note(error))? {
            visit(&Row(row))?;
        }
        Ok(())
    }

    fn note(&self, error: rusqlite::Error) -> StoreError {
        let severity = severity(&error);
        let error = StoreError::from(error);
        let mut worst = self.worst.borrow_mut();
        if worst.as_ref().is_none_or(|(known, _)| *known < severity) {
            *worst = Some((severity, error.clone()));
        }
        error
    }
}

/// One row of an answer. Columns are numbered from 0 in the order of the statement.
pub(crate) struct Row<'a>(&'a rusqlite::Row<'a>);

impl Row<'_> {
    /// An integer.
    ///
    /// # Errors
    /// [`StoreError::Shape`] if the column is missing, NULL or of another type (so for every method here).
    pub(crate) fn int(&self, column: usize) -> Result<i64, StoreError> {
        self.optional_int(column)?
            .ok_or(StoreError::Shape { column })
    }

    /// A text.
    pub(crate) fn text(&self, column: usize) -> Result<String, StoreError> {
        self.optional_text(column)?
            .ok_or(StoreError::Shape { column })
    }

    /// Exactly `N` bytes, such as a digest.
    pub(crate) fn array<const N: usize>(&self, column: usize) -> Result<[u8; N], StoreError> {
        self.optional_array(column)?
            .ok_or(StoreError::Shape { column })
    }

    /// An integer or NULL.
    pub(crate) fn optional_int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        match self.value(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(value) => Ok(Some(value)),
            ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => {
                Err(StoreError::Shape { column })
            }
        }
    }

    /// A text or NULL.
    pub(crate) fn optional_text(&self, column: usize) -> Result<Option<String>, StoreError> {
        let shape = StoreError::Shape { column };
        match self.value(column)? {
            ValueRef::Null => Ok(None),
            // SQLite keeps whatever bytes it was given; ours were UTF-8.
            ValueRef::Text(bytes) => std::str::from_utf8(bytes)
                .map(|text| Some(text.to_owned()))
                .map_err(|_| shape),
            ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => Err(shape),
        }
    }

    /// Exactly `N` bytes, or NULL.
    pub(crate) fn optional_array<const N: usize>(
        &self,
        column: usize,
    ) -> Result<Option<[u8; N]>, StoreError> {
        let Some(bytes) = self.blob(column)? else {
            return Ok(None);
        };
        let array = bytes.try_into().map_err(|_| StoreError::Shape { column })?;
        Ok(Some(array))
    }

    /// Bytes, however many.
    pub(crate) fn bytes(&self, column: usize) -> Result<Vec<u8>, StoreError> {
        self.optional_bytes(column)?
            .ok_or(StoreError::Shape { column })
    }

    /// Bytes, however many, or NULL.
    pub(crate) fn optional_bytes(&self, column: usize) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.blob(column)?.map(<[u8]>::to_vec))
    }

    fn blob(&self, column: usize) -> Result<Option<&[u8]>, StoreError> {
        match self.value(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Blob(bytes) => Ok(Some(bytes)),
            ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) => {
                Err(StoreError::Shape { column })
            }
        }
    }

    fn value(&self, column: usize) -> Result<ValueRef<'_>, StoreError> {
        self.0
            .get_ref(column)
            .map_err(|_| StoreError::Shape { column })
    }
}

/// A value to bind. Times are integers, truth values 0 or 1; there are no floats in our tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// NULL.
    Null,
    /// INTEGER.
    Int(i64),
    /// TEXT.
    Text(&'a str),
    /// BLOB.
    Blob(&'a [u8]),
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl From<u32> for Value<'_> {
    fn from(value: u32) -> Self {
        Value::Int(value.into())
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Value::Int(value.into())
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Value::Text(value)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Value::Text(value)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Value::Blob(value)
    }
}

impl<'a> From<&'a Vec<u8>> for Value<'a> {
    fn from(value: &'a Vec<u8>) -> Self {
        Value::Blob(value)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Value<'a> {
    fn from(value: &'a [u8; N]) -> Self {
        Value::Blob(value)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(value) => ValueRef::Integer(*value),
            Value::Text(value) => ValueRef::Text(value.as_bytes()),
            Value::Blob(value) => ValueRef::Blob(value),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_table(test: impl FnOnce(&Tx<'_>) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let connection = Connection::open_in_memory()?;
        connection.execute_batch(
            "CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT, body BLOB, done INTEGER) STRICT;",
        )?;
        test(&Tx::new(&connection))
    }

    #[test]
    fn values_come_back_as_they_went_in() -> Result<(), StoreError> {
        with_table(|tx| {
            let name = String::from("naïve\0name");
            let insert =
                "INSERT INTO thing (id, name, body, done) VALUES (?1, ?2, ?3, ?4) RETURNING id";
            let id = tx.one(
                insert,
                &[
                    i64::MIN.into(),
                    (&name).into(),
                    (&[0_u8, 255]).into(),
                    true.into(),
                ],
                |row| row.int(0),
            )?;
            assert_eq!(id, i64::MIN);
            let nothing: Option<&str> = None;
            tx.one(
                insert,
                &[
                    7_u32.into(),
                    nothing.into(),
                    Value::Null,
                    Some(false).into(),
                ],
                |row| row.int(0),
            )?;

            let rows = tx.all(
                "SELECT id, name, body, done FROM thing ORDER BY id",
                &[],
                |row| {
                    Ok((
                        row.int(0)?,
                        row.optional_text(1)?,
                        row.optional_array::<2>(2)?,
                        row.int(3)?,
                    ))
                },
            )?;
            assert_eq!(
                rows,
                [
                    (i64::MIN, Some(name), Some([0, 255]), 1),
                    (7, None, None, 0)
                ]
            );
            assert_eq!(
                tx.execute("DELETE FROM thing WHERE id = ?1", &[7_i64.into()])?,
                1
            );
            assert_eq!(
                tx.execute("DELETE FROM thing WHERE id = ?1", &[7_i64.into()])?,
                0
            );
            Ok(())
        })
    }

    #[test]
    fn a_row_of_the_wrong_shape_is_an_error() -> Result<(), StoreError> {
        with_table(|tx| {
            fn shape<T>(
                tx: &Tx<'_>,
                sql: &str,
                read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
            ) -> bool {
                matches!(tx.one(sql, &[], read), Err(StoreError::Shape { .. }))
            }
            assert!(shape(tx, "SELECT 'a'", |row| row.int(0)));
            assert!(shape(tx, "SELECT NULL", |row| row.int(0)));
            assert!(shape(tx, "SELECT 1.5", |row| row.int(0)));
            assert!(shape(tx, "SELECT 1", |row| row.int(1)));
            assert!(shape(tx, "SELECT 1", |row| row.text(0)));
            assert!(shape(tx, "SELECT CAST(x'ff' AS TEXT)", |row| row.text(0)));
            assert!(shape(tx, "SELECT 'a'", |row| row.array::<1>(0)));
            assert!(shape(tx, "SELECT x'0102'", |row| row.array::<3>(0)));
            assert!(shape(tx, "SELECT NULL", |row| row.bytes(0)));
            assert!(shape(tx, "SELECT 'a'", |row| row.optional_bytes(0)));
            assert!(!shape(tx, "SELECT x'010203'", |row| row.array::<3>(0)));
            Ok(())
        })
    }

    #[test]
    fn no_salt_comes_twice() -> Result<(), StoreError> {
        with_table(|tx| {
            let salts = (0..1_000)
                .map(|_| tx.salt())
                .collect::<Result<Vec<_>, _>>()?;
            let distinct: std::collections::BTreeSet<_> = salts.iter().collect();
            assert_eq!(distinct.len(), salts.len());
            Ok(())
        })
    }

    #[test]
    fn misuse_is_an_error() -> Result<(), StoreError> {
        with_table(|tx| {
            let misuse =
                |result: Result<(), StoreError>| matches!(result, Err(StoreError::Misuse { .. }));
            assert!(misuse(tx.execute("SELECT 1", &[]).map(drop)));
            assert!(misuse(
                tx.execute("DELETE FROM thing WHERE id = ?1", &[]).map(drop)
            ));
            assert!(misuse(
                tx.execute("DELETE FROM thing; DELETE FROM thing", &[])
                    .map(drop)
            ));
            assert!(misuse(
                tx.optional("SELECT 1 UNION ALL SELECT 2", &[], |row| row.int(0))
                    .map(drop)
            ));
            assert_eq!(
                tx.one("SELECT id FROM thing", &[], |row| row.int(0)),
                Err(StoreError::NoRow)
            );
            assert_eq!(
                tx.optional("SELECT id FROM thing", &[], |row| row.int(0)),
                Ok(None)
            );
            assert!(misuse(tx.execute("no SQL", &[]).map(drop)));
            Ok(())
        })
    }
}
