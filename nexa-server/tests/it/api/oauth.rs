//! `/api/oauth/*` and their metadata

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::{Answer, Request, Server};

const INTROSPECT: &str = "/api/oauth/introspect";
const REVOKE: &str = "/api/oauth/revoke";

fn form<'s>(server: &'s Server, path: &str, body: &str) -> Request<'s> {
    server
        .request("POST", path)
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(body)
}

fn introspect<'s>(server: &'s Server, token: &str) -> Request<'s> {
    form(
        server,
        INTROSPECT,
        &format!("token={token}&token_type_hint=access_token"),
    )
}

fn revoke<'s>(server: &'s Server, token: &str) -> Request<'s> {
    form(server, REVOKE, &format!("token={token}"))
}

fn basic<'s>(request: Request<'s>, id: &str, secret: &str) -> Request<'s> {
    let pair = STANDARD.encode(format!("{id}:{secret}"));
    request.header("Authorization", &format!("Basic {pair}"))
}

/// The standard's code; a refusal says nothing else.
fn oauth_error(answer: &Answer) -> (u16, &str) {
    assert_eq!(
        answer.members(),
        ["error", "error_description"],
        "{}",
        answer.text
    );
    (answer.status, answer.json["error"].as_str().unwrap())
}

fn assert_inactive(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (200, r#"{"active":false}"#)
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

/// An agent's key, the key's id, its secret, and a token of theirs.
fn agent(server: &Server) -> (String, String, String, String) {
    let made = server
        .post("/v1/account/register", r#"{"name":"Agent"}"#)
        .send();
    let text = |field: &str| made.json[field].as_str().unwrap().to_owned();
    let (key, secret) = (text("api_key"), text("api_secret"));
    let listed = server.get("/api/v1/api-keys").key(&key).send();
    let id = listed.json[0]["id"].as_str().unwrap().to_owned();
    let granted = basic(
        form(server, "/v1/account/token", "grant_type=client_credentials"),
        &key,
        &secret,
    );
    let granted = granted.send();
    let token = granted.json["access_token"].as_str().unwrap().to_owned();
    (key, id, secret, token)
}

#[test]
fn a_key_is_described_to_its_tenant_and_to_the_operator() {
    let server = Server::start();
    let token = server.sign_up("keys@example.com");
    let me = server.get("/api/auth/me").bearer(&token).send();
    let (_, full) = server.make_key(&token, &["full_access"]);
    let body = json!({ "name": "k", "scopes": ["signals", "agents"], "expiresAt": "2099-01-01T00:00:00Z" });
    let made = server
        .post("/api/v1/api-keys", &body.to_string())
        .bearer(&token)
        .send();
    let (key, id) = (made.json["key"].as_str().unwrap(), &made.json["id"]);
    for request in [
        introspect(&server, key).bearer(&token),
        introspect(&server, key).key(&full),
        introspect(&server, key).key(&server.operator_key()),
    ] {
        let answer = request.send();
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let mut described = answer.json.clone();
        let issued_at = described["iat"].take().as_u64().unwrap();
        assert!(issued_at > 1_700_000_000, "{issued_at}");
        assert_eq!(
            described,
            json!({
                "active": true, "scope": "agents signals", "client_id": id, "sub": me.json["user"]["id"],
                "token_type": "Bearer", "exp": 4_070_908_800_u64, "iat": null, "iss": server.url,
                "tenant_id": me.json["tenant"]["id"],
            })
        );
    }
    let stranger = server.sign_up("stranger@example.com");
    assert_inactive(&introspect(&server, key).bearer(&stranger).send());
    assert_inactive(&introspect(&server, "nex_unknown").bearer(&token).send());
    // To be asked about is no use.
    let listed = server.get("/api/v1/api-keys").bearer(&token).send();
    let listed = listed
        .json
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["id"] == *id);
    assert_eq!(listed.unwrap()["lastUsedAt"], Value::Null);
}

#[test]
fn what_does_not_pass_is_not_active() {
    let server = Server::start();
    let token = server.sign_up("passive@example.com");
    let make = |terms: Value| {
        let mut body = json!({ "name": "k", "scopes": ["signals"] });
        body.as_object_mut()
            .unwrap()
            .extend(terms.as_object().unwrap().clone());
        let made = server
            .post("/api/v1/api-keys", &body.to_string())
            .bearer(&token)
            .send();
        assert_eq!(made.status, 201, "{}", made.text);
        made.json["key"].as_str().unwrap().to_owned()
    };
    let is_active = |key: &str, more: &str| {
        let answer = form(&server, INTROSPECT, &format!("token={key}{more}"))
            .bearer(&token)
            .send();
        if answer.json["active"] == json!(false) {
            assert_inactive(&answer);
        }
        answer.json["active"].as_bool().unwrap()
    };
    let disabled = make(json!({ "enabled": false }));
    let test = make(json!({ "environment": "test" }));
    let bound = make(json!({ "allowedIps": ["203.0.113.0/24"] }));
    let numbered = make(json!({ "remaining": 1 }));
    for (key, more, expected) in [
        (&disabled, "", false),
        (&test, "", false),
        (&test, "&environment=test", true),
        (&test, "&environment=any", true),
        (&bound, "", false),
        (&bound, "&address=203.0.113.9", true),
        (&bound, "&address=203.0.114.9", false),
        (&numbered, "", true),
        (&numbered, "", true),
    ] {
        assert_eq!(is_active(key, more), expected, "{more}");
    }
    let used = server
        .get("/api/authorize?scope=signals")
        .key(&numbered)
        .send();
    assert_eq!(used.status, 200, "introspection has taken nothing of it");
    assert!(!is_active(&numbered, ""), "it is used up");
    for (body, code) in [
        ("", "invalid_request"),
        ("token=", "invalid_request"),
        ("token=a&token=a", "invalid_request"),
        ("token=a&address=here", "invalid_request"),
        ("token=a&environment=prod", "invalid_request"),
    ] {
        let answer = form(&server, INTROSPECT, body).bearer(&token).send();
        assert_eq!(oauth_error(&answer), (400, code), "{body}");
    }
}

#[test]
fn an_access_token_is_described_while_it_holds() {
    let server = Server::start();
    let person = server.sign_up("person@example.com");
    let me = server.get("/api/auth/me").bearer(&person).send();
    let own = introspect(&server, &person).bearer(&person).send();
    assert_eq!(
        own.members(),
        [
            "active",
            "exp",
            "iat",
            "iss",
            "jti",
            "scope",
            "sub",
            "tenant_id",
            "token_type"
        ]
    );
    assert_eq!(own.json["sub"], me.json["user"]["id"]);
    assert_eq!(own.json["scope"], "full_access");
    let (exp, iat) = (own.json["exp"].as_u64(), own.json["iat"].as_u64());
    assert_eq!(exp.unwrap() - iat.unwrap(), 1800);

    let (key, id, secret, token) = agent(&server);
    assert_inactive(&introspect(&server, &token).bearer(&person).send());
    let narrow = basic(
        form(
            &server,
            "/v1/account/token",
            "grant_type=client_credentials&scope=signals",
        ),
        &key,
        &secret,
    );
    let narrow = narrow.send();
    let narrow = narrow.json["access_token"].as_str().unwrap();
    let operator = server.operator_key();
    for (token, scope) in [(token.as_str(), "full_access"), (narrow, "signals")] {
        let answer = introspect(&server, token).key(&operator).send();
        assert_eq!(answer.json["active"], true, "{}", answer.text);
        assert_eq!(answer.json["scope"], scope);
        assert_eq!(answer.json["client_id"], id.as_str());
    }
    let rotated = server
        .request("POST", "/v1/account/rotate-secret")
        .key(&key)
        .send();
    assert_eq!(rotated.status, 200);
    for token in [token.as_str(), narrow, "eyJ.a.b"] {
        assert_inactive(&introspect(&server, token).key(&operator).send());
    }
}

#[test]
fn clients_authenticate_by_basic_with_what_they_have() {
    let server = Server::start();
    let (key, id, secret, _) = agent(&server);
    let (other_key, other_id, other_secret, _) = agent(&server);
    let operator = server.operator_key();
    let listed = server.get("/api/operator/keys").key(&operator).send();
    let operator_id = listed.json[0]["id"].as_str().unwrap();
    for (client, password) in [
        (id.as_str(), key.as_str()),
        (&key, &secret),
        (operator_id, &operator),
    ] {
        let answer = basic(introspect(&server, &key), client, password).send();
        assert_eq!(answer.json["client_id"], id.as_str(), "{}", answer.text);
    }
    for (client, password) in [
        (other_id.as_str(), key.as_str()),
        (&key, &key),
        (&key, &other_secret),
        (&other_key, &secret),
        (&secret, &key),
        (&id, &secret),
        (operator_id, &key),
        (&id, &operator),
        ("", &key),
        (&id, ""),
    ] {
        let answer = basic(introspect(&server, &key), client, password).send();
        assert_eq!(oauth_error(&answer), (401, "invalid_client"));
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Basic realm=\"nexa\"")
        );
    }
    let none = introspect(&server, &key).send();
    assert_eq!(oauth_error(&none), (401, "invalid_client"));
    let wrong = introspect(&server, &key).bearer("nex_unknown").send();
    assert_eq!(oauth_error(&wrong), (401, "invalid_token"));
    assert!(
        wrong
            .header("www-authenticate")
            .unwrap()
            .starts_with("Bearer")
    );
    let two = basic(introspect(&server, &key), &id, &key).key(&key).send();
    assert_eq!(oauth_error(&two), (400, "invalid_request"));
    // Elsewhere Basic is no credential.
    let elsewhere = basic(server.get("/api/v1/api-keys"), &id, &key).send();
    assert_eq!(elsewhere.refusal(), (401, "API key required"));
    let narrow = server
        .post("/api/v1/api-keys", r#"{"name":"n","scopes":["signals"]}"#)
        .key(&key)
        .send();
    let (narrow_id, narrow) = (narrow.json["id"].as_str(), narrow.json["key"].as_str());
    let answer = basic(
        introspect(&server, &key),
        narrow_id.unwrap(),
        narrow.unwrap(),
    )
    .send();
    assert_eq!(oauth_error(&answer), (403, "insufficient_scope"));
    assert_eq!(
        answer.header("www-authenticate"),
        Some("Bearer realm=\"nexa\", error=\"insufficient_scope\"")
    );
    for path in [INTROSPECT, REVOKE, "/v1/account/token"] {
        let wrong = server.get(path).send();
        assert_eq!(oauth_error(&wrong), (405, "invalid_request"));
        assert_eq!(wrong.header("allow"), Some("POST"));
    }
}

#[test]
fn a_revoked_key_is_dead_and_nobody_learns_what_there_was() {
    let server = Server::start();
    let token = server.sign_up("revoke@example.com");
    let stranger = server.sign_up("stranger@example.com");
    let (_, key) = server.make_key(&token, &["signals"]);
    let check = || {
        server
            .get("/api/authorize?scope=signals")
            .key(&key)
            .send()
            .status
    };
    assert_eq!(check(), 200, "warm");
    for request in [
        revoke(&server, &key).bearer(&stranger),
        revoke(&server, "nex_unknown").bearer(&token),
        revoke(&server, "eyJ.a.b").bearer(&token),
        revoke(&server, &token).bearer(&stranger),
        revoke(&server, "").bearer(&token).body("token=%E2%82%AC"),
    ] {
        let answer = request.send();
        assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    }
    assert_eq!(check(), 200, "it is not a stranger's to revoke");
    for _ in 0..2 {
        let answer = revoke(&server, &key).bearer(&token).send();
        assert_eq!((answer.status, answer.text.as_str()), (200, ""));
        assert_eq!(check(), 401);
    }
    let empty = form(&server, REVOKE, "").bearer(&token).send();
    assert_eq!(oauth_error(&empty), (400, "invalid_request"));
    let operator = revoke(&server, &key).key(&server.operator_key()).send();
    assert_eq!(oauth_error(&operator), (403, "access_denied"));
}

#[test]
fn a_session_of_ones_own_ends_by_either_of_its_tokens() {
    let server = Server::start();
    let keeper = server.sign_up("sessions@example.com");
    let stranger = server.sign_up("stranger@example.com");
    let log_in = || {
        let login = server
            .post(
                "/api/auth/login",
                r#"{"email":"sessions@example.com","password":"correct horse"}"#,
            )
            .send();
        let text = |field: &str| login.json[field].as_str().unwrap().to_owned();
        (text("accessToken"), text("refreshToken"))
    };
    let works = |token: &str| server.get("/api/auth/me").bearer(token).send().status == 200;
    for by_refresh in [false, true] {
        for by_itself in [false, true] {
            let (access, refresh) = log_in();
            let sent = if by_refresh { &refresh } else { &access };
            let hidden = revoke(&server, sent).bearer(&stranger).send();
            assert_eq!((hidden.status, hidden.text.as_str()), (200, ""));
            assert!(works(&access), "it is not a stranger's to end");
            let caller = if by_itself { &access } else { &keeper };
            let ended = revoke(&server, sent).bearer(caller).send();
            assert_eq!((ended.status, ended.text.as_str()), (200, ""));
            assert!(!works(&access) && works(&keeper));
            let again = revoke(&server, &refresh).bearer(&keeper).send();
            assert_eq!((again.status, again.text.as_str()), (200, ""));
            assert_inactive(&introspect(&server, &access).bearer(&keeper).send());
        }
    }
    let (access, refresh) = log_in();
    let (_, full) = server.make_key(&keeper, &["full_access"]);
    for sent in [&access, &refresh] {
        let by_key = revoke(&server, sent).key(&full).send();
        assert_eq!(oauth_error(&by_key), (403, "access_denied"));
        assert!(works(&access), "sessions are for sessions to end");
    }
    let (key, _, _, token) = agent(&server);
    let agents = revoke(&server, &token).key(&key).send();
    assert_eq!(oauth_error(&agents), (400, "unsupported_token_type"));
    let hidden = revoke(&server, &token).bearer(&keeper).send();
    assert_eq!((hidden.status, hidden.text.as_str()), (200, ""));
}

#[test]
fn a_replaced_value_ends_alone() {
    let server = Server::start();
    let token = server.sign_up("values@example.com");
    let check = |key: &str| {
        server
            .get("/api/authorize?scope=signals")
            .key(key)
            .send()
            .status
    };
    for scope in ["signals", "full_access"] {
        let (id, old) = server.make_key(&token, &[scope]);
        let rotated = server
            .post(
                &format!("/api/v1/api-keys/{id}/rotate"),
                r#"{"graceSeconds":600}"#,
            )
            .bearer(&token)
            .send();
        let new = rotated.json["key"].as_str().unwrap();
        assert_eq!((check(&old), check(new)), (200, 200), "warm");
        // With full_access the value ends itself.
        let caller = if scope == "signals" { &token } else { &old };
        let answer = revoke(&server, &old).bearer(caller).send();
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (200, ""),
            "{}",
            answer.text
        );
        assert_eq!((check(&old), check(new)), (401, 200));
        let answer = revoke(&server, new).bearer(&token).send();
        assert_eq!(answer.status, 200);
        assert_eq!((check(&old), check(new)), (401, 401));
    }
}

