//! The keys of a trusted issuer: read from a file or a URL, kept, and read again when a token names one that is not known.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::url;
use crate::domain::identity::IssuerKey;
use crate::http::read_json;
use crate::time::UnixMillis;

/// The key set of one issuer.
///
/// A set that has been read serves until the next one has arrived, for a day at most. Sets are read by
/// [`refresh`](Jwks::refresh) alone, and at most once a minute, whoever asks and however often.
pub(crate) struct Jwks {
    source: Source,
    state: Mutex<State>,
}

/// Where the keys come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    File(PathBuf),
    /// https, or http to this machine.
    Url(String),
}

/// What is known of a key.
pub(crate) enum Found {
    Fresh(Arc<IssuerKey>),
    /// It serves, but its set is to be read again.
    Old(Arc<IssuerKey>),
    Unknown,
}

/// The keys could not be read, or not again so soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotRead {
    /// When they may be asked for again, in seconds.
    pub(crate) retry_after_s: u64,
}

#[derive(Default)]
struct State {
    keys: HashMap<String, Arc<IssuerKey>>,
    /// When those were read.
    read_at: Option<UnixMillis>,
    asked_at: Option<UnixMillis>,
}

/// Between two readings, however they end.
const PAUSE_MS: i64 = 60_000;
/// After which a set is read again even if nobody misses a key: one that was withdrawn has to go.
const FRESH_MS: i64 = 3_600_000;
/// After which a set that could not be read again is trusted no longer.
const AGE_MAX_MS: i64 = 24 * 3_600_000;

impl Jwks {
    /// Nothing is read yet.
    pub(crate) fn new(source: Source) -> Self {
        Self {
            source,
            state: Mutex::default(),
        }
    }

    /// Looks a key up in memory.
    pub(crate) fn find(&self, now: UnixMillis, key_id: &str) -> Found {
        let state = self.state();
        let age_ms = state.read_at.and_then(|read_at| age_ms(now, read_at));
        match (state.keys.get(key_id), age_ms) {
            (Some(key), Some(0..FRESH_MS)) => Found::Fresh(Arc::clone(key)),
            (Some(key), Some(FRESH_MS..AGE_MAX_MS)) => Found::Old(Arc::clone(key)),
            (Some(_) | None, _) => Found::Unknown,
        }
    }

    /// Reads the set again, unless that was tried less than a minute ago. Takes a few seconds at most; what was read before
    /// stays while it lasts, and when it fails.
    ///
    /// # Errors
    /// [`NotRead`] when the last try has failed; why stands in the log.
    pub(crate) fn refresh(&self, now: UnixMillis) -> Result<(), NotRead> {
        let mut state = self.state();
        let asked_ms = state.asked_at.and_then(|asked_at| age_ms(now, asked_at));
        if let Some(waited_ms @ 0..PAUSE_MS) = asked_ms {
            return match state.read_at == state.asked_at {
                true => Ok(()),
                false => Err(NotRead {
                    retry_after_s: u64::try_from((PAUSE_MS - waited_ms) / 1_000 + 1).unwrap_or(60),
                }),
            };
        }
        state.asked_at = Some(now);
        drop(state);
        match self.source.read() {
            Ok(keys) => {
                let mut state = self.state();
                state.keys = keys;
                state.read_at = Some(now);
                Ok(())
            }
            Err(problem) => {
                tracing::warn!(source = %self.source, problem, "cannot read the keys of a trusted issuer");
                Err(NotRead { retry_after_s: 60 })
            }
        }
    }

    /// Its fields are replaced one after the other, and each is whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `None` where the clock has stepped back since.
fn age_ms(now: UnixMillis, then: UnixMillis) -> Option<i64> {
    Some(now.ms().saturating_sub(then.ms())).filter(|age_ms| *age_ms >= 0)
}

impl Source {
    /// # Errors
    /// The rule that the URL breaks.
    pub(crate) fn url(text: &str) -> Result<Self, &'static str> {
        url::check(text)?;
        Ok(Self::Url(text.to_owned()))
    }

    /// A file that holds keys now.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(crate) fn file(path: PathBuf) -> Result<Self, String> {
        keys(&contents(&path)?)?;
        Ok(Self::File(path))
    }

    fn read(&self) -> Result<HashMap<String, Arc<IssuerKey>>, String> {
        match self {
            Self::File(path) => keys(&contents(path)?),
            Self::Url(url) => keys(&fetched(url)?),
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Url(url) => f.write_str(url),
        }
    }
}

const BYTES_MAX: u64 = 256 * 1024;

fn contents(path: &Path) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    bounded(file)
}

fn fetched(url: &str) -> Result<Vec<u8>, String> {
    /// From the first look at the name to the last byte.
    const TIME: Duration = Duration::from_secs(5);
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(TIME))
        .max_redirects(0)
        .http_status_as_error(false)
        .build();
    let response = ureq::Agent::new_with_config(config)
        .get(url)
        .header("Accept", "application/jwk-set+json, application/json")
        .call()
        .map_err(|error| error.to_string())?;
    match response.status().as_u16() {
        200 => bounded(response.into_body().into_reader()),
        status => Err(format!("status {status}")),
    }
}

