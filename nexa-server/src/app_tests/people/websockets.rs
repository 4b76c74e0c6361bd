//! What is told on WebSockets to whom, in which order, and how long; without a socket.

use crate::app::{Call, Trail};
use crate::http::Outcome;
use crate::http::websocket::{Feed, Said, Then};
use std::net::IpAddr;
use std::time::Duration;

use super::*;

impl Fixture {
    /// What a WebSocket is told; the answer where there is none.
    fn try_listen(&mut self, credential: &str, query: &str) -> Result<Feed, (u16, Value)> {
        let request = Request::get(format!("/api/ws/chat%201?token={credential}{query}"))
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let (head, body) = request.body(Bytes::new()).unwrap().into_parts();
        let call = Call {
            now: self.now,
            rng: &mut self.rng,
            peer: IpAddr::from([203, 0, 113, 9]),
            may_block: true,
        };
        match self.app.handle(call, &mut Trail::default(), &head, &body) {
            Outcome::Upgrade(response) => Ok(response.into_body()),
            Outcome::Reply(response) => Err((
                response.status().as_u16(),
                serde_json::from_slice(response.body()).unwrap(),
            )),
            other => panic!("{other:?}"),
        }
    }

    /// What a WebSocket is told after its first message.
    fn listen(&mut self, credential: &str) -> Feed {
        let mut feed = self.try_listen(credential, "").unwrap();
        let hello = self.heard(&mut feed);
        assert_eq!(hello.len(), 1, "{hello:?}");
        assert_eq!(hello[0]["type"], "hello");
        feed
    }

    fn ask(&self, feed: &mut Feed) -> Said {
        (feed.ask)(self.now.ms())
    }

    /// All messages until there are no more.
    fn heard(&self, feed: &mut Feed) -> Vec<Value> {
        let mut told = Vec::new();
        loop {
            let said = self.ask(feed);
            told.extend(
                said.texts
                    .iter()
                    .map(|text| serde_json::from_str::<Value>(text).unwrap()),
            );
            match said.then {
                Then::GoOn => {}
                Then::Rest(_) => return told,
                Then::Close(closing) => panic!("{closing:?}"),
            }
        }
    }

    /// The names of the keys that are told of as new.
    fn told_keys(&self, feed: &mut Feed) -> Vec<String> {
        let told = self.heard(feed);
        let names = told.iter().map(|told| {
            assert_eq!(told["type"], "event");
            assert_eq!(told["event"]["type"], "key.created");
            told["event"]["data"]["name"].as_str().unwrap().to_owned()
        });
        names.collect()
    }

    fn close_code(&self, feed: &mut Feed) -> Option<u16> {
        let said = self.ask(feed);
        match said.then {
            Then::Close(closing) => {
                assert!(said.texts.is_empty(), "{:?}", said.texts);
                Some(closing.code)
            }
            Then::GoOn | Then::Rest(_) => None,
        }
    }

    fn make_named(&mut self, session: &str, name: &str) -> (String, String) {
        self.make_key(session, &json!({ "name": name, "scopes": ["full_access"] }))
    }
}

