//! The schema for editors, held against a real validator: what the parser takes it takes, and slips of
//! every key are refused.

use std::path::Path;

use boon::{Compiler, SchemaIndex, Schemas};
use friday_core::config::Kind;
use friday_core::config::reference::{Key, is_repeated, keys};
use serde_json::{Value, json};

use crate::sandbox::{Sandbox, config};

struct Schema {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Schema {
    fn of_friday() -> Self {
        let said = Sandbox::empty().friday(&["schema"]);
        assert_eq!(said.exit, 0, "{}", said.all());
        let schema: Value = serde_json::from_str(&said.stdout).expect("JSON");
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("friday.json", schema).expect("a resource");
        let index = compiler.compile("friday.json", &mut schemas).expect("a schema");
        Self { schemas, index }
    }

    fn refuses(&self, instance: &Value) -> Option<String> {
        self.schemas.validate(instance, self.index).err().map(|error| error.to_string())
    }
}

fn read(text: &str) -> Value {
    toml::from_str(text).expect("TOML")
}

/// A file that sets one key, and nothing else but what is needed.
fn with(path: &str, value: Value) -> Value {
    let mut file = value;
    let mut above = path;
    for part in path.rsplit('.') {
        let part = if part == "*" { "SOMETHING" } else { part };
        file = if is_repeated(above) { json!({ part: [file] }) } else { json!({ part: file }) };
        above = above.rsplit_once('.').map_or("", |(above, _)| above);
    }
    if path != "name" {
        file["name"] = json!("shop");
    }
    file
}

fn values(key: &Key) -> impl Iterator<Item = Value> {
    let texts = key.default.into_iter().chain([key.example]);
    texts.map(|text| read(&format!("value = {text}"))["value"].clone())
}

#[test]
fn every_example_of_the_repository_is_taken() {
    let schema = Schema::of_friday();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let guestbook = std::fs::read_to_string(root.join("examples/guestbook/friday.toml"));
    let mut texts = vec![guestbook.expect("the example"), config("local:[1-3]")];
    for page in ["docs/reference/configuration.md", "docs/guide/getting-started.md"] {
        let page = std::fs::read_to_string(root.join(page)).expect("a page");
        let blocks = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
        // A block that names no fleet is a part of a file.
        texts.extend(blocks.filter(|block| block.starts_with("name")).map(str::to_owned));
    }
    let sandbox = Sandbox::empty();
    assert_eq!(sandbox.friday(&["init"]).exit, 0);
    let first = std::fs::read_to_string(sandbox.path().join("friday.toml"));
    texts.push(first.expect("it was written"));
    for text in texts {
        assert_eq!(schema.refuses(&read(&text)), None, "{text}");
    }
}

#[test]
fn every_key_is_taken_with_its_default_and_its_example_in_environments_too() {
    let schema = Schema::of_friday();
    for key in keys() {
        for value in values(key) {
            let file = with(key.path, value);
            assert_eq!(schema.refuses(&file), None, "{file}");
            if key.path == "name" {
                continue;
            }
            let mut inside = file.clone();
            inside.as_object_mut().expect("a table").remove("name");
            if inside.get("hosts").is_none() {
                inside["hosts"] = json!({ "web": ["local:1"] });
            }
            let file = json!({ "name": "shop", "env": { "staging": inside } });
            assert_eq!(schema.refuses(&file), None, "{file}");
        }
    }
}

#[test]
fn a_slip_in_any_key_and_a_value_of_the_wrong_kind_are_refused() {
    let schema = Schema::of_friday();
    for key in keys() {
        let example = values(key).last().expect("an example");
        let beside_free_names = keys().any(|other| {
            let parent = |path: &'static str| path.rsplit_once('.').map(|(parent, _)| parent);
            other.path.ends_with('*') && parent(other.path) == parent(key.path)
        });
        if !beside_free_names {
            let slip = with(&format!("{}x", key.path), example);
            assert!(schema.refuses(&slip).is_some(), "{slip}");
        }
        for wrong in [json!(-1), json!([[]]), json!({ "no": "such" })] {
            let file = with(key.path, wrong);
            assert!(schema.refuses(&file).is_some(), "{file}");
        }
        if !matches!(key.kind, Kind::Variable) {
            let file = with(key.path, json!(" "));
            assert!(schema.refuses(&file).is_some(), "{file}");
        }
    }
}

#[test]
fn mistakes_that_people_make_are_refused() {
    let schema = Schema::of_friday();
    let mistakes = [
        ("rollout.soak", json!("5 parsecs")),
        ("rollout.soak", json!("5")),
        ("rollout.bake", json!("")),
        ("rollout.bake", json!("30m1h")),
        ("rollout.waves", json!(["0"])),
        ("rollout.waves", json!(["101%"])),
        ("rollout.out_at_once", json!("0%")),
        ("release.port", json!(70_000)),
        ("release.port", json!("8080")),
        ("release.migrate_back", json!("maybe")),
        ("release.secrets.DB", json!({ "env": "A", "file": "b" })),
        ("release.secrets.DB", json!("plain")),
        ("health.http", json!("healthz")),
        ("health.expect", json!(99)),
        ("health.outside", json!("ftp://{host}/")),
        ("hosts", json!(["web-1"])),
        ("hosts.web", json!([])),
        ("env.staging", json!({ "rollout": { "bake": "1s" } })),
        ("env.staging", json!({ "name": "other", "hosts": { "web": ["local:1"] } })),
        ("database.invariant.between", json!([0])),
        ("database.invariant.change", json!("5")),
        ("database.host", json!(["db-1"])),
        ("database", json!(5)),
        ("relase", json!({ "path": "dist" })),
    ];
    for (path, value) in mistakes {
        let file = with(path, value);
        assert!(schema.refuses(&file).is_some(), "{file}");
    }
    assert!(schema.refuses(&json!({})).is_some(), "a fleet has a name");
}
