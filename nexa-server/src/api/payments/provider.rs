//! Calls of the payment provider, none of them within a transaction: what is about to be asked is written down first, and
//! what is answered takes effect afterwards, so that a crash between any two of these leaves something to go on from.

use std::sync::Arc;

use nexa_core::uuid_v7;
use rand_core::CryptoRng;

use super::super::route::{Cx, Services};
use super::customers::{forget_if_unknown, known_as};
use crate::domain::Error;
use crate::domain::payments::{self, Learned, NewPayment, Outcome, Reversed, Told, Wanted};
use crate::gate::limit::Limit;
use crate::outbound::payments::{
    Amount, NewPayment as Order, Payment as Answer, PaymentStatus, Payments, PaymentsError,
    Reversal, Sequence,
};
use crate::store::payments::{Kind, Payment, State};
use crate::time::UnixMillis;

/// Where the provider says that something has happened, under the public URL.
pub(crate) const WEBHOOK_PATH: &str = "/api/payments/webhook";

/// A payment that somebody can go and pay.
pub(crate) struct Opened {
    pub(crate) checkout_url: String,
    pub(crate) provider_id: String,
    /// The status of the first answer, where this is that answer once more.
    pub(crate) replayed: Option<u16>,
}

/// That there is a provider.
///
/// # Errors
/// `NotConfigured`.
pub(crate) fn require(services: &Services) -> Result<&Arc<dyn Payments>, Error> {
    services.payments.as_ref().ok_or(Error::NotConfigured {
        what: "payment provider",
    })
}

/// Begins a payment of the caller's tenant, or goes on with the one that an earlier call has begun.
///
/// # Errors
/// `NotConfigured`; `ProviderSilent` and `ProviderRefused`; those of [`payments::begin`].
pub(crate) fn pay(cx: &mut Cx<'_>, new: NewPayment, wanted: Wanted) -> Result<Opened, Error> {
    require(cx.services)?;
    let tenant_id = cx.member()?.tenant_id.clone();
    cx.limit(Limit::PaymentPerTenant, &tenant_id)?;
    let (tariff, attempt) = (Arc::clone(&cx.services.tariff), cx.attempt.clone());
    let begun = cx.write(move |tx, now, origin| {
        payments::begin(tx, now, origin, &tariff, attempt.as_ref(), new, &wanted)
    })?;
    let payment = match &begun.payment.checkout_url {
        Some(_) => begun.payment,
        None => open(cx.services, cx.now, cx.rng, begun.payment)?,
    };
    match (payment.checkout_url, payment.provider_id) {
        (Some(checkout_url), Some(provider_id)) => Ok(Opened {
            checkout_url,
            provider_id,
            replayed: begun.replayed,
        }),
        // It was given up just now, and is begun anew by another call.
        (_, _) if payment.state == State::Failed => Err(Error::ProviderSilent),
        (_, _) => Err(Error::Conflict {
            rule: "This payment is over",
        }),
    }
}

/// Has the provider make a payment that is written down; the payment as it is then.
///
/// # Errors
/// `ProviderSilent`: another try makes sense; `ProviderRefused`: none does, and the payment has failed.
pub(crate) fn open(
    services: &Services,
    now: UnixMillis,
    rng: &mut dyn CryptoRng,
    payment: Payment,
) -> Result<Payment, Error> {
    let provider = require(services)?;
    let tenant_id = payment.tenant_id.clone();
    let tried = payment.clone();
    let is_new = services
        .store
        .write(move |tx| payments::trying(tx, now, &tried))?;
    if !is_new {
        return current(services, payment);
    }
    let sequence = match payment.kind {
        Kind::Topup => Sequence::OneOff,
        Kind::Subscription | Kind::RechargeSetup => Sequence::First,
        Kind::Recharge | Kind::Renewal => Sequence::Recurring,
    };
    let customer_id = match sequence {
        Sequence::OneOff => None,
        Sequence::First | Sequence::Recurring => {
            match known_as(services, provider.as_ref(), now, &tenant_id)? {
                Some(customer_id) => Some(customer_id),
                None => return refused(services, now, &payment, "there is no customer to charge"),
            }
        }
    };
    let earlier = match &customer_id {
        // Its idempotency key may be forgotten by now, or what it says of us another.
        Some(customer_id) if payment.tried_at.is_some() => {
            answered(provider.payment_of(customer_id, &payment.id))?
        }
        Some(_) | None => None,
    };
    let description = description(services, &payment);
    let webhook_url = webhook_url(services);
    let answer = match earlier {
        Some(earlier) => Ok(earlier),
        None => provider.create_payment(
            &payment.id,
            &Order {
                amount: Amount {
                    cents: payment.amount_cents,
                    currency: &payment.currency,
                },
                description: &description,
                redirect_url: payment.redirect_url.as_deref(),
                webhook_url: &webhook_url,
                reference: &payment.id,
                customer_id: customer_id.as_deref(),
                sequence,
            },
        ),
    };
    match answer {
        Ok(answer) => {
            learn(services, now, rng, answer)?;
            current(services, payment)
        }
        Err(PaymentsError::Unreachable(problem)) => Err(silent(&problem)),
        Err(error @ (PaymentsError::Refused { .. } | PaymentsError::NotFound)) => {
            if let Some(customer_id) = &customer_id {
                forget_if_unknown(services, provider.as_ref(), &payment, customer_id)?;
            }
            refused(services, now, &payment, &error.to_string())
        }
    }
}

