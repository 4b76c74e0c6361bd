//! What the provider says of a payment, and what follows from it: once, in whatever order and however often it is said.

use super::super::audit::{self, Act, Origin};
use super::super::credits::{self, Account, Cause};
use super::super::error::Error;
use super::super::money::MILLICENTS_A_CENT;
use super::super::notices::{self, Notice, PaidFor};
use super::super::principal::Principal;
use super::super::tariff::Tariff;
use super::super::{mails, recharges, subscriptions};
use super::{Outcome, Reversed, Told};
use crate::store::payments::{self, Kind, Payment, Reversal, ReversalKind, State};
use crate::store::subscriptions::Subscription;
use crate::store::{Tx, subscriptions as subscription_rows};
use crate::time::UnixMillis;

/// What has come of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Learned {
    Done,
    /// Nothing that is known here; a payment of somebody else, or of a tenant that is gone.
    Unknown,
    /// Something that a person has to look after.
    Strange(&'static str),
}

/// Has what the provider says take effect.
pub(crate) fn learn(
    tx: &Tx<'_>,
    now: UnixMillis,
    tariff: &Tariff,
    renewal_id: &str,
    told: &Told,
) -> Result<Learned, Error> {
    let Some(mut payment) = known(tx, now, renewal_id, told)? else {
        return Ok(unknown(told));
    };
    let is_another_amount =
        (payment.amount_cents, &payment.currency) != (told.cents, &told.currency);
    if told.outcome == Outcome::Paid && is_another_amount {
        // It is told once, and not looked after for ever.
        if payment.due_at.take().is_some() {
            payments::update(tx, &payment)?;
        }
        return Ok(Learned::Strange(
            "it is not over the amount that was asked for",
        ));
    }
    if let Some(provider_id) = &payment.provider_id
        && *provider_id != told.provider_id
    {
        // The provider made it twice: the one that is paid counts, and counts once.
        if told.outcome != Outcome::Paid || payment.state == State::Paid {
            return Ok(match told.outcome {
                Outcome::Paid => Learned::Strange("what it is for is paid already"),
                Outcome::Waiting | Outcome::Failed => Learned::Done,
            });
        }
    }
    payment.provider_id = Some(told.provider_id.clone());
    if told.checkout_url.is_some() {
        payment.checkout_url.clone_from(&told.checkout_url);
    }
    let mut learned = Learned::Done;
    match (payment.state, told.outcome) {
        (State::New | State::Open, Outcome::Waiting) => {
            payment.state = State::Open;
            payment.due_at = Some(now.plus_seconds(look_again_s(&payment)));
            payments::update(tx, &payment)?;
        }
        (State::New | State::Open | State::Failed, Outcome::Paid) => {
            (payment.state, payment.due_at) = (State::Paid, None);
            payments::update(tx, &payment)?;
            record(tx, now, Act::PaymentReceived, &payment)?;
            learned = paid(tx, now, tariff, &payment, told)?;
            // By now it may have begun a subscription.
            if let Some(current) = payments::find(tx, &payment.id)? {
                payment = current;
            }
        }
        (State::New | State::Open, Outcome::Failed) => {
            fail(tx, now, payment)?;
            return Ok(Learned::Done);
        }
        (State::Paid, _) | (State::Failed, Outcome::Waiting | Outcome::Failed) => {}
    }
    if payment.state == State::Paid {
        let kinds = [
            (ReversalKind::Refund, &told.refunds),
            (ReversalKind::Chargeback, &told.chargebacks),
        ];
        for (kind, reversals) in kinds {
            for reversed in reversals {
                reverse(tx, now, tariff, &payment, kind, reversed)?;
            }
        }
        look_after_chargebacks(tx, now, &mut payment)?;
    }
    Ok(learned)
}

/// What nobody here knows of: money that has come for one of ours that is gone, or something of somebody else.
fn unknown(told: &Told) -> Learned {
    let reference = told
        .reference
        .as_ref()
        .or(told.subscription_reference.as_ref());
    let returned = told.refunds.iter().chain(&told.chargebacks);
    let returned_cents: i64 = returned
        .filter(|reversed| reversed.stands)
        .map(|reversed| reversed.cents)
        .sum();
    let is_kept = told.outcome == Outcome::Paid && returned_cents < told.cents;
    match reference.is_some_and(|reference| is_one_of_ours(reference)) && is_kept {
        true => Learned::Strange("what it is for is gone"),
        false => Learned::Unknown,
    }
}