#[test]
fn events_come_once_in_their_order_and_on_again_from_where_one_was() {
    let mut fixture = Fixture::new();
    let owner = fixture.join("a@example.com", "correct horse");
    fixture.make_named(&owner, "before");
    let mut feed = fixture.try_listen(&owner, "").unwrap();
    fixture.make_named(&owner, "between");
    let first = fixture.heard(&mut feed);
    let me = fixture.send("GET", "/api/auth/me", &owner, &Value::Null).1;
    let hello = json!({
        "type": "hello", "chat_id": "chat 1", "tenant_id": me["tenant"]["id"], "at": fixture.now.to_rfc3339(),
    });
    assert_eq!(first[0], hello);
    assert_eq!(first[1]["event"]["data"]["name"], "between");
    assert_eq!(first.len(), 2);
    let names: Vec<String> = (0..100).map(|number| format!("k{number}")).collect();
    for name in &names {
        fixture.make_named(&owner, name);
    }
    assert_eq!(fixture.told_keys(&mut feed), names);
    assert_eq!(fixture.heard(&mut feed), Vec::<Value>::new());

    let seen = first[1]["event"]["id"].as_str().unwrap().to_owned();
    let mut again = fixture
        .try_listen(&owner, &format!("&since={seen}"))
        .unwrap();
    let told = fixture.heard(&mut again);
    assert_eq!(
        told.len(),
        1 + names.len(),
        "what came after it, and the hello"
    );
    assert_eq!(told[1]["event"]["data"]["name"], "k0");
    // Another tenant's event is what is missing.
    let stranger = fixture.join("b@example.com", "correct horse");
    for since in [
        seen.as_str(),
        "018f0000-0000-7000-8000-000000000000",
        "0",
        "%00",
        "",
    ] {
        let refused = fixture.try_listen(&stranger, &format!("&since={since}"));
        let (status, body) = refused.unwrap_err();
        assert_eq!(
            (status, &body["code"]),
            (422, &json!("invalid_field")),
            "{since}"
        );
    }
    let mut theirs = fixture.listen(&stranger);
    fixture.make_named(&owner, "not theirs");
    assert_eq!(fixture.heard(&mut theirs), Vec::<Value>::new());
}

#[test]
fn members_are_told_of_what_is_their_own_and_roles_are_as_they_are_now() {
    let mut fixture = Fixture::new();
    let owner = fixture.join("a@example.com", "correct horse");
    let admin = fixture.add_member(&owner, "b@example.com", "admin");
    let member = fixture.add_member(&owner, "c@example.com", "member");
    let admins_key = fixture.make_named(&admin, "admin's").1;
    let mut feeds: Vec<Feed> = [&owner, &admin, &member, &admins_key]
        .map(|credential| fixture.listen(credential))
        .into();
    let mut told = |fixture: &Fixture| -> Vec<Vec<String>> {
        feeds
            .iter_mut()
            .map(|feed| fixture.told_keys(feed))
            .collect()
    };
    fixture.make_named(&owner, "owner's");
    fixture.make_named(&member, "member's");
    let both = vec!["owner's".to_owned(), "member's".to_owned()];
    let own = vec!["member's".to_owned()];
    assert_eq!(
        told(&fixture),
        [both.clone(), both.clone(), own, both.clone()]
    );
    let id = fixture.id(&admin);
    // What happened before is told by the role of now.
    fixture.make_named(&owner, "owner's");
    fixture.make_named(&member, "member's");
    assert_eq!(fixture.set_role(&owner, &id, "member").0, 200);
    let late = told(&fixture);
    assert_eq!(late[0], both);
    assert_eq!(late[1], Vec::<String>::new());
    assert_eq!(late[3], Vec::<String>::new());
}

/// Beside what the matrix of credentials goes through.
#[test]
fn a_session_that_is_over_is_told_nothing_more() {
    type End = fn(&mut Fixture, &str, &str, &str);
    let ends: [(&str, End); 6] = [
        ("log-out", |fixture, _, _, refresh| {
            fixture.post("/api/auth/logout", &json!({ "refreshToken": refresh }));
        }),
        ("refresh token used twice", |fixture, _, _, refresh| {
            let body = json!({ "refreshToken": refresh });
            let next = fixture.send("POST", "/api/auth/refresh", "", &body).1;
            let body_of_next = json!({ "refreshToken": next["refreshToken"] });
            fixture.send("POST", "/api/auth/refresh", "", &body_of_next);
            let last = fixture.send("POST", "/api/auth/refresh", "", &body);
            assert_eq!(last.0, 401);
        }),
        ("new password", |fixture, _, session, _| {
            let body =
                json!({ "currentPassword": "a member's horse", "newPassword": "another horse" });
            let changed = fixture.send("POST", "/api/auth/password", session, &body);
            assert_eq!(changed.0, 200, "{}", changed.1);
        }),
        ("reset", |fixture, _, _, _| {
            fixture.now = fixture.now.plus_seconds(1);
            fixture.forgot("b@example.com");
            let token = fixture.mailed_token();
            assert_eq!(fixture.reset(&token, "another horse").0, 200);
        }),
        ("removal", |fixture, owner, session, _| {
            let id = fixture.id(session);
            assert_eq!(fixture.remove(owner, &id).0, 200);
        }),
        ("erasure", |fixture, owner, _, _| {
            let body = json!({ "password": "correct horse" });
            let erased = fixture.send("DELETE", "/api/account", owner, &body);
            assert!(matches!(erased.0, 200 | 202), "{}", erased.1);
        }),
    ];
    for (name, end) in ends {
        let mut fixture = Fixture::new();
        let owner = fixture.join("a@example.com", "correct horse");
        fixture.add_member(&owner, "b@example.com", "admin");
        let body = json!({ "email": "b@example.com", "password": "a member's horse" });
        let tokens = fixture.send("POST", "/api/auth/login", "", &body).1;
        let token = |name: &str| tokens[name].as_str().unwrap().to_owned();
        let (session, refresh) = (token("accessToken"), token("refreshToken"));
        let mut feed = fixture.listen(&session);
        feed.woken.mark_unchanged();
        end(&mut fixture, &owner, &session, &refresh);
        assert!(feed.woken.has_changed().unwrap(), "{name}");
        assert_eq!(fixture.close_code(&mut feed), Some(4401), "{name}");
        // It never comes back.
        assert_eq!(fixture.close_code(&mut feed), Some(4401), "{name}");
    }
}

