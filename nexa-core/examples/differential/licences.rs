//! Good licences of many shapes.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::LazyLock;

use crate::dice::Dice;
use crate::mint::{self, DAY_S, Key, NOW, Object, b64, jwks, quoted};

/// A licence before it is signed: every level of it can still be broken.
#[derive(Clone)]
pub(crate) struct Licence {
    pub(crate) header: Object,
    pub(crate) claims: Object,
    /// Who signs, by the seed of the key.
    pub(crate) signer: u8,
    /// The number of the key set that it is checked with.
    pub(crate) keys: usize,
    /// The documents as bytes, where they are no longer what the objects say.
    pub(crate) header_text: Option<Vec<u8>>,
    pub(crate) claims_text: Option<Vec<u8>>,
    /// Changes to the segments before the signature is made over them, and to the whole token after.
    pub(crate) before: Vec<SegmentChange>,
    pub(crate) after: Vec<TokenChange>,
}

/// Changes header and payload, encoded.
pub(crate) type SegmentChange = Rc<dyn Fn(&mut String, &mut String)>;
/// Changes a token.
pub(crate) type TokenChange = Rc<dyn Fn(Vec<u8>) -> Vec<u8>>;

/// The keys of these seeds, set by set.
const KEYS: [&[u8]; 3] = [&[1], &[3, 2, 1], &[1, 4, 5, 6, 7, 8, 9]];
/// The seed of the key that nobody trusts.
pub(crate) const STRANGE: u8 = 99;

/// A key with its name. Both are costly to make.
pub(crate) struct Named {
    pub(crate) key: Key,
    pub(crate) kid: String,
}

/// The key of a seed, of a set or strange.
pub(crate) fn key(seed: u8) -> &'static Named {
    static KNOWN: LazyLock<BTreeMap<u8, Named>> = LazyLock::new(|| {
        let seeds = KEYS.concat().into_iter().chain([STRANGE]);
        let named = |seed| {
            let key = Key::new(seed);
            let kid = key.kid();
            (seed, Named { key, kid })
        };
        seeds.map(named).collect()
    });
    KNOWN
        .get(&seed)
        .expect("the seed of a set, or the strange one")
}

/// The texts of the key sets. The first is that of the conformance file.
pub(crate) fn key_sets() -> [String; KEYS.len()] {
    KEYS.map(|seeds| {
        let keys: Vec<String> = seeds.iter().map(|seed| Key::new(*seed).jwk()).collect();
        jwks(&keys)
    })
}

/// The keys of a set, by their seeds.
pub(crate) fn trusted(keys: usize) -> &'static [u8] {
    KEYS.get(keys).copied().unwrap_or_default()
}

impl Licence {
    pub(crate) fn token(&self) -> Vec<u8> {
        let (mut header, mut payload) = (b64(self.document(true)), b64(self.document(false)));
        for change in &self.before {
            change(&mut header, &mut payload);
        }
        let token = key(self.signer).key.sign_segments(&header, &payload);
        self.after
            .iter()
            .fold(token.into_bytes(), |token, change| change(token))
    }

    /// The bytes of the header or of the claims.
    pub(crate) fn document(&self, is_header: bool) -> Vec<u8> {
        let (text, object) = match is_header {
            true => (&self.header_text, &self.header),
            false => (&self.claims_text, &self.claims),
        };
        let written = || object.text().into_bytes();
        text.clone().unwrap_or_else(written)
    }

    /// Puts other bytes in place of the header or of the claims.
    pub(crate) fn set_document(&mut self, is_header: bool, text: Vec<u8>) {
        match is_header {
            true => self.header_text = Some(text),
            false => self.claims_text = Some(text),
        }
    }
}

