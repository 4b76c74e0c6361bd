//! `/api/payments/*`: what the payment provider calls, and how it is called.

pub(crate) mod customers;
pub(crate) mod provider;
pub(crate) mod subscribing;
pub(crate) mod webhook;
