//! A strict reader of small JSON documents (RFC 8259): one pass, no heap, strings unescaped in place.
//!
//! Everything that two readers could understand differently is refused: duplicate members (compared after
//! unescaping), lone surrogates, a byte-order mark, trailing data, invalid UTF-8, numbers past 2^53. Depth,
//! members and values are bounded, so the cost of a document is too.

mod parser;
mod value;

use parser::Parser;
pub(crate) use value::{Elements, Members, Node, Object, Value};

/// Reads the whole of `text`, which may use at most `nodes.len()` values and names, and returns its root.
pub(crate) fn parse<'b>(
    text: &'b mut [u8],
    nodes: &'b mut [Node],
    max_members: u16,
) -> Result<Value<'b>, JsonFault> {
    if text.starts_with(b"\xef\xbb\xbf") {
        return Err(JsonFault::ByteOrderMark);
    }
    if core::str::from_utf8(text).is_err() {
        return Err(JsonFault::Utf8);
    }
    if text.len() > usize::from(u16::MAX) {
        return Err(JsonFault::TooLarge);
    }
    let mut parser = Parser::new(text, nodes, max_members);
    parser.document()?;
    Ok(parser.into_root())
}

/// How a JSON document broke the rules.
///
/// How much is read, where member names count as values too:
///
/// | document | bytes | values | members of an object | nested |
/// |---|---|---|---|---|
/// | header of a token | 512 | 64 | 16 | 4 |
/// | payload of a token | what fits a token of 4,096 | 512 | 64 | 4 |
/// | key set | 8,192 | 512 | 64 | 4 |
/// | entry of a revocation list | 1,024 | 64 | 16 | 4 |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonFault {
    /// The bytes are not UTF-8.
    Utf8,
    /// The document starts with a byte-order mark.
    ByteOrderMark,
    /// The grammar of RFC 8259 is broken.
    Syntax,
    /// Something other than white space follows the document.
    TrailingData,
    /// An object names a member twice; names are compared after unescaping.
    DuplicateMember,
    /// A `\u` escape stands for half of a surrogate pair.
    LoneSurrogate,
    /// Arrays and objects are nested more than four deep.
    TooDeep,
    /// An object has more members than are read: 16 in a header, 64 elsewhere.
    TooManyMembers,
    /// The document has more values or bytes than are read: 64 and 512 in a header, 512 values elsewhere.
    TooLarge,
    /// A number is 2^53 or more from zero.
    NumberRange,
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::{String, ToString};
    use std::vec;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::parser::plain_length;
    use super::value::Kind;
    use super::*;

    fn read<T>(text: &[u8], look: impl FnOnce(Value<'_>) -> T) -> Result<T, JsonFault> {
        let mut text = text.to_vec();
        let mut nodes = vec![Node::EMPTY; 512];
        parse(&mut text, &mut nodes, 64).map(look)
    }

    #[test]
    fn documents_that_are_read() {
        for text in [
            "null",
            "true",
            "false",
            "0",
            "-0",
            "-1",
            "1.5",
            "1e3",
            "1E+3",
            "1e-3",
            "\"\"",
            "[]",
            "{}",
            " [ 1 , 2 ] ",
            "{\"a\":{\"b\":[{}]}}",
            "[[[[]]]]",
            "\t\n\r 1 \t\n\r",
            "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
            "\"\u{7f}\u{10ffff}\"",
            "9007199254740991",
            "-9007199254740991",
            "9007199254740991.9",
            "0e99999999999999999999",
            "900719925474099.1e1",
            "0.00000000000000000001e30",
            "1e-400",
            "90071992547409910e-1",
        ] {
            assert_eq!(read(text.as_bytes(), |_| ()), Ok(()), "{text}");
        }
    }

    #[test]
    fn documents_that_are_refused() {
        use JsonFault::*;
        let members = |count: usize| {
            let members: Vec<_> = (0..count).map(|n| std::format!("\"{n}\":0")).collect();
            std::format!("{{{}}}", members.join(","))
        };
        for (text, fault) in [
            ("", Syntax),
            (" ", Syntax),
            ("nul", Syntax),
            ("True", Syntax),
            ("NaN", Syntax),
            ("Infinity", Syntax),
            ("-", Syntax),
            ("-a", Syntax),
            ("+1", Syntax),
            ("01", Syntax),
            ("-01", Syntax),
            ("1.", Syntax),
            (".1", Syntax),
            ("1.e1", Syntax),
            ("1e", Syntax),
            ("1e+", Syntax),
            ("0x1", TrailingData),
            ("1_0", TrailingData),
            ("1 2", TrailingData),
            ("[]]", TrailingData),
            ("null,", TrailingData),
            ("\"a\"b", TrailingData),
            ("1\u{a0}", TrailingData),
            ("\u{a0}1", Syntax),
            ("\u{b}1", Syntax),
            ("\"", Syntax),
            ("\"\\\"", Syntax),
            ("\"\n\"", Syntax),
            ("\"\0\"", Syntax),
            ("\"1234567\u{1f}\"", Syntax),
            ("\"\\a\"", Syntax),
            ("\"\\U0041\"", Syntax),
            ("\"\\u004\"", Syntax),
            ("\"\\u004g\"", Syntax),
            ("\"\\u+041\"", Syntax),
            ("\"\\u", Syntax),
            ("\"\\x41\"", Syntax),
            ("'a'", Syntax),
            ("[", Syntax),
            ("[1", Syntax),
            ("[1,", Syntax),
            ("[1,]", Syntax),
            ("[,1]", Syntax),
            ("[1 2]", Syntax),
            ("{", Syntax),
            ("{\"a\"", Syntax),
            ("{\"a\":", Syntax),
            ("{\"a\":1", Syntax),
            ("{\"a\":1,}", Syntax),
            ("{a:1}", Syntax),
            ("{1:1}", Syntax),
            ("{\"a\" 1}", Syntax),
            ("{\"a\":1 \"b\":2}", Syntax),
            ("[1}", Syntax),
            ("// c\n1", Syntax),
            ("\u{feff}1", ByteOrderMark),
            ("\u{feff}", ByteOrderMark),
            ("\"\\ud800\"", LoneSurrogate),
            ("\"\\udc00\"", LoneSurrogate),
            ("\"\\ud800\\ud800\"", LoneSurrogate),
            ("\"\\ud800x\"", LoneSurrogate),
            ("\"\\ud800\\n\"", LoneSurrogate),
            ("\"\\udbff\\ue000\"", LoneSurrogate),
            ("{\"a\":1,\"a\":1}", DuplicateMember),
            ("{\"a\":1,\"b\":{},\"\\u0061\":1}", DuplicateMember),
            ("{\"\\u0061\":[1,{\"x\":2}],\"a\":1}", DuplicateMember),
            ("{\"\":1,\"\":1}", DuplicateMember),
            ("{\"\\ud83d\\ude00\":1,\"\u{1f600}\":1}", DuplicateMember),
            ("[{\"a\":[{\"b\":1,\"b\":2}]}]", DuplicateMember),
            ("[[[[[]]]]]", TooDeep),
            ("{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}", TooDeep),
            ("9007199254740992", NumberRange),
            ("-9007199254740992", NumberRange),
            ("9007199254740992.0", NumberRange),
            ("99999999999999999999999999999", NumberRange),
            ("1e16", NumberRange),
            ("0.1e17", NumberRange),
            ("900719925474099.2e1", NumberRange),
            ("1e99999999999999999999", NumberRange),
            (&members(65), TooManyMembers),
            (&std::format!("[{}0]", "0,".repeat(511)), TooLarge),
            (&std::format!("\"{}\"", "a".repeat(65_534)), TooLarge),
        ] {
            assert_eq!(read(text.as_bytes(), |_| ()), Err(fault), "{text}");
        }
        assert_eq!(read(members(64).as_bytes(), |_| ()), Ok(()));
        assert_eq!(
            read(std::format!("[{}0]", "0,".repeat(510)).as_bytes(), |_| ()),
            Ok(())
        );
        for text in [
            &b"\"\xff\""[..],
            b"\"\xc0\x80\"",
            b"\"\xed\xa0\x80\"",
            b"\xff",
        ] {
            assert_eq!(read(text, |_| ()), Err(Utf8));
        }
    }

    #[test]
    fn values_have_one_type() {
        let text = br#"{"s":"a\tb","i":7,"n":-7,"f":7.0,"z":-0,"t":true,"0":null,"a":[1,"x"],"o":{"k":"v"}}"#;
        read(text, |root| {
            let object = root.as_object().unwrap();
            let names: Vec<_> = object.members().map(|(name, _)| name).collect();
            assert_eq!(names, ["s", "i", "n", "f", "z", "t", "0", "a", "o"]);
            let strings = ["a\tb"];
            for (name, value) in object.members() {
                assert_eq!(
                    value.as_str(),
                    (name == "s").then_some(strings[0]),
                    "{name}"
                );
                assert_eq!(value.as_integer(), (name == "i").then_some(7), "{name}");
                assert_eq!(value.as_bool(), (name == "t").then_some(true), "{name}");
                assert_eq!(value.as_array().is_some(), name == "a", "{name}");
                assert_eq!(value.as_object().is_some(), name == "o", "{name}");
            }
            let inner = object.get("o").unwrap().as_object().unwrap();
            assert_eq!(inner.get("k").unwrap().as_str(), Some("v"));
            // A value is never taken for a name.
            assert!(inner.get("v").is_none() && object.get("k").is_none());
        })
        .unwrap();
    }

    /// The same facts as a plain tree, or nothing if the values differ.
    fn same(ours: Value<'_>, theirs: &serde_json::Value) -> bool {
        match theirs {
            serde_json::Value::Null => ours.node().unwrap().kind == Kind::Null,
            serde_json::Value::Bool(value) => ours.as_bool() == Some(*value),
            serde_json::Value::Number(number) => match number.as_u64() {
                Some(value) => ours.as_integer() == Some(value),
                None => ours.as_integer().is_none(),
            },
            serde_json::Value::String(text) => ours.as_str() == Some(text),
            serde_json::Value::Array(values) => {
                let elements: Vec<_> = ours.as_array().unwrap().collect();
                elements.len() == values.len()
                    && elements.iter().zip(values).all(|(a, b)| same(*a, b))
            }
            serde_json::Value::Object(map) => {
                let object = ours.as_object().unwrap();
                object.members().count() == map.len()
                    && map.iter().all(|(k, v)| same(object.get(k).unwrap(), v))
            }
        }
    }

    fn tree() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(serde_json::Value::from),
            (-((1_i64 << 53) - 1)..1 << 53).prop_map(serde_json::Value::from),
            any::<String>().prop_map(serde_json::Value::from),
            "[\\x00-\\x1f\"\\\\/\u{e9}\u{1f600}]{0,12}".prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(3, 60, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// Text that is nearly JSON, so that both readers are taken far.
    fn nearly_json() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("{"),
            Just("}"),
            Just("["),
            Just("]"),
            Just(":"),
            Just(","),
            Just("\"a\""),
            Just("\"b\""),
            Just("\"\\u0061\""),
            Just("\"\\ud83d\\ude00\""),
            Just("\"\\ud83d\""),
            Just("0"),
            Just("-1"),
            Just("1.5"),
            Just("1e3"),
            Just("01"),
            Just("9007199254740992"),
            Just("true"),
            Just("null"),
            Just(" "),
            Just("\n"),
            Just("\\"),
            Just("\""),
            Just("\u{e9}"),
        ];
        prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
    }

    /// Whether the other reader takes the text: where it is laxer or stricter by design, `None`.
    fn oracle(text: &[u8], ours: Result<(), JsonFault>) -> Option<bool> {
        match ours {
            // Rules of our own, on top of the grammar; the other reader has no opinion.
            Err(
                JsonFault::DuplicateMember
                | JsonFault::TooDeep
                | JsonFault::TooManyMembers
                | JsonFault::TooLarge
                | JsonFault::NumberRange,
            ) => None,
            Ok(())
            | Err(
                JsonFault::Utf8
                | JsonFault::ByteOrderMark
                | JsonFault::Syntax
                | JsonFault::TrailingData
                | JsonFault::LoneSurrogate,
            ) => Some(serde_json::from_slice::<serde_json::Value>(text).is_ok()),
        }
    }

    proptest! {
        #[test]
        fn trees_come_back(tree in tree(), is_pretty in any::<bool>()) {
            let text = match is_pretty {
                true => serde_json::to_string_pretty(&tree).unwrap(),
                false => tree.to_string(),
            };
            prop_assert_eq!(read(text.as_bytes(), |root| same(root, &tree)), Ok(true), "{}", text);
        }

        #[test]
        fn validity_agrees_with_serde_json(text in nearly_json()) {
            let ours = read(text.as_bytes(), |_| ());
            if let Some(theirs) = oracle(text.as_bytes(), ours) {
                prop_assert_eq!(ours.is_ok(), theirs, "{:?}", ours);
            }
        }

        #[test]
        fn damaged_documents_agree_with_serde_json(tree in tree(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut text = tree.to_string().into_bytes();
            let at = at.index(text.len());
            text[at] = byte;
            let ours = read(&text, |_| ());
            if let Some(theirs) = oracle(&text, ours) {
                prop_assert_eq!(ours.is_ok(), theirs, "{:?} {}", ours, String::from_utf8_lossy(&text));
            }
        }

        #[test]
        fn random_bytes_never_panic_and_agree(text in prop::collection::vec(any::<u8>(), 0..80)) {
            let ours = read(&text, |_| ());
            if let Some(theirs) = oracle(&text, ours) {
                prop_assert_eq!(ours.is_ok(), theirs, "{:?}", ours);
            }
        }

        #[test]
        fn numbers_are_bounded_exactly(whole in "0|[1-9][0-9]{0,17}", fraction in "[0-9]{0,20}", exponent in -25..25_i32) {
            // Exact: the digits as an integer, compared with 2^53 after moving the decimal point.
            let mantissa: u128 = (whole.clone() + &fraction).parse().unwrap();
            let shift = exponent - i32::try_from(fraction.len()).unwrap();
            let power = 10_u128.checked_pow(shift.unsigned_abs());
            let is_below = match (shift >= 0, power) {
                (true, Some(power)) => mantissa.checked_mul(power).is_some_and(|value| value < 1 << 53),
                (true, None) => mantissa == 0,
                (false, Some(power)) => mantissa / power < 1 << 53,
                (false, None) => true,
            };
            let text = match fraction.is_empty() {
                true => std::format!("{whole}e{exponent}"),
                false => std::format!("{whole}.{fraction}e{exponent}"),
            };
            let ours = read(text.as_bytes(), |_| ());
            prop_assert_eq!(ours, if is_below { Ok(()) } else { Err(JsonFault::NumberRange) }, "{}", text);
        }

        #[test]
        fn plain_length_agrees_with_a_slow_one(text in prop::collection::vec(prop_oneof![Just(b'a'), any::<u8>(), Just(b' ')], 0..40)) {
            let is_plain = |b: &u8| !matches!(b, b'"' | b'\\' | 0..=0x1f);
            let slow = text.iter().take_while(|b| is_plain(b)).count();
            let fast = plain_length(&text);
            // The fast one may leave the last few bytes, which do not fill a word, to the caller.
            prop_assert!(fast == slow || (fast < slow && text.len() - fast < 8), "{} {}", fast, slow);
        }
    }

    #[test]
    fn plain_strings_are_not_moved() {
        let text = std::format!("\"{}\"", "abcdefgh\u{e9}".repeat(20));
        let found = read(text.as_bytes(), |root| {
            root.as_str().map(ToString::to_string)
        });
        assert_eq!(found, Ok(Some("abcdefgh\u{e9}".repeat(20))));
    }
}
