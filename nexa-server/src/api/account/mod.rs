//! `/api/account`: what the law gives people: a copy of their data, and its end.

pub(crate) mod export;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::auth::password::confirmed;
use super::route::Cx;
use crate::domain::{Error, erasure};
use crate::http::extract::Body;
use crate::http::reply::Completion;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Erasure {
    /// The calling owner's, once more.
    password: String,
}

/// With 200 nothing personal of the tenant is left in the data folder; with 202 it will be gone without another call: the
/// file is large or was rewritten just now, or somebody reads it.
pub(crate) fn erase(cx: &mut Cx<'_>, Body(body): Body<Erasure>) -> Result<Completion, Error> {
    confirmed(cx, &body.password)?;
    // What follows may take long, and others want to log in meanwhile.
    cx.permit = None;
    let tariff = Arc::clone(&cx.services.tariff);
    let tenant_id =
        cx.weaken(move |tx, now, origin| erasure::begin_own(tx, now, origin, &tariff))?;
    cx.wake_payments();
    Ok(cx.finish_erasure(&tenant_id))
}
