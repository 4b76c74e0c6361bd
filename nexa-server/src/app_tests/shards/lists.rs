//! The same facts for readers of JWTs: the signed list, and the standard's status list.

use std::collections::BTreeSet;

use nexa_core::{Refusal, RevocationFeed, RevocationStatus, Revocations};
use serde_json::{Value, json};

use super::super::{Fixture, START};
use super::{ISSUER, Placed, claims, decoded};

#[test]
fn the_signed_list_says_what_the_plain_one_does() {
    let mut fixture = Fixture::new();
    let token = fixture.owners_key();
    let (first, second) = (fixture.issue(&token, 1), fixture.issue(&token, 2));
    let third = fixture.issue(&token, 3);
    fixture.revoke(&token, &first);
    fixture.now = START.plus_seconds(9);
    fixture.revoke(&token, &second);
    let signed = [("accept", "application/revocations+jwt")];
    let answer = fixture.get("/api/licenses/revocations", &signed);
    assert_eq!(
        answer.headers()["content-type"],
        "application/revocations+jwt"
    );
    assert_eq!(answer.headers()["vary"], "accept");
    let keys = fixture.status_keys();
    let mut buffer = vec![0; answer.body().len()];
    let feed = RevocationFeed::open(answer.body(), &keys, ISSUER, &mut buffer).unwrap();
    assert_eq!(feed.len(), 2);
    for (placed, is_revoked) in [(&first, true), (&second, true), (&third, false)] {
        let found = feed.lookup(&placed.jti, None);
        assert_eq!(
            matches!(found, RevocationStatus::Revoked { .. }),
            is_revoked
        );
    }
    // Whoever refuses it, or takes the plain list as gladly, gets that.
    for accept in [
        "application/json, application/revocations+jwt;q=0",
        "application/json, application/revocations+jwt;q=0.1",
        "application/json, application/revocations+jwt",
    ] {
        let plain = fixture.get("/api/licenses/revocations", &[("accept", accept)]);
        let media_type = &plain.headers()["content-type"];
        assert_eq!(media_type, "application/json", "{accept}");
    }
    // A part of it is no list to look up in.
    let since = START.plus_seconds(5).to_rfc3339();
    let part = fixture.get(&format!("/api/licenses/revocations?since={since}"), &signed);
    let list = &claims(std::str::from_utf8(part.body()).unwrap())["revocations"];
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(list[0]["jti"], second.jti);
    let mut buffer = vec![0; part.body().len()];
    assert_eq!(
        RevocationFeed::open(part.body(), &keys, ISSUER, &mut buffer).err(),
        Some(nexa_core::SignedFeedError::Partial)
    );
    // Issuing keys sign no list, and a list is no licence.
    let issuing = &fixture.app.services().ring.issuing().keys;
    let mut buffer = vec![0; answer.body().len()];
    assert_eq!(
        RevocationFeed::open(answer.body(), issuing, ISSUER, &mut buffer).err(),
        Some(nexa_core::SignedFeedError::Refused(Refusal::KidUnknown))
    );
}

/// The standard's token, read by others' code.
#[test]
fn the_status_list_token_is_the_standards() {
    let mut fixture = Fixture::new();
    let token = fixture.owners_key();
    let placed: Vec<Placed> = (0..20).map(|n| fixture.issue(&token, n)).collect();
    for placed in placed.iter().take(7) {
        fixture.revoke(&token, placed);
    }
    let answer = fixture.get("/api/licenses/status/0", &[]);
    assert_eq!(
        answer.headers()["content-type"],
        "application/statuslist+jwt"
    );
    let token = std::str::from_utf8(answer.body()).unwrap();
    let keys = fixture.status_keys();
    let key = keys.iter().next().unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    assert_eq!(key.verify(signed.as_bytes(), &decoded(signature)), Ok(()));
    let header: Value = serde_json::from_slice(&decoded(token.split('.').next().unwrap())).unwrap();
    assert_eq!(
        header,
        json!({ "alg": "EdDSA", "typ": "statuslist+jwt", "kid": key.kid() })
    );
    let claims = claims(token);
    assert_eq!(claims["sub"], format!("{ISSUER}/api/licenses/status/0"));
    assert_eq!(
        claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(),
        2 * 3_600
    );
    assert_eq!(claims["status_list"]["bits"], 1);
    use base64::Engine;
    let packed = claims["status_list"]["lst"].as_str().unwrap();
    let packed = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(packed)
        .unwrap();
    let bits = miniz_oxide::inflate::decompress_to_vec_zlib(&packed).unwrap();
    let found: BTreeSet<u16> = (0..=u16::MAX)
        .filter(|position| bits[usize::from(*position) / 8] >> (position % 8) & 1 == 1)
        .collect();
    assert_eq!(
        found,
        placed
            .iter()
            .take(7)
            .map(|placed| placed.position)
            .collect()
    );
}