#[test]
fn a_key_may_revoke_itself() {
    let server = Server::start();
    let (key, id, secret, token) = agent(&server);
    let answer = basic(revoke(&server, &key), &id, &key).send();
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    assert_eq!(server.get("/v1/account/info").key(&key).send().status, 401);
    assert_eq!(
        server.get("/v1/account/info").bearer(&token).send().status,
        401
    );
    let limited = |path: &str, method: &str, body: &str| {
        let (key, id, secret, _) = agent(&server);
        let changed = server
            .request(method, &path.replace("{id}", &id))
            .header("Content-Type", "application/json")
            .body(body)
            .key(&key)
            .send();
        assert_eq!(changed.status, 200, "{}", changed.text);
        let answer = basic(revoke(&server, &key), &key, &secret).send();
        assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{body}");
        let after = server.get("/v1/account/info").key(&key).send();
        assert_eq!(after.status, 401, "{body}");
    };
    limited("/api/v1/api-keys/{id}", "PATCH", r#"{"remaining":5}"#);
    let rotate = "/api/v1/api-keys/{id}/rotate";
    limited(rotate, "POST", r#"{"graceSeconds":600}"#);
    let dead = basic(introspect(&server, &key), &key, &secret).send();
    assert_eq!(oauth_error(&dead), (401, "invalid_client"));
}

#[test]
fn the_metadata_name_endpoints_that_are_there() {
    let server = Server::start();
    let metadata = server.get("/.well-known/oauth-authorization-server").send();
    assert_eq!(metadata.status, 200);
    assert_eq!(metadata.header("access-control-allow-origin"), Some("*"));
    assert_eq!(
        metadata.header("cache-control"),
        Some("public, max-age=300")
    );
    assert_eq!(metadata.json["issuer"], server.url.as_str());
    for (name, method, status) in [
        ("token_endpoint", "POST", 400),
        ("introspection_endpoint", "POST", 401),
        ("revocation_endpoint", "POST", 401),
        ("jwks_uri", "GET", 200),
    ] {
        let url = metadata.json[name].as_str().unwrap();
        let path = url.strip_prefix(&server.url).unwrap();
        assert_eq!(server.request(method, path).send().status, status, "{name}");
    }
    insta::assert_json_snapshot!("oauth_metadata", metadata.json, {
        ".issuer" => "[url]", ".token_endpoint" => "[url]", ".introspection_endpoint" => "[url]",
        ".revocation_endpoint" => "[url]", ".jwks_uri" => "[url]",
    });
}
