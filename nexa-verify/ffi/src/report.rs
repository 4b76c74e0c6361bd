//! What a check found, kept as plain memory: code, decision, facts, and what to fetch next.

use core::ffi::c_char;
use core::fmt::Write as _;
use core::mem::MaybeUninit;

use verify::{KeyError, LicenseReport, LicenseTerms, UnixSeconds, Verdict};

use crate::input;
use crate::json;
use crate::object::{self, Object};
use crate::status::{Failure, Status};
use crate::text::TextBuffer;

/// What a check found. May be copied. As `NEXA_NONE`, and after a check that failed, it denies; see above for objects that overlap.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Report {
    words: [MaybeUninit<u64>; 2048],
}

/// What to do if the program has no rule of its own.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Do not let it pass.
    Deny = 0,
    /// Let it pass.
    Allow = 1,
}

/// What stands in a report.
pub(crate) struct Content {
    decision: Decision,
    code: TextBuffer<48>,
    message: TextBuffer<208>,
    names: Names,
    wanted: Option<Wanted>,
    /// Never cut: the payload of a token has at most 2,919 bytes (4,096 less the shortest header and the signature, decoded),
    /// no value is longer here than there, only the status URI or the issuer stands here twice, and the rest (names,
    /// numbers, the sentence) takes less than 1,500.
    json: TextBuffer<8192>,
}

impl Object for Report {
    type Content = Content;
    const READY: u64 = u64::from_be_bytes(*b"nexa-rp1");
    const NAME: &str = "report";
}

/// A document to fetch.
#[derive(Clone, Copy)]
struct Wanted {
    document: u32,
    number: u32,
    /// Never cut: an issuer has at most 1,024 bytes, a status URI less than a payload, and what follows it less than 64.
    url: TextBuffer<3200>,
}

/// What to do if the program has no rule of its own: a `nexa_decision`. A report that is null or not ready denies.
///
/// # Safety
/// `report` is null, `NEXA_NONE`, or was passed to a check.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nexa_report_decision(report: *const Report) -> Decision {
    // SAFETY: the caller vouches for the report.
    match unsafe { object::content(report) } {
        Ok(content) => content.decision,
        Err(_) => Decision::Deny,
    }
}

/// The stable name of the verdict, in snake case; for a refusal, the rule's. "not_ready" for a report that is not. It stands
/// in the report.
///
/// # Safety
/// `report` is null, `NEXA_NONE`, or was passed to a check.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nexa_report_code(report: *const Report) -> *const c_char {
    // SAFETY: the caller vouches for the report.
    match unsafe { object::content(report) } {
        Ok(content) => content.code.as_c_str(),
        Err(_) => c"not_ready".as_ptr(),
    }
}

/// One sentence for people, which names the field and the rule. It stands in the report.
///
/// # Safety
/// `report` is null, `NEXA_NONE`, or was passed to a check.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nexa_report_message(report: *const Report) -> *const c_char {
    // SAFETY: the caller vouches for the report.
    match unsafe { object::content(report) } {
        Ok(content) => content.message.as_c_str(),
        Err(_) => c"no licence was checked".as_ptr(),
    }
}

/// Everything that was found, as one JSON object in UTF-8; null for a report that is not ready. It stands in the report.
///
/// Members: `code`, `message`, `decision` ("allow", "deny") · `starts_in_s`, `since_s`, `grace_left_s`, `revoked_at`, where
/// the verdict has them · `revocation` ("not_checked", "no_data", "not_revoked", "revoked"), `freshness` ("unknown", "fresh",
/// "aging", "too_old"), `revocation_age_s` · `license` (`null` where signature or claims do not hold) with `issuer`,
/// `subject`, `audience`, `jti`, `kid`, `issued_at`, `not_before`, `expires_at`, `plan`, `entitlements`, `limits`, `grace_s`,
/// `fresh_s`, `max_age_s`, `stale`, `renew_after`, `trial`, `status_idx`, `status_uri` · `device` (`null` where none was
/// compared) with `matched`, `required`, `total`, `drifted` · from a client: `clock` with `trusted`, `stepped_back_s`,
/// `ahead_s`, and `wanted` (`null` for nothing) with `document` ("key_set", "shard"), `number`, `since`, `why`, `url`.
/// Times are Unix seconds; `_s` are seconds; what is not known is `null`.
///
/// # Safety
/// `report` is null, `NEXA_NONE`, or was passed to a check.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nexa_report_json(report: *const Report) -> *const c_char {
    // SAFETY: the caller vouches for the report.
    match unsafe { object::content(report) } {
        Ok(content) => content.json.as_c_str(),
        Err(_) => core::ptr::null(),
    }
}

