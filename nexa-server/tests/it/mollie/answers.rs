//! The calls of the API that the imitation knows, and how it shows what they are about.

use std::net::SocketAddr;

use serde_json::{Map, Value, json};

use super::http::{Answer, Call};
use super::ledger::{Amount, Customer, Ledger, Payment, Subscription, named, shown};

/// When everything happens.
const NOW: &str = "2026-03-14T17:00:52+00:00";

type Made = Result<Answer, Answer>;

impl Ledger {
    pub(super) fn act(&mut self, call: &Call, address: SocketAddr) -> Answer {
        let segments: Vec<&str> = call.path.split('/').skip(1).collect();
        let answer = match (call.method.as_str(), &segments[..]) {
            ("POST", ["v2", "customers"]) => self.create_customer(call),
            ("GET", ["v2", "customers"]) => {
                let customers = self.customers.iter().filter(|known| !known.is_deleted);
                let shown = customers.map(show_customer).collect();
                self.page("customers", shown, call, address)
            }
            ("GET", ["v2", "customers", id]) => self
                .customer_named(id)
                .map(|customer| Answer::new(200, show_customer(customer))),
            ("DELETE", ["v2", "customers", id]) => self.delete_customer(id),
            ("POST", ["v2", "payments"]) => self.create_payment(call),
            ("GET", ["v2", "payments", id]) => self.get_payment(id, call),
            ("GET", ["v2", "customers", id, "payments"]) => {
                self.customer_named(id).map(|_| ()).and_then(|()| {
                    let of_customer =
                        |payment: &&Payment| payment.customer_id.as_deref() == Some(id);
                    let payments = self.payments.iter().filter(of_customer);
                    let shown = payments.map(|payment| show_payment(payment, "")).collect();
                    self.page("payments", shown, call, address)
                })
            }
            ("POST", ["v2", "customers", id, "subscriptions"]) => {
                self.create_subscription(id, call)
            }
            ("GET", ["v2", "customers", id, "subscriptions"]) => {
                self.customer_named(id).map(|_| ()).and_then(|()| {
                    let of_customer =
                        |subscription: &&Subscription| subscription.customer_id == *id;
                    let subscriptions = self.subscriptions.iter().filter(of_customer);
                    let shown = subscriptions.map(show_subscription).collect();
                    self.page("subscriptions", shown, call, address)
                })
            }
            ("GET", ["v2", "customers", customer_id, "subscriptions", id]) => self
                .subscription_named(customer_id, id)
                .map(|subscription| Answer::new(200, show_subscription(subscription))),
            (
                "GET",
                [
                    "v2",
                    "customers",
                    customer_id,
                    "subscriptions",
                    id,
                    "payments",
                ],
            ) => {
                let found = self.subscription_named(customer_id, id).map(|_| ());
                found.and_then(|()| {
                    let of_it = |payment: &&Payment| payment.subscription_id.as_deref() == Some(id);
                    let payments = self.payments.iter().filter(of_it);
                    let shown = payments.map(|payment| show_payment(payment, "")).collect();
                    self.page("payments", shown, call, address)
                })
            }
            ("DELETE", ["v2", "customers", customer_id, "subscriptions", id]) => {
                self.cancel_subscription(customer_id, id)
            }
            _ => Err(missing("No such endpoint")),
        };
        answer.unwrap_or_else(|error| error)
    }

    fn create_customer(&mut self, call: &Call) -> Made {
        let mut body = body(call, &["name", "email", "locale", "metadata"])?;
        let mut take = |name: &str| body.remove(name).unwrap_or(Value::Null);
        let (name, email, metadata) = (take("name"), take("email"), take("metadata"));
        if email.as_str().is_some_and(|email| !email.contains('@')) {
            return Err(unprocessable("The email address is invalid", Some("email")));
        }
        let customer = Customer {
            id: self.id("cst_"),
            name,
            email,
            metadata,
            is_deleted: false,
        };
        let shown = show_customer(&customer);
        self.customers.push(customer);
        Ok(Answer::new(201, shown))
    }

    fn delete_customer(&mut self, id: &str) -> Made {
        self.customer_named(id)?;
        self.remove_customer(id);
        Ok(Answer::new(204, Value::Null))
    }

    pub(super) fn remove_customer(&mut self, id: &str) {
        self.revoke_mandates(id);
        for customer in &mut self.customers {
            customer.is_deleted |= customer.id == id;
        }
        for subscription in &mut self.subscriptions {
            if subscription.customer_id == id {
                subscription.status = "canceled";
            }
        }
    }

