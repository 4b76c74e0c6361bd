//! Requests in process: the whole API as a call and mounted, and rules for one's own.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Frame};
use hyper::{Request, Response, StatusCode};
use nexa_server::{Ask, NewKey, Nexa, Server};
use serde_json::{Value, json};

use super::{LOCAL, call, config, open};

#[test]
fn a_body_over_the_limit_is_refused_without_a_socket_too() {
    let (nexa, _folder) = open();
    let body = "x".repeat(9_000_000);
    let (status, said) = call(&nexa, "POST", "/api/auth/login", "", &body);
    assert_eq!(
        (status, &said["code"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("body_too_large"))
    );
}

/// A body that breaks whoever reads it.
struct Panics;

impl hyper::body::Body for Panics {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("on purpose")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_panics_spoils_nothing_for_the_others() {
    let (nexa, _folder) = open();
    let peer = SocketAddr::new(LOCAL, 1);
    // More than there are places on the blocking pool.
    for _ in 0..300 {
        let nexa = nexa.clone();
        let request = Request::post("/api/auth/login").body(Panics).unwrap();
        assert!(
            tokio::spawn(async move { nexa.handle(peer, request).await })
                .await
                .is_err()
        );
    }
    let request = Request::get("/api/licenses/revocations").body(Full::new(Bytes::new()));
    assert_eq!(
        nexa.handle(peer, request.unwrap()).await.status(),
        StatusCode::OK
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn mounted_it_streams_and_refuses_as_the_listener_does() {
    let (nexa, _folder) = open();
    let peer = SocketAddr::new(LOCAL, 1);
    let agent = tokio::task::block_in_place(|| nexa.register_agent("Robot").unwrap());
    let request = |path: &str, body: String| {
        Request::builder()
            .method(if body.is_empty() { "GET" } else { "POST" })
            .uri(path)
            .header("x-api-key", agent.api_key.expose())
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .unwrap()
    };
    let export = nexa
        .handle(peer, request("/api/account/export", String::new()))
        .await;
    assert_eq!(export.status(), StatusCode::OK);
    let streamed = export.into_body().collect().await.unwrap().to_bytes();
    let gathered = call(
        &nexa,
        "GET",
        "/api/account/export",
        agent.api_key.expose(),
        "",
    )
    .1;
    let streamed: Value = serde_json::from_slice(&streamed).unwrap();
    assert_eq!(streamed["tenant"], gathered["tenant"]);
    assert!(streamed["tenant"].is_object(), "{streamed}");
    let huge = request("/api/v1/api-keys", "x".repeat(9_000_000));
    assert_eq!(
        nexa.handle(peer, huge).await.status(),
        StatusCode::PAYLOAD_TOO_LARGE
    );
    // A server that lets nothing be upgraded.
    let mut live = request("/api/ws/1", String::new());
    for (name, value) in [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ] {
        live.headers_mut()
            .insert(name, hyper::header::HeaderValue::from_static(value));
    }
    assert_eq!(
        nexa.handle(peer, live).await.status(),
        StatusCode::UPGRADE_REQUIRED
    );
    let missing = nexa.handle(peer, request("/nowhere", String::new())).await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_when_it_closes_ends_and_what_comes_later_is_refused() {
    let (nexa, folder) = open();
    let peer = SocketAddr::new(LOCAL, 1);
    let register = |nexa: Nexa, name: String| async move {
        let body = json!({ "name": name }).to_string();
        let request = Request::post("/v1/account/register")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)));
        let response: Response<_> = nexa.handle(peer, request.unwrap()).await;
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let said: Value = serde_json::from_slice(&body).unwrap();
        (status, said["api_key"].as_str().map(str::to_owned))
    };
    let first = register(nexa.clone(), "Robot first".to_owned()).await;
    assert_eq!(first.0, StatusCode::CREATED);
    let calls: Vec<_> = (0..15)
        .map(|n| tokio::spawn(register(nexa.clone(), format!("Robot {n}"))))
        .collect();
    let closing = nexa.clone();
    tokio::task::spawn_blocking(move || closing.close())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        register(nexa.clone(), "Late".to_owned()).await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    let mut acknowledged = vec![first.1.unwrap()];
    for call in calls {
        match call.await.unwrap() {
            (StatusCode::CREATED, Some(key)) => acknowledged.push(key),
            (status, key) => assert_eq!((status, key), (StatusCode::SERVICE_UNAVAILABLE, None)),
        }
    }
    tokio::task::spawn_blocking(move || {
        drop(nexa);
        let nexa = Nexa::open(config(folder.path())).unwrap();
        for key in acknowledged {
            nexa.check_key(key, &Ask::new()).unwrap();
        }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_port_shares_its_folder_with_calls_in_process() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::open(config(folder.path())).await.unwrap();
    let (nexa, address) = (server.nexa().clone(), server.address());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(server.run(async { drop(stopped.await) }));
    tokio::task::spawn_blocking(move || {
        let agent = nexa.register_agent("Robot").unwrap();
        let listed = ureq::get(format!("http://{address}/api/v1/api-keys"))
            .header("x-api-key", agent.api_key.expose())
            .call()
            .unwrap();
        assert_eq!(listed.status(), 200);
        drop(stop);
    })
    .await
    .unwrap();
    served.await.unwrap().unwrap();
}

#[test]
fn it_may_be_shared_by_threads_and_closed_inside_a_runtime() {
    fn shared<T: Clone + Send + Sync + 'static>(_: &T) {}
    let (nexa, _folder) = open();
    shared(&nexa);
    shared(&nexa.tenant("t"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async move { nexa.close().unwrap() });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_decide_on_a_request_of_ones_own() {
    let (nexa, _folder) = open();
    let made = tokio::task::block_in_place(|| {
        let tenant = nexa.tenant(nexa.register_agent("Robot").unwrap().tenant_id);
        let make = |scope: &str| {
            tenant
                .create_key(NewKey::new("k").scopes([scope]))
                .unwrap()
                .key
        };
        [make("signals"), make("agents")]
    });
    let [signals, agents] = &made;
    let both = [
        ("x-api-key", signals.expose()),
        ("authorization", &format!("Bearer {}", agents.expose())),
    ];
    let own = |key: &'static str, value| vec![(key, value)];
    for (path, headers, expected) in [
        ("/api/v1/trading-signals", vec![], 401),
        (
            "/api/v1/trading-signals",
            own("x-api-key", signals.expose()),
            200,
        ),
        (
            "/api/v1/trading-signals?q=1",
            own("x-api-key", signals.expose()),
            200,
        ),
        (
            "/api/v1/trading-signals",
            own("x-api-key", agents.expose()),
            403,
        ),
        ("/api/v1/trading-signals", both.to_vec(), 400),
        (
            "/api/v1//trading-signals",
            own("x-api-key", signals.expose()),
            403,
        ),
        (
            "/api/v1/x/../trading-signals",
            own("x-api-key", signals.expose()),
            403,
        ),
        ("/no/rule", own("x-api-key", signals.expose()), 403),
        // What headers say of another request says nothing here.
        (
            "/no/rule",
            vec![
                ("x-api-key", signals.expose()),
                ("x-original-uri", "/api/v1/trading-signals"),
                ("x-original-method", "GET"),
            ],
            403,
        ),
    ] {
        let mut request = Request::get(path);
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        // Once past the store, and once out of memory.
        for _ in 0..2 {
            let status = match nexa.authorize(LOCAL, &head).await {
                Ok(Some(_)) => 200,
                Ok(None) => panic!("{path} is not public"),
                Err(refused) => refused.into_response().status().as_u16(),
            };
            assert_eq!(status, expected, "{path} {headers:?}");
        }
    }
}
