//! Many deliveries: of several tenants, in pages, in turns, and to receivers that take each other's place.

use super::*;
use crate::domain::webhooks::{self, Outcome, Slots};

const NOWHERE: &str = "http://127.0.0.1:1/";

#[test]
fn a_delivery_of_another_tenant_is_none_and_resending_is_limited() {
    let endpoint = Endpoint::answering(&["200 OK"]);
    let mut fixture = Fixture::with(|config| {
        config.webhook_hosts = AllowedHosts::new(&["127.0.0.1".to_owned()]).unwrap();
        config.allowances.resend_per_tenant_an_hour = std::num::NonZeroU32::new(3).unwrap();
    });
    let (one, other) = (
        fixture.agent(Some(&endpoint.url)),
        fixture.agent(Some(&endpoint.url)),
    );
    let id = fixture.log(&one)[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(fixture.resend(&other, &id), 404);
    assert_eq!(fixture.resend(&other, "nobody"), 404);
    let (status, page) = fixture.send(
        "GET",
        &format!("{DELIVERIES}?before={id}"),
        &other,
        &Value::Null,
    );
    assert_eq!((status, page), (200, json!([])));
    fixture.deliver();
    for expected in [200, 200, 200, 429] {
        assert_eq!(fixture.resend(&one, &id), expected);
    }
    fixture.now = START.plus_seconds(3600);
    assert_eq!(fixture.resend(&one, &id), 200);
    assert_eq!(fixture.resend("", &id), 401);
}

#[test]
fn the_log_goes_on_page_by_page() {
    let endpoint = Endpoint::answering(&["200 OK"]);
    let mut fixture = Fixture::with_receivers();
    let key = fixture.agent(Some(&endpoint.url));
    (0..4).for_each(|_| fixture.one_more_key(&key));
    let all = fixture.log(&key);
    let (mut seen, mut path) = (Vec::new(), format!("{DELIVERIES}?limit=2"));
    loop {
        let (_, page) = fixture.send("GET", &path, &key, &Value::Null);
        let page = page.as_array().unwrap();
        let Some(last) = page.last() else { break };
        path = format!(
            "{DELIVERIES}?limit=2&before={}",
            last["id"].as_str().unwrap()
        );
        seen.extend(page.iter().cloned());
    }
    assert_eq!((all.len(), seen), (5, all.clone()));
    for bad in ["limit=0", "limit=x", "before=x"] {
        let (status, _) = fixture.send("GET", &format!("{DELIVERIES}?{bad}"), &key, &Value::Null);
        assert_eq!(status, 400, "{bad}");
    }
}

/// However much one tenant has to be told, and however many tenants fail or take their time, the others have their places.
#[test]
fn no_tenant_takes_the_places_of_others() {
    let delivered = Outcome::Delivered { status: 200 };
    let failed = Outcome::Failed {
        status: None,
        problem: "it hangs",
        retry_after_s: None,
    };
    for (outcome, took_ms, limited) in [
        (failed, 0, 16),
        (delivered.clone(), 14_000, 16),
        (delivered, 3_000, 21),
    ] {
        let mut fixture = Fixture::with(|config| {
            config.allowances.register_per_address_an_hour =
                std::num::NonZeroU32::new(100).unwrap();
        });
        let loud = fixture.agent(Some(NOWHERE));
        (0..50).for_each(|_| fixture.one_more_key(&loud));
        let picked = job::webhooks::pick(fixture.app.services(), fixture.now);
        assert_eq!(picked.len(), 1, "of one tenant");
        let all: Vec<String> = (0..20).map(|_| fixture.agent(Some(NOWHERE))).collect();
        let services = fixture.app.services();
        // The first attempt of each is made; the next one hangs.
        let mut rng = SeededRng::new(1);
        let ended = UnixMillis::from_ms(START.ms() + took_ms);
        let mut first = picked;
        first.extend(job::webhooks::pick(services, START));
        assert_eq!(first.len(), 21);
        for delivery in first {
            let attempt = job::webhooks::begin(services, START, delivery).unwrap();
            job::webhooks::end(services, ended, &mut rng, attempt, outcome.clone());
        }
        all.iter().for_each(|key| fixture.one_more_key(key));
        let services = fixture.app.services();
        let later = ended.plus_seconds(10);
        let hanging = job::webhooks::pick(services, later);
        assert_eq!(
            hanging.len(),
            limited,
            "{outcome:?}: half of all places, or all that ask"
        );
        let after_a_start = webhooks::pick(&services.store, later, &Slots::default()).unwrap();
        assert_eq!(after_a_start.len(), limited, "nobody is forgotten");
        assert!(job::webhooks::pick(services, later).is_empty());
        fixture.now = later;
        let healthy = fixture.agent(Some(NOWHERE));
        fixture.one_more_key(&healthy);
        let of_others = job::webhooks::pick(fixture.app.services(), later);
        assert_eq!(of_others.len(), 1, "a tenant that is not degraded");
    }
}

/// Two posts under way at once could overtake each other.
#[test]
fn a_tenant_never_has_two_posts_under_way() {
    let mut fixture = Fixture::with_receivers();
    let key = fixture.agent(Some(NOWHERE));
    (0..5).for_each(|_| fixture.one_more_key(&key));
    let services = fixture.app.services();
    let mut order = Vec::new();
    let mut under_way = job::webhooks::pick(services, START);
    while let [delivery] = under_way.as_slice() {
        assert!(job::webhooks::pick(services, START).is_empty());
        let seq = delivery.event_seq;
        order.push(seq);
        let over =
            format!("UPDATE webhook_deliveries SET state = 'cancelled' WHERE event_seq = {seq}");
        fixture.execute(over.leak());
        assert!(
            job::webhooks::pick(services, START).is_empty(),
            "until its place is free"
        );
        drop(services.webhook_slots.of(delivery));
        under_way = job::webhooks::pick(services, START);
    }
    assert!(under_way.is_empty(), "{} at once", under_way.len());
    assert_eq!(order.len(), 6);
    assert!(order.is_sorted(), "{order:?}");
}

/// One of those that fail has so much that is due that it would fill every place that gets free.
#[test]
fn those_that_fail_have_their_turns_too() {
    let mut fixture = Fixture::with(|config| {
        config.allowances.register_per_address_an_hour = std::num::NonZeroU32::new(100).unwrap();
    });
    let failing: Vec<String> = (0..20).map(|_| fixture.agent(Some(NOWHERE))).collect();
    (0..3).for_each(|_| failing.iter().for_each(|key| fixture.one_more_key(key)));
    fixture.deliver();
    let later = START.plus_seconds(10);
    let services = fixture.app.services();
    let mut under_way = std::collections::VecDeque::from(job::webhooks::pick(services, later));
    assert_eq!(under_way.len(), 16);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..2 * failing.len() {
        let over = under_way.pop_front().unwrap();
        seen.insert(over.tenant_id.clone());
        drop(services.webhook_slots.of(&over));
        under_way.extend(job::webhooks::pick(services, later));
        assert_eq!(under_way.len(), 16, "each free place is taken");
    }
    assert_eq!(seen.len(), failing.len(), "somebody never had a turn");
}

/// The answer of a receiver says nothing of the one that has taken its place while it was asked.
#[test]
fn a_receiver_that_is_gone_does_not_end_what_its_successor_is_to_get() {
    let new = Endpoint::answering(&["200 OK"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let old = format!("http://{}/hook", listener.local_addr().unwrap());
    let mut fixture = Fixture::with_receivers();
    let key = fixture.agent(Some(&old));
    let services = fixture.app.services();
    let picked = job::webhooks::pick(services, START);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            attempt(services, START, &mut SeededRng::new(1), &picked[0]);
        });
        let (mut stream, _) = listener.accept().unwrap();
        read_post(&mut BufReader::new(stream.try_clone().unwrap()));
        let moves = format!("UPDATE agents SET webhook_url = '{}'", new.url);
        fixture.execute(moves.leak());
        let _ = write!(stream, "HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n");
    });
    let (_, state) = fixture.send("GET", "/v1/account/webhooks", &key, &Value::Null);
    assert_eq!(state["enabled"], true);
    fixture.now = START.plus_seconds(6);
    assert_eq!(fixture.deliver(), 1);
    assert_eq!(new.next().header("webhook-id"), fixture.log(&key)[0]["id"]);
}

