//! The reader itself: strict grammar, bounded nesting, strings unescaped in place.

use super::JsonFault;
use super::value::{Kind, Node, Value};

/// The deepest nesting of arrays and objects that is read.
const MAX_DEPTH: u8 = 4;

/// Reads a document once, from front to back.
pub(super) struct Parser<'b> {
    text: &'b mut [u8],
    at: usize,
    nodes: &'b mut [Node],
    used: usize,
    max_members: u16,
}

impl<'b> Parser<'b> {
    pub(super) fn new(text: &'b mut [u8], nodes: &'b mut [Node], max_members: u16) -> Self {
        Self {
            text,
            at: 0,
            nodes,
            used: 0,
            max_members,
        }
    }

    /// Reads one value and makes sure that nothing follows it.
    pub(super) fn document(&mut self) -> Result<(), JsonFault> {
        self.skip_space();
        self.value(0)?;
        self.skip_space();
        match self.at == self.text.len() {
            true => Ok(()),
            false => Err(JsonFault::TrailingData),
        }
    }

    pub(super) fn into_root(self) -> Value<'b> {
        Value::root(self.text, self.nodes)
    }

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
        self.take(b'-');
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
        Ok(if has_fraction || has_exponent {
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
pub(super) fn plain_length(text: &[u8]) -> usize {
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
