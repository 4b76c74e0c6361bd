//! `/api/account`: what the law gives people: a copy of their data, and its end.

pub(crate) mod export;

use schemars::JsonSchema;
use serde::Deserialize;

use super::route::Cx;
use crate::domain::{Error, erasure, password_change};
use crate::gate::limit::Limit;
use crate::http::extract::Body;
use crate::http::reply::{Ok200, Success};

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Erasure {
    /// The calling owner's, once more.
    password: String,
}

/// When it answers, nothing personal of the tenant is left in the data folder, unless the store stood in the way: the
/// erasure has begun for good then, and the job finishes it.
pub(crate) fn erase(cx: &mut Cx<'_>, Body(body): Body<Erasure>) -> Result<Ok200<Success>, Error> {
    let member = cx.member()?;
    let user = cx.read(|tx| password_change::caller(tx, member))?;
    cx.limit(Limit::LoginPerAccount, &user.id)?;
    password_change::check_own(user, &body.password)?;
    let tenant_id = cx.weaken(erasure::begin_own)?;
    cx.finish_erasure(&tenant_id);
    Ok(Ok200(Success))
}
