//! `/api/users/*`

pub(super) mod me;
