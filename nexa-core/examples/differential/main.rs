//! Prints generated tokens for the differential run of `nexa-verify/differential`: good licences and broken ones.
//!
//! ```text
//! cargo run -p nexa-core --example differential -- 100000 1
//! ```
//!
//! The first line is JSON: `issuer`, `audience`, `now`, and `key_sets`, the texts of JWK sets. Every other line is one token: its
//! class, the number of its key set, and its bytes in base64url, between tabs. The same count and seed give the same lines.

mod claims;
mod dice;
mod header;
mod licences;
mod members;
mod segments;
mod signatures;
mod texts;

#[path = "../license_vectors/vectors/forged.rs"]
mod forged;
#[path = "../license_vectors/vectors/mint.rs"]
#[expect(dead_code, reason = "the conformance file needs more of it")]
mod mint;
#[path = "../../src/seeded.rs"]
mod seeded;

use std::error::Error;
use std::io::{BufWriter, Write as _};

use dice::Dice;
use licences::Licence;
use mint::{AUDIENCE, ISSUER, NOW, b64, quoted};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |name: &str| -> Result<u64, Box<dyn Error>> {
        Ok(arguments.next().ok_or(format!("{name}?"))?.parse()?)
    };
    let (count, seed) = (number("how many tokens")?, number("which seed")?);
    let mut dice = Dice::new(seed);
    let mut out = BufWriter::new(std::io::stdout().lock());
    let key_sets = licences::key_sets().map(|keys| quoted(&keys)).join(",");
    writeln!(
        out,
        r#"{{"issuer":{},"audience":{},"now":{NOW},"key_sets":[{key_sets}]}}"#,
        quoted(ISSUER),
        quoted(AUDIENCE)
    )?;
    let published = published();
    for _ in 0..count {
        let (class, keys, token) = token(&mut dice, &published);
        writeln!(out, "{class}\t{keys}\t{}", b64(token))?;
    }
    Ok(out.flush()?)
}

/// One token, its class, and its key set.
fn token(dice: &mut Dice, published: &[String]) -> (String, usize, Vec<u8>) {
    if dice.chance(4) {
        let token = dice.pick(published).into_bytes();
        if dice.chance(50) {
            return ("vector".to_owned(), 0, token);
        }
        let (what, broken) = segments::bytes(dice, token.clone());
        let class = match broken == token {
            true => "vector".to_owned(),
            false => format!("vector/{what}"),
        };
        return (class, 0, broken);
    }
    let mut licence = licences::good(dice);
    let good = licence.token();
    let class = change(dice, &mut licence);
    let once = licence.token();
    // A change by chance may change nothing.
    if once == good {
        return ("good".to_owned(), licence.keys, good);
    }
    // Two faults at once: whoever forgives the one may stumble over the other.
    if dice.chance(10) {
        change(dice, &mut licence);
        let twice = licence.token();
        if twice != once && twice != good {
            return ("two-faults".to_owned(), licence.keys, twice);
        }
    }
    (class, licence.keys, once)
}

/// Breaks a licence, or leaves it as it is.
fn change(dice: &mut Dice, licence: &mut Licence) -> String {
    let (level, what) = match dice.below(100) {
        0..=11 => return "good".to_owned(),
        12..=27 => ("header", header::change(dice, licence)),
        28..=51 => ("claims", claims::change(dice, licence)),
        52..=65 => ("text", texts::change(dice, licence)),
        66..=81 => ("signature", signatures::change(dice, licence)),
        _ => ("segments", segments::change(dice, licence)),
    };
    format!("{level}/{what}")
}

/// The tokens of the conformance file that are checked with the first key set.
fn published() -> Vec<String> {
    let file = include_str!("../../tests/license-vectors.json");
    let file: serde_json::Value = serde_json::from_str(file).unwrap_or_default();
    let [keys, ..] = licences::key_sets();
    let cases = file.get("cases").and_then(|cases| cases.as_array());
    cases
        .into_iter()
        .flatten()
        .filter(|case| case["keys"] == keys.as_str())
        .filter_map(|case| case["token"].as_str().map(str::to_owned))
        .collect()
}
