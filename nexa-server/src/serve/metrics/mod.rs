//! What the server counts of its requests and connections, and the page that shows it to Prometheus.

mod page;
mod process;
mod readings;

use std::sync::OnceLock;
use std::time::Duration;

use hyper::{Method, StatusCode};
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts,
    Registry, TextEncoder,
};

use crate::domain::Error;
use crate::http::{BodyProblem, ConnectionEvent};

pub(super) use page::{LIMITS, Page};
pub(super) use readings::Readings;

/// Counters of one server; nothing is shared with other servers of the process.
///
/// A request costs a few atomic additions: the series of a route is looked up by its place in the table, and by its labels
/// only when it is counted for the first time.
pub(super) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    routes: Vec<RouteSeries>,
    refusals: IntCounterVec,
    open: IntGauge,
    opened: IntCounter,
    displaced: IntCounter,
    websockets: IntGauge,
    websockets_displaced: IntCounter,
}

/// What is counted of one route; of several routes at one path, each has handles of the same series.
struct RouteSeries {
    /// The path as the table has it, never as it was sent: labels are as many as there are routes.
    path: &'static str,
    durations: OnceLock<Histogram>,
    /// By the places of method and status.
    requests: OnceLock<Box<[OnceLock<IntCounter>]>>,
}

/// The label of whatever no route took.
const NO_ROUTE: &str = "none";

/// Whatever else is sent counts as [`OTHER_METHOD`].
const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];
const OTHER_METHOD: &str = "other";

/// Those that are usual; another one is looked up by its label each time.
const STATUSES: [u16; 29] = [
    101, 200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 408,
    409, 410, 413, 415, 422, 426, 429, 500, 502, 503,
];

/// From a look into memory to an exchange with a payment provider, in seconds.
const BUCKETS: [f64; 13] = [
    0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0,
];

impl Metrics {
    /// # Errors
    /// `Fault` for names that do not go together.
    pub(super) fn new(paths: impl Iterator<Item = &'static str>) -> Result<Self, Error> {
        Self::build(paths).map_err(|error| Error::Fault(format!("metrics: {error}")))
    }

    fn build(paths: impl Iterator<Item = &'static str>) -> prometheus::Result<Self> {
        let counters = |name: &str, help: &str, labels: &[&str]| {
            IntCounterVec::new(Opts::new(name, help), labels)
        };
        let metrics = Self {
            registry: Registry::new(),
            requests: counters(
                "nexa_http_requests_total",
                "Requests that were answered, by method, path of the route and status.",
                &["method", "route", "status"],
            )?,
            durations: HistogramVec::new(
                HistogramOpts::new(
                    "nexa_http_request_duration_seconds",
                    "Time from the end of a request's head to its answer, by path of the route.",
                )
                .buckets(BUCKETS.to_vec()),
                &["route"],
            )?,
            refusals: counters(
                "nexa_http_refusals_total",
                "Requests that the listener refused before any route saw them, by reason.",
                &["reason"],
            )?,
            open: IntGauge::new("nexa_http_connections_open", "Connections that are open.")?,
            opened: IntCounter::new(
                "nexa_http_connections_total",
                "Connections that were accepted.",
            )?,
            displaced: IntCounter::new(
                "nexa_http_connections_displaced_total",
                "Idle or unfinished connections that were cut because others needed their places.",
            )?,
            websockets: IntGauge::new("nexa_websockets_open", "WebSockets that are open.")?,
            websockets_displaced: IntCounter::new(
                "nexa_websockets_displaced_total",
                "WebSockets that were closed because tenants with fewer needed their places.",
            )?,
            routes: paths.chain([NO_ROUTE]).map(RouteSeries::of).collect(),
        };
        for reason in REASONS {
            metrics.refusals.with_label_values(&[reason]);
        }
        let registry = &metrics.registry;
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.durations.clone()))?;
        registry.register(Box::new(metrics.refusals.clone()))?;
        registry.register(Box::new(metrics.open.clone()))?;
        registry.register(Box::new(metrics.opened.clone()))?;
        registry.register(Box::new(metrics.displaced.clone()))?;
        registry.register(Box::new(metrics.websockets.clone()))?;
        registry.register(Box::new(metrics.websockets_displaced.clone()))?;
        Ok(metrics)
    }

    /// Counts one answer; `route` is the place of its route in the table.
    pub(super) fn answered(
        &self,
        route: Option<usize>,
        method: &Method,
        status: StatusCode,
        took: Duration,
    ) {
        let series = route.and_then(|place| self.routes.get(place));
        let Some(series) = series.or(self.routes.last()) else {
            return;
        };
        let histogram = || self.durations.with_label_values(&[series.path]);
        let durations = series.durations.get_or_init(histogram);
        durations.observe(took.as_secs_f64());
        let labelled = || {
            let labels = [method_label(method), series.path, status.as_str()];
            self.requests.with_label_values(&labels)
        };
        match series.counter(method, status) {
            Some(counter) => counter.get_or_init(labelled).inc(),
            None => labelled().inc(),
        }
    }

    /// Counts what the listener refused; the answer to it is counted beside.
    pub(super) fn refused(&self, problem: BodyProblem) {
        self.refusals.with_label_values(&[reason(problem)]).inc();
    }

    pub(super) fn connection(&self, event: ConnectionEvent) {
        match event {
            ConnectionEvent::Opened => {
                self.open.inc();
                self.opened.inc();
            }
            ConnectionEvent::Closed => self.open.dec(),
            ConnectionEvent::Displaced => self.displaced.inc(),
            ConnectionEvent::WebSocketOpened => self.websockets.inc(),
            ConnectionEvent::WebSocketClosed => self.websockets.dec(),
            ConnectionEvent::WebSocketDisplaced => self.websockets_displaced.inc(),
        }
    }

    /// Everything in Prometheus' text format 0.0.4: what is counted here, and what was read elsewhere for this page.
    ///
    /// # Errors
    /// `Fault` for metrics that break the format.
    pub(super) fn text(&self, readings: Readings) -> Result<Vec<u8>, Error> {
        let mut families = self.registry.gather();
        families.extend(readings.families());
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&families, &mut text)
            .map_err(|error| Error::Fault(format!("metrics: {error}")))?;
        Ok(text)
    }

    /// The path of a route, as labels and the log have it.
    pub(super) fn route_label(&self, route: Option<usize>) -> &'static str {
        let series = route.and_then(|place| self.routes.get(place));
        series.map_or(NO_ROUTE, |series| series.path)
    }
}

