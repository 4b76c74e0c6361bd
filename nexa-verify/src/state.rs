//! What a client keeps between runs: its clock, the newest key set and the newest shard.

use core::fmt;

use nexa_core::{SignedKeySet, StatusShard, TrustedClock, UnixSeconds, is_state_mac, state_mac};

const MAGIC: &[u8; 4] = b"NXC2";
/// Magic, clock, five moments, two versions, shard number, shard key, versions of other shards, flags, two lengths.
const HEAD_BYTES: usize =
    4 + TrustedClock::BYTES + 5 * 16 + 8 + 8 + 4 + 32 + SEEN * (4 + 8) + 1 + 2 + 2;
/// Of how many shards beside the one that is kept the version is known.
const SEEN: usize = 8;
const MAC_BYTES: usize = 32;
const WANTS_WHOLE_SHARD: u8 = 1;
const WANTS_KEY_SET: u8 = 2;
const HAS_NEWEST_KEY_SET: u8 = 4;

/// What a [`Client`](crate::Client) knows. The program keeps it: [`save`](Self::save) before it ends, [`restore`](Self::restore)
/// when it starts. About 11 KB; may be static.
///
/// The signed documents in it are verified at each use, so that a state that somebody made cannot bring keys in or take
/// revocations away unnoticed; what it can do is be old. See the threat model of this crate.
///
/// It keeps one shard, and refuses older versions of that one and of the last eight that were kept before it. A program that
/// checks licences of several shards at once keeps a state for each: in one, each licence would fetch its shard anew.
#[derive(Clone)]
pub struct State {
    pub(crate) clock: TrustedClock,
    /// The last look.
    pub(crate) now: Moment,
    pub(crate) key_set: Document<{ SignedKeySet::MAX_BYTES }>,
    pub(crate) shard: Document<{ StatusShard::MAX_BYTES }>,
    pub(crate) shard_number: u32,
    /// The key that signed the shard.
    pub(crate) shard_key: [u8; 32],
    /// Shards that were kept before, with the newest version that was seen; zero where there is none.
    seen: [(u32, u64); SEEN],
    /// The whole shard is wanted: a delta did not fit.
    pub(crate) wants_whole_shard: bool,
    /// A newer key set is wanted: a shard was signed by a key that is not known.
    pub(crate) wants_key_set: bool,
    /// The key set came once more as it was.
    pub(crate) has_newest_key_set: bool,
}

/// What the clocks showed: the trusted time, which stands still while the wall clock is behind it, and the wall clock, which
/// may be wrong. Zeros if never.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) trusted: u64,
    pub(crate) wall: u64,
}

impl Moment {
    pub(crate) const NEVER: Self = Self {
        trusted: 0,
        wall: 0,
    };

    /// Whether by any of the clocks so many seconds lie between this and `now`, in whichever direction; and if this was never.
    pub(crate) fn is_apart(self, now: Self, seconds: u64) -> bool {
        self == Self::NEVER
            || self.trusted.abs_diff(now.trusted) >= seconds
            || self.wall.abs_diff(now.wall) >= seconds
    }
}

/// Signed bytes, and the newest version that was ever seen.
#[derive(Clone)]
pub(crate) struct Document<const MAX: usize> {
    bytes: [u8; MAX],
    length: u16,
    pub(crate) seq: u64,
    /// When these bytes came, or came once more.
    pub(crate) received: Moment,
    /// When it was tried to get it last, well or not.
    pub(crate) tried: Moment,
}

impl<const MAX: usize> Document<MAX> {
    const NONE: Self = Self {
        bytes: [0; MAX],
        length: 0,
        seq: 0,
        received: Moment::NEVER,
        tried: Moment::NEVER,
    };

    /// The bytes, if there are any.
    pub(crate) fn get(&self) -> Option<&[u8]> {
        self.bytes
            .get(..usize::from(self.length))
            .filter(|bytes| !bytes.is_empty())
    }

    /// Takes new bytes, which are known to be no more than fit.
    pub(crate) fn set(&mut self, bytes: &[u8], seq: u64, received: Moment) {
        if let (Some(place), Ok(length)) = (
            self.bytes.get_mut(..bytes.len()),
            u16::try_from(bytes.len()),
        ) {
            place.copy_from_slice(bytes);
            self.length = length;
            self.seq = seq;
            self.received = received;
        }
    }
}

