//! `GET /openapi.json`: the description of the interface, in OpenAPI 3.1.

use axum::response::Response;
use serde_json::{Map, Value, json};

use crate::multipart::MAX_FIELDS;
use crate::problem::{PROBLEM_JSON, ProblemKind};
use crate::schema;
use crate::work;

/// Answers with the description.
pub(crate) async fn openapi() -> Response {
    work::json(&document())
}

/// The description.
pub(crate) fn document() -> Value {
    let text = |summary: &str, media: &str| get(summary, media, &json!({ "type": "string" }));
    let mut model = get("The model and the limits", "application/json", &reference("Model"));
    guard(&mut model);
    let mut metrics = text("Figures for Prometheus", "text/plain");
    guard(&mut metrics);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "cifake",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Tells camera pictures from generated ones, and says why.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "paths": {
            "/": { "get": text("The page for people", "text/html") },
            "/v1/detect": { "post": pictures("A verdict for each picture", "Detection", true) },
            "/v1/explain": { "post": pictures("Verdict, map and reasons for each picture", "Explanation", true) },
            "/v1/provenance": { "post": pictures("The declarations of each file", "Provenance", false) },
            "/v1/model": { "get": model },
            "/healthz": { "get": text("Whether the service works", "text/plain") },
            "/metrics": { "get": metrics },
            "/openapi.json": { "get": get("This description", "application/json", &json!({ "type": "object" })) },
        },
        "components": {
            "schemas": schema::schemas(),
            "responses": problems(),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

/// A request without a body.
fn get(summary: &str, media: &str, schema: &Value) -> Value {
    let mut responses = errors(&[ProblemKind::ForbiddenHost, ProblemKind::Closing]);
    responses.insert("200".to_owned(), answer(media, schema));
    json!({ "summary": summary, "responses": responses })
}

/// A request with pictures.
fn pictures(summary: &str, item: &str, may_ask_for_provenance: bool) -> Value {
    let results = json!({
        "type": "object",
        "required": ["results"],
        "properties": {
            "results": {
                "type": "array",
                "minItems": 1,
                "items": { "anyOf": [reference(item), reference("Fault")] },
            },
        },
    });
    let picture = json!({ "type": "string", "contentMediaType": "application/octet-stream" });
    let form = json!({
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {
                "description": "Pictures. A part may have another name. It needs a file name or the type of a picture.",
                "type": "array",
                "minItems": 1,
                "items": picture,
            },
        },
        "maxProperties": 1 + MAX_FIELDS,
    });
    let mut responses = errors(&[
        ProblemKind::InvalidInput,
        ProblemKind::ForbiddenHost,
        ProblemKind::TooSlow,
        ProblemKind::TooLarge,
        ProblemKind::Unsupported,
        ProblemKind::TooManyRequests,
        ProblemKind::Internal,
        ProblemKind::Overloaded,
        ProblemKind::TimedOut,
    ]);
    responses.insert("200".to_owned(), answer("application/json", &results));
    let mut operation = json!({
        "summary": summary,
        "requestBody": {
            "required": true,
            "content": {
                "application/octet-stream": { "schema": picture },
                "image/*": { "schema": picture },
                "multipart/form-data": { "schema": form, "encoding": { "file": { "contentType": "image/*" } } },
            },
        },
        "responses": responses,
    });
    if may_ask_for_provenance {
        operation["parameters"] = json!([{
            "name": "provenance",
            "in": "query",
            "description": "1 adds the declarations of each file. They change no probability.",
            "schema": { "type": "string", "enum": ["0", "1"] },
        }]);
    }
    guard(&mut operation);
    operation
}

/// Says of an operation that it may need a token.
fn guard(operation: &mut Value) {
    operation["security"] = json!([{}, { "token": [] }]);
    operation["responses"]["401"] = problem(ProblemKind::Unauthorized);
}

fn answer(media: &str, schema: &Value) -> Value {
    json!({ "description": "The answer", "content": { media: { "schema": schema } } })
}

/// References to the answers of `kinds`, by status.
fn errors(kinds: &[ProblemKind]) -> Map<String, Value> {
    kinds.iter().map(|kind| (kind.status().as_u16().to_string(), problem(*kind))).collect()
}

fn problem(kind: ProblemKind) -> Value {
    json!({ "$ref": format!("#/components/responses/{}", kind.status().as_u16()) })
}

/// The answers of every kind of problem, by status.
fn problems() -> Map<String, Value> {
    let content = json!({ PROBLEM_JSON: { "schema": reference("Problem") } });
    let response = |kind: &ProblemKind| {
        let status = kind.status();
        let title = status.canonical_reason().unwrap_or("Error");
        (status.as_u16().to_string(), json!({ "description": title, "content": content }))
    };
    ProblemKind::ALL.iter().map(response).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every `$ref` in `value`.
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_to_a_component() {
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 20, "{found:?}");
        for reference in found {
            let pointer = reference.strip_prefix('#').expect("it is of this document");
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }
}
