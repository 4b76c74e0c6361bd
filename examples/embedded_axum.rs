//! A service of one's own in axum: its routes behind Nexa's keys and scope rules, and Nexa's whole API beside them.
//!
//! ```text
//! cargo run -p nexa-examples --example embedded_axum
//! ```
//!
//! It prints curl lines to try, and keeps its data in `nexa-data` in the working folder.

use std::error::Error;
use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use nexa_server::{Config, KeyFacts, NewKey, Nexa, Overrides};
use tokio::net::TcpListener;

type AnyError = Box<dyn Error + Send + Sync>;

/// The service's own routes; everything else is Nexa's.
fn app(nexa: &Nexa) -> Router {
    // The scope rules of the configuration decide, and they know /api/v1/trading-signals: it needs the scope `signals`.
    let own = Router::new()
        .route("/api/v1/trading-signals", get(signals))
        .layer(from_fn_with_state(nexa.clone(), behind_a_key));
    Router::new()
        .merge(own)
        .fallback(nexa_api)
        .with_state(nexa.clone())
}

/// Lets a request pass whose key the rules allow, and says whose it is.
async fn behind_a_key(
    State(nexa): State<Nexa>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let (head, body) = request.into_parts();
    match nexa.authorize(peer.ip(), &head).await {
        Ok(facts) => {
            let mut request = Request::from_parts(head, body);
            request.extensions_mut().insert(facts);
            next.run(request).await
        }
        Err(refused) => refused.into_response().map(Body::new),
    }
}

/// Nexa's own API.
async fn nexa_api(
    State(nexa): State<Nexa>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    nexa.handle(peer, request).await.map(Body::new)
}

async fn signals(Extension(facts): Extension<Option<KeyFacts>>) -> String {
    match facts {
        Some(key) => format!("the signals of tenant {}\n", key.tenant_id()),
        None => "the signals that everybody may see\n".to_owned(),
    }
}

#[tokio::main]
async fn main() -> Result<(), AnyError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let config = Config::load(
        None,
        Overrides {
            public_url: Some(url.clone()),
            ..Overrides::default()
        },
    )?;
    let (nexa, key) = tokio::task::spawn_blocking(move || opened(config)).await??;
    println!("refused: curl -i {url}/api/v1/trading-signals");
    println!("passes:  curl -i {url}/api/v1/trading-signals -H 'X-API-Key: {key}'");
    println!("Nexa's:  curl -i {url}/.well-known/jwks.json");
    let service = app(&nexa).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(stopped())
        .await?;
    tokio::task::spawn_blocking(|| nexa.close()).await??;
    Ok(())
}

/// Opens the folder, and makes a customer with a key.
fn opened(config: Config) -> Result<(Nexa, String), AnyError> {
    let nexa = Nexa::open(config)?;
    let customer = nexa.register_agent("Build robot")?.tenant_id;
    let made = (nexa.tenant(customer)).create_key(NewKey::new("ci").scopes(["signals"]))?;
    Ok((nexa, made.key.expose().to_owned()))
}

async fn stopped() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::http::StatusCode;

    /// The status and the body.
    fn ask(url: &str, headers: &[(&str, &str)]) -> Result<(StatusCode, String), AnyError> {
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let mut request = ureq::Agent::new_with_config(config.build()).get(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = request.call()?;
        Ok((response.status(), response.body_mut().read_to_string()?))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn its_own_routes_want_keys_and_all_else_is_nexas() -> Result<(), AnyError> {
        let folder = tempfile::tempdir()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let config = Config::load(
            None,
            Overrides {
                data: Some(folder.path().to_owned()),
                public_url: Some(url.clone()),
                ..Overrides::default()
            },
        )?;
        let (nexa, key) = opened(config)?;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let service = app(&nexa).into_make_service_with_connect_info::<SocketAddr>();
        let served =
            axum::serve(listener, service).with_graceful_shutdown(async { drop(stopped.await) });
        let served = tokio::spawn(async move { served.await });
        let asked = tokio::task::spawn_blocking(move || {
            let signals = format!("{url}/api/v1/trading-signals");
            let key = [("x-api-key", key.as_str())];
            let said: Vec<_> = [
                ask(&signals, &[])?,
                ask(&signals, &[("x-api-key", "nex_wrong")])?,
                ask(&signals, &key)?,
                ask(&format!("{url}/.well-known/jwks.json"), &[])?,
                ask(&format!("{url}/api/v1/api-keys"), &key)?,
                ask(&format!("{url}/nowhere"), &[])?,
            ]
            .into();
            Ok::<_, AnyError>(said)
        });
        let said = asked.await??;
        drop(stop);
        served.await??;
        let statuses: Vec<u16> = said.iter().map(|(status, _)| status.as_u16()).collect();
        // A key without full_access does not manage keys.
        assert_eq!(statuses, [401, 401, 200, 200, 403, 404], "{said:?}");
        let bodies: Vec<&str> = said.iter().map(|(_, body)| body.as_str()).collect();
        assert!(bodies[0].contains("API key required"), "{bodies:?}");
        assert!(bodies[1].contains("Invalid API key"), "{bodies:?}");
        assert!(
            bodies[2].starts_with("the signals of tenant "),
            "{bodies:?}"
        );
        assert!(bodies[3].contains("Ed25519"), "{bodies:?}");
        nexa.close()?;
        Ok(())
    }
}
