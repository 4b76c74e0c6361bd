//! Deliveries of webhooks against a real receiver, on a clock of their own.

mod exported;
mod many;
mod pauses;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nexa_core::VerificationKey;

use super::*;
use crate::api::Services;
use crate::job;
use crate::outbound::webhooks::AllowedHosts;
use crate::store::webhooks::Delivery;

const DELIVERIES: &str = "/v1/account/webhooks/deliveries";
const PATIENCE: Duration = Duration::from_secs(15);

/// What was posted.
struct Posted {
    headers: Vec<(String, String)>,
    body: String,
}

impl Posted {
    fn header(&self, name: &str) -> &str {
        let mut named = self.headers.iter().filter(|(other, _)| other == name);
        let (_, value) = named.next().unwrap_or_else(|| panic!("no {name}"));
        assert!(named.next().is_none(), "{name} twice");
        value
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Answers each post with what comes next, the last one forever.
struct Endpoint {
    url: String,
    posts: Receiver<Posted>,
}

impl Endpoint {
    fn answering(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!(
            "http://127.0.0.1:{}/hook",
            listener.local_addr().unwrap().port()
        );
        let mut answers: Vec<String> = answers
            .iter()
            .rev()
            .map(|head| (*head).to_owned())
            .collect();
        let (tell, posts) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let posted = read_post(&mut BufReader::new(stream.try_clone().unwrap()));
                let answer = match answers.len() {
                    1 => answers[0].clone(),
                    _ => answers.pop().unwrap(),
                };
                let _ = write!(stream, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n");
                if tell.send(posted).is_err() {
                    return;
                }
            }
        });
        Self { url, posts }
    }

    fn next(&self) -> Posted {
        self.posts.recv_timeout(PATIENCE).expect("a post")
    }

    fn is_quiet(&self) -> bool {
        self.posts.try_recv().is_err()
    }
}

fn read_post(stream: &mut impl BufRead) -> Posted {
    let mut headers = Vec::new();
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    loop {
        line.clear();
        stream.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    Posted {
        headers,
        body: String::from_utf8(body).unwrap(),
    }
}

/// Makes one attempt at what was picked, as the background does.
fn attempt(services: &Services, now: UnixMillis, rng: &mut SeededRng, picked: &Delivery) {
    if let Some(attempt) = job::webhooks::begin(services, now, picked.clone()) {
        let outcome = attempt.send(&services.webhook_sender);
        job::webhooks::end(services, now, rng, attempt, outcome);
    }
}

impl Fixture {
    fn with_receivers() -> Self {
        Self::with(|config| {
            config.webhook_hosts = AllowedHosts::new(&["127.0.0.1".to_owned()]).unwrap();
        })
    }

    /// Registers an agent; answers its key.
    fn agent(&mut self, url: Option<&str>) -> String {
        let body = json!({ "name": "Agent", "webhook_url": url });
        let (status, agent) = self.send("POST", "/v1/account/register", "", &body);
        assert_eq!(status, 201, "{agent}");
        agent["api_key"].as_str().unwrap().to_owned()
    }

    /// Makes every attempt that is due now, one after the other; answers how many.
    fn deliver(&mut self) -> usize {
        let mut made = 0;
        loop {
            let picked = job::webhooks::pick(self.app.services(), self.now);
            self.every_tenant_is_due_with_its_first();
            if picked.is_empty() {
                return made;
            }
            for delivery in picked {
                attempt(self.app.services(), self.now, &mut self.rng, &delivery);
                made += 1;
            }
        }
    }

    /// What the triggers keep beside the deliveries says what they say.
    fn every_tenant_is_due_with_its_first(&self) {
        let wrong = self.app.services().store.read(|tx| {
            tx.all(
                "SELECT tenant_id FROM agents WHERE webhook_due_at_ms IS NOT (SELECT min(due_at_ms) FROM webhook_deliveries
                     WHERE webhook_deliveries.tenant_id = agents.tenant_id AND webhook_deliveries.state = 'waiting')",
                &[],
                |row| row.text(0),
            )
        });
        assert_eq!(wrong, Ok::<_, crate::store::StoreError>(Vec::new()));
    }

    fn log(&mut self, key: &str) -> Vec<Value> {
        let (status, log) = self.send("GET", DELIVERIES, key, &Value::Null);
        assert_eq!(status, 200, "{log}");
        log.as_array().unwrap().clone()
    }

    fn set_url(&mut self, key: &str, url: Option<&str>) {
        let body = json!({ "webhook_url": url });
        let (status, answer) = self.send("PUT", "/v1/account/info", key, &body);
        assert_eq!(status, 200, "{answer}");
    }

    fn resend(&mut self, key: &str, id: &str) -> u16 {
        let path = format!("{DELIVERIES}/{id}/resend");
        self.send("POST", &path, key, &Value::Null).0
    }

    fn one_more_key(&mut self, key: &str) {
        self.make_key(key, &json!({ "name": "k", "scopes": ["signals"] }));
    }
}

