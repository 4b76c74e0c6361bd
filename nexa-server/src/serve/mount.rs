//! The HTTP API without a socket of its own: as a function call, and inside somebody else's server.

use std::error::Error as StdError;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::Full;
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use hyper::header::UPGRADE;
use hyper::{Request, Response};

use super::nexa::Nexa;
use crate::http::{BodyProblem, Outcome, Sent, Serve, unpanicked};

/// The body of an answer: bytes that are all there, or (exports) chunks that are made while they are taken.
///
/// An error means that the answer was cut: close the connection, so that nobody takes what has come for the whole. hyper does.
pub struct Body(Sent);

impl Nexa {
    /// Answers one request of the HTTP API, whole, on the thread of the caller; it may wait for the disk, for a slow hash or for a
    /// payment provider. No runtime is needed.
    ///
    /// `peer` counts for the limits per address and stands in the audit trail: a program that calls for itself says
    /// `127.0.0.1`. `Host` is not looked at. An export is gathered in memory. There are no upgrades here.
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use nexa_server::{Config, Nexa, Overrides};
    /// # let folder = tempfile::tempdir()?;
    /// # let nexa = Nexa::open(Config::load(None, Overrides {
    /// #     data: Some(folder.path().to_owned()),
    /// #     public_url: Some("https://keys.example.com".to_owned()),
    /// #     ..Overrides::default()
    /// # })?)?;
    /// use hyper::{Request, StatusCode, body::Bytes};
    ///
    /// let request = Request::get("/.well-known/jwks.json").body(Bytes::new())?;
    /// let response = nexa.call([127, 0, 0, 1].into(), request);
    /// assert_eq!(response.status(), StatusCode::OK);
    /// # Ok(())
    /// # }
    /// ```
    pub fn call(&self, peer: IpAddr, request: Request<Bytes>) -> Response<Bytes> {
        let (mut head, body) = request.into_parts();
        // RFC 9110 §7.8: who does not upgrade ignores it.
        head.headers.remove(UPGRADE);
        let shell = self.shell();
        let arrival = self.shared().arrival(SocketAddr::new(peer, 0));
        let limit = shell.plan(&head).body_limit;
        if body.len() > limit {
            return shell.refuse(arrival, Some(&head), BodyProblem::TooLarge { limit });
        }
        let answer = unpanicked(|| match shell.handle(arrival, &head, &body, true) {
            Outcome::Reply(response) => Some(response),
            Outcome::Stream(response) => {
                let (head, chunks) = response.into_parts();
                let whole: Result<Vec<Bytes>, String> = chunks.collect();
                let whole = whole.inspect_err(|problem| {
                    tracing::error!(problem, "a part of an answer could not be made");
                });
                Some(Response::from_parts(head, whole.ok()?.concat().into()))
            }
            Outcome::Miss | Outcome::Upgrade(_) => None,
        });
        let panicked = || shell.refuse(arrival, Some(&head), BodyProblem::Panicked);
        answer.flatten().unwrap_or_else(panicked)
    }

    /// Answers a request that came to a server of the program's own, as [`Server`](crate::Server) answers its own: the same
    /// routes, limits of bodies and time, pools, and streams.
    ///
    /// `peer` is the other end of the connection: limits, `allowedIps` and `trusted_proxies` go by it.
    ///
    /// Nexa answers every path: mount it as the fallback of a router, or under a prefix that the router takes off (axum's
    /// `nest` does). Then `public_url` ends with the prefix; `/.well-known/` is to be handed on without one if clients are
    /// to find the key set by the issuer's host.
    ///
    /// WebSockets work where that server lets connections be upgraded: with hyper, `serve_connection(…).with_upgrades()`; axum
    /// does so.
    ///
    /// It needs a tokio runtime with its timer on. HTTP's framing (`Host`, the size of heads, slow clients) is the server's
    /// that read the request.
    ///
    /// # Examples
    /// With hyper:
    /// ```
    /// # use std::{convert::Infallible, net::SocketAddr};
    /// # use hyper::{body::Incoming, service::service_fn};
    /// # use nexa_server::Nexa;
    /// # fn service(nexa: Nexa, peer: SocketAddr) -> impl hyper::service::Service<hyper::Request<Incoming>> {
    /// service_fn(move |request| {
    ///     let nexa = nexa.clone();
    ///     async move { Ok::<_, Infallible>(nexa.handle(peer, request).await) }
    /// })
    /// # }
    /// ```
    /// With axum:
    /// ```text
    /// async fn nexa_api(State(nexa): State<Nexa>, ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request) -> Response {
    ///     nexa.handle(peer, request).await.map(axum::body::Body::new)
    /// }
    ///
    /// Router::new().route("/mine", get(mine)).fallback(nexa_api).with_state(nexa)
    /// ```
    pub async fn handle<B>(&self, peer: SocketAddr, request: Request<B>) -> Response<Body>
    where
        B: HttpBody<Data = Bytes>,
    {
        self.shared().answer(peer, request).await.map(Body)
    }
}

impl Body {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self(Sent::Whole(Full::new(bytes)))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Box<dyn StdError + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = Pin::new(&mut self.get_mut().0).poll_frame(cx);
        frame.map(|frame| frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Body")
    }
}
