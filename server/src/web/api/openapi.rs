//! The OpenAPI 3.1 document, made from the same table as the router.
//!
//! **Invariant:** every reference in it is to a schema in it.

use super::endpoint::{Answer, Endpoint, Field, Shape};
use super::{BASE, endpoints};
use crate::web::refusal::ProblemDetails;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use utoipa::{PartialSchema, ToSchema};

/// The document as text; made once.
#[must_use]
pub fn text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| document(&endpoints()).to_string());
    &TEXT
}

/// The document of a table.
#[must_use]
pub fn document(table: &[Endpoint]) -> Value {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut schemas: BTreeMap<String, Value> = BTreeMap::new();
    let mut problem = vec![(ProblemDetails::name().into_owned(), ProblemDetails::schema())];
    ProblemDetails::schemas(&mut problem);
    for e in table {
        let shape = match &e.answer {
            Answer::One(s) | Answer::Many(s) => Some(s),
            _ => None,
        };
        for (name, schema) in shape
            .into_iter()
            .chain(&e.body)
            .flat_map(|s| &s.schemas)
            .chain(&problem)
        {
            schemas
                .entry(name.clone())
                .or_insert_with(|| serde_json::to_value(schema).unwrap_or_default());
        }
        paths
            .entry(format!("{BASE}{}", e.path))
            .or_default()
            .insert(e.method.as_str().to_ascii_lowercase(), operation(e));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Caracal",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Plans, tasks, queue, agents and consoles of a Caracal server. Times are RFC 3339 in UTC; errors are application/problem+json.",
        },
        "security": [{ "token": [] }, { "session": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "session": { "type": "apiKey", "in": "cookie", "name": "caracal" },
            },
        },
    })
}

/// A name for the operation, as `get_plans_id_revisions`.
fn operation_id(e: &Endpoint) -> String {
    let path = e.path.replace(['{', '}'], "").replace('/', "_");
    format!("{}{path}", e.method.as_str().to_ascii_lowercase())
}

fn operation(e: &Endpoint) -> Value {
    let tag = e.path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let mut parameters: Vec<Value> = e.query.iter().map(query).collect();
    if e.path.contains("{id}") {
        parameters.insert(
            0,
            json!({
                "name": "id", "in": "path", "required": true, "schema": { "type": "integer", "format": "int64" },
            }),
        );
    }
    if e.makes.is_some() {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
            "description": "A request sent again under the same key within 24 hours is answered as the first time.",
        }));
    }
    let mut op = json!({
        "operationId": operation_id(e),
        "summary": e.about,
        "tags": [tag],
        "parameters": parameters,
        "responses": {
            e.status.to_string(): success(e),
            "default": {
                "description": "Refused or failed.",
                "content": { "application/problem+json": { "schema": reference("ProblemDetails") } },
            },
        },
    });
    if let Some(Shape { name, .. }) = &e.body {
        op["requestBody"] = json!({
            "required": !e.body_optional,
            "content": { "application/json": { "schema": reference(name) } },
        });
    }
    op
}

fn query(f: &Field) -> Value {
    let text = json!({ "type": "string" });
    let schema = if f.many {
        json!({ "type": "array", "items": text })
    } else {
        text
    };
    json!({ "name": f.name, "in": "query", "description": f.about, "schema": schema })
}

fn success(e: &Endpoint) -> Value {
    let json_of = |schema: Value| json!({ "application/json": { "schema": schema } });
    let content = match &e.answer {
        Answer::Nothing => return json!({ "description": "Done." }),
        Answer::One(s) => json_of(reference(&s.name)),
        Answer::Many(s) => json_of(json!({
            "type": "object",
            "required": ["items", "next_cursor"],
            "properties": {
                "items": { "type": "array", "items": reference(&s.name) },
                "next_cursor": { "type": ["string", "null"], "description": "Hand it back as `cursor`; null on the last page." },
            },
        })),
        Answer::Media(media) => json!({ *media: { "schema": { "type": "string" } } }),
    };
    json!({ "description": "Done.", "content": content })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references<'a>(v: &'a Value, out: &mut Vec<&'a str>) {
        match v {
            Value::Object(map) => {
                out.extend(map.get("$ref").and_then(Value::as_str));
                map.values().for_each(|v| references(v, out));
            }
            Value::Array(all) => all.iter().for_each(|v| references(v, out)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let doc = document(&endpoints());
        let mut all = Vec::new();
        references(&doc, &mut all);
        assert!(all.len() > 30, "{}", all.len());
        for r in all {
            let name = r.strip_prefix("#/components/schemas/").expect("a schema of ours");
            assert!(doc["components"]["schemas"].get(name).is_some(), "{r} leads nowhere");
        }
    }

    #[test]
    fn operations_have_unique_names_and_the_table_no_doubles() {
        let table = endpoints();
        let mut ids: Vec<_> = table.iter().map(operation_id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), table.len());
    }
}
