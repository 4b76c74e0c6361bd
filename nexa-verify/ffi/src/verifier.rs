//! The plain check: embedded keys, one call.

use core::ffi::c_char;
use core::mem::MaybeUninit;

use verify::{KeySet, RevocationFeed, Scratch};

use crate::expectations::{Expectations, Kept};
use crate::input::{self, Place};
use crate::object::{self, Object};
use crate::report::{self, Report};
use crate::status::{Failure, Problem, Status, answer};

/// Checks licences of one issuer for one app against embedded keys. May be copied, and shared between threads.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Verifier {
    words: [MaybeUninit<u64>; 1408],
}

/// What stands in a verifier.
pub(crate) struct Content {
    keys: KeySet,
    expectations: Kept,
}

impl Object for Verifier {
    type Content = Content;
    const READY: u64 = u64::from_be_bytes(*b"nexa-vf1");
    const NAME: &str = "verifier";
}

/// Makes a verifier of the published JWK set, as it was when the program was built: at most 16 Ed25519 keys in 8,192 bytes.
///
/// `NEXA_STATUS_REFUSED` where a key is malformed, weak or private: a program finds that out in its tests, since the set is embedded.
///
/// # Safety
/// `verifier` is null or memory for one; the other pointers are null or hold what their lengths say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nexa_verifier_init(
    verifier: *mut Verifier,
    jwks: *const c_char,
    jwks_bytes: usize,
    expectations: *const Expectations,
    problem: *mut Problem,
) -> Status {
    let content = || {
        // SAFETY: the caller vouches for the expectations.
        let expectations = unsafe { Kept::read(expectations) }?;
        // SAFETY: the caller vouches for the key set.
        let jwks = unsafe { input::bytes(jwks.cast(), jwks_bytes, "jwks") }?;
        let keys = KeySet::from_jwks(jwks).map_err(|error| report::keys_refused(&error))?;
        Ok(Content { keys, expectations })
    };
    // SAFETY: the caller vouches for the verifier's memory.
    let make = || unsafe { object::make(verifier, content()) };
    // SAFETY: the caller vouches for the problem's memory.
    unsafe { answer([Place::of(verifier, "verifier")], problem, make) }
}

/// Checks one licence at `now_s`, in Unix seconds, and writes what it found into `report`.
///
/// `list` is the published list of revoked licences (`[{"jti", "revokedAt"}]`), all of it; null where revocation is not to be
/// checked, which the report then says. `NEXA_STATUS_REFUSED` where it is malformed: the report denies.
///
/// # Safety
/// `verifier` is null or was made by `nexa_verifier_init`, `report` is null or memory for one; the other pointers are null or
/// hold what their lengths say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nexa_verifier_check(
    verifier: *const Verifier,
    now_s: u64,
    token: *const c_char,
    token_bytes: usize,
    list: *const c_char,
    list_bytes: usize,
    report: *mut Report,
    problem: *mut Problem,
) -> Status {
    let check = || -> Result<report::Content, Failure> {
        // SAFETY: the caller vouches for the verifier.
        let verifier = unsafe { object::content(verifier) }?;
        let now = report::seconds(now_s, "now_s")?;
        // SAFETY: the caller vouches for the token.
        let token = unsafe { input::bytes(token.cast(), token_bytes, "token") }?;
        let feed = match list.is_null() && list_bytes == 0 {
            true => None,
            false => {
                // SAFETY: the caller vouches for the list.
                let list = unsafe { input::bytes(list.cast(), list_bytes, "list") }?;
                let feed = RevocationFeed::read(list);
                Some(feed.map_err(|error| Failure::refused("list_refused", error))?)
            }
        };
        Ok(verifier.check(now, token, feed.as_ref()))
    };
    let places = [Place::of(verifier, "verifier"), Place::of(report, "report")];
    // SAFETY: the caller vouches for the report's memory.
    let make = || unsafe { object::make(report, check()) };
    // SAFETY: the caller vouches for the problem's memory.
    unsafe { answer(places, problem, make) }
}

impl Content {
    fn check(
        &self,
        now: verify::UnixSeconds,
        token: &[u8],
        feed: Option<&RevocationFeed<'_>>,
    ) -> report::Content {
        let expected = &self.expectations;
        expected.with_device(|device| {
            let mut verifier = verify::Verifier::with_keys(
                self.keys.clone(),
                expected.issuer(),
                expected.audience(),
                device,
            );
            if let Some(max_lifetime_s) = expected.max_lifetime_s() {
                verifier = verifier.with_max_lifetime_s(max_lifetime_s);
            }
            if let Some(feed) = feed {
                verifier = verifier.with_revocations(feed);
            }
            let mut scratch = Scratch::new();
            report::Content::of(&verifier.check(now, token, &mut scratch))
        })
    }
}