fn bounded(source: impl Read) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = source.take(BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    match u64::try_from(bytes.len()) {
        Ok(..=BYTES_MAX) => Ok(bytes),
        Ok(_) | Err(_) => Err(format!("longer than {BYTES_MAX} bytes")),
    }
}

/// RFC 7517 §5.
#[derive(Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The keys of a set that can have signed a token, by their ids. Others are passed over, as RFC 7517 §5 wants it.
fn keys(set: &[u8]) -> Result<HashMap<String, Arc<IssuerKey>>, String> {
    let set: Set = read_json(set).map_err(|bad| format!("no key set: {}", bad.sentence()))?;
    let mut keys = HashMap::new();
    for jwk in set.keys {
        if let (Some(key), Some(id)) = (jwk.key(), jwk.kid)
            && keys.insert(id.clone(), Arc::new(key)).is_some()
        {
            return Err(format!("two keys have the id {id:?}"));
        }
    }
    match keys.is_empty() {
        true => Err("holds no key for RS256 or ES256 with an id".to_owned()),
        false => Ok(keys),
    }
}

impl Jwk {
    /// The key, if it is one for signatures of a kind and a size that are taken here.
    fn key(&self) -> Option<IssuerKey> {
        let is_for_signatures = self.r#use.as_deref().is_none_or(|name| name == "sig")
            && self
                .key_ops
                .as_ref()
                .is_none_or(|names| names.iter().any(|name| name == "verify"));
        let key = match self.kty.as_str() {
            "RSA" => rsa(self.n.as_deref()?, self.e.as_deref()?),
            "EC" if self.crv.as_deref() == Some("P-256") => {
                p256(self.x.as_deref()?, self.y.as_deref()?)
            }
            _ => None,
        }?;
        let names_its_own = |name: &str| name == key.algorithm().name();
        (is_for_signatures && self.alg.as_deref().is_none_or(names_its_own)).then_some(key)
    }
}

/// 2,048 to 8,192 bits, so that no key is weak and none takes long.
fn rsa(modulus: &str, exponent: &str) -> Option<IssuerKey> {
    let number = |text: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        // Some issuers write a sign.
        let start = bytes.iter().position(|byte| *byte != 0)?;
        bytes.get(start..).map(<[u8]>::to_vec)
    };
    let (modulus, exponent) = (number(modulus)?, number(exponent)?);
    ((256..=1_024).contains(&modulus.len()) && exponent.len() <= 4)
        .then_some(IssuerKey::Rsa { modulus, exponent })
}

