//! `/api/leaks/*`: what scanners have found in public.

pub(crate) mod github;
