//! Mollie's API v2: which question each call asks.

use serde::de::DeserializeOwned;

use super::answered::{WireNamed, WirePage, WirePayment};
use super::exchange::Exchange;
use super::parts::Kind;
use super::sent::{WireNewCustomer, WireNewPayment, WireNewSubscription};
use super::settings::MollieSettings;
use super::{NewCustomer, NewPayment, NewSubscription, Payment, Payments, PaymentsError};
use crate::http::read_json;

/// A client of the API.
pub(super) struct Mollie {
    exchange: Exchange,
}

/// How many pages of a list are read, the newest entries first, before it is given up.
const PAGES_MAX: usize = 200;
/// As [`PAGES_MAX`] where all customers stand in one list: the one that is looked for is among the newest, or was never made.
const CUSTOMER_PAGES: usize = 20;
/// Entries of a page; Mollie's default.
const PAGE: usize = 50;

impl Mollie {
    pub(super) fn new(settings: &MollieSettings) -> Self {
        Self {
            exchange: Exchange::new(settings),
        }
    }

    /// Reads the answer to a call that had its effect.
    fn read<T: DeserializeOwned>(&self, answer: &[u8]) -> Result<T, PaymentsError> {
        let read = read_json(answer);
        read.map_err(|bad| self.unreadable(&bad.sentence()))
    }

    fn unreadable(&self, problem: &str) -> PaymentsError {
        let problem = format!("an answer that cannot be read: {problem}");
        PaymentsError::Unreachable(self.exchange.one_line(&problem))
    }

    fn read_payment(&self, answer: &[u8]) -> Result<Payment, PaymentsError> {
        let payment: WirePayment = self.read(answer)?;
        payment.read().map_err(|problem| self.unreadable(&problem))
    }

    /// The id of what a call has made.
    fn made(&self, kind: Kind, answer: &[u8]) -> Result<String, PaymentsError> {
        let made: WireNamed = self.read(answer)?;
        kind.id(made.id)
            .map_err(|problem| self.unreadable(&problem))
    }

    /// The id of the entry in the list at this path whose metadata holds `reference` under the name of its kind, in so many pages.
    fn find(
        &self,
        path: &str,
        kind: Kind,
        reference: &str,
        pages: usize,
    ) -> Result<Search, PaymentsError> {
        let (list, name) = kind.listed();
        let first = format!("{path}?limit={PAGE}");
        let mut path = first.clone();
        for _ in 0..pages {
            let page: WirePage = self.read(&self.exchange.get(&path)?)?;
            let unreadable = |problem: String| self.unreadable(&problem);
            let next = page.next(kind).map_err(unreadable)?;
            let found = page.find(list, kind, name, reference);
            match (found.map_err(unreadable)?, next) {
                (Some(id), _) => return Ok(Search::Found(id)),
                (None, None) => return Ok(Search::Missing),
                (None, Some(from)) => path = format!("{first}&from={from}"),
            }
        }
        Ok(Search::GivenUp)
    }

    /// As [`find`](Self::find) in the whole list of a customer: what is not found is not there.
    fn find_of_customer(
        &self,
        customer_id: &str,
        kind: Kind,
        reference: &str,
    ) -> Result<Option<String>, PaymentsError> {
        known(Kind::Customer, customer_id)?;
        let (list, _) = kind.listed();
        let path = format!("/v2/customers/{customer_id}/{list}");
        match self.find(&path, kind, reference, PAGES_MAX)? {
            Search::Found(id) => Ok(Some(id)),
            Search::Missing => Ok(None),
            Search::GivenUp => {
                let problem = format!("more than {PAGES_MAX} pages of {list}");
                Err(PaymentsError::Unreachable(problem))
            }
        }
    }
}

/// What has come of a search.
enum Search {
    Found(String),
    Missing,
    /// There are more pages.
    GivenUp,
}

/// What is no id goes into no path: there is nothing of that name.
fn known(kind: Kind, id: &str) -> Result<(), PaymentsError> {
    match kind.names(id) {
        true => Ok(()),
        false => Err(PaymentsError::NotFound),
    }
}