#[test]
fn a_token_of_a_key_that_is_not_trusted_any_more_is_told_nothing_more() {
    let mut fixture = Fixture::new();
    let (owner, operator) = (
        fixture.join("a@example.com", "correct horse"),
        fixture.operator_key(),
    );
    let (_, key) = fixture.make_named(&owner, "key");
    let (mut by_token, mut by_key) = (fixture.listen(&owner), fixture.listen(&key));
    by_token.woken.mark_unchanged();
    let path = "/api/operator/keyset";
    let keys = fixture.send("GET", path, &operator, &Value::Null).1;
    let keys = keys["keys"].as_array().unwrap();
    let signing = keys.iter().find(|key| key["use"] == "license").unwrap();
    let body = json!({ "kid": signing["kid"] });
    let revoked = fixture.send("POST", &format!("{path}/revoke"), &operator, &body);
    assert_eq!(revoked.0, 200, "{}", revoked.1);
    assert!(by_token.woken.has_changed().unwrap());
    assert_eq!(fixture.close_code(&mut by_token), Some(4401));
    assert_eq!(fixture.close_code(&mut by_key), None);
}

#[test]
fn a_credential_is_asked_about_at_its_own_end_and_dies_with_it() {
    let mut fixture = Fixture::new();
    let owner = fixture.join("a@example.com", "correct horse");
    let expires_at = fixture.now.plus_seconds(10).to_rfc3339();
    let fields = json!({ "name": "k", "scopes": ["full_access"], "expiresAt": expires_at });
    let ends = fixture.make_key(&owner, &fields).1;
    let (rotated_id, rotated) = fixture.make_named(&owner, "rotated");
    let path = format!("/api/v1/api-keys/{rotated_id}/rotate");
    let grace = json!({ "graceSeconds": 10 });
    assert_eq!(fixture.send("POST", &path, &owner, &grace).0, 200);
    for key in [ends, rotated] {
        let mut feed = fixture.listen(&key);
        let said = fixture.ask(&mut feed);
        assert_eq!(said.then, Then::Rest(Duration::from_secs(10)));
        fixture.now = fixture.now.plus_seconds(9);
        let said = fixture.ask(&mut feed);
        assert_eq!(said.then, Then::Rest(Duration::from_secs(1)));
        fixture.now = fixture.now.plus_seconds(1);
        assert_eq!(fixture.close_code(&mut feed), Some(4401));
        fixture.now = fixture.now.plus_seconds(-10);
    }
    // Everybody's token has half an hour, and somebody looks now and then before that.
    let mut feed = fixture.listen(&owner);
    let said = fixture.ask(&mut feed);
    let Then::Rest(rest) = said.then else {
        panic!("{said:?}");
    };
    assert!((20..40).contains(&rest.as_secs()), "{rest:?}");
    fixture.now = fixture.now.plus_seconds(30 * 60);
    assert_eq!(fixture.close_code(&mut feed), Some(4401));
}

