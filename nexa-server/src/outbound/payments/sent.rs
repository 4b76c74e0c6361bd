//! The JSON that is sent to Mollie.

use serde::Serialize;

use super::parts::WireAmount;
use super::{NewCustomer, NewPayment, NewSubscription, PaymentsError, Sequence};

#[derive(Serialize)]
pub(super) struct WireNewCustomer<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    metadata: CustomerReference<'a>,
}

#[derive(Serialize)]
struct CustomerReference<'a> {
    tenant: &'a str,
    customer: &'a str,
}

impl<'a> WireNewCustomer<'a> {
    pub(super) fn of(customer: &NewCustomer<'a>) -> Self {
        Self {
            name: customer.name,
            email: customer.email,
            metadata: CustomerReference {
                tenant: customer.tenant_id,
                customer: customer.reference,
            },
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireNewPayment<'a> {
    amount: WireAmount,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<&'a str>,
    description: &'a str,
    metadata: PaymentReference<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect_url: Option<&'a str>,
    sequence_type: &'static str,
    webhook_url: &'a str,
}

#[derive(Serialize)]
struct PaymentReference<'a> {
    payment: &'a str,
}

impl<'a> WireNewPayment<'a> {
    pub(super) fn of(payment: &NewPayment<'a>) -> Result<Self, PaymentsError> {
        Ok(Self {
            amount: WireAmount::of(payment.amount)?,
            customer_id: payment.customer_id,
            description: payment.description,
            metadata: PaymentReference {
                payment: payment.reference,
            },
            redirect_url: payment.redirect_url,
            sequence_type: match payment.sequence {
                Sequence::OneOff => "oneoff",
                Sequence::First => "first",
                Sequence::Recurring => "recurring",
            },
            webhook_url: payment.webhook_url,
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireNewSubscription<'a> {
    amount: WireAmount,
    description: &'a str,
    interval: &'a str,
    metadata: SubscriptionReference<'a>,
    start_date: &'a str,
    webhook_url: &'a str,
}

#[derive(Serialize)]
struct SubscriptionReference<'a> {
    subscription: &'a str,
}

impl<'a> WireNewSubscription<'a> {
    pub(super) fn of(subscription: &NewSubscription<'a>) -> Result<Self, PaymentsError> {
        Ok(Self {
            amount: WireAmount::of(subscription.amount)?,
            description: subscription.description,
            interval: subscription.interval,
            metadata: SubscriptionReference {
                subscription: subscription.reference,
            },
            start_date: subscription.start_date,
            webhook_url: subscription.webhook_url,
        })
    }
}
