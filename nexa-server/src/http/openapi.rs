//! The OpenAPI 3.1 document, grown one operation at a time.

use std::collections::BTreeMap;

use hyper::{Method, StatusCode};
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// An OpenAPI 3.1 document under construction.
///
/// Operations, parameters and schemas come out in one fixed order, so that two builds of the same
/// table give the same bytes and a snapshot can pin them.
pub(crate) struct Document {
    title: String,
    version: String,
    paths: BTreeMap<String, Map<String, Value>>,
    security_schemes: BTreeMap<String, Value>,
    /// Inputs and replies are described apart: a defaulted field is optional in one and always
    /// there in the other.
    inputs: SchemaGenerator,
    replies: SchemaGenerator,
}

/// One method on one path.
#[derive(Debug, Default)]
pub(crate) struct Operation {
    summary: String,
    parameters: Vec<Parameter>,
    request_body: Option<Value>,
    responses: BTreeMap<u16, Answer>,
    otherwise: Option<Answer>,
    security: Vec<String>,
}

/// Makes a schema in the generator it is given.
type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

#[derive(Debug)]
struct Answer {
    description: String,
    schema: Option<SchemaOf>,
    /// Media types beside JSON, or instead of it.
    other_forms: Vec<&'static str>,
}

#[derive(Debug)]
struct Parameter {
    name: String,
    location: &'static str,
    is_required: bool,
    schema: Value,
}

impl Operation {
    /// An operation that says what it does in a few words.
    pub(crate) fn new(summary: &str) -> Self {
        Self {
            summary: summary.to_owned(),
            ..Self::default()
        }
    }

    /// Names the security schemes of which one is needed; none at all means anyone may call.
    pub(crate) fn require(&mut self, schemes: &[&str]) {
        self.security = schemes.iter().map(|scheme| (*scheme).to_owned()).collect();
    }

    /// Describes the body, which may come as any of `media_types`.
    pub(crate) fn request_body(&mut self, media_types: &[&str], schema: Schema, is_required: bool) {
        let content: Map<String, Value> = media_types
            .iter()
            .map(|name| ((*name).to_owned(), json!({ "schema": schema })))
            .collect();
        self.request_body = Some(json!({ "required": is_required, "content": content }));
    }

    /// Adds the properties of an object schema as parameters `in` `location` (`query`, `path`).
    pub(crate) fn parameters(&mut self, location: &'static str, schema: &Schema) {
        let properties = schema.get("properties").and_then(Value::as_object);
        let required = schema.get("required").and_then(Value::as_array);
        for (name, schema) in properties.into_iter().flatten() {
            let is_named = required.is_some_and(|names| names.iter().any(|known| known == name));
            self.parameters.push(Parameter {
                name: name.clone(),
                location,
                is_required: is_named || location == "path",
                schema: schema.clone(),
            });
        }
    }

    /// Adds the answer that every status not described has: the error body.
    pub(crate) fn otherwise(&mut self, description: &str, schema: SchemaOf) {
        self.otherwise = Some(Answer {
            description: description.to_owned(),
            schema: Some(schema),
            other_forms: Vec::new(),
        });
    }

    /// Describes the answer with `status`, with a JSON body of `schema` or without one.
    ///
    /// The schema is made later, by the generator for what the server sends: pass
    /// `SchemaGenerator::subschema_for::<T>`.
    pub(crate) fn response(
        &mut self,
        status: StatusCode,
        description: &str,
        schema: Option<SchemaOf>,
    ) {
        self.responses.insert(
            status.as_u16(),
            Answer {
                description: description.to_owned(),
                schema,
                other_forms: Vec::new(),
            },
        );
    }

    /// Says that an answer described before also comes as this media type, or does so only where it has no schema.
    pub(crate) fn other_form(&mut self, status: StatusCode, media_type: &'static str) {
        if let Some(answer) = self.responses.get_mut(&status.as_u16()) {
            answer.other_forms.push(media_type);
        }
    }

    fn into_value(self, id: String, names: &[&str], replies: &mut SchemaGenerator) -> Value {
        let mut fields = Map::new();
        fields.insert("operationId".into(), id.into());
        fields.insert("summary".into(), self.summary.into());
        let mut parameters: Vec<Value> = Vec::new();
        for name in names {
            let described = self
                .parameters
                .iter()
                .find(|parameter| parameter.location == "path" && parameter.name == *name);
            let schema =
                described.map_or_else(|| json!({ "type": "string" }), |it| it.schema.clone());
            parameters.push(parameter_value(name, "path", true, schema));
        }
        for parameter in self
            .parameters
            .iter()
            .filter(|parameter| parameter.location != "path")
        {
            let Parameter {
                name,
                location,
                is_required,
                schema,
            } = parameter;
            parameters.push(parameter_value(
                name,
                location,
                *is_required,
                schema.clone(),
            ));
        }
        if !parameters.is_empty() {
            fields.insert("parameters".into(), parameters.into());
        }
        if let Some(body) = self.request_body {
            fields.insert("requestBody".into(), body);
        }
        let statuses = self
            .responses
            .into_iter()
            .map(|(status, answer)| (status.to_string(), answer));
        let otherwise = self.otherwise.map(|answer| ("default".to_owned(), answer));
        let responses = statuses.chain(otherwise).map(|(status, answer)| {
            let mut response = json!({ "description": answer.description });
            let mut content = Map::new();
            if let Some(schema) = answer.schema {
                content.insert(
                    "application/json".into(),
                    json!({ "schema": schema(replies) }),
                );
            }
            for media_type in answer.other_forms {
                content.insert(media_type.into(), json!({}));
            }
            if let (false, Some(fields)) = (content.is_empty(), response.as_object_mut()) {
                fields.insert("content".into(), Value::Object(content));
            }
            (status, response)
        });
        fields.insert("responses".into(), Value::Object(responses.collect()));
        // Always there: an empty list says that no credential is asked for.
        let schemes = self
            .security
            .iter()
            .map(|scheme| json!({ scheme.as_str(): [] }));
        fields.insert("security".into(), schemes.collect());
        Value::Object(fields)
    }
}

