//! What a client wants next, and why: data for the program, which does the fetching.

use core::fmt;

/// A document that the program should fetch and hand to [`Client::receive`](crate::Client::receive).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetch<'s> {
    /// Which one.
    pub document: Wanted,
    /// Why.
    pub why: Why,
    /// Where from, as [`Display`](fmt::Display) writes it: the issuer's URL, or the licence's `uri`.
    pub(crate) base: &'s str,
}

/// Which document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The signed key set.
    KeySet,
    /// The status shard of this number.
    Shard {
        /// The shard's number.
        number: u32,
        /// The version that is here, which a delta may lead on from; `None` if the whole shard is wanted.
        since: Option<u64>,
    },
}

/// Why a document is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// There is none yet.
    Missing,
    /// The licence is signed by a key that is not known.
    UnknownKey,
    /// The shard is signed by a key that is not known.
    UnknownStatusKey,
    /// What is here is older than the licence or its issuer wants it.
    Old,
    /// A delta did not fit what is here.
    DeltaFailed,
}

/// The URL to fetch.
impl fmt::Display for Fetch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = self.base;
        match self.document {
            Wanted::KeySet => write!(f, "{base}/.well-known/nexa-keyset"),
            Wanted::Shard { since: None, .. } => write!(f, "{base}/shard"),
            Wanted::Shard {
                since: Some(seq), ..
            } => write!(f, "{base}/shard?since={seq}"),
        }
    }
}
