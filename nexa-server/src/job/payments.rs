//! What is to be done at the payment provider without anybody waiting for it.

use rand_core::CryptoRng;

use crate::api::Services;
use crate::api::customers;
use crate::api::provider::{self, Found};
use crate::api::subscribing;
use crate::domain::Error;
use crate::domain::payments::{self, Step};
use crate::time::UnixMillis;

/// Does what has been due longest; false when nothing is, or when it is better to wait before the next one: each would wait
/// as long for a provider that does not answer. What could not be done is due again later.
///
/// # Errors
/// `Store`: then it is better to wait, too.
pub(crate) fn do_next(
    services: &Services,
    now: UnixMillis,
    rng: &mut dyn CryptoRng,
) -> Result<bool, Error> {
    if services.payments.is_none() {
        return Ok(false);
    }
    let store = &services.store;
    let Some(step) = store.read(|tx| payments::next_step(tx, now))? else {
        return Ok(false);
    };
    let id = step.id().to_owned();
    match follow(services, now, rng, step) {
        // Why stands in the log.
        Ok(()) | Err(Error::ProviderRefused) => Ok(true),
        Err(Error::ProviderSilent) => Ok(false),
        Err(Error::Store(error)) if error.is_temporary() => Err(error.into()),
        Err(error) => {
            tracing::error!(id, %error, "what is due at the payment provider could not be done; it is tried again");
            // One that could not even be put off would be the next one again.
            let next = store.read(|tx| payments::next_step(tx, now))?;
            Ok(next.is_none_or(|next| next.id() != id))
        }
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
        Step::Abandon(payment) => {
            let tried = payment.clone();
            match store.write(move |tx| payments::trying(tx, now, &tried))? {
                true => store.write(move |tx| payments::refused(tx, now, &payment.id)),
                false => Ok(()),
            }
        }
        Step::CallOff(payment) => provider::call_off(services, now, rng, &payment),
        Step::Subscribe(subscription) => subscribing::subscribe(services, now, &subscription),
        Step::Unsubscribe(subscription) => subscribing::unsubscribe(services, now, &subscription),
        Step::Ask(subscription) => subscribing::ask(services, now, rng, &subscription),
        Step::Forget(farewell) => customers::forget(services, now, farewell),
    }
}
