//! Licences whose revocation stands in a status shard; shards and deltas that must be refused.

use super::Case;
use super::mint::{DAY_S, EXP, FINGERPRINT, Key, NOW, Object, claims, jwks};
use super::signed::{Shard, changed as altered, code, front, status_key};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = looked_up();
    cases.extend(ages());
    cases.extend(refused());
    cases.extend(deltas());
    cases
}

/// A licence at position 300 of shard 7.
fn placed() -> Object {
    with_status(300, "https://licenses.example/api/licenses/status/7")
}

fn with_status(index: u16, uri: &str) -> Object {
    let status = format!(r#"{{"status_list":{{"idx":{index},"uri":"{uri}"}}}}"#);
    claims().with("status", status)
}

fn with_lic(lic: &str) -> String {
    placed().with("lic", lic).token()
}

fn valid(name: &str, token: String, shard: &Shard) -> Case {
    Case::valid(&format!("shard/{name}"), token).shard(shard.bytes())
}

fn denied(name: &str, token: String, shard: &Shard, code: &'static str) -> Case {
    Case::denied(&format!("shard/{name}"), token, code).shard(shard.bytes())
}

fn looked_up() -> Vec<Case> {
    let token = placed().token();
    let others: Vec<u16> = (0..=u16::MAX).step_by(97).filter(|p| *p != 300).collect();
    let with_it: Vec<u16> = {
        let mut all = others.clone();
        all.push(300);
        all.sort_unstable();
        all
    };
    let dense: Vec<u16> = (0..=u16::MAX).filter(|p| p % 3 > 0 || *p == 300).collect();
    let everything: Vec<u16> = (0..=u16::MAX).collect();
    let everything_else: Vec<u16> = (0..=u16::MAX).filter(|p| *p != 300).collect();
    let ends = |index| with_status(index, "https://mirror.example/7").token();
    vec![
        valid("empty", token.clone(), &Shard::of(&[]))
            .fact("revocation_age_s", 0)
            .fact("status_idx", 300),
        valid("neighbours", token.clone(), &Shard::of(&[299, 301])),
        denied("revoked", token.clone(), &Shard::of(&[300]), "revoked").fact("revoked_at", NOW),
        denied(
            "among-others",
            token.clone(),
            &Shard::of(&with_it),
            "revoked",
        ),
        valid("not-among-others", token.clone(), &Shard::of(&others)),
        denied("dense", token.clone(), &Shard::of(&dense), "revoked"),
        denied(
            "all-revoked",
            token.clone(),
            &Shard::of(&everything),
            "revoked",
        ),
        valid(
            "all-others-revoked",
            token.clone(),
            &Shard::of(&everything_else),
        ),
        denied("first-position", ends(0), &Shard::of(&[0]), "revoked"),
        denied(
            "last-position",
            ends(65_535),
            &Shard::of(&[65_535]),
            "revoked",
        ),
        valid("last-but-one-position", ends(65_534), &Shard::of(&[65_535])),
        denied(
            "revoked-and-expired",
            token.clone(),
            &Shard::of(&[300]),
            "revoked",
        )
        .at(EXP),
        denied("expired", token.clone(), &Shard::of(&[]), "expired").at(EXP),
        denied(
            "other-device",
            token.clone(),
            &Shard::of(&[]),
            "other_device",
        )
        .device(&[("fingerprint", "other")]),
        valid("own-device", token, &Shard::of(&[])).device(&[("fingerprint", FINGERPRINT)]),
        // Another shard says nothing about it.
        valid(
            "of-another-number",
            with_status(300, "https://licenses.example/api/licenses/status/17").token(),
            &Shard::of(&[300]),
        ),
        valid(
            "number-with-a-leading-zero",
            with_status(300, "https://licenses.example/status/07").token(),
            &Shard::of(&[300]),
        ),
        valid(
            "licence-without-a-place",
            claims().token(),
            &Shard::of(&[300]),
        ),
    ]
}

fn ages() -> Vec<Case> {
    let limited = |stale: &str| {
        with_lic(&format!(
            r#"{{"fresh_s":3600,"max_age_s":86400,{stale}"grace_s":864000}}"#
        ))
    };
    let (deny, warn) = (limited(""), limited(r#""stale":"warn","#));
    let allow = limited(r#""stale":"allow","#);
    let empty = Shard::of(&[]);
    let later = Shard {
        this_update: NOW + 5 * DAY_S,
        next_update: NOW + 5 * DAY_S + 7_200,
        ..Shard::of(&[])
    };
    let old = |name: &str, token: &str, decision| {
        Case::new(
            &format!("age/{name}"),
            token.to_owned(),
            "revocation_data_old",
            decision,
        )
        .shard(empty.bytes())
        .at(NOW + DAY_S + 1)
        .fact("revocation_age_s", DAY_S + 1)
    };
    let valid = |name: &str, token: &str| Case::valid(&format!("age/{name}"), token.to_owned());
    vec![
        valid("fresh", &deny)
            .shard(empty.bytes())
            .at(NOW + 3_600)
            .fact("revocation_age_s", 3_600),
        valid("aging", &deny).shard(empty.bytes()).at(NOW + 3_601),
        valid("at-its-end", &deny)
            .shard(empty.bytes())
            .at(NOW + DAY_S),
        old("deny", &deny, "deny"),
        old("warn", &warn, "allow").text_fact("stale", "warn"),
        old("allow", &allow, "allow"),
        valid("no-limit", &placed().token())
            .shard(empty.bytes())
            .at(NOW + 29 * DAY_S)
            .fact("revocation_age_s", 29 * DAY_S),
        valid("newer-data", &deny)
            .shard(later.bytes())
            .at(NOW + 6 * DAY_S),
        // What was so when it was issued is known without any data.
        valid("no-data-yet", &deny)
            .status()
            .at(NOW + DAY_S)
            .fact("revocation_age_s", DAY_S),
        Case::denied(
            "age/no-data-for-too-long",
            deny.clone(),
            "revocation_data_old",
        )
        .status()
        .at(NOW + DAY_S + 1),
        valid("older-than-the-licence", &deny)
            .shard(
                Shard {
                    this_update: NOW - 9 * DAY_S,
                    ..empty.clone()
                }
                .bytes(),
            )
            .at(NOW + DAY_S),
        valid("from-the-future", &deny)
            .shard(later.bytes())
            .at(NOW + DAY_S)
            .fact("revocation_age_s", 0),
        valid("nobody-asked", &deny).at(NOW + 20 * DAY_S),
        Case::denied("age/within-grace", deny.clone(), "expired")
            .shard(empty.bytes())
            .at(EXP),
        Case::new(
            "age/within-grace-and-allowed",
            warn.clone(),
            "expired",
            "allow",
        )
        .shard(empty.bytes())
        .at(EXP),
        Case::denied("age/on-another-device", warn, "other_device")
            .shard(empty.bytes())
            .device(&[("fingerprint", "other")])
            .at(NOW + 2 * DAY_S),
        Case::new("age/revoked", deny, "revoked", "deny")
            .shard(Shard::of(&[300]).bytes())
            .at(NOW + 2 * DAY_S),
    ]
}

fn refused() -> Vec<Case> {
    let good = Shard::of(&[3, 300]);
    let refused = |name: &str, bytes: Vec<u8>, code: &'static str| {
        Case::denied(&format!("shard/refused-{name}"), placed().token(), code).shard(bytes)
    };
    let changed = |name: &str, change: fn(&mut Shard), code: &'static str| {
        let mut shard = good.clone();
        change(&mut shard);
        refused(name, shard.bytes(), code)
    };
    let cut = |by: usize| front(&good.bytes(), good.bytes().len() - by);
    let flipped = altered(good.bytes(), 47, |byte| byte ^ 1);
    let code_with_rest = [code(&[3, 300], 14), vec![0]].concat();
    let padded = altered(code(&[3, 300], 14), 3, |byte| byte | 1);
    vec![
        refused("empty", Vec::new(), "shard_length"),
        refused("short", front(&good.bytes(), 108), "shard_length"),
        refused(
            "long",
            [b"NXS1".to_vec(), vec![0; 8_896]].concat(),
            "shard_length",
        ),
        refused("cut", cut(1), "shard_signature"),
        refused("flipped", flipped, "shard_signature"),
        changed("magic", |shard| shard.magic = "NXS2", "shard_magic"),
        changed(
            "by-a-strange-key",
            |shard| (shard.key, shard.named_key) = (99, 99),
            "shard_unknown_key",
        ),
        changed(
            "in-anothers-name",
            |shard| shard.key = 99,
            "shard_signature",
        ),
        changed(
            "by-the-licence-key",
            |shard| (shard.key, shard.named_key) = (1, 1),
            "shard_unknown_key",
        ),
        changed(
            "of-another-issuer",
            |shard| shard.issuer = "https://other.example",
            "shard_signature",
        ),
        changed(
            "time-out-of-range",
            |shard| shard.next_update = 1 << 53,
            "shard_times",
        ),
        changed(
            "next-update-not-later",
            |shard| shard.next_update = NOW,
            "shard_times",
        ),
        changed(
            "count-out-of-range",
            |shard| shard.count = 65_537,
            "shard_count",
        ),
        changed("count-too-high", |shard| shard.count = 3, "shard_truncated"),
        changed(
            "count-too-low",
            |shard| (shard.count, shard.k) = (1, 15),
            "shard_rest",
        ),
        changed(
            "another-parameter",
            |shard| (shard.k, shard.code) = (13, code(&[3, 300], 13)),
            "shard_parameter",
        ),
        changed(
            "position-out-of-range",
            |shard| {
                (shard.count, shard.k, shard.code) = (1, 15, vec![0x20, 0, 0]);
            },
            "shard_out_of_range",
        ),
        changed(
            "endless-zeros",
            |shard| shard.code = vec![0; 8_700],
            "shard_out_of_range",
        ),
        refused(
            "a-byte-too-many",
            Shard {
                code: code_with_rest,
                ..good.clone()
            }
            .bytes(),
            "shard_rest",
        ),
        refused(
            "padding-not-zero",
            Shard {
                code: padded,
                ..good.clone()
            }
            .bytes(),
            "shard_rest",
        ),
        refused(
            "no-code",
            Shard {
                code: Vec::new(),
                ..good.clone()
            }
            .bytes(),
            "shard_truncated",
        ),
        refused("json", b"{\"keys\":[]}".repeat(12), "shard_magic"),
    ]
}

fn deltas() -> Vec<Case> {
    let old = Shard {
        seq: NOW - 50,
        ..Shard::of(&[3, 299])
    };
    let (with_it, without) = (Shard::of(&[3, 300]), Shard::of(&[3]));
    let token = placed().token();
    let case = |name: &str, delta: Vec<u8>, code: &'static str, decision| {
        Case::new(&format!("delta/{name}"), token.clone(), code, decision)
            .shard(old.bytes())
            .delta(delta)
    };
    let denied = |name: &str, delta: Vec<u8>, code| case(name, delta, code, "deny");
    let good = with_it.delta(NOW - 50, &[300], &[299]);
    let mut of_other_shard = with_it.clone();
    of_other_shard.number = 8;
    let mut cut = good.clone();
    cut.pop();
    vec![
        denied("adds-it", good.clone(), "revoked").fact("revoked_at", NOW),
        case(
            "removes-another",
            without.delta(NOW - 50, &[], &[299]),
            "valid",
            "allow",
        ),
        case(
            "changes-nothing",
            Shard::of(&[3, 299]).delta(NOW - 50, &[], &[]),
            "valid",
            "allow",
        ),
        denied(
            "from-another-version",
            with_it.delta(NOW - 51, &[300], &[299]),
            "delta_base",
        ),
        denied(
            "of-another-shard",
            of_other_shard.delta(NOW - 50, &[300], &[299]),
            "delta_number",
        ),
        denied(
            "adds-what-is-there",
            with_it.delta(NOW - 50, &[3], &[299]),
            "delta_changes",
        ),
        denied(
            "removes-what-is-not",
            with_it.delta(NOW - 50, &[300], &[4]),
            "delta_changes",
        ),
        denied(
            "too-little",
            with_it.delta(NOW - 50, &[300], &[]),
            "delta_changes",
        ),
        denied(
            "another-set",
            with_it.delta(NOW - 50, &[301], &[299]),
            "shard_signature",
        ),
        denied("cut", cut, "shard_truncated"),
        denied("short", front(&good, 100), "shard_length"),
        denied("a-whole-shard", with_it.bytes(), "revoked").fact("revoked_at", NOW),
        case(
            "by-a-newer-status-key",
            Shard {
                key: 62,
                named_key: 62,
                ..without
            }
            .delta(NOW - 50, &[], &[299]),
            "valid",
            "allow",
        )
        .status_keys(jwks(&[status_key().jwk(), Key::new(62).jwk()])),
    ]
}
