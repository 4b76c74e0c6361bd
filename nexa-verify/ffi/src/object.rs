//! Objects in the caller's memory: what stands in them, and whether it was put there.

use core::mem::needs_drop;

use crate::input;
use crate::status::Failure;

/// Memory that C declares, and what stands in it. Its words need not be set, since a content has bytes that nobody sets (between
/// its fields, and of a variant that it is not), and copies of it are copies of words.
pub(crate) trait Object: Copy {
    /// What stands in it. It owns nothing outside of itself, so that an object may be copied and forgotten.
    type Content;
    /// The first word of an object that was made; another one for each type, so that one is not taken for another.
    const READY: u64;
    /// The name of the argument, for problems.
    const NAME: &str;
}

#[repr(C)]
struct Made<T> {
    ready: u64,
    content: T,
}

/// Puts `content` into the object at `place`; where there is none, marks it as not ready.
///
/// # Safety
/// A pointer that is not null points to memory for such an object, which nobody else uses during the call.
pub(crate) unsafe fn make<M: Object>(
    place: *mut M,
    content: Result<M::Content, Failure>,
) -> Result<(), Failure> {
    let place = made_at(place)?;
    match content {
        // SAFETY: not null, aligned, large enough (`made_at`), and the caller vouches for the memory.
        Ok(content) => unsafe {
            place.write(Made {
                ready: M::READY,
                content,
            });
        },
        Err(failure) => {
            // SAFETY: as above.
            unsafe { place.cast::<u64>().write(0) };
            return Err(failure);
        }
    }
    Ok(())
}

/// What stands in the object at `place`.
///
/// # Safety
/// A pointer that is not null points to an object on which [`make`] was called, and which nobody writes to for as long as it
/// is used.
pub(crate) unsafe fn content<'a, M: Object>(place: *const M) -> Result<&'a M::Content, Failure> {
    let place = made_at(place.cast_mut())?;
    // SAFETY: not null, aligned, and `make` has written at least this word.
    if unsafe { place.cast::<u64>().read() } != M::READY {
        return Err(Failure::not_ready(M::NAME));
    }
    // SAFETY: the word says that `make` has put a content there.
    let made: &Made<M::Content> = unsafe { &*place };
    Ok(&made.content)
}

/// The same, to be changed.
///
/// # Safety
/// As for [`content`], and nobody else uses the object.
#[cfg(feature = "client")]
pub(crate) unsafe fn content_mut<'a, M: Object>(
    place: *mut M,
) -> Result<&'a mut M::Content, Failure> {
    // SAFETY: the same that this function asks of its caller.
    unsafe { content(place) }?;
    let place = made_at(place)?;
    // SAFETY: `content` has found one there, and the reference it gave is gone.
    let made: &mut Made<M::Content> = unsafe { &mut *place };
    Ok(&mut made.content)
}

fn made_at<M: Object>(place: *mut M) -> Result<*mut Made<M::Content>, Failure> {
    const {
        assert!(size_of::<Made<M::Content>>() <= size_of::<M>());
        assert!(align_of::<Made<M::Content>>() <= align_of::<M>());
        assert!(!needs_drop::<M::Content>());
    }
    input::check_place(place, M::NAME)?;
    Ok(place.cast())
}
