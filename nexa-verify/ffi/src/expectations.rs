//! What a licence has to be of: issuer, app and device, as the caller states it and as an object keeps it.

use core::ffi::c_char;

use verify::DeviceExpectation;

use crate::input;
use crate::status::Failure;

/// UTF-8 of a stated length; it need not end with a zero byte.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// Where it begins; may be null where there is none.
    pub at: *const c_char,
    /// How many bytes it has.
    pub bytes: usize,
}

/// A part of this device.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Component {
    /// Its kind, for instance "fingerprint".
    pub kind: Text,
    /// What identifies it. Only hashes of it stand in licences.
    pub value: Text,
}

/// Whether a licence has to be this device's. There is no default: leaving the device out has to be written down.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceCheck {
    /// The components stated are compared with the licence's.
    Components = 1,
    /// The device is left out of the verdict: for a server that looks at somebody else's licence.
    NotChecked = 2,
}

/// What a licence has to be of. It is copied: nothing of it is used after the call that takes it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Expectations {
    /// The issuer's public URL, compared byte for byte with `iss`.
    pub issuer: Text,
    /// The app's id, compared byte for byte with `aud`.
    pub audience: Text,
    /// What this device is made of: at most 32 components; of several of one kind, one must match.
    pub components: *const Component,
    /// How many components there are.
    pub component_count: usize,
    /// A `nexa_device_check`.
    pub device: u32,
    /// The longest accepted life (exp − iat) in seconds; 0 for 400 days.
    pub max_lifetime_s: u64,
}

const MAX_COMPONENTS: usize = 32;
/// Of issuer, app, kinds and values together.
const MAX_TEXT_BYTES: usize = 4096;
const MAX_ISSUER_BYTES: usize = 1024;

/// [`Expectations`] that an object keeps: texts one after the other, so that an object can be copied as it is.
#[derive(Clone, Copy)]
pub(crate) struct Kept {
    text: [u8; MAX_TEXT_BYTES],
    length: usize,
    issuer: Span,
    audience: Span,
    components: [(Span, Span); MAX_COMPONENTS],
    component_count: usize,
    is_device_checked: bool,
    max_lifetime_s: u64,
}

/// A part of the kept text.
#[derive(Clone, Copy)]
struct Span {
    start: u16,
    end: u16,
}

impl Kept {
    /// # Safety
    /// A pointer that is not null points to expectations whose own pointers hold to what [`input`] asks of them.
    pub(crate) unsafe fn read(expectations: *const Expectations) -> Result<Self, Failure> {
        // SAFETY: the caller vouches for it.
        let expectations = unsafe { input::object(expectations, "expectations") }?;
        let mut kept = Self {
            text: [0; MAX_TEXT_BYTES],
            length: 0,
            issuer: Span { start: 0, end: 0 },
            audience: Span { start: 0, end: 0 },
            components: [(Span { start: 0, end: 0 }, Span { start: 0, end: 0 }); MAX_COMPONENTS],
            component_count: 0,
            is_device_checked: match expectations.device {
                1 => true,
                2 => false,
                other => {
                    return Err(Failure::out_of_range(format_args!(
                        "expectations.device is {other}; 1 compares the components, 2 leaves the device out"
                    )));
                }
            },
            max_lifetime_s: expectations.max_lifetime_s,
        };
        // SAFETY: the caller vouches for every text.
        kept.issuer = unsafe { kept.put(&expectations.issuer, "expectations.issuer") }?;
        if kept.length > MAX_ISSUER_BYTES {
            return Err(Failure::out_of_range(format_args!(
                "expectations.issuer has {} bytes; at most {MAX_ISSUER_BYTES} are taken",
                kept.length
            )));
        }
        // SAFETY: as above.
        kept.audience = unsafe { kept.put(&expectations.audience, "expectations.audience") }?;
        // SAFETY: the caller vouches for so many components.
        let components = unsafe { expectations.components() }?;
        for (place, component) in kept.components.iter_mut().zip(components) {
            let mut text = (&mut kept.text, &mut kept.length);
            // SAFETY: the caller vouches for every text.
            let kind = unsafe { put(&mut text, &component.kind, "expectations.components.kind") }?;
            // SAFETY: as above.
            let value =
                unsafe { put(&mut text, &component.value, "expectations.components.value") }?;
            *place = (kind, value);
        }
        kept.component_count = components.len();
        Ok(kept)
    }

