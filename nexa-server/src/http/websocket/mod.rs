//! WebSockets (RFC 6455): what a handshake must say, and what an app gives to the connection that follows.

mod conversation;

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{
    CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Response, StatusCode, Version};
use ring::digest;
use schemars::SchemaGenerator;
use tokio::sync::{oneshot, watch};

use super::extract::{BadInput, Extract, Input};
use super::openapi::Operation;
use super::reply::{Content, Respond};

pub(super) use conversation::{Conversations, Rules};

/// The one version of the protocol.
pub(crate) const VERSION: &str = "13";

/// What an app says on a connection: it is asked again and again, and keeps nothing while the peer takes its time.
pub(crate) struct Feed {
    /// Changes whenever there may be something to say.
    pub(crate) woken: watch::Receiver<()>,
    /// A short piece of blocking work; given the time in milliseconds since 1970.
    pub(crate) ask: Box<dyn FnMut(i64) -> Said + Send>,
    /// `None` where the app has places for everybody.
    pub(crate) place: Option<Place>,
}

/// What a connection holds of an app that has places for so many.
pub(crate) struct Place {
    /// Ends the connection at once, with what it brings, when the place is for another one.
    pub(crate) displaced: oneshot::Receiver<Closing>,
    /// Dropped when the socket is gone.
    pub(crate) held: Box<dyn Send>,
}

/// What a [`Feed`] answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// Messages, in order.
    pub(crate) texts: Vec<String>,
    pub(crate) then: Then,
}

/// How it goes on after what was said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// There is more to say as soon as the peer has taken this.
    GoOn,
    /// Nothing, until the feed is woken or so much time has passed.
    Rest(Duration),
    /// The end.
    Close(Closing),
}

/// Why a connection ends (RFC 6455 §7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closing {
    pub(crate) code: u16,
    /// For people; at most 123 bytes.
    pub(crate) reason: &'static str,
}

/// An opening handshake that holds (RFC 6455 §4.2.1).
#[derive(Debug)]
pub(crate) struct Handshake {
    accept: HeaderValue,
}

/// 101, and the feed of the connection.
#[derive(Debug)]
pub(crate) struct Switching {
    accept: HeaderValue,
    feed: Feed,
}

/// Whether a request asks for a WebSocket, well or badly: GET, HTTP/1.1, `Connection: upgrade`, `Upgrade: websocket`.
pub(crate) fn is_wanted(head: &Parts) -> bool {
    head.method == Method::GET
        && head.version == Version::HTTP_11
        && has_token(&head.headers, &CONNECTION, "upgrade")
        && has_token(&head.headers, &UPGRADE, "websocket")
}

impl Handshake {
    /// Goes on as a WebSocket.
    pub(crate) fn switch(self, feed: Feed) -> Switching {
        Switching {
            accept: self.accept,
            feed,
        }
    }
}

impl Extract for Handshake {
    fn extract(input: &Input<'_>) -> Result<Self, BadInput> {
        let headers = &input.head.headers;
        if !is_wanted(input.head) {
            return Err(BadInput::Upgrade {
                name: "Upgrade",
                problem: "this is a WebSocket: must be websocket, in a GET with Connection: upgrade and HTTP/1.1",
            });
        }
        if the_only(headers, &SEC_WEBSOCKET_VERSION) != Some(VERSION) {
            return Err(BadInput::Upgrade {
                name: "Sec-WebSocket-Version",
                problem: "must be 13",
            });
        }
        let key = the_only(headers, &SEC_WEBSOCKET_KEY).filter(|key| is_key(key));
        let key = key.ok_or(BadInput::Header {
            name: "Sec-WebSocket-Key",
            problem: "must be 16 bytes in Base64, once",
        })?;
        if !input.body.is_empty() {
            return Err(BadInput::Header {
                name: "Content-Length",
                problem: "a handshake has no body",
            });
        }
        Ok(Self {
            accept: accept(key),
        })
    }

    fn describe(_: &mut Operation, _: &mut SchemaGenerator) {}
}

impl Respond for Switching {
    fn respond(self) -> Response<Content> {
        let mut response = Response::new(Content::Upgrade(self.feed));
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept);
        response
    }

    fn describe(operation: &mut Operation, _: &mut SchemaGenerator) {
        operation.response(
            StatusCode::SWITCHING_PROTOCOLS,
            "A WebSocket (RFC 6455)",
            None,
        );
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Feed")
    }
}

/// RFC 6455 §4.2.2: shows that the key was read by a server that speaks the protocol. SHA-1 protects nothing here.
fn accept(key: &str) -> HeaderValue {
    const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let mut sum = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    sum.update(key.as_bytes());
    sum.update(GUID);
    let text = STANDARD.encode(sum.finish());
    HeaderValue::from_str(&text).expect("Base64 is visible ASCII")
}

fn is_key(text: &str) -> bool {
    STANDARD.decode(text).is_ok_and(|bytes| bytes.len() == 16)
}

/// The value of a field that stands once.
fn the_only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        (_, _) => None,
    }
}

/// Whether a field that is a list (RFC 9110 §5.6.1) has the token, in any case.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| item.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_answered_as_the_standard_shows() {
        // RFC 6455 §1.3.
        assert_eq!(
            accept("dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }
}
