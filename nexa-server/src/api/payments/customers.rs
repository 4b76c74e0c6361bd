//! Calls of the payment provider for customers, none of them within a transaction, as in [`provider`](super::provider).

use super::super::route::Services;
use super::provider::{answered, require, silent};
use crate::domain::payments::{self, CustomerCard};
use crate::domain::{Error, subscriptions};
use crate::outbound::payments::{NewCustomer, Payments, PaymentsError};
use crate::store::payment_customers::Farewell;
use crate::store::payments::Payment;
use crate::time::UnixMillis;

/// What the provider calls a tenant; none when the tenant has ended, or the provider will not have it.
pub(super) fn known_as(
    services: &Services,
    provider: &dyn Payments,
    now: UnixMillis,
    tenant_id: &str,
) -> Result<Option<String>, Error> {
    let card = services
        .store
        .read(|tx| payments::customer_for(tx, tenant_id))?;
    let Some(CustomerCard {
        customer,
        name,
        email,
    }) = card
    else {
        return Ok(None);
    };
    if let Some(provider_id) = customer.provider_id {
        return Ok(Some(provider_id));
    }
    let earlier = match customer.tried_at {
        Some(_) => answered(provider.customer_of(&customer.id))?,
        None => None,
    };
    let id = customer.id.clone();
    (services.store).write(move |tx| payments::trying_customer(tx, now, &id))?;
    let created = match earlier {
        Some(earlier) => Ok(earlier),
        None => {
            let card = NewCustomer {
                name: &name,
                email: email.as_deref(),
                tenant_id,
                reference: &customer.id,
            };
            match provider.create_customer(&customer.id, &card) {
                // Whoever has an address that the provider does not take can pay all the same.
                Err(PaymentsError::Refused { field, .. }) if field.as_deref() == Some("email") => {
                    let key = format!("{}-without-email", customer.id);
                    provider.create_customer(
                        &key,
                        &NewCustomer {
                            email: None,
                            ..card
                        },
                    )
                }
                created => created,
            }
        }
    };
    let provider_id = match created {
        Ok(provider_id) => provider_id,
        Err(PaymentsError::Unreachable(problem)) => return Err(silent(&problem)),
        Err(error @ (PaymentsError::Refused { .. } | PaymentsError::NotFound)) => {
            tracing::error!(tenant_id, %error, "the payment provider refused a customer");
            let tenant_id = tenant_id.to_owned();
            (services.store).write(move |tx| payments::customer_refused(tx, &tenant_id, None))?;
            return Ok(None);
        }
    };
    let (id, known_as) = (customer.id, provider_id.clone());
    let stands = services
        .store
        .write(move |tx| payments::customer_created(tx, now, &id, &known_as))?;
    Ok(stands.then_some(provider_id))
}

/// A customer that was removed at the provider, or belongs to another key, would be refused for ever. What the refusal says is
/// not gone by: whoever is not there has no payments that could be listed either.
pub(super) fn forget_if_unknown(
    services: &Services,
    provider: &dyn Payments,
    payment: &Payment,
    customer_id: &str,
) -> Result<(), Error> {
    let listed = provider.payment_of(customer_id, &payment.id);
    if listed != Err(PaymentsError::NotFound) {
        return Ok(());
    }
    let (tenant_id, customer_id) = (payment.tenant_id.clone(), customer_id.to_owned());
    tracing::error!(
        tenant_id,
        customer_id,
        "the payment provider does not know a customer"
    );
    (services.store).write(move |tx| payments::customer_refused(tx, &tenant_id, Some(&customer_id)))
}

/// Has the provider forget a customer.
///
/// # Errors
/// `NotConfigured`, `ProviderSilent`, `ProviderRefused`; it is tried again.
pub(crate) fn forget(
    services: &Services,
    now: UnixMillis,
    farewell: Farewell,
) -> Result<(), Error> {
    let provider = require(services)?;
    let tried = farewell.clone();
    services
        .store
        .write(move |tx| payments::saying_farewell(tx, now, &tried))?;
    let customer_id = match farewell.is_lost {
        false => Some(farewell.customer_id.clone()),
        true => answered(provider.customer_of(&farewell.customer_id))?,
    };
    match customer_id {
        Some(customer_id) => {
            // Its subscriptions and mandates end with it.
            answered(provider.delete_customer(&customer_id).map(Some))?;
        }
        None if subscriptions::is_searched_for(farewell.attempts) => return Ok(()),
        None => {}
    }
    services
        .store
        .write(move |tx| payments::farewell_said(tx, &farewell.customer_id))
}
