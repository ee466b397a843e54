//! The shapes of answers, as schemas of the description.

use serde_json::{Map, Value, json};

use crate::problem::ProblemKind;

/// The schemas by their names.
pub(crate) fn schemas() -> Value {
    let report = json!({
        "artifacts": array(&artifact()),
        "map": object(&json!({ "method": string(), "data": { "anyOf": [png(), { "type": "null" }] } })),
        "picture": png(),
        "regions": array(&object(&json!({ "name": string(), "share": number() }))),
        "remarks": array(&string()),
        "limits": array(&string()),
        "version": string(),
        "text": string(),
    });
    json!({
        "Detection": item(&verdict(), true),
        "Explanation": item(&merged(&verdict(), &report), true),
        "Provenance": item(&declared(), false),
        "Fault": object(&json!({ "name": nullable("string"), "error": object(&json!({ "kind": kind(), "detail": string() })) })),
        "Problem": object(&json!({
            "type": string(), "title": string(), "status": integer(), "detail": string(), "kind": kind(),
        })),
        "Model": object(&json!({
            "name": string(), "sha256": string(), "threshold": number(), "version": string(),
            "input": object(&json!({ "width": integer(), "height": integer() })),
            "limits": object(&json!({
                "max_body_bytes": integer(), "max_pixels": integer(), "max_files": integer(),
            })),
        })),
    })
}

/// The fields of a verdict.
fn verdict() -> Value {
    json!({
        "label": one_of(&["REAL", "FAKE"]),
        "p_fake": { "type": "number", "minimum": 0, "maximum": 1 },
        "width": integer(),
        "height": integer(),
        "input": one_of(&["native", "resized"]),
        "model": string(),
        "threshold": number(),
        "answer": one_of(&["REAL", "FAKE", "UNSURE"]),
        "familiarity": nullable("number"),
        "scope": one_of(&["native", "resized", "unfamiliar"]),
    })
}

/// The fields of the declarations of a file.
fn declared() -> Value {
    let strength = json!({ "anyOf": [string(), { "type": "object" }] });
    let claim = json!({
        "kind": string(), "says": string(), "by": nullable("string"), "strength": strength, "text": string(),
    });
    let credentials = json!({ "state": string(), "text": string() });
    json!({
        "format": string(),
        "claims": array(&object(&claim)),
        "credentials": { "type": "object", "required": ["state", "text"], "properties": credentials },
        "damage": nullable("string"),
        "text": string(),
    })
}

fn artifact() -> Value {
    let evidence = json!({ "measure": string(), "value": number(), "percentile": number() });
    let evidence = json!({ "anyOf": [object(&evidence), { "type": "null" }] });
    object(&json!({
        "name": string(), "region": nullable("string"), "evidence": evidence, "explanation": string(),
        "said_by": array(&string()),
    }))
}

/// The answer for a picture: its name, `fields`, and its declarations where they may be asked for.
fn item(fields: &Value, may_have_provenance: bool) -> Value {
    let mut item = object(&merged(&json!({ "name": nullable("string") }), fields));
    if may_have_provenance {
        item["properties"]["provenance"] =
            json!({ "anyOf": [object(&declared()), { "type": "null" }] });
    }
    item
}

/// An object that has all of `properties`.
fn object(properties: &Value) -> Value {
    let required: Vec<&String> = properties.as_object().into_iter().flat_map(Map::keys).collect();
    json!({ "type": "object", "required": required, "properties": properties })
}

fn merged(one: &Value, other: &Value) -> Value {
    let fields = [one, other].into_iter().filter_map(Value::as_object).flatten();
    Value::Object(fields.map(|(key, value)| (key.clone(), value.clone())).collect())
}

fn array(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

fn one_of(names: &[&str]) -> Value {
    json!({ "type": "string", "enum": names })
}

fn kind() -> Value {
    json!({ "type": "string", "enum": ProblemKind::ALL })
}

fn png() -> Value {
    json!({ "type": "string", "pattern": "^data:image/png;base64," })
}

fn nullable(kind: &str) -> Value {
    json!({ "type": [kind, "null"] })
}

fn string() -> Value {
    json!({ "type": "string" })
}

fn number() -> Value {
    json!({ "type": "number" })
}

fn integer() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}
