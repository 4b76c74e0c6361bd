//! `/api/v1/*`.

pub(super) mod api_keys;
