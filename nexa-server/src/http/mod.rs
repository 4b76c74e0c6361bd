//! HTTP, and nothing of Nexa: sockets in, typed inputs out, replies back.
//!
//! [`listen()`] turns bytes into bounded requests and hands them to a [`Serve`]; [`router`] finds the
//! row of a request; [`extract`] and [`reply`] are the typed ends of a handler, and both describe
//! themselves for [`openapi`].

mod answer;
mod body;
pub(crate) mod document;
pub(crate) mod extract;
mod handles;
mod io;
mod json;
pub(crate) mod json_stream;
mod limits;
pub(crate) mod lines;
mod listen;
pub(crate) mod media_type;
pub(crate) mod openapi;
mod pairs;
mod pick;
pub(crate) mod raw_body;
pub(crate) mod reply;
mod room;
pub(crate) mod router;
mod serve;
mod stream;
mod tree;
pub(crate) mod websocket;

#[cfg(test)]
mod tests;

pub(crate) use answer::unpanicked;
pub(crate) use json::{canonical as canonical_json, read as read_json};
pub(crate) use limits::Limits;
pub(crate) use listen::{Shared, listen};
pub(crate) use pairs::form_decode;
pub(crate) use pick::pick;
pub(crate) use serve::{Arrival, BodyProblem, ConnectionEvent, Outcome, Plan, Run, Serve};
pub(crate) use stream::Sent;
