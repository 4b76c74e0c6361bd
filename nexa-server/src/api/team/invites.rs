//! `/api/team/invites` and `/api/team/invite`: who may become a member.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::route::Cx;
use super::super::wire::{PageOf, PageQuery, page};
use super::RoleName;
use crate::domain::Error;
use crate::domain::email::EmailAddress;
use crate::domain::team::{self, NewInvite};
use crate::gate::limit::Limit;
use crate::http::extract::{Body, Path, Query};
use crate::http::reply::{Created, Ok200, Success};
use crate::store::invites::Invite;
use crate::time::UnixMillis;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Invitation {
    email: String,
    /// `admin` or `member`.
    role: RoleName,
}

/// Its token goes to the address alone.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedInvite {
    id: String,
    email: String,
    role: String,
    /// The id of the user who invited.
    invited_by: String,
    created_at: UnixMillis,
    expires_at: UnixMillis,
}

impl From<Invite> for ListedInvite {
    fn from(invite: Invite) -> Self {
        Self {
            id: invite.id,
            email: invite.email_given,
            role: invite.role,
            invited_by: invite.invited_by,
            created_at: invite.created_at,
            expires_at: invite.expires_at,
        }
    }
}

pub(crate) fn create(
    cx: &mut Cx<'_>,
    Body(body): Body<Invitation>,
) -> Result<Created<ListedInvite>, Error> {
    let email = EmailAddress::parse(&body.email)?;
    let invite = NewInvite::new(cx.now, cx.rng, email, body.role.into())?;
    cx.limit(Limit::InvitePerTenant, &cx.member()?.tenant_id)?;
    let invite = cx.write(move |tx, now, origin| team::invite(tx, now, origin, invite))?;
    cx.wake_mail();
    Ok(Created(invite.into()))
}

pub(crate) fn list(
    cx: &mut Cx<'_>,
    Query(query): Query<PageQuery>,
) -> Result<PageOf<ListedInvite>, Error> {
    let member = cx.member()?;
    let page = page(query.limit, query.before);
    let invites = cx.read(|tx| team::invites(tx, cx.now, member, &page))?;
    Ok(PageOf::of(cx, invites, ListedInvite::from))
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct InvitePath {
    id: String,
}

pub(crate) fn withdraw(
    cx: &mut Cx<'_>,
    Path(path): Path<InvitePath>,
) -> Result<Ok200<Success>, Error> {
    cx.write(move |tx, now, origin| team::withdraw(tx, now, origin, &path.id))?;
    Ok(Ok200(Success))
}