impl Payments for Mollie {
    fn create_customer(
        &self,
        idempotency_key: &str,
        customer: &NewCustomer<'_>,
    ) -> Result<String, PaymentsError> {
        let body = WireNewCustomer::of(customer);
        let answer = self
            .exchange
            .post("/v2/customers", idempotency_key, &body)?;
        self.made(Kind::Customer, &answer)
    }

    fn customer_of(&self, reference: &str) -> Result<Option<String>, PaymentsError> {
        let found = self.find("/v2/customers", Kind::Customer, reference, CUSTOMER_PAGES)?;
        Ok(match found {
            Search::Found(id) => Some(id),
            Search::Missing | Search::GivenUp => None,
        })
    }

    fn create_payment(
        &self,
        idempotency_key: &str,
        payment: &NewPayment<'_>,
    ) -> Result<Payment, PaymentsError> {
        let body = WireNewPayment::of(payment)?;
        let answer = self.exchange.post("/v2/payments", idempotency_key, &body)?;
        let made = self.read_payment(&answer)?;
        // An answer to another call, kept under the same idempotency key, is none to this one.
        let is_ours = made.reference.as_deref() == Some(payment.reference)
            && (made.cents, made.currency.as_str())
                == (payment.amount.cents, payment.amount.currency);
        match is_ours {
            true => Ok(made),
            false => Err(self.unreadable("it is about another payment")),
        }
    }

    fn payment(&self, id: &str) -> Result<Payment, PaymentsError> {
        known(Kind::Payment, id)?;
        let path = format!("/v2/payments/{id}?embed=refunds,chargebacks");
        let payment = self.read_payment(&self.exchange.get(&path)?)?;
        match payment.id == id {
            true => Ok(payment),
            false => Err(self.unreadable("it is about another payment")),
        }
    }

    fn payment_of(
        &self,
        customer_id: &str,
        reference: &str,
    ) -> Result<Option<Payment>, PaymentsError> {
        let id = self.find_of_customer(customer_id, Kind::Payment, reference)?;
        // Lists do not tell what has gone back.
        id.map(|id| self.payment(&id)).transpose()
    }

    fn create_subscription(
        &self,
        idempotency_key: &str,
        subscription: &NewSubscription<'_>,
    ) -> Result<String, PaymentsError> {
        known(Kind::Customer, subscription.customer_id)?;
        let path = format!("/v2/customers/{}/subscriptions", subscription.customer_id);
        let body = WireNewSubscription::of(subscription)?;
        let answer = self.exchange.post(&path, idempotency_key, &body)?;
        self.made(Kind::Subscription, &answer)
    }

    fn subscription_of(
        &self,
        customer_id: &str,
        reference: &str,
    ) -> Result<Option<String>, PaymentsError> {
        self.find_of_customer(customer_id, Kind::Subscription, reference)
    }

    fn charges_of(
        &self,
        customer_id: &str,
        subscription_id: &str,
    ) -> Result<Vec<String>, PaymentsError> {
        known(Kind::Customer, customer_id)?;
        known(Kind::Subscription, subscription_id)?;
        let path = format!(
            "/v2/customers/{customer_id}/subscriptions/{subscription_id}/payments?limit={PAGE}"
        );
        let page: WirePage = self.read(&self.exchange.get(&path)?)?;
        page.ids("payments", Kind::Payment)
            .map_err(|problem| self.unreadable(&problem))
    }

    fn cancel_subscription(&self, customer_id: &str, id: &str) -> Result<(), PaymentsError> {
        known(Kind::Customer, customer_id)?;
        known(Kind::Subscription, id)?;
        let path = format!("/v2/customers/{customer_id}/subscriptions/{id}");
        match self.exchange.delete(&path) {
            Ok(_) | Err(PaymentsError::NotFound) => Ok(()),
            // "The subscription has been cancelled."; both spellings occur.
            Err(PaymentsError::Refused {
                status: 422,
                sentence,
                ..
            }) if sentence.contains("has been cancel") || sentence.contains("already") => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn delete_customer(&self, id: &str) -> Result<(), PaymentsError> {
        known(Kind::Customer, id)?;
        match self.exchange.delete(&format!("/v2/customers/{id}")) {
            Ok(_) | Err(PaymentsError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
