//! Calls of the payment provider for subscriptions, none of them within a transaction, as in
//! [`provider`](super::provider).

use rand_core::CryptoRng;

use super::super::route::Services;
use super::provider::{answered, look, require, silent, webhook_url};
use crate::domain::{Error, payments, subscriptions};
use crate::outbound::payments::{Amount, NewSubscription, PaymentsError};
use crate::store::subscriptions::Subscription;
use crate::time::UnixMillis;

/// Has the provider make a subscription that a first payment has begun.
///
/// # Errors
/// `NotConfigured`, `ProviderSilent`, `ProviderRefused`; the errand stays.
pub(crate) fn subscribe(
    services: &Services,
    now: UnixMillis,
    subscription: &Subscription,
) -> Result<(), Error> {
    let provider = require(services)?;
    if !begin_errand(services, now, subscription)? {
        return Ok(());
    }
    let Subscription {
        id, customer_id, ..
    } = subscription;
    let earlier = match subscription.tried_at {
        // Its idempotency key may be forgotten by now, or what it says of us another.
        Some(_) => answered(provider.subscription_of(customer_id, id))?,
        None => None,
    };
    let provider_id = match earlier {
        Some(provider_id) => provider_id,
        None => {
            let plan = services.tariff.plan(&subscription.plan_id);
            let name = plan.map_or(subscription.plan_id.as_str(), |plan| plan.name.as_str());
            // No two subscriptions of a customer may have one description.
            let description = format!("{name} ({})", id.rsplit('-').next().unwrap_or(id));
            let first_day = subscription.paid_until.max(now).to_rfc3339();
            let first_day = first_day.split('T').next().unwrap_or_default();
            let order = NewSubscription {
                customer_id,
                amount: Amount {
                    cents: subscription.price_cents,
                    currency: &subscription.currency,
                },
                description: &description,
                interval: "1 month",
                start_date: first_day,
                webhook_url: &webhook_url(services),
                reference: id,
            };
            // Its first payment has the same id, and the service takes a key for one call.
            let created = provider.create_subscription(&format!("subscription-{id}"), &order);
            answered(created.map(Some))?.ok_or(Error::ProviderRefused)?
        }
    };
    let id = id.clone();
    services
        .store
        .write(move |tx| subscriptions::created(tx, now, &id, &provider_id))
}

/// Has the provider cancel a subscription, also one whose making was never answered.
///
/// # Errors
/// `NotConfigured`, `ProviderSilent`, `ProviderRefused`; the errand stays.
pub(crate) fn unsubscribe(
    services: &Services,
    now: UnixMillis,
    subscription: &Subscription,
) -> Result<(), Error> {
    let provider = require(services)?;
    if !begin_errand(services, now, subscription)? {
        return Ok(());
    }
    let Subscription {
        id, customer_id, ..
    } = subscription;
    let provider_id = match &subscription.provider_id {
        Some(provider_id) => Some(provider_id.clone()),
        None => answered(provider.subscription_of(customer_id, id))?,
    };
    match provider_id {
        Some(provider_id) => {
            let cancelled = provider.cancel_subscription(customer_id, &provider_id);
            answered(cancelled.map(Some))?;
        }
        None if subscriptions::is_searched_for(subscription.attempts) => return Ok(()),
        None => {}
    }
    let id = id.clone();
    services
        .store
        .write(move |tx| subscriptions::cancelled(tx, &id))
}

fn begin_errand(
    services: &Services,
    now: UnixMillis,
    subscription: &Subscription,
) -> Result<bool, Error> {
    let tried = subscription.clone();
    services
        .store
        .write(move |tx| subscriptions::trying(tx, now, &tried))
}

/// Asks the provider what a subscription that is not paid has charged, and has that take effect.
///
/// # Errors
/// `NotConfigured`, `ProviderSilent`; it is tried again.
pub(crate) fn ask(
    services: &Services,
    now: UnixMillis,
    rng: &mut dyn CryptoRng,
    subscription: &Subscription,
) -> Result<(), Error> {
    let provider = require(services)?;
    let Subscription {
        id, customer_id, ..
    } = subscription;
    let (asking, asked) = (id.clone(), id.clone());
    let store = &services.store;
    store.write(move |tx| subscriptions::asking(tx, now, &asking))?;
    let charges = match &subscription.provider_id {
        Some(provider_id) => provider.charges_of(customer_id, provider_id),
        None => Ok(Vec::new()),
    };
    let charges = match charges {
        Ok(charges) => charges,
        Err(PaymentsError::Unreachable(problem)) => return Err(silent(&problem)),
        // It will not know of any tomorrow either.
        Err(error @ (PaymentsError::NotFound | PaymentsError::Refused { .. })) => {
            tracing::warn!(subscription = id, %error, "the payment provider tells of no charges");
            Vec::new()
        }
    };
    // The oldest first.
    for provider_id in charges.iter().rev() {
        if !store.read(|tx| payments::is_settled(tx, provider_id))? {
            look(services, now, rng, provider_id)?;
        }
    }
    store.write(move |tx| subscriptions::asked(tx, now, &asked))
}