    fn create_payment(&mut self, call: &Call) -> Made {
        let names = [
            "amount",
            "customerId",
            "description",
            "mandateId",
            "metadata",
            "method",
            "locale",
            "redirectUrl",
            "sequenceType",
            "webhookUrl",
        ];
        let body = body(call, &names)?;
        let amount = amount(&body)?;
        let description = required(&body, "description")?;
        let sequence = body.get("sequenceType").and_then(Value::as_str);
        let sequence = sequence.unwrap_or("oneoff").to_owned();
        let customer_id = body.get("customerId").and_then(Value::as_str);
        if let Some(id) = customer_id {
            self.customer_named(id)?;
        }
        let mandate_id = match (sequence.as_str(), customer_id) {
            ("oneoff", _) | ("first", Some(_)) => None,
            ("recurring", Some(id)) => Some(self.valid_mandate(id).ok_or_else(no_mandate)?),
            ("first" | "recurring", None) => {
                let detail = "The customer id is required for this sequence type";
                return Err(unprocessable(detail, Some("customerId")));
            }
            _ => {
                let detail = "The sequence type is invalid";
                return Err(unprocessable(detail, Some("sequenceType")));
            }
        };
        let is_recurring = sequence == "recurring";
        let redirect_url = match is_recurring {
            true => Value::Null,
            false => required(&body, "redirectUrl")?.into(),
        };
        let payment = Payment {
            id: self.id("tr_"),
            amount,
            description,
            redirect_url,
            webhook_url: webhook(&body),
            metadata: body.get("metadata").cloned().unwrap_or(Value::Null),
            customer_id: customer_id.map(str::to_owned),
            sequence,
            subscription_id: None,
            mandate_id,
            status: if is_recurring { "pending" } else { "open" },
            refunds: Vec::new(),
            chargebacks: Vec::new(),
        };
        let id = payment.id.clone();
        self.add(payment);
        let payment = named(self.payments.iter(), &id, |known| &known.id);
        Ok(Answer::new(201, show_payment(payment, "")))
    }

    fn get_payment(&self, id: &str, call: &Call) -> Made {
        let payment = self.payments.iter().find(|known| known.id == id);
        let payment =
            payment.ok_or_else(|| missing(&format!("No payment exists with token {id}.")))?;
        let embed = call.query("embed").unwrap_or_default();
        Ok(Answer::new(200, show_payment(payment, embed)))
    }

    fn create_subscription(&mut self, customer_id: &str, call: &Call) -> Made {
        let names = [
            "amount",
            "description",
            "interval",
            "mandateId",
            "metadata",
            "method",
            "startDate",
            "times",
            "webhookUrl",
        ];
        let body = body(call, &names)?;
        self.customer_named(customer_id)?;
        let amount = amount(&body)?;
        let (description, interval) = (
            required(&body, "description")?,
            required(&body, "interval")?,
        );
        let start_date = required(&body, "startDate")?.parse();
        let start_date = start_date
            .map_err(|_| unprocessable("The start date is invalid", Some("startDate")))?;
        let mut of_customer = self
            .subscriptions
            .iter()
            .filter(|known| known.customer_id == customer_id && known.status == "active");
        if of_customer.any(|known| known.description == description) {
            let detail = "A subscription with this description already exists for this customer";
            return Err(unprocessable(detail, Some("description")));
        }
        let mandate_id = self.valid_mandate(customer_id).ok_or_else(no_mandate)?;
        let subscription = Subscription {
            id: self.id("sub_"),
            customer_id: customer_id.to_owned(),
            mandate_id,
            amount,
            description,
            interval,
            start_date,
            charges: 0,
            webhook_url: webhook(&body),
            metadata: body.get("metadata").cloned().unwrap_or(Value::Null),
            status: "active",
        };
        let shown = show_subscription(&subscription);
        self.subscriptions.push(subscription);
        Ok(Answer::new(201, shown))
    }

    fn cancel_subscription(&mut self, customer_id: &str, id: &str) -> Made {
        self.subscription_named(customer_id, id)?;
        let subscription = named(self.subscriptions.iter_mut(), id, |known| &known.id);
        if subscription.status == "canceled" {
            let detail = "The subscription has been canceled";
            return Err(unprocessable(detail, None));
        }
        subscription.status = "canceled";
        Ok(Answer::new(200, show_subscription(subscription)))
    }

