//! Reads the tokens of the differential run with one of the two Rust readers, `nexa` or `jsonwebtoken`.
//!
//! ```text
//! cargo run -p nexa-verify --example differential-judge -- nexa < lines > verdicts
//! ```
//!
//! Prints a verdict for each token: `accept` or `refuse`, a tab, and the reader's own reason. jsonwebtoken asks the system for the
//! time: run it under `faketime`.

use std::error::Error;
use std::io::{BufRead as _, BufWriter, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::{ErrorKind, Result as JwtResult};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use nexa_verify::{Decision, DeviceExpectation, Scratch, UnixSeconds, Verifier};
use serde_json::Value;

type Judge = Box<dyn FnMut(usize, &[u8]) -> Result<String, String>>;

fn main() -> Result<(), Box<dyn Error>> {
    let reader = std::env::args().nth(1).unwrap_or_default();
    let mut lines = std::io::stdin().lock().lines();
    let setup: Value = serde_json::from_str(&lines.next().ok_or("no first line")??)?;
    // Leaked: they are used until the end.
    let setup: &'static Setup =
        Box::leak(Box::new(Setup::read(&setup).ok_or("a wrong first line")?));
    let mut judge: Judge = match reader.as_str() {
        "nexa" => nexa(setup)?,
        "jsonwebtoken" => jsonwebtoken(setup)?,
        other => return Err(format!("{other:?} is neither nexa nor jsonwebtoken").into()),
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    for line in lines {
        let line = line?;
        let mut fields = line.split('\t').skip(1);
        let (keys, token) = fields.next().zip(fields.next()).ok_or("two fields")?;
        let token = URL_SAFE_NO_PAD.decode(token).map_err(|_| "not base64url")?;
        match judge(keys.parse()?, &token) {
            Ok(why) => writeln!(out, "accept\t{why}")?,
            Err(why) => writeln!(out, "refuse\t{why}")?,
        }
    }
    Ok(out.flush()?)
}

/// What every reader expects.
struct Setup {
    issuer: String,
    audience: String,
    now: u64,
    key_sets: Vec<String>,
}

impl Setup {
    fn read(json: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some(Self {
            issuer: text(&json["issuer"])?,
            audience: text(&json["audience"])?,
            now: json["now"].as_u64()?,
            key_sets: json["key_sets"]
                .as_array()?
                .iter()
                .filter_map(text)
                .collect(),
        })
    }
}

/// The others know nothing of devices, so none is compared.
fn nexa(setup: &'static Setup) -> Result<Judge, Box<dyn Error>> {
    let mut verifiers = Vec::new();
    for keys in &setup.key_sets {
        let device = DeviceExpectation::NotChecked;
        verifiers.push(Verifier::new(
            keys.as_bytes(),
            &setup.issuer,
            &setup.audience,
            device,
        )?);
    }
    let now = UnixSeconds::new(setup.now).ok_or("the time is out of range")?;
    let mut scratch = Scratch::new();
    Ok(Box::new(move |keys, token| {
        let verifier = verifiers.get(keys).ok_or("no such key set")?;
        let report = verifier.check(now, token, &mut scratch);
        let code = report.verdict().code().to_owned();
        match report.decision() {
            Decision::Allow => Ok(code),
            Decision::Deny => Err(code),
        }
    }))
}

/// One algorithm, no leeway, no life beyond `exp`, the key that `kid` names; issuer, audience, type and the claims that a licence
/// has are required. What it does not look at itself is asked after: `typ`, `crit`, and claims that are not registered for it.
fn jsonwebtoken(setup: &'static Setup) -> Result<Judge, Box<dyn Error>> {
    if jsonwebtoken::get_current_timestamp() != setup.now {
        return Err(
            "the system's clock does not show the time of the tokens: run this under faketime"
                .into(),
        );
    }
    let _ = jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER.install_default();
    let mut key_sets: Vec<JwkSet> = Vec::new();
    for keys in &setup.key_sets {
        key_sets.push(serde_json::from_str(keys)?);
    }
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.leeway = 0;
    rules.reject_tokens_expiring_in_less_than = 1; // without it a token still holds at `exp`
    rules.validate_nbf = true;
    rules.set_issuer(&[&setup.issuer]);
    rules.set_audience(&[&setup.audience]);
    rules.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
    let read = move |keys: &JwkSet, token: &[u8]| -> JwtResult<()> {
        let header = jsonwebtoken::decode_header(token)?;
        if !header.typ.is_some_and(|typ| is_license_type(&typ)) || header.crit.is_some() {
            return Err(ErrorKind::InvalidToken.into());
        }
        let jwk = header.kid.and_then(|kid| keys.find(&kid));
        let key = DecodingKey::from_jwk(jwk.ok_or(ErrorKind::InvalidKeyFormat)?)?;
        let claims = jsonwebtoken::decode::<Value>(token, &key, &rules)?.claims;
        let is_ours = claims.get("type").is_some_and(|kind| kind == "license")
            && claims.get("jti").is_some_and(Value::is_string)
            && claims.get("iat").is_some_and(Value::is_u64);
        match is_ours {
            true => Ok(()),
            false => Err(ErrorKind::InvalidClaimFormat("type, jti or iat".to_owned()).into()),
        }
    };
    Ok(Box::new(move |keys, token| {
        let keys = key_sets.get(keys).ok_or("no such key set")?;
        match read(keys, token) {
            Ok(()) => Ok("valid".to_owned()),
            Err(error) => {
                let kind = format!("{:?}", error.kind());
                Err(kind.split(['(', ' ']).next().unwrap_or_default().to_owned())
            }
        }
    }))
}

/// Media types are compared without case, and `application/` may be left out (RFC 7515, section 4.1.9; RFC 8725, section 3.11).
fn is_license_type(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    typ.strip_prefix("application/").unwrap_or(&typ) == "license+jwt"
}
