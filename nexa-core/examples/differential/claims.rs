//! Claims: missing, mistyped, extreme, of others, and times round their borders.

use crate::dice::Dice;
use crate::licences::{self, Licence};
use crate::members;
use crate::mint::{AUDIENCE, DAY_S, ISSUER, NOW, Object, quoted};

/// The widest whole number that every reader of JSON holds.
const MOST: u64 = (1 << 53) - 1;

pub(crate) fn change(dice: &mut Dice, licence: &mut Licence) -> &'static str {
    let claims = std::mem::replace(&mut licence.claims, Object(Vec::new()));
    let (what, claims) = match dice.below(15) {
        0..=4 => members::change(dice, claims),
        5..=7 => time(dice, claims),
        8 => ("iss", claims.with("iss", text(dice, ISSUER))),
        9 => ("aud", claims.with("aud", text(dice, AUDIENCE))),
        10 => ("type", claims.with("type", text(dice, "license"))),
        11 => ("nested", nested(dice, claims)),
        12 => many(dice, claims),
        13 => ("grace", grace(dice, claims)),
        _ => deep(dice, claims),
    };
    licence.claims = claims;
    what
}

/// One of the times at or beside one of its borders, or far from everything.
fn time(dice: &mut Dice, claims: Object) -> (&'static str, Object) {
    let claim = dice.pick(&["iat", "nbf", "exp"]);
    let centre = dice.pick(&[
        0,
        1,
        NOW,
        NOW + 300,
        NOW - 300,
        NOW + 60,
        NOW - 60,
        NOW + 400 * DAY_S,
        NOW - 400 * DAY_S,
        NOW * 1_000,
        1 << 31,
        1 << 32,
        MOST,
    ]);
    let value = centre.saturating_add(dice.between(0, 4)).saturating_sub(2);
    (
        match claim {
            "iat" => "time-iat",
            "nbf" => "time-nbf",
            _ => "time-exp",
        },
        claims.with(claim, value),
    )
}

/// Expired, and within a signed grace or just past it.
fn grace(dice: &mut Dice, claims: Object) -> Object {
    let (since_s, grace_s) = (dice.between(0, 3), dice.between(0, 3));
    claims
        .with("exp", NOW - since_s)
        .with("lic", format!(r#"{{"grace_s":{grace_s}}}"#))
}

/// Something like this text, or a list with it.
fn text(dice: &mut Dice, right: &str) -> String {
    let mut text = right.to_owned();
    match dice.below(10) {
        0 => text.push('/'),
        1 => text = text.to_uppercase(),
        2 => text.truncate(text.len() - 1),
        3 => text.push_str(".attacker.example"),
        4 => text = dice.word(20),
        5 => return format!("[{}]", quoted(right)),
        6 => return format!("[{},\"other\"]", quoted(right)),
        7 => return format!("[\"other\",{}]", quoted(right)),
        8 => text = format!("{right} other"),
        _ => text.push('\0'),
    }
    quoted(&text)
}

/// A member of `lic`, `device` or `status` that is not as it should be; the others are as they were.
fn nested(dice: &mut Dice, claims: Object) -> Object {
    let (outer, inner) = dice.pick(&[
        ("lic", "plan"),
        ("lic", "entitlements"),
        ("lic", "limits"),
        ("lic", "grace_s"),
        ("lic", "fresh_s"),
        ("lic", "max_age_s"),
        ("lic", "stale"),
        ("lic", "renew_after"),
        ("lic", "trial"),
        ("device", "salt"),
        ("device", "policy"),
        ("device", "components"),
        ("status", "status_list"),
        ("status", "idx"),
        ("status", "uri"),
    ]);
    let object = member(&claims, outer).unwrap_or_else(|| match outer {
        "device" => read(&licences::device(dice)).unwrap_or_else(empty),
        "status" => read(&licences::status(dice)).unwrap_or_else(empty),
        _ => empty(),
    });
    let value = match dice.chance(20) {
        true => None,
        false => Some(dice.pick(members::ODD_VALUES)),
    };
    let changed = |object: Object| match value {
        Some(value) => object.with(inner, value),
        None => object.without(inner),
    };
    let object = match inner {
        "idx" | "uri" => {
            let list = member(&object, "status_list").unwrap_or_else(empty);
            object.with("status_list", changed(list).text())
        }
        _ => changed(object),
    };
    claims.with(outer, object.text())
}

fn empty() -> Object {
    Object(Vec::new())
}

/// A member that is an object.
fn member(of: &Object, name: &str) -> Option<Object> {
    let Object(members) = of;
    let (_, json) = members.iter().find(|(known, _)| known == name)?;
    read(json)
}

fn read(json: &str) -> Option<Object> {
    let members: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).ok()?;
    let named = |(name, value): (String, serde_json::Value)| {
        let name = quoted(&name).trim_matches('"').to_owned();
        (name, value.to_string())
    };
    Some(Object(members.into_iter().map(named).collect()))
}

/// More members or values than are read, or just as many.
fn many(dice: &mut Dice, claims: Object) -> (&'static str, Object) {
    match dice.chance(50) {
        true => {
            let count = dice.between(40, 70);
            let claims =
                (0..count).fold(claims, |claims, index| claims.with(&format!("m{index}"), 0));
            ("many-members", claims)
        }
        false => {
            let values = vec!["0"; dice.between(400, 520) as usize].join(",");
            ("many-values", claims.with("x", format!("[{values}]")))
        }
    }
}

/// Nested up to and far beyond what is read.
fn deep(dice: &mut Dice, claims: Object) -> (&'static str, Object) {
    let depth = match dice.chance(70) {
        true => dice.below(8),
        false => dice.between(100, 1_200) as usize,
    };
    let value = match dice.chance(50) {
        true => format!("{}{}", "[".repeat(depth), "]".repeat(depth)),
        false => format!(
            "{}1{}",
            "{\"a\":".repeat(depth.min(300)),
            "}".repeat(depth.min(300))
        ),
    };
    ("deep", claims.with("x", value))
}
