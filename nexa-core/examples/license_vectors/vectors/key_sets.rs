//! Licences under signed key sets: keys that begin, end and are revoked; key sets that must be refused.

use super::Case;
use super::mint::{DAY_S, EXP, Key, NOW, claims, header, quoted};
use super::signed::{KeySet, Shard, changed as altered, front};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = in_force();
    cases.extend(with_shards());
    cases.extend(refused());
    cases
}

fn in_force() -> Vec<Case> {
    let token = claims().token();
    let valid = |name: &str, set: &KeySet| {
        Case::valid(&format!("key-set/{name}"), token.clone()).key_set(set.bytes())
    };
    let denied = |name: &str, set: &KeySet, code: &'static str| {
        Case::denied(&format!("key-set/{name}"), token.clone(), code).key_set(set.bytes())
    };
    let always = KeySet::of(&[(1, 1, 0, 0)]);
    let ended = KeySet::of(&[(1, 2, NOW, 0), (1, 1, 0, EXP + DAY_S)]);
    let wrong = Case::denied(
        "key-set/signature-wrong",
        Key::strange().sign(&header().text(), &claims().text()),
        "signature_wrong",
    );
    let unknown = header().with("kid", quoted(&Key::strange().kid()));
    vec![
        valid("plain", &always).text_fact("kid", &Key::issuing().kid()),
        valid("issued-as-the-key-begins", &KeySet::of(&[(1, 1, NOW, 0)])),
        denied(
            "issued-before-the-key-begins",
            &KeySet::of(&[(1, 1, NOW + 1, 0)]),
            "kid_not_in_force",
        ),
        valid("verify-only", &ended).at(EXP - 1),
        denied("verify-only-and-expired", &ended, "expired").at(EXP),
        valid(
            "last-second-of-the-key",
            &KeySet::of(&[(1, 1, 0, NOW + 61)]),
        )
        .at(NOW + 60),
        denied(
            "key-is-over",
            &KeySet::of(&[(1, 1, 0, NOW + 61)]),
            "kid_not_in_force",
        )
        .at(NOW + 61),
        denied("rotated-out", &KeySet::of(&[(1, 2, 0, 0)]), "unknown_key"),
        denied(
            "revoked",
            &KeySet::of(&[(1, 2, 0, 0)]).revoking(1),
            "kid_revoked",
        ),
        valid("another-revoked", &always.clone().revoking(2)),
        denied(
            "for-status-only",
            &KeySet::of(&[(1, 2, 0, 0), (2, 1, 0, 0)]),
            "unknown_key",
        ),
        denied(
            "for-audit-only",
            &KeySet::of(&[(1, 2, 0, 0), (4, 1, 0, 0)]),
            "unknown_key",
        ),
        denied("no-issuing-key", &KeySet::of(&[]), "unknown_key"),
        wrong.key_set(always.bytes()),
        Case::denied(
            "key-set/by-the-root-key",
            Key::new(60).sign(
                &header().with("kid", quoted(&Key::new(60).kid())).text(),
                &claims().text(),
            ),
            "unknown_key",
        )
        .key_set(always.bytes()),
        Case::denied(
            "key-set/unknown-kid",
            Key::strange().sign(&unknown.text(), &claims().text()),
            "unknown_key",
        )
        .key_set(always.bytes()),
        // Header rules come before the key, claims before the key's time.
        Case::denied(
            "key-set/header-before-revoked",
            Key::issuing().sign(&header().with("zip", "\"DEF\"").text(), &claims().text()),
            "header_zip",
        )
        .key_set(KeySet::of(&[(1, 2, 0, 0)]).revoking(1).bytes()),
        Case::denied(
            "key-set/claims-before-the-keys-time",
            claims().with("aud", "\"other\"").token(),
            "aud_wrong",
        )
        .key_set(KeySet::of(&[(1, 1, NOW + 1, 0)]).bytes()),
    ]
}

