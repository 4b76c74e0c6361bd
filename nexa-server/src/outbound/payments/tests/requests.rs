//! What goes over the wire, to the byte.

use serde_json::json;

use super::*;
use crate::outbound::payments::PaymentsError;

fn head(peer: &Peer, request: &str, more: &[&str]) -> Vec<String> {
    let host = peer.url.strip_prefix("http://").unwrap();
    let mut headers = vec![
        "accept-encoding: gzip".to_owned(),
        "accept: application/hal+json, application/json".to_owned(),
        format!("authorization: Bearer {KEY}"),
        format!("host: {host}"),
        format!("user-agent: nexa/{}", env!("CARGO_PKG_VERSION")),
    ];
    headers.extend(more.iter().map(ToString::to_string));
    headers.sort_unstable();
    [vec![format!("{request} HTTP/1.1")], headers].concat()
}

fn posted(peer: &Peer, path: &str, key: &str, body: &str) -> Vec<String> {
    let mut lines = head(
        peer,
        &format!("POST {path}"),
        &[
            &format!("content-length: {}", body.len()),
            "content-type: application/json",
            &format!("idempotency-key: {key}"),
        ],
    );
    lines.push(body.to_owned());
    lines
}

fn asked(peer: &Peer, request: &str) -> Vec<String> {
    [head(peer, request, &[]), vec![String::new()]].concat()
}

