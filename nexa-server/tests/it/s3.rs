//! An object store that checks every signature by its own code (AWS Signature Version 4, in the query of a URL) and serves
//! what is signed for.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use ring::{digest, hmac};

/// Who may sign, and for which region.
#[derive(Clone, Copy)]
pub(crate) struct Signer<'a> {
    pub(crate) key_id: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) region: &'a str,
}

/// What a request shows of itself.
pub(crate) struct Shown<'a> {
    pub(crate) method: &'a str,
    /// Path and query, as they stand in the request.
    pub(crate) target: &'a str,
    /// Names in lower case.
    pub(crate) headers: &'a [(String, String)],
}

/// The signature's own characters (RFC 3986 §2.3); everything else is encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Whether a request is signed by that signer and in time; otherwise S3's code for why not.
///
/// As "Authenticating Requests: Using Query Parameters" of the S3 API reference has it.
pub(crate) fn check(
    request: &Shown<'_>,
    signer: &Signer<'_>,
    now_s: i64,
) -> Result<(), &'static str> {
    const MALFORMED: &str = "AuthorizationQueryParametersError";
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((request.target, ""));
    let decoded = |text: &str| {
        let text = percent_decode_str(text).decode_utf8();
        text.map(|text| text.into_owned()).map_err(|_| MALFORMED)
    };
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        pairs.push((decoded(name)?, decoded(value)?));
    }
    let one = |wanted: &str| {
        let mut found = pairs.iter().filter(|(name, _)| name == wanted);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Ok(value.as_str()),
            _ => Err(MALFORMED),
        }
    };
    if !query.contains("X-Amz-Signature=") {
        return Err("AccessDenied");
    }
    let (signature, date) = (one("X-Amz-Signature")?, one("X-Amz-Date")?);
    let (expires, names) = (one("X-Amz-Expires")?, one("X-Amz-SignedHeaders")?);
    if one("X-Amz-Algorithm")? != "AWS4-HMAC-SHA256" {
        return Err(MALFORMED);
    }
    let signed_at = DateTime::strptime("%Y%m%dT%H%M%SZ", date)
        .and_then(|date| date.to_zoned(TimeZone::UTC))
        .map_err(|_| MALFORMED)?;
    let expires_s: i64 = expires.parse().map_err(|_| MALFORMED)?;
    if !(1..=604_800).contains(&expires_s) {
        return Err(MALFORMED);
    }
    let day = &date[..8];
    let scope = format!("{day}/{}/s3/aws4_request", signer.region);
    if one("X-Amz-Credential")? != format!("{}/{scope}", signer.key_id) {
        return Err("InvalidAccessKeyId");
    }
    // 15 minutes for clocks that are apart.
    let age_s = now_s - signed_at.timestamp().as_second();
    if !(-900..expires_s).contains(&age_s) {
        return Err("AccessDenied");
    }

    let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let parts: Result<Vec<String>, _> = path
        .split('/')
        .map(|part| decoded(part).map(|part| encoded(&part)))
        .collect();
    let mut signed_pairs: Vec<_> = (pairs.iter())
        .filter(|(name, _)| name != "X-Amz-Signature")
        .map(|(name, value)| (encoded(name), encoded(value)))
        .collect();
    signed_pairs.sort();
    let signed_query: Vec<String> = (signed_pairs.iter())
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut headers = String::new();
    if !names.split(';').any(|name| name == "host") {
        return Err(MALFORMED);
    }
    for wanted in names.split(';') {
        let values: Vec<&str> = (request.headers.iter())
            .filter(|(name, _)| name == wanted)
            .map(|(_, value)| value.trim())
            .collect();
        headers.push_str(&format!("{wanted}:{}\n", values.join(",")));
    }
    let canonical = format!(
        "{}\n{}\n{}\n{headers}\n{names}\nUNSIGNED-PAYLOAD",
        request.method,
        parts?.join("/"),
        signed_query.join("&"),
    );
    let digest = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}");
    let key = [day, signer.region, "s3", "aws4_request"].iter().fold(
        format!("AWS4{}", signer.secret).into_bytes(),
        |key, part| mac(&key, part),
    );
    match hex(&mac(&key, &to_sign)) == signature {
        true => Ok(()),
        false => Err("SignatureDoesNotMatch"),
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The store, on a port of its own until it is dropped.
pub(crate) struct ObjectServer {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// By path.
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    /// How far its clock is ahead.
    ahead_s: AtomicI64,
    is_over: AtomicBool,
}

impl ObjectServer {
    pub(crate) const SIGNER: Signer<'static> = Signer {
        key_id: "AKIDTESTTESTTEST",
        secret: "hidden/secret+of/the0object0store",
        region: "eu-test-1",
    };

    /// With these objects, by bucket and key.
    pub(crate) fn start(objects: &[(&str, &[u8])]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        for (path, bytes) in objects {
            let mut kept = state.objects.lock().unwrap();
            kept.insert(format!("/{path}"), bytes.to_vec());
        }
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.is_over.load(Ordering::SeqCst) {
                    return;
                }
                // A client that goes away ends its conversation, and nothing else.
                let _ = serve(stream.unwrap(), &shared);
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The variables that point a server here, to one bucket.
    pub(crate) fn environment(&self, bucket: &str) -> Vec<(&'static str, String)> {
        let signer = Self::SIGNER;
        vec![
            ("NEXA_S3_ENDPOINT", self.url()),
            ("NEXA_S3_BUCKET", bucket.to_owned()),
            ("NEXA_S3_REGION", signer.region.to_owned()),
            ("NEXA_S3_ACCESS_KEY_ID", signer.key_id.to_owned()),
            ("NEXA_S3_SECRET_ACCESS_KEY", signer.secret.to_owned()),
        ]
    }

    /// From now on, its clock is so far ahead.
    pub(crate) fn set_ahead(&self, seconds: i64) {
        self.state.ahead_s.store(seconds, Ordering::SeqCst);
    }
}

impl Drop for ObjectServer {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        // Wakes the one that waits for a connection.
        let _ = TcpStream::connect(self.address);
    }
}

