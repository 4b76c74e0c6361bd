//! The imitation of Mollie, asked as anybody may ask it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use crate::mollie::{End, Mollie, Seen, Stage, Trouble};

/// `None` where the connection broke.
fn ask(peer: &Mollie, method: &str, path: &str, key: &str, body: &Value) -> Option<(u16, Value)> {
    ask_with(peer, 60, Mollie::KEY, method, path, key, body)
}

/// `None` also where nothing came for so long.
fn ask_with(
    peer: &Mollie,
    seconds: u64,
    api_key: &str,
    method: &str,
    path: &str,
    key: &str,
    body: &Value,
) -> Option<(u16, Value)> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(seconds)))
        .build();
    let agent = ureq::Agent::new_with_config(config);
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("{}{path}", peer.url()))
        .header("Authorization", format!("Bearer {api_key}"))
        .header("Idempotency-Key", key);
    let answer = match body {
        Value::Null => agent.run(request.body(()).unwrap()),
        body => agent.run(request.body(body.to_string()).unwrap()),
    };
    let mut answer = answer.ok()?;
    let text = answer.body_mut().read_to_string().unwrap();
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Some((answer.status().as_u16(), json))
}

fn post(peer: &Mollie, path: &str, key: &str, body: &Value) -> (u16, Value) {
    ask(peer, "POST", path, key, body).unwrap()
}

fn get(peer: &Mollie, path: &str) -> (u16, Value) {
    ask(peer, "GET", path, "", &Value::Null).unwrap()
}

fn payment(customer_id: &str, sequence: &str, webhook_url: &str) -> Value {
    let mut payment = json!({
        "amount": { "currency": "EUR", "value": "10.00" },
        "description": "Top-up",
        "metadata": { "payment": "p1" },
        "redirectUrl": "https://acme.example/back",
        "sequenceType": sequence,
        "customerId": customer_id,
        "webhookUrl": webhook_url,
    });
    if sequence == "recurring" {
        payment.as_object_mut().unwrap().remove("redirectUrl");
    }
    payment
}