#[test]
fn an_event_is_posted_once_signed_by_the_published_key() {
    let endpoint = Endpoint::answering(&["204 No Content"]);
    let mut fixture = Fixture::with_receivers();
    let key = fixture.agent(Some(&endpoint.url));
    fixture.one_more_key(&key);
    assert_eq!(fixture.deliver(), 2);
    assert_eq!(fixture.deliver(), 0, "once");
    let (_, published) = fixture.send("GET", "/.well-known/webhook-keys.json", "", &Value::Null);
    let written = published["standard_webhooks"][0].as_str().unwrap();
    let public = STANDARD
        .decode(written.strip_prefix("whpk_").unwrap())
        .unwrap();
    let public = VerificationKey::from_bytes(&public.try_into().unwrap()).unwrap();
    assert_eq!(published["keys"][0]["kid"], public.kid());
    let log = fixture.log(&key);
    for logged in log.iter().rev() {
        let post = endpoint.next();
        let (id, at) = (post.header("webhook-id"), post.header("webhook-timestamp"));
        let signature = post
            .header("webhook-signature")
            .strip_prefix("v1a,")
            .unwrap();
        let signed = format!("{id}.{at}.{}", post.body);
        let signature = STANDARD.decode(signature).unwrap();
        assert!(public.verify(signed.as_bytes(), &signature).is_ok());
        assert_eq!(at, START.seconds().get().to_string());
        assert_eq!(post.json(), logged["payload"]);
        assert_eq!(
            (
                &logged["id"],
                &logged["type"],
                &logged["state"],
                &logged["attempts"],
                &logged["last_status"]
            ),
            (
                &json!(id),
                &json!("key.created"),
                &json!("delivered"),
                &json!(1),
                &json!(204)
            )
        );
    }
    assert!(endpoint.is_quiet());
    let (_, state) = fixture.send("GET", "/v1/account/webhooks", &key, &Value::Null);
    assert_eq!(
        state,
        json!({ "url": endpoint.url, "enabled": true, "gone_at": null, "public_keys": [written] })
    );
}

