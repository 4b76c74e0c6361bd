//! `/api/operator/status`: the shards in pages.

use serde_json::{Value, json};

use super::super::{Fixture, START};
use super::ISSUER;

#[test]
fn the_operator_sees_every_shard_once_in_pages() {
    let mut fixture = Fixture::new();
    let owner = fixture.owners_key();
    let operator = fixture.operator_key();
    let first = fixture.issue(&owner, 1);
    fixture.issue(&owner, 2);
    fixture.revoke(&owner, &first);
    // A second shard would need 61,440 licences.
    for sql in [
        "INSERT INTO status_shards SELECT 3, 0, seq + 1, changes_since, this_update_s, kid, signed FROM status_shards",
        "INSERT INTO status_shards SELECT 4294967295, 0, seq + 2, changes_since, this_update_s, kid, signed
         FROM status_shards WHERE number = 0",
    ] {
        fixture.execute(sql);
    }
    let mut page = |query: &str| {
        let path = format!("/api/operator/status{query}");
        let answer = fixture.get(&path, &[("x-api-key", &operator)]);
        let shown: Value = serde_json::from_slice(answer.body()).unwrap();
        let link = (answer.headers().get("link")).map(|link| link.to_str().unwrap().to_owned());
        (shown, link)
    };
    let (all, link) = page("");
    let numbers = |shown: &Value| -> Vec<u64> {
        let shards = shown.as_array().unwrap().iter();
        shards
            .map(|shard| shard["number"].as_u64().unwrap())
            .collect()
    };
    assert_eq!((numbers(&all), link), (vec![0, 3, 4_294_967_295], None));
    let seq = all[0]["seq"].as_u64().unwrap();
    assert_eq!(
        all[0],
        json!({ "number": 0, "seq": seq, "taken": 2, "thisUpdate": START.to_rfc3339() })
    );
    let next = |query: &str| {
        Some(format!(
            "<{ISSUER}/api/operator/status?{query}>; rel=\"next\""
        ))
    };
    for (query, shown, link) in [
        ("?limit=2", vec![0, 3], next("limit=2&after=3")),
        ("?limit=2&after=3", vec![4_294_967_295], None),
        ("?%61fter=0&limit=1", vec![3], next("limit=1&after=3")),
        ("?limit=3", vec![0, 3, 4_294_967_295], None),
        ("?after=4294967295", vec![], None),
    ] {
        let (found, found_link) = page(query);
        assert_eq!((numbers(&found), found_link), (shown, link), "{query}");
    }
    for query in ["?after=x", "?after=-1", "?after=4294967296", "?limit=0"] {
        assert_eq!(page(query).0["status"], 400, "{query}");
    }
}