impl RouteSeries {
    fn of(path: &'static str) -> Self {
        Self {
            path,
            durations: OnceLock::new(),
            requests: OnceLock::new(),
        }
    }

    fn counter(&self, method: &Method, status: StatusCode) -> Option<&OnceLock<IntCounter>> {
        let status = STATUSES.binary_search(&status.as_u16()).ok()?;
        let method = METHODS.iter().position(|known| known == method);
        let place = method.unwrap_or(METHODS.len()) * STATUSES.len() + status;
        let room = (METHODS.len() + 1) * STATUSES.len();
        let requests = || (0..room).map(|_| OnceLock::new()).collect();
        self.requests.get_or_init(requests).get(place)
    }
}

/// A method by its name, if it is one that routes know: strangers choose no labels.
pub(super) fn method_label(method: &Method) -> &str {
    match METHODS.contains(method) {
        true => method.as_str(),
        false => OTHER_METHOD,
    }
}

const REASONS: [&str; 6] = [
    "host",
    "too_large",
    "timeout",
    "broken",
    "overloaded",
    "panicked",
];

const fn reason(problem: BodyProblem) -> &'static str {
    let [host, too_large, timeout, broken, overloaded, panicked] = REASONS;
    match problem {
        BodyProblem::Host => host,
        BodyProblem::TooLarge { .. } => too_large,
        BodyProblem::Timeout => timeout,
        BodyProblem::Broken => broken,
        BodyProblem::Overloaded => overloaded,
        BodyProblem::Panicked => panicked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_can_be_searched() {
        assert!(STATUSES.is_sorted());
    }

    #[test]
    fn strangers_choose_no_labels() {
        let metrics = Metrics::new(["/a", "/a", "/b/{id}"].into_iter()).unwrap();
        let count = |route, method: &[u8], status| {
            let method = Method::from_bytes(method).unwrap();
            let status = StatusCode::from_u16(status).unwrap();
            metrics.answered(route, &method, status, Duration::from_micros(300));
        };
        count(Some(0), b"GET", 200);
        count(Some(1), b"GET", 200);
        count(Some(1), b"POST", 201);
        count(Some(2), b"BREW", 418);
        count(Some(2), b"GET-ME", 200);
        count(None, b"GET", 404);
        count(Some(77), b"GET", 404);
        let families = metrics.registry.gather();
        let mut text = TextEncoder::new().encode_to_string(&families).unwrap();
        text.push('\n');
        for line in [
            "nexa_http_requests_total{method=\"GET\",route=\"/a\",status=\"200\"} 2",
            "nexa_http_requests_total{method=\"POST\",route=\"/a\",status=\"201\"} 1",
            "nexa_http_requests_total{method=\"other\",route=\"/b/{id}\",status=\"418\"} 1",
            "nexa_http_requests_total{method=\"other\",route=\"/b/{id}\",status=\"200\"} 1",
            "nexa_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"} 2",
            "nexa_http_request_duration_seconds_bucket{route=\"/a\",le=\"0.0001\"} 0",
            "nexa_http_request_duration_seconds_bucket{route=\"/a\",le=\"0.0005\"} 3",
            "nexa_http_request_duration_seconds_count{route=\"/a\"} 3",
            "nexa_http_refusals_total{reason=\"overloaded\"} 0",
        ] {
            assert!(text.contains(&format!("{line}\n")), "{line}\n{text}");
        }
    }
}
