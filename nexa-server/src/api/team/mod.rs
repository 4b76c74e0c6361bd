//! `/api/team/*`: the users of a tenant.

pub(crate) mod invites;
pub(crate) mod members;
