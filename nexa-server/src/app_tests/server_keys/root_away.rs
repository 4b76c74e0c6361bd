//! A root key that is kept elsewhere signs drafts.

use nexa_core::{KeyUse, NewKeySet, sign_key_set};

use super::*;

impl World {
    fn draft(&mut self) -> Vec<u8> {
        let (_, shown) = self.operate("GET", "", &Value::Null);
        assert_eq!(shown["isCurrent"], false, "{shown}");
        URL_SAFE_NO_PAD
            .decode(shown["draft"].as_str().unwrap())
            .unwrap()
    }

    fn import(&mut self, signed: &[u8]) -> (u16, Value) {
        let body = json!({ "keySet": URL_SAFE_NO_PAD.encode(signed) });
        self.operate("PUT", "", &body)
    }
}

#[test]
fn a_key_signs_only_when_a_signed_key_set_has_held_it_for_long_enough() {
    let mut world = World::new();
    let (_, old) = world.issue("one");
    world.restart(None).unwrap();
    let (_, shown) = world.operate("GET", "", &Value::Null);
    assert_eq!(
        (&shown["isCurrent"], shown.get("draft")),
        (&json!(true), None)
    );
    let new = world.rotate("license", 24);
    assert!(world.shown(&new).get("signsFrom").is_none());
    let (seq, keys) = world.key_set(KeyUse::License);
    assert!(keys.find(&new).is_none(), "nobody can have signed it");
    world.at(3 * DAY_S).tick();
    assert_eq!(world.issue("one").1, old);

    let draft = world.draft();
    let signed = sign_key_set(&draft, &root_key(), ISSUER).unwrap();
    let (status, imported) = world.import(&signed);
    assert_eq!(
        (status, &imported["isCurrent"]),
        (200, &json!(true)),
        "{imported}"
    );
    assert!(imported["seq"].as_u64().unwrap() > seq);
    assert_eq!(world.import(&signed).0, 200, "once more changes nothing");
    assert!(world.key_set(KeyUse::License).1.find(&new).is_some());
    world.at(4 * DAY_S - 1).tick();
    assert_eq!(world.issue("one").1, old);
    world.at(4 * DAY_S).tick();
    assert_eq!(world.issue("one").1, new);
    // The end of the old one is to be signed, and until then it has none.
    assert!(!world.draft().is_empty());
}

#[test]
fn what_the_root_key_did_not_sign_for_these_keys_is_refused() {
    let mut world = World::new();
    world.restart(None).unwrap();
    world.rotate("license", 24);
    let draft = world.draft();
    let signed = sign_key_set(&draft, &root_key(), ISSUER).unwrap();
    let published = world.bytes("/.well-known/nexa-keyset");
    let refused = |world: &mut World, bytes: &[u8], rule: &str| {
        let (status, refused) = world.import(bytes);
        let error = refused["error"].as_str().unwrap().to_owned();
        assert_eq!(status, 400, "{error}");
        assert!(
            error.contains("keySet") && error.contains(rule),
            "{rule}: {error}"
        );
        assert_eq!(world.bytes("/.well-known/nexa-keyset"), published);
    };
    let mut flipped = signed.clone();
    flipped[40] ^= 1;
    refused(&mut world, &flipped, "signature");
    let other = sign_key_set(&draft, &root_key(), "https://other.example").unwrap();
    refused(&mut world, &other, "signature");
    refused(&mut world, &draft, "");
    let root = root_key();
    let keys: Vec<_> = {
        let set = SignedKeySet::open(&signed, &root.verification_key(), ISSUER).unwrap();
        set.contents().keys().collect()
    };
    let seq = START.seconds().get();
    for (seq, issued_at, keys, rule) in [
        (seq - 1, START, &keys[..], "newer"),
        (seq + 9, START.plus_seconds(301), &keys[..], "future"),
        (seq + 301, START, &keys[..], "future"),
        (seq + 9, START, &keys[1..], "once more"),
    ] {
        let new = NewKeySet {
            seq,
            issued_at: issued_at.seconds(),
            keys,
            revoked: &[],
        };
        refused(&mut world, &new.sign(&root, ISSUER).unwrap(), rule);
    }
    let (status, _) = world.operate("PUT", "", &json!({ "keySet": "not base64!" }));
    assert_eq!(status, 400);
    // Signed, and then the keys changed.
    let (_, old) = world.issue("one");
    assert_eq!(world.revoke(&old), 200);
    refused(&mut world, &signed, "once more");
}

#[test]
fn a_revocation_counts_here_at_once_and_for_clients_when_it_is_signed() {
    let mut world = World::new();
    world.restart(None).unwrap();
    let (license, old) = world.issue("one");
    assert_eq!(world.revoke(&old), 200);
    assert_eq!(world.verdicts(&license, "one"), ["valid", "unknown_key"]);
    let (next, _) = world.issue("one");
    assert_eq!(world.verdicts(&next, "one"), ["unknown_key", "valid"]);
    let signed = sign_key_set(&world.draft(), &root_key(), ISSUER).unwrap();
    assert_eq!(world.import(&signed).0, 200);
    assert_eq!(world.verdicts(&license, "one")[0], "kid_revoked");
    assert_eq!(world.verdicts(&next, "one"), ["valid"; 2]);
}

#[test]
fn another_root_key_is_refused() {
    let mut world = World::new();
    let refused = world.restart(Some(testing::seeded_key(66))).unwrap_err();
    assert!(matches!(refused, Error::Invalid { .. }), "{refused:?}");
    let refused = world.restart(Some(testing::seeded_key(7))).unwrap_err();
    assert!(matches!(refused, Error::Invalid { .. }), "{refused:?}");
}
