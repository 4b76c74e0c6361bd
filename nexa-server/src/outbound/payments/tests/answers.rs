//! What is made of the answers that the API documents, and of those that it does not.

use serde_json::{Value, json};

use super::*;
use crate::outbound::payments::{Payment, PaymentStatus, PaymentsError, Reversal};

/// As documented, with what does not matter here too.
fn documented() -> Value {
    json!({
        "resource": "payment",
        "id": "tr_7UhSN1zuXS",
        "mode": "test",
        "createdAt": "2018-03-20T09:13:37+00:00",
        "amount": { "value": "1034.50", "currency": "EUR" },
        "description": "Order #12345",
        "method": null,
        "metadata": { "payment": "p1", "order_id": 12345 },
        "status": "open",
        "isCancelable": false,
        "expiresAt": "2018-03-20T09:28:37+00:00",
        "details": null,
        "profileId": "pfl_QkEhN94Ba",
        "sequenceType": "oneoff",
        "redirectUrl": "https://webshop.example.org/order/12345/",
        "webhookUrl": "https://webshop.example.org/payments/webhook/",
        "_links": {
            "self": { "href": "https://api.mollie.com/v2/payments/tr_7UhSN1zuXS", "type": "application/hal+json" },
            "checkout": { "href": "https://www.mollie.com/payscreen/select-method/7UhSN1zuXS", "type": "text/html" },
            "dashboard": { "href": "https://www.mollie.com/dashboard/org_1/payments/tr_7UhSN1zuXS", "type": "text/html" },
        },
    })
}

fn read(payment: &Value) -> Result<Payment, PaymentsError> {
    let peer = Peer::answering(vec![answer(200, &payment.to_string())]);
    client(&peer.url).payment("tr_7UhSN1zuXS")
}

fn with(member: &str, value: Value) -> Value {
    let mut payment = documented();
    *payment.pointer_mut(member).unwrap() = value;
    payment
}

#[test]
fn a_payment_is_read_as_documented() {
    let payment = read(&documented()).unwrap();
    assert_eq!(
        payment,
        Payment {
            id: "tr_7UhSN1zuXS".to_owned(),
            status: PaymentStatus::Open,
            cents: 103_450,
            currency: "EUR".to_owned(),
            customer_id: None,
            subscription_id: None,
            reference: Some("p1".to_owned()),
            subscription_reference: None,
            checkout_url: Some(
                "https://www.mollie.com/payscreen/select-method/7UhSN1zuXS".to_owned()
            ),
            refunds: Vec::new(),
            chargebacks: Vec::new(),
        }
    );
    let mut charge = documented();
    charge["status"] = json!("paid");
    charge["customerId"] = json!("cst_8wmqcHMN4U");
    charge["subscriptionId"] = json!("sub_rVKGtNd6s3");
    charge["mandateId"] = json!("mdt_38HS4fsS");
    charge["metadata"] = json!({ "subscription": "s1" });
    charge["paidAt"] = json!("2018-03-14T17:09:02.0Z");
    charge["_links"] = json!({});
    let payment = read(&charge).unwrap();
    assert_eq!(payment.status, PaymentStatus::Paid);
    assert_eq!(payment.customer_id.as_deref(), Some("cst_8wmqcHMN4U"));
    assert_eq!(payment.subscription_id.as_deref(), Some("sub_rVKGtNd6s3"));
    assert_eq!(payment.reference, None);
    assert_eq!(payment.subscription_reference.as_deref(), Some("s1"));
    assert_eq!(payment.checkout_url, None);
}

#[test]
fn every_status_is_known_and_no_other_is_guessed_at() {
    for (name, status) in [
        ("open", Some(PaymentStatus::Open)),
        ("pending", Some(PaymentStatus::Pending)),
        ("authorized", Some(PaymentStatus::Authorized)),
        ("paid", Some(PaymentStatus::Paid)),
        ("failed", Some(PaymentStatus::Failed)),
        ("canceled", Some(PaymentStatus::Canceled)),
        ("expired", Some(PaymentStatus::Expired)),
        ("settled", None),
        ("PAID", None),
        ("", None),
    ] {
        let payment = read(&with("/status", json!(name)));
        match status {
            Some(status) => assert_eq!(payment.unwrap().status, status),
            None => assert_eq!(
                payment,
                Err(PaymentsError::Unreachable(format!(
                    "an answer that cannot be read: {name:?} instead of the status of a payment"
                )))
            ),
        }
    }
}

