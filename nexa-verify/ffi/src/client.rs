//! The client: checks by all that it has learnt, says what to fetch next, and takes what was fetched.

use core::ffi::c_char;
use core::mem::MaybeUninit;

use verify::{Scratch, State, Trust, Wanted};

use crate::expectations::{Expectations, Kept};
use crate::input::{self, Place};
use crate::object::{self, Object};
use crate::report::{self, Report};
use crate::status::{Failure, Problem, Status, answer};

/// Checks licences of one issuer for one app with all that it has learnt: key set, status shard, trusted time. May be copied;
/// one thread at a time.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Client {
    words: [MaybeUninit<u64>; 3456],
}

/// What stands in a client.
pub(crate) struct Content {
    trust: Trust,
    state: State,
    expectations: Kept,
}

impl Object for Client {
    type Content = Content;
    const READY: u64 = u64::from_be_bytes(*b"nexa-cl1");
    const NAME: &str = "client";
}

/// The value of `monotonic_s` that says that there is no clock that only goes forward.
pub const NO_MONOTONIC: u64 = u64::MAX;

/// The most bytes that `nexa_client_save` writes.
pub const STATE_BYTES: usize = 11_264;

const _: () = assert!(State::MAX_BYTES <= STATE_BYTES);

/// A document that a client may want.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// Nothing: everything is as new as it has to be.
    Nothing = 0,
    /// The signed key set.
    KeySet = 1,
    /// A status shard, whole or as a delta: which one, its number says.
    Shard = 2,
}

/// Makes a client that trusts a root key, as `nexa keyset export --root` prints it: keys for licences may be replaced and
/// revoked without a new version of the program. It knows nothing yet; see `nexa_client_restore`.
///
/// # Safety
/// `client` is null or memory for one; the other pointers are null or hold what their lengths say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nexa_client_init_root(
    client: *mut Client,
    root: *const c_char,
    root_bytes: usize,
    expectations: *const Expectations,
    problem: *mut Problem,
) -> Status {
    let trust = || {
        // SAFETY: the caller vouches for the key.
        let root = unsafe { input::bytes(root.cast(), root_bytes, "root") }?;
        Trust::root(root).map_err(|error| report::keys_refused(&error))
    };
    // SAFETY: the caller vouches for the expectations.
    let content = || unsafe { Content::new(trust(), expectations) };
    // SAFETY: the caller vouches for the client's memory.
    let make = || unsafe { object::make(client, content()) };
    // SAFETY: the caller vouches for the problem's memory.
    unsafe { answer([Place::of(client, "client")], problem, make) }
}

/// Makes a client that trusts the published JWK set as it was when the program was built, and, where there are any, embedded
/// status keys. `status_jwks` is null where revocation is not to be checked.
///
/// # Safety
/// As for `nexa_client_init_root`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nexa_client_init_keys(
    client: *mut Client,
    jwks: *const c_char,
    jwks_bytes: usize,
    status_jwks: *const c_char,
    status_jwks_bytes: usize,
    expectations: *const Expectations,
    problem: *mut Problem,
) -> Status {
    let trust = || {
        // SAFETY: the caller vouches for the keys.
        let jwks = unsafe { input::bytes(jwks.cast(), jwks_bytes, "jwks") }?;
        // SAFETY: as above.
        let status = unsafe { input::bytes(status_jwks.cast(), status_jwks_bytes, "status_jwks") }?;
        let status = (!status_jwks.is_null()).then_some(status);
        Trust::embedded(jwks, status).map_err(|error| report::keys_refused(&error))
    };
    // SAFETY: the caller vouches for the expectations.
    let content = || unsafe { Content::new(trust(), expectations) };
    // SAFETY: the caller vouches for the client's memory.
    let make = || unsafe { object::make(client, content()) };
    // SAFETY: the caller vouches for the problem's memory.
    unsafe { answer([Place::of(client, "client")], problem, make) }
}