fn customer(peer: &Mollie) -> String {
    let body = json!({ "name": "Acme", "email": "owner@acme.example" });
    let (status, made) = post(peer, "/v2/customers", "customer", &body);
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

/// Of one who has paid and may be charged again.
fn paying_customer(peer: &Mollie) -> String {
    let id = customer(peer);
    let body = payment(&id, "first", "http://127.0.0.1:1/hook");
    let (status, made) = post(peer, "/v2/payments", "first", &body);
    assert_eq!(status, 201, "{made}");
    peer.pay(made["id"].as_str().unwrap());
    id
}

#[test]
fn it_lets_in_its_key_alone_and_refuses_what_mollie_refuses() {
    let peer = Mollie::start();
    let id = customer(&peer);
    for api_key in ["", "test_other", "live_dHar4XY7LxsDOtmnkVtjNVWXLSlXsM"] {
        let (status, problem) = ask_with(
            &peer,
            1,
            api_key,
            "GET",
            "/v2/payments/tr_a",
            "",
            &Value::Null,
        )
        .unwrap();
        assert_eq!(
            (status, &problem["status"]),
            (401, &json!(401)),
            "{problem}"
        );
    }
    let good = payment(&id, "first", "http://127.0.0.1:1/hook");
    let without = |member: &str| {
        let mut payment = good.clone();
        payment.as_object_mut().unwrap().remove(member);
        payment
    };
    let with = |member: &str, value: Value| {
        let mut payment = good.clone();
        payment[member] = value;
        payment
    };
    for (body, field) in [
        (without("amount"), "amount"),
        (
            with("amount", json!({ "currency": "EUR", "value": "10" })),
            "amount",
        ),
        (
            with("amount", json!({ "currency": "EUR", "value": 10.00 })),
            "amount",
        ),
        (without("description"), "description"),
        (without("redirectUrl"), "redirectUrl"),
        (without("customerId"), "customerId"),
        (with("sequenceType", json!("twice")), "sequenceType"),
        (with("recurringType", json!("first")), "recurringType"),
    ] {
        let (status, problem) = post(&peer, "/v2/payments", &body.to_string(), &body);
        assert_eq!((status, &problem["field"]), (422, &json!(field)), "{body}");
    }
    let recurring = payment(&id, "recurring", "http://127.0.0.1:1/hook");
    let (status, problem) = post(&peer, "/v2/payments", "early", &recurring);
    assert_eq!(status, 422, "there is no mandate yet: {problem}");
    assert_eq!(post(&peer, "/v2/payments", "good", &good).0, 201);
    assert_eq!(get(&peer, "/v2/payments/tr_a").0, 404);
    assert_eq!(get(&peer, "/v2/customers/cst_a/payments").0, 404);
    assert_eq!(get(&peer, "/v2/orders").0, 404);
    assert_eq!(peer.payments().len(), 1);
}

#[test]
fn a_mandate_lasts_until_it_is_revoked() {
    let peer = Mollie::start();
    let id = paying_customer(&peer);
    let recurring = payment(&id, "recurring", "http://127.0.0.1:1/hook");
    let (status, made) = post(&peer, "/v2/payments", "a", &recurring);
    assert_eq!((status, &made["status"]), (201, &json!("pending")));
    assert_eq!(made["_links"]["checkout"], Value::Null, "nobody is asked");
    peer.end_recurring_payments(Some(End::Failed));
    let (status, made) = post(&peer, "/v2/payments", "b", &recurring);
    assert_eq!((status, &made["status"]), (201, &json!("failed")));

    let path = format!("/v2/customers/{id}/subscriptions");
    let body = json!({
        "amount": { "currency": "EUR", "value": "29.00" },
        "description": "Pro",
        "interval": "1 month",
        "startDate": "2026-01-31",
        "webhookUrl": "http://127.0.0.1:1/hook",
        "metadata": { "subscription": "s1" },
    });
    let (status, made) = post(&peer, &path, "c", &body);
    assert_eq!((status, &made["status"]), (201, &json!("active")));
    assert_eq!(made["nextPaymentDate"], "2026-01-31");
    let (status, problem) = post(&peer, &path, "d", &body);
    assert_eq!((status, &problem["field"]), (422, &json!("description")));
    let subscription = made["id"].as_str().unwrap();
    peer.end_recurring_payments(None);
    for next in ["2026-02-28", "2026-03-31"] {
        let charge = peer.payment(&peer.advance(subscription));
        assert_eq!(charge["status"], "pending");
        assert_eq!(charge["subscriptionId"], subscription);
        assert_eq!(charge["metadata"]["subscription"], "s1");
        assert_eq!(peer.subscription(subscription)["nextPaymentDate"], next);
    }
    peer.revoke_mandates(&id);
    assert_eq!(peer.subscription(subscription)["status"], "suspended");
    assert_eq!(post(&peer, "/v2/payments", "e", &recurring).0, 422);
    let one = format!("{path}/{subscription}");
    assert_eq!(ask(&peer, "DELETE", &one, "", &Value::Null).unwrap().0, 200);
    assert_eq!(ask(&peer, "DELETE", &one, "", &Value::Null).unwrap().0, 422);
    let customer = format!("/v2/customers/{id}");
    assert_eq!(
        ask(&peer, "DELETE", &customer, "", &Value::Null),
        Some((204, Value::Null))
    );
    assert_eq!(get(&peer, &customer).0, 410);
    assert_eq!(get(&peer, &one).0, 410);
}

#[test]
fn lists_come_the_newest_first_and_page_by_page() {
    let peer = Mollie::start();
    let id = customer(&peer);
    let body = payment(&id, "oneoff", "http://127.0.0.1:1/hook");
    for key in ["a", "b", "c", "d", "e"] {
        assert_eq!(post(&peer, "/v2/payments", key, &body).0, 201);
    }
    peer.page(2);
    let mut path = format!("/v2/customers/{id}/payments?limit=50");
    let mut found = Vec::new();
    let mut pages = 0;
    loop {
        let (status, page) = get(&peer, &path);
        assert_eq!(status, 200, "{page}");
        let entries = page["_embedded"]["payments"].as_array().unwrap();
        assert_eq!(page["count"], entries.len());
        let ids = entries.iter().map(|entry| entry["id"].as_str().unwrap());
        found.extend(ids.map(str::to_owned));
        pages += 1;
        let Some(next) = page["_links"]["next"]["href"].as_str() else {
            break;
        };
        path = next.strip_prefix(&peer.url()).unwrap().to_owned();
    }
    found.reverse();
    assert_eq!((pages, found), (3, peer.payments()));
    assert_eq!(
        get(&peer, &format!("{path}&from=tr_a")).0,
        200,
        "the first counts"
    );
    let list = format!("/v2/customers/{id}/payments");
    assert_eq!(get(&peer, &format!("{list}?from=tr_a")).0, 404);
    assert_eq!(get(&peer, &format!("{list}?limit=251")).0, 400);
}

#[test]
fn one_idempotency_key_has_one_effect_and_one_answer() {
    let peer = Mollie::start();
    let id = customer(&peer);
    let body = payment(&id, "oneoff", "http://127.0.0.1:1/hook");
    let first = post(&peer, "/v2/payments", "k", &body);
    assert_eq!(first.0, 201);
    assert_eq!(post(&peer, "/v2/payments", "k", &body), first);
    let mut other = body.clone();
    other["description"] = json!("Another");
    assert_eq!(post(&peer, "/v2/payments", "k", &other).0, 400);
    assert_eq!(post(&peer, "/v2/customers", "k", &body).0, 400);
    assert_eq!(peer.payments().len(), 1);
    peer.forget_idempotency_keys();
    assert_ne!(post(&peer, "/v2/payments", "k", &body), first);
    assert_eq!(peer.payments().len(), 2);

    for (stage, second, made) in [(Stage::Done, 409, 3), (Stage::Arrived, 201, 4)] {
        let key = format!("{stage:?}");
        peer.hold(1, "POST /v2/payments", stage);
        std::thread::scope(|scope| {
            let first = scope.spawn(|| post(&peer, "/v2/payments", &key, &body));
            peer.wait_until_held(1);
            assert_eq!(post(&peer, "/v2/payments", &key, &body).0, second);
            peer.release();
            assert_eq!(first.join().unwrap().0, 201);
        });
        assert_eq!(peer.payments().len(), made);
    }
}

#[test]
fn trouble_strikes_the_calls_it_is_meant_for_and_ends() {
    let peer = Mollie::start();
    let id = customer(&peer);
    let body = payment(&id, "oneoff", "http://127.0.0.1:1/hook");
    let create = |key: &str| ask(&peer, "POST", "/v2/payments", key, &body);
    let is_there = || get(&peer, &format!("/v2/customers/{id}")).0;

    peer.trouble(2, "POST /v2/payments", Trouble::Status(500));
    assert_eq!(is_there(), 200);
    assert_eq!(create("a").unwrap().0, 500);
    assert_eq!(create("a").unwrap().0, 500);
    assert_eq!(create("a").unwrap().0, 201, "what failed is not kept");

    peer.trouble(1, "GET /v2/customers/*", Trouble::Hang);
    let customer = format!("/v2/customers/{id}");
    let unheard = ask_with(&peer, 1, Mollie::KEY, "GET", &customer, "", &Value::Null);
    assert_eq!(unheard, None);
    assert_eq!(is_there(), 200);

    peer.trouble(1, "POST /v2/payments", Trouble::LoseAnswer);
    assert_eq!(create("b"), None);
    assert_eq!(peer.payments().len(), 2);
    assert_eq!(create("b").unwrap().0, 201);
    assert_eq!(peer.payments().len(), 2);

    peer.go_down();
    assert_eq!(create("c"), None);
    assert_eq!(create("c"), None);
    peer.recover();
    assert_eq!(create("c").unwrap().0, 201);

    let keys: Vec<Option<String>> = peer
        .wait_for("POST /v2/payments", 8)
        .into_iter()
        .map(|seen: Seen| seen.idempotency_key)
        .collect();
    let expected = ["a", "a", "a", "b", "b", "c", "c", "c"];
    assert_eq!(keys, expected.map(|key| Some(key.to_owned())));
    let seen = peer.requests("POST /v2/customers");
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].body["name"], "Acme");
    assert_eq!(peer.requests("GET /v2/customers/*").len(), 3);
}

