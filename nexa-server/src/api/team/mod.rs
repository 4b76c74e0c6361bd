//! `/api/team/*`: the users of a tenant.

pub(crate) mod invites;
pub(crate) mod members;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::domain::principal::Role;

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
