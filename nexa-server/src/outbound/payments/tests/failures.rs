//! What calls that fail are taken for, and what is said of them.

use std::net::TcpStream;

use serde_json::json;

use super::*;
use crate::outbound::payments::{PaymentStatus, PaymentsError};

fn ask(answers: Vec<String>) -> PaymentsError {
    let peer = Peer::answering(answers);
    client(&peer.url).payment("tr_a").unwrap_err()
}

fn problem(status: u16, detail: &str, field: Option<&str>) -> String {
    let body = json!({
        "status": status,
        "title": "Title",
        "detail": detail,
        "field": field,
        "_links": { "documentation": { "href": "https://docs.mollie.com/errors", "type": "text/html" } },
    });
    answer(status, &body.to_string())
}

#[test]
fn each_status_says_whether_another_try_makes_sense() {
    let later = |text: &str| PaymentsError::Unreachable(text.to_owned());
    let refused = |status: u16, sentence: &str| PaymentsError::Refused {
        status,
        field: sentence.split_once(": ").map(|(field, _)| field.to_owned()),
        sentence: sentence.to_owned(),
    };
    for (answer, expected) in [
        (
            problem(404, "No payment exists", None),
            PaymentsError::NotFound,
        ),
        (problem(410, "Gone", None), PaymentsError::NotFound),
        (
            problem(422, "The amount is too high", Some("amount")),
            refused(422, "amount: The amount is too high"),
        ),
        (problem(400, "No", None), refused(400, "No")),
        (answer(405, "{}"), refused(405, "no reason is given")),
        (answer(422, "<html>"), refused(422, "no reason is given")),
        (
            answer(422, r#"{"title":"Unprocessable"}"#),
            refused(422, "Unprocessable"),
        ),
        (
            problem(401, "Missing authentication", None),
            later("status 401: Missing authentication"),
        ),
        (problem(403, "No", None), later("status 403: No")),
        (problem(408, "No", None), later("status 408: No")),
        (problem(409, "Running", None), later("status 409: Running")),
        (problem(429, "Slower", None), later("status 429: Slower")),
        (problem(500, "Oops", None), later("status 500: Oops")),
        (
            answer(502, "<html>"),
            later("status 502: no reason is given"),
        ),
        (problem(503, "Down", None), later("status 503: Down")),
        (
            answer(200, "<html>"),
            later("an answer that cannot be read: body: not valid JSON at byte 0"),
        ),
        (
            answer(200, ""),
            later("an answer that cannot be read: body: not valid JSON: it ends too early"),
        ),
        (
            answer(200, r#"{"id":"tr_a"}"#),
            later("an answer that cannot be read: status: required"),
        ),
    ] {
        assert_eq!(ask(vec![answer.clone()]), expected, "{answer}");
    }
}

#[test]
fn nobody_there_and_half_an_answer_are_worth_another_try() {
    let refused = client("http://127.0.0.1:1").payment("tr_a");
    assert!(
        matches!(refused, Err(PaymentsError::Unreachable(_))),
        "{refused:?}"
    );
    for answer in [
        "",
        "HTTP/1.1",
        "SMTP ready\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{",
    ] {
        let problem = ask(vec![answer.to_owned()]);
        assert!(
            matches!(problem, PaymentsError::Unreachable(_)),
            "{answer:?}: {problem}"
        );
    }
}

#[test]
fn one_that_never_answers_is_not_waited_for() {
    let peer = mollie::Mollie::start();
    peer.trouble(1, "*", mollie::Trouble::Hang);
    let hasty = client_that_waits(&peer.url(), Duration::from_secs(1));
    let problem = hasty.payment("tr_a").unwrap_err();
    assert!(
        matches!(problem, PaymentsError::Unreachable(_)),
        "{problem}"
    );
    // The next call gets through.
    let client = client(&peer.url());
    assert_eq!(client.payment("tr_a"), Err(PaymentsError::NotFound));
}

#[test]
fn one_that_answers_without_end_is_not_heard_out() {
    let body = format!("\"{}", "a".repeat(1024 * 1024));
    assert_eq!(
        ask(vec![answer(200, &body)]),
        PaymentsError::Unreachable("an answer of more than 1048576 bytes".to_owned())
    );
    let refused = ask(vec![answer(400, &body)]);
    assert!(
        matches!(refused, PaymentsError::Refused { status: 400, .. }),
        "{refused}"
    );
}

#[test]
fn no_redirect_is_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = elsewhere.local_addr().unwrap();
    for status in [301, 302, 303, 307, 308] {
        let redirect = format!(
            "HTTP/1.1 {status} Moved\r\nLocation: http://{address}/v2/payments/tr_a\r\nContent-Length: 0\r\nConnection: \
             close\r\n\r\n"
        );
        let expected = PaymentsError::Unreachable(format!("status {status}: no reason is given"));
        assert_eq!(ask(vec![redirect]), expected);
    }
    elsewhere.set_nonblocking(true).unwrap();
    let visit: std::io::Result<(TcpStream, _)> = elsewhere.accept();
    assert_eq!(visit.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn what_strangers_say_breaks_no_line_and_tells_no_key() {
    let said = format!(
        "No\r\n2026 INFO all is well\u{1b}[31m\u{202e}{KEY}{}",
        "a".repeat(500)
    );
    for status in [422, 401, 500] {
        let text = ask(vec![problem(status, &said, Some("x\ny"))]).to_string();
        assert!(!text.chars().any(char::is_control), "{text:?}");
        assert!(
            !text.contains('\u{202e}') && !text.contains("dHar"),
            "{text:?}"
        );
        assert!(text.chars().count() < 250, "{text:?}");
        assert!(text.contains("2026 INFO all is well"), "{text:?}");
    }
    let status = json!({
        "id": "tr_a",
        "status": format!("paid\n{KEY}"),
        "amount": { "currency": "EUR", "value": "1.00" },
    });
    let text = ask(vec![answer(200, &status.to_string())]).to_string();
    assert!(!text.contains("dHar"), "{text:?}");
}

#[test]
fn what_is_gone_already_is_no_error() {
    let cancelled = "The subscription has been cancelled.";
    for (answer, is_over) in [
        (problem(404, "No subscription", None), true),
        (problem(410, "Gone", None), true),
        (problem(422, cancelled, None), true),
        (
            problem(422, "The subscription has been canceled", None),
            true,
        ),
        (problem(422, "It cannot be cancelled", None), false),
        (problem(400, cancelled, None), false),
        (problem(500, cancelled, None), false),
        (problem(401, "No", None), false),
    ] {
        let peer = Peer::answering(vec![answer.clone()]);
        let over = client(&peer.url).cancel_subscription("cst_a", "sub_a");
        assert_eq!(over.is_ok(), is_over, "{answer}: {over:?}");
    }
    for (answer, is_gone) in [
        (problem(404, "No customer", None), true),
        (problem(410, "Gone", None), true),
        (problem(422, "No", None), false),
        (problem(503, "No", None), false),
    ] {
        let peer = Peer::answering(vec![answer.clone()]);
        let gone = client(&peer.url).delete_customer("cst_a");
        assert_eq!(gone.is_ok(), is_gone, "{answer}: {gone:?}");
    }
}

#[test]
fn a_list_that_leads_nowhere_is_given_up() {
    let page = |entries: serde_json::Value, next: serde_json::Value| {
        answer(
            200,
            &json!({ "_embedded": entries, "_links": { "next": next } }).to_string(),
        )
    };
    let none = json!({ "payments": [] });
    let found = json!({ "payments": [{ "id": "sub_a", "metadata": { "payment": "p1" } }] });
    for page in [
        page(json!({}), json!(null)),
        page(json!({ "subscriptions": [] }), json!(null)),
        page(
            none.clone(),
            json!({ "href": "https://api.mollie.com/v2/x" }),
        ),
        page(
            none.clone(),
            json!({ "href": "https://api.mollie.com/v2/x?from=" }),
        ),
        page(
            none.clone(),
            json!({ "href": "https://api.mollie.com/v2/x?from=tr_a%2F" }),
        ),
        page(none, json!({ "href": "not a URL?from=tr_a" })),
        page(found, json!(null)),
    ] {
        let peer = Peer::answering(vec![page.clone()]);
        let problem = client(&peer.url).payment_of("cst_a", "p1");
        assert!(
            matches!(problem, Err(PaymentsError::Unreachable(_))),
            "{page}: {problem:?}"
        );
    }
    let again = page(
        json!({ "payments": [] }),
        json!({ "href": "https://api.mollie.com/v2/x?from=tr_a" }),
    );
    let peer = Peer::answering(vec![again; 200]);
    assert_eq!(
        client(&peer.url).payment_of("cst_a", "p1"),
        Err(PaymentsError::Unreachable(
            "more than 200 pages of payments".to_owned()
        ))
    );
}

#[test]
fn a_lost_answer_is_found_again() {
    let peer = mollie::Mollie::start();
    let client = client(&peer.url());
    let id = client.create_customer("k-1", &customer()).unwrap();
    let wanted = NewPayment {
        customer_id: Some(&id),
        ..payment(Sequence::First)
    };
    peer.trouble(1, "POST /v2/payments", mollie::Trouble::LoseAnswer);
    let lost = client.create_payment("k-2", &wanted);
    assert!(
        matches!(lost, Err(PaymentsError::Unreachable(_))),
        "{lost:?}"
    );
    let again = client.create_payment("k-2", &wanted).unwrap();
    assert_eq!(peer.payments(), [again.id.as_str()], "it was made once");
    peer.forget_idempotency_keys();
    let found = client.payment_of(&id, "p1").unwrap().unwrap();
    assert_eq!(found.id, again.id);
    assert_eq!(found.status, PaymentStatus::Open);
    assert_eq!(client.payment_of(&id, "p2"), Ok(None));
}
