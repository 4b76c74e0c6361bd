//! `/api/v1/api-keys`: what a key can carry, and what becomes of it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Answer, Server};

impl Server {
    /// Makes a key with these members beside a name and the scope `signals`.
    fn key_with(&self, token: &str, members: &Value) -> (String, String) {
        let mut body = json!({ "name": "k", "scopes": ["signals"] });
        for (name, value) in members.as_object().unwrap() {
            body[name] = value.clone();
        }
        let made = self
            .post("/api/v1/api-keys", &body.to_string())
            .bearer(token)
            .send();
        assert_eq!(made.status, 201, "{}", made.text);
        let text = |name: &str| made.json[name].as_str().unwrap().to_owned();
        (text("id"), text("key"))
    }

    fn change(&self, token: &str, id: &str, changes: &Value) -> Answer {
        self.request("PATCH", &format!("/api/v1/api-keys/{id}"))
            .header("Content-Type", "application/json")
            .body(&changes.to_string())
            .bearer(token)
            .send()
    }

    fn check(&self, key: &str) -> Answer {
        self.get("/api/authorize?scope=signals").key(key).send()
    }

    /// How many of `calls` checks from 64 threads pass.
    fn storm(&self, key: &str, calls: usize) -> usize {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..64)
                .map(|thread| {
                    let share = calls / 64 + usize::from(thread < calls % 64);
                    scope
                        .spawn(move || (0..share).filter(|_| self.check(key).status == 200).count())
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        })
    }
}

#[test]
fn what_a_key_carries_is_shown_changed_and_taken_away() {
    let server = Server::start();
    let token = server.sign_up("terms@example.com");
    let carried = json!({
        "expiresAt": "2099-01-01T00:00:00.000Z",
        "rateLimit": { "limit": 1000, "windowSeconds": 3600 },
        "remaining": 5,
        "allowedIps": ["127.0.0.1", "10.1.2.3/8"],
        "environment": "test",
        "metadata": { "team": "ops", "tags": ["a", 1, null] },
        "enabled": false,
    });
    let (id, _) = server.key_with(&token, &carried);
    let path = format!("/api/v1/api-keys/{id}");
    let shown = server.get(&path).bearer(&token).send();
    assert_eq!(shown.status, 200, "{}", shown.text);
    let mut expected = carried.clone();
    expected["allowedIps"] = json!(["127.0.0.1/32", "10.0.0.0/8"]);
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&shown.json[name], value, "{name}");
    }
    let listed = server.get("/api/v1/api-keys").bearer(&token).send();
    for name in carried.as_object().unwrap().keys() {
        assert_eq!(listed.json[0][name], shown.json[name], "{name}");
    }
    let changes = json!({
        "name": "renamed", "scopes": ["agents", "signals"], "expiresAt": null, "rateLimit": null, "remaining": null,
        "allowedIps": null, "metadata": null, "enabled": true,
    });
    let changed = server.change(&token, &id, &changes);
    assert_eq!(changed.status, 200, "{}", changed.text);
    for (name, value) in changes.as_object().unwrap() {
        assert_eq!(&changed.json[name], value, "{name}");
    }
    assert_eq!(changed.json, server.get(&path).bearer(&token).send().json);
    let untouched = server.change(&token, &id, &json!({}));
    assert_eq!(untouched.json, changed.json);
    insta::assert_json_snapshot!(changed.json, {
        ".id" => "[id]", ".prefix" => "[prefix]", ".ownerId" => "[owner]", ".createdAt" => "[time]",
    });
}

