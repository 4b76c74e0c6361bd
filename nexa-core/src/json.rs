//! A strict reader of small JSON documents (RFC 8259): one pass, no heap, strings unescaped in place.
//!
//! Everything that two readers could understand differently is refused: duplicate members (compared after
//! unescaping), lone surrogates, a byte-order mark, trailing data, invalid UTF-8, numbers past 2^53. Depth,
//! members and values are bounded, so the cost of a document is too.

/// The deepest nesting of arrays and objects that is read.
const MAX_DEPTH: u8 = 4;

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
    let mut parser = Parser {
        text,
        at: 0,
        nodes,
        used: 0,
        max_members,
    };
    parser.skip_space();
    parser.value(0)?;
    parser.skip_space();
    if parser.at != parser.text.len() {
        return Err(JsonFault::TrailingData);
    }
    Ok(Value {
        text: parser.text,
        nodes: parser.nodes,
        index: 0,
    })
}

/// How a JSON document broke the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// An object has more members than are read.
    TooManyMembers,
    /// The document has more values or bytes than are read.
    TooLarge,
    /// A number is 2^53 or more from zero.
    NumberRange,
}

/// One value or member name. A document is a run of nodes in reading order; `next` skips what is nested.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    kind: Kind,
    /// For strings and names the unescaped text, for numbers the token.
    start: u16,
    end: u16,
    next: u16,
}

impl Node {
    pub(crate) const EMPTY: Self = Self {
        kind: Kind::Null,
        start: 0,
        end: 0,
        next: 0,
    };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Null,
    True,
    False,
    Integer,
    /// A number that is not written as an integer, and `-0`, which readers see differently.
    Fraction,
    String,
    Array,
    Object,
}

/// A value of a document that was read.
#[derive(Clone, Copy)]
pub(crate) struct Value<'b> {
    text: &'b [u8],
    nodes: &'b [Node],
    index: u16,
}

impl<'b> Value<'b> {
    pub(crate) fn as_str(&self) -> Option<&'b str> {
        let node = self.node()?;
        match node.kind {
            Kind::String => core::str::from_utf8(self.slice(node)?).ok(),
            Kind::Null
            | Kind::True
            | Kind::False
            | Kind::Integer
            | Kind::Fraction
            | Kind::Array
            | Kind::Object => None,
        }
    }

    /// A number written as an integer, not negative; the reader made sure that it is below 2^53.
    pub(crate) fn as_integer(&self) -> Option<u64> {
        let node = self.node()?;
        if node.kind != Kind::Integer {
            return None;
        }
        self.slice(node)?.iter().try_fold(0_u64, |sum, b| {
            // A minus sign is not a digit: negative numbers end here.
            let digit = b.is_ascii_digit().then(|| u64::from(b - b'0'))?;
            Some(sum * 10 + digit)
        })
    }

    pub(crate) fn as_bool(&self) -> Option<bool> {
        match self.node()?.kind {
            Kind::True => Some(true),
            Kind::False => Some(false),
            Kind::Null
            | Kind::Integer
            | Kind::Fraction
            | Kind::String
            | Kind::Array
            | Kind::Object => None,
        }
    }

    pub(crate) fn as_array(&self) -> Option<Elements<'b>> {
        (self.node()?.kind == Kind::Array).then(|| self.nested())
    }

    pub(crate) fn as_object(&self) -> Option<Object<'b>> {
        (self.node()?.kind == Kind::Object).then(|| Object(self.nested()))
    }

    fn node(&self) -> Option<Node> {
        self.nodes.get(usize::from(self.index)).copied()
    }

    fn slice(&self, node: Node) -> Option<&'b [u8]> {
        self.text
            .get(usize::from(node.start)..usize::from(node.end))
    }

    fn nested(&self) -> Elements<'b> {
        Elements {
            parent: *self,
            next: self.index + 1,
            end: self.node().map_or(0, |node| node.next),
        }
    }
}

/// The values inside an array, in order.
#[derive(Clone, Copy)]
pub(crate) struct Elements<'b> {
    parent: Value<'b>,
    next: u16,
    end: u16,
}

impl<'b> Iterator for Elements<'b> {
    type Item = Value<'b>;

    fn next(&mut self) -> Option<Value<'b>> {
        if self.next >= self.end {
            return None;
        }
        let value = Value {
            index: self.next,
            ..self.parent
        };
        self.next = value.node()?.next;
        Some(value)
    }
}

/// The members of an object: names and values alternate.
#[derive(Clone, Copy)]
pub(crate) struct Object<'b>(Elements<'b>);

impl<'b> Object<'b> {
    pub(crate) fn get(&self, name: &str) -> Option<Value<'b>> {
        let mut nodes = self.0;
        loop {
            let found = nodes.next()?;
            let value = nodes.next()?;
            if found.slice(found.node()?)? == name.as_bytes() {
                return Some(value);
            }
        }
    }

    pub(crate) fn members(&self) -> Members<'b> {
        Members(self.0)
    }
}

/// The members of an object as (name, value), in order.
#[derive(Clone, Copy)]
pub(crate) struct Members<'b>(Elements<'b>);

