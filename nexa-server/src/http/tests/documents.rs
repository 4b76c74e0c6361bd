//! Replies as bytes, and the OpenAPI document of a small table.

use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::extract::{Body, Extract, OptionalBody, Path, Query};
use super::super::openapi::{Document, Operation};
use super::super::reply::{Content, Created, Ok200, RawJson, Respond, Secret, Success};
use super::*;

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
struct Key {
    /// How long it is.
    length: u8,
    #[serde(default)]
    is_live: bool,
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Page {
    /// At most so many.
    #[serde(default)]
    limit: Option<u8>,
    before: String,
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct KeyPath {
    id: String,
}

fn seen(response: Response<Content>) -> (u16, Vec<String>, String) {
    let response = response.map(|content| match content {
        Content::Whole(bytes) => bytes,
        Content::Stream(_) | Content::Upgrade(_) => panic!("it is all there"),
    });
    let fields = response.headers().iter();
    let fields = fields
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    (
        response.status().as_u16(),
        fields,
        String::from_utf8(response.body().to_vec()).unwrap(),
    )
}

#[test]
fn replies_carry_status_type_and_caching() {
    let key = Key {
        length: 32,
        is_live: true,
    };
    let json = "content-type: application/json".to_owned();
    let text = r#"{"length":32,"is_live":true}"#.to_owned();
    assert_eq!(
        seen(Ok200(key).respond()),
        (200, vec![json.clone()], text.clone())
    );
    assert_eq!(
        seen(Created(key).respond()),
        (201, vec![json.clone()], text.clone())
    );
    let no_store = vec![json.clone(), "cache-control: no-store".to_owned()];
    assert_eq!(seen(Secret(Created(key)).respond()), (201, no_store, text));
    let public = vec![
        json.clone(),
        "cache-control: public, max-age=300".to_owned(),
    ];
    let raw = RawJson::cacheable(Bytes::from_static(b"{}"), 300);
    assert_eq!(seen(raw.respond()), (200, public, "{}".to_owned()));
    let success = r#"{"success":true}"#.to_owned();
    assert_eq!(seen(Ok200(Success).respond()), (200, vec![json], success));
}

fn document() -> Document {
    type Describe = fn(&mut Operation, &mut SchemaGenerator);
    fn both<I: Extract, O: Respond>() -> Describe {
        |operation, schemas| {
            I::describe(operation, schemas);
            O::describe(operation, schemas);
        }
    }
    let rows: [(&str, Option<Method>, Describe); 5] = [
        (
            "/keys",
            Some(Method::POST),
            both::<Body<Key>, Secret<Created<Key>>>(),
        ),
        (
            "/keys",
            Some(Method::GET),
            both::<Query<Page>, Ok200<Vec<Key>>>(),
        ),
        (
            "/keys/{id}",
            Some(Method::DELETE),
            both::<(Path<KeyPath>, OptionalBody<Key>), Ok200<Success>>(),
        ),
        ("/authorize/{*rest}", None, both::<(), RawJson>()),
        (
            "/pages/{before}",
            Some(Method::GET),
            both::<Path<Page>, Ok200<Key>>(),
        ),
    ];
    let mut document = Document::new("Sample", "1.2.3");
    document.security_scheme(
        "apiKey",
        json!({ "type": "apiKey", "in": "header", "name": "X-API-Key" }),
    );
    for (path, method, describe) in rows {
        let mut operation = Operation::new("Does it");
        describe(&mut operation, document.schemas());
        operation.require(&["apiKey"]);
        document.add(path, method.as_ref(), operation);
    }
    document.add("/open", None, Operation::new("Anyone"));
    document
}

#[test]
fn the_document_says_what_the_types_say() {
    let text = document().to_json();
    assert_eq!(text, document().to_json(), "two builds are the same bytes");
    let value: Value = serde_json::from_str(&text).unwrap();
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let number = json!({ "type": "integer", "format": "uint8", "minimum": 0, "maximum": 255 });
    for (pointer, expected) in [
        ("/openapi", json!("3.1.1")),
        ("/info", json!({ "title": "Sample", "version": "1.2.3" })),
        (
            "/components/securitySchemes/apiKey/name",
            json!("X-API-Key"),
        ),
        ("/paths/~1keys/post/operationId", json!("post_keys")),
        ("/paths/~1keys/post/summary", json!("Does it")),
        ("/paths/~1keys/post/security", json!([{ "apiKey": [] }])),
        ("/paths/~1open/get/security", json!([])),
        ("/paths/~1keys/post/requestBody/required", json!(true)),
        (
            "/paths/~1keys/post/requestBody/content/application~1json/schema",
            reference("Key"),
        ),
        (
            "/paths/~1keys/post/responses/201/content/application~1json/schema",
            reference("KeyReply"),
        ),
        (
            "/paths/~1keys/get/responses/200/content/application~1json/schema/items",
            reference("KeyReply"),
        ),
        // Read with a default, but always written.
        ("/components/schemas/Key/required", json!(["length"])),
        (
            "/components/schemas/KeyReply/required",
            json!(["length", "is_live"]),
        ),
        (
            "/components/schemas/Key/properties/length/description",
            json!("How long it is."),
        ),
        ("/components/schemas/Success/required", json!(["success"])),
        (
            "/paths/~1keys/get/parameters",
            json!([
                { "name": "before", "in": "query", "required": true, "schema": { "type": "string" } },
                { "name": "limit", "in": "query", "required": false, "description": "At most so many.",
                  "schema": { "type": ["integer", "null"], "format": "uint8", "minimum": 0, "maximum": 255,
                              "default": null } },
            ]),
        ),
        (
            "/paths/~1keys~1{id}/delete/parameters",
            json!([
                { "name": "id", "in": "path", "required": true, "schema": { "type": "string" } },
            ]),
        ),
        (
            "/paths/~1keys~1{id}/delete/requestBody/required",
            json!(false),
        ),
        (
            "/paths/~1authorize~1{rest}/get/parameters/0/name",
            json!("rest"),
        ),
        (
            "/paths/~1pages~1{before}/get/parameters",
            json!([
                { "name": "before", "in": "path", "required": true, "schema": { "type": "string" } },
            ]),
        ),
    ] {
        assert_eq!(value.pointer(pointer), Some(&expected), "{pointer}");
    }
    assert_eq!(
        value.pointer("/components/schemas/Key/properties/length/maximum"),
        number.get("maximum")
    );
}

/// Every reference leads somewhere.
#[test]
fn no_reference_dangles() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(
                    fields
                        .get("$ref")
                        .and_then(Value::as_str)
                        .map(str::to_owned),
                );
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let value: Value = serde_json::from_str(&document().to_json()).unwrap();
    let mut found = Vec::new();
    references(&value, &mut found);
    assert!(found.len() > 4);
    for reference in found {
        assert!(
            value.pointer(reference.trim_start_matches('#')).is_some(),
            "{reference}"
        );
    }
}
