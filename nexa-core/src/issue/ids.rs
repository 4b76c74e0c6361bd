//! The one maker of ids.

use alloc::string::String;

use rand_core::CryptoRng;

/// Largest value of the 48-bit time field: the year 10889.
const MAX_UNIX_MS: u64 = (1 << 48) - 1;

/// A version 7 UUID (RFC 9562 §5.7) in lower case: milliseconds since 1970 and 74 random bits.
///
/// Ids made in different milliseconds sort by time. Times beyond 48 bits (the year 10889) count as the last one.
///
/// ```
/// let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
/// let id = nexa_core::uuid_v7(1_645_557_742_000, &mut rng);
/// assert!(id.starts_with("017f22e2-79b0-7"));
/// assert_eq!(id.len(), 36);
/// ```
#[must_use]
pub fn uuid_v7<R: CryptoRng + ?Sized>(unix_ms: u64, rng: &mut R) -> String {
    let mut random = [0; 16];
    rng.fill_bytes(&mut random);
    uuid_v7_from(unix_ms, random)
}

/// As [`uuid_v7`], with the 74 bits taken from `bits`: for something that has bits of its own already, such as a hash,
/// and is to have the same id whenever it is asked for.
#[must_use]
pub fn uuid_v7_from(unix_ms: u64, bits: [u8; 16]) -> String {
    let bits = u128::from_be_bytes(bits);
    let time = u128::from(unix_ms.min(MAX_UNIX_MS)) << 80;
    let version = 0x7 << 76;
    let variant = 0b10 << 62;
    let bits_a = bits & (0xfff << 64);
    let bits_b = bits & ((1 << 62) - 1);
    hyphenated(time | version | bits_a | variant | bits_b)
}

fn hyphenated(value: u128) -> String {
    let mut text = String::with_capacity(36);
    for digit in 0..32_u32 {
        if matches!(digit, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        // Masked to four bits, so nothing is lost and the digit exists.
        let nibble = (value >> (124 - 4 * digit)) as u32 & 15;
        text.push(char::from_digit(nibble, 16).expect("a nibble is below 16"));
    }
    text
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::seeded::Seeded;

    /// The bits of RFC 9562, appendix A.6.
    #[test]
    fn value_of_the_rfc_is_written_alike() {
        assert_eq!(
            hyphenated(0x017F22E2_79B0_7CC3_98C4_DC0C0C07398F),
            "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
        );
    }

    proptest! {
        #[test]
        fn fields_stand_where_the_rfc_puts_them(unix_ms in any::<u64>(), seed in any::<u64>()) {
            let id = uuid_v7(unix_ms, &mut Seeded::new(seed));
            let parts: Vec<&str> = id.split('-').collect();
            prop_assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
            prop_assert!(id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-')));
            let time = u64::from_str_radix(&[parts[0], parts[1]].concat(), 16);
            prop_assert_eq!(time, Ok(unix_ms.min(MAX_UNIX_MS)));
            prop_assert!(parts[2].starts_with('7'));
            prop_assert!(parts[3].starts_with(['8', '9', 'a', 'b']));
        }

        #[test]
        fn ids_sort_by_time(earlier in 0..MAX_UNIX_MS, seed in any::<u64>()) {
            let mut rng = Seeded::new(seed);
            prop_assert!(uuid_v7(earlier, &mut rng) < uuid_v7(earlier + 1, &mut rng));
        }
    }

    #[test]
    fn all_74_random_bits_vary() {
        let mut rng = Seeded::new(7);
        let (mut ever_set, mut ever_clear) = (0_u128, 0_u128);
        for _ in 0..200 {
            let value = u128::from_str_radix(&uuid_v7(0, &mut rng).replace('-', ""), 16)
                .expect("hexadecimal");
            ever_set |= value;
            ever_clear |= !value;
        }
        assert_eq!((ever_set & ever_clear).count_ones(), 74);
    }
}
