//! A customer's life, through the client, with the imitation that the tests of the whole server use.

use super::mollie::{End, Mollie, Stage};
use super::*;
use crate::outbound::payments::{PaymentStatus, PaymentsError};

#[test]
fn a_customer_pays_subscribes_and_goes() {
    let peer = Mollie::start();
    peer.page(1);
    let client = client(&peer.url());
    let customer_id = client.create_customer("k-1", &customer()).unwrap();
    assert_eq!(peer.customer(&customer_id)["metadata"]["tenant"], "t1");
    assert_eq!(
        client.customer_of("c1").as_ref(),
        Ok(&Some(customer_id.clone()))
    );
    assert_eq!(client.customer_of("c2"), Ok(None));
    let payment = |sequence, reference| NewPayment {
        customer_id: Some(&customer_id),
        reference,
        ..super::payment(sequence)
    };
    let subscription = NewSubscription {
        customer_id: &customer_id,
        ..super::subscription()
    };

    let early = client.create_payment("k-2", &payment(Sequence::Recurring, "p0"));
    let no_mandate = PaymentsError::Refused {
        status: 422,
        field: None,
        sentence: "No suitable mandates found for customer".to_owned(),
    };
    assert_eq!(early, Err(no_mandate.clone()));
    assert_eq!(
        client.create_subscription("k-3", &subscription),
        Err(no_mandate.clone())
    );

    let first = client
        .create_payment("k-4", &payment(Sequence::First, "p1"))
        .unwrap();
    assert_eq!(first.status, PaymentStatus::Open);
    assert!(first.checkout_url.is_some());
    peer.pay(&first.id);
    let paid = client.payment(&first.id).unwrap();
    assert_eq!(paid.status, PaymentStatus::Paid);
    assert!(paid.checkout_url.is_none());

    let charge = client
        .create_payment("k-5", &payment(Sequence::Recurring, "p2"))
        .unwrap();
    assert_eq!(charge.status, PaymentStatus::Pending);
    peer.fail(&charge.id);
    let failed = client.payment(&charge.id).unwrap();
    assert_eq!(failed.status, PaymentStatus::Failed);

    let id = client.create_subscription("k-6", &subscription).unwrap();
    assert_eq!(
        client.subscription_of(&customer_id, "s1").as_ref(),
        Ok(&Some(id.clone()))
    );
    assert_eq!(client.subscription_of(&customer_id, "s2"), Ok(None));
    peer.end_recurring_payments(Some(End::Paid));
    let month = client.payment(&peer.advance(&id)).unwrap();
    assert_eq!(month.status, PaymentStatus::Paid);
    assert_eq!((month.cents, month.currency.as_str()), (2_905, "EUR"));
    assert_eq!(month.subscription_id.as_ref(), Some(&id));
    assert_eq!(month.subscription_reference.as_deref(), Some("s1"));
    assert_eq!(month.reference, None);
    assert_eq!(client.charges_of(&customer_id, &id), Ok(vec![month.id]));

    // Over three pages, the first payment stands on the last.
    let found = client.payment_of(&customer_id, "p1").unwrap().unwrap();
    assert_eq!(found.id, first.id);

    let refund = peer.refund_in(&first.id, 300, "pending");
    let chargeback = peer.charge_back(&first.id);
    let stands = || {
        let payment = client.payment(&first.id).unwrap();
        let refund = payment.refunds.first();
        let chargeback = payment.chargebacks.first().unwrap();
        assert!(refund.is_none_or(|refund| refund.cents == 300));
        assert_eq!(chargeback.cents, 1_000);
        (refund.map(|refund| refund.stands), chargeback.stands)
    };
    assert_eq!(stands(), (None, true), "it may be called off");
    peer.move_refund(&refund, "refunded");
    peer.reverse_chargeback(&chargeback);
    assert_eq!(stands(), (Some(true), false));
    peer.move_refund(&refund, "failed");
    assert_eq!(stands(), (Some(false), false));

    assert_eq!(client.cancel_subscription(&customer_id, &id), Ok(()));
    assert_eq!(client.cancel_subscription(&customer_id, &id), Ok(()));
    assert_eq!(peer.subscription(&id)["status"], "canceled");
    assert_eq!(client.delete_customer(&customer_id), Ok(()));
    assert_eq!(client.delete_customer(&customer_id), Ok(()));
    assert_eq!(client.cancel_subscription(&customer_id, &id), Ok(()));
    assert!(peer.customers().is_empty());
    let gone = client.payment_of(&customer_id, "p1");
    assert_eq!(gone, Err(PaymentsError::NotFound));
}

#[test]
fn the_same_call_is_made_once_however_often_it_comes() {
    let peer = Mollie::start();
    let client = client(&peer.url());
    let wanted = NewPayment {
        customer_id: None,
        ..payment(Sequence::OneOff)
    };
    peer.hold(1, "POST /v2/payments", Stage::Done);
    let first = std::thread::scope(|scope| {
        let first = scope.spawn(|| client.create_payment("k", &wanted));
        peer.wait_until_held(1);
        let meanwhile = client.create_payment("k", &wanted).unwrap_err();
        assert!(
            meanwhile.to_string().starts_with("not now: status 409"),
            "{meanwhile}"
        );
        peer.release();
        first.join().unwrap().unwrap()
    });
    assert_eq!(client.create_payment("k", &wanted), Ok(first));
    assert_eq!(peer.payments().len(), 1);
    // Another call under the key of this one.
    let other = NewPayment {
        reference: "p2",
        ..wanted
    };
    let refused = client.create_payment("k", &other);
    assert!(
        matches!(refused, Err(PaymentsError::Refused { status: 400, .. })),
        "{refused:?}"
    );
    assert_eq!(peer.requests("POST /v2/payments").len(), 4);
}

#[test]
fn a_customer_is_looked_for_among_the_newest() {
    let peer = Mollie::start();
    peer.page(1);
    let client = client(&peer.url());
    let made: Vec<String> = (0..21)
        .map(|number| {
            let reference = format!("c{number}");
            let customer = NewCustomer {
                reference: &reference,
                ..customer()
            };
            client.create_customer(&reference, &customer).unwrap()
        })
        .collect();
    assert_eq!(client.customer_of("c1").unwrap().as_ref(), made.get(1));
    assert_eq!(
        client.customer_of("c0"),
        Ok(None),
        "twenty pages are enough"
    );
}
