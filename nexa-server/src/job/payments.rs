//! What is to be done at the payment provider without anybody waiting for it.

use rand_core::CryptoRng;

use crate::api::Services;
use crate::api::provider::{self, Found};
use crate::api::subscribing;
use crate::domain::Error;
use crate::domain::payments::{self, Step};
use crate::time::UnixMillis;

/// Does what has been due longest; false when nothing is. What could not be done is due again later.
///
/// # Errors
/// `Store`: then it is better to wait before the next one.
pub(crate) fn do_next(
    services: &Services,
    now: UnixMillis,
    rng: &mut dyn CryptoRng,
) -> Result<bool, Error> {
    if services.payments.is_none() {
        return Ok(false);
    }
    let store = &services.store;
    let done = if let Some(step) = store.read(|tx| payments::next_step(tx, now))? {
        follow(services, now, rng, step)
    } else if let Some(farewell) = store.read(|tx| payments::next_farewell(tx, now))? {
        subscribing::forget(services, now, farewell)
    } else {
        return Ok(false);
    };
    match done {
        // Why stands in the log.
        Ok(()) | Err(Error::ProviderSilent | Error::ProviderRefused) => Ok(true),
        Err(error) => Err(error),
    }
}

fn follow(
    services: &Services,
    now: UnixMillis,
    rng: &mut dyn CryptoRng,
    step: Step,
) -> Result<(), Error> {
    let store = &services.store;
    match step {
        Step::Open(payment) => provider::open(services, now, rng, payment).map(drop),
        Step::Look(payment) => {
            let tried = payment.clone();
            let is_open = store.write(move |tx| payments::trying(tx, now, &tried))?;
            match payment.provider_id {
                Some(provider_id) if is_open => {
                    match provider::look(services, now, rng, &provider_id)? {
                        Found::There => Ok(()),
                        Found::Missing => {
                            store.write(move |tx| payments::refused(tx, now, &payment.id))
                        }
                    }
                }
                Some(_) | None => Ok(()),
            }
        }
        Step::Abandon(payment) => store.write(move |tx| payments::refused(tx, now, &payment.id)),
        Step::Subscribe(subscription) => subscribing::subscribe(services, now, &subscription),
        Step::Unsubscribe(subscription) => subscribing::unsubscribe(services, now, &subscription),
        Step::Ask(subscription) => subscribing::ask(services, now, rng, &subscription),
    }
}