    fn customer_named(&self, id: &str) -> Result<&Customer, Answer> {
        match self.customers.iter().find(|known| known.id == id) {
            Some(customer) if customer.is_deleted => {
                let detail = "The customer is no longer available";
                Err(Answer::error(410, "Gone", detail, None))
            }
            Some(customer) => Ok(customer),
            None => Err(missing(&format!("No customer exists with token {id}."))),
        }
    }

    fn subscription_named(&self, customer_id: &str, id: &str) -> Result<&Subscription, Answer> {
        self.customer_named(customer_id)?;
        let is_it = |known: &&Subscription| known.id == id && known.customer_id == customer_id;
        let found = self.subscriptions.iter().find(is_it);
        found.ok_or_else(|| missing(&format!("No subscription exists with token {id}.")))
    }

    /// The newest first, from `from` on.
    fn page(&self, list: &str, mut entries: Vec<Value>, call: &Call, address: SocketAddr) -> Made {
        entries.reverse();
        if let Some(from) = call.query("from") {
            let start = entries.iter().position(|entry| entry["id"] == from);
            let start = start.ok_or_else(|| missing("No such place in the list"))?;
            entries.drain(..start);
        }
        let limit = call.query("limit").map_or(Ok(50), str::parse);
        let limit = limit.ok().filter(|limit| (1..=250).contains(limit));
        let limit = limit
            .ok_or_else(|| Answer::error(400, "Bad Request", "Invalid limit", Some("limit")))?;
        let limit = self.page.unwrap_or(limit).min(limit);
        let link = |query: String| {
            let href = format!("http://{address}{}?{query}", call.path);
            json!({ "href": href, "type": "application/hal+json" })
        };
        let next = entries.get(limit).and_then(|entry| entry["id"].as_str());
        let next = next.map(|id| link(format!("from={id}&limit={limit}")));
        entries.truncate(limit);
        Ok(Answer::new(
            200,
            json!({
                "count": entries.len(),
                "_embedded": { list: entries },
                "_links": { "self": link(format!("limit={limit}")), "previous": null, "next": next },
            }),
        ))
    }

    pub(super) fn show_payment(&self, id: &str) -> Value {
        let payment = named(self.payments.iter(), id, |known| &known.id);
        show_payment(payment, "refunds,chargebacks")
    }

    pub(super) fn show_subscription(&self, id: &str) -> Value {
        show_subscription(named(self.subscriptions.iter(), id, |known| &known.id))
    }

    pub(super) fn show_customer(&self, id: &str) -> Value {
        show_customer(named(self.customers.iter(), id, |known| &known.id))
    }
}

fn show_customer(customer: &Customer) -> Value {
    json!({
        "resource": "customer",
        "id": customer.id,
        "mode": "test",
        "name": customer.name,
        "email": customer.email,
        "locale": null,
        "metadata": customer.metadata,
        "createdAt": NOW,
        "_links": {},
    })
}

fn show_payment(payment: &Payment, embed: &str) -> Value {
    let mut shown_payment = json!({
        "resource": "payment",
        "id": payment.id,
        "mode": "test",
        "createdAt": NOW,
        "amount": payment.amount.show(),
        "description": payment.description,
        "method": null,
        "metadata": payment.metadata,
        "status": payment.status,
        "details": null,
        "profileId": "pfl_QkEhN94Ba",
        "sequenceType": payment.sequence,
        "redirectUrl": payment.redirect_url,
        "_links": {
            "self": {
                "href": format!("https://api.mollie.com/v2/payments/{}", payment.id),
                "type": "application/hal+json",
            },
        },
    });
    for (name, value) in [
        ("webhookUrl", &payment.webhook_url),
        ("customerId", &payment.customer_id),
        ("subscriptionId", &payment.subscription_id),
        ("mandateId", &payment.mandate_id),
    ] {
        if let Some(value) = value {
            shown_payment[name] = value.as_str().into();
        }
    }
    let currency = &payment.amount.currency;
    match payment.status {
        "open" => {
            shown_payment["_links"]["checkout"] = json!({
                "href": format!("https://www.mollie.com/checkout/select-method/{}", &payment.id[3..]),
                "type": "text/html",
            });
        }
        "paid" => {
            let alive = payment.refunds.iter().filter(|refund| refund.is_alive());
            let refunded: u64 = alive.map(|refund| refund.cents).sum();
            shown_payment["paidAt"] = NOW.into();
            shown_payment["amountRefunded"] = shown(currency, refunded);
            shown_payment["amountRemaining"] = shown(currency, payment.amount.cents - refunded);
        }
        "failed" => {
            shown_payment["failedAt"] = NOW.into();
            shown_payment["details"] = json!({
                "failureReason": "insufficient_funds",
                "failureMessage": "The card has insufficient funds",
            });
        }
        _ => {}
    }
    let embeds = |name: &str| embed.split(',').any(|embedded| embedded == name);
    if embeds("refunds") {
        let refunds = payment.refunds.iter().map(|refund| {
            json!({
                "resource": "refund",
                "id": refund.id,
                "amount": shown(currency, refund.cents),
                "status": refund.status,
                "createdAt": NOW,
                "description": "",
                "metadata": null,
                "paymentId": payment.id,
                "_links": {},
            })
        });
        shown_payment["_embedded"]["refunds"] = refunds.collect();
    }
    if embeds("chargebacks") {
        let chargebacks = payment.chargebacks.iter().map(|chargeback| {
            json!({
                "resource": "chargeback",
                "id": chargeback.id,
                "amount": shown(currency, chargeback.cents),
                "createdAt": NOW,
                "reversedAt": chargeback.is_reversed.then_some(NOW),
                "paymentId": payment.id,
                "_links": {},
            })
        });
        shown_payment["_embedded"]["chargebacks"] = chargebacks.collect();
    }
    shown_payment
}

