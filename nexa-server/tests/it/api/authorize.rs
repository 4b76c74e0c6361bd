//! `/api/authorize`

use crate::harness::{Answer, Server};

/// Sends headers, answers status and sentence.
fn ask(server: &Server, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request = headers
        .iter()
        .fold(server.get(path), |request, (name, value)| {
            request.header(name, value)
        });
    request.send()
}

#[test]
fn all_present_sources_must_agree() {
    let server = Server::start();
    let token = server.sign_up("sources@example.com");
    let (_, key) = server.make_key(&token, &["signals"]);
    let key = key.as_str();
    let (om, ou, fm, fu) = (
        "X-Original-Method",
        "X-Original-URI",
        "X-Forwarded-Method",
        "X-Forwarded-Uri",
    );
    let (signals, agents) = ("/api/v1/trading-signals?limit=3", "/api/v1/agents");
    for (headers, status) in [
        (&[(om, "GET"), (ou, signals)][..], 200),
        (&[(fm, "POST"), (fu, signals)], 200),
        (
            &[
                (om, "GET"),
                (ou, signals),
                (fm, "GET"),
                (fu, "/api/v1/trading-signals"),
            ],
            200,
        ),
        (
            &[(om, "GET"), (ou, signals), (fm, "GET"), (fu, agents)],
            400,
        ),
        (
            &[(om, "GET"), (ou, signals), (fm, "POST"), (fu, signals)],
            400,
        ),
        (&[(om, "GET")], 400),
        (&[(ou, signals)], 400),
        (&[(fm, "GET")], 400),
        (&[(om, "GET"), (ou, signals), (fu, signals)], 400),
        (&[(om, "GET"), (om, "GET"), (ou, signals)], 400),
        (&[(om, "GET"), (ou, signals), (ou, signals)], 400),
        (&[(om, "get"), (ou, signals)], 400),
        (&[(om, "GET"), (ou, agents)], 403),
        (&[], 400),
    ] {
        let with_key: Vec<_> = headers
            .iter()
            .copied()
            .chain([("X-API-Key", key)])
            .collect();
        let answer = ask(&server, "/api/authorize", &with_key);
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text);
        if status != 200 {
            assert_eq!(
                answer.header("x-nexa-error"),
                answer.json["error"].as_str(),
                "the reason travels in a header"
            );
        }
    }
}

#[test]
fn envoys_path_is_a_source_too() {
    let server = Server::start();
    let token = server.sign_up("envoy@example.com");
    let (_, key) = server.make_key(&token, &["signals"]);
    let path = "/api/authorize/api/v1/trading-signals";
    assert_eq!(server.post(path, "{}").key(&key).send().status, 200);
    assert_eq!(server.get(path).key(&key).send().status, 200);
    assert_eq!(
        server.delete(path).key(&key).send().refusal(),
        (403, "No rule covers DELETE /api/v1/trading-signals")
    );
    assert_eq!(
        server.get("/api/authorize/").key(&key).send().refusal(),
        (403, "No rule covers GET /"),
        "the root is a path as any other"
    );
    let query = format!("{path}?scope=agents&x=1");
    assert_eq!(
        server.get(&query).key(&key).send().status,
        200,
        "the query is the caller's own"
    );
    let headers = [
        ("X-API-Key", key.as_str()),
        ("X-Original-Method", "GET"),
        ("X-Original-URI", "/api/v1/agents"),
    ];
    assert_eq!(
        ask(&server, path, &headers).status,
        400,
        "a header that disagrees with the path"
    );
    for ambiguous in [
        "//api/v1/trading-signals",
        "/api/v1//trading-signals",
        "/api/v1/%74rading-signals",
        "/api/v1%2ftrading-signals",
    ] {
        assert_eq!(
            ask(
                &server,
                &format!("/api/authorize{ambiguous}"),
                &headers[..1]
            )
            .status,
            403,
            "{ambiguous}"
        );
    }
}