/// The last attempt of all was at a URL that is not in force any more when it fails.
#[test]
fn the_last_attempt_is_not_the_last_where_the_url_has_changed_meanwhile() {
    for answer in ["500 Oops", "410 Gone"] {
        let new = Endpoint::answering(&["503 Not yet", "200 OK"]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let old = format!("http://{}/hook", listener.local_addr().unwrap());
        let mut fixture = Fixture::with_receivers();
        let key = fixture.agent(Some(&old));
        fixture.execute("UPDATE webhook_deliveries SET attempts = 7");
        let services = fixture.app.services();
        let picked = job::webhooks::pick(services, START);
        std::thread::scope(|scope| {
            scope.spawn(|| attempt(services, START, &mut SeededRng::new(1), &picked[0]));
            let (mut stream, _) = listener.accept().unwrap();
            read_post(&mut BufReader::new(stream.try_clone().unwrap()));
            let moves = format!("UPDATE agents SET webhook_url = '{}'", new.url);
            fixture.execute(moves.leak());
            let _ = write!(stream, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n");
        });
        let logged = &fixture.log(&key)[0];
        assert_eq!(
            (&logged["state"], &logged["attempts"]),
            (&json!("waiting"), &json!(7)),
            "{answer}"
        );
        assert_eq!(fixture.deliver(), 1, "at once");
        assert_eq!(new.next().header("webhook-id"), fixture.log(&key)[0]["id"]);
        // That one was in force, and was the eighth.
        assert_eq!(fixture.log(&key)[0]["state"], "failed", "{answer}");
    }
}

/// Told, or tried, while the clock was ahead; then it is set back.
#[test]
fn no_clock_that_was_ahead_keeps_an_event_waiting() {
    for ahead_s in [10, 24 * 3600, 400 * 24 * 3600] {
        let endpoint = Endpoint::answering(&["429 Slow\r\nretry-after: 999999", "200 OK"]);
        let mut fixture = Fixture::with_receivers();
        let key = fixture.agent(Some(&endpoint.url));
        assert_eq!(fixture.deliver(), 1);
        assert_eq!(fixture.deliver(), 0, "what a receiver asks for is kept");
        fixture.now = START.plus_seconds(ahead_s);
        fixture.one_more_key(&key);
        fixture.now = START;
        assert_eq!(
            fixture.deliver(),
            1,
            "what was told {ahead_s} s ahead is due"
        );
        assert_eq!(fixture.deliver(), 0, "and what waits goes on waiting");
        let states = fixture.log(&key);
        assert_eq!(states[0]["state"], "delivered");
        assert_eq!(states[1]["state"], "waiting");
    }
}

/// However many tenants wait for their next attempt, a pick reads those for whom something is due.
#[test]
fn a_pick_reads_no_tenant_with_nothing_due() {
    let mut fixture = Fixture::with(|config| {
        config.allowances.register_per_address_an_hour = std::num::NonZeroU32::new(100).unwrap();
    });
    (0..40).for_each(|_| drop(fixture.agent(Some(NOWHERE))));
    fixture.deliver();
    let store = fixture.app.services().store.clone();
    let due = |now| store.read(|tx| crate::store::webhooks::due_tenants(tx, now));
    assert_eq!(due(START).unwrap(), []);
    fixture.agent(Some(NOWHERE));
    let tenants = due(START).unwrap();
    assert_eq!((tenants.len(), tenants[0].is_degraded), (1, false));
    let later = due(START.plus_seconds(10)).unwrap();
    let degraded = later.iter().filter(|tenant| tenant.is_degraded);
    assert_eq!((later.len(), degraded.count()), (41, 40));
}