impl Document {
    /// A document without operations.
    pub(crate) fn new(title: &str, version: &str) -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Self {
            title: title.to_owned(),
            version: version.to_owned(),
            paths: BTreeMap::new(),
            security_schemes: BTreeMap::new(),
            inputs: settings.clone().for_deserialize().into_generator(),
            replies: settings.for_serialize().into_generator(),
        }
    }

    /// Declares a security scheme object under the name operations use.
    pub(crate) fn security_scheme(&mut self, name: &str, scheme: Value) {
        self.security_schemes.insert(name.to_owned(), scheme);
    }

    /// Where the schemas of inputs are collected: what `describe` functions take.
    pub(crate) fn schemas(&mut self) -> &mut SchemaGenerator {
        &mut self.inputs
    }

    /// Adds an operation; `path` is written as in the route table. A row for any method is shown as
    /// GET.
    pub(crate) fn add(&mut self, path: &str, method: Option<&Method>, operation: Operation) {
        let path = path.replace("{*", "{");
        let names: Vec<&str> = path
            .split('{')
            .skip(1)
            .filter_map(|part| part.split_once('}').map(|(name, _)| name))
            .collect();
        let method = method.unwrap_or(&Method::GET).as_str().to_ascii_lowercase();
        let value = operation.into_value(operation_id(&method, &path), &names, &mut self.replies);
        self.paths.entry(path).or_default().insert(method, value);
    }

    /// The document as indented JSON.
    pub(crate) fn to_json(&self) -> String {
        let schemas = merged(self.inputs.definitions(), self.replies.definitions());
        let mut paths = json!(self.paths);
        for (name, reference) in &schemas.renamed {
            for item in paths.as_object_mut().into_iter().flat_map(Map::values_mut) {
                for operation in item.as_object_mut().into_iter().flat_map(Map::values_mut) {
                    if let Some(responses) = operation.get_mut("responses") {
                        redirect(responses, name, reference);
                    }
                }
            }
        }
        let document = json!({
            "openapi": "3.1.1",
            "info": { "title": self.title, "version": self.version },
            "paths": paths,
            "components": { "schemas": schemas.all, "securitySchemes": self.security_schemes },
        });
        format!("{document:#}\n")
    }
}

/// The schemas of inputs and replies under one roof.
struct Merged {
    all: BTreeMap<String, Value>,
    /// Old and new names of reply schemas that differ from an input of the same name.
    renamed: Vec<(String, String)>,
}

fn merged(inputs: &Map<String, Value>, replies: &Map<String, Value>) -> Merged {
    let mut all: BTreeMap<String, Value> = inputs
        .iter()
        .map(|(name, schema)| (name.clone(), schema.clone()))
        .collect();
    let renamed: Vec<(String, String)> = replies
        .iter()
        .filter(|(name, schema)| all.get(*name).is_some_and(|known| known != *schema))
        .map(|(name, _)| (name.clone(), format!("{name}Reply")))
        .collect();
    for (name, schema) in replies {
        let mut schema = schema.clone();
        for (old, new) in &renamed {
            redirect(&mut schema, old, new);
        }
        let new = renamed
            .iter()
            .find(|(old, _)| old == name)
            .map_or(name, |(_, new)| new);
        all.insert(new.clone(), schema);
    }
    Merged { all, renamed }
}

/// Points every reference to the schema `old` at `new`.
fn redirect(value: &mut Value, old: &str, new: &str) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let is_old = value.as_str().and_then(|it| it.strip_prefix(SCHEMAS)) == Some(old);
                if key == "$ref" && is_old {
                    *value = format!("{SCHEMAS}{new}").into();
                } else {
                    redirect(value, old, new);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| redirect(item, old, new)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

const SCHEMAS: &str = "#/components/schemas/";

fn parameter_value(name: &str, location: &str, is_required: bool, mut schema: Value) -> Value {
    let description = schema
        .as_object_mut()
        .and_then(|fields| fields.remove("description"));
    let mut value =
        json!({ "name": name, "in": location, "required": is_required, "schema": schema });
    if let (Some(description), Some(fields)) = (description, value.as_object_mut()) {
        fields.insert("description".into(), description);
    }
    value
}

/// `delete` and `/api/v1/api-keys/{id}` become `delete_api_v1_api_keys_id`.
fn operation_id(method: &str, path: &str) -> String {
    let words = path.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<&str> = std::iter::once(method)
        .chain(words.filter(|word| !word.is_empty()))
        // A path and its twin with a slash are two operations.
        .chain(path.ends_with('/').then_some("slash"))
        .collect();
    words.join("_")
}
