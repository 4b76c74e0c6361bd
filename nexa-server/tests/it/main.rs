//! Everything that is tested from outside: a real binary, real sockets, real files.

mod api;
mod cli;
mod documents;
mod harness;
mod tidy;