#[test]
fn bad_terms_name_the_field_and_the_rule() {
    let server = Server::start();
    let token = server.sign_up("bad-terms@example.com");
    let (id, _) = server.key_with(&token, &json!({}));
    let many: Vec<String> = (0..101).map(|n| format!("10.0.0.{n}")).collect();
    for (members, sentence) in [
        (
            json!({ "rateLimit": { "limit": 0, "windowSeconds": 1 } }),
            "rateLimit.limit: must be at least 1",
        ),
        (
            json!({ "rateLimit": { "limit": 1, "windowSeconds": 0 } }),
            "rateLimit.windowSeconds: must be from 1 to 2678400 (31 days)",
        ),
        (
            json!({ "rateLimit": { "limit": 1, "windowSeconds": 2_678_401 } }),
            "rateLimit.windowSeconds: must be from 1 to 2678400 (31 days)",
        ),
        (
            json!({ "rateLimit": { "limit": 1 } }),
            "rateLimit.windowSeconds: required",
        ),
        (
            json!({ "remaining": 9_007_199_254_740_992_u64 }),
            "remaining: at most 9007199254740991",
        ),
        (
            json!({ "allowedIps": [] }),
            "allowedIps: must have 1 to 100 entries; null allows every address",
        ),
        (
            json!({ "allowedIps": many }),
            "allowedIps: must have 1 to 100 entries; null allows every address",
        ),
        (
            json!({ "allowedIps": ["10.0.0.1", "localhost"] }),
            "allowedIps[1]: must be an IP address or a CIDR block",
        ),
        (
            json!({ "metadata": { "m": "x".repeat(4096) } }),
            "metadata: at most 4096 bytes of JSON",
        ),
        (
            json!({ "scopes": ["nothing"] }),
            "scopes: unknown scope nothing; known are full_access agents balances history positions signals transactions",
        ),
        (
            json!({ "expiresAt": "2020-01-01T00:00:00Z" }),
            "expiresAt: must lie in the future",
        ),
        (
            json!({ "expiresAt": "9999-12-31T23:59:59-01:00" }),
            "expiresAt: must lie in the years 0000 to 9999 of UTC",
        ),
    ] {
        let mut body = json!({ "name": "k", "scopes": ["signals"] });
        body.as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        let made = server
            .post("/api/v1/api-keys", &body.to_string())
            .bearer(&token)
            .send();
        assert_eq!(made.refusal(), (400, sentence), "{body}");
        assert_eq!(
            server.change(&token, &id, &members).refusal(),
            (400, sentence),
            "{members}"
        );
    }
    for (changes, fault) in [
        (json!({ "name": null }), "name: "),
        (json!({ "scopes": null }), "scopes: "),
        (json!({ "enabled": null }), "enabled: "),
        (json!({ "remaining": -1 }), "remaining: "),
        (json!({ "remaining": 1.5 }), "remaining: "),
        (json!({ "metadata": [] }), "metadata: "),
        (
            json!({ "environment": "test" }),
            "environment: is settled when the key is made",
        ),
    ] {
        let answer = server.change(&token, &id, &changes);
        assert_eq!(answer.status, 400, "{changes}: {}", answer.text);
        assert!(
            answer.refusal().1.starts_with(fault),
            "{changes}: {}",
            answer.text
        );
    }
}

#[test]
fn a_rate_limit_is_exact_under_64_threads_and_says_what_is_left() {
    let mut server = Server::start();
    let token = server.sign_up("rate@example.com");
    let limit = json!({ "rateLimit": { "limit": 150, "windowSeconds": 3600 } });
    let (_, key) = server.key_with(&token, &limit);
    let first = server.check(&key);
    assert_eq!(
        first.header("ratelimit-policy"),
        Some("\"key\";q=150;w=3600")
    );
    assert_eq!(first.header("ratelimit"), Some("\"key\";r=149;t=3600"));
    assert_eq!(server.storm(&key, 400), 149);
    let refused = server.check(&key);
    assert_eq!(
        (refused.status, refused.json["code"].as_str()),
        (429, Some("rate_limited"))
    );
    let left = refused.header("ratelimit").unwrap();
    let seconds = left.strip_prefix("\"key\";r=0;t=").unwrap();
    assert_eq!(refused.header("retry-after"), Some(seconds));
    assert!(
        (3500..=3600).contains(&seconds.parse::<u32>().unwrap()),
        "{left}"
    );

    let folder = {
        assert_eq!(server.stop("-TERM"), Some(0));
        std::mem::replace(&mut server.folder, tempfile::tempdir().unwrap())
    };
    let server = Server::start_on(folder, &[]);
    assert_eq!(
        server.check(&key).status,
        429,
        "a restart gives no new allowance"
    );
}

