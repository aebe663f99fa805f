//! Teams' workflows: an Adaptive Card in the envelope that a workflow's trigger reads.

use serde_json::{Value, json};

use super::answer::{Post, json_header, post};
use super::text::{cut_chars, next_update, one_line};
use super::{Attempt, Delivery, Message};
use crate::outbound::{Outbound, SecretUrl};

/// The whole message, bytes: Teams takes 28 kB.
const PAYLOAD_LEN_MAX: usize = 28_000;

/// The title, characters.
const TITLE_LEN_MAX: usize = 500;

/// Facts and links.
const FACTS_MAX: usize = 20;
const LINKS_MAX: usize = 6;

pub(super) async fn deliver(
    outbound: &Outbound,
    url: &SecretUrl,
    message: &Message,
    attempt: Attempt,
) -> Delivery {
    post(outbound, Post::json(url, &[json_header()], &payload(message)), attempt).await
}

/// Text in which no sign means anything to the card's Markdown.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '~' | '|') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// As much of the message as fits: the whole is halved until it does.
pub(super) fn payload(message: &Message) -> Value {
    let mut most = PAYLOAD_LEN_MAX;
    loop {
        let payload = card(message, most);
        if most < TITLE_LEN_MAX || payload.to_string().len() <= PAYLOAD_LEN_MAX {
            return payload;
        }
        most /= 2;
    }
}

/// A card of which no list of texts has more than so many characters.
fn card(message: &Message, most: usize) -> Value {
    let block = |text: &str| json!({ "type": "TextBlock", "text": text, "wrap": true });
    let title = escaped(&cut_chars(&one_line(&message.title), TITLE_LEN_MAX));
    let mut body = vec![json!({
        "type": "TextBlock", "text": title, "wrap": true, "weight": "Bolder", "size": "Medium",
    })];
    let lines = cut_chars(&message.lines.join("\n\n"), most);
    if !lines.trim().is_empty() {
        body.push(block(&escaped(&lines)));
    }
    let each = (most / FACTS_MAX).max(16);
    let facts: Vec<Value> = message
        .facts
        .iter()
        .take(FACTS_MAX)
        .map(|(name, value)| {
            let (name, value) = (cut_chars(name, each / 4), cut_chars(value, each));
            json!({ "title": escaped(&name), "value": escaped(&value) })
        })
        .collect();
    if !facts.is_empty() {
        body.push(json!({ "type": "FactSet", "facts": facts }));
    }
    if let Some(next) = next_update(message) {
        body.push(json!({ "type": "TextBlock", "text": next, "wrap": true, "isSubtle": true }));
    }
    let actions: Vec<Value> = message
        .links
        .iter()
        .filter(|link| link.url.len() <= each)
        .take(LINKS_MAX)
        .map(|link| {
            let title = cut_chars(&one_line(&link.text), 100);
            json!({ "type": "Action.OpenUrl", "title": title, "url": link.url })
        })
        .collect();
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": actions,
    });
    let attachment = json!({
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": null,
        "content": card,
    });
    json!({ "type": "message", "attachments": [attachment] })
}
