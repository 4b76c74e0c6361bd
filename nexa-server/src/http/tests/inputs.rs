//! Typed inputs: what is read, and what a client is told when it cannot be.

use hyper::Request;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::super::extract::{
    BadInput, Body, Extract, Form, FormOrBody, Input, OptionalBody, Path, Query,
};
use super::super::router::Params;
use super::*;

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Issue {
    app_id: String,
    device: Device,
    #[serde(default)]
    ttl_days: Option<u8>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    kind: Option<Kind>,
    #[serde(default)]
    even: Option<Even>,
    #[serde(default)]
    price: Option<f64>,
    #[serde(default)]
    is_test: bool,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
struct Device {
    fingerprint: String,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Trial,
    Paid,
}

#[derive(Debug, JsonSchema, PartialEq)]
struct Even(u32);

impl<'de> Deserialize<'de> for Even {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(source)?;
        match number.is_multiple_of(2) {
            true => Ok(Self(number)),
            false => Err(serde::de::Error::custom("must be even")),
        }
    }
}

/// Extracts from a request with these parts.
fn extract<I: Extract>(target: &str, media_type: &[&str], body: &[u8]) -> Result<I, BadInput> {
    let mut request = Request::builder().method("POST").uri(target);
    for value in media_type {
        request = request.header("content-type", *value);
    }
    let (head, ()) = request.body(()).unwrap().into_parts();
    let router = Router::new(std::iter::once((None, "/{name}"))).unwrap();
    let params = match router.find(&head.method, head.uri.path()) {
        Found::Row { params, .. } => params,
        Found::WrongMethod { .. } | Found::Missing => Params::default(),
    };
    let body = Bytes::copy_from_slice(body);
    I::extract(&Input {
        head: &head,
        body: &body,
        params: &params,
    })
}

fn sentence<T: std::fmt::Debug>(result: Result<T, BadInput>) -> String {
    result.map_or_else(|bad| bad.sentence(), |value| format!("{value:?}"))
}

fn body(text: impl AsRef<[u8]>) -> Result<Issue, BadInput> {
    extract::<Body<Issue>>("/", &["application/json"], text.as_ref()).map(|Body(issue)| issue)
}

#[test]
fn a_good_body_is_read_and_what_is_unknown_ignored() {
    let text = r#" {"appId": "a\u0062", "device": {"fingerprint": "f", "x": [1, {"y": null}]},
        "ttlDays": 30, "scopes": ["r"], "kind": "paid", "even": 2, "price": -1.5e2, "zzz": true} "#;
    let issue = body(text).unwrap();
    assert_eq!(issue.app_id, "ab");
    assert_eq!(
        (issue.ttl_days, issue.kind, issue.even),
        (Some(30), Some(Kind::Paid), Some(Even(2)))
    );
    assert_eq!((issue.price, issue.is_test), (Some(-150.0), false));
}