#[test]
fn webhooks_are_called_when_and_as_often_as_a_test_wants() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let webhook = format!("http://{}/hook?x=y", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let answers = [200, 500, 204];
        answers.map(|status| {
            let (mut stream, _) = listener.accept().unwrap();
            hear(&mut stream, status)
        })
    });
    let peer = Mollie::start();
    let id = customer(&peer);
    let body = payment(&id, "oneoff", &webhook);
    let make = |key: &str| {
        let (_, made) = post(&peer, "/v2/payments", key, &body);
        made["id"].as_str().unwrap().to_owned()
    };
    let (one, two) = (make("a"), make("b"));
    assert!(peer.take_due().is_empty(), "nothing has happened yet");
    peer.pay(&one);
    peer.expire(&two);
    peer.refund_in(&one, 100, "pending");
    let refund = peer.refund(&one, 200);
    assert_eq!(peer.take_due(), [&one[..], &two, &one]);
    peer.move_refund(&refund, "failed");
    let chargeback = peer.charge_back(&one);
    peer.reverse_chargeback(&chargeback);
    assert_eq!(peer.deliver(&two), 200);
    assert_eq!(peer.deliver_due(), [500, 204]);
    assert!(peer.take_due().is_empty());

    let heard = server.join().unwrap();
    for (request, id) in heard.iter().zip([&two, &one, &one]) {
        assert!(
            request.starts_with("POST /hook?x=y HTTP/1.1\r\n"),
            "{request}"
        );
        assert!(
            request.contains("content-type: application/x-www-form-urlencoded\r\n"),
            "{request}"
        );
        assert!(request.ends_with(&format!("\r\n\r\nid={id}")), "{request}");
    }
    let shown = peer.payment(&one);
    assert_eq!(shown["amountRefunded"]["value"], "1.00");
    assert_eq!(shown["_embedded"]["refunds"][1]["status"], "failed");
    assert_ne!(
        shown["_embedded"]["chargebacks"][0]["reversedAt"],
        Value::Null
    );
    let (_, plain) = get(&peer, &format!("/v2/payments/{one}"));
    assert_eq!(
        plain["_embedded"],
        Value::Null,
        "only where it is asked for"
    );
}

/// Reads a request whose body is as long as an id, and answers it.
fn hear(stream: &mut TcpStream, status: u16) -> String {
    let mut heard = Vec::new();
    let mut bytes = [0; 1_024];
    while !String::from_utf8_lossy(&heard).contains("\r\n\r\nid=tr_Test") || heard.len() < 100 {
        let count = stream.read(&mut bytes).unwrap();
        assert_ne!(count, 0);
        heard.extend_from_slice(&bytes[..count]);
    }
    let answer =
        format!("HTTP/1.1 {status} Heard\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).unwrap();
    String::from_utf8(heard).unwrap()
}
