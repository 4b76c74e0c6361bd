//! `RateLimit` and `RateLimit-Policy`: what the limit of the caller's key has left
//! (draft-ietf-httpapi-ratelimit-headers-10).

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

use crate::domain::key_usage::RateState;

/// Adds both fields.
pub(crate) fn show(headers: &mut HeaderMap, state: RateState) {
    let RateState {
        rate,
        remaining,
        resets_in_s,
        ..
    } = state;
    let fields = [
        (
            "ratelimit-policy",
            format!("\"key\";q={};w={}", rate.limit, rate.window_s),
        ),
        (
            "ratelimit",
            format!("\"key\";r={remaining};t={resets_in_s}"),
        ),
    ];
    for (name, value) in fields {
        let value =
            HeaderValue::try_from(value).expect("quotes, letters and digits are visible ASCII");
        headers.insert(HeaderName::from_static(name), value);
    }
}
