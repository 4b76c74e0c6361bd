//! Text in a fixed number of bytes, ended by a zero byte.

use core::ffi::c_char;
use core::fmt;

/// UTF-8 of up to `BYTES` − 1 bytes; what does not fit is cut at a character, and nothing follows it.
#[derive(Clone, Copy)]
pub(crate) struct TextBuffer<const BYTES: usize> {
    bytes: [u8; BYTES],
    length: usize,
    is_cut: bool,
}

impl<const BYTES: usize> TextBuffer<BYTES> {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; BYTES],
            length: 0,
            is_cut: false,
        }
    }

    pub(crate) fn push(&mut self, text: &str) {
        let room = match self.is_cut {
            true => 0,
            false => BYTES - 1 - self.length,
        };
        let text = match text.len() <= room {
            true => text,
            false => {
                self.is_cut = true;
                let mut ends = (0..=room).rev();
                let end = ends.find(|end| text.is_char_boundary(*end));
                text.get(..end.unwrap_or(0)).unwrap_or_default()
            }
        };
        let end = self.length + text.len();
        if let Some(place) = self.bytes.get_mut(self.length..end) {
            place.copy_from_slice(text.as_bytes());
        }
        self.length = end;
        if let Some(end) = self.bytes.get_mut(end) {
            *end = 0;
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.length).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }

    /// Where the text begins; a zero byte ends it.
    pub(crate) const fn as_c_str(&self) -> *const c_char {
        self.bytes.as_ptr().cast()
    }
}

impl<const BYTES: usize> fmt::Write for TextBuffer<BYTES> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text);
        Ok(())
    }
}
