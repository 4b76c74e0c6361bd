//! The JSON of Mollie's API v2: what is sent, and what is made of its answers. Nothing in an answer is guessed at.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ureq::http::Uri;

use super::{
    Amount, NewCustomer, NewPayment, NewSubscription, Payment, PaymentStatus, PaymentsError,
    Reversal, Sequence,
};
use crate::outbound::url;
use crate::time::UnixMillis;

/// Kinds of things that Mollie knows, by the start of their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Customer,
    Payment,
    Subscription,
    Mandate,
    Refund,
    Chargeback,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Customer => "cst_",
            Self::Payment => "tr_",
            Self::Subscription => "sub_",
            Self::Mandate => "mdt_",
            Self::Refund => "re_",
            Self::Chargeback => "chb_",
        }
    }

    /// Whether it is an id of this kind: letters and digits that mean nothing else in a path.
    pub(super) fn names(self, id: &str) -> bool {
        id.strip_prefix(self.prefix()).is_some_and(|rest| {
            (1..=64).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric())
        })
    }

    pub(super) fn id(self, id: String) -> Result<String, String> {
        match self.names(&id) {
            true => Ok(id),
            false => Err(format!("{id:?} instead of an id {}…", self.prefix())),
        }
    }

    fn id_if_any(self, id: Option<String>) -> Result<Option<String>, String> {
        id.map(|id| self.id(id)).transpose()
    }
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct WireAmount {
    currency: String,
    /// With as many decimals as the currency has.
    value: String,
}

/// Whether a hundredth is the smallest part of the currency, as ISO 4217 and Mollie have it. Others would be charged a
/// hundred times too much, or a tenth.
pub(crate) fn has_cents(currency: &str) -> bool {
    const WITHOUT: &[&str] = &[
        "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
        "VUV", "XAF", "XOF", "XPF",
    ];
    const WITH_MORE: &[&str] = &[
        "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND", "CLF", "UYW",
    ];
    let is_code = currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_uppercase());
    is_code && !WITHOUT.contains(&currency) && !WITH_MORE.contains(&currency)
}

impl WireAmount {
    fn of(amount: Amount<'_>) -> Result<Self, PaymentsError> {
        let Amount { cents, currency } = amount;
        let refuse = |sentence: String| PaymentsError::Refused {
            status: 422,
            sentence,
        };
        if !has_cents(currency) {
            return Err(refuse(format!(
                "amount: {currency:?} is no currency that is counted in hundredths"
            )));
        }
        if cents <= 0 {
            return Err(refuse(format!(
                "amount: must be more than 0 cents, not {cents}"
            )));
        }
        Ok(Self {
            currency: currency.to_owned(),
            value: format!("{}.{:02}", cents / 100, cents % 100),
        })
    }

    fn cents(&self) -> Result<i64, String> {
        let read = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<i64>().ok().filter(|_| is_number)
        };
        let cents = || {
            let (units, hundredths) = self.value.split_once('.')?;
            let hundredths = (hundredths.len() == 2).then_some(hundredths)?;
            read(units)?
                .checked_mul(100)?
                .checked_add(read(hundredths)?)
        };
        match cents() {
            Some(cents) if has_cents(&self.currency) => Ok(cents),
            Some(_) | None => Err(format!(
                "{:?} {:?} instead of an amount such as 10.00 EUR",
                self.value, self.currency
            )),
        }
    }
}

#[derive(Serialize)]
pub(super) struct WireNewCustomer<'a> {
    name: &'a str,
    email: &'a str,
    metadata: Tenant<'a>,
}

#[derive(Serialize)]
struct Tenant<'a> {
    tenant: &'a str,
}