/// Checks one licence now, and writes into `report` what it found and what to fetch next.
///
/// `wall_s` is the wall clock in Unix seconds; `monotonic_s` a clock in seconds that only goes forward and began anywhere, or
/// `NEXA_NO_MONOTONIC`. A client that cannot fetch says so (`nexa_client_failed`), checks again and goes on with what it has:
/// how old revocation data may get, and what then, stands in the licence.
///
/// # Safety
/// `client` is null or was made by one of the `…_init_…`, `report` is null or memory for one; `token` is null or holds
/// `token_bytes` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nexa_client_check(
    client: *mut Client,
    wall_s: u64,
    monotonic_s: u64,
    token: *const c_char,
    token_bytes: usize,
    report: *mut Report,
    problem: *mut Problem,
) -> Status {
    let check = || -> Result<report::Content, Failure> {
        // SAFETY: the caller vouches for the client.
        let client = unsafe { object::content_mut(client) }?;
        let wall = report::seconds(wall_s, "wall_s")?;
        let monotonic_s = (monotonic_s != NO_MONOTONIC).then_some(monotonic_s);
        // SAFETY: the caller vouches for the token.
        let token = unsafe { input::bytes(token.cast(), token_bytes, "token") }?;
        let mut scratch = Scratch::new();
        let found = client.with(|client, state| {
            report::Content::of_client(&client.check(state, wall, monotonic_s, token, &mut scratch))
        });
        Ok(found)
    };
    let places = [Place::of(client, "client"), Place::of(report, "report")];
    // SAFETY: the caller vouches for the report's memory.
    let make = || unsafe { object::make(report, check()) };
    // SAFETY: the caller vouches for the problem's memory.
    unsafe { answer(places, problem, make) }
}

/// Takes a document that was fetched or brought: what it is (a `nexa_document`), a shard's number (0 for a key set), its bytes.
/// They need no trust: what is not signed, is older than what was seen, or does not fit is refused and changes nothing but
/// what is asked for next.
///
/// # Safety
/// `client` is null or was made by one of the `…_init_…`; `bytes` is null or holds `byte_count` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nexa_client_receive(
    client: *mut Client,
    document: u32,
    number: u32,
    bytes: *const u8,
    byte_count: usize,
    problem: *mut Problem,
) -> Status {
    let receive = || {
        // SAFETY: the caller vouches for the client.
        let client = unsafe { object::content_mut(client) }?;
        let wanted = wanted(document, number)?;
        // SAFETY: the caller vouches for the bytes.
        let bytes = unsafe { input::bytes(bytes, byte_count, "bytes") }?;
        client
            .with(|client, state| client.receive(state, wanted, bytes))
            .map_err(|error| Failure::refused(error.code(), error))
    };
    // SAFETY: the caller vouches for the problem's memory.
    unsafe { answer([Place::of(client, "client")], problem, receive) }
}

/// Notes that a document could not be fetched: for a minute it is not asked for, and something else may be.
///
/// # Safety
/// `client` is null or was made by one of the `…_init_…`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nexa_client_failed(
    client: *mut Client,
    document: u32,
    problem: *mut Problem,
) -> Status {
    let failed = || {
        // SAFETY: the caller vouches for the client.
        let client = unsafe { object::content_mut(client) }?;
        let wanted = wanted(document, 0)?;
        client.with(|client, state| client.failed(state, wanted));
        Ok(())
    };
    // SAFETY: the caller vouches for the problem's memory.
    unsafe { answer([Place::of(client, "client")], problem, failed) }
}

