//! Agents: whose account it is, how long its tokens and its trial last.

use serde_json::{Value, json};

use super::{Fixture, START};

#[test]
fn a_member_of_an_agent_account_neither_sees_nor_changes_it() {
    let mut fixture = Fixture::new();
    let (status, made) = fixture.send(
        "POST",
        "/v1/account/register",
        "",
        &json!({ "name": "Agent" }),
    );
    assert_eq!(status, 201, "{made}");
    let key = made["api_key"].as_str().unwrap().to_owned();
    let requests = [
        ("GET", "/v1/account/info"),
        ("PUT", "/v1/account/info"),
        ("POST", "/v1/account/rotate-secret"),
    ];
    for (role, status) in [("member", 403), ("admin", 200)] {
        let sql = format!("UPDATE users SET role = '{role}'");
        fixture.execute(Box::leak(sql.into_boxed_str()));
        let user = made_user(&fixture);
        let weakened = crate::domain::key_cache::Weakened::User(user);
        fixture.app.services().cache.forget(&weakened);
        for (method, path) in requests {
            assert_eq!(
                fixture.send(method, path, &key, &json!({})).0,
                status,
                "{role} {method} {path}"
            );
        }
    }
}

/// The only user there is.
fn made_user(fixture: &Fixture) -> String {
    let store = &fixture.app.services().store;
    let found = store.read(|tx| tx.one("SELECT id FROM users", &[], |row| row.text(0)));
    found.unwrap_or_else(|error: crate::store::StoreError| panic!("{error}"))
}

/// An agent's key and secret, and a token of theirs.
fn agent(fixture: &mut Fixture) -> (Value, String) {
    let (status, agent) = fixture.send(
        "POST",
        "/v1/account/register",
        "",
        &json!({ "name": "Agent" }),
    );
    assert_eq!(status, 201, "{agent}");
    let token = agent_token(fixture, &agent);
    (agent, token)
}

fn agent_token(fixture: &mut Fixture, agent: &Value) -> String {
    let grant = json!({
        "grant_type": "client_credentials", "client_id": agent["api_key"], "client_secret": agent["api_secret"],
    });
    let (status, granted) = fixture.send("POST", "/v1/account/token", "", &grant);
    assert_eq!(status, 200, "{granted}");
    granted["access_token"].as_str().unwrap().to_owned()
}

#[test]
fn a_trial_is_over_on_its_day_before_and_after_the_ledger_says_so() {
    const DAY_S: i64 = 86_400;
    let mut fixture = Fixture::new();
    let (agent, _) = agent(&mut fixture);
    let key = agent["api_key"].as_str().unwrap();
    let trial = |fixture: &mut Fixture, at_s: i64| {
        fixture.now = START.plus_seconds(at_s);
        let (status, info) = fixture.send("GET", "/v1/account/info", key, &Value::Null);
        assert_eq!(status, 200, "{info}");
        info["trial"].clone()
    };
    assert_eq!(trial(&mut fixture, 7 * DAY_S - 1), agent["trial"]);
    assert_eq!(trial(&mut fixture, 7 * DAY_S), Value::Null);
    crate::job::tick(fixture.app.services(), fixture.now);
    assert_eq!(trial(&mut fixture, 7 * DAY_S), Value::Null);
    let newest = fixture.app.services().store.read(|tx| {
        tx.one(
            "SELECT monthly_after_mc, cause FROM credit_entries ORDER BY at_ms DESC, seq DESC LIMIT 1",
            &[],
            |row| Ok((row.int(0)?, row.text(1)?)),
        )
    });
    assert_eq!(
        newest,
        Ok::<_, crate::store::StoreError>((0, "expiry".to_owned()))
    );
}

#[test]
fn an_agents_token_dies_with_its_time_its_user_and_its_tenant() {
    let mut fixture = Fixture::new();
    let (agent, token) = agent(&mut fixture);
    let info = |fixture: &mut Fixture, token: &str| {
        fixture
            .send("GET", "/v1/account/info", token, &Value::Null)
            .0
    };
    assert_eq!(info(&mut fixture, &token), 200);
    fixture.now = START.plus_seconds(1799);
    assert_eq!(info(&mut fixture, &token), 200);
    fixture.now = START.plus_seconds(1800);
    assert_eq!(info(&mut fixture, &token), 401);
    for (end, back) in [
        (
            "UPDATE users SET state = 'disabled'",
            "UPDATE users SET state = 'active'",
        ),
        (
            "UPDATE tenants SET state = 'disabled'",
            "UPDATE tenants SET state = 'active'",
        ),
    ] {
        let token = agent_token(&mut fixture, &agent);
        assert_eq!(info(&mut fixture, &token), 200, "{end}");
        fixture.execute(end);
        assert_eq!(info(&mut fixture, &token), 401, "{end}");
        fixture.execute(back);
    }
}
