//! Sets of positions as Rice-coded gaps: one set has one byte string.
//!
//! Positions in rising order are written as gaps (how many positions lie between one and the next). A gap `g` is written
//! as `g >> k` zeros, a one, and the low `k` bits of `g`, most significant first; zeros fill the last byte. `k` follows
//! from how many positions there are ([`parameter`]). At a density of one in a hundred that takes 8.11 bits a position,
//! half a percent more than the entropy of such a set.

/// How many positions a shard has.
pub(crate) const POSITIONS: u32 = 1 << 16;

/// The most bytes that a set takes: 25,032 positions, the most with k = 1, spread out evenly.
pub(crate) const MAX_BYTES: usize = 8_790;

/// The least number of positions with which k is the index of the entry or less: ⌈65,536 · (1 − φ^(1/2^k))⌉ where φ is
/// (√5 − 1)/2. From there on k costs no more than k + 1 for gaps that chance has drawn.
const LEAST: [u32; 16] = [
    25_033, 14_015, 7_429, 3_826, 1_942, 979, 491, 246, 124, 62, 31, 16, 8, 4, 2, 1,
];

/// k for a set of this many positions; 0 for the empty one.
pub(crate) fn parameter(count: u32) -> u8 {
    let k = LEAST.iter().position(|least| count >= *least);
    k.and_then(|k| u8::try_from(k).ok()).unwrap_or(0)
}

/// What is wrong with the code of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It ends before its last position.
    Truncated,
    /// A position is 65,536 or more.
    OutOfRange,
    /// The bits after the last position are not zeros, or there is a byte too many.
    Rest,
}

/// Iterator over the positions of a set.
#[derive(Clone, Debug)]
pub(crate) struct Positions<'a> {
    bytes: &'a [u8],
    /// Bits that were taken from the bytes, from the top.
    window: u64,
    filled: u32,
    k: u32,
    left: u32,
    /// The lowest position that the next one may be.
    least: u32,
}

impl<'a> Positions<'a> {
    /// The positions in the front of `bytes`, `count` of them.
    pub(crate) fn new(bytes: &'a [u8], count: u32) -> Self {
        Self {
            bytes,
            window: 0,
            filled: 0,
            k: u32::from(parameter(count)),
            left: count,
            least: 0,
        }
    }

    /// Reads to the end and answers the bytes behind it.
    pub(crate) fn finish(mut self) -> Result<&'a [u8], Fault> {
        let whole = self.bytes;
        while self.left > 0 {
            self.step()?;
        }
        let unread = self.filled / 8;
        let rest = whole
            .len()
            .checked_sub(self.bytes.len() + unread as usize)
            .and_then(|used| whole.get(used..))
            .ok_or(Fault::Truncated)?;
        // What is left of the byte that was begun.
        let padding = self.filled % 8;
        match padding == 0 || self.window >> (64 - padding) == 0 {
            true => Ok(rest),
            false => Err(Fault::Rest),
        }
    }

    /// Reads the next position; there must be one left.
    fn step(&mut self) -> Result<u16, Fault> {
        let mut zeros = 0;
        loop {
            self.fill();
            let here = self.window.leading_zeros().min(self.filled);
            zeros += here;
            if zeros > POSITIONS {
                return Err(Fault::OutOfRange);
            }
            if here < self.filled {
                self.drop_bits(here + 1);
                break;
            }
            if self.bytes.is_empty() {
                return Err(Fault::Truncated);
            }
            self.drop_bits(here);
        }
        let mut gap = zeros << self.k;
        if self.k > 0 {
            self.fill();
            if self.filled < self.k {
                return Err(Fault::Truncated);
            }
            gap |= (self.window >> (64 - self.k)) as u32;
            self.drop_bits(self.k);
        }
        let position = self.least + gap;
        self.least = position + 1;
        self.left -= 1;
        u16::try_from(position).map_err(|_| Fault::OutOfRange)
    }

    /// Takes bytes until at least 33 bits are at hand, or none are left.
    fn fill(&mut self) {
        if self.filled > 32 {
            return;
        }
        if let Some((four, rest)) = self.bytes.split_first_chunk::<4>() {
            self.window |= u64::from(u32::from_be_bytes(*four)) << (32 - self.filled);
            self.filled += 32;
            self.bytes = rest;
            return;
        }
        while let Some((byte, rest)) = self.bytes.split_first() {
            self.window |= u64::from(*byte) << (56 - self.filled);
            self.filled += 8;
            self.bytes = rest;
        }
    }

    fn drop_bits(&mut self, bits: u32) {
        self.window = self.window.checked_shl(bits).unwrap_or(0);
        self.filled -= bits;
    }
}

impl Iterator for Positions<'_> {
    type Item = u16;

    /// Ends at the first fault too; whoever hands an iterator out has read it to the end before.
    fn next(&mut self) -> Option<u16> {
        match self.left {
            0 => None,
            _ => self.step().ok(),
        }
    }
}