fn with_shards() -> Vec<Case> {
    let status =
        r#"{"status_list":{"idx":300,"uri":"https://licenses.example/api/licenses/status/7"}}"#;
    let token = claims().with("status", status).token();
    let set = KeySet::of(&[(1, 1, 0, 0)]);
    let shard = Shard::of(&[300]);
    let by_licence_key = Shard {
        key: 1,
        named_key: 1,
        ..shard.clone()
    };
    let case = |name: &str, shard: &Shard, code| {
        Case::denied(&format!("key-set/{name}"), token.clone(), code)
            .key_set(set.bytes())
            .shard_under_key_set(shard.bytes())
    };
    let timed = |name: &str, from, until, code| {
        let mut set = KeySet::of(&[(1, 1, 0, 0)]);
        let status_key = set.keys.last_mut().expect("it has one");
        (status_key.2, status_key.3) = (from, until);
        Case::denied(&format!("key-set/{name}"), token.clone(), code)
            .key_set(set.bytes())
            .shard_under_key_set(shard.bytes())
    };
    let too_early = "shard_key_not_in_force";
    vec![
        timed("shard-as-its-key-begins", NOW, 0, "revoked"),
        timed("shard-before-its-key-begins", NOW + 1, 0, too_early),
        timed("shard-as-its-key-ends", 0, NOW, too_early),
        timed("shard-before-its-key-ends", 0, NOW + 1, "revoked"),
        // What was signed in time counts afterwards.
        timed("shard-whose-key-has-ended", 0, NOW + 1, "revoked").at(NOW + 60),
        case("shard", &shard, "revoked"),
        case(
            "shard-by-the-licence-key",
            &by_licence_key,
            "shard_unknown_key",
        ),
    ]
}

fn refused() -> Vec<Case> {
    let good = KeySet::of(&[(1, 1, 5, 0)]).revoking(2);
    let refused = |name: &str, bytes: Vec<u8>, code: &'static str| {
        Case::denied(&format!("key-set/refused-{name}"), claims().token(), code).key_set(bytes)
    };
    let changed = |name: &str, change: fn(&mut KeySet), code: &'static str| {
        let mut set = good.clone();
        change(&mut set);
        refused(name, set.bytes(), code)
    };
    let body_with = |place: usize, byte: u8| good.signed(altered(good.body(), place, |_| byte));
    let flipped = altered(good.bytes(), 50, |byte| byte ^ 1);
    let cut = |by: usize| good.signed(front(&good.body(), good.body().len() - by));
    vec![
        refused("empty", Vec::new(), "key_set_length"),
        refused("short", front(&good.bytes(), 93), "key_set_length"),
        refused("long", vec![0; 1_519], "key_set_length"),
        refused("cut", cut(1), "key_set_length"),
        refused(
            "a-byte-too-many",
            good.signed([good.body(), vec![0]].concat()),
            "key_set_length",
        ),
        refused("count-of-keys", body_with(28, 1), "key_set_length"),
        refused("count-of-revoked", body_with(29, 2), "key_set_length"),
        refused("flipped", flipped, "key_set_signature"),
        changed("magic", |set| set.magic = "NXK2", "key_set_magic"),
        changed(
            "by-another-root",
            |set| (set.root, set.named_root) = (59, 59),
            "key_set_other_root",
        ),
        changed(
            "in-the-roots-name",
            |set| set.root = 59,
            "key_set_signature",
        ),
        changed(
            "by-an-issuing-key",
            |set| (set.root, set.named_root) = (1, 1),
            "key_set_other_root",
        ),
        changed(
            "of-another-issuer",
            |set| set.issuer = "https://other.example",
            "key_set_signature",
        ),
        changed(
            "time-out-of-range",
            |set| set.issued_at = 1 << 53,
            "key_set_times",
        ),
        changed(
            "ends-before-it-begins",
            |set| set.keys = vec![(1, 1, 9, 9)],
            "key_set_times",
        ),
        changed(
            "use-zero",
            |set| set.keys = vec![(0, 1, 0, 0)],
            "key_set_use",
        ),
        changed(
            "use-unknown",
            |set| set.keys = vec![(5, 1, 0, 0)],
            "key_set_use",
        ),
        changed(
            "key-twice",
            |set| set.keys = vec![(1, 1, 0, 0), (1, 1, 0, 0)],
            "key_set_key",
        ),
        changed(
            "key-for-two-uses",
            |set| set.keys = vec![(1, 1, 0, 0), (2, 1, 0, 0)],
            "key_set_key",
        ),
        refused(
            "weak-key",
            good.signed((31..63).fold(good.body(), |body, place| altered(body, place, |_| 0))),
            "key_set_key",
        ),
        changed(
            "trusted-and-revoked",
            |set| set.revoked = vec![(1, NOW)],
            "key_set_revoked",
        ),
        changed(
            "revoked-twice",
            |set| set.revoked = vec![(2, NOW), (2, NOW)],
            "key_set_revoked",
        ),
        changed(
            "too-many-keys",
            |set| {
                set.keys = (1..18).map(|seed| (1, seed, 0, 0)).collect();
            },
            "key_set_length",
        ),
    ]
}
