//! `/openapi.json`: the route table as an OpenAPI 3.1 document.

use hyper::StatusCode;
use hyper::body::Bytes;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::json;

use super::dialect::Dialect;
use super::error::Problem;
use super::oauth_error::OauthProblem;
use super::route::{Cx, Route};
use crate::domain::Error;
use crate::gate::access::Access;
use crate::gate::idempotency::{HEADER, KEY_MAX, KEY_MIN};
use crate::http::openapi::{Document, Operation};
use crate::http::reply::RawJson;

pub(crate) fn get(cx: &mut Cx<'_>, (): ()) -> Result<RawJson, Error> {
    Ok(RawJson::cacheable(cx.services.openapi.clone(), 300))
}

/// Renders the document.
pub(crate) fn document(routes: &[Route]) -> Bytes {
    let mut document = Document::new("Nexa", env!("CARGO_PKG_VERSION"));
    document.security_scheme(
        "accessToken",
        json!({ "type": "http", "scheme": "bearer", "bearerFormat": "JWT" }),
    );
    document.security_scheme(
        "apiKey",
        json!({ "type": "apiKey", "in": "header", "name": "X-API-Key" }),
    );
    document.security_scheme(
        "licenseToken",
        json!({ "type": "http", "scheme": "bearer", "bearerFormat": "JWT" }),
    );
    document.security_scheme(
        "queryToken",
        json!({ "type": "apiKey", "in": "query", "name": "token" }),
    );
    document.security_scheme("client", json!({ "type": "http", "scheme": "basic" }));
    for route in routes {
        let mut operation = Operation::new(route.summary);
        (route.handler.describe)(&mut operation, document.schemas());
        operation.otherwise(
            "Refused or failed",
            match route.dialect {
                Dialect::Oauth => SchemaGenerator::subschema_for::<OauthProblem>,
                Dialect::Agentyk
                | Dialect::Nexora
                | Dialect::Nexgent
                | Dialect::Nexalayer
                | Dialect::Gateway => SchemaGenerator::subschema_for::<Problem>,
            },
        );
        if route.replays.is_some() {
            operation.parameters("header", &idempotency_key());
            for (status, description) in [
                (
                    StatusCode::CONFLICT,
                    "What stands already is in the way, or the first request with this Idempotency-Key is still running",
                ),
                (
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "This Idempotency-Key was sent with another request within the last 24 hours",
                ),
            ] {
                operation.response(
                    status,
                    description,
                    Some(SchemaGenerator::subschema_for::<Problem>),
                );
            }
        }
        operation.require(match route.access {
            Access::Public => &[],
            Access::Member | Access::Manager | Access::Checker => &["accessToken", "apiKey"],
            Access::Person | Access::ManagerInPerson | Access::OwnerInPerson => &["accessToken"],
            Access::OauthMember | Access::OauthChecker => &["accessToken", "apiKey", "client"],
            Access::WebsocketMember => &["accessToken", "apiKey", "queryToken"],
            Access::License => &["licenseToken"],
            Access::Operator | Access::CallersKey => &["apiKey"],
        });
        document.add(route.path, route.method.as_ref(), operation);
    }
    Bytes::from(document.to_json())
}

fn idempotency_key() -> Schema {
    json_schema!({
        "type": "object",
        "properties": { HEADER: {
            "type": "string",
            "minLength": KEY_MIN,
            "maxLength": KEY_MAX,
            "description": "Unique for what is to be done once. The same request with it within 24 hours is answered as the first one was, with Idempotency-Replayed: true.",
        } },
    })
}
