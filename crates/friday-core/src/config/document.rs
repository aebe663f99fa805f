//! The first stage: what the file says, with the place of every word, in the file's order.
//!
//! A tree of our own rather than the TOML parser's: it keeps the order in which roles and hosts are
//! written, owns its text, and has a value for "was wrong, and was told", so that one mistake is one
//! problem. It knows TOML and nothing of friday's keys.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Fault;

/// The most bytes a configuration may have.
pub const TEXT_LEN_MAX: usize = 1024 * 1024;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Bytes in the file.
    pub span: Range<usize>,
    /// What stands there.
    pub value: Value,
}

/// A TOML value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A string.
    Text(String),
    /// An integer that fits.
    Integer(i64),
    /// A float, or an integer that does not fit; as written.
    Number(String),
    /// `true` or `false`.
    Flag(bool),
    /// A date or time; as TOML writes it.
    Moment(String),
    /// An array.
    List(Vec<Node>),
    /// A table, inline or not.
    Table(Table),
    /// Present, but a problem was already told about it.
    Wrong,
}

impl Value {
    /// What was found, for a sentence: `a string`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "a whole number",
            Self::Number(_) => "a number",
            Self::Flag(_) => "true or false",
            Self::Moment(_) => "a date or time",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Wrong => "nothing of use",
        }
    }
}

/// A table's entries in the file's order, each key once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// The entries.
    pub entries: Vec<Entry>,
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key, without quotes.
    pub key: String,
    /// Where the key stands.
    pub key_span: Range<usize>,
    /// Its value.
    pub node: Node,
}

impl Table {
    /// The entry of a key.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The entry of a key, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.key == key)
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &str) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(at))
    }
}

/// Reads TOML. What can be read beside a syntax error is read too, so that other mistakes are told
/// in the same go.
pub fn read(text: &str) -> (Table, Vec<Fault>) {
    if text.len() > TEXT_LEN_MAX {
        let fault = Fault::at(0..0, format!("the file has {} bytes", text.len()))
            .label(format!("at most {TEXT_LEN_MAX} are read"));
        return (Table::default(), vec![fault]);
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    let faults = errors.iter().map(|error| syntax(text, error)).collect();
    (table_of(table.get_ref()), faults)
}

/// One value, as it would stand behind `key =`. For the defaults in the reference.
pub fn read_value(text: &str) -> Option<Node> {
    let value = DeValue::parse(text).ok()?;
    Some(node_of(&value))
}

fn syntax(text: &str, error: &toml::de::Error) -> Fault {
    let span = error.span().unwrap_or(text.len()..text.len());
    let found = text.get(span.clone()).unwrap_or("");
    let message = error.message().lines().collect::<Vec<_>>().join(", ");
    let fault = Fault::at(span, format!("this is not TOML: {message}"));
    if message.contains("duplicate key") {
        fault.label("stands twice").hint("keep one of the two")
    } else if message.contains("string values must be quoted") {
        fault.hint(format!("write \"{}\"", found.trim()))
    } else {
        fault
    }
}

fn table_of(table: &DeTable<'_>) -> Table {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            key_span: key.span(),
            node: node_of(value),
        })
        .collect();
    // The parser sorts by key; the file's order is what people mean.
    entries.sort_by_key(|entry| entry.key_span.start);
    Table { entries }
}

fn node_of(value: &Spanned<DeValue<'_>>) -> Node {
    let of = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::Number(number.to_string()), Value::Integer),
        DeValue::Float(number) => Value::Number(number.to_string()),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Datetime(moment) => Value::Moment(moment.to_string()),
        DeValue::Array(list) => Value::List(list.iter().map(node_of).collect()),
        DeValue::Table(table) => Value::Table(table_of(table)),
    };
    Node { span: value.span(), value: of }
}
