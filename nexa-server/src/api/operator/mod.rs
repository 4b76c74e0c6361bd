//! `/api/operator/*`: for whoever runs this server.

pub(super) mod keys;
pub(super) mod tenants;
pub(super) mod users;