/// Whether the default decision allows and the licence lists this entitlement: 1, else 0.
///
/// # Safety
/// `report` is null, `NEXA_NONE`, or was passed to a check; `name` is null or holds `name_bytes` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nexa_report_allows(
    report: *const Report,
    name: *const c_char,
    name_bytes: usize,
) -> i32 {
    // SAFETY: the caller vouches for the report.
    let content = unsafe { object::content(report) };
    // SAFETY: the caller vouches for the name.
    let name = unsafe { input::text(name.cast(), name_bytes, "name") };
    let allows = content.is_ok_and(|content| {
        content.decision == Decision::Allow
            && name.is_ok_and(|name| content.names.has_entitlement(name))
    });
    i32::from(allows)
}

/// Writes the licence's limit of this name into `limit`; 0 and `NEXA_STATUS_MISSING` where the licence states none, or is
/// refused.
///
/// # Safety
/// As for `nexa_report_allows`; `limit` is null or points to a place for it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nexa_report_limit(
    report: *const Report,
    name: *const c_char,
    name_bytes: usize,
    limit: *mut u64,
) -> Status {
    let find = || {
        input::check_place(limit, "limit")?;
        // SAFETY: not null, aligned, and the caller vouches for it.
        unsafe { limit.write(0) };
        // SAFETY: the caller vouches for the report.
        let content = unsafe { object::content(report) }?;
        // SAFETY: the caller vouches for the name.
        let name = unsafe { input::text(name.cast(), name_bytes, "name") }?;
        let Some(found) = content.names.limit(name) else {
            return Ok(Status::Missing);
        };
        // SAFETY: as above.
        unsafe { limit.write(found) };
        Ok(Status::Ok)
    };
    find().unwrap_or_else(|failure: Failure| failure.status())
}

/// What to fetch next, a `nexa_document`, and its number in `number`, which may be null: 0 for what is not a shard.
///
/// # Safety
/// `report` is null, `NEXA_NONE`, or was passed to a check; `number` is null or points to a place for it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nexa_report_wanted(report: *const Report, number: *mut u32) -> u32 {
    // SAFETY: the caller vouches for the report.
    let content = unsafe { object::content(report) };
    let wanted = content.ok().and_then(|content| content.wanted.as_ref());
    let (document, wanted_number) =
        wanted.map_or((0, 0), |wanted| (wanted.document, wanted.number));
    if !number.is_null() {
        // SAFETY: not null, and the caller vouches for the place, which this way of writing takes as it is aligned.
        unsafe { number.write_unaligned(wanted_number) };
    }
    document
}

/// The URL of what to fetch next; null where that is nothing. It stands in the report. It ends at its first zero byte, should
/// an issuer have signed one with such a byte.
///
/// It is the issuer's, or stands in a licence that the issuer signed; a program that trusts an issuer with less than its
/// network looks at it before it fetches.
///
/// # Safety
/// `report` is null, `NEXA_NONE`, or was passed to a check.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nexa_report_url(report: *const Report) -> *const c_char {
    // SAFETY: the caller vouches for the report.
    let content = unsafe { object::content(report) };
    content
        .ok()
        .and_then(|content| content.wanted.as_ref())
        .map_or(core::ptr::null(), |wanted| wanted.url.as_c_str())
}

impl Content {
    /// What the plain check found.
    pub(crate) fn of(report: &LicenseReport<'_>) -> Self {
        let mut content = Self::new(report.verdict(), report.decision());
        if let Some(license) = report.license() {
            content.names.put(license.claims().terms());
        }
        let message = content.message.as_str();
        json::Writer::new(&mut content.json).object(|json| json::report(json, report, message));
        content
    }

