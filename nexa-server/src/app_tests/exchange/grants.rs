//! What an exchanged token may do, for how long, and how it is asked for.

use super::*;

#[test]
fn both_algorithms_end_in_a_token_that_does_what_its_scopes_say() {
    let (rsa, p256) = (SigningKey::rsa("r"), SigningKey::p256("p"));
    let mut world = World::new(&[&rsa, &p256]);
    for key in [&rsa, &p256] {
        let (status, answer) = world.exchange(&key.token(&world.claims(RELEASE)));
        let token = answer["access_token"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let expected = json!({
            "access_token": token, "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "Bearer", "expires_in": 300, "scope": "full_access",
        });
        assert_eq!((status, answer), (200, expected));
        let (status, me) = world
            .fixture
            .send("GET", "/api/auth/me", &token, &Value::Null);
        assert_eq!((status, &me["user"]["id"]), (200, &json!(OWNER)), "{me}");

        let narrow = world.access(&key.token(&world.claims(BRANCH)));
        assert_eq!(world.status_of_me(&narrow), 403);
        let (_, asked) = world.ask(&json!({
            "grant_type": GRANT, "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
            "subject_token": key.token(&world.claims(BRANCH)), "scope": "signals",
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "resource": "https://auth.example.com", "audience": "https://auth.example.com", "client_id": "ci",
        }));
        assert_eq!(asked["scope"], "signals", "{asked}");
    }
    assert_eq!(world.issuer.asked(), 1);
}

#[test]
fn a_token_makes_no_keys_and_ends_with_its_identity_and_after_a_quarter_of_an_hour() {
    let key = SigningKey::p256("p");
    let mut world = World::new(&[&key]);
    let access = world.access(&key.token(&world.claims(RELEASE)));
    let fields = json!({ "name": "outlives me", "scopes": ["full_access"] });
    let (status, refused) = world
        .fixture
        .send("POST", "/api/v1/api-keys", &access, &fields);
    assert_eq!(
        (status, &refused["error"]),
        (
            403,
            &json!("The token of an identity makes and changes no keys")
        )
    );
    for (lasts_s, ends_after_s) in [(300, 300), (3_000, 900)] {
        world.fixture.now = START;
        let mut claims = world.claims(RELEASE);
        claims["exp"] = json!(START_S + lasts_s);
        let access = world.access(&key.token(&claims));
        world.fixture.now = START.plus_seconds(ends_after_s - 1);
        assert_eq!(world.status_of_me(&access), 200);
        world.fixture.now = START.plus_seconds(ends_after_s);
        assert_eq!(world.status_of_me(&access), 401);
    }
}

#[test]
fn a_token_stands_no_longer_than_its_owner_its_tenant_and_its_trust() {
    let key = SigningKey::p256("p");
    let others = "0199cccc-cccc-7ccc-8ccc-cccccccccccc";
    for sql in [
        "UPDATE tenants SET state = 'disabled'",
        "UPDATE users SET state = 'disabled'",
        "UPDATE users SET session_version = 2",
        "UPDATE users SET role = 'member'",
    ] {
        let mut world = World::new(&[&key]);
        let identity = key.token(&world.claims(RELEASE));
        let access = world.access(&identity);
        assert_eq!(world.status_of_me(&access), 200);
        world.fixture.execute(sql);
        assert_eq!(world.status_of_me(&access), 401, "{sql}");
        match sql.contains("version") {
            true => assert_eq!(world.exchange(&identity).0, 200),
            false => assert_eq!(world.refusal(&identity), UNTRUSTED),
        }
    }

    let mut world = World::new(&[&key]);
    let identity = key.token(&world.claims(RELEASE));
    world
        .store
        .write(move |tx| users::insert(tx, &owner(others, 1)))
        .unwrap();
    let access = world.access(&identity);
    let narrow = world.access(&key.token(&world.claims(BRANCH)));
    let good = trusted(&world.issuer);
    type Change = fn(&mut TrustedIssuer);
    let changes: [Change; 4] = [
        |issuer| issuer.issuer = "https://other.example".to_owned(),
        |issuer| drop(issuer.subjects.remove(0)),
        |issuer| issuer.subjects[0].tenant_id = "0199dddd-dddd-7ddd-8ddd-dddddddddddd".to_owned(),
        |issuer| issuer.subjects[0].scopes = ScopeSet::parse(["agents"]).unwrap(),
    ];
    for change in changes {
        let mut changed = good.clone();
        change(&mut changed);
        world.restart(vec![changed]);
        assert_eq!(world.status_of_me(&access), 401);
    }
    world.restart(Vec::new());
    assert_eq!(
        (world.status_of_me(&access), world.status_of_me(&narrow)),
        (401, 401)
    );
    assert_eq!(world.refusal(&identity), UNTRUSTED);
    world.restart(vec![good]);
    assert_eq!(
        (world.status_of_me(&access), world.status_of_me(&narrow)),
        (200, 403)
    );
    // The next owner takes over, and what the first one stood for has ended.
    let sql =
        "UPDATE users SET state = 'disabled' WHERE id = '0199bbbb-bbbb-7bbb-8bbb-bbbbbbbbbbbb'";
    world.fixture.execute(sql);
    assert_eq!(world.status_of_me(&access), 401);
    let next = world.access(&identity);
    let (_, me) = world
        .fixture
        .send("GET", "/api/auth/me", &next, &Value::Null);
    assert_eq!(me["user"]["id"], others);
}

#[test]
fn scopes_are_those_of_the_subject_or_fewer() {
    let key = SigningKey::p256("p");
    let mut world = World::new(&[&key]);
    for (subject, scope, expected) in [
        (BRANCH, None, Ok("agents signals")),
        (BRANCH, Some("signals"), Ok("signals")),
        (BRANCH, Some(""), Ok("agents signals")),
        (BRANCH, Some("signals agents"), Ok("agents signals")),
        (
            BRANCH,
            Some("history"),
            Err("scope: the subject may not have history"),
        ),
        (
            BRANCH,
            Some("full_access"),
            Err("scope: the subject may not have full_access"),
        ),
        (
            BRANCH,
            Some("nonsense"),
            Err("scope: unknown scope nonsense"),
        ),
        (RELEASE, Some("history"), Ok("history")),
        (
            RELEASE,
            Some("full_access signals"),
            Ok("full_access signals"),
        ),
        (
            RELEASE,
            Some("nonsense"),
            Err("scope: unknown scope nonsense"),
        ),
    ] {
        let mut asked = request(&key.token(&world.claims(subject)));
        asked["scope"] = json!(scope);
        let (status, answer) = world.ask(&asked);
        match expected {
            Ok(scope) => assert_eq!((status, answer["scope"].as_str()), (200, Some(scope))),
            Err(problem) => {
                assert_eq!((status, &answer["error"]), (400, &json!("invalid_scope")));
                assert_eq!(answer["error_description"], problem);
            }
        }
    }
}

#[test]
fn parameters_of_the_standard_that_are_not_served_are_refused() {
    let key = SigningKey::p256("p");
    let mut world = World::new(&[&key]);
    let good = request(&key.token(&world.claims(RELEASE)));
    for (name, value, error, sentence) in [
        (
            "subject_token",
            "",
            "invalid_request",
            "subject_token: required",
        ),
        (
            "subject_token_type",
            "",
            "invalid_request",
            "subject_token_type: required",
        ),
        (
            "subject_token_type",
            "urn:ietf:params:oauth:token-type:saml2",
            "invalid_request",
            "subject_token_type: must be urn:ietf:params:oauth:token-type:jwt or urn:ietf:params:oauth:token-type:id_token",
        ),
        (
            "requested_token_type",
            "urn:ietf:params:oauth:token-type:refresh_token",
            "invalid_request",
            "requested_token_type: must be urn:ietf:params:oauth:token-type:access_token",
        ),
        (
            "actor_token",
            "x",
            "invalid_request",
            "actor_token: not taken: the subject acts",
        ),
        (
            "actor_token_type",
            JWT,
            "invalid_request",
            "actor_token: not taken: the subject acts",
        ),
        (
            "resource",
            "https://api.example",
            "invalid_target",
            "resource: tokens are for this server alone; leave it out",
        ),
        (
            "audience",
            "api",
            "invalid_target",
            "audience: tokens are for this server alone; leave it out",
        ),
        (
            "client_secret",
            "x",
            "invalid_request",
            "Send one credential, once: in X-API-Key or in Authorization",
        ),
    ] {
        let mut asked = good.clone();
        asked[name] = json!(value);
        let (status, answer) = world.ask(&asked);
        assert_eq!((status, &answer["error"]), (400, &json!(error)), "{name}");
        assert_eq!(answer["error_description"], sentence);
    }
    let (status, answer) = world
        .fixture
        .send("POST", "/v1/account/token", "nex_abc", &good);
    assert_eq!((status, &answer["error"]), (400, &json!("invalid_request")));
}

#[test]
fn too_many_refusals_from_one_address_are_429_and_good_tokens_still_pass() {
    let key = SigningKey::p256("p");
    let mut world = World::new(&[&key]);
    let good = key.token(&world.claims(RELEASE));
    let bad = SigningKey::p256("p").token(&world.claims(RELEASE));
    let trusted = vec![(trusted(&world.issuer), source(&world.issuer))];
    let with_own_limits = |config: &mut Config| config.trusted_issuers = trusted;
    (world.fixture.app, _) = testing::app_on(world.store.clone(), with_own_limits);
    for _ in 0..30 {
        assert_eq!(world.refusal(&bad), UNTRUSTED);
    }
    assert_eq!(world.exchange(&bad).0, 429);
    assert_eq!(world.exchange("x").0, 429);
    assert_eq!(world.exchange(&good).0, 200);
}

#[test]
fn the_trail_names_issuer_and_subject() {
    let key = SigningKey::p256("p");
    let mut world = World::new(&[&key]);
    world.access(&key.token(&world.claims(BRANCH)));
    let rows = world.store.read(|tx| {
        let sql =
            "SELECT actor_kind, actor_id, act, tenant_id, subject_id FROM audit_events LIMIT 10";
        tx.all(sql, &[], |row| {
            Ok([
                row.text(0)?,
                row.text(1)?,
                row.text(2)?,
                row.text(3)?,
                row.text(4)?,
            ])
        })
    });
    let identity = format!("{} {BRANCH}", world.issuer.url);
    let expected = ["issuer", &identity, "identity.exchanged", TENANT, OWNER].map(str::to_owned);
    assert_eq!(rows, Ok::<_, StoreError>(vec![expected]));
}

#[test]
fn the_longest_and_the_strangest_subject_fit_into_a_token() {
    let key = SigningKey::p256("p");
    let mut world = World::new(&[&key]);
    let long = format!("repo:acme/app:{}", "\"".repeat(216));
    for subject in ["repo:acme/app:\"\u{fc}\\ .\u{540d}", &long] {
        let access = world.access(&key.token(&world.claims(subject)));
        assert_eq!(world.status_of_me(&access), 403, "{subject}");
    }
}
