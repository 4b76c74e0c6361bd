//! `/api/account`: what the law gives people: a copy of their data, and its end.

pub(crate) mod export;

use schemars::JsonSchema;
use serde::Deserialize;

use super::route::Cx;
use crate::domain::{Error, erasure, password_change};
use crate::gate::limit::Limit;
use crate::http::extract::Body;
use crate::http::reply::Completion;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Erasure {
    /// The calling owner's, once more.
    password: String,
}

/// With 200 nothing personal of the tenant is left in the data folder; with 202 it will be gone without another call: the
/// file is large, or somebody reads it.
pub(crate) fn erase(cx: &mut Cx<'_>, Body(body): Body<Erasure>) -> Result<Completion, Error> {
    let member = cx.member()?;
    let user = cx.read(|tx| password_change::caller(tx, member))?;
    cx.limit(Limit::LoginPerAccount, &user.id)?;
    password_change::check_own(user, &body.password)?;
    // What follows may take long, and others want to log in meanwhile.
    cx.permit = None;
    let tenant_id = cx.weaken(erasure::begin_own)?;
    Ok(cx.finish_erasure(&tenant_id))
}
