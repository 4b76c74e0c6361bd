//! `POST /api/payments/webhook`: the provider says that something has happened to a payment.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::route::Cx;
use super::provider;
use crate::domain::Error;
use crate::http::extract::Form;
use crate::http::reply::{Ok200, Success};

/// What has happened is not in it: that is asked for, since anybody can send this.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Happened {
    /// Of the payment.
    id: String,
}

/// Answers when what has happened has had its effect, or is none of this server's; otherwise the provider is to try again.
pub(crate) fn webhook(
    cx: &mut Cx<'_>,
    Form(happened): Form<Happened>,
) -> Result<Ok200<Success>, Error> {
    provider::look(cx.services, cx.now, cx.rng, &happened.id)?;
    cx.wake_payments();
    Ok(Ok200(Success))
}
