//! A status shard: header, code, signature.
use super::ShardError;
use super::rice::{self, POSITIONS, Positions};
use crate::jwk::{KeySet, VerificationKey};
use crate::license::{RevocationStatus, Revocations, StatusRef};
use crate::statement::{Kind, statement};
use crate::time::UnixSeconds;

pub(crate) const SHARD_MAGIC: &[u8; 4] = b"NXS1";
/// Behind the magic.
pub(super) const HEADER_BYTES: usize = 8 + 4 + 8 + 8 + 8 + 4 + 1;
pub(super) const SIGNATURE_BYTES: usize = 64;

/// Which positions of a shard are revoked, as a status key signed it.
///
/// A licence names a shard and one of its 65,536 positions in its claim `status`; the shard says which of them are
/// revoked, at a price of some 8 bits for each revoked licence. One set of positions has exactly one byte string.
///
/// ```text
/// magic "NXS1" · 8 bytes of the status key's thumbprint · shard u32 · seq u64 · this_update u64 · next_update u64
/// · count u32 · k u8 · Rice-coded gaps, zeros to the byte · Ed25519 signature (64 bytes)
/// ```
///
/// Numbers are big-endian, times Unix seconds. Signed is "nexa status shard 1", NULs up to 24 bytes, the SHA-256 of the
/// issuer's URL, and the SHA-256 of everything before the signature.
///
/// ```
/// # #[cfg(feature = "issue")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use nexa_core::{KeySet, NewShard, SigningKey, StatusShard, UnixSeconds};
///
/// let key = SigningKey::generate(&mut rand_core::UnwrapErr(getrandom::SysRng));
/// let this_update = UnixSeconds::new(1_795_230_000).ok_or("out of range")?;
/// let next_update = UnixSeconds::new(1_795_237_200).ok_or("out of range")?;
/// let new = NewShard { number: 7, seq: 1_795_230_000, this_update, next_update, revoked: &[3, 59_000] };
/// let bytes = new.sign(&key, "https://licenses.example")?;
///
/// let keys = KeySet::from_keys(&[key.verification_key()])?;
/// let shard = StatusShard::open(&bytes, &keys, "https://licenses.example")?;
/// assert_eq!((shard.number(), shard.len()), (7, 2));
/// assert!(shard.contains(59_000) && !shard.contains(4));
/// assert!(StatusShard::open(&bytes, &keys, "https://other.example").is_err());
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "issue"))]
/// # fn main() {}
/// ```
#[derive(Clone, Copy, Debug)]
pub struct StatusShard<'a> {
    // Signed, and read to the end once without a fault, so that look-ups cannot meet one.
    bytes: &'a [u8],
    header: Header,
    code: &'a [u8],
}

impl<'a> StatusShard<'a> {
    /// The most bytes a shard has.
    pub const MAX_BYTES: usize =
        SHARD_MAGIC.len() + HEADER_BYTES + rice::MAX_BYTES + SIGNATURE_BYTES;

    /// Reads a shard that one of these status keys signed for this issuer, between the key's `not_before` and `not_after`.
    ///
    /// # Errors
    /// The first rule it breaks, in this order: length, magic, key, signature, times, count, parameter, the time of the key,
    /// code.
    pub fn open(bytes: &'a [u8], keys: &KeySet, issuer: &str) -> Result<Self, ShardError> {
        let length = ShardError::Length { bytes: bytes.len() };
        if bytes.len() > Self::MAX_BYTES {
            return Err(length);
        }
        let (magic, rest) = bytes.split_first_chunk::<4>().ok_or(length)?;
        if magic != SHARD_MAGIC {
            return Err(ShardError::Magic);
        }
        let (header, rest) = rest.split_first_chunk::<HEADER_BYTES>().ok_or(length)?;
        let (code, signature) = rest.split_last_chunk::<SIGNATURE_BYTES>().ok_or(length)?;
        let header = Header::read(header);
        let signed = bytes.get(..bytes.len() - SIGNATURE_BYTES).ok_or(length)?;
        let trusted = keys
            .find_hint(header.key_hint)
            .ok_or(ShardError::UnknownKey)?;
        (trusted.key)
            .verify(&statement(Kind::StatusShard, issuer, signed), signature)
            .map_err(ShardError::Signature)?;
        header.check()?;
        let this_update = header.this_update();
        if !trusted.is_in_force(this_update, this_update) {
            return Err(ShardError::KeyNotInForce);
        }
        match Positions::new(code, header.count).finish()? {
            [] => Ok(Self {
                bytes,
                header,
                code,
            }),
            [..] => Err(ShardError::Rest),
        }
    }

