//! One whole licence check: key set, token, claims, times, device; verdict and decision.
#![no_std]

use nexa_verify::{Decision, DeviceExpectation, Scratch, UnixSeconds, Verifier};

/// What the host writes before a call, one after the other: key set, issuer, app, fingerprint, token.
static mut INPUT: [u8; 16 * 1024] = [0; 16 * 1024];

/// Where the host writes.
// The attribute is unsafe because two symbols of one name would collide; the module has only these.
#[unsafe(no_mangle)]
pub extern "C" fn input() -> *mut u8 {
    (&raw mut INPUT).cast()
}

/// The verdict's code as address | length << 32, with the top bit set for "allow"; 0 for unreadable input.
#[unsafe(no_mangle)]
pub extern "C" fn check(
    jwks_len: usize,
    issuer_len: usize,
    app_len: usize,
    fingerprint_len: usize,
    token_len: usize,
    now: u64,
) -> u64 {
    let input = &raw const INPUT;
    // SAFETY: the module has one thread, and the host does not write during a call.
    let input = unsafe { &*input };
    let lengths = [jwks_len, issuer_len, app_len, fingerprint_len, token_len];
    checked(input, lengths, now).unwrap_or(0)
}

fn checked(input: &[u8], lengths: [usize; 5], now: u64) -> Option<u64> {
    let mut rest = input;
    let mut parts = [&[][..]; 5];
    for (part, length) in parts.iter_mut().zip(lengths) {
        (*part, rest) = rest.split_at_checked(length)?;
    }
    let [jwks, issuer, app, fingerprint, token] = parts;
    let text = |bytes| core::str::from_utf8(bytes).ok();
    let components = [("fingerprint", text(fingerprint)?)];
    let device = DeviceExpectation::Components(&components);
    let verifier = Verifier::new(jwks, text(issuer)?, text(app)?, device).ok()?;
    let mut scratch = Scratch::new();
    let report = verifier.check(UnixSeconds::new(now)?, token, &mut scratch);
    let code = report.verdict().code();
    let decision = match report.decision() {
        Decision::Allow => 1 << 63,
        Decision::Deny => 0,
    };
    Some(code.as_ptr() as u64 | (code.len() as u64) << 32 | decision)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
