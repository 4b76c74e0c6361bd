//! `POST /api/credits/topup`: credits that stay.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::amounts::Money;
use super::super::payments::provider;
use super::super::route::Cx;
use crate::domain::Error;
use crate::domain::payments::{NewPayment, Wanted};
use crate::http::extract::Body;
use crate::http::reply::{Created, Repeatable, Secret};

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Topup {
    /// In the currency of the server, from 1 to 10000.
    amount_eur: Money,
    /// Where the payer goes afterwards.
    redirect_url: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToPay {
    /// Where the payer pays.
    pub(super) checkout_url: String,
}

pub(crate) fn topup(
    cx: &mut Cx<'_>,
    Body(body): Body<Topup>,
) -> Result<Secret<Repeatable<Created<ToPay>>>, Error> {
    let new = NewPayment::new(cx.now, cx.rng, body.redirect_url)?;
    let wanted = Wanted::Topup {
        cents: body.amount_eur.0.units(),
    };
    to_pay(cx, new, wanted)
}

/// Has a payment begun that somebody has to be there for.
pub(super) fn to_pay(
    cx: &mut Cx<'_>,
    new: NewPayment,
    wanted: Wanted,
) -> Result<Secret<Repeatable<Created<ToPay>>>, Error> {
    let opened = provider::pay(cx, new, wanted)?;
    Ok(Secret(Repeatable {
        reply: Created(ToPay {
            checkout_url: opened.checkout_url,
        }),
        replayed: opened.replayed,
    }))
}