impl<'b> Iterator for Members<'b> {
    type Item = (&'b str, Value<'b>);

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.0.next()?.as_str()?;
        Some((name, self.0.next()?))
    }
}

struct Parser<'b> {
    text: &'b mut [u8],
    at: usize,
    nodes: &'b mut [Node],
    used: usize,
    max_members: u16,
}

impl Parser<'_> {
    /// Reads one value and its nested ones into nodes. `depth` counts the containers around it.
    fn value(&mut self, depth: u8) -> Result<(), JsonFault> {
        let index = self.claim_node()?;
        let start = self.at;
        let (kind, start, end) = match self.peek() {
            Some(b'"') => {
                let (start, end) = self.string()?;
                (Kind::String, start, end)
            }
            Some(b'{') => {
                self.object(depth, index)?;
                (Kind::Object, start, start)
            }
            Some(b'[') => {
                self.array(depth)?;
                (Kind::Array, start, start)
            }
            Some(b'-' | b'0'..=b'9') => (self.number()?, start, self.at),
            Some(b't') => (self.word(b"true", Kind::True)?, start, start),
            Some(b'f') => (self.word(b"false", Kind::False)?, start, start),
            Some(b'n') => (self.word(b"null", Kind::Null)?, start, start),
            _ => return Err(JsonFault::Syntax),
        };
        self.fill_node(index, kind, start, end)
    }

    fn object(&mut self, depth: u8, index: usize) -> Result<(), JsonFault> {
        self.enter(depth)?;
        if self.take(b'}') {
            return Ok(());
        }
        for _ in 0..self.max_members {
            let name = self.claim_node()?;
            if self.peek() != Some(b'"') {
                return Err(JsonFault::Syntax);
            }
            let (start, end) = self.string()?;
            self.fill_node(name, Kind::String, start, end)?;
            if self.is_named_before(index, name) {
                return Err(JsonFault::DuplicateMember);
            }
            self.skip_space();
            if !self.take(b':') {
                return Err(JsonFault::Syntax);
            }
            self.skip_space();
            self.value(depth + 1)?;
            self.skip_space();
            if self.take(b'}') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(JsonFault::Syntax);
            }
            self.skip_space();
        }
        Err(JsonFault::TooManyMembers)
    }

    fn array(&mut self, depth: u8) -> Result<(), JsonFault> {
        self.enter(depth)?;
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            self.skip_space();
            if self.take(b']') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(JsonFault::Syntax);
            }
            self.skip_space();
        }
    }

    /// Steps over the opening bracket of a container that has `depth` containers around it.
    fn enter(&mut self, depth: u8) -> Result<(), JsonFault> {
        if depth >= MAX_DEPTH {
            return Err(JsonFault::TooDeep);
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    /// Whether the object at node `object` has an earlier member of the same name as node `name`.
    fn is_named_before(&self, object: usize, name: usize) -> bool {
        let text_of = |node: &Node| {
            self.text
                .get(usize::from(node.start)..usize::from(node.end))
        };
        let Some(wanted) = self.nodes.get(name).and_then(text_of) else {
            return false;
        };
        let mut at = object + 1;
        while at < name {
            let Some(earlier) = self.nodes.get(at) else {
                return false;
            };
            if text_of(earlier) == Some(wanted) {
                return true;
            }
            at = self
                .nodes
                .get(at + 1)
                .map_or(name, |value| usize::from(value.next));
        }
        false
    }

    /// Reads a string that starts at its quote, unescapes it in place, and returns where its text is.
    fn string(&mut self) -> Result<(usize, usize), JsonFault> {
        self.at += 1;
        let start = self.at;
        self.at += plain_length(self.text.get(start..).unwrap_or_default());
        let mut end = self.at;
        loop {
            let byte = self.peek().ok_or(JsonFault::Syntax)?;
            self.at += 1;
            match byte {
                b'"' => return Ok((start, end)),
                b'\\' => {
                    let character = self.escape()?;
                    let mut utf8 = [0; 4];
                    for byte in character.encode_utf8(&mut utf8).bytes() {
                        self.put(&mut end, byte);
                    }
                }
                0..=0x1f => return Err(JsonFault::Syntax),
                _ => self.put(&mut end, byte),
            }
        }
    }

    /// Writes one byte of an unescaped string. An escape is never shorter than what it stands for, so `end`
    /// stays behind the reading position.
    fn put(&mut self, end: &mut usize, byte: u8) {
        if let Some(slot) = self.text.get_mut(*end) {
            *slot = byte;
            *end += 1;
        }
    }

    fn escape(&mut self) -> Result<char, JsonFault> {
        let byte = self.peek().ok_or(JsonFault::Syntax)?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex4()?;
                let code = match first {
                    0xd800..=0xdbff => {
                        if !(self.take(b'\\') && self.take(b'u')) {
                            return Err(JsonFault::LoneSurrogate);
                        }
                        let second = self.hex4()?;
                        if !(0xdc00..=0xdfff).contains(&second) {
                            return Err(JsonFault::LoneSurrogate);
                        }
                        0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                    }
                    _ => first,
                };
                char::from_u32(code).ok_or(JsonFault::LoneSurrogate)?
            }
            _ => return Err(JsonFault::Syntax),
        })
    }

    fn hex4(&mut self) -> Result<u32, JsonFault> {
        let digits = self
            .text
            .get(self.at..self.at + 4)
            .ok_or(JsonFault::Syntax)?;
        self.at += 4;
        digits.iter().try_fold(0, |sum, b| {
            let digit = char::from(*b).to_digit(16).ok_or(JsonFault::Syntax)?;
            Ok(sum * 16 + digit)
        })
    }

    fn number(&mut self) -> Result<Kind, JsonFault> {
        let is_negative = self.take(b'-');
        let whole_start = self.at;
        self.digits()?;
        let whole_end = self.at;
        if whole_end - whole_start > 1 && self.text.get(whole_start) == Some(&b'0') {
            return Err(JsonFault::Syntax);
        }
        let has_fraction = self.take(b'.');
        if has_fraction {
            self.digits()?;
        }
        let fraction_end = self.at;
        let mut exponent = 0_i64;
        let has_exponent = self.take(b'e') || self.take(b'E');
        if has_exponent {
            let is_exponent_negative = self.take(b'-');
            if !is_exponent_negative {
                self.take(b'+');
            }
            let start = self.at;
            self.digits()?;
            for digit in self.text.get(start..self.at).unwrap_or_default() {
                // Past any use already; a longer exponent changes nothing.
                exponent = (exponent * 10 + i64::from(digit - b'0')).min(1_000_000);
            }
            if is_exponent_negative {
                exponent = -exponent;
            }
        }
        let whole = self.text.get(whole_start..whole_end).unwrap_or_default();
        let fraction = match has_fraction {
            true => self.text.get(whole_end + 1..fraction_end),
            false => None,
        };
        if !is_below_2_pow_53(whole, fraction.unwrap_or_default(), exponent) {
            return Err(JsonFault::NumberRange);
        }
        let is_minus_zero = is_negative && whole == b"0";
        Ok(if has_fraction || has_exponent || is_minus_zero {
            Kind::Fraction
        } else {
            Kind::Integer
        })
    }

    /// Steps over one or more digits.
    fn digits(&mut self) -> Result<(), JsonFault> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        match self.at == start {
            true => Err(JsonFault::Syntax),
            false => Ok(()),
        }
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Result<Kind, JsonFault> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(JsonFault::Syntax);
        }
        self.at += word.len();
        Ok(kind)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn claim_node(&mut self) -> Result<usize, JsonFault> {
        let index = self.used;
        if index >= self.nodes.len() || index >= usize::from(u16::MAX) {
            return Err(JsonFault::TooLarge);
        }
        self.used += 1;
        Ok(index)
    }

    fn fill_node(
        &mut self,
        index: usize,
        kind: Kind,
        start: usize,
        end: usize,
    ) -> Result<(), JsonFault> {
        let short = |position: usize| u16::try_from(position).map_err(|_| JsonFault::TooLarge);
        let filled = Node {
            kind,
            start: short(start)?,
            end: short(end)?,
            next: short(self.used)?,
        };
        *self.nodes.get_mut(index).ok_or(JsonFault::TooLarge)? = filled;
        Ok(())
    }
}

