//! How a SHA-256 digest stands in a row: an indexed head of eight bytes and the tail.

use super::{Row, StoreError};

pub(crate) struct DigestColumns {
    pub(crate) head: i64,
    pub(crate) tail: [u8; 24],
}

impl DigestColumns {
    pub(crate) fn of(digest: &[u8; 32]) -> Self {
        let (mut head, mut tail) = ([0; 8], [0; 24]);
        let (first, rest) = digest.split_at(8);
        head.copy_from_slice(first);
        tail.copy_from_slice(rest);
        Self {
            head: i64::from_be_bytes(head),
            tail,
        }
    }

    /// The digest again, from its two columns.
    pub(crate) fn read(row: &Row<'_>, head: usize, tail: usize) -> Result<[u8; 32], StoreError> {
        let stored_tail: [u8; 24] = row.array(tail)?;
        let mut digest = [0; 32];
        let (first, rest) = digest.split_at_mut(8);
        first.copy_from_slice(&row.int(head)?.to_be_bytes());
        rest.copy_from_slice(&stored_tail);
        Ok(digest)
    }
}