#[test]
fn what_goes_back_stands_when_the_money_is_gone() {
    let mut payment = with("/status", json!("paid"));
    let amount = json!({ "currency": "EUR", "value": "5.95" });
    let refund = |id: &str, status: &str| json!({ "resource": "refund", "id": id, "amount": amount, "status": status });
    payment["_embedded"] = json!({
        "refunds": [
            refund("re_a", "queued"),
            refund("re_b", "pending"),
            refund("re_c", "processing"),
            refund("re_d", "refunded"),
            refund("re_e", "failed"),
            refund("re_f", "canceled"),
        ],
        "chargebacks": [
            { "id": "chb_a", "amount": amount, "reversedAt": null },
            { "id": "chb_b", "amount": amount, "reversedAt": "2018-03-14T17:00:55.0Z" },
            { "id": "chb_c", "amount": amount, "settlementAmount": { "currency": "EUR", "value": "-5.95" } },
        ],
    });
    let stand = |reversals: &[Reversal]| -> Vec<(String, i64, bool)> {
        let each = reversals.iter();
        each.map(|one| (one.id.clone(), one.cents, one.stands))
            .collect()
    };
    let expected = |ids: &[(&str, bool)]| -> Vec<(String, i64, bool)> {
        let each = ids.iter();
        each.map(|(id, stands)| ((*id).to_owned(), 595, *stands))
            .collect()
    };
    let read_payment = read(&payment).unwrap();
    assert_eq!(
        stand(&read_payment.refunds),
        expected(&[
            ("re_c", true),
            ("re_d", true),
            ("re_e", false),
            ("re_f", false),
        ])
    );
    assert_eq!(
        stand(&read_payment.chargebacks),
        expected(&[("chb_a", true), ("chb_b", false), ("chb_c", true)])
    );
    for (place, value) in [
        ("/_embedded/refunds/0/status", json!("settled")),
        ("/_embedded/refunds/0/id", json!("tr_a")),
        ("/_embedded/refunds/0/amount/currency", json!("USD")),
        ("/_embedded/refunds/0/amount/value", json!("-5.95")),
        ("/_embedded/chargebacks/0/id", json!("re_a")),
        ("/_embedded/chargebacks/0/amount/value", json!("5.950")),
        ("/_embedded/chargebacks", json!({})),
    ] {
        let mut broken = payment.clone();
        *broken.pointer_mut(place).unwrap() = value;
        let read = read(&broken);
        assert!(
            matches!(read, Err(PaymentsError::Unreachable(_))),
            "{place}: {read:?}"
        );
    }
}

#[test]
fn what_matters_in_an_answer_is_as_documented_or_is_not_taken() {
    for (place, value) in [
        ("/id", json!("tr_other")),
        ("/id", json!("ord_7UhSN1zuXS")),
        ("/id", json!("tr_7UhSN1zuXS/x")),
        ("/id", json!(null)),
        ("/amount", json!("10.00")),
        ("/amount/value", json!("10")),
        ("/amount/value", json!("10.0")),
        ("/amount/value", json!("10.000")),
        ("/amount/value", json!(".50")),
        ("/amount/value", json!("+1.00")),
        ("/amount/value", json!("1.-1")),
        ("/amount/value", json!("1,034.50")),
        ("/amount/value", json!(" 1.00")),
        ("/amount/value", json!("92233720368547758.08")),
        ("/amount/value", json!(10.00)),
        ("/amount/currency", json!("JPY")),
        ("/amount/currency", json!("eur")),
        ("/status", json!(null)),
        ("/_links/checkout/href", json!("http://www.mollie.com/x")),
        ("/_links/checkout/href", json!("javascript:alert(1)")),
    ] {
        let read = read(&with(place, value.clone()));
        assert!(
            matches!(read, Err(PaymentsError::Unreachable(_))),
            "{place} {value}: {read:?}"
        );
    }
    for (member, value) in [
        ("customerId", json!("sub_a")),
        ("subscriptionId", json!("cst_a")),
    ] {
        let mut payment = documented();
        payment[member] = value;
        let read = read(&payment);
        assert!(
            matches!(read, Err(PaymentsError::Unreachable(_))),
            "{member}: {read:?}"
        );
    }
    // The largest sum that there is.
    let payment = read(&with("/amount/value", json!("92233720368547758.07"))).unwrap();
    assert_eq!(payment.cents, i64::MAX);
    // Anything may stand there.
    for metadata in [
        json!(null),
        json!("p1"),
        json!(["p1"]),
        json!({ "payment": 1.5 }),
    ] {
        let payment = read(&with("/metadata", metadata)).unwrap();
        assert_eq!(payment.reference, None);
    }
}

#[test]
fn an_answer_about_another_payment_is_none_to_this_call() {
    for (place, value, is_taken) in [
        ("/amount/value", json!("10.00"), true),
        ("/amount/value", json!("10.01"), false),
        ("/amount/currency", json!("USD"), false),
        ("/metadata/payment", json!("p2"), false),
        ("/metadata", json!(null), false),
    ] {
        let mut made = with("/amount/value", json!("10.00"));
        *made.pointer_mut(place).unwrap() = value;
        let peer = Peer::answering(vec![answer(201, &made.to_string())]);
        let made = client(&peer.url).create_payment("k", &payment(Sequence::OneOff));
        assert_eq!(made.is_ok(), is_taken, "{place}: {made:?}");
    }
}
