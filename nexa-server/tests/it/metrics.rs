//! `/metrics`: what it shows of what has happened, to whom, and what the samples in `examples/` make of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::harness::{Server, nexa};
use crate::websocket::{Heard, WebSocket};

/// The samples of a page, by name and labels as they are written.
struct Page {
    samples: BTreeMap<String, f64>,
    /// The names that have a help and a type.
    families: BTreeSet<String>,
}

/// Where a server that was started with `--metrics-listen` shows its metrics.
fn page_url(server: &Server) -> String {
    let log = server.stderr();
    let said = log.split("metrics on ").nth(1).unwrap();
    said.split_whitespace().next().unwrap().to_owned()
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true);
    ureq::Agent::new_with_config(config.build())
}

impl Page {
    /// Reads the text format 0.0.4, and accepts nothing that is not in it.
    fn of(server: &Server) -> Self {
        let mut answer = agent().get(page_url(server)).call().unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        let format = answer.headers().get("content-type").unwrap();
        assert_eq!(format, "text/plain; version=0.0.4");
        let text = answer.body_mut().read_to_string().unwrap();
        let (mut samples, mut helped, mut families) =
            (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').unwrap();
                assert!(!help.is_empty() && helped.insert(name.to_owned()), "{line}");
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert!(matches!(kind, "counter" | "gauge" | "histogram"), "{line}");
                assert!(helped.contains(name), "{line}");
                assert!(families.insert(name.to_owned()), "{line}");
            } else {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let name = series.split('{').next().unwrap();
                let of_histogram = ["_bucket", "_sum", "_count"];
                let family = of_histogram.iter().find_map(|end| name.strip_suffix(end));
                assert!(
                    families.contains(name) || families.contains(family.unwrap_or_default()),
                    "{line}"
                );
                let known = samples.insert(series.to_owned(), value.parse().unwrap());
                assert!(known.is_none(), "{line}");
            }
        }
        Self { samples, families }
    }

    fn value(&self, series: &str) -> f64 {
        *(self.samples.get(series)).unwrap_or_else(|| panic!("no {series} in {:?}", self.samples))
    }
}

#[test]
fn a_websocket_that_finds_no_place_is_counted_and_logged_as_what_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nexa.toml");
    std::fs::write(&file, "log = \"debug\"\n[limits]\nwebsockets = 2\n").unwrap();
    let file = file.to_str().unwrap().to_owned();
    let arguments = ["--config", &file, "--metrics-listen", "127.0.0.1:0"];
    let server = Server::start_on(folder, &arguments);
    let [first, second] = ["a@example.com", "b@example.com"].map(|email| {
        let session = server.sign_up(email);
        format!(
            "/api/ws/1?token={}",
            server.make_key(&session, &["full_access"]).1
        )
    });
    let open = |target: &str| WebSocket::open(&server.url, target, &[]).0;
    let (mut oldest, _older, _theirs) = (open(&first), open(&first), open(&second));
    assert_eq!(oldest.heard(), Heard::Closed(1013));
    let (status, answer) = WebSocket::try_open(&server.url, &second, &[])
        .err()
        .unwrap();
    assert_eq!(status, 503, "{answer}");
    let header = |name: &str| {
        let mut lines = answer.lines().filter_map(|line| line.split_once(": "));
        let (_, value) = lines.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(value.to_owned())
    };
    assert!(header("retry-after").is_some(), "{answer}");
    let request_id = header("x-request-id").unwrap();
    let log = server.stderr();
    let mut lines = log.lines().filter(|line| line.contains(&request_id));
    assert!(lines.any(|line| line.contains("status=503")), "{log}");
    let page = Page::of(&server);
    let count = |status: u16| {
        let labels = format!("method=\"GET\",route=\"/api/ws/{{chat_id}}\",status=\"{status}\"");
        page.value(&format!("nexa_http_requests_total{{{labels}}}"))
    };
    assert_eq!([count(101), count(503)], [3.0, 1.0]);
    assert_eq!(page.value("nexa_websockets_displaced_total"), 1.0);
}