fn show_subscription(subscription: &Subscription) -> Value {
    let mut shown = json!({
        "resource": "subscription",
        "id": subscription.id,
        "customerId": subscription.customer_id,
        "mandateId": subscription.mandate_id,
        "mode": "test",
        "createdAt": NOW,
        "status": subscription.status,
        "amount": subscription.amount.show(),
        "times": null,
        "interval": subscription.interval,
        "startDate": subscription.start_date.to_string(),
        "description": subscription.description,
        "method": null,
        "metadata": subscription.metadata,
        "webhookUrl": subscription.webhook_url,
        "_links": {},
    });
    match subscription.status {
        "active" => shown["nextPaymentDate"] = subscription.next_date().to_string().into(),
        "canceled" => shown["canceledAt"] = NOW.into(),
        _ => {}
    }
    shown
}

/// The members of a JSON object, all of which the endpoint knows.
fn body(call: &Call, known: &[&str]) -> Result<Map<String, Value>, Answer> {
    let Ok(Value::Object(body)) = serde_json::from_slice(&call.body) else {
        let detail = "The request body is not valid JSON";
        return Err(Answer::error(400, "Bad Request", detail, None));
    };
    match body.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(body),
        Some(name) => {
            let detail = format!("Non-existent body parameter \"{name}\" for this API call.");
            Err(unprocessable(&detail, Some(name)))
        }
    }
}

fn required(body: &Map<String, Value>, name: &str) -> Result<String, Answer> {
    match body.get(name).and_then(Value::as_str) {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => {
            let detail = format!("The '{name}' field is missing");
            Err(unprocessable(&detail, Some(name)))
        }
    }
}

/// More than nothing, with two decimals.
fn amount(body: &Map<String, Value>) -> Result<Amount, Answer> {
    let member = |name: &str| Some(body.get("amount")?.get(name)?.as_str()?.to_owned());
    let cents = |value: &str| {
        let (units, hundredths) = value.split_once('.')?;
        let is_written_so = hundredths.len() == 2 && !units.is_empty();
        format!("{units}{hundredths}")
            .parse::<u64>()
            .ok()
            .filter(|cents| is_written_so && *cents > 0)
    };
    let currency = member("currency").filter(|currency| currency.len() == 3);
    let cents = member("value").and_then(|value| cents(&value));
    match (currency, cents) {
        (Some(currency), Some(cents)) => Ok(Amount { currency, cents }),
        _ => Err(unprocessable("The amount is invalid", Some("amount"))),
    }
}

fn webhook(body: &Map<String, Value>) -> Option<String> {
    Some(body.get("webhookUrl")?.as_str()?.to_owned())
}

fn no_mandate() -> Answer {
    unprocessable("No suitable mandates found for customer", None)
}

fn unprocessable(detail: &str, field: Option<&str>) -> Answer {
    Answer::error(422, "Unprocessable Entity", detail, field)
}

fn missing(detail: &str) -> Answer {
    Answer::error(404, "Not Found", detail, None)
}
