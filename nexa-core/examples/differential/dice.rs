//! Choices that are the same for the same seed.

use rand_core::Rng as _;

use crate::seeded::Seeded;

pub(crate) struct Dice(Seeded);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Seeded::new(seed))
    }

    /// Below `count`, and 0 for none.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let drawn = u64::from(self.0.next_u32()) * count as u64;
        (drawn >> 32) as usize
    }

    /// From `first` to `last`, both included.
    pub(crate) fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below((last - first + 1) as usize) as u64
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        let index = self.below(of.len());
        of.get(index).cloned().expect("below the length")
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// A word of up to `most` characters, of any of several alphabets.
    pub(crate) fn word(&mut self, most: usize) -> String {
        const ALPHABETS: [&[char]; 4] = [
            &['a', 'b', 'c', 'x', 'y', 'z', '0', '9', '-', '_', '.', ' '],
            &['é', 'ß', 'ü', 'ž', 'İ', 'ı', 'K', 'ſ', '\u{301}'],
            &[
                '中', '文', '\u{feff}', '\u{200b}', '\u{202e}', '\u{a0}', '\u{ffff}',
            ],
            &[
                '🚀',
                '👩',
                '\u{1f3fd}',
                '\u{10ffff}',
                '"',
                '\\',
                '/',
                '\u{7f}',
                '\u{1}',
                '\0',
            ],
        ];
        let kinds = match self.chance(70) {
            true => 1,
            false => ALPHABETS.len(),
        };
        (0..=self.below(most))
            .map(|_| {
                let alphabet = self.below(kinds);
                self.pick(ALPHABETS.get(alphabet).expect("below the length"))
            })
            .collect()
    }
}
