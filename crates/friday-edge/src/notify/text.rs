//! A message as text, and the limits and moments of all channels. No channel's own signs: those are escaped where they
//! mean something.

use friday_core::time::Timestamp;
use serde_json::{Value, json};

use super::Message;
use crate::last_lines::shown;

/// What stands for what was left out.
const CUT: char = '…';

/// At most so many characters, the last of them `…` where something was left out.
pub(super) fn cut_chars(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain([CUT]).collect()
}

/// At most so many bytes, cut between characters, with `…` where something was left out.
pub(super) fn cut_bytes(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let most = most.saturating_sub(CUT.len_utf8());
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}{CUT}", &text[..end])
}

/// Text in one line, its control characters shown.
pub(super) fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    shown(&lines.join(" "))
}

/// A moment for people: `2026-11-24 14:05 UTC`.
pub(super) fn moment(at: Timestamp) -> String {
    let found = jiff::Timestamp::from_millisecond(at.0);
    found.map_or_else(|_| at.0.to_string(), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

/// A moment for programs: RFC 3339.
pub(super) fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
}

/// When more is said.
pub(super) fn next_update(message: &Message) -> Option<String> {
    message.next_update.map(|at| format!("Next update by {}", moment(at)))
}

/// What comes after the title.
pub(super) fn body(message: &Message) -> String {
    let mut parts = Vec::new();
    if !message.lines.is_empty() {
        parts.push(message.lines.join("\n"));
    }
    let facts: Vec<String> =
        message.facts.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    if !facts.is_empty() {
        parts.push(facts.join("\n"));
    }
    let links: Vec<String> =
        message.links.iter().map(|link| format!("{}: {}", link.text, link.url)).collect();
    if !links.is_empty() {
        parts.push(links.join("\n"));
    }
    parts.extend(next_update(message));
    parts.join("\n\n")
}

/// All of it as plain text.
pub(super) fn plain(message: &Message) -> String {
    let (title, body) = (one_line(&message.title), body(message));
    if body.is_empty() { title } else { format!("{title}\n\n{body}") }
}

/// All of it for programs: what a webhook and a command are given.
pub(super) fn document(message: &Message) -> Value {
    let facts: Vec<Value> =
        message.facts.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    json!({
        "type": format!("friday.{}", message.kind.name()),
        "timestamp": rfc3339(message.at),
        "data": {
            "id": message.id,
            "thread": message.thread,
            "kind": message.kind,
            "title": message.title,
            "lines": message.lines,
            "facts": facts,
            "links": message.links,
            "next_update": message.next_update.map(rfc3339),
        },
    })
}
