//! `/api/operator/tenants`

use serde_json::{Value, json};

use crate::harness::{Answer, Server, members};

/// The id of the tenant that a credential is of.
fn tenant_of(server: &Server, credential: &str) -> String {
    let me = server.get("/api/auth/me").bearer(credential).send();
    me.json["tenant"]["id"].as_str().unwrap().to_owned()
}

fn ask(server: &Server, path: &str) -> Answer {
    server.get(path).key(&server.operator_key()).send()
}

fn ids(list: &Answer) -> Vec<&str> {
    let items = list.json.as_array().unwrap_or_else(|| panic!("{list:?}"));
    items
        .iter()
        .map(|item| item["id"].as_str().unwrap())
        .collect()
}

fn patch(server: &Server, id: &str, change: &Value) -> u16 {
    server
        .request("PATCH", &format!("/api/operator/tenants/{id}"))
        .header("Content-Type", "application/json")
        .body(&change.to_string())
        .key(&server.operator_key())
        .send()
        .status
}

#[test]
fn tenants_are_listed_newest_first_in_pages_and_by_address() {
    let server = Server::start();
    assert_eq!(ask(&server, "/api/operator/tenants").json, json!([]));
    let mut made = Vec::new();
    for n in 0..3 {
        let session = server.sign_up(&format!("Owner{n}@example.com"));
        made.push(tenant_of(&server, &session));
    }
    let agent = server
        .post("/v1/account/register", r#"{"name":"Robot"}"#)
        .send();
    made.push(tenant_of(&server, agent.json["api_key"].as_str().unwrap()));
    made.reverse();

    let all = ask(&server, "/api/operator/tenants");
    assert_eq!(ids(&all), made);
    assert_eq!(all.header("link"), None);
    assert_eq!(
        members(&all.json[0]),
        ["createdAt", "enabled", "id", "kind", "name", "plan"]
    );
    let shown = |n: usize| {
        let tenant = &all.json[n];
        json!([
            tenant["name"],
            tenant["kind"],
            tenant["enabled"],
            tenant["plan"]
        ])
    };
    assert_eq!(shown(0), json!(["Robot", "agent", true, null]));
    assert_eq!(shown(1), json!(["Acme", "workspace", true, null]));

    let first = ask(&server, "/api/operator/tenants?limit=3");
    assert_eq!(ids(&first), made[..3]);
    let link = first.header("link").unwrap();
    let next = link
        .strip_prefix(&format!("<{}", server.url))
        .and_then(|rest| rest.strip_suffix(">; rel=\"next\""))
        .unwrap();
    let second = ask(&server, next);
    assert_eq!(ids(&second), made[3..]);
    assert_eq!(second.header("link"), None);

    for (query, expected) in [
        ("email=owner1%40EXAMPLE.com", &made[2..3]),
        ("email=nobody%40example.com", &made[..0]),
    ] {
        let found = ask(&server, &format!("/api/operator/tenants?{query}"));
        assert_eq!(ids(&found), expected, "{query}");
    }
    let one = &made[2];
    for (query, expected) in [
        (format!("before={}", made[1]), &made[2..3]),
        (format!("before={one}"), &made[..0]),
    ] {
        let path = format!("/api/operator/tenants?email=owner1%40example.com&{query}");
        assert_eq!(ids(&ask(&server, &path)), expected, "{query}");
    }
    for (query, rule) in [
        ("email=owner", "email: "),
        ("limit=0", "limit: "),
        ("before=x", "before: "),
    ] {
        let refused = ask(&server, &format!("/api/operator/tenants?{query}"));
        let (status, sentence) = refused.refusal();
        assert!(status == 400 && sentence.starts_with(rule), "{sentence}");
    }
}

#[test]
fn one_tenant_is_shown_with_its_owners_as_it_stands() {
    let server = Server::start();
    let session = server.sign_up("Owner@example.com");
    server.sign_up("other@example.com");
    let id = tenant_of(&server, &session);
    let path = format!("/api/operator/tenants/{id}");
    let shown = ask(&server, &path);
    assert_eq!(shown.status, 200, "{}", shown.text);
    assert_eq!(
        shown.members(),
        [
            "createdAt",
            "enabled",
            "id",
            "kind",
            "name",
            "owners",
            "plan",
            "subscription",
            "users"
        ]
    );
    let me = server.get("/api/auth/me").bearer(&session).send();
    let owner = |enabled: bool| {
        json!([{
            "id": me.json["user"]["id"], "email": "Owner@example.com", "emailVerified": false, "enabled": enabled,
        }])
    };
    assert_eq!(
        (&shown.json["users"], &shown.json["owners"]),
        (&json!(1), &owner(true))
    );
    assert_eq!(
        patch(&server, &id, &json!({ "enabled": false, "plan": "pro" })),
        200
    );
    let shown = ask(&server, &path).json;
    assert_eq!(
        (&shown["enabled"], &shown["plan"], &shown["owners"]),
        (&json!(false), &json!("pro"), &owner(false))
    );
    let listed = ask(&server, "/api/operator/tenants").json;
    assert_eq!(
        (&listed[1]["enabled"], &listed[1]["plan"]),
        (&json!(false), &json!("pro"))
    );
    for missing in ["nobody", "018f0000-0000-7000-8000-000000000000"] {
        let refused = ask(&server, &format!("/api/operator/tenants/{missing}"));
        assert_eq!(refused.refusal(), (404, "Tenant not found"));
    }
}

#[test]
fn of_an_erased_tenant_nothing_is_shown() {
    let server = Server::start();
    let session = server.sign_up("gone@example.com");
    let stays = tenant_of(&server, &server.sign_up("stays@example.com"));
    let id = tenant_of(&server, &session);
    let path = format!("/api/operator/tenants/{id}");
    let erased = server.delete(&path).key(&server.operator_key()).send();
    assert!(matches!(erased.status, 200 | 202), "{}", erased.text);
    assert_eq!(ids(&ask(&server, "/api/operator/tenants")), [&stays]);
    let by_address = ask(&server, "/api/operator/tenants?email=gone%40example.com");
    assert_eq!(by_address.json, json!([]));
    assert_eq!(ask(&server, &path).status, 404);
    assert_eq!(patch(&server, &id, &json!({ "enabled": true })), 404);
}

#[test]
fn only_the_operator_sees_tenants() {
    let server = Server::start();
    let session = server.sign_up("a@example.com");
    let id = tenant_of(&server, &session);
    for path in [
        "/api/operator/tenants".to_owned(),
        format!("/api/operator/tenants/{id}"),
    ] {
        assert_eq!(server.get(&path).send().status, 401);
        assert_eq!(server.get(&path).bearer(&session).send().status, 403);
    }
}
