//! The media types of a request's body, and of the answer it wants.

use hyper::HeaderMap;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};

use super::extract::BadInput;
use super::json::clip;

pub(super) const JSON: &str = "application/json";
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// Accepts one `Content-Type` that is one of `wanted`, with no charset but UTF-8; answers which one.
///
/// # Errors
/// [`BadInput::MediaType`] for anything else: none, another type, `+json`, or several.
pub(super) fn require(
    headers: &HeaderMap,
    wanted: &'static [&'static str],
) -> Result<&'static str, BadInput> {
    let mut sent = headers.get_all(CONTENT_TYPE).iter();
    let first = sent.next();
    let is_only = sent.next().is_none();
    let accepted = first
        .filter(|_| is_only)
        .and_then(|value| wanted.iter().find(|wanted| is(value, wanted)));
    accepted.copied().ok_or_else(|| BadInput::MediaType {
        wanted: wanted.join(" or "),
        found: first.map(|value| clip(&String::from_utf8_lossy(value.as_bytes())).into_owned()),
    })
}

/// Whether `Accept` names exactly this media type.
pub(crate) fn is_accepted(headers: &HeaderMap, media_type: &str) -> bool {
    let accepted = headers.get_all(ACCEPT).iter();
    accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|range| range.trim().eq_ignore_ascii_case(media_type))
}

fn is(value: &HeaderValue, wanted: &str) -> bool {
    let Ok(value) = value.to_str() else {
        return false;
    };
    let mut parts = value.split(';').map(str::trim);
    let is_type = parts
        .next()
        .is_some_and(|name| name.eq_ignore_ascii_case(wanted));
    is_type
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => charset
                .trim()
                .trim_matches('"')
                .eq_ignore_ascii_case("utf-8"),
            Some(_) => true,
            None => parameter.is_empty(),
        })
}