impl<'a> WireNewCustomer<'a> {
    pub(super) fn of(customer: &NewCustomer<'a>) -> Self {
        Self {
            name: customer.name,
            email: customer.email,
            metadata: Tenant {
                tenant: customer.reference,
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

/// What was made, as far as its name.
#[derive(Deserialize)]
pub(super) struct WireNamed {
    pub(super) id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WirePayment {
    id: String,
    status: String,
    amount: WireAmount,
    customer_id: Option<String>,
    subscription_id: Option<String>,
    mandate_id: Option<String>,
    /// Anything: payments that others have made through the same account stand in the same lists.
    metadata: Option<Value>,
    paid_at: Option<String>,
    details: Option<Value>,
    status_reason: Option<Value>,
    #[serde(rename = "_links")]
    links: Option<WireLinks>,
    #[serde(rename = "_embedded")]
    embedded: Option<WireEmbedded>,
}

#[derive(Deserialize)]
struct WireLinks {
    checkout: Option<WireLink>,
}

#[derive(Deserialize)]
struct WireLink {
    href: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireEmbedded {
    refunds: Vec<WireRefund>,
    chargebacks: Vec<WireChargeback>,
}

#[derive(Deserialize)]
struct WireRefund {
    id: String,
    amount: WireAmount,
    status: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireChargeback {
    id: String,
    amount: WireAmount,
    reversed_at: Option<String>,
}

impl WirePayment {
    pub(super) fn read(self) -> Result<Payment, String> {
        let embedded = self.embedded.unwrap_or_default();
        let currency = self.amount.currency.as_str();
        let refunds = embedded.refunds.into_iter();
        let chargebacks = embedded.chargebacks.into_iter();
        Ok(Payment {
            refunds: refunds
                .map(|refund| refund.read(currency))
                .collect::<Result<_, _>>()?,
            chargebacks: chargebacks
                .map(|chargeback| chargeback.read(currency))
                .collect::<Result<_, _>>()?,
            id: Kind::Payment.id(self.id)?,
            status: status(&self.status)?,
            cents: self.amount.cents()?,
            customer_id: Kind::Customer.id_if_any(self.customer_id)?,
            subscription_id: Kind::Subscription.id_if_any(self.subscription_id)?,
            mandate_id: Kind::Mandate.id_if_any(self.mandate_id)?,
            reference: member(self.metadata.as_ref(), "payment"),
            subscription_reference: member(self.metadata.as_ref(), "subscription"),
            checkout_url: self
                .links
                .and_then(|links| links.checkout)
                .map(|link| checkout_url(link.href))
                .transpose()?,
            paid_at: self.paid_at.as_deref().map(time).transpose()?,
            failure: member(self.status_reason.as_ref(), "code")
                .or_else(|| member(self.details.as_ref(), "failureReason"))
                .or_else(|| member(self.details.as_ref(), "bankReason"))
                .or_else(|| member(self.details.as_ref(), "bankReasonCode")),
            currency: self.amount.currency,
        })
    }
}

impl WireRefund {
    fn read(self, currency: &str) -> Result<Reversal, String> {
        Ok(Reversal {
            cents: reversed_cents(&self.amount, currency)?,
            id: Kind::Refund.id(self.id)?,
            stands: match self.status.as_str() {
                "processing" | "refunded" => true,
                // Those that wait can still be called off.
                "queued" | "pending" | "failed" | "canceled" => false,
                other => return Err(format!("{other:?} instead of the status of a refund")),
            },
        })
    }
}

impl WireChargeback {
    fn read(self, currency: &str) -> Result<Reversal, String> {
        Ok(Reversal {
            cents: reversed_cents(&self.amount, currency)?,
            id: Kind::Chargeback.id(self.id)?,
            stands: self.reversed_at.is_none(),
        })
    }
}

fn reversed_cents(amount: &WireAmount, currency: &str) -> Result<i64, String> {
    match amount.currency == currency {
        true => amount.cents(),
        false => Err(format!(
            "{:?} goes back, and {currency:?} was paid",
            amount.currency
        )),
    }
}

fn status(name: &str) -> Result<PaymentStatus, String> {
    match name {
        "open" => Ok(PaymentStatus::Open),
        "pending" => Ok(PaymentStatus::Pending),
        "authorized" => Ok(PaymentStatus::Authorized),
        "paid" => Ok(PaymentStatus::Paid),
        "failed" => Ok(PaymentStatus::Failed),
        "canceled" => Ok(PaymentStatus::Canceled),
        "expired" => Ok(PaymentStatus::Expired),
        other => Err(format!("{other:?} instead of the status of a payment")),
    }
}

/// It goes to browsers.
fn checkout_url(href: String) -> Result<String, String> {
    match url::check(&href) {
        Ok(()) => Ok(href),
        Err(rule) => Err(format!("checkout: {href:?} {rule}")),
    }
}

fn time(text: &str) -> Result<UnixMillis, String> {
    let time: Timestamp = text
        .parse()
        .map_err(|_| format!("{text:?} instead of a time"))?;
    Ok(UnixMillis::from_ms(time.as_millisecond()))
}

/// A text in an object that may be anything else.
fn member(value: Option<&Value>, name: &str) -> Option<String> {
    Some(value?.get(name)?.as_str()?.to_owned())
}

/// One page of a list.
#[derive(Deserialize)]
pub(super) struct WirePage {
    /// By the name of the list.
    #[serde(rename = "_embedded")]
    embedded: BTreeMap<String, Vec<WireListed>>,
    #[serde(rename = "_links")]
    links: WirePageLinks,
}

#[derive(Deserialize)]
struct WirePageLinks {
    next: Option<WireLink>,
}

#[derive(Deserialize)]
struct WireListed {
    id: String,
    metadata: Option<Value>,
}

impl WirePage {
    /// The id of the entry of that list whose metadata holds `reference` as `name`.
    pub(super) fn find(
        self,
        list: &str,
        kind: Kind,
        name: &str,
        reference: &str,
    ) -> Result<Option<String>, String> {
        let (_, entries) = self
            .embedded
            .into_iter()
            .find(|(found, _)| found == list)
            .ok_or_else(|| format!("a page without {list}"))?;
        let is_it = |entry: &WireListed| {
            member(entry.metadata.as_ref(), name).as_deref() == Some(reference)
        };
        let found = entries.into_iter().find(is_it);
        found.map(|entry| kind.id(entry.id)).transpose()
    }

    /// Where the next page begins. Its URL is not followed: it could lead our key to another place.
    pub(super) fn next(&self, kind: Kind) -> Result<Option<String>, String> {
        let Some(link) = &self.links.next else {
            return Ok(None);
        };
        let unread = || format!("next: {:?} instead of a page", link.href);
        let next: Uri = link.href.parse().map_err(|_| unread())?;
        let pairs = next.query().unwrap_or_default().split('&');
        let from = pairs.filter_map(|pair| pair.strip_prefix("from=")).next();
        let from = from.ok_or_else(unread)?;
        Ok(Some(kind.id(from.to_owned())?))
    }
}
