//! `/api/team/members`: who belongs to the tenant, and as what.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::route::Cx;
use super::super::wire::{PageOf, PageQuery, page};
use crate::domain::principal::Role;
use crate::domain::{Error, keys, team};
use crate::http::extract::{Body, Path, Query};
use crate::http::reply::{Ok200, Success};
use crate::store::users::User;
use crate::time::UnixMillis;

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TeamMember {
    id: String,
    /// Null for the backend user of an agent, and for one whose address went to somebody else.
    email: Option<String>,
    /// Whether somebody has followed the link in a mail to the address.
    email_verified: bool,
    role: String,
    /// False for a user who has been disabled.
    enabled: bool,
    created_at: UnixMillis,
}

impl From<User> for TeamMember {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            email: user.email_given,
            email_verified: user.email_verified_at.is_some(),
            role: user.role,
            enabled: user.is_active,
            created_at: user.created_at,
        }
    }
}

pub(crate) fn list(
    cx: &mut Cx<'_>,
    Query(query): Query<PageQuery>,
) -> Result<PageOf<TeamMember>, Error> {
    let member = cx.member()?;
    let page = page(query.limit, query.before);
    let members = cx.read(|tx| team::members(tx, member, &page))?;
    Ok(PageOf::of(cx, members, TeamMember::from))
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct MemberPath {
    id: String,
}

/// What a user may do in the tenant.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum RoleName {
    Owner,
    Admin,
    Member,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Owner => Self::Owner,
            RoleName::Admin => Self::Admin,
            RoleName::Member => Self::Member,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct RoleChange {
    role: RoleName,
}

pub(crate) fn update(
    cx: &mut Cx<'_>,
    (Path(path), Body(body)): (Path<MemberPath>, Body<RoleChange>),
) -> Result<Ok200<TeamMember>, Error> {
    let role = body.role.into();
    let user =
        cx.weaken(move |tx, now, origin| team::change_role(tx, now, origin, &path.id, role))?;
    Ok(Ok200(user.into()))
}

pub(crate) fn remove(
    cx: &mut Cx<'_>,
    Path(path): Path<MemberPath>,
) -> Result<Ok200<Success>, Error> {
    let id = path.id.clone();
    cx.weaken(move |tx, now, origin| team::begin_removing(tx, now, origin, &id))?;
    loop {
        let id = path.id.clone();
        if !cx.go_on(move |tx, now, _| keys::delete_part_of_user(tx, now, &id))? {
            break;
        }
    }
    cx.go_on(move |tx, now, origin| team::remove(tx, now, origin, &path.id))?;
    Ok(Ok200(Success))
}
