//! What is made of Mollie's answers. Nothing in them is guessed at.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use ureq::http::Uri;

use super::parts::{Kind, WireAmount};
use super::{Payment, PaymentStatus, Reversal};
use crate::outbound::url;

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
    /// Anything: payments that others have made through the same account stand in the same lists.
    metadata: Option<Value>,
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
                .filter_map(|refund| refund.read(currency).transpose())
                .collect::<Result<_, _>>()?,
            chargebacks: chargebacks
                .map(|chargeback| chargeback.read(currency))
                .collect::<Result<_, _>>()?,
            id: Kind::Payment.id(self.id)?,
            status: status(&self.status)?,
            cents: self.amount.cents()?,
            customer_id: Kind::Customer.id_if_any(self.customer_id)?,
            subscription_id: Kind::Subscription.id_if_any(self.subscription_id)?,
            reference: member(self.metadata.as_ref(), "payment"),
            subscription_reference: member(self.metadata.as_ref(), "subscription"),
            checkout_url: self
                .links
                .and_then(|links| links.checkout)
                .map(|link| checkout_url(link.href))
                .transpose()?,
            currency: self.amount.currency,
        })
    }
}

impl WireRefund {
    /// `None` for one that waits: it may still be called off, and an answer that was overtaken by a later one must not look as
    /// if it had been.
    fn read(self, currency: &str) -> Result<Option<Reversal>, String> {
        let stands = match self.status.as_str() {
            "queued" | "pending" => None,
            "processing" | "refunded" => Some(true),
            "failed" | "canceled" => Some(false),
            other => return Err(format!("{other:?} instead of the status of a refund")),
        };
        let cents = reversed_cents(&self.amount, currency)?;
        let id = Kind::Refund.id(self.id)?;
        Ok(stands.map(|stands| Reversal { id, cents, stands }))
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
        let entries = self.entries(list)?;
        let is_it = |entry: &WireListed| {
            member(entry.metadata.as_ref(), name).as_deref() == Some(reference)
        };
        let found = entries.into_iter().find(is_it);
        found.map(|entry| kind.id(entry.id)).transpose()
    }

    /// The ids of all entries of that list.
    pub(super) fn ids(self, list: &str, kind: Kind) -> Result<Vec<String>, String> {
        let entries = self.entries(list)?.into_iter();
        entries.map(|entry| kind.id(entry.id)).collect()
    }

    fn entries(self, list: &str) -> Result<Vec<WireListed>, String> {
        let mut lists = self.embedded.into_iter();
        let found = lists.find(|(found, _)| found == list);
        found
            .map(|(_, entries)| entries)
            .ok_or_else(|| format!("a page without {list}"))
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
