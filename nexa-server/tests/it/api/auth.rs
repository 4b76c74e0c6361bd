//! `/api/auth/*`

use serde_json::json;

use crate::harness::Server;

#[test]
fn bad_registrations_name_the_field_and_the_rule() {
    let server = Server::start_with(&[]);
    let long = "x".repeat(10_000);
    for (body, sentence) in [
        (
            json!({ "password": "correct horse", "tenantName": "A" }),
            "email: required",
        ),
        (
            json!({ "email": 5, "password": "correct horse", "tenantName": "A" }),
            "email: must be a string",
        ),
        (
            json!({ "email": ["a@b.c"], "password": "correct horse", "tenantName": "A" }),
            "email: must be a string",
        ),
        (
            json!({ "email": "a.b.c", "password": "correct horse", "tenantName": "A" }),
            "email: must contain an @",
        ),
        (
            json!({ "email": "a@b@c", "password": "correct horse", "tenantName": "A" }),
            "email: must contain one @ only",
        ),
        (
            json!({ "email": "a@b.c", "password": "short", "tenantName": "A" }),
            "password: must be 8 to 1024 bytes long",
        ),
        (
            json!({ "email": "a@b.c", "password": long, "tenantName": "A" }),
            "password: must be 8 to 1024 bytes long",
        ),
        (
            json!({ "email": "a@b.c", "password": "password1", "tenantName": "A" }),
            "password: is one of the most common passwords",
        ),
        (
            json!({ "email": "a@b.c", "password": "correct horse", "tenantName": " " }),
            "tenantName: must not be empty",
        ),
        (
            json!({ "email": "a@b.c", "password": "correct horse", "tenantName": long }),
            "tenantName: at most 100 characters",
        ),
    ] {
        let answer = server.post("/api/auth/register", &body.to_string()).send();
        assert_eq!(answer.refusal(), (400, sentence), "{}", answer.text);
        assert_eq!(
            answer.members(),
            ["code", "detail", "error", "status", "title", "type"]
        );
        assert_eq!(answer.json["detail"], answer.json["error"]);
    }
}

#[test]
fn a_wrong_password_and_an_unknown_address_are_one_answer() {
    let server = Server::start();
    server.sign_up("known@example.com");
    let answers = ["known@example.com", "unknown@example.com"].map(|email| {
        let answer = server
            .post(
                "/api/auth/login",
                &json!({ "email": email, "password": "wrong horse" }).to_string(),
            )
            .send();
        (
            answer.status,
            answer.text,
            answer
                .headers
                .into_iter()
                .filter(|(name, _)| name != "date" && name != "x-request-id")
                .collect::<Vec<_>>(),
        )
    });
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, 401);
}

#[test]
fn addresses_are_compared_in_one_form() {
    let server = Server::start();
    server.sign_up("Ada@Example.com");
    let login = server
        .post(
            "/api/auth/login",
            r#"{"email":"aDA@eXAMPLE.COM","password":"correct horse"}"#,
        )
        .send();
    assert_eq!(login.status, 200);
    let me = server
        .get("/api/auth/me")
        .bearer(login.json["accessToken"].as_str().unwrap())
        .send();
    assert_eq!(me.json["user"]["email"], "Ada@Example.com");
    // The second registration is another spelling of the same mailbox: the password stays.
    let other =
        json!({ "email": "ADA@example.com", "password": "another horse", "tenantName": "B" });
    assert_eq!(
        server
            .post("/api/auth/register", &other.to_string())
            .send()
            .status,
        201
    );
    let taken = server
        .post(
            "/api/auth/login",
            r#"{"email":"ada@example.com","password":"another horse"}"#,
        )
        .send();
    assert_eq!(taken.status, 401);
}

