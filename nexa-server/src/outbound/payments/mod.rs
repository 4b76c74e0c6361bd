//! Payments: what is asked of the service that takes the money, and what it answers. It holds no rule of ours.
//!
//! Whoever is answered [`PaymentsError::Unreachable`] does not know whether the call had its effect. The same call with the same
//! idempotency key has it once, as long as the service remembers the key (Mollie: an hour); after that
//! [`Payments::customer_of`], [`Payments::payment_of`] and [`Payments::subscription_of`] tell.

mod answered;
mod exchange;
mod mollie;
mod parts;
mod sent;
mod settings;
#[cfg(test)]
mod tests;

pub(crate) use parts::has_cents;
pub(crate) use settings::{ApiKey, MollieSettings};
#[cfg(test)]
pub(crate) use tests::mollie as imitation;

/// Takes money. Each call may last as long as the service is waited for, some ten seconds, and those that look through
/// lists that long for each page.
pub(crate) trait Payments: Send + Sync {
    /// Answers the id of the customer.
    fn create_customer(
        &self,
        idempotency_key: &str,
        customer: &NewCustomer<'_>,
    ) -> Result<String, PaymentsError>;

    /// The id of the customer that was made with this reference, if it is among the newest.
    fn customer_of(&self, reference: &str) -> Result<Option<String>, PaymentsError>;

    fn create_payment(
        &self,
        idempotency_key: &str,
        payment: &NewPayment<'_>,
    ) -> Result<Payment, PaymentsError>;

    /// The payment as it stands now. What cannot be the id of one is [`PaymentsError::NotFound`], and nobody is asked.
    fn payment(&self, id: &str) -> Result<Payment, PaymentsError>;

    /// The payment of this customer that was made with this reference.
    fn payment_of(
        &self,
        customer_id: &str,
        reference: &str,
    ) -> Result<Option<Payment>, PaymentsError>;

    /// Answers the id of the subscription.
    fn create_subscription(
        &self,
        idempotency_key: &str,
        subscription: &NewSubscription<'_>,
    ) -> Result<String, PaymentsError>;

    /// The id of the customer's subscription that was made with this reference, also if it is cancelled.
    fn subscription_of(
        &self,
        customer_id: &str,
        reference: &str,
    ) -> Result<Option<String>, PaymentsError>;

    /// The ids of the newest payments that this subscription has charged, fifty at most.
    fn charges_of(
        &self,
        customer_id: &str,
        subscription_id: &str,
    ) -> Result<Vec<String>, PaymentsError>;

    /// One that is cancelled or gone already is no error.
    fn cancel_subscription(&self, customer_id: &str, id: &str) -> Result<(), PaymentsError>;

    /// Cancels the customer's subscriptions too. One that is gone already is no error.
    fn delete_customer(&self, id: &str) -> Result<(), PaymentsError>;
}

/// A sum of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Amount<'a> {
    /// More than 0.
    pub(crate) cents: i64,
    /// ISO 4217; one that [has cents](has_cents).
    pub(crate) currency: &'a str,
}

/// The references of ours are what is asked for when an answer was lost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewCustomer<'a> {
    pub(crate) name: &'a str,
    pub(crate) email: Option<&'a str>,
    /// Of whom the customer is.
    pub(crate) tenant_id: &'a str,
    pub(crate) reference: &'a str,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct NewPayment<'a> {
    pub(crate) amount: Amount<'a>,
    /// What the customer reads on a statement.
    pub(crate) description: &'a str,
    /// Where the customer goes afterwards; `None` for [`Sequence::Recurring`], where nobody is asked.
    pub(crate) redirect_url: Option<&'a str>,
    pub(crate) webhook_url: &'a str,
    pub(crate) reference: &'a str,
    /// Only [`Sequence::OneOff`] goes without.
    pub(crate) customer_id: Option<&'a str>,
    pub(crate) sequence: Sequence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sequence {
    OneOff,
    /// The customer pays and agrees to be charged again: it makes a mandate.
    First,
    /// Charged at once by that mandate.
    Recurring,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct NewSubscription<'a> {
    pub(crate) customer_id: &'a str,
    pub(crate) amount: Amount<'a>,
    /// What the customer reads on a statement. No two active subscriptions of a customer may share it.
    pub(crate) description: &'a str,
    /// Such as `1 month`.
    pub(crate) interval: &'a str,
    /// The day of the first charge, `YYYY-MM-DD`.
    pub(crate) start_date: &'a str,
    pub(crate) webhook_url: &'a str,
    pub(crate) reference: &'a str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payment {
    pub(crate) id: String,
    pub(crate) status: PaymentStatus,
    pub(crate) cents: i64,
    /// ISO 4217.
    pub(crate) currency: String,
    pub(crate) customer_id: Option<String>,
    /// The subscription that it is a charge of.
    pub(crate) subscription_id: Option<String>,
    /// That of [`NewPayment`]; a charge of a subscription has none.
    pub(crate) reference: Option<String>,
    /// That of [`NewSubscription`].
    pub(crate) subscription_reference: Option<String>,
    /// Where the customer pays, while that is possible: an https URL.
    pub(crate) checkout_url: Option<String>,
    /// Whole where the payment was asked for; a payment that was just made has none.
    pub(crate) refunds: Vec<Reversal>,
    pub(crate) chargebacks: Vec<Reversal>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PaymentStatus {
    Open,
    Pending,
    Authorized,
    Paid,
    Failed,
    Canceled,
    Expired,
}

/// Money that goes back: a refund or a chargeback, in the currency of its payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reversal {
    pub(crate) id: String,
    pub(crate) cents: i64,
    /// Whether the money is gone, or on its way. A refund that was called off or failed does not stand, nor does a chargeback
    /// that was reversed: for good. One that waits is none yet.
    pub(crate) stands: bool,
}

/// Why there is no answer to go by. What the service said is on one line, short, and holds no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PaymentsError {
    /// Nobody answered, or not in a way that can be read; the service is busy; or it does not take our key, which the
    /// operator has to set right. The call may have had its effect. Another try makes sense.
    #[error("not now: {0}")]
    Unreachable(String),
    #[error("there is no such payment, subscription or customer")]
    NotFound,
    /// The service will not, however often it is asked. What it would refuse for certain is not even sent, with status 422.
    #[error("refused with status {status}: {sentence}")]
    Refused {
        status: u16,
        /// The parameter that it is about, as the service calls it.
        field: Option<String>,
        sentence: String,
    },
}