fn current(services: &Services, payment: Payment) -> Result<Payment, Error> {
    let found = services
        .store
        .read(|tx| payments::current(tx, &payment.id))?;
    Ok(found.unwrap_or(payment))
}

fn refused(
    services: &Services,
    now: UnixMillis,
    payment: &Payment,
    problem: &str,
) -> Result<Payment, Error> {
    tracing::error!(
        payment = payment.id,
        problem,
        "the payment provider refused a payment"
    );
    let id = payment.id.clone();
    services
        .store
        .write(move |tx| payments::refused(tx, now, &id))?;
    Err(Error::ProviderRefused)
}

/// Has a charge not made that nobody wants any more, unless the provider has made it.
///
/// # Errors
/// `NotConfigured`, `ProviderSilent`, `ProviderRefused`; it is tried again.
pub(crate) fn call_off(
    services: &Services,
    now: UnixMillis,
    rng: &mut dyn CryptoRng,
    payment: &Payment,
) -> Result<(), Error> {
    let provider = require(services)?;
    let (store, tried, id) = (&services.store, payment.clone(), payment.id.clone());
    if !store.write(move |tx| payments::trying(tx, now, &tried))? {
        return Ok(());
    }
    let card = store.read(|tx| payments::customer_for(tx, &payment.tenant_id))?;
    let customer_id = card.and_then(|card| card.customer.provider_id);
    let made = match (payment.tried_at, customer_id) {
        (Some(_), Some(customer_id)) => answered(provider.payment_of(&customer_id, &id))?,
        (Some(_), None) | (None, _) => None,
    };
    match made {
        Some(answer) => learn(services, now, rng, answer),
        None => store.write(move |tx| payments::called_off(tx, &id)),
    }
}

/// Asks the provider what has become of a payment, and has that take effect.
///
/// # Errors
/// `NotConfigured`, `ProviderSilent`.
pub(crate) fn look(
    services: &Services,
    now: UnixMillis,
    rng: &mut dyn CryptoRng,
    provider_id: &str,
) -> Result<Found, Error> {
    match answered(require(services)?.payment(provider_id).map(Some))? {
        Some(answer) => learn(services, now, rng, answer).map(|()| Found::There),
        None => Ok(Found::Missing),
    }
}

/// Whether the provider knows of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    There,
    Missing,
}

fn learn(
    services: &Services,
    now: UnixMillis,
    rng: &mut dyn CryptoRng,
    answer: Answer,
) -> Result<(), Error> {
    let told = told(answer);
    let provider_id = told.provider_id.clone();
    let tariff = Arc::clone(&services.tariff);
    let renewal_id = uuid_v7(now.unsigned_ms(), rng);
    let learned = services
        .store
        .write(move |tx| payments::learn(tx, now, &tariff, &renewal_id, &told))?;
    match learned {
        Learned::Done => {}
        Learned::Unknown => {
            tracing::info!(provider_id, "a payment is none of this server's");
        }
        Learned::Strange(problem) => {
            tracing::error!(
                provider_id,
                problem,
                "a payment needs somebody to look after it, and to refund it"
            );
        }
    }
    Ok(())
}

/// What the provider has answered; none where there is no such thing.
pub(super) fn answered<T>(answer: Result<Option<T>, PaymentsError>) -> Result<Option<T>, Error> {
    match answer {
        Ok(answer) => Ok(answer),
        Err(PaymentsError::NotFound) => Ok(None),
        Err(PaymentsError::Unreachable(problem)) => Err(silent(&problem)),
        Err(error @ PaymentsError::Refused { .. }) => {
            tracing::error!(%error, "the payment provider refused a call");
            Err(Error::ProviderRefused)
        }
    }
}

pub(super) fn silent(problem: &str) -> Error {
    tracing::warn!(problem, "the payment provider did not answer");
    Error::ProviderSilent
}

pub(super) fn webhook_url(services: &Services) -> String {
    format!("{}{WEBHOOK_PATH}", services.ring.issuer())
}

/// What the payer reads.
fn description(services: &Services, payment: &Payment) -> String {
    let plan_id = payment.plan_id.as_deref();
    match plan_id.and_then(|plan_id| services.tariff.plan(plan_id)) {
        Some(plan) => format!("{}, first month", plan.name),
        None => "Credits".to_owned(),
    }
}

fn told(answer: Answer) -> Told {
    let reversed = |reversals: Vec<Reversal>| {
        let reversed = reversals.into_iter().map(|reversal| Reversed {
            id: reversal.id,
            cents: reversal.cents,
            stands: reversal.stands,
        });
        reversed.collect()
    };
    Told {
        provider_id: answer.id,
        reference: answer.reference,
        customer_id: answer.customer_id,
        subscription_id: answer.subscription_id,
        subscription_reference: answer.subscription_reference,
        outcome: match answer.status {
            PaymentStatus::Open | PaymentStatus::Pending | PaymentStatus::Authorized => {
                Outcome::Waiting
            }
            PaymentStatus::Paid => Outcome::Paid,
            PaymentStatus::Failed | PaymentStatus::Canceled | PaymentStatus::Expired => {
                Outcome::Failed
            }
        },
        cents: answer.cents,
        currency: answer.currency,
        checkout_url: answer.checkout_url,
        refunds: reversed(answer.refunds),
        chargebacks: reversed(answer.chargebacks),
    }
}
