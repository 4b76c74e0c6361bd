//! What goes to other machines: at the operator's word mail, payments, questions for the keys of issuers, and URLs of an object
//! store; at a tenant's, webhooks.
//!
//! Nothing below this layer knows it: only `api` and `job` send and ask; `config` reads the settings into its types, and the
//! shell opens what they name.

pub(crate) mod jwks;
pub(crate) mod mail;
pub(crate) mod object_store;
pub(crate) mod payments;
mod url;
pub(crate) mod webhooks;
