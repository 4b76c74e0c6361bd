//! The interface as a caller in another language sees it: through its pointers.

mod limits;
mod longest;
mod misuse;
mod notices;
mod vectors;

use core::ffi::{CStr, c_char};
use core::mem::MaybeUninit;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::Value;

use crate::client::{Client, nexa_client_init_keys};
use crate::expectations::{Component, DeviceCheck, Expectations, Text};
use crate::report::{Report, nexa_report_code, nexa_report_json};
use crate::status::{Problem, Status};
use crate::verifier::{Verifier, nexa_verifier_init};

const ISSUER: &str = "https://licenses.example";
const APP: &str = "editor";
const ISSUED_AT: u64 = 1_795_230_000;
/// A salt, and what is no hash of anything there with it: 16 and 8 bytes.
const SALT: &str = "AAAAAAAAAAAAAAAAAAAAAA";
const HASH: &str = "AAAAAAAAAAA";

fn text(text: &str) -> Text {
    Text {
        at: text.as_ptr().cast(),
        bytes: text.len(),
    }
}

/// What a licence has to be of; without components the device is left out.
fn expectations(device: Option<&[Component]>) -> Expectations {
    let components = device.unwrap_or_default();
    Expectations {
        issuer: text(ISSUER),
        audience: text(APP),
        components: components.as_ptr(),
        component_count: components.len(),
        device: match device {
            Some(_) => DeviceCheck::Components as u32,
            None => DeviceCheck::NotChecked as u32,
        },
        max_lifetime_s: 0,
    }
}

/// Memory as a caller has it: nobody has written there yet.
fn memory<T>() -> Box<MaybeUninit<T>> {
    Box::new(MaybeUninit::uninit())
}

fn problem() -> Problem {
    Problem {
        code: [1; 48],
        message: [1; 208],
    }
}

fn c_text(text: *const c_char) -> String {
    // SAFETY: the library's texts end with a zero byte and stand in an object that is alive.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().unwrap().to_owned()
}

fn json(report: &MaybeUninit<Report>) -> Value {
    // SAFETY: a check has written to the report.
    let text = unsafe { nexa_report_json(report.as_ptr()) };
    serde_json::from_str(&c_text(text)).unwrap()
}

fn code(report: &MaybeUninit<Report>) -> String {
    // SAFETY: a check has written to the report.
    c_text(unsafe { nexa_report_code(report.as_ptr()) })
}

/// What a call answered: its status, and the code and the message of its problem.
type Answer = (Status, String, String);

/// Makes a call with a problem that nobody has written to before.
fn answer(call: impl FnOnce(*mut Problem) -> Status) -> Answer {
    let mut problem = problem();
    let status = call(&raw mut problem);
    let [code, message] = [problem.code.as_ptr(), problem.message.as_ptr()].map(c_text);
    assert_eq!(code.is_empty(), status == Status::Ok, "{code}");
    assert_eq!(message.is_empty(), status == Status::Ok, "{message}");
    (status, code, message)
}

fn assert_answer(answer: &Answer, status: Status, code: &str, message: &str) {
    let found = (answer.0, answer.1.as_str(), answer.2.as_str());
    assert_eq!(found, (status, code, message));
}

fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn kid() -> String {
    let key = verify::VerificationKey::from_bytes(&signing_key().verifying_key().to_bytes());
    key.unwrap().kid().to_owned()
}

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    let mut text = vec![0; bytes.as_ref().len() * 2 + 4];
    let length = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text).unwrap();
    text.truncate(length);
    String::from_utf8(text).unwrap()
}

fn jwks() -> String {
    let x = base64url(signing_key().verifying_key().to_bytes());
    format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}]}}"#)
}

/// Signs a payload as it stands, under the shortest header that there is.
fn signed(payload: &str) -> String {
    let header = format!(r#"{{"alg":"EdDSA","typ":"license+jwt","kid":"{}"}}"#, kid());
    let [header, payload] = [&*header, payload].map(base64url);
    let signature = signing_key().sign(format!("{header}.{payload}").as_bytes());
    let signature = base64url(signature.to_bytes());
    format!("{header}.{payload}.{signature}")
}

/// The members that every licence has, with one device component, and then `more`.
fn payload(more: &str) -> String {
    format!(
        r#"{{"iss":"{ISSUER}","sub":"t","aud":"{APP}","type":"license","jti":"j","iat":{ISSUED_AT},"nbf":{ISSUED_AT},"exp":{},"device":{{"salt":"{SALT}","policy":"all","components":{{"fingerprint":"{HASH}"}}}}{more}}}"#,
        ISSUED_AT + 86_400
    )
}

/// A client over the key of these licences, which is its status key too, of memory that was not written to before.
fn client(expectations: &Expectations) -> Box<MaybeUninit<Client>> {
    let (mut client, keys) = (memory(), jwks());
    let (at, bytes) = (keys.as_ptr().cast(), keys.len());
    // SAFETY: the memory is the client's alone; texts and expectations are alive.
    let status = unsafe {
        nexa_client_init_keys(
            client.as_mut_ptr(),
            at,
            bytes,
            at,
            bytes,
            expectations,
            core::ptr::null_mut(),
        )
    };
    assert_eq!(status, Status::Ok);
    client
}

/// The same for a verifier.
fn verifier(expectations: &Expectations) -> Box<MaybeUninit<Verifier>> {
    let (mut verifier, keys) = (memory(), jwks());
    // SAFETY: the memory is the verifier's alone; texts and expectations are alive.
    let status = unsafe {
        nexa_verifier_init(
            verifier.as_mut_ptr(),
            keys.as_ptr().cast(),
            keys.len(),
            expectations,
            core::ptr::null_mut(),
        )
    };
    assert_eq!(status, Status::Ok);
    verifier
}
