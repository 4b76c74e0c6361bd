//! Whether a licence was revoked: the port a host fills, and the published JSON feed.
use core::fmt;
use core::ops::ControlFlow;

use crate::json::{self, JsonFault, Node};
use crate::license::StatusRef;
use crate::time::UnixSeconds;

/// Where a check asks whether a licence was revoked.
///
/// `Sync`, so that a verifier can be shared between threads.
pub trait Revocations: Sync {
    /// What is known about the licence with this `jti` and this place in a status list.
    fn lookup(&self, jti: &str, status: Option<&StatusRef<'_>>) -> RevocationStatus;
}

/// What is known about a licence's revocation. A closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationStatus {
    /// Nobody asked: the verifier was given no source, and the age of revocation data has no say.
    NotChecked,
    /// There is a source, and it has nothing on this licence yet. What was so when the licence was issued counts as known.
    NoData,
    /// The data at hand does not list it.
    NotRevoked {
        /// When that was so; `None` where nothing signed says it, and then the age of the data has no say.
        as_of: Option<UnixSeconds>,
    },
    /// It was revoked.
    Revoked {
        /// When; from a status shard, which does not say that, when the shard was signed.
        at: UnixSeconds,
    },
}

/// No revocation data: every licence is [`RevocationStatus::NotChecked`].
#[derive(Clone, Copy, Debug)]
pub struct NoRevocations;

impl Revocations for NoRevocations {
    fn lookup(&self, _: &str, _: Option<&StatusRef<'_>>) -> RevocationStatus {
        RevocationStatus::NotChecked
    }
}

/// The published list of revoked licences: `[{"jti": "…", "revokedAt": "2026-11-21T03:00:00.000Z"}, …]`.
///
/// The whole list is needed: what it does not name counts as not revoked. The answer to `?since=` is only what was
/// added; merge it into the list that is kept before it is read here.
///
/// The whole document is checked once, when it is read. A lookup reads it again, which costs about 0.4 µs an entry at
/// every check of a licence: it suits lists of thousands, not of millions. An entry has at most 1,024 bytes; unknown
/// members are ignored.
///
/// # Security
///
/// The list itself is not signed: it is worth what the way it came is worth. Its signed form is read by
/// [`open`](Self::open).
///
/// ```
/// use nexa_core::{RevocationFeed, RevocationStatus, Revocations};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let feed = RevocationFeed::read(br#"[{"jti":"a1","revokedAt":"2026-11-21T03:00:00Z"}]"#)?;
/// assert!(matches!(feed.lookup("a1", None), RevocationStatus::Revoked { at } if at.get() == 1_795_230_000));
/// assert_eq!(feed.lookup("a2", None), RevocationStatus::NotRevoked { as_of: None });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RevocationFeed<'a> {
    // Read to the end once without a fault, so that lookups cannot meet one.
    json: &'a [u8],
    length: usize,
    as_of: Option<UnixSeconds>,
}

impl<'a> RevocationFeed<'a> {
    /// Checks the whole document.
    ///
    /// # Errors
    ///
    /// It is not an array, or one of its entries is not strict JSON, lacks a member or has a mistyped one.
    pub fn read(json: &'a [u8]) -> Result<Self, FeedError> {
        let mut length = 0;
        scan(json, |_, _| {
            length += 1;
            ControlFlow::Continue(())
        })?;
        Ok(Self {
            json,
            length,
            as_of: None,
        })
    }

    /// Says when the list was so: from here on its age counts. The caller vouches for it, as for the list.
    #[must_use]
    pub const fn with_as_of(mut self, as_of: UnixSeconds) -> Self {
        self.as_of = Some(as_of);
        self
    }

    /// How many licences the list names.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether the list names none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl Revocations for RevocationFeed<'_> {
    fn lookup(&self, jti: &str, _: Option<&StatusRef<'_>>) -> RevocationStatus {
        let mut status = RevocationStatus::NotRevoked { as_of: self.as_of };
        let outcome = scan(self.json, |found, at| {
            if found != jti {
                return ControlFlow::Continue(());
            }
            status = RevocationStatus::Revoked { at };
            ControlFlow::Break(())
        });
        debug_assert!(outcome.is_ok(), "the document was read before");
        status
    }
}

/// Why a revocation list was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedError {
    /// The position of the entry, counted from zero.
    pub entry: usize,
    /// What is wrong there.
    pub problem: FeedProblem,
}

/// What is wrong with a revocation list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FeedProblem {
    /// The document is not one JSON array of objects.
    NotAList,
    /// The entry has more than 1,024 bytes.
    EntryTooLong,
    /// The entry is not strict JSON.
    Json(JsonFault),
    /// A member of the entry is missing or not what belongs there.
    Member {
        /// The member's name.
        name: &'static str,
    },
}