/// Whether it looks like an id that was made here.
fn is_one_of_ours(reference: &str) -> bool {
    let groups = reference.split('-').map(str::len);
    let is_hex = |b: u8| b.is_ascii_hexdigit() || b == b'-';
    groups.eq([8, 4, 4, 4, 12]) && reference.bytes().all(is_hex)
}

/// The payment that the provider speaks of; one that renews a subscription is written down when it is first heard of.
fn known(
    tx: &Tx<'_>,
    now: UnixMillis,
    renewal_id: &str,
    told: &Told,
) -> Result<Option<Payment>, Error> {
    if let Some(payment) = payments::find_provided(tx, &told.provider_id)? {
        return Ok(Some(payment));
    }
    if let Some(reference) = &told.reference {
        return Ok(payments::find(tx, reference)?);
    }
    let Some(subscription) = subscription(tx, told)? else {
        return Ok(None);
    };
    let payment = Payment {
        id: renewal_id.to_owned(),
        tenant_id: subscription.tenant_id,
        kind: Kind::Renewal,
        plan_id: None,
        subscription_id: Some(subscription.id),
        amount_cents: told.cents,
        currency: told.currency.clone(),
        state: State::Open,
        provider_id: Some(told.provider_id.clone()),
        redirect_url: None,
        checkout_url: None,
        created_at: now,
        tried_at: None,
        due_at: Some(now),
        attempts: 0,
    };
    payments::insert(tx, &payment)?;
    Ok(Some(payment))
}

fn subscription(tx: &Tx<'_>, told: &Told) -> Result<Option<Subscription>, Error> {
    let Some(provider_id) = &told.subscription_id else {
        return Ok(None);
    };
    if let Some(found) = subscription_rows::find_provided(tx, provider_id)? {
        return Ok(Some(found));
    }
    // The answer that said what the provider calls it was lost.
    match &told.subscription_reference {
        Some(reference) => Ok(subscription_rows::find(tx, reference)?),
        None => Ok(None),
    }
}

fn paid(
    tx: &Tx<'_>,
    now: UnixMillis,
    tariff: &Tariff,
    payment: &Payment,
    told: &Told,
) -> Result<Learned, Error> {
    match payment.kind {
        Kind::Subscription => {
            subscriptions::begin(tx, now, tariff, payment, told.customer_id.as_deref())
        }
        Kind::Renewal => {
            let provider_id = told.subscription_id.as_deref();
            if !subscriptions::renew(tx, now, tariff, payment, provider_id)? {
                put_in(tx, now, tariff, payment)?;
            }
            Ok(Learned::Done)
        }
        Kind::Topup | Kind::RechargeSetup | Kind::Recharge => {
            put_in(tx, now, tariff, payment)?;
            recharges::paid(tx, payment)?;
            Ok(Learned::Done)
        }
    }
}

fn put_in(tx: &Tx<'_>, now: UnixMillis, tariff: &Tariff, payment: &Payment) -> Result<(), Error> {
    let mut account = Account::open(tx, now, tariff, &payment.tenant_id)?;
    let amount_mc = payment.amount_cents * MILLICENTS_A_CENT;
    account.put_in(tx, now, amount_mc, Cause::Payment, &payment.id)?;
    Ok(())
}

/// Ends a payment that will not arrive. Whoever was there to pay knows; the owners are told of the others.
pub(super) fn fail(tx: &Tx<'_>, now: UnixMillis, mut payment: Payment) -> Result<(), Error> {
    (payment.state, payment.due_at) = (State::Failed, None);
    payments::update(tx, &payment)?;
    record(tx, now, Act::PaymentFailed, &payment)?;
    let paid_for = match payment.kind {
        Kind::Recharge => {
            recharges::failed(tx, now, &payment.tenant_id)?;
            PaidFor::AutoRecharge
        }
        Kind::Renewal => PaidFor::Subscription,
        Kind::Subscription | Kind::Topup | Kind::RechargeSetup => return Ok(()),
    };
    let notice = Notice::PaymentFailed {
        amount_cents: payment.amount_cents,
        paid_for,
    };
    notices::tell(tx, now, &payment.tenant_id, &payment.id, &notice)
}

