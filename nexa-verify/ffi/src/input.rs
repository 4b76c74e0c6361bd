//! What a caller passes: pointers and lengths, made into slices and references after what can be checked was.

use crate::status::{Failure, Status};

/// The bytes at a pointer; none where the length is zero.
///
/// # Safety
/// A pointer that is not null points to `bytes` bytes, which nobody writes to for as long as they are used.
pub(crate) unsafe fn bytes<'a>(
    at: *const u8,
    bytes: usize,
    argument: &'static str,
) -> Result<&'a [u8], Failure> {
    if bytes == 0 {
        return Ok(&[]);
    }
    if at.is_null() {
        return Err(Failure::null(argument));
    }
    if bytes > isize::MAX as usize {
        return Err(Failure::out_of_range(format_args!(
            "{argument} cannot have {bytes} bytes: did the call that should have read it fail?"
        )));
    }
    // SAFETY: not null, no longer than any object may be, and the caller vouches for the rest.
    Ok(unsafe { core::slice::from_raw_parts(at, bytes) })
}

/// The UTF-8 at a pointer.
///
/// # Safety
/// As for [`bytes`].
pub(crate) unsafe fn text<'a>(
    at: *const u8,
    length: usize,
    argument: &'static str,
) -> Result<&'a str, Failure> {
    // SAFETY: the same that this function asks of its caller.
    let bytes = unsafe { bytes(at, length, argument) }?;
    core::str::from_utf8(bytes).map_err(|error| {
        Failure::new(
            Status::NotUtf8,
            "not_utf8",
            format_args!(
                "{argument} is not UTF-8 from byte {} on",
                error.valid_up_to()
            ),
        )
    })
}

/// The object at a pointer.
///
/// # Safety
/// A pointer that is not null points to an object of this type, which nobody writes to for as long as it is used.
pub(crate) unsafe fn object<'a, T>(
    object: *const T,
    argument: &'static str,
) -> Result<&'a T, Failure> {
    check_place(object, argument)?;
    // SAFETY: not null, aligned, and the caller vouches for the rest.
    Ok(unsafe { &*object })
}

/// Whether there can be an object at a pointer.
pub(crate) fn check_place<T>(place: *const T, argument: &'static str) -> Result<(), Failure> {
    if place.is_null() {
        return Err(Failure::null(argument));
    }
    if !place.is_aligned() {
        return Err(Failure::new(
            Status::OutOfRange,
            "misaligned",
            format_args!("{argument} is not aligned to {} bytes", align_of::<T>()),
        ));
    }
    Ok(())
}

/// Where an object, a buffer or a number of the caller stands.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    start: usize,
    bytes: usize,
    argument: &'static str,
}

impl Place {
    pub(crate) fn of<T>(at: *const T, argument: &'static str) -> Self {
        Self::with_length(at.cast(), size_of::<T>(), argument)
    }

    /// None, where the pointer is null.
    pub(crate) fn with_length(at: *const u8, bytes: usize, argument: &'static str) -> Self {
        Self {
            start: at.addr(),
            bytes: if at.is_null() { 0 } else { bytes },
            argument,
        }
    }

    pub(crate) const fn overlaps(self, other: Self) -> bool {
        let ends_before = self.start.saturating_add(self.bytes) <= other.start;
        let begins_behind = other.start.saturating_add(other.bytes) <= self.start;
        self.bytes > 0 && other.bytes > 0 && !ends_before && !begins_behind
    }
}

/// Whether none stands in another one: what is written there would break what is here.
pub(crate) fn check_apart(places: &[Place]) -> Result<(), Failure> {
    let mut rest = places;
    while let Some((first, others)) = rest.split_first() {
        if let Some(other) = others.iter().find(|other| first.overlaps(**other)) {
            return Err(Failure::new(
                Status::OutOfRange,
                "overlap",
                format_args!("{} and {} overlap", first.argument, other.argument),
            ));
        }
        rest = others;
    }
    Ok(())
}