#[test]
fn a_window_really_resets() {
    let server = Server::start();
    let token = server.sign_up("window@example.com");
    let (_, key) = server.key_with(
        &token,
        &json!({ "rateLimit": { "limit": 2, "windowSeconds": 1 } }),
    );
    let pass = |_| server.check(&key).status == 200;
    let began = std::time::Instant::now();
    assert_eq!((0..2).filter(|n| pass(*n)).count(), 2);
    while !pass(0) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(
        began.elapsed() >= Duration::from_millis(900),
        "not before its end"
    );
}

#[test]
fn a_key_with_full_access_is_counted_on_nexas_own_routes_too() {
    let server = Server::start();
    let token = server.sign_up("own@example.com");
    let members = json!({ "scopes": ["full_access"], "remaining": 2 });
    let (_, numbered) = server.key_with(&token, &members);
    let me = |key: &str| server.get("/api/auth/me").key(key).send();
    assert_eq!([me(&numbered).status, me(&numbered).status], [200, 200]);
    assert_eq!(
        me(&numbered).refusal(),
        (403, "The API key has too few uses left")
    );
    let members =
        json!({ "scopes": ["full_access"], "rateLimit": { "limit": 1, "windowSeconds": 60 } });
    let (_, limited) = server.key_with(&token, &members);
    let missing = server.get("/api/v1/api-keys/nothing").key(&limited).send();
    assert_eq!(missing.status, 404);
    assert_eq!(missing.header("ratelimit"), Some("\"key\";r=0;t=60"));
    assert_eq!(me(&limited).status, 429);
}

#[test]
fn numbered_uses_are_exact_and_durable() {
    let server = Server::start();
    let token = server.sign_up("uses@example.com");
    let (id, key) = server.key_with(&token, &json!({ "remaining": 40 }));
    assert_eq!(server.storm(&key, 100), 40);
    assert_eq!(
        server.check(&key).refusal(),
        (403, "The API key has too few uses left")
    );
    assert_eq!(
        server.change(&token, &id, &json!({ "remaining": 3 })).json["remaining"],
        3
    );
    assert_eq!(server.check(&key).status, 200);
    let server = server.restart_after_kill();
    let shown = server
        .get(&format!("/api/v1/api-keys/{id}"))
        .bearer(&token)
        .send();
    assert_eq!(
        shown.status, 401,
        "the restarted server has another address, and so another issuer"
    );
    assert_eq!(server.storm(&key, 10), 2);
}

#[test]
fn a_key_bound_to_addresses_passes_from_nowhere_else() {
    let folder_of =
        |proxies: &str| format!("scopes = [\"signals\"]\ntrusted_proxies = [{proxies}]\n");
    let server = Server::configured(&folder_of(""));
    let token = server.sign_up("addresses@example.com");
    let bound = json!({ "allowedIps": ["198.51.100.0/24", "2001:db8::/32"] });
    let (_, key) = server.key_with(&token, &bound);
    let from = |server: &Server, key: &str, address: &str| {
        let request = server.get("/api/authorize?scope=signals").key(key);
        request.header("X-Forwarded-For", address).send()
    };
    let refused = from(&server, &key, "198.51.100.7");
    assert_eq!(
        refused.refusal(),
        (403, "This API key may not be used from this address"),
        "nobody declared this proxy"
    );

    let server = Server::configured(&folder_of("\"127.0.0.0/8\""));
    let token = server.sign_up("addresses@example.com");
    let (id, key) = server.key_with(&token, &bound);
    for (address, status) in [
        ("198.51.100.7", 200),
        ("::ffff:198.51.100.7", 200),
        ("2001:db8:1::1", 200),
        ("198.51.101.1", 403),
        ("198.51.100.7, 203.0.113.1", 403),
        ("127.0.0.1", 403),
    ] {
        assert_eq!(from(&server, &key, address).status, status, "{address}");
    }
    server.change(&token, &id, &json!({ "allowedIps": ["203.0.113.1"] }));
    assert_eq!(from(&server, &key, "198.51.100.7").status, 403, "at once");
    assert_eq!(from(&server, &key, "203.0.113.1").status, 200);
}

