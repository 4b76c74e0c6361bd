//! Writes the JSON of tokens and key sets: no white space, members in the order they are given.
use alloc::string::String;
use core::fmt::Write as _;

/// An object that is being written.
pub(super) struct ObjectWriter<'t> {
    text: &'t mut String,
    is_empty: bool,
}

impl<'t> ObjectWriter<'t> {
    pub(super) fn open(text: &'t mut String) -> Self {
        text.push('{');
        Self {
            text,
            is_empty: true,
        }
    }

    pub(super) fn string(&mut self, name: &str, value: &str) {
        self.name(name);
        write_string(self.text, value);
    }

    pub(super) fn integer(&mut self, name: &str, value: u64) {
        self.name(name);
        let written = write!(self.text, "{value}");
        debug_assert!(written.is_ok());
    }

    pub(super) fn boolean(&mut self, name: &str, value: bool) {
        self.name(name);
        self.text.push_str(if value { "true" } else { "false" });
    }

    pub(super) fn strings(&mut self, name: &str, values: &[&str]) {
        self.name(name);
        self.text.push('[');
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            write_string(self.text, value);
        }
        self.text.push(']');
    }

    pub(super) fn object(&mut self, name: &str) -> ObjectWriter<'_> {
        self.name(name);
        ObjectWriter::open(self.text)
    }

    pub(super) fn list(&mut self, name: &str) -> ListWriter<'_> {
        self.name(name);
        self.text.push('[');
        ListWriter {
            text: self.text,
            is_empty: true,
        }
    }

    pub(super) fn close(self) {
        self.text.push('}');
    }

    fn name(&mut self, name: &str) {
        if !self.is_empty {
            self.text.push(',');
        }
        self.is_empty = false;
        write_string(self.text, name);
        self.text.push(':');
    }
}

/// A list of objects that is being written.
pub(super) struct ListWriter<'t> {
    text: &'t mut String,
    is_empty: bool,
}

impl ListWriter<'_> {
    pub(super) fn object(&mut self) -> ObjectWriter<'_> {
        if !self.is_empty {
            self.text.push(',');
        }
        self.is_empty = false;
        ObjectWriter::open(self.text)
    }

    pub(super) fn close(self) {
        self.text.push(']');
    }
}

fn write_string(text: &mut String, value: &str) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\0'..='\x1f' => {
                let written = write!(text, "\\u{:04x}", u32::from(character));
                debug_assert!(written.is_ok());
            }
            _ => text.push(character),
        }
    }
    text.push('"');
}