#[test]
fn the_page_shows_what_has_happened() {
    let server = Server::start_with(&["--metrics-listen", "127.0.0.1:0"]);
    let token = server.sign_up("ada@example.com");
    let (id, key) = server.make_key(&token, &["signals"]);
    let authorize = |key: &str, scope: &str| {
        let path = format!("/api/authorize?scope={scope}");
        server.get(&path).key(key).send().status
    };
    for _ in 0..3 {
        assert_eq!(authorize(&key, "signals"), 200);
    }
    assert_eq!(authorize(&key, "history"), 403);
    assert_eq!(authorize("nex_unknown", "signals"), 401);
    let body = serde_json::json!([{ "key": key }, { "key": "nex_unknown" }, { "key": key, "environment": "test" }]);
    let (_, checker) = server.make_key(&token, &["full_access"]);
    let verified = server.post("/api/v1/api-keys/verify", &body.to_string());
    assert_eq!(verified.key(&checker).send().status, 200);
    server.issue_license(&token, &"a".repeat(64));
    let key_path = format!("/api/v1/api-keys/{id}");
    assert_eq!(server.delete(&key_path).bearer(&token).send().status, 200);
    assert_eq!(authorize(&key, "signals"), 401);
    let login = r#"{"email":"nobody@example.com","password":"correct horse"}"#;
    let limited = (0..40).find(|_| server.post("/api/auth/login", login).send().status == 429);
    let limited = limited.expect("a limit of ten an hour");
    let page = Page::of(&server);
    let request = |method: &str, route: &str, status: u16| {
        let labels = format!("method=\"{method}\",route=\"{route}\",status=\"{status}\"");
        page.value(&format!("nexa_http_requests_total{{{labels}}}"))
    };
    let counted = |name: &str, label: &str, value: &str| {
        page.value(&format!("{name}{{{label}=\"{value}\"}}"))
    };
    let outcome = |value| counted("nexa_key_checks_total", "outcome", value);
    let shown = [
        ("authorized", request("GET", "/api/authorize", 200), 3.0),
        ("not allowed", request("GET", "/api/authorize", 403), 1.0),
        ("unknown", request("GET", "/api/authorize", 401), 2.0),
        (
            "template",
            request("DELETE", "/api/v1/api-keys/{id}", 200),
            1.0,
        ),
        ("issued", request("POST", "/api/licenses/issue", 201), 1.0),
        ("limited", request("POST", "/api/auth/login", 429), 1.0),
        ("valid", outcome("valid"), 5.0),
        ("scope", outcome("insufficient_scope"), 1.0),
        ("not found", outcome("not_found"), 3.0),
        ("environment", outcome("wrong_environment"), 1.0),
        ("expired", outcome("expired"), 0.0),
        (
            "by account",
            counted("nexa_rate_limited_total", "limit", "login_per_account"),
            1.0,
        ),
        (
            "by address",
            counted("nexa_rate_limited_total", "limit", "login_per_address"),
            0.0,
        ),
        ("licences", page.value("nexa_licenses"), 1.0),
        ("revoked", page.value("nexa_licenses_revoked"), 0.0),
        ("failed", page.value("nexa_store_failed"), 0.0),
        ("waiting", page.value("nexa_store_writes_waiting"), 0.0),
    ];
    for (what, found, expected) in shown {
        assert_eq!(found, expected, "{what}, limited after {limited}");
    }
    let durations = "nexa_http_request_duration_seconds";
    let of_route = "{route=\"/api/authorize\"";
    assert_eq!(page.value(&format!("{durations}_count{of_route}}}")), 6.0);
    let all = page.value(&format!("{durations}_bucket{of_route},le=\"+Inf\"}}"));
    assert_eq!(all, 6.0);
    for is_positive in [
        "nexa_store_commits_total",
        "nexa_store_database_bytes",
        "nexa_key_cache_keys",
        "nexa_key_cache_hits_total",
        "nexa_key_cache_misses_total",
        "nexa_http_connections_total",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_start_time_seconds",
    ] {
        assert!(page.value(is_positive) > 0.0, "{is_positive}");
    }
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(counted("nexa_build_info", "version", version), 1.0);
}