#[test]
fn a_fault_in_a_body_names_its_place() {
    let with = |member: &str| format!(r#"{{"appId":"a","device":{{"fingerprint":"f"}},{member}}}"#);
    let deep = with(&format!("\"x\":{}{}", "[".repeat(500), "]".repeat(500)));
    for (text, expected) in [
        ("{}".to_owned(), "appId: required"),
        (r#"{"appId":"a"}"#.to_owned(), "device: required"),
        (
            r#"{"appId":"a","device":{}}"#.to_owned(),
            "device.fingerprint: required",
        ),
        (
            r#"{"appId":"a","device":{"fingerprint":5}}"#.to_owned(),
            "device.fingerprint: must be a string",
        ),
        (
            r#"{"appId":"a","device":{"fingerprint":null}}"#.to_owned(),
            "device.fingerprint: must be a string",
        ),
        (
            r#"{"appId":"a","device":"f"}"#.to_owned(),
            "device: must be an object",
        ),
        (
            r#"{"appId":["hunter2"],"device":{}}"#.to_owned(),
            "appId: must be a string",
        ),
        (
            with(r#""ttlDays":"30""#),
            "ttlDays: must be a whole number from 0 to 255",
        ),
        (
            with(r#""ttlDays":256"#),
            "ttlDays: must be a whole number from 0 to 255",
        ),
        (
            with(r#""ttlDays":-1"#),
            "ttlDays: must be a whole number from 0 to 255",
        ),
        (
            with(r#""ttlDays":1.5"#),
            "ttlDays: must be a whole number from 0 to 255",
        ),
        (with(r#""scopes":"r""#), "scopes: must be an array"),
        (with(r#""scopes":["r",{}]"#), "scopes[1]: must be a string"),
        (
            with(r#""kind":", expected hunter2""#),
            "kind: must be trial or paid",
        ),
        (with(r#""price":[]"#), "price: must be a number"),
        (
            with(r#""kind":7"#),
            "kind: must be one of the documented values",
        ),
        (with(r#""even":3"#), "even: must be even"),
        (with(r#""price":"1""#), "price: must be a number"),
        (with(r#""isTest":1"#), "isTest: must be a boolean"),
        (with(r#""appId":"b""#), "appId: appears twice"),
        (with(r#""x":1,"x":2"#), "x: appears twice"),
        (
            with(r#""x":{"y":[0,{"z":1,"\u007a":2}]}"#),
            "x.y[1].z: appears twice",
        ),
        ("[]".to_owned(), "body: must be an object"),
        ("\"text\"".to_owned(), "body: must be an object"),
        ("null".to_owned(), "body: must be an object"),
        (String::new(), "body: not valid JSON: it ends too early"),
        ("{".to_owned(), "body: not valid JSON: it ends too early"),
        (with(r#""x":1"#) + "x", "body: not valid JSON at byte 48"),
        (with(r#""x":1"#) + " {}", "body: not valid JSON at byte 49"),
        ("{'appId':1}".to_owned(), "body: not valid JSON at byte 1"),
        (
            "{\n \"a\": 01}".to_owned(),
            "body: not valid JSON at byte 9",
        ),
        ("{\"a\": 1,}".to_owned(), "body: not valid JSON at byte 8"),
        ("{\"a\": NaN}".to_owned(), "body: not valid JSON at byte 6"),
        (
            "{\"a\": 1e999}".to_owned(),
            "body: not valid JSON at byte 10",
        ),
        ("\u{feff}{}".to_owned(), "body: not valid JSON at byte 0"),
        (deep, "body: nested too deeply"),
    ] {
        let bad = body(&text).unwrap_err();
        assert_eq!(bad.sentence(), expected, "{text}");
        assert_eq!(bad.status(), 400);
    }
    assert_eq!(
        sentence(body(b"{\"a\": \"\xff\"}")),
        "body: not UTF-8 at byte 7"
    );
    assert_eq!(
        sentence(body(b"{\"a\": \"\\ud800\"}")),
        "body: not valid JSON at byte 13"
    );
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
struct Nest {
    #[serde(default)]
    one: Option<Device>,
    #[serde(default)]
    many: Vec<Device>,
    #[serde(default)]
    named: std::collections::BTreeMap<String, Device>,
    #[serde(default)]
    boxed: Option<Box<Nest>>,
    #[serde(default)]
    wrapped: Option<Wrapped>,
    #[serde(default)]
    pair: Option<(u8, Device)>,
    #[serde(default)]
    choice: Option<Choice>,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
struct Wrapped(Device);

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Choice {
    Plain,
    Inner(Device),
    Fields { fingerprint: String },
}

#[test]
fn an_array_is_no_object_at_any_depth() {
    let read = |text: &str| {
        extract::<Body<Nest>>("/", &["application/json"], text.as_bytes()).map(|Body(nest)| nest)
    };
    let device = r#"{"fingerprint":"f"}"#;
    for (shape, place) in [
        (r#"{"one":@}"#, "one"),
        (r#"{"many":[@]}"#, "many[0]"),
        (r#"{"named":{"a":@}}"#, "named.a"),
        (r#"{"boxed":{"boxed":{"one":@}}}"#, "boxed.boxed.one"),
        (r#"{"wrapped":@}"#, "wrapped"),
        (r#"{"pair":[1,@]}"#, "pair[1]"),
        (r#"{"choice":{"inner":@}}"#, "choice"),
        (r#"{"choice":{"fields":@}}"#, "choice"),
    ] {
        assert!(read(&shape.replace('@', device)).is_ok(), "{shape}");
        let told = sentence(read(&shape.replace('@', r#"["f"]"#)));
        assert_eq!(told, format!("{place}: must be an object"), "{shape}");
    }
    for (text, told) in [
        (r#"[null,[],{}]"#, "body: must be an object"),
        (r#"{"named":[["a","b"]]}"#, "named: must be an object"),
        (r#"{"boxed":[]}"#, "boxed: must be an object"),
        (r#"{"many":{}}"#, "many: must be an array"),
        (r#"{"pair":{}}"#, "pair: must be an array"),
        (
            r#"{"choice":["plain"]}"#,
            "choice: must be one of the documented values",
        ),
        (
            r#"{"choice":{"plain":null,"inner":{}}}"#,
            "choice: must be one of the documented values",
        ),
    ] {
        assert_eq!(sentence(read(text)), told, "{text}");
    }
    let plain = read(r#"{"choice":"plain"}"#).unwrap();
    assert_eq!(plain.choice, Some(Choice::Plain));
    assert_eq!(
        sentence(body(r#"["a",{"fingerprint":"f"},null,[]]"#)),
        "body: must be an object"
    );
}

#[test]
fn a_body_of_countless_values_is_refused() {
    // The object, the array, and what is in it.
    let read = |items: usize| {
        let zeros = vec!["0"; items].join(",");
        let text = format!(r#"{{"fingerprint":"f","x":[{zeros}]}}"#);
        sentence(extract::<Body<Device>>(
            "/",
            &["application/json"],
            text.as_bytes(),
        ))
    };
    assert!(read(16_384 - 3).starts_with("Body("));
    assert_eq!(read(16_384 - 2), "body: holds too many values");
}

/// What was sent may be a secret, and what it is read into is nobody's business.
#[test]
fn a_fault_repeats_no_value_and_names_no_type() {
    for text in [
        r#"{"appId":{"hunter2":1},"device":{}}"#,
        r#"{"appId":"a","device":{"fingerprint":"f"},"kind":"hunter2"}"#,
        r#"{"appId":"a","device":{"fingerprint":"f"},"ttlDays":"hunter2"}"#,
        r#"{"appId":"a","device":{"fingerprint":"f"},"even":"hunter2"}"#,
        r#"{"appId":"a","device":"hunter2"}"#,
        r#""hunter2""#,
    ] {
        let told = sentence(body(text));
        for word in [
            "hunter2", "struct", "Issue", "Device", "Kind", "u32", "line", "column", "`",
        ] {
            assert!(!told.contains(word), "{told}");
        }
    }
}

#[test]
fn what_is_repeated_to_the_client_is_cut() {
    let name = "é".repeat(5_000);
    let told = sentence(body(format!(r#"{{"{name}":1,"{name}":2}}"#)));
    assert_eq!(told, format!("{}…: appears twice", "é".repeat(100)));
    let media = "x".repeat(5_000);
    let bad = extract::<Body<Issue>>("/", &[&media], b"{}").unwrap_err();
    assert!(bad.sentence().len() < 200);
}

#[test]
fn the_media_type_must_be_json_in_utf_8() {
    let good = r#"{"appId":"a","device":{"fingerprint":"f"}}"#.as_bytes();
    for media in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
        "application/json; profile=x",
        "application/json;",
    ] {
        assert!(
            extract::<Body<Issue>>("/", &[media], good).is_ok(),
            "{media}"
        );
    }
    for (media, told) in [
        (&[][..], "Content-Type: must be application/json"),
        (
            &["text/plain"],
            "Content-Type: must be application/json, not text/plain",
        ),
        (
            &["application/problem+json"],
            "Content-Type: must be application/json, not application/problem+json",
        ),
        (
            &["application/json; charset=latin1"],
            "Content-Type: must be application/json, not application/json; charset=latin1",
        ),
        (
            &["application/jsonp"],
            "Content-Type: must be application/json, not application/jsonp",
        ),
        (
            &["application/json", "application/json"],
            "Content-Type: must be application/json, not application/json",
        ),
        (
            &["application/json, text/plain"],
            "Content-Type: must be application/json, not application/json, text/plain",
        ),
    ] {
        let bad = extract::<Body<Issue>>("/", media, good).unwrap_err();
        assert_eq!(
            (bad.sentence().as_str(), bad.status().as_u16()),
            (told, 415)
        );
    }
}

#[test]
fn an_optional_body_may_be_left_out_but_not_be_wrong() {
    let read = |media: &[&str], text: &str| {
        extract::<OptionalBody<Device>>("/", media, text.as_bytes()).map(|OptionalBody(body)| body)
    };
    assert_eq!(read(&[], ""), Ok(None));
    assert_eq!(read(&["text/plain"], ""), Ok(None));
    assert!(
        read(&["application/json"], r#"{"fingerprint":"f"}"#)
            .unwrap()
            .is_some()
    );
    assert_eq!(read(&[], "{}").unwrap_err().status(), 415);
    assert_eq!(
        sentence(read(&["application/json"], "{}")),
        "fingerprint: required"
    );
    assert_eq!(
        sentence(read(&["application/json"], " ")),
        "body: not valid JSON: it ends too early"
    );
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
struct Page {
    limit: u8,
    #[serde(default)]
    before: Option<String>,
    #[serde(default)]
    kind: Option<Kind>,
    #[serde(default)]
    even: Option<Even>,
    #[serde(default)]
    is_test: Option<bool>,
}

#[test]
fn a_query_is_read_by_its_names() {
    let read = |query: &str| {
        extract::<Query<Page>>(&format!("/?{query}"), &[], b"").map(|Query(page)| page)
    };
    let page = read("limit=5&before=a+b%26%C3%A9&kind=paid&even=4&is_test=true&other=1&&").unwrap();
    let before = Some("a b&é".to_owned());
    let expected = Page {
        limit: 5,
        before,
        kind: Some(Kind::Paid),
        even: Some(Even(4)),
        is_test: Some(true),
    };
    assert_eq!(page, expected);
    assert_eq!(read("limit=5&before").unwrap().before.as_deref(), Some(""));
    let many: String = (0..101).map(|number| format!("n{number}&")).collect();
    for (query, expected) in [
        ("", "limit: required"),
        ("limit=", "limit: must be a whole number from 0 to 255"),
        (
            "limit=hunter2",
            "limit: must be a whole number from 0 to 255",
        ),
        ("limit=256", "limit: must be a whole number from 0 to 255"),
        ("limit=-1", "limit: must be a whole number from 0 to 255"),
        ("limit=+1", "limit: must be a whole number from 0 to 255"),
        (
            "limit=1;before=2",
            "limit: must be a whole number from 0 to 255",
        ),
        ("limit=1&limit=1", "limit: appears twice"),
        ("limit=1&x=1&%78=2", "x: appears twice"),
        ("limit=1&before=%", "before: not percent-encoded UTF-8"),
        ("limit=1&before=%4", "before: not percent-encoded UTF-8"),
        ("limit=1&before=%ff", "before: not percent-encoded UTF-8"),
        ("limit=1&unknown=%zz", "unknown: not percent-encoded UTF-8"),
        ("limit=1&%zz=1", "query: not percent-encoded UTF-8"),
        ("limit=1&kind=hunter2", "kind: must be one of trial, paid"),
        ("limit=1&even=3", "even: must be even"),
        ("limit=1&is_test=1", "is_test: must be true or false"),
        (&many, "query: too many parameters"),
    ] {
        let bad = read(query).unwrap_err();
        assert_eq!(
            (bad.sentence().as_str(), bad.status().as_u16()),
            (expected, 400),
            "{query}"
        );
    }
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
struct Named {
    name: String,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
struct Numbered {
    #[serde(rename = "name")]
    number: Even,
}

#[test]
fn a_path_is_read_by_its_names() {
    let Path(Named { name }) = extract::<Path<Named>>("/a%20b", &[], b"").unwrap();
    assert_eq!(name, "a b");
    assert_eq!(
        extract::<Path<Numbered>>("/76", &[], b"").unwrap().0.number,
        Even(76)
    );
    for (told, expected) in [
        (
            sentence(extract::<Path<Numbered>>("/x", &[], b"")),
            "name: must be a whole number from 0 to 4294967295",
        ),
        (
            sentence(extract::<Path<Numbered>>("/7", &[], b"")),
            "name: must be even",
        ),
        (
            sentence(extract::<Path<Page>>("/7", &[], b"")),
            "limit: required",
        ),
    ] {
        assert_eq!(told, expected);
    }
}

#[test]
fn a_form_is_read_by_its_names_and_values_left_out_are_none() {
    const FORM: &str = "application/x-www-form-urlencoded";
    let read = |text: &[u8]| {
        extract::<Form<Page>>("/", &[FORM], text).map(|Form(page)| (page.limit, page.before))
    };
    assert_eq!(
        read(b"limit=5&before=a+b%26%C3%A9&other=1&&"),
        Ok((5, Some("a b&\u{e9}".to_owned())))
    );
    assert_eq!(read(b"limit=5&before=&kind="), Ok((5, None)));
    for (text, expected) in [
        (&b""[..], "limit: required"),
        (b"limit=", "limit: required"),
        (b"limit=5&limit=5", "limit: appears twice"),
        (b"limit=&limit=5", "limit: appears twice"),
        (b"limit=x", "limit: must be a whole number from 0 to 255"),
        (b"limit=5&a=%zz", "a: not percent-encoded UTF-8"),
        (b"limit=5&a=%ff", "a: not percent-encoded UTF-8"),
        (b"limit=5&a=\xff", "body: not UTF-8 at byte 10"),
        (br#"{"limit":5}"#, "limit: required"),
    ] {
        let bad = read(text).unwrap_err();
        let expected = (expected.to_owned(), 400);
        assert_eq!(
            (bad.sentence(), bad.status().as_u16()),
            expected,
            "{text:?}"
        );
    }
    let json = extract::<Form<Page>>("/", &["application/json"], b"limit=5");
    assert_eq!(
        sentence(json.map(|_| "read")),
        "Content-Type: must be application/x-www-form-urlencoded, not application/json"
    );
}

#[test]
fn a_form_or_a_body_is_read_as_what_it_says_it_is() {
    const FORM: &str = "application/x-www-form-urlencoded; charset=UTF-8";
    let read = |media: &[&str], text: &str| {
        let read = extract::<FormOrBody<Device>>("/", media, text.as_bytes());
        sentence(read.map(|FormOrBody(device)| device.fingerprint))
    };
    let json = r#"{"fingerprint":"f"}"#;
    assert_eq!(read(&["application/json"], json), "\"f\"");
    assert_eq!(read(&[FORM], "fingerprint=f"), "\"f\"");
    assert_eq!(read(&[FORM], json), "fingerprint: required");
    assert!(read(&["application/json"], "fingerprint=f").starts_with("body: "));
    const WANTED: &str =
        "Content-Type: must be application/x-www-form-urlencoded or application/json";
    assert_eq!(read(&[], json), WANTED);
    assert_eq!(
        read(&["text/plain"], json),
        format!("{WANTED}, not text/plain")
    );
}

#[test]
fn the_first_fault_of_several_inputs_wins() {
    type Both = (Path<Numbered>, Body<Device>, Query<Page>);
    let told = |target, text: &str| {
        let result = extract::<Both>(target, &["application/json"], text.as_bytes());
        sentence(result.map(|_| "read"))
    };
    assert_eq!(
        told("/x", "{}"),
        "name: must be a whole number from 0 to 4294967295"
    );
    assert_eq!(told("/2", "{}"), "fingerprint: required");
    assert_eq!(told("/2", r#"{"fingerprint":"f"}"#), "limit: required");
    assert_eq!(told("/2?limit=1", r#"{"fingerprint":"f"}"#), "\"read\"");
}
