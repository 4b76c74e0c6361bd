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
