//! `/v1/*`: the routes of the documents whose base is the host itself.

pub(crate) mod account;
pub(super) mod api_keys;
pub(super) mod key_id;