/// How many bytes at the front of `text` are neither a quote, a backslash nor a control character.
fn plain_length(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    // A byte is zero exactly if its high bit is set here, up to false alarms behind a true one.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut length = 0;
    let mut rest = text;
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        let quotes = zeros(word ^ (ONES * u64::from(b'"')));
        let backslashes = zeros(word ^ (ONES * u64::from(b'\\')));
        let controls = zeros(word & (ONES * 0xe0));
        let stops = quotes | backslashes | controls;
        if stops != 0 {
            return length + (stops.trailing_zeros() / 8) as usize;
        }
        length += 8;
        rest = after;
    }
    length
}

/// Whether the decimal number `whole.fraction × 10^exponent` is below 2^53.
fn is_below_2_pow_53(whole: &[u8], fraction: &[u8], exponent: i64) -> bool {
    const LIMIT: u64 = 1 << 53;
    const LIMIT_DIGITS: i64 = 16;
    let mut digits = whole.iter().chain(fraction).map(|b| u64::from(b - b'0'));
    let leading_zeros = whole
        .iter()
        .chain(fraction)
        .take_while(|b| **b == b'0')
        .count();
    if leading_zeros == whole.len() + fraction.len() {
        return true;
    }
    // How many digits stand before the decimal point once the exponent is applied.
    let whole_digits = whole.len() as i64 - leading_zeros as i64 + exponent;
    if whole_digits != LIMIT_DIGITS {
        return whole_digits < LIMIT_DIGITS;
    }
    let mut value = 0;
    if leading_zeros > 0 {
        digits.nth(leading_zeros - 1);
    }
    for _ in 0..LIMIT_DIGITS {
        value = value * 10 + digits.next().unwrap_or(0);
    }
    value < LIMIT
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::{String, ToString};
    use std::vec;
    use std::vec::Vec;

    use proptest::prelude::*;

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