impl State {
    /// The most bytes that [`save`](Self::save) writes.
    pub const MAX_BYTES: usize =
        HEAD_BYTES + SignedKeySet::MAX_BYTES + StatusShard::MAX_BYTES + MAC_BYTES;

    /// Nothing is known yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            clock: TrustedClock::new(),
            now: Moment::NEVER,
            key_set: Document::NONE,
            shard: Document::NONE,
            shard_number: 0,
            shard_key: [0; 32],
            seen: [(0, 0); SEEN],
            wants_whole_shard: false,
            wants_key_set: false,
            has_newest_key_set: false,
        }
    }

    /// The version of the newest key set that was received; zero if none was.
    #[must_use]
    pub const fn key_set_seq(&self) -> u64 {
        self.key_set.seq
    }

    /// The number and the version of the shard that is kept; `None` if none was received.
    #[must_use]
    pub const fn shard(&self) -> Option<(u32, u64)> {
        match self.shard.length {
            0 => None,
            _ => Some((self.shard_number, self.shard.seq)),
        }
    }

    /// The newest signed time that was verified; the epoch if none was.
    #[must_use]
    pub const fn newest_signed(&self) -> UnixSeconds {
        self.clock.newest_signed()
    }

    /// The newest version of this shard that was seen; zero if none was.
    pub(crate) fn seen(&self, number: u32) -> u64 {
        match self.shard() {
            Some((kept, seq)) if kept == number => seq,
            Some(_) | None => {
                let mut seen = self.seen.iter();
                seen.find(|(other, _)| *other == number)
                    .map_or(0, |(_, seq)| *seq)
            }
        }
    }

    /// Notes the version of the shard that is kept, which another one is about to replace.
    pub(crate) fn remember_version(&mut self) {
        let Some((number, seq)) = self.shard() else {
            return;
        };
        let place = self.seen.iter().position(|(other, _)| *other == number);
        // The newest first; of too many, the oldest goes.
        let end = place.map_or(SEEN, |place| place + 1);
        if let Some(part) = self.seen.get_mut(..end) {
            part.rotate_right(1);
        }
        if let Some(first) = self.seen.first_mut() {
            *first = (number, seq);
        }
    }

    /// Writes the state into the front of `out`, under a code that only this device's fingerprint makes; answers the
    /// bytes written. `None` if `out` is too short; [`MAX_BYTES`](Self::MAX_BYTES) are always enough.
    #[must_use]
    pub fn save<'o>(&self, fingerprint: &[u8], out: &'o mut [u8]) -> Option<&'o [u8]> {
        let (key_set, shard) = (
            self.key_set.get().unwrap_or_default(),
            self.shard.get().unwrap_or_default(),
        );
        let mut writer = Writer { out, length: 0 };
        writer.put(MAGIC)?;
        writer.put(&self.clock.to_bytes())?;
        for moment in [
            self.now,
            self.key_set.received,
            self.key_set.tried,
            self.shard.received,
            self.shard.tried,
        ] {
            writer.put(&moment.trusted.to_be_bytes())?;
            writer.put(&moment.wall.to_be_bytes())?;
        }
        writer.put(&self.key_set.seq.to_be_bytes())?;
        writer.put(&self.shard.seq.to_be_bytes())?;
        writer.put(&self.shard_number.to_be_bytes())?;
        writer.put(&self.shard_key)?;
        for (number, seq) in self.seen {
            writer.put(&number.to_be_bytes())?;
            writer.put(&seq.to_be_bytes())?;
        }
        writer.put(&[u8::from(self.wants_whole_shard) * WANTS_WHOLE_SHARD
            + u8::from(self.wants_key_set) * WANTS_KEY_SET
            + u8::from(self.has_newest_key_set) * HAS_NEWEST_KEY_SET])?;
        for document in [key_set, shard] {
            writer.put(&u16::try_from(document.len()).ok()?.to_be_bytes())?;
        }
        writer.put(key_set)?;
        writer.put(shard)?;
        let mac = state_mac(fingerprint, writer.out.get(..writer.length)?);
        writer.put(&mac)?;
        let Writer { out, length } = writer;
        out.get(..length)
    }

    /// Reads what [`save`](Self::save) wrote on this device.
    ///
    /// # Errors
    /// What is wrong with it. The program decides what to make of that; [`State::new`] begins again, and forgets how far the
    /// clock had come.
    pub fn restore(bytes: &[u8], fingerprint: &[u8]) -> Result<Self, StateFault> {
        let length = StateFault::Length { bytes: bytes.len() };
        if bytes.len() > Self::MAX_BYTES {
            return Err(length);
        }
        let (body, mac) = bytes.split_last_chunk::<MAC_BYTES>().ok_or(length)?;
        let mut reader = Reader(body);
        if reader.take().ok_or(length)? != *MAGIC {
            return Err(StateFault::Magic);
        }
        if !is_state_mac(fingerprint, body, mac) {
            return Err(StateFault::Tampered);
        }
        reader.state().ok_or(StateFault::Malformed)
    }
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("clock", &self.clock)
            .field("key_set_seq", &self.key_set.seq)
            .field("shard", &self.shard_number)
            .field("shard_seq", &self.shard.seq)
            .finish_non_exhaustive()
    }
}

