//! How calls end: a status, and a problem in words.

use core::ffi::c_char;
use core::fmt::{self, Write as _};

use crate::input::{self, Place};
use crate::text::TextBuffer;

/// How a call ended. Everything but `NEXA_STATUS_OK` is below zero.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It did what it says.
    Ok = 0,
    /// A pointer is null that must not be.
    NullPointer = -1,
    /// A text is not UTF-8.
    NotUtf8 = -2,
    /// An object is used before its `…_init` succeeded.
    NotReady = -3,
    /// A buffer is too short; how many bytes it needs is said.
    ShortBuffer = -4,
    /// An argument is longer, larger or other than it may be.
    OutOfRange = -5,
    /// Keys, a document, a list or a state were refused; the problem has the code of the rule.
    Refused = -6,
    /// There is nothing of that name.
    Missing = -7,
}

/// Why a call failed: both texts end with a zero byte, and are empty where nothing failed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// The stable name of the rule, in snake case.
    pub code: [c_char; 48],
    /// One sentence for people, which names the argument or the field.
    pub message: [c_char; 208],
}

/// A failed call, inside of the library.
pub(crate) struct Failure {
    status: Status,
    code: &'static str,
    message: TextBuffer<208>,
}

impl Failure {
    pub(crate) fn new(status: Status, code: &'static str, message: impl fmt::Display) -> Self {
        let mut text = TextBuffer::new();
        // Cut where it is too long: no rule's sentence is.
        let _ = write!(text, "{message}");
        Self {
            status,
            code,
            message: text,
        }
    }

    pub(crate) fn null(argument: &'static str) -> Self {
        Self::new(
            Status::NullPointer,
            "null_pointer",
            format_args!("{argument} is null"),
        )
    }

    pub(crate) fn refused(code: &'static str, message: impl fmt::Display) -> Self {
        Self::new(Status::Refused, code, message)
    }

    pub(crate) fn not_ready(argument: &'static str) -> Self {
        Self::new(
            Status::NotReady,
            "not_ready",
            format_args!("{argument} was not made, or could not be"),
        )
    }

    #[cfg(feature = "client")]
    pub(crate) fn short_buffer(argument: &'static str, bytes: usize, needed: usize) -> Self {
        Self::new(
            Status::ShortBuffer,
            "short_buffer",
            format_args!("{argument} has {bytes} bytes; {needed} are needed"),
        )
    }

    pub(crate) fn out_of_range(message: impl fmt::Display) -> Self {
        Self::new(Status::OutOfRange, "out_of_range", message)
    }
}

impl Failure {
    /// What went wrong, as the caller is told.
    pub(crate) const fn status(&self) -> Status {
        self.status
    }
}

/// Makes a call and tells the caller how it ended. It is not made where the objects that are passed overlap.
///
/// # Safety
/// `problem` is null or memory for one, which nobody else uses during the call.
pub(crate) unsafe fn answer<const PLACES: usize>(
    places: [Place; PLACES],
    problem: *mut Problem,
    call: impl FnOnce() -> Result<(), Failure>,
) -> Status {
    let own = Place::of(problem, "problem");
    if places.iter().any(|place| place.overlaps(own)) {
        // Why cannot be said: it would stand in the other object.
        return Status::OutOfRange;
    }
    let result = input::check_apart(&places).and_then(|()| call());
    let (status, code, message) = match &result {
        Ok(()) => (Status::Ok, "", ""),
        Err(failure) => (failure.status, failure.code, failure.message.as_str()),
    };
    if !problem.is_null() {
        let told = Problem {
            code: padded(code),
            message: padded(message),
        };
        // SAFETY: not null, of no alignment, and the caller vouches for the memory. A write needs nothing to be there before.
        unsafe { problem.write(told) };
    }
    status
}

/// The text with zeros to the end, cut so that one always follows.
fn padded<const BYTES: usize>(text: &str) -> [c_char; BYTES] {
    let mut bytes = text.bytes().take(BYTES - 1);
    core::array::from_fn(|_| bytes.next().unwrap_or(0) as c_char)
}