#[test]
fn a_scope_in_the_query_adds_and_never_replaces() {
    let server = Server::start();
    let token = server.sign_up("query@example.com");
    let (_, signals) = server.make_key(&token, &["signals"]);
    let (_, both) = server.make_key(&token, &["signals", "agents"]);
    let original = [
        ("X-Original-Method", "GET"),
        ("X-Original-URI", "/api/v1/trading-signals"),
    ];
    for (key, path, expected) in [
        (&signals, "/api/authorize?scope=signals", 200),
        (&signals, "/api/authorize?scope=agents", 403),
        (&both, "/api/authorize?scope=agents", 200),
        (&both, "/api/authorize?scope=agents%20balances", 403),
        (&both, "/api/authorize?scope=Not%20A%20Scope!", 400),
        (&both, "/api/authorize?scope=agents&scope=signals", 400),
    ] {
        let headers: Vec<_> = original
            .into_iter()
            .chain([("X-API-Key", key.as_str())])
            .collect();
        assert_eq!(ask(&server, path, &headers).status, expected, "{path}");
    }
    let lacking = ask(
        &server,
        "/api/authorize?scope=balances",
        &[("X-API-Key", &both)],
    );
    assert_eq!(
        lacking.refusal(),
        (403, "API key missing required scope: balances")
    );
}

#[test]
fn a_public_rule_passes_without_a_key_and_with_empty_headers() {
    let rules = r#"
        scopes = ["admin"]
        [[rules]]
        path = "/files/{*rest}"
        public = true
        [[rules]]
        path = "/files/secret"
        all_scopes = ["admin"]
        [[rules]]
        path = "/items/{id}"
        methods = ["GET"]
        any_scope = ["admin", "full_access"]
    "#;
    let server = Server::configured(rules);
    let original = |uri: &'static str| [("X-Original-Method", "OPTIONS"), ("X-Original-URI", uri)];
    let passed = ask(
        &server,
        "/api/authorize",
        &[&original("/files/a")[..], &[("X-Nexa-Tenant", "forged")]].concat(),
    );
    assert_eq!(passed.status, 200);
    for name in [
        "x-nexa-tenant",
        "x-nexa-user",
        "x-nexa-key",
        "x-nexa-scopes",
    ] {
        assert_eq!(
            passed.header(name),
            Some(""),
            "{name} is sent even when empty"
        );
    }
    assert_eq!(
        ask(&server, "/api/authorize", &original("/files/secret")).refusal(),
        (401, "API key required")
    );
    let doubled = [
        &original("/files/a")[..],
        &[("X-API-Key", "nex_a"), ("X-API-Key", "nex_b")],
    ]
    .concat();
    assert_eq!(
        ask(&server, "/api/authorize", &doubled).status,
        400,
        "two credentials, public or not"
    );
    let twin = ask(
        &server,
        "/api/authorize",
        &[
            ("X-Original-Method", "GET"),
            ("X-Original-URI", "/files/secret/"),
        ],
    );
    assert_eq!(
        twin.status, 401,
        "who has no key learns nothing of the rules"
    );
    let token = server.sign_up("files@example.com");
    let (_, key) = server.make_key(&token, &["admin"]);
    let with_key = |method: &'static str, uri: &'static str| {
        ask(
            &server,
            "/api/authorize",
            &[
                ("X-Original-Method", method),
                ("X-Original-URI", uri),
                ("X-API-Key", &key),
            ],
        )
        .status
    };
    assert_eq!(with_key("GET", "/files/secret"), 200);
    assert_eq!(
        with_key("GET", "/files/secret/"),
        403,
        "an upstream may ignore the slash"
    );
    assert_eq!(with_key("GET", "/items/1"), 200);
    assert_eq!(with_key("PUT", "/items/1"), 403);
    assert_eq!(with_key("GET", "/items/1/2"), 403);
}