#[test]
fn each_call_asks_what_the_api_documents() {
    let made_payment = json!({
        "id": "tr_7UhSN1zuXS",
        "status": "open",
        "amount": { "currency": "EUR", "value": "10.00" },
        "metadata": { "payment": "p1" },
    })
    .to_string();
    let peer = Peer::answering(vec![
        answer(201, r#"{"id":"cst_8wmqcHMN4U"}"#),
        answer(201, &made_payment),
        answer(201, &made_payment),
        answer(201, &made_payment),
        answer(200, &made_payment),
        answer(201, r#"{"id":"sub_rVKGtNd6s3"}"#),
        answer(200, r#"{"id":"sub_rVKGtNd6s3","status":"canceled"}"#),
        "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n".to_owned(),
    ]);
    let client = client(&peer.url);

    let id = client.create_customer("k-1", &customer());
    assert_eq!(id.as_deref(), Ok("cst_8wmqcHMN4U"));
    let body = r#"{"name":"Acme \"B.V.\"","email":"owner@acme.example","metadata":{"tenant":"t1","customer":"c1"}}"#;
    assert_eq!(peer.heard(), posted(&peer, "/v2/customers", "k-1", body));

    for (sequence, body) in [
        (
            Sequence::OneOff,
            r#"{"amount":{"currency":"EUR","value":"10.00"},"description":"Top-up","metadata":{"payment":"p1"},"redirectUrl":"https://acme.example/back","sequenceType":"oneoff","webhookUrl":"https://auth.example.com/hook"}"#,
        ),
        (
            Sequence::First,
            r#"{"amount":{"currency":"EUR","value":"10.00"},"customerId":"cst_8wmqcHMN4U","description":"Top-up","metadata":{"payment":"p1"},"redirectUrl":"https://acme.example/back","sequenceType":"first","webhookUrl":"https://auth.example.com/hook"}"#,
        ),
        (
            Sequence::Recurring,
            r#"{"amount":{"currency":"EUR","value":"10.00"},"customerId":"cst_8wmqcHMN4U","description":"Top-up","metadata":{"payment":"p1"},"sequenceType":"recurring","webhookUrl":"https://auth.example.com/hook"}"#,
        ),
    ] {
        let wanted = NewPayment {
            customer_id: payment(sequence)
                .customer_id
                .filter(|_| sequence != Sequence::OneOff),
            ..payment(sequence)
        };
        assert!(client.create_payment("k-2", &wanted).is_ok());
        assert_eq!(peer.heard(), posted(&peer, "/v2/payments", "k-2", body));
    }

    assert!(client.payment("tr_7UhSN1zuXS").is_ok());
    let request = "GET /v2/payments/tr_7UhSN1zuXS?embed=refunds,chargebacks";
    assert_eq!(peer.heard(), asked(&peer, request));

    let id = client.create_subscription("k-3", &subscription());
    assert_eq!(id.as_deref(), Ok("sub_rVKGtNd6s3"));
    let path = "/v2/customers/cst_8wmqcHMN4U/subscriptions";
    let body = r#"{"amount":{"currency":"EUR","value":"29.05"},"description":"Plan pro","interval":"1 month","metadata":{"subscription":"s1"},"startDate":"2026-12-26","webhookUrl":"https://auth.example.com/hook"}"#;
    assert_eq!(peer.heard(), posted(&peer, path, "k-3", body));

    let cancelled = client.cancel_subscription("cst_8wmqcHMN4U", "sub_rVKGtNd6s3");
    assert_eq!(cancelled, Ok(()));
    let request = "DELETE /v2/customers/cst_8wmqcHMN4U/subscriptions/sub_rVKGtNd6s3";
    assert_eq!(peer.heard(), asked(&peer, request));

    assert_eq!(client.delete_customer("cst_8wmqcHMN4U"), Ok(()));
    let request = "DELETE /v2/customers/cst_8wmqcHMN4U";
    assert_eq!(peer.heard(), asked(&peer, request));
}

#[test]
fn a_list_is_read_page_by_page_at_the_place_that_was_asked() {
    let page = |list: &str, id: &str, metadata: serde_json::Value, next: Option<&str>| {
        let link = next.map(|href| json!({ "href": href, "type": "application/hal+json" }));
        let entries = [json!({ "id": id, "metadata": metadata })];
        let page = json!({
            "count": 1,
            "_embedded": { list: entries },
            "_links": { "self": {}, "previous": null, "next": link },
        });
        answer(200, &page.to_string())
    };
    // What others have sent through the same account may hold anything.
    let peer = Peer::answering(vec![
        page(
            "payments",
            "tr_a",
            json!("p1"),
            Some("https://elsewhere.example/v2/x?from=tr_b&limit=1"),
        ),
        page(
            "payments",
            "tr_b",
            json!(null),
            Some("https://elsewhere.example/v2/x?limit=1&from=tr_c"),
        ),
        page("payments", "tr_c", json!({ "payment": 7 }), None),
        page(
            "subscriptions",
            "sub_a",
            json!({ "payment": "s1" }),
            Some("/x?from=sub_b"),
        ),
        page(
            "subscriptions",
            "sub_b",
            json!({ "subscription": "s1" }),
            None,
        ),
    ]);
    let client = client(&peer.url);
    assert_eq!(client.payment_of("cst_8wmqcHMN4U", "p1"), Ok(None));
    let list = "GET /v2/customers/cst_8wmqcHMN4U/payments?limit=50";
    for request in [
        list,
        &format!("{list}&from=tr_b"),
        &format!("{list}&from=tr_c"),
    ] {
        assert_eq!(peer.heard(), asked(&peer, request));
    }
    let found = client.subscription_of("cst_8wmqcHMN4U", "s1").unwrap();
    assert_eq!(found.as_deref(), Some("sub_b"));
    let list = "GET /v2/customers/cst_8wmqcHMN4U/subscriptions?limit=50";
    for request in [list, &format!("{list}&from=sub_b")] {
        assert_eq!(peer.heard(), asked(&peer, request));
    }
}

#[test]
fn what_is_no_id_or_no_sum_is_not_sent() {
    // Nobody listens there: whatever is sent fails in another way.
    let client = client("http://127.0.0.1:1");
    let long = format!("tr_{}", "a".repeat(65));
    for id in [
        "",
        "tr_",
        "tr_a/../x",
        "tr_a?x",
        "tr_a b",
        "tr_\u{e9}",
        "cst_a",
        "TR_a",
        &long,
    ] {
        assert_eq!(client.payment(id), Err(PaymentsError::NotFound), "{id}");
        let nothing = Err(PaymentsError::NotFound);
        assert_eq!(client.cancel_subscription("cst_a", id), nothing, "{id}");
        assert_eq!(client.cancel_subscription("tr_a", "sub_a"), nothing);
    }
    for id in ["", "cst_", "cst_a/payments", "tr_a"] {
        assert_eq!(client.delete_customer(id), Err(PaymentsError::NotFound));
        let none = client.payment_of(id, "p1");
        assert_eq!(none, Err(PaymentsError::NotFound), "{id}");
        let none = client.subscription_of(id, "s1");
        assert_eq!(none, Err(PaymentsError::NotFound), "{id}");
    }
    for (cents, currency, is_sent) in [
        (1, "EUR", true),
        (i64::MAX, "USD", true),
        (0, "EUR", false),
        (-5, "EUR", false),
        (5, "JPY", false),
        (5, "KWD", false),
        (5, "eur", false),
        (5, "EURO", false),
    ] {
        let amount = Amount { cents, currency };
        let wanted = NewPayment {
            amount,
            ..payment(Sequence::OneOff)
        };
        let refusal = client.create_payment("k", &wanted).unwrap_err();
        let is_refused = matches!(refusal, PaymentsError::Refused { status: 422, .. });
        assert_ne!(is_refused, is_sent, "{amount:?}: {refusal}");
        let wanted = NewSubscription {
            amount,
            ..subscription()
        };
        let refusal = client.create_subscription("k", &wanted).unwrap_err();
        let is_refused = matches!(refusal, PaymentsError::Refused { status: 422, .. });
        assert_ne!(is_refused, is_sent, "{amount:?}: {refusal}");
    }
}
