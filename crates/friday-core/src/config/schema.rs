//! The configuration as a JSON schema (draft-07, which editors for TOML understand), made from the table of
//! keys, so that it cannot say anything else than the parser. What keys mean together it does not say.

use serde_json::{Map, Value, json};

use super::reference::{Key, SECTIONS, is_repeated, keys};
use super::value::{ENTRIES_MAX, Kind};

/// A duration: large units first, each once. That there is one at all its length says.
const DURATION: &str = "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$";

/// Something that is not only white.
const NOT_EMPTY: &str = "\\S";

/// The schema.
pub fn json_schema() -> Value {
    let mut root = table("");
    root.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
    root.insert("title".to_owned(), json!("friday.toml"));
    root.insert("description".to_owned(), json!("A service that friday pushes."));
    let mut environment = table("");
    if let Some(properties) = properties_of(&mut environment) {
        properties.remove("name");
    }
    environment.insert("required".to_owned(), json!(["hosts"]));
    if let Some(properties) = properties_of(&mut root) {
        let described = "What is different in an environment, chosen with `--env NAME`. Laid over the file key by key; its hosts are its own.";
        properties.insert(
            "env".to_owned(),
            json!({
                "type": "object",
                "description": described,
                "propertyNames": { "pattern": "^[A-Za-z0-9_][A-Za-z0-9_-]{0,31}$" },
                "additionalProperties": environment,
            }),
        );
    }
    root.insert("required".to_owned(), json!(["name"]));
    Value::Object(root)
}

fn properties_of(schema: &mut Map<String, Value>) -> Option<&mut Map<String, Value>> {
    schema.get_mut("properties")?.as_object_mut()
}

/// The keys below a path, each part a table of its own.
fn table(path: &str) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut others = json!(false);
    for key in keys() {
        let Some(rest) = below(key.path, path) else { continue };
        let (name, is_key) = match rest.split_once('.') {
            Some((name, _)) => (name, false),
            None => (rest, true),
        };
        let schema = if is_key {
            entry(key)
        } else {
            let inner = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            let one = Value::Object(table(&inner));
            if is_repeated(&inner) { json!({ "type": "array", "items": one }) } else { one }
        };
        if name == "*" {
            others = schema;
        } else if !properties.contains_key(name) {
            properties.insert(name.to_owned(), schema);
        }
    }
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    if let Some(section) = SECTIONS.iter().find(|section| section.path == path && !path.is_empty())
    {
        schema.insert("description".to_owned(), json!(section.meaning));
    }
    schema.insert("properties".to_owned(), Value::Object(properties));
    schema.insert("additionalProperties".to_owned(), others);
    schema
}

fn below<'a>(key: &'a str, path: &str) -> Option<&'a str> {
    if path.is_empty() { Some(key) } else { key.strip_prefix(path)?.strip_prefix('.') }
}

fn entry(key: &Key) -> Value {
    let mut schema = kind(&key.kind);
    if let Some(entries) = schema.as_object_mut() {
        entries.insert("description".to_owned(), json!(key.meaning));
        if let Some(default) = key.default.and_then(value) {
            entries.insert("default".to_owned(), default);
        }
        entries
            .insert("examples".to_owned(), Value::Array(value(key.example).into_iter().collect()));
    }
    schema
}

/// A value of the table, written as TOML.
fn value(toml: &str) -> Option<Value> {
    let table: Map<String, Value> = toml::from_str(&format!("value = {toml}")).ok()?;
    table.get("value").cloned()
}

fn text(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

fn duration() -> Value {
    json!({ "type": "string", "pattern": DURATION, "minLength": 2 })
}

fn list(items: &Value) -> Value {
    json!({ "type": "array", "items": items, "minItems": 1, "maxItems": ENTRIES_MAX })
}

fn only(name: &str) -> Value {
    json!({
        "type": "object",
        "properties": { name: text(NOT_EMPTY) },
        "required": [name],
        "additionalProperties": false,
    })
}

fn kind(kind: &Kind) -> Value {
    match kind {
        Kind::Name => text("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"),
        Kind::Text | Kind::Path | Kind::Command | Kind::Statement | Kind::Host => text(NOT_EMPTY),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Count(range) => {
            json!({ "type": "integer", "minimum": range.start(), "maximum": range.end() })
        }
        Kind::Duration(_) => duration(),
        Kind::Durations => json!({ "anyOf": [duration(), list(&duration())] }),
        Kind::Percent => text("^([1-9][0-9]?|100)%$"),
        Kind::Port => json!({ "type": "integer", "minimum": 1, "maximum": 65_535 }),
        Kind::PortRange => text("^[0-9]{1,5}-[0-9]{1,5}$"),
        Kind::Bandwidth => text("^[0-9].*/s$"),
        Kind::Status => json!({ "type": "integer", "minimum": 100, "maximum": 599 }),
        Kind::HttpPath => text("^/"),
        Kind::Url => text("^https?://[^/:?#]"),
        Kind::Listen => text("^.+:[0-9]{1,5}$"),
        Kind::Waves => {
            let number = json!({ "type": "integer", "minimum": 1 });
            list(&json!({ "anyOf": [text("^(0*[1-9][0-9]*|0*([1-9][0-9]?|100)%)$"), number] }))
        }
        Kind::Inside => json!({ "type": "array", "items": text(NOT_EMPTY) }),
        Kind::Variable => json!({ "type": "string" }),
        Kind::Secret => {
            let ways = ["env", "file", "command"].map(only);
            json!({ "oneOf": ways })
        }
        Kind::MigrateBack => json!({ "oneOf": [{ "enum": ["safe", "one-way"] }, only("command")] }),
        Kind::When | Kind::Hours | Kind::Handoff | Kind::Repeat | Kind::Zone => text(NOT_EMPTY),
        Kind::Hosts | Kind::Roles | Kind::Names => list(&text(NOT_EMPTY)),
        Kind::Process => json!({ "type": "object", "required": ["run", "roles"] }),
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Size => text("^[0-9]"),
        Kind::Processors => text("^0*[1-9][0-9]*%$"),
        Kind::Between => {
            json!({ "type": "array", "items": { "type": "number" }, "minItems": 2, "maxItems": 2 })
        }
        Kind::Change => text("^[0-9]+([.][0-9]+)?%$"),
    }
}