#[test]
fn a_tenant_has_so_many_websockets_and_no_other_pays_for_them() {
    let mut fixture = Fixture::with(|config| config.websockets_per_tenant = 2);
    let owner = fixture.join("a@example.com", "correct horse");
    let stranger = fixture.join("b@example.com", "correct horse");
    let (first, _second) = (fixture.listen(&owner), fixture.listen(&owner));
    let (status, body) = fixture.try_listen(&owner, "").unwrap_err();
    assert_eq!((status, &body["code"]), (429, &json!("rate_limited")));
    fixture.listen(&stranger);
    drop(first);
    fixture.listen(&owner);
}

#[test]
fn when_all_places_are_taken_the_tenant_with_the_most_makes_room() {
    let mut fixture = Fixture::with(|config| config.http.websockets = 3);
    let owner = fixture.join("a@example.com", "correct horse");
    let stranger = fixture.join("b@example.com", "correct horse");
    let mut feeds = [(); 3].map(|()| fixture.listen(&owner));
    let mut lost = || {
        let told = feeds.iter_mut().map(|feed| {
            let place = feed.place.as_mut().unwrap();
            place.displaced.try_recv().ok().map(|closing| closing.code)
        });
        told.collect::<Vec<_>>()
    };
    // What is refused anyway takes nobody's place.
    let refused = fixture.try_listen(&stranger, "&since=x").unwrap_err();
    assert_eq!(refused.0, 422);
    assert_eq!(lost(), [None; 3]);
    let _theirs = fixture.listen(&stranger);
    assert_eq!(lost(), [Some(1013), None, None]);
    for session in [&stranger, &owner] {
        let (status, body) = fixture.try_listen(session, "").unwrap_err();
        assert_eq!((status, &body["code"]), (503, &json!("busy")));
    }
    assert_eq!(lost(), [None; 3]);
}

#[test]
fn a_key_pays_nothing_where_it_finds_no_place() {
    let mut fixture = Fixture::with(|config| {
        config.http.websockets = 2;
        config.websockets_per_tenant = 1;
    });
    let owner = fixture.join("a@example.com", "correct horse");
    let others = ["b@example.com", "c@example.com"];
    let [second, third] = others.map(|email| fixture.join(email, "correct horse"));
    let fields = json!({ "name": "k", "scopes": ["full_access"], "remaining": 1,
        "rateLimit": { "limit": 1, "windowSeconds": 3600 } });
    let (status, made) = fixture.send("POST", "/api/v1/api-keys", &owner, &fields);
    assert_eq!(status, 201, "{made}");
    let key = made["key"].as_str().unwrap().to_owned();
    let own = fixture.listen(&owner);
    assert_eq!(fixture.try_listen(&key, "").unwrap_err().0, 429);
    drop(own);
    let (theirs, _more) = (fixture.listen(&second), fixture.listen(&third));
    assert_eq!(fixture.try_listen(&key, "").unwrap_err().0, 503);
    drop(theirs);
    let feed = fixture.listen(&key);
    drop(feed);
    assert_eq!(
        fixture.try_listen(&key, "").unwrap_err().0,
        429,
        "it is used up"
    );
}

#[test]
fn a_key_is_counted_once_and_refused_where_its_terms_say_so() {
    let mut fixture = Fixture::new();
    let owner = fixture.join("a@example.com", "correct horse");
    let fields = json!({ "name": "k", "scopes": ["full_access"], "remaining": 2 });
    let (status, made) = fixture.send("POST", "/api/v1/api-keys", &owner, &fields);
    assert_eq!(status, 201, "{made}");
    let key = made["key"].as_str().unwrap().to_owned();
    let mut feed = fixture.listen(&key);
    for _ in 0..5 {
        fixture.heard(&mut feed);
    }
    fixture.listen(&key);
    assert_eq!(fixture.try_listen(&key, "").unwrap_err().0, 403);
    let fields =
        json!({ "name": "k", "scopes": ["full_access"], "allowedIps": ["198.51.100.0/24"] });
    let elsewhere = fixture.make_key(&owner, &fields).1;
    assert_eq!(fixture.try_listen(&elsewhere, "").unwrap_err().0, 403);
}