#[test]
fn a_receiver_that_is_gone_is_left_alone_until_the_url_is_set_again() {
    let endpoint = Endpoint::answering(&["410 Gone", "200 OK"]);
    let mut fixture = Fixture::with_receivers();
    let key = fixture.agent(Some(&endpoint.url));
    assert_eq!(fixture.deliver(), 1);
    let first = endpoint.next().header("webhook-id").to_owned();
    let (_, state) = fixture.send("GET", "/v1/account/webhooks", &key, &Value::Null);
    assert_eq!(
        (&state["enabled"], &state["gone_at"]),
        (&json!(false), &json!(START))
    );
    fixture.one_more_key(&key);
    assert_eq!(fixture.deliver(), 0, "told of nothing");
    assert_eq!(fixture.log(&key).len(), 1);
    assert_eq!(fixture.resend(&key, &first), 409);
    fixture.set_url(&key, Some(&endpoint.url.clone()));
    let (_, state) = fixture.send("GET", "/v1/account/webhooks", &key, &Value::Null);
    assert_eq!(
        (&state["enabled"], &state["gone_at"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(
        fixture.deliver(),
        0,
        "what was cancelled does not come back by itself"
    );
    assert_eq!(fixture.resend(&key, &first), 200);
    assert_eq!(fixture.deliver(), 1);
    assert_eq!(endpoint.next().header("webhook-id"), first);
}

#[test]
fn what_waits_goes_to_the_new_url_and_without_one_nowhere() {
    let old = Endpoint::answering(&["500 Oops"]);
    let new = Endpoint::answering(&["200 OK"]);
    let mut fixture = Fixture::with_receivers();
    let key = fixture.agent(Some(&old.url));
    assert_eq!(fixture.deliver(), 1);
    let id = old.next().header("webhook-id").to_owned();
    fixture.set_url(&key, Some(&new.url));
    fixture.now = START.plus_seconds(6);
    assert_eq!(fixture.deliver(), 1);
    assert_eq!(new.next().header("webhook-id"), id);
    fixture.one_more_key(&key);
    fixture.set_url(&key, None);
    assert_eq!(fixture.deliver(), 0);
    let states: Vec<Value> = fixture
        .log(&key)
        .iter()
        .map(|logged| logged["state"].clone())
        .collect();
    assert_eq!(states, [json!("cancelled"), json!("delivered")]);
    fixture.set_url(&key, Some(&new.url));
    assert_eq!(fixture.deliver(), 0);
    assert!(old.is_quiet() && new.is_quiet());
}

/// What was picked for an attempt is looked at again before it is sent.
#[test]
fn what_is_over_between_picking_and_sending_is_not_sent() {
    let endpoint = Endpoint::answering(&["200 OK"]);
    for sql in [
        "UPDATE tenants SET state = 'disabled'",
        "UPDATE tenants SET erasing_since_ms = 1",
        "UPDATE agents SET webhook_url = NULL",
        "UPDATE agents SET webhook_gone_at_ms = 1",
        "UPDATE webhook_deliveries SET state = 'cancelled'",
        "UPDATE webhook_deliveries SET round = 2",
        "DELETE FROM webhook_deliveries",
    ] {
        let mut fixture = Fixture::with_receivers();
        fixture.agent(Some(&endpoint.url));
        let picked = job::webhooks::pick(fixture.app.services(), fixture.now);
        assert_eq!(picked.len(), 1);
        fixture.execute(sql);
        attempt(fixture.app.services(), START, &mut fixture.rng, &picked[0]);
        assert!(endpoint.is_quiet(), "{sql}");
    }
}

#[test]
fn a_tenant_that_is_disabled_or_erased_is_told_nothing_more() {
    let endpoint = Endpoint::answering(&["200 OK"]);
    let mut fixture = Fixture::with_receivers();
    let operator = fixture.operator_key();
    for erases in [false, true] {
        let key = fixture.agent(Some(&endpoint.url));
        let (_, me) = fixture.send("GET", "/v1/account/info", &key, &Value::Null);
        let path = format!("/api/operator/tenants/{}", me["id"].as_str().unwrap());
        let (status, answer) = match erases {
            true => fixture.send("DELETE", &path, &operator, &Value::Null),
            false => fixture.send("PATCH", &path, &operator, &json!({ "enabled": false })),
        };
        assert!(matches!(status, 200 | 202), "{answer}");
        assert_eq!(fixture.deliver(), 0);
        if !erases {
            let enabled = json!({ "enabled": true });
            assert_eq!(fixture.send("PATCH", &path, &operator, &enabled).0, 200);
            assert_eq!(fixture.deliver(), 0, "what waited then is cancelled");
            assert_eq!(fixture.log(&key)[0]["state"], "cancelled");
        }
    }
    let left = fixture.app.services().store.read(|tx| {
        tx.one("SELECT count(*) FROM webhook_deliveries", &[], |row| {
            row.int(0)
        })
    });
    assert_eq!(
        left,
        Ok::<i64, crate::store::StoreError>(1),
        "of the tenant that is not erased"
    );
    assert!(endpoint.is_quiet());
}
