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

/// Whether `Accept` names exactly this media type, with any quality but 0.
pub(crate) fn is_accepted(headers: &HeaderMap, media_type: &str) -> bool {
    quality(headers, media_type).is_some_and(|quality| quality > 0)
}

/// Whether `Accept` names exactly this media type and ranks it above JSON, or as high where it does not name JSON
/// (RFC 9110 section 12.5.1).
pub(crate) fn is_preferred_to_json(headers: &HeaderMap, media_type: &str) -> bool {
    let json = quality(headers, JSON);
    let json_at_least = json
        .or_else(|| quality(headers, "application/*"))
        .or_else(|| quality(headers, "*/*"))
        .unwrap_or(0);
    match quality(headers, media_type) {
        None | Some(0) => false,
        Some(wanted) if json.is_some() => wanted > json_at_least,
        Some(wanted) => wanted >= json_at_least,
    }
}

/// The quality of a range of `Accept` in thousandths; `None` when it is not there. Where it stands twice, the lower one
/// counts; one that is malformed is 0.
fn quality(headers: &HeaderMap, range: &str) -> Option<u16> {
    let accepted = headers.get_all(ACCEPT).iter();
    accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|accepted| {
            let mut parts = accepted.split(';').map(str::trim);
            let is_it = parts.next()?.eq_ignore_ascii_case(range);
            is_it.then(|| {
                let parameters = parts.filter_map(|parameter| parameter.split_once('='));
                parameters
                    .filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
                    .map(|(_, value)| thousandths(value.trim()).unwrap_or(0))
                    .min()
                    .unwrap_or(1_000)
            })
        })
        .min()
}

/// A quality value (RFC 9110 section 12.4.2): 0 to 1 with at most three decimals.
fn thousandths(value: &str) -> Option<u16> {
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    let is_decimal = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    let decimals: u16 = format!("{decimals:0<3}")
        .parse()
        .ok()
        .filter(|_| is_decimal)?;
    match (whole, decimals) {
        ("0", decimals) => Some(decimals),
        ("1", 0) => Some(1_000),
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: &str = "application/revocations+jwt";

    fn accepting(values: &[&str]) -> HeaderMap {
        let values = values.iter().map(|value| {
            let value = value.replace("WANTED", WANTED);
            (ACCEPT, HeaderValue::try_from(value).unwrap())
        });
        values.collect()
    }

    #[test]
    fn the_other_form_is_for_those_who_rank_it_above_json() {
        for (accept, is_named, is_preferred) in [
            (&[][..], false, false),
            (&["*/*"], false, false),
            (&["application/*"], false, false),
            (&["WANTED"], true, true),
            (&["Application/Revocations+JWT ; Q=1.000"], true, true),
            (&["WANTED;q=0.1"], true, true),
            (&["WANTED;q=0.001"], true, true),
            (&["WANTED;q=0"], false, false),
            (&["WANTED;q=0.000"], false, false),
            (&["application/json, WANTED;q=0"], false, false),
            (&["application/json, WANTED;q=0.1"], true, false),
            (&["application/json, WANTED"], true, false),
            (&["application/json;q=0.9, WANTED"], true, true),
            (&["application/json;q=0.9", "WANTED"], true, true),
            (&["application/json;q=0, WANTED;q=0.1"], true, true),
            (&["WANTED, */*"], true, true),
            (&["WANTED, application/*;q=0.5, */*"], true, true),
            (&["WANTED;q=0.5, */*"], true, false),
            (&["WANTED;q=0.5, application/*;q=0.4, */*"], true, true),
            (&["WANTED, WANTED;q=0"], false, false),
            (&["WANTED;level=1;q=0"], false, false),
            (&["WANTED;q=2"], false, false),
            (&["WANTED;q=1.001"], false, false),
            (&["WANTED;q=0.1234"], false, false),
            (&["WANTED;q=1.65000"], false, false),
            (&["WANTED;q=-0.5"], false, false),
            (&["WANTED;q=0.+5"], false, false),
            (&["WANTED;q="], false, false),
        ] {
            let headers = accepting(accept);
            let found = (
                is_accepted(&headers, WANTED),
                is_preferred_to_json(&headers, WANTED),
            );
            assert_eq!(found, (is_named, is_preferred), "{accept:?}");
        }
    }
}