#[test]
fn no_byte_of_a_client_makes_the_proxys_address_its_own() {
    let server =
        Server::configured("scopes = [\"signals\"]\ntrusted_proxies = [\"127.0.0.0/8\"]\n");
    let token = server.sign_up("bytes@example.com");
    let (_, of_proxy) = server.key_with(&token, &json!({ "allowedIps": ["127.0.0.1"] }));
    let (_, of_client) = server.key_with(&token, &json!({ "allowedIps": ["203.0.113.9"] }));
    let status = |key: &str, forwarded: Option<&[u8]>| {
        let mut request =
            format!("GET /api/authorize?scope=signals HTTP/1.1\r\nHost: a\r\nX-API-Key: {key}\r\nConnection: close\r\n")
                .into_bytes();
        if let Some(forwarded) = forwarded {
            request.extend([b"X-Forwarded-For: ", forwarded, b"\r\n"].concat());
        }
        request.extend(b"\r\n");
        let address = server.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(&request).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(status(&of_proxy, None), "200", "the proxy itself");
    for (forwarded, is_client) in [
        (&b"\xff, 203.0.113.9"[..], true),
        (b"unknown, 203.0.113.9", true),
        (b"203.0.113.9, \xff", false),
        (b"203.0.113.9, unknown", false),
        (b"203.0.113.9,", false),
        (b"\xff", false),
        (b"", false),
    ] {
        let shown = forwarded.escape_ascii();
        assert_eq!(status(&of_proxy, Some(forwarded)), "403", "{shown}");
        let expected = if is_client { "200" } else { "403" };
        assert_eq!(status(&of_client, Some(forwarded)), expected, "{shown}");
    }
}

#[test]
fn a_test_key_never_passes_a_live_rule() {
    let server = Server::configured(
        "scopes = [\"signals\"]
         [[rules]]\npath = \"/live\"\nany_key = true
         [[rules]]\npath = \"/test\"\nany_key = true\nenvironment = \"test\"
         [[rules]]\npath = \"/any\"\nany_key = true\nenvironment = \"any\"",
    );
    let token = server.sign_up("environments@example.com");
    let full = |environment: &str| {
        let members = json!({ "scopes": ["full_access"], "environment": environment });
        server.key_with(&token, &members).1
    };
    let (live, test) = (full("live"), full("test"));
    for (path, of_live, of_test) in [("/live", 200, 403), ("/test", 403, 200), ("/any", 200, 200)] {
        let ask = |key: &str| {
            let request = server.get("/api/authorize").key(key);
            request
                .header("X-Original-Method", "GET")
                .header("X-Original-URI", path)
                .send()
        };
        assert_eq!(
            (ask(&live).status, ask(&test).status),
            (of_live, of_test),
            "{path}"
        );
        if path == "/any" {
            assert_eq!(ask(&test).header("x-nexa-environment"), Some("test"));
        }
    }
    for refused in [
        server.check(&test),
        server.get("/api/v1/api-keys").key(&test).send(),
        server
            .post("/api/v1/api-keys", r#"{"name":"k","scopes":["signals"]}"#)
            .key(&test)
            .send(),
    ] {
        assert_eq!(
            refused.refusal(),
            (403, "This API key belongs to another environment")
        );
    }
}

#[test]
fn disabling_a_key_its_owner_or_its_tenant_holds_at_once() {
    let server = Server::start();
    let token = server.sign_up("switch@example.com");
    let (id, key) = server.key_with(&token, &json!({}));
    let me = server.get("/api/auth/me").bearer(&token).send().json;
    let operator = server.operator_key();
    let switch = |path: &str, credential: &str, on: bool| {
        let request = server
            .request("PATCH", path)
            .header("Content-Type", "application/json");
        let answer = request
            .body(&json!({ "enabled": on }).to_string())
            .bearer(credential)
            .send();
        assert_eq!(answer.status, 200, "{}", answer.text);
    };
    let of_user = format!("/api/operator/users/{}", me["user"]["id"].as_str().unwrap());
    let of_tenant = format!(
        "/api/operator/tenants/{}",
        me["tenant"]["id"].as_str().unwrap()
    );
    let of_key = format!("/api/v1/api-keys/{id}");
    for (path, credential) in [
        (&of_key, &token),
        (&of_user, &operator),
        (&of_tenant, &operator),
    ] {
        assert_eq!(server.check(&key).status, 200, "warm: {path}");
        switch(path, credential, false);
        assert_eq!(
            server.check(&key).refusal(),
            (401, "Invalid API key"),
            "{path}"
        );
        if credential == &operator {
            assert_eq!(server.get("/api/auth/me").bearer(&token).send().status, 401);
            let login = r#"{"email":"switch@example.com","password":"correct horse"}"#;
            assert_eq!(server.post("/api/auth/login", login).send().status, 401);
        }
        switch(path, credential, true);
        assert_eq!(server.check(&key).status, 200, "{path}");
    }
    for missing in ["/api/operator/tenants/x", "/api/operator/users/x"] {
        let request = server
            .request("PATCH", missing)
            .header("Content-Type", "application/json");
        assert_eq!(
            request
                .body(r#"{"enabled":true}"#)
                .bearer(&operator)
                .send()
                .status,
            404
        );
    }
}

#[test]
fn what_the_owner_may_do_cuts_what_its_keys_may_do() {
    let server =
        Server::configured("scopes = [\"signals\", \"agents\"]\n[roles]\nowner = [\"signals\"]\n");
    let token = server.sign_up("ceiling@example.com");
    let (_, key) = server.key_with(&token, &json!({ "scopes": ["full_access"] }));
    let passed = server.check(&key);
    assert_eq!(
        (passed.status, passed.header("x-nexa-scopes")),
        (200, Some("signals"))
    );
    let refused = server.get("/api/authorize?scope=agents").key(&key).send();
    assert_eq!(
        refused.refusal(),
        (403, "API key missing required scope: agents")
    );
    let body = r#"{"name":"k","scopes":["agents"]}"#;
    let refused = server.post("/api/v1/api-keys", body).bearer(&token).send();
    assert_eq!(
        refused.refusal(),
        (
            400,
            "scopes: agents is beyond what keys of role owner may do"
        )
    );
    assert_eq!(
        server.get("/api/v1/api-keys").key(&key).send().status,
        200,
        "it stands for its owner all the same"
    );
}

#[test]
fn uses_reach_the_file_by_themselves() {
    let server = Server::start();
    let token = server.sign_up("written@example.com");
    let (id, key) = server.key_with(&token, &json!({}));
    for _ in 0..25 {
        assert_eq!(server.check(&key).status, 200);
    }
    let path = format!("/api/v1/api-keys/{id}");
    let shown = server.get(&path).bearer(&token).send().json;
    assert!(
        shown["lastUsedAt"].is_string(),
        "shown before it is written: {shown}"
    );
    let file = rusqlite::Connection::open(server.data().join("nexa.db")).unwrap();
    let written = || -> (Option<i64>, i64) {
        let sql = "SELECT last_used_at_ms, use_count FROM api_keys";
        file.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
    };
    let mut found = written();
    while found.1 < 25 {
        std::thread::sleep(Duration::from_millis(50));
        found = written();
    }
    let shown = server.get(&path).bearer(&token).send().json;
    assert_eq!(
        (found.1, shown["useCount"].as_i64()),
        (25, Some(25)),
        "each once"
    );
    let at = jiff::Timestamp::from_millisecond(found.0.unwrap()).unwrap();
    assert_eq!(
        shown["lastUsedAt"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap(),
        at
    );
}