#[test]
fn log_ins_are_limited_by_account_in_every_spelling() {
    let server = Server::start();
    let mut statuses = Vec::new();
    for attempt in 0..12 {
        let email = if attempt % 2 == 0 {
            "target@example.com"
        } else {
            "Target@EXAMPLE.com"
        };
        let answer = server
            .post(
                "/api/auth/login",
                &json!({ "email": email, "password": "guess" }).to_string(),
            )
            .send();
        if answer.status == 429 {
            let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=360).contains(&wait), "{wait}");
        }
        statuses.push(answer.status);
    }
    assert_eq!(
        statuses,
        [401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 429, 429]
    );
}

#[test]
fn log_ins_and_registrations_are_limited_by_address() {
    let server = Server::start();
    let log_in = |n: usize| {
        server.post(
            "/api/auth/login",
            &json!({ "email": format!("{n}@example.com"), "password": "x" }).to_string(),
        )
    };
    let passed = (0..32).filter(|n| log_in(*n).send().status == 401).count();
    assert_eq!(passed, 30);
    // From a peer that is no trusted proxy, the header changes nothing.
    assert_eq!(
        log_in(99)
            .header("X-Forwarded-For", "203.0.113.9")
            .send()
            .status,
        429
    );
    let passed = (0..22)
        .filter(|_| server.post("/api/auth/register", "{}").send().status == 400)
        .count();
    assert_eq!(passed, 20);
    assert!(
        server.stderr().contains("trusted_proxies"),
        "the operator hears of an undeclared proxy"
    );
}

#[test]
fn behind_a_trusted_proxy_each_client_has_its_own_limit() {
    let server = Server::configured(
        "trusted_proxies = [\"127.0.0.0/8\"]\n[limits]\nregister_per_address_an_hour = 1\n",
    );
    let register = |client: &str| {
        server
            .post("/api/auth/register", "{}")
            .header("X-Forwarded-For", client)
            .send()
            .status
    };
    assert_eq!(register("203.0.113.9"), 400);
    assert_eq!(register("203.0.113.9"), 429);
    assert_eq!(
        register("6.6.6.6, 203.0.113.9"),
        429,
        "what the client wrote itself is not believed"
    );
    assert_eq!(register("203.0.113.10"), 400);
    assert_eq!(register("2001:db8:0:1::1"), 400);
    assert_eq!(
        register("2001:db8:0:1:ffff::2"),
        429,
        "a /64 is one subscriber"
    );
    assert_eq!(register("203.0.113.11, unknown"), 400);
    for unnamed in ["203.0.113.12, unknown", "203.0.113.13,", "", "127.0.0.1"] {
        assert_eq!(
            register(unnamed),
            429,
            "{unnamed:?}: whom the proxy does not name shares its limit"
        );
    }
}

#[test]
fn parallel_registrations_of_one_address_leave_one_account() {
    let server = Server::start();
    let outcomes: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|n| {
                let server = &server;
                scope.spawn(move || {
                    let body = json!({ "email": "race@example.com", "password": format!("correct horse {n}"), "tenantName": "T" });
                    server.post("/api/auth/register", &body.to_string()).send().status
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(outcomes, [201; 8]);
    let opened = (0..8)
        .filter(|n| {
            let body =
                json!({ "email": "race@example.com", "password": format!("correct horse {n}") });
            server
                .post("/api/auth/login", &body.to_string())
                .send()
                .status
                == 200
        })
        .count();
    assert_eq!(opened, 1);
}

#[test]
fn accounts_sessions_and_keys_survive_a_kill() {
    let server = Server::start();
    let token = server.sign_up("kill@example.com");
    let (_, key) = server.make_key(&token, &["full_access"]);
    let server = server.restart_after_kill();
    assert!(
        server.first_words.is_empty(),
        "the operator key is shown once"
    );
    // The token names the old port as its issuer, the key knows none.
    assert_eq!(server.get("/api/auth/me").key(&key).send().status, 200);
    assert_eq!(
        server.get("/api/auth/me").bearer(&token).send().refusal(),
        (401, "Invalid or expired access token")
    );
}