/// Answers one request.
fn serve(mut stream: TcpStream, state: &State) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let mut headers = Vec::new();
    for line in lines {
        let line = line?;
        match line.split_once(':') {
            Some((name, value)) => {
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
            None => break,
        }
    }
    let mut words = first.split(' ');
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let shown = Shown {
        method,
        target,
        headers: &headers,
    };
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now_s = i64::try_from(since_epoch.unwrap().as_secs()).unwrap();
    let now_s = now_s + state.ahead_s.load(Ordering::SeqCst);
    let (path, _) = target.split_once('?').unwrap_or((target, ""));
    let path = percent_decode_str(path).decode_utf8_lossy();
    let objects = state.objects.lock().unwrap();
    let (status, body) = match (
        check(&shown, &ObjectServer::SIGNER, now_s),
        objects.get(&*path),
    ) {
        (Err(code), _) => ("403 Forbidden", code.as_bytes()),
        (Ok(()), None) => ("404 Not Found", &b"NoSuchKey"[..]),
        (Ok(()), Some(bytes)) => ("200 OK", bytes.as_slice()),
    };
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}

/// The published example: "GET Object" of "Authenticating Requests: Using Query Parameters".
const EXAMPLE: &str = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
     &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
     &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
     &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";

/// Its signer, and the second of its date.
const EXAMPLE_SIGNER: Signer<'static> = Signer {
    key_id: "AKIAIOSFODNN7EXAMPLE",
    secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    region: "us-east-1",
};
const EXAMPLE_DATE_S: i64 = 1_369_353_600;

fn check_example(method: &str, target: &str, host: &str, now_s: i64) -> Result<(), &'static str> {
    let shown = Shown {
        method,
        target,
        headers: &[("host".to_owned(), host.to_owned())],
    };
    check(&shown, &EXAMPLE_SIGNER, now_s)
}

#[test]
fn the_published_example_is_signed_and_nothing_beside_it() {
    let host = "examplebucket.s3.amazonaws.com";
    for (after_s, expected) in [
        (0, Ok(())),
        (86_399, Ok(())),
        (86_400, Err("AccessDenied")),
        (-900, Ok(())),
        (-901, Err("AccessDenied")),
    ] {
        let checked = check_example("GET", EXAMPLE, host, EXAMPLE_DATE_S + after_s);
        assert_eq!(checked, expected, "after {after_s} s");
    }
    // The order of the query says nothing.
    let (path, query) = EXAMPLE.split_once('?').unwrap();
    let mut pairs: Vec<&str> = query.split('&').collect();
    pairs.reverse();
    let turned = format!("{path}?{}", pairs.join("&"));
    assert_eq!(check_example("GET", &turned, host, EXAMPLE_DATE_S), Ok(()));
    for (from, to, code) in [
        ("/test.txt", "/test2.txt", "SignatureDoesNotMatch"),
        ("Expires=86400", "Expires=86401", "SignatureDoesNotMatch"),
        ("T000000Z", "T000001Z", "SignatureDoesNotMatch"),
        ("f604d404", "f604d405", "SignatureDoesNotMatch"),
        (
            "?",
            "?response-content-type=text%2Fhtml&",
            "SignatureDoesNotMatch",
        ),
        ("us-east-1", "us-east-2", "InvalidAccessKeyId"),
        ("7EXAMPLE", "8EXAMPLE", "InvalidAccessKeyId"),
        (
            "Expires=86400",
            "Expires=604801",
            "AuthorizationQueryParametersError",
        ),
        (
            "Expires=86400",
            "Expires=86400&X-Amz-Expires=86400",
            "AuthorizationQueryParametersError",
        ),
        (
            "SignedHeaders=host",
            "SignedHeaders=date",
            "AuthorizationQueryParametersError",
        ),
        ("&X-Amz-Signature=", "&X-Amz-Seal=", "AccessDenied"),
    ] {
        let changed = EXAMPLE.replacen(from, to, 1);
        assert_ne!(changed, EXAMPLE);
        assert_eq!(
            check_example("GET", &changed, host, EXAMPLE_DATE_S),
            Err(code),
            "{from} to {to}"
        );
    }
    let refused = Err("SignatureDoesNotMatch");
    assert_eq!(check_example("PUT", EXAMPLE, host, EXAMPLE_DATE_S), refused);
    let others = "otherbucket.s3.amazonaws.com";
    assert_eq!(
        check_example("GET", EXAMPLE, others, EXAMPLE_DATE_S),
        refused
    );
}