/// Writes `count` positions, which come in rising order, into the front of `out`; answers how many bytes they take.
/// `None` if they are not that many, do not rise, or do not fit.
pub(crate) fn encode(
    positions: impl Iterator<Item = u16>,
    count: u32,
    out: &mut [u8],
) -> Option<usize> {
    let k = u32::from(parameter(count));
    let mut writer = Writer {
        out,
        written: 0,
        window: 0,
        filled: 0,
    };
    let (mut least, mut left) = (0_u32, count);
    for position in positions {
        let gap = u32::from(position).checked_sub(least)?;
        left = left.checked_sub(1)?;
        least = u32::from(position) + 1;
        let mut zeros = gap >> k;
        while zeros > 0 {
            let some = zeros.min(16);
            writer.put(0, some)?;
            zeros -= some;
        }
        writer.put(1, 1)?;
        writer.put(gap & ((1 << k) - 1), k)?;
    }
    writer.put(0, (8 - writer.filled % 8) % 8)?;
    (left == 0).then_some(writer.written)
}

struct Writer<'o> {
    out: &'o mut [u8],
    written: usize,
    window: u32,
    filled: u32,
}

impl Writer<'_> {
    /// Appends the low `bits` of `value`, at most 16.
    fn put(&mut self, value: u32, bits: u32) -> Option<()> {
        self.window = (self.window << bits) | value;
        self.filled += bits;
        while self.filled >= 8 {
            self.filled -= 8;
            *self.out.get_mut(self.written)? = (self.window >> self.filled) as u8;
            self.written += 1;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule and its reason: no other k takes fewer bits for gaps that chance has drawn.
    #[test]
    fn k_is_the_cheapest_for_gaps_drawn_by_chance() {
        let powers = |count: u32| {
            let mut power = 1.0 - f64::from(count) / f64::from(POSITIONS);
            core::array::from_fn::<f64, 17, _>(|_| {
                let this = power;
                power *= power;
                this
            })
        };
        for count in 1..POSITIONS {
            let powers = powers(count);
            let bits = |k: usize| k as f64 + 1.0 / (1.0 - powers[k]);
            let chosen = usize::from(parameter(count));
            let least = (0..16).map(bits).fold(f64::INFINITY, f64::min);
            assert!(bits(chosen) <= least * 1.000_001, "{count}");
        }
        assert_eq!(
            (parameter(0), parameter(1), parameter(POSITIONS)),
            (0, 15, 0)
        );
    }

    #[test]
    fn no_set_takes_more_than_the_bound() {
        let most = (0..=POSITIONS).map(|count| {
            let k = u32::from(parameter(count));
            (count * (k + 1) + ((POSITIONS - count) >> k)).div_ceil(8)
        });
        assert_eq!(most.max(), u32::try_from(MAX_BYTES).ok());
    }

    #[test]
    fn codes_are_the_documented_ones() {
        let mut out = [0xaa; 16];
        for (positions, expected) in [
            (&[][..], &[][..]),
            // k = 15: a one, then fifteen bits.
            (&[0], &[0x80, 0x00]),
            (&[5], &[0x80, 0x05]),
            (&[65_535], &[0x7f, 0xff, 0x80]),
            // k = 14: 1 and fourteen bits, twice; zeros to the byte.
            (&[1, 3], &[0x80, 0x03, 0x00, 0x04]),
        ] {
            let count = u32::try_from(positions.len()).unwrap();
            let length = encode(positions.iter().copied(), count, &mut out).unwrap();
            assert_eq!(&out[..length], expected, "{positions:?}");
            assert!(Positions::new(expected, count).eq(positions.iter().copied()));
        }
    }

    #[test]
    fn what_is_no_code_is_refused() {
        for (bytes, count, fault) in [
            (&[0x80][..], 1, Fault::Truncated),
            (&[], 1, Fault::Truncated),
            (&[0, 0, 0], 1, Fault::Truncated),
            // Position 65,536.
            (&[0x20, 0x00, 0x00], 1, Fault::OutOfRange),
            (&[0x80, 0x03, 0x00, 0x05], 2, Fault::Rest),
        ] {
            assert_eq!(
                Positions::new(bytes, count).finish(),
                Err(fault),
                "{bytes:?}"
            );
        }
        let rest = Positions::new(&[0x80, 0x05, 0x77], 1).finish();
        assert_eq!(rest, Ok(&[0x77][..]));
        assert_eq!(encode([3, 3].into_iter(), 2, &mut [0; 8]), None);
        assert_eq!(encode([3].into_iter(), 2, &mut [0; 8]), None);
        assert_eq!(encode([3, 4].into_iter(), 1, &mut [0; 8]), None);
        assert_eq!(encode([3, 4].into_iter(), 2, &mut [0; 3]), None);
    }
}
