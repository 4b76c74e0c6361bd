//! What was read: values as views into the document, and the nodes they stand on.

/// A value of a document that was read.
#[derive(Clone, Copy)]
pub(crate) struct Value<'b> {
    text: &'b [u8],
    nodes: &'b [Node],
    index: u16,
}

impl<'b> Value<'b> {
    /// The first value of a document.
    pub(super) fn root(text: &'b [u8], nodes: &'b [Node]) -> Self {
        Self {
            text,
            nodes,
            index: 0,
        }
    }

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
            // A minus sign is not a digit: negative numbers and `-0` end here.
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

    pub(super) fn node(&self) -> Option<Node> {
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

/// One value or member name. A document is a run of nodes in reading order; `next` skips what is nested.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(super) kind: Kind,
    /// For strings and names the unescaped text, for numbers the token.
    pub(super) start: u16,
    pub(super) end: u16,
    pub(super) next: u16,
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
pub(super) enum Kind {
    Null,
    True,
    False,
    Integer,
    /// A number that is not written as an integer.
    Fraction,
    String,
    Array,
    Object,
}
