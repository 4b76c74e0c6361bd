//! `/v1/api-keys`

use serde_json::{Value, json};

use crate::harness::{Answer, Server};

fn issue(server: &Server, token: &str, name: &str) -> Answer {
    let body = json!({ "name": name });
    let issued = server
        .post("/v1/api-keys", &body.to_string())
        .bearer(token)
        .send();
    assert_eq!(issued.status, 201, "{}", issued.text);
    issued
}

fn names(listed: &Answer) -> Vec<&str> {
    let items = listed.json.as_array().unwrap();
    items
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect()
}

#[test]
fn the_same_keys_stand_in_the_lists_of_all_documents() {
    let server = Server::start();
    let token = server.sign_up("lists@example.com");
    let issued = issue(&server, &token, "workspace");
    let own = server
        .post("/api/users/me/api-keys", r#"{"name":"own"}"#)
        .bearer(&token)
        .send();
    assert_eq!(own.status, 201, "{}", own.text);
    server.make_key(&token, &["signals"]);
    for path in ["/v1/api-keys", "/api/users/me/api-keys", "/api/v1/api-keys"] {
        let listed = server.get(path).bearer(&token).send();
        assert_eq!(names(&listed), ["test", "own", "workspace"], "{path}");
    }
    let shown = server.get("/api/v1/api-keys").bearer(&token).send();
    let prefixes: Vec<String> = shown
        .json
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["prefix"].as_str().unwrap().to_owned())
        .collect();
    let secret = issued.json["secret"].as_str().unwrap();
    assert_eq!(prefixes[2], secret[..12], "four characters tell it apart");
    assert_eq!(prefixes[1], own.json["key"].as_str().unwrap()[..8]);
}

#[test]
fn a_list_goes_on_where_its_link_says() {
    let server = Server::start();
    let token = server.sign_up("pages@example.com");
    for number in 1..=5 {
        issue(&server, &token, &format!("key {number}"));
    }
    for path in ["/v1/api-keys", "/api/users/me/api-keys"] {
        let mut seen = Vec::new();
        let mut next = Some(format!("{path}?limit=2"));
        while let Some(target) = next {
            let page = server.get(&target).bearer(&token).send();
            assert_eq!(page.status, 200, "{}", page.text);
            assert!(page.json.as_array().unwrap().len() <= 2);
            seen.extend(names(&page).into_iter().map(str::to_owned));
            next = page.header("link").map(|link| {
                let (target, rest) = link.strip_prefix('<').unwrap().split_once('>').unwrap();
                assert_eq!(rest, "; rel=\"next\"");
                target.strip_prefix(&server.url).unwrap().to_owned()
            });
        }
        assert_eq!(
            seen,
            ["key 5", "key 4", "key 3", "key 2", "key 1"],
            "{path}"
        );
    }
    let own = |query: &str| {
        let listed = server.get(&format!("/api/users/me/api-keys?{query}"));
        listed.bearer(&token).send()
    };
    for (query, field, sentence) in [
        ("limit=0", "limit", "limit: must be from 1 to 1000"),
        (
            "limit=x",
            "limit",
            "limit: must be a whole number from 0 to 4294967295",
        ),
        ("limit=1&limit=1", "limit", "limit: appears twice"),
        ("limit=%", "limit", "limit: not percent-encoded UTF-8"),
        ("before=x", "before", "before: must be an id from the list"),
    ] {
        let refused = own(query);
        assert_eq!(refused.refusal(), (422, sentence), "{query}");
        assert_eq!(
            refused.json["detail"],
            json!([{ "loc": ["query", field], "msg": sentence, "type": "invalid_query" }])
        );
    }
    let next = own("b%65fore=ffffffff-ffff-7fff-bfff-ffffffffffff&limit=1&x=%3D");
    let link = next.header("link").unwrap();
    let query = link.split('?').nth(1).unwrap().split('>').next().unwrap();
    let (kept, cursor) = query.rsplit_once('&').unwrap();
    assert_eq!(kept, "limit=1&x=%3D", "one cursor only: {link}");
    assert!(cursor.starts_with("before="), "{link}");
    assert_eq!(own(query).status, 200, "{query}");
    let workspace = |query: &str| {
        let listed = server.get(&format!("/v1/api-keys?{query}"));
        listed.bearer(&token).send()
    };
    assert_eq!(
        workspace("limit=1001").refusal(),
        (400, "limit: must be from 1 to 1000")
    );
    let uuid = "018f0000-0000-7000-8000-000000000000";
    for other in [uuid, "", "key_", "KEY_aaaaaaaaaaaaaaaaaaaaaaaaaa"] {
        let refused = workspace(&format!("before={other}"));
        assert_eq!(
            refused.refusal(),
            (400, "before: is not the id of a key"),
            "{other:?}"
        );
    }
}

#[test]
fn a_key_has_one_id_and_belongs_to_one_tenant() {
    let server = Server::start();
    let (a, b) = (
        server.sign_up("a@example.com"),
        server.sign_up("b@example.com"),
    );
    let issued = issue(&server, &a, "a's");
    let id = issued.json["id"].as_str().unwrap();
    let native = server.get("/api/v1/api-keys").bearer(&a).send();
    let uuid = native.json[0]["id"].as_str().unwrap();
    let delete = |id: &str, token: &str| {
        server
            .delete(&format!("/v1/api-keys/{id}"))
            .bearer(token)
            .send()
    };
    let missing = delete("key_aaaaaaaaaaaaaaaaaaaaaaaaaa", &a);
    assert_eq!(missing.refusal(), (404, "API key not found"));
    let upper_case = format!("key_{}", id["key_".len()..].to_uppercase());
    for (other, token) in [
        (id, &b),
        (uuid, &a),
        (upper_case.as_str(), &a),
        (&id["key_".len()..], &a),
        (&id[..id.len() - 1], &a),
        ("%20", &a),
    ] {
        let answer = delete(other, token);
        assert_eq!(
            (answer.status, &answer.text),
            (404, &missing.text),
            "{other}"
        );
    }
    for (path, token) in [
        (format!("/api/users/me/api-keys/{uuid}"), &b),
        (format!("/api/users/me/api-keys/{id}"), &a),
    ] {
        let answer = server.delete(&path).bearer(token).send();
        assert_eq!(answer.refusal(), (404, "API key not found"), "{path}");
        assert_eq!(answer.json["detail"], Value::from("API key not found"));
    }
    assert_eq!(delete(id, &a).status, 200);
    assert_eq!(
        server.get("/api/v1/api-keys").bearer(&a).send().json,
        json!([])
    );
}

#[test]
fn a_key_may_end_at_a_time_of_its_own() {
    let server = Server::start();
    let token = server.sign_up("expiry@example.com");
    let at = "2100-01-01T02:00:00+02:00";
    for (path, secret) in [
        ("/v1/api-keys", "secret"),
        ("/api/users/me/api-keys", "key"),
    ] {
        let body = json!({ "name": "k", "expires_at": at, "expire_now": false, "unknown": 1 });
        let made = server.post(path, &body.to_string()).bearer(&token).send();
        assert_eq!(made.status, 201, "{}", made.text);
        assert!(made.json[secret].is_string());
        let listed = server.get(path).bearer(&token).send();
        assert_eq!(
            listed.json[0]["expires_at"], "2100-01-01T00:00:00.000Z",
            "{path}"
        );
    }
}