#[test]
fn what_a_caller_says_in_nexas_name_is_replaced_or_refused() {
    let server = Server::start();
    let token = server.sign_up("forger@example.com");
    let (_, key) = server.make_key(&token, &["signals"]);
    let headers = |name: &'static str| {
        let forged = [(name, "forged"), ("X-API-Key", key.as_str())];
        ask(&server, "/api/authorize?scope=signals", &forged)
    };
    let passed = headers("X-Unknown");
    let replaced: Vec<&str> = (passed.headers.iter())
        .map(|(name, _)| name.as_str())
        .filter(|name| name.starts_with("x-nexa-"))
        .collect();
    assert_eq!(replaced.len(), 6, "{replaced:?}");
    for name in [
        "X-Nexa-Tenant",
        "x-nexa-environment",
        "X-Nexa-Error",
        "X-Nexatenant",
        "Nexa-Tenant",
        "X-X-Nexa-Tenant",
    ] {
        let answer = headers(name);
        let names: Vec<&str> = (answer.headers.iter())
            .map(|(name, _)| name.as_str())
            .filter(|name| name.starts_with("x-nexa-"))
            .collect();
        assert_eq!((answer.status, &names), (200, &replaced), "{name}");
    }
    for name in [
        "X-Nexa-Problem",
        "x-nexa-anything",
        "X-Nexa-",
        "X_Nexa_Tenant",
        "X-Nexa_Tenant",
        "X_Nexa-Tenant",
        "X.Nexa.Tenant",
    ] {
        let sentence = format!(
            "The original request is unclear: {} is a name that only Nexa may send",
            name.to_ascii_lowercase()
        );
        assert_eq!(headers(name).refusal(), (400, sentence.as_str()));
    }
}

#[test]
fn a_refusal_fits_whole_into_the_headers_of_a_gateway() {
    let server = Server::start();
    let token = server.sign_up("far@example.com");
    let (_, key) = server.make_key(&token, &["signals"]);
    for (path, shown) in [
        ("/near".to_owned(), "/near".to_owned()),
        (
            format!("/{}", "\"".repeat(255)),
            format!("/{}", "\"".repeat(255)),
        ),
        (
            format!("/{}", "\"".repeat(256)),
            format!("/{}...", "\"".repeat(255)),
        ),
        (
            format!("/{}", "\"".repeat(6_000)),
            format!("/{}...", "\"".repeat(255)),
        ),
    ] {
        let headers = [
            ("X-Original-Method", "GET"),
            ("X-Original-URI", path.as_str()),
            ("X-API-Key", key.as_str()),
        ];
        let answer = ask(&server, "/api/authorize", &headers);
        let sentence = format!("No rule covers GET {shown}");
        assert_eq!(answer.refusal(), (403, sentence.as_str()));
        assert_eq!(answer.header("x-nexa-problem"), Some(answer.text.as_str()));
        let length: usize = (answer.headers.iter())
            .map(|(name, value)| name.len() + value.len() + 4)
            .sum();
        assert!(length < 3_072, "{length} bytes of headers");
    }
}

#[test]
fn only_keys_of_tenants_pass() {
    let server = Server::start();
    let token = server.sign_up("only@example.com");
    let headers = |credential: &str| -> Answer {
        ask(
            &server,
            "/api/authorize?scope=signals",
            &[("X-API-Key", credential)],
        )
    };
    assert_eq!(
        headers(&token).refusal(),
        (401, "Invalid API key"),
        "an access token is no key"
    );
    assert_eq!(
        headers(&server.operator_key()).refusal(),
        (401, "Invalid API key"),
        "nor is the operator's key a tenant's"
    );
}

#[test]
fn a_deleted_key_is_dead_the_moment_it_is_answered() {
    let server = Server::start();
    let token = server.sign_up("dead@example.com");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    let (id, key) = server.make_key(&token, &["signals"]);
                    let check = || {
                        server
                            .get("/api/authorize?scope=signals")
                            .key(&key)
                            .send()
                            .status
                    };
                    assert_eq!(check(), 200);
                    std::thread::scope(|racing| {
                        let reader = racing.spawn(|| while check() == 200 {});
                        assert_eq!(
                            server
                                .delete(&format!("/api/v1/api-keys/{id}"))
                                .bearer(&token)
                                .send()
                                .status,
                            200
                        );
                        assert_eq!(check(), 401, "no check passes after the answer");
                        reader.join().unwrap();
                    });
                    assert_eq!(check(), 401);
                }
            });
        }
    });
}
