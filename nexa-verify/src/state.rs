//! What a client keeps between runs: its clock, the newest key set and the newest shard.

use core::fmt;

use nexa_core::{SignedKeySet, StatusShard, TrustedClock, UnixSeconds, is_state_mac, state_mac};

const MAGIC: &[u8; 4] = b"NXC1";
/// Magic, clock, two times, two versions, shard number, flags, two lengths.
const HEAD_BYTES: usize = 4 + TrustedClock::BYTES + 8 + 8 + 8 + 8 + 4 + 1 + 2 + 2;
const MAC_BYTES: usize = 32;
const WANTS_WHOLE_SHARD: u8 = 1;
const WANTS_KEY_SET: u8 = 2;

/// What a [`Client`](crate::Client) knows. The program keeps it: [`save`](Self::save) before it ends, [`restore`](Self::restore)
/// when it starts. About 11 KB; may be static.
///
/// The signed documents in it are verified at each use, so that a state that somebody made cannot bring keys in or take
/// revocations away unnoticed; what it can do is be old. See the threat model of this crate.
///
/// It keeps one shard, and refuses older versions of that one alone. A program that checks licences of several shards keeps a
/// state for each: in one, the shards would push each other out, and with them what is known of their versions.
#[derive(Clone)]
pub struct State {
    pub(crate) clock: TrustedClock,
    /// The trusted time at the last look.
    pub(crate) now: u64,
    pub(crate) key_set: Document<{ SignedKeySet::MAX_BYTES }>,
    pub(crate) shard: Document<{ StatusShard::MAX_BYTES }>,
    pub(crate) shard_number: u32,
    /// The whole shard is wanted: a delta did not fit.
    pub(crate) wants_whole_shard: bool,
    /// A newer key set is wanted: a shard was signed by a key that is not known.
    pub(crate) wants_key_set: bool,
}

/// Signed bytes, and the newest version that was ever seen.
#[derive(Clone)]
pub(crate) struct Document<const MAX: usize> {
    bytes: [u8; MAX],
    length: u16,
    pub(crate) seq: u64,
    /// The trusted time when it was received; zero if never.
    pub(crate) received_at: u64,
}

impl<const MAX: usize> Document<MAX> {
    const NONE: Self = Self {
        bytes: [0; MAX],
        length: 0,
        seq: 0,
        received_at: 0,
    };

    /// The bytes, if there are any.
    pub(crate) fn get(&self) -> Option<&[u8]> {
        self.bytes
            .get(..usize::from(self.length))
            .filter(|bytes| !bytes.is_empty())
    }

    /// Takes new bytes, which are known to be no more than fit.
    pub(crate) fn set(&mut self, bytes: &[u8], seq: u64, received_at: u64) {
        if let (Some(place), Ok(length)) = (
            self.bytes.get_mut(..bytes.len()),
            u16::try_from(bytes.len()),
        ) {
            place.copy_from_slice(bytes);
            self.length = length;
            self.seq = seq;
            self.received_at = received_at;
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
            now: 0,
            key_set: Document::NONE,
            shard: Document::NONE,
            shard_number: 0,
            wants_whole_shard: false,
            wants_key_set: false,
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
        for field in [
            self.key_set.received_at,
            self.shard.received_at,
            self.key_set.seq,
            self.shard.seq,
        ] {
            writer.put(&field.to_be_bytes())?;
        }
        writer.put(&self.shard_number.to_be_bytes())?;
        writer.put(&[u8::from(self.wants_whole_shard) * WANTS_WHOLE_SHARD
            + u8::from(self.wants_key_set) * WANTS_KEY_SET])?;
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
        let mut number = || self.take().map(u64::from_be_bytes);
        let (key_set_at, shard_at) = (number()?, number()?);
        let (key_set_seq, shard_seq) = (number()?, number()?);
        let shard_number = u32::from_be_bytes(self.take()?);
        let [flags] = self.take()?;
        if flags & !(WANTS_WHOLE_SHARD | WANTS_KEY_SET) != 0 {
            return None;
        }
        let lengths = [self.take()?, self.take()?].map(u16::from_be_bytes);
        let [key_set_length, shard_length] = lengths;
        let mut state = State {
            clock,
            shard_number,
            wants_whole_shard: flags & WANTS_WHOLE_SHARD != 0,
            wants_key_set: flags & WANTS_KEY_SET != 0,
            ..State::new()
        };
        let key_set = self.slice(key_set_length, SignedKeySet::MAX_BYTES)?;
        state.key_set.set(key_set, key_set_seq, key_set_at);
        let shard = self.slice(shard_length, StatusShard::MAX_BYTES)?;
        state.shard.set(shard, shard_seq, shard_at);
        self.0.is_empty().then_some(state)
    }
}
