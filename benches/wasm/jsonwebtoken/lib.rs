//! The same check as far as jsonwebtoken goes: signature, issuer, audience, times; no device.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;

/// What the host writes before a call, one after the other: key, issuer, app, token.
static mut INPUT: [u8; 16 * 1024] = [0; 16 * 1024];

/// Where the host writes.
// The attribute is unsafe because two symbols of one name would collide; the module has only these.
#[unsafe(no_mangle)]
pub extern "C" fn input() -> *mut u8 {
    (&raw mut INPUT).cast()
}

/// 1 if the token holds, else 0.
#[unsafe(no_mangle)]
pub extern "C" fn check(
    key_len: usize,
    issuer_len: usize,
    app_len: usize,
    token_len: usize,
) -> u64 {
    let input = &raw const INPUT;
    // SAFETY: the module has one thread, and the host does not write during a call.
    let input = unsafe { &*input };
    checked(input, [key_len, issuer_len, app_len, token_len]).unwrap_or(0)
}

fn checked(input: &[u8], lengths: [usize; 4]) -> Option<u64> {
    let mut rest = input;
    let mut parts = [&[][..]; 4];
    for (part, length) in parts.iter_mut().zip(lengths) {
        (*part, rest) = rest.split_at_checked(length)?;
    }
    let [key, issuer, app, token] = parts;
    let text = |bytes| core::str::from_utf8(bytes).ok();
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.set_issuer(&[text(issuer)?]);
    rules.set_audience(&[text(app)?]);
    rules.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
    rules.validate_nbf = true;
    let token = decode::<Claims>(token, &DecodingKey::from_ed_der(key), &rules).ok()?;
    Some(u64::from(token.claims.r#type == "license"))
}

#[derive(Deserialize)]
struct Claims {
    r#type: String,
}

/// The platform has no random source, and a check needs none.
fn no_randomness(_: &mut [u8]) -> Result<(), getrandom::Error> {
    Err(getrandom::Error::UNSUPPORTED)
}
getrandom::register_custom_getrandom!(no_randomness);
