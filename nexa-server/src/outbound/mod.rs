//! What goes to other machines at the operator's word: mail, and questions for the keys of issuers.
//!
//! This layer knows none of ours but the notion of an instant. Only `api` and `job` send and ask; `config` reads the
//! settings into its types, and the shell opens what they name.

pub(crate) mod jwks;
pub(crate) mod mail;
