//! The id of a key as `/v1/api-keys` writes it: `key_` and the 16 bytes of its UUID in base32.

use std::borrow::Cow;

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Deserializer, de};

use super::super::wire::ListedId;
use crate::domain::Error;

const PREFIX: &str = "key_";

/// Writes an id: `key_` and 26 characters of lower-case base32 (RFC 4648 §6, without padding).
///
/// # Errors
/// `Fault` for an id that is no UUID: none of ours is.
pub(crate) fn written(id: &str) -> Result<String, Error> {
    let bytes = uuid_bytes(id).ok_or_else(|| Error::Fault(format!("the id {id:?} is no UUID")))?;
    let mut text = BASE32_NOPAD.encode(&bytes);
    text.make_ascii_lowercase();
    text.insert_str(0, PREFIX);
    Ok(text)
}

/// Reads an id; `None` for any other spelling than [`written`] makes, so that every key has one id.
pub(super) fn read(text: &str) -> Option<String> {
    let digits = text.strip_prefix(PREFIX)?;
    if digits.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let bytes = BASE32_NOPAD.decode(digits.to_ascii_uppercase().as_bytes());
    let bytes: [u8; 16] = bytes.ok()?.try_into().ok()?;
    Some(uuid_text(bytes))
}

/// Reads the id of a key in a query.
pub(super) fn listed<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<ListedId>, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    let id = read(&text).ok_or_else(|| de::Error::custom("is not the id of a key"))?;
    ListedId::try_from(id).map(Some).map_err(de::Error::custom)
}

/// Hexadecimal digits before each hyphen of a UUID and after the last one (RFC 9562 §4).
const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

fn uuid_bytes(id: &str) -> Option<[u8; 16]> {
    let number = u128::from_str_radix(&id.replace('-', ""), 16).ok()?;
    let bytes = number.to_be_bytes();
    (uuid_text(bytes) == id).then_some(bytes)
}

fn uuid_text(bytes: [u8; 16]) -> String {
    let digits = format!("{:032x}", u128::from_be_bytes(bytes));
    let mut rest = digits.chars();
    GROUPS
        .map(|length| rest.by_ref().take(length).collect::<String>())
        .join("-")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_has_one_written_form() {
        // RFC 4648 §10: base32 of "foobar" begins with mzxw6ytboi.
        let id = "666f6f62-6172-0000-0000-000000000000";
        let shown = written(id).unwrap();
        assert_eq!(shown, "key_mzxw6ytboiaaaaaaaaaaaaaaaa");
        assert_eq!(read(&shown).as_deref(), Some(id));
        for other in [
            "key_MZXW6YTBOIAAAAAAAAAAAAAAAA",
            "key_mzxw6ytboiaaaaaaaaaaaaaaab",
            "key_mzxw6ytboiaaaaaaaaaaaaaaaa======",
            "key_mzxw6ytboiaaaaaaaaaaaaaaa",
            "key_mzxw6ytboiaaaaaaaaaaaaaaaaa",
            "key_mzxw6ytbo1aaaaaaaaaaaaaaaa",
            "KEY_mzxw6ytboiaaaaaaaaaaaaaaaa",
            "mzxw6ytboiaaaaaaaaaaaaaaaa",
            "key_",
            "",
            id,
        ] {
            assert_eq!(read(other), None, "{other:?}");
        }
    }

    #[test]
    fn what_is_no_uuid_is_our_fault() {
        for id in [
            "",
            "other",
            "666F6F62-6172-0000-0000-000000000000",
            "666f6f62617200000000000000000000",
            "+66f6f62-6172-0000-0000-000000000000",
        ] {
            assert!(matches!(written(id), Err(Error::Fault(_))), "{id:?}");
        }
    }

    proptest! {
        #[test]
        fn ids_come_back(bytes in any::<[u8; 16]>()) {
            let id = uuid_text(bytes);
            let shown = written(&id).unwrap();
            prop_assert_eq!(shown.len(), 30);
            prop_assert_eq!(read(&shown), Some(id));
        }
    }
}