#[test]
fn strangers_add_no_series() {
    let server = Server::start_with(&["--metrics-listen", "127.0.0.1:0"]);
    let ask = |number: u32| {
        let paths = [
            format!("/nothing/{number}"),
            format!("/api/v1/api-keys/{number}"),
            format!("/api/authorize/of/{number}?a={number}"),
            format!("/api/licenses/status/{number}"),
        ];
        for path in paths {
            server.get(&path).send();
            server.request(&format!("BREW{number}"), &path).send();
        }
    };
    ask(1);
    let before: Vec<_> = Page::of(&server).samples.into_keys().collect();
    (2..50).for_each(ask);
    let after: Vec<_> = Page::of(&server).samples.into_keys().collect();
    assert_eq!(after, before);
}

#[test]
fn the_page_is_all_that_its_listener_has_and_the_other_one_has_it_not() {
    let server = Server::start_with(&["--metrics-listen", "127.0.0.1:0"]);
    let page = page_url(&server);
    let root = page.strip_suffix("/metrics").unwrap();
    for (method, path, status) in [
        ("GET", "/metrics", 200),
        ("HEAD", "/metrics", 200),
        ("GET", "/metrics?name=up", 200),
        ("POST", "/metrics", 405),
        ("DELETE", "/metrics", 405),
        ("GET", "/", 404),
        ("GET", "/metrics/", 404),
        ("GET", "/healthz", 404),
        ("GET", "/api/operator/keys", 404),
    ] {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{root}{path}"));
        let answer = agent().run(request.body(()).unwrap()).unwrap();
        assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        let allow = answer.headers().get("allow");
        assert_eq!(allow.is_some(), status == 405, "{method} {path}");
    }
    assert_eq!(server.get("/metrics").send().status, 404);
    let server = Server::start();
    assert!(!server.stderr().contains("metrics on"));
}

#[test]
fn an_address_that_is_taken_stops_the_start() {
    let server = Server::start_with(&["--metrics-listen", "127.0.0.1:0"]);
    let page = page_url(&server);
    let taken = page
        .trim_start_matches("http://")
        .trim_end_matches("/metrics");
    let folder = tempfile::tempdir().unwrap();
    let output = nexa()
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--metrics-listen",
            taken,
            "--data",
        ])
        .arg(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains(&format!("nexa: cannot listen on {taken}: ")),
        "{said}"
    );
    assert!(output.stdout.is_empty());
}

#[test]
fn a_server_that_is_asked_for_metrics_stops_all_the_same() {
    let mut server = Server::start_with(&["--metrics-listen", "127.0.0.1:0"]);
    let url = page_url(&server);
    let agent = agent();
    // Its connection stays open.
    assert_eq!(agent.get(&url).call().unwrap().status().as_u16(), 200);
    assert_eq!(server.stop("-TERM"), Some(0));
    assert!(agent.get(&url).call().is_err());
}

/// The words of an expression of PromQL that name metrics of ours.
fn metrics_in(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| {
        ["nexa_", "process_"]
            .iter()
            .any(|of_ours| word.starts_with(of_ours))
    })
}

#[test]
fn dashboard_and_alerts_name_metrics_that_are_shown() {
    let server = Server::start_with(&["--metrics-listen", "127.0.0.1:0"]);
    server.get("/.well-known/jwks.json").send();
    let page = Page::of(&server);
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let dashboard = std::fs::read_to_string(examples.join("grafana/nexa.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let mut expressions = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            expressions.push(target["expr"].as_str().unwrap().to_owned());
        }
    }
    let rules = std::fs::read_to_string(examples.join("prometheus/nexa.rules.yml")).unwrap();
    expressions.push(rules);
    let shown = |name: &str| {
        let histogram = name.strip_suffix("_bucket").unwrap_or(name);
        page.families.contains(histogram)
    };
    let mut named = BTreeSet::new();
    for expression in &expressions {
        for name in metrics_in(expression) {
            assert!(shown(name), "{name} in {expression}");
            named.insert(name.trim_end_matches("_bucket").to_owned());
        }
    }
    let unused: Vec<_> = page.families.difference(&named).collect();
    assert!(unused.is_empty(), "no panel shows {unused:?}");
}
