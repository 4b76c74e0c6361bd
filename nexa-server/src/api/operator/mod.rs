//! `/api/operator/*`: for whoever runs this server.

pub(super) mod keys;