    /// What a client's check found.
    #[cfg(feature = "client")]
    pub(crate) fn of_client(checked: &verify::Checked<'_>) -> Self {
        let mut content = Self::new(checked.verdict(), checked.decision());
        if let Some(license) = checked.report().and_then(LicenseReport::license) {
            content.names.put(license.claims().terms());
        }
        content.wanted = checked.next_fetch().map(|fetch| {
            let mut url = TextBuffer::new();
            let _ = write!(url, "{fetch}");
            let (document, number) = match fetch.document {
                verify::Wanted::KeySet => (1, 0),
                verify::Wanted::Shard { number, .. } => (2, number),
            };
            Wanted {
                document,
                number,
                url,
            }
        });
        let message = content.message.as_str();
        let wanted = content.wanted.as_ref();
        let url = wanted.map_or("", |wanted| wanted.url.as_str());
        json::Writer::new(&mut content.json)
            .object(|json| json::checked(json, checked, message, url));
        content
    }

    fn new(verdict: Verdict, decision: verify::Decision) -> Self {
        let mut content = Self {
            decision: match decision {
                verify::Decision::Allow => Decision::Allow,
                verify::Decision::Deny => Decision::Deny,
            },
            code: TextBuffer::new(),
            message: TextBuffer::new(),
            names: Names::new(),
            wanted: None,
            json: TextBuffer::new(),
        };
        content.code.push(verdict.code());
        let _ = write!(content.message, "{verdict}");
        content
    }
}

/// A time in Unix seconds that a caller passes.
pub(crate) fn seconds(seconds: u64, argument: &'static str) -> Result<UnixSeconds, Failure> {
    UnixSeconds::new(seconds).ok_or_else(|| {
        Failure::out_of_range(format_args!(
            "{argument} is {seconds}; Unix seconds below 2^53 are read"
        ))
    })
}

pub(crate) fn keys_refused(error: &KeyError) -> Failure {
    Failure::refused("key_set_refused", error)
}

/// The names of a licence's entitlements and limits: for each its length in two bytes, its text, and for a limit its value.
struct Names {
    bytes: [u8; 4096],
    entitlements_end: usize,
    end: usize,
}

const LENGTH_BYTES: usize = 2;
const LIMIT_BYTES: usize = 8;

impl Names {
    const fn new() -> Self {
        Self {
            bytes: [0; 4096],
            entitlements_end: 0,
            end: 0,
        }
    }

    /// A token's 4,096 bytes are 3,072 of JSON, where an entitlement takes as many as here and a limit, of which there are at
    /// most 64, eight fewer.
    fn put(&mut self, terms: &LicenseTerms<'_>) {
        for name in terms.entitlements() {
            self.push(name, &[]);
        }
        self.entitlements_end = self.end;
        for (name, limit) in terms.limits() {
            self.push(name, &limit.to_be_bytes());
        }
    }

    fn push(&mut self, name: &str, value: &[u8]) {
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes();
        for part in [&length, name.as_bytes(), value] {
            let end = self.end + part.len();
            if let Some(place) = self.bytes.get_mut(self.end..end) {
                place.copy_from_slice(part);
                self.end = end;
            }
        }
    }

    fn has_entitlement(&self, wanted: &str) -> bool {
        let mut rest = self.bytes.get(..self.entitlements_end).unwrap_or_default();
        while let Some(name) = next_name(&mut rest) {
            if name == wanted.as_bytes() {
                return true;
            }
        }
        false
    }

    fn limit(&self, wanted: &str) -> Option<u64> {
        let mut rest = self.bytes.get(self.entitlements_end..self.end)?;
        while let Some(name) = next_name(&mut rest) {
            let (value, next) = rest.split_first_chunk::<LIMIT_BYTES>()?;
            if name == wanted.as_bytes() {
                return Some(u64::from_be_bytes(*value));
            }
            rest = next;
        }
        None
    }
}

fn next_name<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, text) = rest.split_first_chunk::<LENGTH_BYTES>()?;
    let (name, next) = text.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    *rest = next;
    Some(name)
}