/// Why kept state was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateFault {
    /// It has too few bytes for any state, or too many.
    Length {
        /// How many it has.
        bytes: usize,
    },
    /// It does not begin as this version's state does.
    Magic,
    /// Its code is not that of these bytes on this device: it was changed, or copied from another device.
    Tampered,
    /// Its code holds, and yet it is none that this crate has written.
    Malformed,
}

impl StateFault {
    /// The stable name of the rule, in snake case.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Length { .. } => "state_length",
            Self::Magic => "state_magic",
            Self::Tampered => "state_tampered",
            Self::Malformed => "state_malformed",
        }
    }
}

impl fmt::Display for StateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { bytes } => write!(f, "no state has {bytes} bytes"),
            Self::Magic => f.write_str("not a state of this version"),
            Self::Tampered => f.write_str("the state was changed, or is another device's"),
            Self::Malformed => f.write_str("the state is malformed"),
        }
    }
}

impl core::error::Error for StateFault {}

struct Writer<'o> {
    out: &'o mut [u8],
    length: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.length.checked_add(bytes.len())?;
        self.out.get_mut(self.length..end)?.copy_from_slice(bytes);
        self.length = end;
        Some(())
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (chunk, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*chunk)
    }

    fn slice(&mut self, length: u16, max: usize) -> Option<&'a [u8]> {
        let length = usize::from(length);
        let (slice, rest) = self.0.split_at_checked(length).filter(|_| length <= max)?;
        self.0 = rest;
        Some(slice)
    }

    fn state(mut self) -> Option<State> {
        let clock = TrustedClock::from_bytes(&self.take()?)?;
        let now = self.moment()?;
        let (key_set_received, key_set_tried) = (self.moment()?, self.moment()?);
        let (shard_received, shard_tried) = (self.moment()?, self.moment()?);
        let (key_set_seq, shard_seq) = (self.number()?, self.number()?);
        let shard_number = u32::from_be_bytes(self.take()?);
        let shard_key = self.take()?;
        let mut seen = [(0, 0); SEEN];
        for place in &mut seen {
            *place = (u32::from_be_bytes(self.take()?), self.number()?);
        }
        let [flags] = self.take()?;
        if flags & !(WANTS_WHOLE_SHARD | WANTS_KEY_SET | HAS_NEWEST_KEY_SET) != 0 {
            return None;
        }
        let lengths = [self.take()?, self.take()?].map(u16::from_be_bytes);
        let [key_set_length, shard_length] = lengths;
        let mut state = State {
            clock,
            now,
            shard_number,
            shard_key,
            seen,
            wants_whole_shard: flags & WANTS_WHOLE_SHARD != 0,
            wants_key_set: flags & WANTS_KEY_SET != 0,
            has_newest_key_set: flags & HAS_NEWEST_KEY_SET != 0,
            ..State::new()
        };
        let key_set = self.slice(key_set_length, SignedKeySet::MAX_BYTES)?;
        state.key_set.set(key_set, key_set_seq, key_set_received);
        state.key_set.tried = key_set_tried;
        let shard = self.slice(shard_length, StatusShard::MAX_BYTES)?;
        state.shard.set(shard, shard_seq, shard_received);
        state.shard.tried = shard_tried;
        self.0.is_empty().then_some(state)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    fn moment(&mut self) -> Option<Moment> {
        Some(Moment {
            trusted: self.number()?,
            wall: self.number()?,
        })
    }
}
