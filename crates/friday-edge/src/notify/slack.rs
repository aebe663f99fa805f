//! Slack's incoming webhooks: blocks, and a text for where blocks are not shown. Such a webhook cannot edit or thread.

use serde_json::{Value, json};

use super::answer::{Post, json_header, post};
use super::text::{cut_chars, next_update, one_line};
use super::{Attempt, Delivery, Message};
use crate::outbound::{Outbound, SecretUrl};

/// The text of one block, characters.
const BLOCK_LEN_MAX: usize = 3_000;

/// A field of a section, characters.
const FIELD_LEN_MAX: usize = 2_000;

/// Fields of a section.
const FIELDS_MAX: usize = 10;

/// Sections of lines: Slack takes 50 blocks, and nobody reads as many.
const SECTIONS_MAX: usize = 8;

pub(super) async fn deliver(
    outbound: &Outbound,
    url: &SecretUrl,
    message: &Message,
    attempt: Attempt,
) -> Delivery {
    post(outbound, Post::json(url, &[json_header()], &payload(message)), attempt).await
}

/// The three signs that mean something to Slack: mentions and links need them.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Escaped, and short enough after that; no entity is cut in two.
fn fitted(text: &str, most: usize) -> String {
    let whole = escaped(text);
    if whole.chars().count() <= most {
        return whole;
    }
    let (mut out, mut length) = (String::new(), 0);
    for character in text.chars() {
        let piece = escaped(character.encode_utf8(&mut [0; 4]));
        length += piece.chars().count();
        if length >= most {
            break;
        }
        out.push_str(&piece);
    }
    out.push('…');
    out
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } })
}

pub(super) fn payload(message: &Message) -> Value {
    let title = one_line(&message.title);
    let mut blocks = vec![section(&format!("*{}*", fitted(&title, BLOCK_LEN_MAX - 2)))];
    blocks.extend(sections(&message.lines).iter().map(|text| section(text)));
    for facts in message.facts.chunks(FIELDS_MAX).take(SECTIONS_MAX) {
        let fields: Vec<Value> = facts
            .iter()
            .map(|(name, value)| {
                let name = fitted(&one_line(name), FIELD_LEN_MAX / 4);
                let value = fitted(value, FIELD_LEN_MAX / 2);
                json!({ "type": "mrkdwn", "text": format!("*{name}*\n{value}") })
            })
            .collect();
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    let links: Vec<String> = message.links.iter().map(link).collect();
    if !links.is_empty() {
        // Cut between links, never inside one.
        let mut text = String::new();
        for link in links {
            if text.chars().count() + link.chars().count() + 3 > BLOCK_LEN_MAX {
                break;
            }
            text = if text.is_empty() { link } else { format!("{text} · {link}") };
        }
        blocks.push(section(&text));
    }
    if let Some(next) = next_update(message) {
        let element = json!({ "type": "mrkdwn", "text": escaped(&next) });
        blocks.push(json!({ "type": "context", "elements": [element] }));
    }
    json!({ "text": fitted(&title, BLOCK_LEN_MAX), "blocks": blocks })
}

fn link(link: &super::Link) -> String {
    let url = cut_chars(&link.url, FIELD_LEN_MAX / 2).replace('|', "%7C").replace(' ', "%20");
    format!("<{}|{}>", escaped(&url), fitted(&one_line(&link.text), FIELD_LEN_MAX / 4))
}

/// Lines, together in as few blocks as they fit in.
fn sections(lines: &[String]) -> Vec<String> {
    let mut sections: Vec<String> = Vec::new();
    let mut left = SECTIONS_MAX;
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        let line = fitted(line, BLOCK_LEN_MAX);
        match sections.last_mut() {
            Some(last) if last.chars().count() + line.chars().count() < BLOCK_LEN_MAX => {
                last.push('\n');
                last.push_str(&line);
            }
            _ if left == 0 => {
                sections.push("…".to_owned());
                break;
            }
            _ => {
                left -= 1;
                sections.push(line);
            }
        }
    }
    sections
}
