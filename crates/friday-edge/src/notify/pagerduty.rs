//! PagerDuty's Events v2: what is held wakes somebody, what is done resolves it, and all else is a change event, which
//! never does.

use serde_json::{Value, json};

use super::answer::{Post, json_header, post};
use super::text::{cut_chars, one_line, rfc3339};
use super::{Attempt, Delivery, Message, MessageKind, Twice};
use crate::outbound::{Outbound, SecretUrl};
use crate::secrets::SecretValue;

/// Where events go.
const ENDPOINT: &str = "https://events.pagerduty.com";

/// The summary, characters.
const SUMMARY_LEN_MAX: usize = 1_024;

/// What ties events together, characters.
const DEDUP_KEY_LEN_MAX: usize = 255;

/// One text of the details, characters: an event is at most 512 KB.
const DETAIL_LEN_MAX: usize = 4_000;

/// Lines, facts and links each.
const DETAILS_MAX: usize = 40;

/// What PagerDuty is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PagerDutySends {
    /// Alerts for what is held or taken back, and change events.
    Alerts,
    /// Change events only: nobody is woken.
    Changes,
}

/// A service at PagerDuty. Prints no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PagerDuty {
    /// The integration's key.
    pub routing_key: SecretValue,
    /// What it is told.
    pub sends: PagerDutySends,
    /// What the events are about: the application's name.
    pub source: String,
    /// Another place of the same service, such as the one in Europe; `None`: the usual one.
    pub endpoint: Option<SecretUrl>,
}

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Trigger(&'static str),
    Resolve,
    Change,
}

impl PagerDuty {
    /// What is sent twice under one key is one alert; a change event is two.
    pub(super) fn twice(&self) -> Twice {
        match self.sends {
            PagerDutySends::Alerts => Twice::ShownOnce,
            PagerDutySends::Changes => Twice::ShownTwice,
        }
    }

    fn event(&self, kind: MessageKind) -> Event {
        match (self.sends, kind) {
            (PagerDutySends::Changes, _)
            | (PagerDutySends::Alerts, MessageKind::Announce | MessageKind::Test) => Event::Change,
            (PagerDutySends::Alerts, MessageKind::Held) => Event::Trigger("error"),
            // What was bad is away already: somebody must know, not wake.
            (PagerDutySends::Alerts, MessageKind::TakenBack) => Event::Trigger("warning"),
            (PagerDutySends::Alerts, MessageKind::Done) => Event::Resolve,
        }
    }

    pub(super) async fn deliver(
        &self,
        outbound: &Outbound,
        message: &Message,
        attempt: Attempt,
    ) -> Delivery {
        let event = self.event(message.kind);
        let path = match event {
            Event::Trigger(_) | Event::Resolve => "/v2/enqueue",
            Event::Change => "/v2/change/enqueue",
        };
        let base = match &self.endpoint {
            Some(endpoint) => Ok(endpoint.clone()),
            None => SecretUrl::parse(ENDPOINT),
        };
        let url = match base.and_then(|base| base.join(path)) {
            Ok(url) => url,
            Err(error) => return Delivery::Refused { status: None, says: error.to_string() },
        };
        let headers = [json_header()];
        let mut send = Post::json(&url, &headers, &self.payload(event, message));
        let secrets = [self.routing_key.expose()];
        send.secrets = &secrets;
        post(outbound, send, attempt).await
    }

    fn payload(&self, event: Event, message: &Message) -> Value {
        let key = self.routing_key.expose();
        let links: Vec<Value> = message
            .links
            .iter()
            .take(DETAILS_MAX)
            .map(|link| json!({ "href": link.url, "text": cut_chars(&link.text, 200) }))
            .collect();
        let mut payload = json!({
            "summary": cut_chars(&one_line(&message.title), SUMMARY_LEN_MAX),
            "source": self.source,
            "timestamp": rfc3339(message.at),
            "custom_details": details(message),
        });
        match event {
            Event::Trigger(severity) => {
                payload["severity"] = json!(severity);
                json!({
                    "routing_key": key,
                    "event_action": "trigger",
                    "dedup_key": dedup_key(&message.thread),
                    "client": "friday",
                    "payload": payload,
                    "links": links,
                })
            }
            Event::Resolve => json!({
                "routing_key": key,
                "event_action": "resolve",
                "dedup_key": dedup_key(&message.thread),
            }),
            Event::Change => json!({ "routing_key": key, "payload": payload, "links": links }),
        }
    }
}

fn details(message: &Message) -> Value {
    let facts = message.facts.iter().take(DETAILS_MAX);
    let mut details: serde_json::Map<String, Value> = facts
        .map(|(name, value)| (name.clone(), json!(cut_chars(value, DETAIL_LEN_MAX))))
        .collect();
    let lines = message.lines.iter().take(DETAILS_MAX);
    let lines: Vec<String> = lines.map(|line| cut_chars(line, DETAIL_LEN_MAX)).collect();
    if !lines.is_empty() {
        details.insert("message".to_owned(), json!(lines.join("\n")));
    }
    if let Some(next) = message.next_update {
        details.insert("next update by".to_owned(), json!(rfc3339(next)));
    }
    Value::Object(details)
}

/// The thread, or its hash where it is too long.
fn dedup_key(thread: &str) -> String {
    if thread.chars().count() <= DEDUP_KEY_LEN_MAX {
        return thread.to_owned();
    }
    blake3::hash(thread.as_bytes()).to_hex().to_string()
}
