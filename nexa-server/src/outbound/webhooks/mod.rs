//! Deliveries of webhooks: one POST to a URL that a tenant has chosen, at a checked address, and what became of it.

mod guard;
mod places;
#[cfg(test)]
mod tests;

use std::time::Duration;

use ureq::Agent;
use ureq::unversioned::resolver::{DefaultResolver, Resolver};
use ureq::unversioned::transport::{Connector, RustlsConnector, TcpConnector};

use guard::{Blocked, Guard};

pub(crate) use guard::AllowedHosts;

/// From the look at the name to the head of the answer.
const TIME: Duration = Duration::from_secs(15);
/// Of the head of an answer; of its body nothing is read.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// One attempt, signed.
pub(crate) struct Post<'a> {
    pub(crate) url: &'a str,
    pub(crate) id: &'a str,
    /// Unix seconds.
    pub(crate) timestamp: u64,
    pub(crate) signature: &'a str,
    /// JSON.
    pub(crate) body: &'a str,
}

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// `Retry-After`, where it is a number of seconds.
    pub(crate) retry_after_s: Option<u64>,
}

/// Sends deliveries.
///
/// # Security
/// Whoever chooses a URL must reach nothing that only this machine reaches: see [`Guard`]. There are no redirects, no proxy and no
/// connection that is used twice; what failed is told in words of our own, never in those of the receiver.
pub(crate) struct Sender {
    agent: Agent,
}

impl Sender {
    pub(crate) fn new(allowed: AllowedHosts) -> Self {
        Self::with_resolver(allowed, DefaultResolver::default(), TIME)
    }

    fn with_resolver(allowed: AllowedHosts, resolver: impl Resolver, time: Duration) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(time))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .proxy(None)
            .max_idle_connections(0)
            .max_response_header_size(HEAD_BYTES_MAX)
            .user_agent(concat!("nexa-webhooks/", env!("CARGO_PKG_VERSION")))
            .build();
        let connector = ().chain(TcpConnector::default()).chain(RustlsConnector::default());
        let guard = Guard { allowed, resolver };
        Self {
            agent: Agent::with_parts(config, connector, guard),
        }
    }

    /// Sends one attempt, and waits for the head of the answer.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn send(&self, post: &Post<'_>) -> Result<Answer, &'static str> {
        let answered = self
            .agent
            .post(post.url)
            .header("Content-Type", "application/json")
            .header("webhook-id", post.id)
            .header("webhook-timestamp", post.timestamp.to_string())
            .header("webhook-signature", post.signature)
            .send(post.body);
        let response = answered.map_err(|error| problem(&error))?;
        let retry_after = response.headers().get("Retry-After");
        Ok(Answer {
            status: response.status().as_u16(),
            retry_after_s: retry_after.and_then(|seconds| seconds.to_str().ok()?.parse().ok()),
        })
    }
}

fn problem(error: &ureq::Error) -> &'static str {
    match error {
        ureq::Error::Other(other) => match other.downcast_ref::<Blocked>() {
            Some(blocked) => blocked.sentence(),
            None => "no connection",
        },
        ureq::Error::Timeout(_) => "no answer in time",
        ureq::Error::HostNotFound => "the host name is not known",
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => "no TLS connection",
        ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => "no answer of HTTP/1.1",
        _ => "no connection",
    }
}