impl fmt::Display for FeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {} of the revocation list: ", self.entry)?;
        match self.problem {
            FeedProblem::NotAList => f.write_str("the document is not one array of objects"),
            FeedProblem::EntryTooLong => f.write_str("longer than 1024 bytes"),
            FeedProblem::Json(fault) => write!(f, "not strict JSON: {fault}"),
            FeedProblem::Member { name: "jti" } => {
                f.write_str("member jti is missing or not a string")
            }
            FeedProblem::Member { name } => {
                write!(f, "member {name} is missing or not an RFC 3339 timestamp")
            }
        }
    }
}

impl core::error::Error for FeedError {}

const MAX_ENTRY_BYTES: usize = 1024;
const MAX_ENTRY_VALUES: usize = 64;
const MAX_ENTRY_MEMBERS: u16 = 16;

/// Reads the list entry by entry, each in a buffer of its own, until `visit` breaks or the document ends.
fn scan(
    json: &[u8],
    mut visit: impl FnMut(&str, UnixSeconds) -> ControlFlow<()>,
) -> Result<(), FeedError> {
    let mut entry = 0;
    let fail = |entry, problem| Err(FeedError { entry, problem });
    let Some((b'[', rest)) = trimmed(json).split_first() else {
        return fail(entry, FeedProblem::NotAList);
    };
    let mut rest = trimmed(rest);
    if let Some((b']', after)) = rest.split_first() {
        return match after.is_empty() {
            true => Ok(()),
            false => fail(entry, FeedProblem::NotAList),
        };
    }
    loop {
        let (object, after) = match split_object(rest) {
            Ok(split) => split,
            Err(problem) => return fail(entry, problem),
        };
        match read_entry(object, &mut visit) {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => return Ok(()),
            Err(problem) => return fail(entry, problem),
        }
        entry += 1;
        match trimmed(after).split_first() {
            Some((b',', after)) => rest = trimmed(after),
            Some((b']', [])) => return Ok(()),
            Some(_) | None => return fail(entry, FeedProblem::NotAList),
        }
    }
}

/// Cuts the object at the front of `text` off by counting brackets outside of strings. Whether it is JSON is
/// for the strict reader to say.
fn split_object(text: &[u8]) -> Result<(&[u8], &[u8]), FeedProblem> {
    if text.first() != Some(&b'{') {
        return Err(FeedProblem::NotAList);
    }
    let mut depth = 0_usize;
    let mut is_in_string = false;
    let mut is_escaped = false;
    for (index, byte) in text.iter().enumerate().take(MAX_ENTRY_BYTES) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_in_string => is_escaped = true,
            b'"' => is_in_string = !is_in_string,
            b'{' if !is_in_string => depth += 1,
            b'}' if !is_in_string => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return text
                .split_at_checked(index + 1)
                .ok_or(FeedProblem::NotAList);
        }
    }
    Err(match text.len() > MAX_ENTRY_BYTES {
        true => FeedProblem::EntryTooLong,
        false => FeedProblem::NotAList,
    })
}

fn read_entry(
    object: &[u8],
    visit: &mut impl FnMut(&str, UnixSeconds) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, FeedProblem> {
    let mut text = [0; MAX_ENTRY_BYTES];
    let mut nodes = [Node::EMPTY; MAX_ENTRY_VALUES];
    let text = text
        .get_mut(..object.len())
        .ok_or(FeedProblem::EntryTooLong)?;
    text.copy_from_slice(object);
    let entry = json::parse(text, &mut nodes, MAX_ENTRY_MEMBERS)
        .map_err(FeedProblem::Json)?
        .as_object()
        .ok_or(FeedProblem::NotAList)?;
    let string = |name| {
        entry
            .get(name)
            .and_then(|value| value.as_str())
            .ok_or(FeedProblem::Member { name })
    };
    let jti = string("jti")?;
    let at = UnixSeconds::parse_rfc3339(string("revokedAt")?)
        .ok_or(FeedProblem::Member { name: "revokedAt" })?;
    Ok(visit(jti, at))
}

/// `text` without JSON white space around it.
fn trimmed(text: &[u8]) -> &[u8] {
    let is_space = |b: &u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r');
    let mut text = text;
    while let Some((_, rest)) = text.split_first().filter(|(first, _)| is_space(first)) {
        text = rest;
    }
    while let Some((_, rest)) = text.split_last().filter(|(last, _)| is_space(last)) {
        text = rest;
    }
    text
}