pub(crate) fn good(dice: &mut Dice) -> Licence {
    let keys = dice.below(KEYS.len());
    let signer = dice.pick(trusted(keys));
    let mut header = mint::header().with("kid", quoted(&key(signer).kid));
    if dice.chance(15) {
        header = header.with("alg", quoted("Ed25519"));
    }
    if dice.chance(30) {
        header = header.reversed();
    }
    let timed = times(dice, mint::claims());
    let mut claims = terms(dice, timed);
    claims = claims.with("jti", quoted(&dice.word(40)));
    if dice.chance(50) {
        claims = claims.with("sub", quoted(&dice.word(60)));
    }
    if dice.chance(40) {
        claims = claims.with("device", device(dice));
    }
    if dice.chance(30) {
        claims = claims.with("status", status(dice));
    }
    for _ in 0..dice.below(3) {
        let name = format!("x-{}", dice.below(1_000));
        claims = claims.with(&name, dice.pick(UNKNOWN));
    }
    if dice.chance(30) {
        claims = claims.reversed();
    }
    Licence {
        header,
        claims,
        signer,
        keys,
        header_text: None,
        claims_text: None,
        before: Vec::new(),
        after: Vec::new(),
    }
}

/// Values of claims that no reader knows, all within what a strict one reads.
const UNKNOWN: &[&str] = &[
    "null",
    "true",
    "0",
    "-0",
    "1.5",
    "-1.5E+3",
    "1e-400",
    "\"\"",
    "[]",
    "{}",
    "[1,[2,{}],null]",
    r#"{"a":{"b":[]}}"#,
    r#""\ud83d\ude80""#,
    r#""\u0000\/""#,
    "9007199254740991",
    "[\"a\",\"b\"]",
];

/// Now lies between `nbf` and `exp`, often at one of the ends.
fn times(dice: &mut Dice, claims: Object) -> Object {
    let age_s = match dice.below(3) {
        0 => 0,
        1 => dice.between(1, 600),
        _ => dice.between(1, 300 * DAY_S),
    };
    let left_s = match dice.below(3) {
        0 => 1,
        1 => dice.between(1, 3_600),
        _ => dice.between(1, 100 * DAY_S),
    };
    let iat = NOW - age_s;
    let nbf = match dice.chance(20) {
        true => NOW,
        false => iat - dice.between(0, 300),
    };
    claims
        .with("iat", iat)
        .with("nbf", nbf)
        .with("exp", NOW + left_s)
}

fn terms(dice: &mut Dice, claims: Object) -> Object {
    if dice.chance(30) {
        return claims;
    }
    let mut members = Vec::new();
    if dice.chance(60) {
        members.push(format!(r#""plan":{}"#, quoted(&dice.word(12))));
    }
    if dice.chance(60) {
        let names: Vec<String> = (0..dice.below(6)).map(|_| quoted(&dice.word(10))).collect();
        members.push(format!(r#""entitlements":[{}]"#, names.join(",")));
    }
    if dice.chance(60) {
        let limits: Vec<String> = (0..dice.below(6))
            .map(|index| format!(r#""limit-{index}":{}"#, dice.between(0, 1 << 31)))
            .collect();
        members.push(format!(r#""limits":{{{}}}"#, limits.join(",")));
    }
    for name in ["grace_s", "fresh_s", "max_age_s"] {
        if dice.chance(30) {
            members.push(format!(r#""{name}":{}"#, dice.between(0, 30 * DAY_S)));
        }
    }
    if dice.chance(20) {
        members.push(format!(
            r#""stale":"{}""#,
            dice.pick(&["allow", "warn", "deny"])
        ));
    }
    if dice.chance(20) {
        members.push(format!(r#""trial":{}"#, dice.chance(50)));
    }
    claims.with("lic", format!("{{{}}}", members.join(",")))
}

pub(crate) fn status(dice: &mut Dice) -> String {
    let (index, shard) = (dice.below(65_536), dice.below(2_000));
    format!(
        r#"{{"status_list":{{"idx":{index},"uri":"https://licenses.example/status/{shard}"}}}}"#
    )
}

pub(crate) fn device(dice: &mut Dice) -> String {
    let components: Vec<(String, String)> = (0..=dice.below(5))
        .map(|index| (format!("kind{index}"), dice.word(12)))
        .collect();
    let components: Vec<(&str, &str)> = components
        .iter()
        .map(|(kind, value)| (kind.as_str(), value.as_str()))
        .collect();
    mint::device("\"all\"", &components).text()
}
