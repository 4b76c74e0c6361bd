//! How a credential travels, and the requests that it travels with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Bytes;
use hyper::{Method, Request};

use super::credential::Credential;
use super::world;
use crate::api::Route;
use crate::gate::access::Access;

/// How a credential travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    Header,
    Bearer,
    Both,
    /// Beside another credential, which is none.
    BesideAnother,
    Basic,
    Query,
    /// The query of a request for a WebSocket.
    Upgrade,
}

pub(super) const CARRIERS: [Carrier; 7] = [
    Carrier::Header,
    Carrier::Bearer,
    Carrier::Both,
    Carrier::BesideAnother,
    Carrier::Basic,
    Carrier::Query,
    Carrier::Upgrade,
];

/// A request with an empty object and ids of nothing.
pub(super) fn request(route: &Route, credential: &Credential, carrier: Carrier) -> Request<Bytes> {
    let text = credential.text();
    let mut path = path_with(route, world::MISSING);
    if matches!(carrier, Carrier::Query | Carrier::Upgrade) && !text.is_empty() {
        path.push_str(&format!("?token={text}&api_key={text}"));
    }
    let mut request = world::json_request(route.method.clone().unwrap_or(Method::GET), &path, "{}");
    let headers = request.headers_mut();
    let mut set = |name: &'static str, value: String| {
        headers.insert(name, value.parse().unwrap());
    };
    if route.access == Access::CallersKey && !route.path.ends_with(['/', '}']) {
        set("x-original-method", "GET".to_owned());
        set("x-original-uri", world::ASKED.to_owned());
    }
    if carrier == Carrier::Upgrade {
        world::ask_for_websocket(headers);
    }
    if text.is_empty() {
        return request;
    }
    let mut set = |name: &'static str, value: String| {
        headers.insert(name, value.parse().unwrap());
    };
    match carrier {
        Carrier::Header => set("x-api-key", text),
        Carrier::Bearer => set("authorization", format!("Bearer {text}")),
        Carrier::Both => {
            set("authorization", format!("Bearer {text}"));
            set("x-api-key", text);
        }
        Carrier::BesideAnother => {
            set("authorization", format!("Bearer {text}"));
            set("x-api-key", "nex_another".to_owned());
        }
        Carrier::Basic => {
            let pair = STANDARD.encode(format!("{}:{text}", credential.client_id));
            set("authorization", format!("Basic {pair}"));
        }
        Carrier::Query | Carrier::Upgrade => {}
    }
    request
}

/// The route's path with `id` for what it captures.
pub(super) fn path_with(route: &Route, id: &str) -> String {
    let Some((before, rest)) = route.path.split_once('{') else {
        return route.path.to_owned();
    };
    let (name, after) = rest.split_once('}').unwrap();
    assert!(
        !after.contains('{'),
        "{}: more than one thing is named",
        route.path
    );
    match name.strip_prefix('*') {
        Some(_) => format!("{before}{}", world::ASKED.trim_start_matches('/')),
        None => format!("{before}{id}{after}"),
    }
}
