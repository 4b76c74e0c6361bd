//! What leaves the server for other machines, at the operator's word: one small trait for each kind, a real
//! implementation of it, and a null one for tests.
//!
//! This layer knows none of ours but the notion of an instant. Only `api` and `job` send; `config` reads the settings
//! into its types, and the shell opens what they name.

pub(crate) mod mail;
