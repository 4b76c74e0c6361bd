//! `/v1/account/*`

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::{Answer, Server};

const REGISTER: &str = "/v1/account/register";

/// An agent's key and secret.
fn agent(server: &Server) -> (String, String) {
    let made = server.post(REGISTER, r#"{"name":"Agent"}"#).send();
    assert_eq!(made.status, 201, "{}", made.text);
    let text = |field: &str| made.json[field].as_str().unwrap().to_owned();
    (text("api_key"), text("api_secret"))
}

fn token_for(server: &Server, key: &str, secret: &str) -> String {
    let answer = form(server, &[("client_id", key), ("client_secret", secret)]);
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json["access_token"].as_str().unwrap().to_owned()
}

/// Asks for a token with a form.
fn form(server: &Server, fields: &[(&str, &str)]) -> Answer {
    let mut body = "grant_type=client_credentials".to_owned();
    for (name, value) in fields {
        body.push_str(&format!("&{name}={value}"));
    }
    send_form(server, &body, None)
}

fn send_form(server: &Server, body: &str, basic: Option<&str>) -> Answer {
    let request = server
        .request("POST", "/v1/account/token")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(body);
    match basic {
        Some(pair) => request
            .header("Authorization", &format!("Basic {}", STANDARD.encode(pair)))
            .send(),
        None => request.send(),
    }
}

fn oauth_error(answer: &Answer) -> (u16, &str) {
    assert_eq!(answer.members(), ["error", "error_description"]);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    (answer.status, answer.json["error"].as_str().unwrap())
}

#[test]
fn bad_fields_are_named() {
    let server = Server::configured("[limits]\nregister_per_address_an_hour = 1000\n");
    let long = "a".repeat(501);
    let mine = server.post(REGISTER, r#"{"name":"Agent"}"#).send();
    let key = mine.json["api_key"].as_str().unwrap();
    for (field, value, sentence) in [
        ("name", json!("a"), "name: at least 2 characters"),
        ("name", json!(" a "), "name: at least 2 characters"),
        ("name", json!("  "), "name: must not be empty"),
        ("name", json!("a\nb"), "name: no control characters"),
        (
            "name",
            json!("a".repeat(101)),
            "name: at most 100 characters",
        ),
        ("name", json!(7), "name: must be a string"),
        ("name", json!(["ab"]), "name: must be a string"),
        (
            "contact_email",
            json!("nobody"),
            "contact_email: must contain an @",
        ),
        (
            "contact_email",
            json!(""),
            "contact_email: must contain an @",
        ),
        (
            "contact_email",
            json!({}),
            "contact_email: must be a string",
        ),
        (
            "webhook_url",
            json!("ftp://a"),
            "webhook_url: must start with https:// or http://",
        ),
        (
            "webhook_url",
            json!("https://u:p@a/"),
            "webhook_url: no user name and no password",
        ),
        (
            "webhook_url",
            json!("https://a/#b"),
            "webhook_url: no fragment (#)",
        ),
        (
            "description",
            json!(long),
            "description: at most 500 characters",
        ),
        (
            "description",
            json!("a\0"),
            "description: no control characters",
        ),
    ] {
        let mut body = json!({ "name": "Agent" });
        body[field] = value;
        for path in [REGISTER, "/v1/auth/register"] {
            let answer = server.post(path, &body.to_string()).send();
            assert_eq!(answer.refusal(), (400, sentence), "{body}");
            assert_eq!(answer.json["detail"], answer.json["error"]);
        }
        let update = server
            .request("PUT", "/v1/account/info")
            .header("Content-Type", "application/json")
            .body(&body.to_string())
            .key(key)
            .send();
        assert_eq!(update.refusal(), (400, sentence), "{body}");
    }
    for (body, sentence) in [
        (json!({}), "name: required"),
        (json!({ "name": null }), "name: must be a string"),
        (
            json!({ "name": "Agent", "referral_code": "" }),
            "referral_code: unknown code",
        ),
        (
            json!({ "name": "Agent", "referral_code": "0345" }),
            "referral_code: unknown code",
        ),
        (
            json!({ "name": "Agent", "referral_code": 345 }),
            "referral_code: must be a string",
        ),
    ] {
        let answer = server.post(REGISTER, &body.to_string()).send();
        assert_eq!(answer.refusal(), (400, sentence), "no codes are configured");
    }
    let after = server.get("/v1/account/info").key(key).send();
    assert_eq!(after.json["name"], "Agent", "nothing was changed");
}

#[test]
fn null_is_absent_at_first_and_clears_later() {
    let server = Server::start();
    let body = json!({
        "name": "Agent", "contact_email": null, "webhook_url": null, "description": null, "referral_code": null,
        "tenant_id": "x", "trial": 7,
    });
    let made = server.post(REGISTER, &body.to_string()).send();
    assert_eq!(
        (made.status, made.members()),
        (201, vec!["api_key", "api_secret", "trial"])
    );
    let key = made.json["api_key"].as_str().unwrap();
    let put = |body: Value| {
        server
            .request("PUT", "/v1/account/info")
            .header("Content-Type", "application/json")
            .body(&body.to_string())
            .key(key)
            .send()
    };
    let fields = ["contact_email", "webhook_url", "description"];
    let set = put(json!({
        "contact_email": "Dev@Example.com", "webhook_url": "https://a/", "description": "two\nlines",
    }));
    assert_eq!(set.status, 200, "{}", set.text);
    assert_eq!(
        fields.map(|field| set.json[field].as_str().unwrap()),
        ["Dev@Example.com", "https://a/", "two\nlines"]
    );
    assert_eq!(put(json!({})).json, set.json, "what is left out stays");
    let cleared = put(json!({ "webhook_url": null }));
    assert_eq!(cleared.json["webhook_url"], Value::Null);
    assert_eq!(cleared.json["contact_email"], "Dev@Example.com");
    assert_eq!(
        put(json!({ "name": null })).refusal(),
        (400, "name: must not be null")
    );
    let all = put(json!({ "contact_email": null, "description": null }));
    assert_eq!(
        fields.map(|field| all.json[field].clone()),
        [Value::Null, Value::Null, Value::Null]
    );
}

#[test]
fn two_agents_with_one_name_and_address_are_two() {
    let server = Server::start();
    let body = r#"{"name":"Twin","contact_email":"twin@example.com","referral_code":"0345"}"#;
    let made: Vec<Answer> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| server.post(REGISTER, body).send()))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let mut ids: Vec<String> = made
        .iter()
        .map(|made| {
            assert_eq!(made.status, 201, "{}", made.text);
            let key = made.json["api_key"].as_str().unwrap();
            let info = server.get("/v1/account/info").key(key).send();
            info.json["id"].as_str().unwrap().to_owned()
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 8);
    // Neither is the address a log-in, nor does it stand in the way of one.
    server.sign_up("twin@example.com");
}

#[test]
fn an_agent_has_one_backend_user_that_owns_its_tenant() {
    let server = Server::start();
    let (key, secret) = agent(&server);
    let me = server.get("/api/auth/me").key(&key).send();
    assert_eq!(me.status, 200, "{}", me.text);
    assert_eq!(me.json["user"]["email"], Value::Null);
    assert_eq!(me.json["user"]["role"], "owner");
    assert_eq!(me.json["tenant"]["name"], "Agent");
    let keys = server.get("/api/v1/api-keys").key(&key).send();
    assert_eq!(keys.json.as_array().unwrap().len(), 1);
    assert_eq!(keys.json[0]["name"], "Agent");
    assert_eq!(keys.json[0]["scopes"], json!(["full_access"]));
    // The secret is no key, on any carrier.
    assert_eq!(
        server.get("/api/auth/me").key(&secret).send().refusal(),
        (401, "Invalid API key")
    );
    assert_eq!(
        server.get("/api/auth/me").bearer(&secret).send().status,
        401
    );
}

#[test]
fn people_have_no_agent_account() {
    let server = Server::start();
    let token = server.sign_up("person@example.com");
    let put = server
        .request("PUT", "/v1/account/info")
        .header("Content-Type", "application/json")
        .body("{}");
    for request in [
        server.get("/v1/account/info"),
        put,
        server.request("POST", "/v1/account/rotate-secret"),
    ] {
        let answer = request.bearer(&token).send();
        assert_eq!(answer.refusal(), (404, "Agent account not found"));
    }
    assert_eq!(
        server.get("/v1/account/info").send().refusal(),
        (401, "API key required")
    );
    let (_, key) = server.make_key(&token, &["full_access"]);
    let answer = form(&server, &[("client_id", &key), ("client_secret", &key)]);
    assert_eq!(oauth_error(&answer), (401, "invalid_client"));
}

#[test]
fn registrations_of_agents_and_people_share_one_limit() {
    let server = Server::start();
    let paths = [REGISTER, "/v1/auth/register", "/api/auth/register"];
    let passed = (0..24)
        .filter(|n| server.post(paths[n % 3], "{}").send().status == 400)
        .count();
    assert_eq!(passed, 20);
    for path in paths {
        let refused = server.post(path, r#"{"name":"Agent"}"#).send();
        assert_eq!(refused.status, 429);
        assert!(refused.header("retry-after").is_some());
    }
}

#[test]
fn a_token_comes_by_form_json_and_basic() {
    let server = Server::start();
    let (key, secret) = agent(&server);
    let by_form = form(&server, &[("client_id", &key), ("client_secret", &secret)]);
    let json = json!({
        "grant_type": "client_credentials", "client_id": key, "client_secret": secret, "scope": null,
    });
    let empty_scope = json!({
        "grant_type": "client_credentials", "client_id": key, "client_secret": secret, "scope": "",
    });
    let empty_scope = server
        .post("/v1/account/token", &empty_scope.to_string())
        .send();
    let by_json = server.post("/v1/account/token", &json.to_string()).send();
    let grant = "grant_type=client_credentials";
    let basic = format!("{key}:{secret}");
    let by_basic = send_form(&server, grant, Some(&basic));
    let named_twice = send_form(
        &server,
        &format!("{grant}&client_id={key}&scope="),
        Some(&basic),
    );
    for answer in [by_form, by_json, empty_scope, by_basic, named_twice] {
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(
            answer.members(),
            ["access_token", "expires_in", "token_type"]
        );
        assert_eq!(answer.json["token_type"], "Bearer");
        assert_eq!(answer.json["expires_in"], 1800);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("pragma"), Some("no-cache"));
        let token = answer.json["access_token"].as_str().unwrap();
        for path in [
            "/v1/account/info",
            "/api/auth/me",
            "/api/v1/api-keys",
            "/api/licenses",
        ] {
            assert_eq!(server.get(path).bearer(token).send().status, 200, "{path}");
        }
        let made = server
            .post(
                "/api/v1/api-keys",
                r#"{"name":"by token","scopes":["signals"]}"#,
            )
            .bearer(token)
            .send();
        assert_eq!(made.status, 201, "{}", made.text);
    }
}

#[test]
fn refusals_of_tokens_are_in_the_words_of_the_standard() {
    let server = Server::start();
    let (key, secret) = agent(&server);
    let (other_key, other_secret) = agent(&server);
    let grant = "grant_type=client_credentials";
    let client = format!("client_id={key}&client_secret={secret}");
    let basic = format!("{key}:{secret}");
    for (body, basic, expected) in [
        (client.clone(), None, (400, "invalid_request")),
        (
            format!("grant_type=&{client}"),
            None,
            (400, "invalid_request"),
        ),
        (
            format!("grant_type=password&{client}"),
            None,
            (400, "unsupported_grant_type"),
        ),
        (
            format!("{grant}&{grant}&{client}"),
            None,
            (400, "invalid_request"),
        ),
        (
            format!("{grant}&{client}&scope=%zz"),
            None,
            (400, "invalid_request"),
        ),
        (
            format!("{grant}&{client}&scope=nonsense"),
            None,
            (400, "invalid_scope"),
        ),
        (
            format!("{grant}&{client}&scope=signals++agents"),
            None,
            (400, "invalid_scope"),
        ),
        (
            format!("{grant}&client_id={key}"),
            None,
            (401, "invalid_client"),
        ),
        (
            format!("{grant}&{client}"),
            Some(basic.as_str()),
            (400, "invalid_request"),
        ),
        (
            format!("{grant}&client_id={other_key}"),
            Some(&basic),
            (400, "invalid_request"),
        ),
        (grant.to_owned(), None, (401, "invalid_client")),
        (grant.to_owned(), Some("nocolon"), (401, "invalid_client")),
        (
            grant.to_owned(),
            Some(&format!("{key}:{secret}x")),
            (401, "invalid_client"),
        ),
        (
            grant.to_owned(),
            Some(&format!("{key}:")),
            (401, "invalid_client"),
        ),
        (
            grant.to_owned(),
            Some(&format!("{secret}:{key}")),
            (401, "invalid_client"),
        ),
        (
            grant.to_owned(),
            Some(&format!("{key}:{other_secret}")),
            (401, "invalid_client"),
        ),
        (
            grant.to_owned(),
            Some(&format!("nex_unknown:{secret}")),
            (401, "invalid_client"),
        ),
    ] {
        let answer = send_form(&server, &body, basic);
        assert_eq!(oauth_error(&answer), expected, "{body} {basic:?}");
        let challenge = (expected.0 == 401).then_some("Basic realm=\"nexa\"");
        assert_eq!(answer.header("www-authenticate"), challenge, "{body}");
    }
    let unknown = send_form(&server, grant, Some(&format!("nex_unknown:{secret}")));
    let wrong = send_form(&server, grant, Some(&format!("{key}:{other_secret}")));
    assert_eq!(
        unknown.text, wrong.text,
        "nobody learns which keys there are"
    );
    for body in [
        "",
        "{",
        "[]",
        r#"{"grant_type":7}"#,
        r#"{"grant_type":"a","grant_type":"b"}"#,
    ] {
        let answer = server.post("/v1/account/token", body).send();
        assert_eq!(oauth_error(&answer), (400, "invalid_request"), "{body}");
    }
    let huge = server
        .post("/v1/account/token", &" ".repeat(100_000))
        .send();
    assert_eq!(oauth_error(&huge), (413, "invalid_request"));
    let text = server
        .request("POST", "/v1/account/token")
        .header("Content-Type", "text/plain")
        .body(grant)
        .send();
    assert_eq!(oauth_error(&text), (400, "invalid_request"));
}

#[test]
fn a_key_without_full_access_gets_no_token() {
    let server = Server::start();
    let (key, secret) = agent(&server);
    let made = server
        .post(
            "/api/v1/api-keys",
            r#"{"name":"narrow","scopes":["signals"]}"#,
        )
        .key(&key)
        .send();
    let narrow = made.json["key"].as_str().unwrap();
    let answer = form(
        &server,
        &[("client_id", narrow), ("client_secret", &secret)],
    );
    assert_eq!(oauth_error(&answer), (400, "unauthorized_client"));
}

#[test]
fn a_narrowed_token_does_not_stand_for_its_user() {
    let server = Server::start();
    let (key, secret) = agent(&server);
    let ask = |scope: &str| {
        form(
            &server,
            &[
                ("client_id", &key),
                ("client_secret", &secret),
                ("scope", scope),
            ],
        )
    };
    let narrow = ask("signals+agents");
    assert_eq!(narrow.json["scope"], "agents signals");
    let token = narrow.json["access_token"].as_str().unwrap();
    for path in ["/v1/account/info", "/api/auth/me", "/api/v1/api-keys"] {
        assert_eq!(
            server.get(path).bearer(token).send().refusal(),
            (403, "API key missing required scope: full_access"),
            "{path}"
        );
    }
    let whole = ask("full_access+signals");
    let token = whole.json["access_token"].as_str().unwrap();
    assert_eq!(
        server.get("/v1/account/info").bearer(token).send().status,
        200
    );
}

#[test]
fn rotation_kills_every_token_of_the_old_secret_at_once() {
    let server = Server::start();
    let (key, secret) = agent(&server);
    let (other_key, other_secret) = agent(&server);
    let other = token_for(&server, &other_key, &other_secret);
    let tokens: Vec<String> = (0..3).map(|_| token_for(&server, &key, &secret)).collect();
    let statuses = |path: &str| -> Vec<u16> {
        tokens
            .iter()
            .map(|token| server.get(path).bearer(token).send().status)
            .collect()
    };
    for path in ["/v1/account/info", "/api/auth/me", "/api/v1/api-keys"] {
        assert_eq!(statuses(path), [200; 3], "{path}, warm");
    }
    // Also by a token of the very secret that it ends.
    let rotated = server
        .request("POST", "/v1/account/rotate-secret")
        .bearer(&tokens[0])
        .send();
    assert_eq!(rotated.status, 200, "{}", rotated.text);
    for path in ["/v1/account/info", "/api/auth/me", "/api/v1/api-keys"] {
        assert_eq!(statuses(path), [401; 3], "{path}");
    }
    assert_eq!(
        server.get("/v1/account/info").bearer(&other).send().status,
        200
    );
    let token = token_for(&server, &key, rotated.json["api_secret"].as_str().unwrap());
    assert_eq!(
        server.get("/v1/account/info").bearer(&token).send().status,
        200
    );
}

#[test]
fn a_token_stands_no_longer_than_its_key() {
    let server = Server::start();
    let id_of = |key: &str| {
        let listed = server.get("/api/v1/api-keys").key(key).send();
        listed.json[0]["id"].as_str().unwrap().to_owned()
    };
    let patch = |id: &str, token: &str, body: &str| {
        let path = format!("/api/v1/api-keys/{id}");
        server
            .request("PATCH", &path)
            .header("Content-Type", "application/json")
            .body(body)
            .bearer(token)
            .send()
    };
    for weaken in [
        r#"{"enabled":false}"#,
        r#"{"scopes":["signals"]}"#,
        "rotate",
        "rotate with grace",
        "delete",
    ] {
        let (key, secret) = agent(&server);
        let token = token_for(&server, &key, &secret);
        let id = id_of(&key);
        let answer = match weaken {
            "delete" => server
                .delete(&format!("/api/v1/api-keys/{id}"))
                .bearer(&token)
                .send(),
            "rotate" | "rotate with grace" => {
                let grace_s = if weaken == "rotate" { 0 } else { 600 };
                let path = format!("/api/v1/api-keys/{id}/rotate");
                let body = format!(r#"{{"graceSeconds":{grace_s}}}"#);
                server.post(&path, &body).bearer(&token).send()
            }
            body => patch(&id, &token, body),
        };
        assert_eq!(answer.status, 200, "{weaken}: {}", answer.text);
        let after = server.get("/v1/account/info").bearer(&token).send();
        assert_eq!(
            after.refusal(),
            (401, "Invalid or expired access token"),
            "{weaken}"
        );
        let refused = form(&server, &[("client_id", &key), ("client_secret", &secret)]);
        let expected = match weaken {
            r#"{"scopes":["signals"]}"# | "rotate with grace" => (400, "unauthorized_client"),
            _ => (401, "invalid_client"),
        };
        assert_eq!(oauth_error(&refused), expected, "{weaken}");
    }
}

#[test]
fn a_key_that_carries_a_limit_gets_no_token_and_keeps_none() {
    let server = Server::start();
    for limit in [
        r#"{"rateLimit":{"limit":2,"windowSeconds":3600}}"#,
        r#"{"remaining":2}"#,
        r#"{"allowedIps":["127.0.0.0/8","::1/128"]}"#,
        r#"{"expiresAt":"2099-01-01T00:00:00Z"}"#,
    ] {
        let (key, secret) = agent(&server);
        let token = token_for(&server, &key, &secret);
        let listed = server.get("/api/v1/api-keys").key(&key).send();
        let path = format!(
            "/api/v1/api-keys/{}",
            listed.json[0]["id"].as_str().unwrap()
        );
        let limited = server
            .request("PATCH", &path)
            .header("Content-Type", "application/json")
            .body(limit)
            .key(&key)
            .send();
        assert_eq!(limited.status, 200, "{}", limited.text);
        let after = server.get("/v1/account/info").bearer(&token).send();
        assert_eq!(
            after.refusal(),
            (401, "Invalid or expired access token"),
            "{limit}"
        );
        for _ in 0..3 {
            let refused = form(&server, &[("client_id", &key), ("client_secret", &secret)]);
            assert_eq!(
                oauth_error(&refused),
                (400, "unauthorized_client"),
                "{limit}"
            );
            assert_eq!(
                refused.json["error_description"],
                "Tokens are for API keys that carry no limit"
            );
        }
        let info = server.get("/v1/account/info").key(&key).send();
        assert_eq!(info.status, 200, "the refusals have counted nothing");
    }
}

#[test]
fn two_credentials_get_no_token() {
    let server = Server::start();
    let (key, secret) = agent(&server);
    let token = token_for(&server, &key, &secret);
    let body = json!({
        "grant_type": "client_credentials", "client_id": key, "client_secret": secret,
    });
    let by_body = || server.post("/v1/account/token", &body.to_string());
    let basic = format!("Basic {}", STANDARD.encode(format!("{key}:{secret}")));
    let by_basic = server
        .post(
            "/v1/account/token",
            r#"{"grant_type":"client_credentials"}"#,
        )
        .header("Authorization", &basic);
    for request in [
        by_basic.key(&key),
        by_body().key(&key),
        by_body().bearer(&key),
        by_body().bearer(&token),
        by_body().key(" "),
    ] {
        assert_eq!(oauth_error(&request.send()), (400, "invalid_request"));
    }
}

#[test]
fn refused_clients_are_limited_and_recorded_no_further() {
    let mut server = Server::configured("[limits]\nlogin_per_account_an_hour = 3\n");
    let (key, secret) = agent(&server);
    let (other_key, other_secret) = agent(&server);
    let ask = |path: &str, key: &str, secret: &str| {
        let pair = STANDARD.encode(format!("{key}:{secret}"));
        server
            .request("POST", path)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Authorization", &format!("Basic {pair}"))
            .body("grant_type=client_credentials&token=x")
            .send()
    };
    let paths = [
        "/v1/account/token",
        "/api/oauth/introspect",
        "/api/oauth/revoke",
    ];
    for path in paths {
        let refused = ask(path, &key, &other_secret);
        assert_eq!(oauth_error(&refused), (401, "invalid_client"), "{path}");
    }
    for path in paths {
        let limited = ask(path, &key, &other_secret);
        assert_eq!(
            oauth_error(&limited),
            (429, "temporarily_unavailable"),
            "{path}"
        );
        assert!(limited.header("retry-after").is_some());
        // Only refusals are counted, and each client has its own count.
        for _ in 0..3 {
            assert_eq!(ask(path, &key, &secret).status, 200, "{path}");
            assert_eq!(ask(path, &other_key, &other_secret).status, 200, "{path}");
        }
    }
    // A key of people has no secret that could be refused.
    let token = server.sign_up("no-agent@example.com");
    let (_, theirs) = server.make_key(&token, &["full_access"]);
    assert_eq!(
        oauth_error(&ask(paths[0], &theirs, &secret)),
        (401, "invalid_client")
    );
    assert_eq!(server.stop("-TERM"), Some(0));
    let file = rusqlite::Connection::open(server.data().join("nexa.db")).unwrap();
    let recorded: i64 = file
        .query_row(
            "SELECT count(*) FROM audit_events WHERE act = 'agent.secret_refused'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(recorded, 3);
}

#[test]
fn refused_clients_of_one_address_are_limited_together() {
    let text = "trusted_proxies = [\"127.0.0.0/8\"]\n[limits]\nlogin_per_address_an_hour = 2\n";
    let server = Server::configured(text);
    let (key, secret) = agent(&server);
    let from = |client: &str, key: &str| {
        let body = json!({
            "grant_type": "client_credentials", "client_id": key, "client_secret": secret,
        });
        let request = server.post("/v1/account/token", &body.to_string());
        request.header("X-Forwarded-For", client).send().status
    };
    let guesses = ["nex_a", "nex_b", "nex_c"].map(|guess| from("203.0.113.9", guess));
    assert_eq!(guesses, [401, 401, 429]);
    assert_eq!(from("203.0.113.9", &key), 200, "only refusals are limited");
    assert_eq!(from("203.0.114.9", "nex_a"), 401);
}

#[test]
fn a_token_has_no_more_than_the_role_of_its_user() {
    let text = "scopes = [\"signals\", \"agents\"]\n[roles]\nowner = [\"signals\"]\n";
    let server = Server::configured(text);
    let (key, secret) = agent(&server);
    let ask = |scope: &str| {
        form(
            &server,
            &[
                ("client_id", &key),
                ("client_secret", &secret),
                ("scope", scope),
            ],
        )
    };
    assert_eq!(oauth_error(&ask("agents")), (400, "invalid_scope"));
    let granted = ask("full_access");
    let token = granted.json["access_token"].as_str().unwrap();
    let described = server
        .request("POST", "/api/oauth/introspect")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .key(&server.operator_key())
        .body(&format!("token={token}"))
        .send();
    assert_eq!(described.json["scope"], "signals", "{}", described.text);
}

#[test]
fn parallel_rotations_leave_one_secret() {
    let server = Server::start();
    let (key, secret) = agent(&server);
    let secrets: Vec<String> = std::thread::scope(|scope| {
        let rotate = || {
            let rotated = server
                .request("POST", "/v1/account/rotate-secret")
                .key(&key)
                .send();
            assert_eq!(rotated.status, 200, "{}", rotated.text);
            rotated.json["api_secret"].as_str().unwrap().to_owned()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(rotate)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let works = |secret: &String| {
        form(&server, &[("client_id", &key), ("client_secret", secret)]).status == 200
    };
    assert!(!works(&secret));
    assert_eq!(secrets.iter().filter(|secret| works(secret)).count(), 1);
}

#[test]
fn what_a_trial_is_stands_in_the_configuration() {
    let server = Server::configured(
        "[credits]\ncurrency = \"USD\"
         [agents]\ndefault_agent = \"house\"\ntrial_millicents = 123456\ntrial_days = 1
         [[agents.referrals]]\ncode = \"friend\"\nagent = \"partner\"",
    );
    let before = jiff::Timestamp::now();
    let made = server.post(REGISTER, r#"{"name":"Agent"}"#).send();
    assert_eq!(made.status, 201, "{}", made.text);
    let trial = &made.json["trial"];
    assert_eq!(
        (&trial["balance"], &trial["currency"]),
        (&json!(1.23456), &json!("USD"))
    );
    let ends: jiff::Timestamp = trial["expires_at"].as_str().unwrap().parse().unwrap();
    let lasts = ends.duration_since(before).as_secs();
    assert!((86_399..86_460).contains(&lasts), "{lasts}");
    let key = made.json["api_key"].as_str().unwrap();
    let info = server.get("/v1/account/info").key(key).send();
    assert_eq!(
        info.json["referral"],
        json!({ "code": null, "agent": "house" })
    );
    let referred = r#"{"name":"Agent","referral_code":"friend"}"#;
    let referred = server.post(REGISTER, referred).send();
    assert_eq!(
        referred.json["referral"],
        json!({ "code": "friend", "agent": "partner" })
    );
    let unknown = r#"{"name":"Agent","referral_code":"0345"}"#;
    assert_eq!(
        server.post(REGISTER, unknown).send().status,
        400,
        "the sample's code"
    );
}

#[test]
fn a_replaced_value_changes_neither_secret_nor_account() {
    let server = Server::start();
    let made = server.post(REGISTER, r#"{"name":"Agent"}"#).send();
    let old = made.json["api_key"].as_str().unwrap();
    let listed = server.get("/api/v1/api-keys").key(old).send();
    let id = listed.json[0]["id"].as_str().unwrap();
    let path = format!("/api/v1/api-keys/{id}/rotate");
    let rotated = server
        .post(&path, r#"{"graceSeconds":600}"#)
        .key(old)
        .send();
    let new = rotated.json["key"].as_str().unwrap();
    let change = || {
        server
            .request("PUT", "/v1/account/info")
            .header("Content-Type", "application/json")
            .body(r#"{"webhook_url":"https://elsewhere.example"}"#)
    };
    let rotate = || server.request("POST", "/v1/account/rotate-secret");
    assert_eq!(change().key(old).send().status, 403);
    assert_eq!(rotate().key(old).send().status, 403);
    assert_eq!(
        server.get("/v1/account/info").key(old).send().status,
        200,
        "it still passes"
    );
    assert_eq!(
        (
            change().key(new).send().status,
            rotate().key(new).send().status
        ),
        (200, 200)
    );
}