    /// # Safety
    /// As for [`input::text`].
    unsafe fn put(&mut self, text: &Text, argument: &'static str) -> Result<Span, Failure> {
        // SAFETY: the same that this function asks of its caller.
        unsafe { put(&mut (&mut self.text, &mut self.length), text, argument) }
    }

    pub(crate) fn issuer(&self) -> &str {
        self.text(self.issuer)
    }

    pub(crate) fn audience(&self) -> &str {
        self.text(self.audience)
    }

    /// Hands the device to `then`: pairs of texts can be put together only where they stay in place.
    pub(crate) fn with_device<R>(&self, then: impl FnOnce(DeviceExpectation<'_>) -> R) -> R {
        let mut pairs = [("", ""); MAX_COMPONENTS];
        for (pair, (kind, value)) in pairs.iter_mut().zip(self.components) {
            *pair = (self.text(kind), self.text(value));
        }
        match (self.is_device_checked, pairs.get(..self.component_count)) {
            (true, Some(pairs)) => then(DeviceExpectation::Components(pairs)),
            (true, None) => then(DeviceExpectation::Components(&[])),
            (false, _) => then(DeviceExpectation::NotChecked),
        }
    }

    /// The longest accepted life, where the caller states one.
    pub(crate) fn max_lifetime_s(&self) -> Option<u64> {
        Some(self.max_lifetime_s).filter(|seconds| *seconds > 0)
    }

    fn text(&self, span: Span) -> &str {
        let bytes = self
            .text
            .get(usize::from(span.start)..usize::from(span.end));
        core::str::from_utf8(bytes.unwrap_or_default()).unwrap_or_default()
    }
}

impl Expectations {
    /// # Safety
    /// The pointer is null or points to as many components as are stated.
    unsafe fn components(&self) -> Result<&[Component], Failure> {
        let count = self.component_count;
        if count == 0 {
            return Ok(&[]);
        }
        if count > MAX_COMPONENTS {
            return Err(Failure::out_of_range(format_args!(
                "expectations.component_count is {count}; at most {MAX_COMPONENTS} are taken"
            )));
        }
        // SAFETY: the caller vouches for the first of them.
        unsafe { input::object(self.components, "expectations.components") }?;
        // SAFETY: not null, aligned, few enough, and the caller vouches for the rest.
        Ok(unsafe { core::slice::from_raw_parts(self.components, count) })
    }
}

/// Copies a text behind the others.
///
/// # Safety
/// As for [`input::text`].
unsafe fn put(
    (place, length): &mut (&mut [u8; MAX_TEXT_BYTES], &mut usize),
    text: &Text,
    argument: &'static str,
) -> Result<Span, Failure> {
    // SAFETY: the same that this function asks of its caller.
    let text = unsafe { input::text(text.at.cast(), text.bytes, argument) }?;
    let start = **length;
    let end = start.saturating_add(text.len());
    let too_long = || {
        Failure::out_of_range(format_args!(
            "{argument}: issuer, audience and components together have more than {MAX_TEXT_BYTES} bytes"
        ))
    };
    place
        .get_mut(start..end)
        .ok_or_else(too_long)?
        .copy_from_slice(text.as_bytes());
    **length = end;
    let position = |at: usize| u16::try_from(at).map_err(|_| too_long());
    Ok(Span {
        start: position(start)?,
        end: position(end)?,
    })
}