/// A refund takes back the credits that were bought, as far as they are there; what a month of a plan has granted stays, since
/// the operator has refunded it. Whoever charges back a month has not paid for it: the subscription ends.
fn reverse(
    tx: &Tx<'_>,
    now: UnixMillis,
    tariff: &Tariff,
    payment: &Payment,
    kind: ReversalKind,
    reversed: &Reversed,
) -> Result<(), Error> {
    let mut row = Reversal {
        id: &reversed.id,
        payment_id: &payment.id,
        kind,
        amount_cents: reversed.cents,
        taken_mc: 0,
        is_given_back: !reversed.stands,
    };
    if !reversed.stands {
        if let Some(taken_mc @ 1..) = payments::give_back(tx, &reversed.id)? {
            let mut account = Account::open(tx, now, tariff, &payment.tenant_id)?;
            account.put_in(tx, now, taken_mc, Cause::Adjustment, &reversed.id)?;
        }
        // An answer that is older and comes later takes nothing.
        payments::add_reversal(tx, &row)?;
        return Ok(());
    }
    if payments::has_reversal(tx, &reversed.id)? {
        return Ok(());
    }
    // Also a month that counted for nothing.
    let is_put_in = credits::is_put_in(tx, &payment.tenant_id, &payment.id)?;
    if is_put_in {
        let cause = match kind {
            ReversalKind::Refund => Cause::Refund,
            ReversalKind::Chargeback => Cause::Chargeback,
        };
        let amount_mc = reversed.cents.saturating_mul(MILLICENTS_A_CENT);
        let mut account = Account::open(tx, now, tariff, &payment.tenant_id)?;
        row.taken_mc = account.take_back(tx, now, amount_mc, cause, &reversed.id)?;
    }
    match (kind, is_put_in) {
        (ReversalKind::Refund, _) => {}
        (ReversalKind::Chargeback, true) => recharges::pause(tx, now, &payment.tenant_id)?,
        (ReversalKind::Chargeback, false) => {
            subscriptions::charged_back(tx, now, tariff, payment)?;
        }
    }
    payments::add_reversal(tx, &row)?;
    record(tx, now, Act::PaymentReversed, payment)
}

/// Nobody tells of a chargeback that is called off: while one stands, the payment is asked for once a day, for half a year.
fn look_after_chargebacks(
    tx: &Tx<'_>,
    now: UnixMillis,
    payment: &mut Payment,
) -> Result<(), Error> {
    const EVERY_S: i64 = 24 * 3600;
    const FOR_S: i64 = 183 * EVERY_S;
    let stands = payments::has_chargeback(tx, &payment.id)?;
    let is_recent = payment.created_at.plus_seconds(FOR_S) > now;
    let due_at = (stands && is_recent).then_some(now.plus_seconds(EVERY_S));
    if payment.due_at != due_at {
        payment.due_at = due_at;
        payments::update(tx, payment)?;
    }
    Ok(())
}

/// When to ask for a payment that nobody has told of: soon at first, then less and less often.
fn look_again_s(payment: &Payment) -> i64 {
    const FIRST_S: i64 = 900;
    FIRST_S + mails::pause_s(payment.attempts)
}

fn record(tx: &Tx<'_>, now: UnixMillis, act: Act, payment: &Payment) -> Result<(), Error> {
    let machine = Origin {
        principal: Principal::Machine,
        address: None,
    };
    let (tenant_id, id) = (Some(payment.tenant_id.as_str()), Some(payment.id.as_str()));
    audit::record(tx, now, &machine, act, tenant_id, id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_for_one_of_ours_that_is_gone_is_told_until_it_is_sent_back() {
        const OURS: &str = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b";
        let gone = Learned::Strange("what it is for is gone");
        for (reference, charge_of, outcome, refunded, expected) in [
            (Some(OURS), None, Outcome::Paid, 0, &gone),
            (None, Some(OURS), Outcome::Paid, 0, &gone),
            (Some(OURS), None, Outcome::Paid, 999, &gone),
            (Some(OURS), None, Outcome::Paid, 1_000, &Learned::Unknown),
            (Some(OURS), None, Outcome::Failed, 0, &Learned::Unknown),
            (Some(OURS), None, Outcome::Waiting, 0, &Learned::Unknown),
            (Some("order 17"), None, Outcome::Paid, 0, &Learned::Unknown),
            (None, None, Outcome::Paid, 0, &Learned::Unknown),
        ] {
            let told = Told {
                provider_id: "tr_1".to_owned(),
                reference: reference.map(str::to_owned),
                customer_id: None,
                subscription_id: None,
                subscription_reference: charge_of.map(str::to_owned),
                outcome,
                cents: 1_000,
                currency: "EUR".to_owned(),
                checkout_url: None,
                refunds: vec![Reversed {
                    id: "re_1".to_owned(),
                    cents: refunded,
                    stands: true,
                }],
                chargebacks: Vec::new(),
            };
            assert_eq!(
                unknown(&told),
                *expected,
                "{reference:?} {outcome:?} {refunded}"
            );
        }
    }
}
