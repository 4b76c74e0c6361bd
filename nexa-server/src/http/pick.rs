//! Header fields that must come once, picked out of a request in one pass.

use hyper::HeaderMap;
use hyper::header::HeaderValue;

/// The values of the fields called `names` (lower case), in their order.
///
/// One pass costs less than a look-up per name, which would hash each of them.
///
/// # Errors
/// The name of a field that came twice.
pub(crate) fn pick<'h, const N: usize>(
    headers: &'h HeaderMap,
    names: [&'static str; N],
) -> Result<[Option<&'h HeaderValue>; N], &'static str> {
    let mut picked = [None; N];
    for (name, value) in headers {
        let wanted = names
            .iter()
            .zip(&mut picked)
            .find(|(wanted, _)| **wanted == name.as_str());
        if let Some((wanted, place)) = wanted
            && place.replace(value).is_some()
        {
            return Err(wanted);
        }
    }
    Ok(picked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_once_and_in_the_order_asked_for() {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("h"));
        headers.insert("b", HeaderValue::from_static("2"));
        headers.insert("a", HeaderValue::from_static("1"));
        let picked = pick(&headers, ["a", "b", "c"])
            .map(|values| values.map(|v| v.and_then(|v| v.to_str().ok())));
        assert_eq!(picked, Ok([Some("1"), Some("2"), None]));
        headers.append("b", HeaderValue::from_static("2"));
        assert_eq!(pick(&headers, ["a", "b"]), Err("b"));
        assert!(
            pick(&headers, ["a"]).is_ok(),
            "only what is asked for counts"
        );
    }
}