/// Writes what the client has learnt into `buffer`, for the program to keep, and how many bytes that is into `written`: at
/// most `NEXA_STATE_BYTES`. With `NEXA_STATUS_SHORT_BUFFER`, `written` is how many are needed.
///
/// `fingerprint` binds the state to this device: what identifies it and does not change.
///
/// # Safety
/// `client` is null or was made by one of the `…_init_…`; `buffer` is null or has room for `buffer_bytes` bytes, which nothing
/// else that is passed overlaps; the other pointers are null or hold what their lengths say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nexa_client_save(
    client: *const Client,
    fingerprint: *const u8,
    fingerprint_bytes: usize,
    buffer: *mut u8,
    buffer_bytes: usize,
    written: *mut usize,
    problem: *mut Problem,
) -> Status {
    let save = || {
        input::check_place(written, "written")?;
        // SAFETY: not null, aligned, and the caller vouches for it.
        unsafe { written.write(0) };
        // SAFETY: the caller vouches for the client.
        let client = unsafe { object::content(client) }?;
        // SAFETY: the caller vouches for the fingerprint.
        let fingerprint = unsafe { input::bytes(fingerprint, fingerprint_bytes, "fingerprint") }?;
        let mut kept = [0; State::MAX_BYTES];
        let kept = client.state.save(fingerprint, &mut kept);
        let kept = kept.ok_or_else(|| Failure::out_of_range("the state is longer than any is"))?;
        // SAFETY: as above.
        unsafe { written.write(kept.len()) };
        if kept.len() > buffer_bytes {
            return Err(Failure::short_buffer("buffer", buffer_bytes, kept.len()));
        }
        if buffer.is_null() {
            return Err(Failure::null("buffer"));
        }
        // SAFETY: not null, and the caller vouches for so many bytes that nothing else overlaps.
        unsafe { buffer.copy_from_nonoverlapping(kept.as_ptr(), kept.len()) };
        Ok(())
    };
    let places = [
        Place::of(client, "client"),
        Place::with_length(buffer, buffer_bytes, "buffer"),
        Place::of(written, "written"),
    ];
    // SAFETY: the caller vouches for the problem's memory.
    unsafe { answer(places, problem, save) }
}

/// Takes up what `nexa_client_save` wrote on this device. With `NEXA_STATUS_REFUSED` the client is as before: the program decides
/// whether it begins anew, and so forgets how far the clock had come.
///
/// # Safety
/// `client` is null or was made by one of the `…_init_…`; the other pointers are null or hold what their lengths say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nexa_client_restore(
    client: *mut Client,
    bytes: *const u8,
    byte_count: usize,
    fingerprint: *const u8,
    fingerprint_bytes: usize,
    problem: *mut Problem,
) -> Status {
    let restore = || {
        // SAFETY: the caller vouches for the client.
        let client = unsafe { object::content_mut(client) }?;
        // SAFETY: the caller vouches for the bytes.
        let bytes = unsafe { input::bytes(bytes, byte_count, "bytes") }?;
        // SAFETY: the caller vouches for the fingerprint.
        let fingerprint = unsafe { input::bytes(fingerprint, fingerprint_bytes, "fingerprint") }?;
        client.state = State::restore(bytes, fingerprint)
            .map_err(|fault| Failure::refused(fault.code(), fault))?;
        Ok(())
    };
    // SAFETY: the caller vouches for the problem's memory.
    unsafe { answer([Place::of(client, "client")], problem, restore) }
}

impl Content {
    /// # Safety
    /// As for [`Kept::read`].
    unsafe fn new(
        trust: Result<Trust, Failure>,
        expectations: *const Expectations,
    ) -> Result<Self, Failure> {
        // SAFETY: the same that this function asks of its caller.
        let expectations = unsafe { Kept::read(expectations) }?;
        Ok(Self {
            trust: trust?,
            state: State::new(),
            expectations,
        })
    }

    /// Hands a client over the kept texts to `then`, with the state.
    fn with<R>(&mut self, then: impl FnOnce(&verify::Client<'_>, &mut State) -> R) -> R {
        let (expected, state) = (&self.expectations, &mut self.state);
        expected.with_device(|device| {
            let (issuer, audience) = (expected.issuer(), expected.audience());
            let mut client = verify::Client::new(self.trust.clone(), issuer, audience, device);
            if let Some(max_lifetime_s) = expected.max_lifetime_s() {
                client = client.with_max_lifetime_s(max_lifetime_s);
            }
            then(&client, state)
        })
    }
}

fn wanted(document: u32, number: u32) -> Result<Wanted, Failure> {
    match document {
        1 => Ok(Wanted::KeySet),
        2 => Ok(Wanted::Shard {
            number,
            since: None,
        }),
        other => Err(Failure::out_of_range(format_args!(
            "document is {other}; 1 is the key set, 2 a shard"
        ))),
    }
}