    /// The shard's number.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.header.number
    }

    /// The version: higher than that of every earlier one.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.header.seq
    }

    /// When it was signed: what it says was so then.
    #[must_use]
    pub fn this_update(&self) -> UnixSeconds {
        self.header.this_update()
    }

    /// The key of this set that signed it; `None` if it is not in the set.
    #[must_use]
    pub fn key<'k>(&self, keys: &'k KeySet) -> Option<&'k VerificationKey> {
        let trusted = keys.find_hint(self.header.key_hint)?;
        Some(&trusted.key)
    }

    /// When a newer one will be there at the latest.
    #[must_use]
    pub fn next_update(&self) -> UnixSeconds {
        UnixSeconds::new(self.header.next_update).unwrap_or(UnixSeconds::MAX)
    }

    /// How many positions are revoked, up to 65,536.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.header.count
    }

    /// Whether none is.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.header.count == 0
    }

    /// Whether this position is revoked. Reads the code from its beginning: some microseconds where one in a hundred is.
    #[must_use]
    pub fn contains(&self, position: u16) -> bool {
        self.positions().find(|found| *found >= position) == Some(position)
    }

    /// The revoked positions, rising.
    pub fn positions(&self) -> impl Iterator<Item = u16> + use<'a> {
        Positions::new(self.code, self.header.count)
    }

    /// The shard's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub(super) const fn header(&self) -> &Header {
        &self.header
    }
}

/// A licence without a place, or whose `uri` does not end with the number of this shard, is
/// [`RevocationStatus::NoData`] here.
impl Revocations for StatusShard<'_> {
    fn lookup(&self, _: &str, status: Option<&StatusRef<'_>>) -> RevocationStatus {
        match status {
            Some(status) if status.shard() == Some(self.number()) => {
                match self.contains(status.index) {
                    true => RevocationStatus::Revoked {
                        at: self.this_update(),
                    },
                    false => RevocationStatus::NotRevoked {
                        as_of: Some(self.this_update()),
                    },
                }
            }
            Some(_) | None => RevocationStatus::NoData,
        }
    }
}

/// What stands between magic and code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) key_hint: [u8; 8],
    pub(crate) number: u32,
    pub(crate) seq: u64,
    pub(crate) this_update: u64,
    pub(crate) next_update: u64,
    pub(crate) count: u32,
    pub(crate) k: u8,
}

impl Header {
    #[cfg(feature = "issue")]
    pub(crate) const BYTES: usize = HEADER_BYTES;

    /// A header for so many positions.
    #[cfg(feature = "issue")]
    pub(crate) fn new(
        key: &VerificationKey,
        number: u32,
        seq: u64,
        times: (UnixSeconds, UnixSeconds),
        count: u32,
    ) -> Self {
        Self {
            key_hint: key.hint(),
            number,
            seq,
            this_update: times.0.get(),
            next_update: times.1.get(),
            count,
            k: rice::parameter(count),
        }
    }

    pub(super) fn read(bytes: &[u8; HEADER_BYTES]) -> Self {
        let mut rest = bytes.as_slice();
        Self {
            key_hint: take(&mut rest),
            number: u32::from_be_bytes(take(&mut rest)),
            seq: u64::from_be_bytes(take(&mut rest)),
            this_update: u64::from_be_bytes(take(&mut rest)),
            next_update: u64::from_be_bytes(take(&mut rest)),
            count: u32::from_be_bytes(take(&mut rest)),
            k: u8::from_be_bytes(take(&mut rest)),
        }
    }

    pub(crate) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let parts: [&[u8]; 7] = [
            &self.key_hint,
            &self.number.to_be_bytes(),
            &self.seq.to_be_bytes(),
            &self.this_update.to_be_bytes(),
            &self.next_update.to_be_bytes(),
            &self.count.to_be_bytes(),
            &[self.k],
        ];
        for (place, byte) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *place = *byte;
        }
        bytes
    }

    fn this_update(&self) -> UnixSeconds {
        UnixSeconds::new(self.this_update).unwrap_or(UnixSeconds::MAX)
    }

    fn check(&self) -> Result<(), ShardError> {
        let times = (
            UnixSeconds::new(self.this_update),
            UnixSeconds::new(self.next_update),
        );
        match times {
            (Some(this), Some(next)) if this < next => {}
            _ => return Err(ShardError::Times),
        }
        if self.count > POSITIONS {
            return Err(ShardError::Count { count: self.count });
        }
        let expected = rice::parameter(self.count);
        match self.k == expected {
            true => Ok(()),
            false => Err(ShardError::Parameter {
                found: self.k,
                expected,
            }),
        }
    }
}

/// The next `N` bytes, of a slice that is known to have them.
fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    match rest.split_first_chunk::<N>() {
        Some((chunk, after)) => {
            *rest = after;
            *chunk
        }
        None => [0; N],
    }
}
