//! `/api/users/me/*`: what belongs to the calling user.

pub(in super::super) mod api_keys;
