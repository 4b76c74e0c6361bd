//! Payments that begin: what is to be paid is settled and written down before anybody is asked for money.

use nexa_core::uuid_v7;
use rand_core::CryptoRng;

use super::super::audit::{self, Act, Origin};
use super::super::error::Error;
use super::super::idempotency::{self, Answered, Attempt};
use super::super::tariff::Tariff;
use super::super::{recharges, subscriptions, web_url};
use crate::store::payments::{self, Kind, Payment, State};
use crate::store::{Tx, payment_customers};
use crate::time::UnixMillis;

/// How long a payment that nobody has opened waits for a repeat of its call, in seconds.
const ABANDONED_S: i64 = 3600;
/// Of a top-up, in hundredths of the currency.
const CENTS_MIN: i64 = 100;
const CENTS_MAX: i64 = 1_000_000;

/// What chance and the caller give a payment.
pub(crate) struct NewPayment {
    id: String,
    /// If the tenant is no customer yet.
    customer_id: String,
    redirect_url: String,
}

/// What is to be paid for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The first month of a plan.
    Plan(String),
    Topup {
        cents: i64,
    },
    /// A top-up that allows others without the payer.
    RechargeSetup {
        threshold_mc: i64,
        cents: i64,
    },
}

/// A payment that is written down, or was before.
pub(crate) struct Begun {
    pub(crate) payment: Payment,
    /// The status of the first answer, where this is that answer once more.
    pub(crate) replayed: Option<u16>,
}

impl NewPayment {
    /// Checks where the payer is to go afterwards.
    ///
    /// # Errors
    /// `Invalid` for `redirect_url`.
    pub(crate) fn new(
        now: UnixMillis,
        rng: &mut dyn CryptoRng,
        redirect_url: String,
    ) -> Result<Self, Error> {
        web_url::check_page("redirect_url", &redirect_url)?;
        Ok(Self {
            id: uuid_v7(now.unsigned_ms(), rng),
            customer_id: uuid_v7(now.unsigned_ms(), rng),
            redirect_url,
        })
    }
}

/// Writes a payment down, or finds the one that the first call of this attempt has.
///
/// # Errors
/// `Forbidden` for anybody but a manager in person; `Invalid` naming the field; `Conflict` for a plan that the tenant pays
/// for; `IdempotencyKeyReused`.
pub(crate) fn begin(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    tariff: &Tariff,
    attempt: Option<&Attempt>,
    new: NewPayment,
    wanted: &Wanted,
) -> Result<Begun, Error> {
    let member = origin.principal.member()?;
    member.require_person()?;
    member.require_manager()?;
    let tenant_id = &member.tenant_id;
    if let Some(attempt) = attempt
        && let Some(earlier) = idempotency::earlier(tx, now, tenant_id, attempt)?
        && let Some(payment) = payments::find(tx, &earlier.answer)?
        // One that has failed before anybody could have paid it is begun anew.
        && (payment.state != State::Failed || payment.checkout_url.is_some())
    {
        return Ok(Begun {
            replayed: payment.checkout_url.as_ref().map(|_| earlier.status),
            payment,
        });
    }
    let (kind, plan_id, amount_cents) = match wanted {
        Wanted::Plan(plan_id) => {
            let price_cents = subscriptions::price_cents(tx, now, tariff, tenant_id, plan_id)?;
            (Kind::Subscription, Some(plan_id.clone()), price_cents)
        }
        Wanted::Topup { cents } => (Kind::Topup, None, top_up(*cents)?),
        Wanted::RechargeSetup {
            threshold_mc,
            cents,
        } => {
            let cents = top_up(*cents)?;
            recharges::set_up(tx, now, origin, *threshold_mc, cents)?;
            (Kind::RechargeSetup, None, cents)
        }
    };
    if kind != Kind::Topup {
        payment_customers::find_or_insert(tx, tenant_id, &new.customer_id)?;
    }
    let payment = Payment {
        id: new.id,
        tenant_id: tenant_id.clone(),
        kind,
        plan_id,
        subscription_id: None,
        amount_cents,
        currency: tariff.currency.clone(),
        state: State::New,
        provider_id: None,
        redirect_url: Some(new.redirect_url),
        checkout_url: None,
        created_at: now,
        tried_at: None,
        due_at: Some(now.plus_seconds(ABANDONED_S)),
        attempts: 0,
    };
    payments::insert(tx, &payment)?;
    if let Some(attempt) = attempt {
        let answered = Answered {
            status: attempt.status,
            kid: String::new(),
            answer: payment.id.clone(),
        };
        idempotency::record(tx, now, tenant_id, attempt, &answered)?;
    }
    let (tenant_id, id) = (Some(tenant_id.as_str()), Some(payment.id.as_str()));
    audit::record(tx, now, origin, Act::PaymentBegun, tenant_id, id)?;
    Ok(Begun {
        payment,
        replayed: None,
    })
}

/// The amount of a top-up, if that is one.
///
/// # Errors
/// `Invalid` for `amount_eur`.
pub(in crate::domain) fn top_up(cents: i64) -> Result<i64, Error> {
    match cents {
        CENTS_MIN..=CENTS_MAX => Ok(cents),
        _ => Err(Error::invalid("amount_eur", "must be from 1 to 10000")),
    }
}
