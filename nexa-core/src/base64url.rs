//! Base64url without padding (RFC 4648 §5), in exactly one spelling per byte string.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Decodes `segment` into the front of `buffer` and returns the decoded bytes and the unused rest.
///
/// `buffer` must hold three bytes for every started group of four characters; with less room the answer is
/// [`Base64Fault::Length`].
pub(crate) fn decode<'b>(
    segment: &[u8],
    buffer: &'b mut [u8],
) -> Result<(&'b mut [u8], &'b mut [u8]), Base64Fault> {
    let length = URL_SAFE_NO_PAD
        .decode_slice(segment, buffer)
        .map_err(|_| fault(segment))?;
    buffer
        .split_at_mut_checked(length)
        .ok_or(Base64Fault::Length)
}

/// Decodes exactly `N` bytes, `N` ≤ 45.
pub(crate) fn decode_exact<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != (N * 4).div_ceil(3) {
        return None;
    }
    let mut buffer = [0; 48];
    let (bytes, _) = decode(text.as_bytes(), &mut buffer).ok()?;
    <[u8; N]>::try_from(&*bytes).ok()
}

/// The 43 characters of 32 bytes: a public key's `x`, a thumbprint.
pub(crate) fn encode_32(bytes: &[u8; 32]) -> [u8; 43] {
    let mut text = [0; 43];
    let length = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
    debug_assert!(matches!(length, Ok(43)));
    text
}

/// Appends the encoding of `bytes` to `text`.
#[cfg(feature = "issue")]
pub(crate) fn encode_into(bytes: &[u8], text: &mut alloc::string::String) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

/// How a base64url text broke RFC 4648 §5 as RFC 7515 §2 uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Base64Fault {
    /// There is padding (`=`).
    Padding,
    /// There is a character outside `A–Z a–z 0–9 - _`.
    Alphabet,
    /// The length leaves a lone character that stands for no byte.
    Length,
    /// The last character has bits set that belong to no byte: a second spelling of the same bytes.
    TrailingBits,
}

/// Which fault a text that failed to decode is reported for: padding, then alphabet, then length, then bits.
#[cold]
fn fault(segment: &[u8]) -> Base64Fault {
    if segment.contains(&b'=') {
        Base64Fault::Padding
    } else if !segment
        .iter()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    {
        Base64Fault::Alphabet
    } else if segment.len() % 4 == 1 {
        Base64Fault::Length
    } else {
        Base64Fault::TrailingBits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_per_byte_string() {
        let check = |text: &str, expected: Result<&[u8], Base64Fault>| {
            let mut buffer = [0; 12];
            let found = decode(text.as_bytes(), &mut buffer).map(|(bytes, _)| &*bytes);
            assert_eq!(found, expected, "{text}");
        };
        check("", Ok(b""));
        check("Zg", Ok(b"f"));
        check("Zm8", Ok(b"fo"));
        check("Zm9v", Ok(b"foo"));
        check("-_8", Ok(&[0xfb, 0xff]));
        check("Zg==", Err(Base64Fault::Padding));
        check("Z=g+", Err(Base64Fault::Padding));
        check("=", Err(Base64Fault::Padding));
        check("+/8", Err(Base64Fault::Alphabet));
        check("Zm9v\n", Err(Base64Fault::Alphabet));
        check("Zm9vé", Err(Base64Fault::Alphabet));
        check("Z", Err(Base64Fault::Length));
        check("Zm9vY", Err(Base64Fault::Length));
        check("Zh", Err(Base64Fault::TrailingBits));
        check("Zm9", Err(Base64Fault::TrailingBits));
    }

    #[test]
    fn every_last_character_but_the_canonical_one_is_refused() {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        for (prefix, accepted) in [("Z", 4), ("Zm", 16)] {
            let count = alphabet
                .iter()
                .filter(|last| {
                    let mut text = prefix.as_bytes().to_vec();
                    text.push(**last);
                    decode(&text, &mut [0; 3]).is_ok()
                })
                .count();
            assert_eq!(count, accepted);
        }
    }

    #[test]
    fn exact_lengths() {
        assert_eq!(decode_exact::<2>("-_8"), Some([0xfb, 0xff]));
        assert_eq!(decode_exact::<2>("-_8A"), None);
        assert_eq!(decode_exact::<3>("-_8"), None);
        let text = encode_32(&[0xab; 32]);
        let text = core::str::from_utf8(&text).unwrap();
        assert_eq!(decode_exact::<32>(text), Some([0xab; 32]));
    }
}
