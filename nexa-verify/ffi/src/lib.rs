//! The C interface of [`verify`] (nexa-verify): the same verdicts with the same codes, for every language.
//!
//! Four kinds of objects, each plain memory that the caller owns, allocates and may copy; nothing is allocated here, and
//! nothing has to be freed:
//!
//! - [`verifier::Verifier`] checks licences against embedded keys.
//! - [`client::Client`] checks them with all that it has learnt, and says what to fetch next (feature `client`).
//! - [`report::Report`] is what a check found; as zeros, and after a check that failed, it denies.
//! - [`status::Problem`] says why a call failed.
//!
//! Text is UTF-8 as pointer and length; what comes back is also terminated by a zero byte. A pointer may be null where its
//! length is zero. A wrong argument is answered with a [`status::Status`] and a [`status::Problem`] that names it.
//!
//! What a caller has to keep, because nobody can check it: a pointer that is not null points to as many bytes as are said, or
//! to one object of its type; nobody writes there during a call; an object is zeros, or was made by its `…_init`, before it is used.
//!
//! The header `nexa_verify.h` is made of these files: `cbindgen --config cbindgen.toml --output nexa_verify.h`.
#![cfg_attr(not(test), no_std)]
#![expect(
    clippy::result_large_err,
    reason = "there is no heap to put a large one on"
)]

#[cfg(feature = "client")]
pub mod client;
pub mod expectations;
mod input;
mod json;
mod object;
pub mod report;
pub mod status;
#[cfg(test)]
mod tests;
mod text;
pub mod verifier;

/// The version of the library, as "0.1.0".
#[unsafe(no_mangle)]
// The attribute is unsafe because two symbols of one name would collide: all of ours begin with `nexa_`.
pub extern "C" fn nexa_version() -> *const core::ffi::c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// What has a size, for callers without the header.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// A `nexa_verifier`.
    Verifier = 1,
    /// A `nexa_client`; 0 bytes in a library without it.
    Client = 2,
    /// A `nexa_report`.
    Report = 3,
    /// The longest kept state of a client; 0 bytes in a library without it.
    State = 4,
}

/// How many bytes an object takes (see `nexa_object`), aligned to 8; 0 for what this library does not have.
#[unsafe(no_mangle)]
pub extern "C" fn nexa_bytes(object: u32) -> usize {
    match object {
        1 => size_of::<verifier::Verifier>(),
        #[cfg(feature = "client")]
        2 => size_of::<client::Client>(),
        3 => size_of::<report::Report>(),
        #[cfg(feature = "client")]
        4 => client::STATE_BYTES,
        _ => 0,
    }
}

/// Nothing here panics; should it ever, the process must not go on with half a check.
#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    {
        unsafe extern "C" {
            safe fn abort() -> !;
        }
        abort()
    }
}