fn p256(x: &str, y: &str) -> Option<IssuerKey> {
    let coordinate = |text: &str| <[u8; 32]>::try_from(URL_SAFE_NO_PAD.decode(text).ok()?).ok();
    let mut point = [4; 65];
    let coordinates = [coordinate(x)?, coordinate(y)?].concat();
    point.get_mut(1..)?.copy_from_slice(&coordinates);
    Some(IssuerKey::P256 { point })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const START: UnixMillis = UnixMillis::from_ms(1_800_000_000_000);

    fn rsa_jwk() -> Value {
        json!({ "kty": "RSA", "kid": "r", "n": URL_SAFE_NO_PAD.encode([0xc3; 256]), "e": "AQAB" })
    }

    fn ec_jwk() -> Value {
        let coordinate = URL_SAFE_NO_PAD.encode([7; 32]);
        json!({ "kty": "EC", "kid": "p", "crv": "P-256", "x": coordinate, "y": coordinate })
    }

    fn read(key: &Value) -> Result<IssuerKey, String> {
        let found = keys(json!({ "keys": [key] }).to_string().as_bytes())?;
        Ok(found.into_values().next().unwrap().as_ref().clone())
    }

    #[test]
    fn keys_are_of_a_kind_and_a_size_that_sign_tokens() {
        let bytes = |count: usize| URL_SAFE_NO_PAD.encode(vec![0xc3; count]);
        for (base, member, value, is_taken) in [
            (rsa_jwk(), "use", json!("sig"), true),
            (rsa_jwk(), "use", json!("enc"), false),
            (rsa_jwk(), "key_ops", json!(["verify"]), true),
            (rsa_jwk(), "key_ops", json!(["encrypt"]), false),
            (rsa_jwk(), "key_ops", json!([]), false),
            (rsa_jwk(), "alg", json!("RS256"), true),
            (rsa_jwk(), "alg", json!("RS512"), false),
            (rsa_jwk(), "alg", json!("ES256"), false),
            (rsa_jwk(), "kid", json!(null), false),
            (rsa_jwk(), "kty", json!("oct"), false),
            (rsa_jwk(), "kty", json!("rsa"), false),
            (rsa_jwk(), "n", json!(bytes(255)), false),
            (rsa_jwk(), "n", json!(bytes(1_024)), true),
            (rsa_jwk(), "n", json!(bytes(1_025)), false),
            (rsa_jwk(), "n", json!(""), false),
            (rsa_jwk(), "n", json!("AAAA"), false),
            (rsa_jwk(), "n", json!("+++="), false),
            (rsa_jwk(), "n", json!(null), false),
            (rsa_jwk(), "e", json!(""), false),
            (rsa_jwk(), "e", json!("AA"), false),
            (rsa_jwk(), "e", json!(bytes(5)), false),
            (rsa_jwk(), "x5c", json!(["MIIB"]), true),
            (ec_jwk(), "alg", json!("ES256"), true),
            (ec_jwk(), "alg", json!("RS256"), false),
            (ec_jwk(), "crv", json!("P-384"), false),
            (ec_jwk(), "crv", json!(null), false),
            (ec_jwk(), "x", json!(bytes(31)), false),
            (ec_jwk(), "x", json!(bytes(33)), false),
            (ec_jwk(), "y", json!(""), false),
            (ec_jwk(), "y", json!(null), false),
            (ec_jwk(), "d", json!("secret"), true),
        ] {
            let mut key = base;
            key[member] = value;
            assert_eq!(read(&key).is_ok(), is_taken, "{key}");
        }
        let mut signed = rsa_jwk();
        signed["n"] = json!(URL_SAFE_NO_PAD.encode([&[0][..], &[0xc3; 256]].concat()));
        assert_eq!(read(&signed), read(&rsa_jwk()));
        assert!(matches!(
            read(&ec_jwk()),
            Ok(IssuerKey::P256 { point: [4, 7, ..] })
        ));
    }

    #[test]
    fn a_set_that_has_two_readings_is_no_set() {
        let (rsa, ec) = (rsa_jwk(), ec_jwk());
        for (set, problem) in [
            (
                String::new(),
                "no key set: body: not valid JSON: it ends too early",
            ),
            ("{}".to_owned(), "no key set: keys: required"),
            ("[]".to_owned(), "no key set: body: must be an object"),
            (
                r#"{"keys":[],"keys":[]}"#.to_owned(),
                "no key set: keys: appears twice",
            ),
            (
                r#"{"keys":[]}"#.to_owned(),
                "holds no key for RS256 or ES256 with an id",
            ),
            (
                r#"{"keys":[{"kty":1}]}"#.to_owned(),
                "no key set: keys[0].kty: must be a string",
            ),
            (
                json!({ "keys": [rsa, rsa] }).to_string(),
                "two keys have the id \"r\"",
            ),
        ] {
            assert_eq!(keys(set.as_bytes()).unwrap_err(), problem, "{set}");
        }
        let both = json!({ "keys": [rsa, { "kty": "OKP", "kid": "r", "x": "AA" }, ec] });
        assert_eq!(keys(both.to_string().as_bytes()).unwrap().len(), 2);
    }

    #[test]
    fn a_file_is_read_again_when_it_may_have_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jwks.json");
        let write = |key: &Value| std::fs::write(&path, json!({ "keys": [key] }).to_string());
        assert!(Source::file(path.clone()).is_err());
        write(&rsa_jwk()).unwrap();
        let jwks = Jwks::new(Source::file(path.clone()).unwrap());
        assert!(matches!(jwks.find(START, "r"), Found::Unknown));
        assert_eq!(jwks.refresh(START), Ok(()));
        assert!(matches!(jwks.find(START, "r"), Found::Fresh(_)));
        write(&ec_jwk()).unwrap();
        let later = |ms| UnixMillis::from_ms(START.ms() + ms);
        assert_eq!(jwks.refresh(later(PAUSE_MS - 1)), Ok(()));
        assert!(matches!(jwks.find(later(PAUSE_MS), "p"), Found::Unknown));
        assert_eq!(jwks.refresh(later(PAUSE_MS)), Ok(()));
        assert!(matches!(jwks.find(later(PAUSE_MS), "p"), Found::Fresh(_)));
        assert!(matches!(jwks.find(later(PAUSE_MS), "r"), Found::Unknown));

        std::fs::remove_file(&path).unwrap();
        let failing = later(2 * PAUSE_MS);
        assert_eq!(jwks.refresh(failing), Err(NotRead { retry_after_s: 60 }));
        let soon = later(2 * PAUSE_MS + 40_000);
        assert_eq!(jwks.refresh(soon), Err(NotRead { retry_after_s: 21 }));
        assert!(matches!(jwks.find(soon, "p"), Found::Fresh(_)));
        assert!(matches!(
            jwks.find(later(PAUSE_MS + FRESH_MS), "p"),
            Found::Old(_)
        ));
        assert!(matches!(
            jwks.find(later(PAUSE_MS + AGE_MAX_MS), "p"),
            Found::Unknown
        ));
        // A clock that stepped back proves nothing.
        assert!(matches!(jwks.find(START, "p"), Found::Unknown));
    }
}
