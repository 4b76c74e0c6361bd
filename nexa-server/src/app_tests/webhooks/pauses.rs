//! When what has failed is tried again.

use super::*;

#[test]
fn what_fails_comes_back_with_pauses_until_it_is_given_up_and_is_sent_again_by_hand() {
    let endpoint = Endpoint::answering(&["500 Oops"]);
    let mut fixture = Fixture::with_receivers();
    let key = fixture.agent(Some(&endpoint.url));
    let start = fixture.now;
    let mut stamps = Vec::new();
    for attempt in 1..=8 {
        assert_eq!(fixture.deliver(), 1, "attempt {attempt}");
        let post = endpoint.next();
        stamps.push(post.header("webhook-timestamp").to_owned());
        let logged = &fixture.log(&key)[0];
        assert_eq!(
            (&logged["attempts"], &logged["last_status"]),
            (&json!(attempt), &json!(500))
        );
        assert_eq!(logged["id"], post.header("webhook-id"));
        let Some(next) = logged["next_attempt_at"].as_str() else {
            assert_eq!((attempt, &logged["state"]), (8, &json!("failed")));
            break;
        };
        let next: UnixMillis = next.parse().unwrap();
        fixture.now = UnixMillis::from_ms(next.ms() - 1);
        assert_eq!(fixture.deliver(), 0, "before attempt {}", attempt + 1);
        fixture.now = next;
    }
    stamps.dedup();
    assert_eq!(stamps.len(), 8, "each attempt has its own time");
    let spent_s = (fixture.now.ms() - start.ms()) / 1000;
    assert!((24 * 3600..34 * 3600).contains(&spent_s), "{spent_s}");
    fixture.now = fixture.now.plus_seconds(24 * 3600);
    assert_eq!(fixture.deliver(), 0, "given up");
    let id = fixture.log(&key)[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(fixture.resend(&key, &id), 200);
    assert_eq!(fixture.deliver(), 1);
    assert_eq!(endpoint.next().header("webhook-id"), id);
    let logged = &fixture.log(&key)[0];
    assert_eq!(
        (&logged["state"], &logged["attempts"]),
        (&json!("waiting"), &json!(1))
    );
}

#[test]
fn a_receiver_may_ask_for_time() {
    let endpoint = Endpoint::answering(&["429 Slow\r\nretry-after: 7200", "200 OK"]);
    let mut fixture = Fixture::with_receivers();
    fixture.agent(Some(&endpoint.url));
    assert_eq!(fixture.deliver(), 1);
    fixture.now = START.plus_seconds(7199);
    assert_eq!(fixture.deliver(), 0);
    fixture.now = START.plus_seconds(7200 * 12 / 10);
    assert_eq!(fixture.deliver(), 1);
}

/// The signature says when an attempt began, since the receiver compares that with its clock; all else is counted from its end.
#[test]
fn a_pause_begins_when_the_receiver_has_answered() {
    let answered = START.plus_seconds(12);
    for (answer, pause_s) in [("500 Oops", 5), ("503 Slow\r\nretry-after: 10", 10)] {
        let endpoint = Endpoint::answering(&[answer, "200 OK"]);
        let mut fixture = Fixture::with_receivers();
        let key = fixture.agent(Some(&endpoint.url));
        let services = fixture.app.services();
        let picked = job::webhooks::pick(services, START);
        let attempt = job::webhooks::begin(services, START, picked[0].clone()).unwrap();
        let outcome = attempt.send(&services.webhook_sender);
        job::webhooks::end(services, answered, &mut fixture.rng, attempt, outcome);
        let stamp = endpoint.next().header("webhook-timestamp").to_owned();
        assert_eq!(stamp, START.seconds().get().to_string());
        let logged = &fixture.log(&key)[0];
        let next = logged["next_attempt_at"].as_str().unwrap();
        let next: UnixMillis = next.parse().unwrap();
        let pause_ms = next.ms() - answered.ms();
        assert!(
            (pause_s * 1000..=pause_s * 1200).contains(&pause_ms),
            "{answer}: {pause_ms}"
        );
        fixture.now = answered.plus_seconds(pause_s - 1);
        assert_eq!(fixture.deliver(), 0, "{answer}");
        fixture.now = next;
        assert_eq!(fixture.deliver(), 1, "{answer}");
    }
}
