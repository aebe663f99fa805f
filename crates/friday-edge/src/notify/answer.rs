//! What an answer over HTTP means for a message, the same for every service, and never with a secret in it.

use std::time::Duration;

use friday_core::time::Timestamp;
use serde_json::Value;

use super::text::{cut_chars, one_line};
use super::{Attempt, Delivery};
use crate::outbound::{
    Answer, Headers, Method, Outbound, OutboundError, Reached, SecretUrl, SendError, redact,
};

/// So much of what a service says is told, characters.
const SAYS_LEN_MAX: usize = 300;

/// A message as a service reads it.
pub(super) struct Post<'a> {
    pub(super) method: Method,
    pub(super) url: &'a SecretUrl,
    pub(super) headers: Headers<'a>,
    pub(super) body: Vec<u8>,
    /// What else must not be told, beside the URL.
    pub(super) secrets: &'a [&'a str],
}

impl<'a> Post<'a> {
    pub(super) fn json(url: &'a SecretUrl, headers: Headers<'a>, body: &Value) -> Self {
        let body = body.to_string().into_bytes();
        Self { method: Method::Post, url, headers, body, secrets: &[] }
    }
}

/// The header of what friday sends.
pub(super) fn json_header() -> (&'static str, String) {
    ("content-type", "application/json".to_owned())
}

/// Sends it, and judges the answer.
pub(super) async fn post(outbound: &Outbound, post: Post<'_>, attempt: Attempt) -> Delivery {
    let Post { method, url, headers, body, secrets } = post;
    let sent = outbound.send(method, url, headers, body, attempt.deadline).await;
    let clean = |text: &str| said(&redact(&url.redact(text), secrets));
    match sent {
        Ok(answer) => judged(&answer, attempt.now, &clean),
        Err(error) => failed(error, &clean),
    }
}

/// Text from outside, in one line, bounded.
pub(super) fn said(text: &str) -> String {
    cut_chars(&one_line(text), SAYS_LEN_MAX)
}

fn failed(SendError { error, reached }: SendError, clean: &dyn Fn(&str) -> String) -> Delivery {
    let says = clean(&error.to_string());
    match error {
        OutboundError::Url(_) | OutboundError::Refused(_) | OutboundError::Header { .. } => {
            Delivery::Refused { status: None, says }
        }
        _ => match reached {
            Reached::Nothing => Delivery::Later { retry_after: None, says },
            Reached::Perhaps => Delivery::Unknown { says },
        },
    }
}

fn judged(answer: &Answer, now: Timestamp, clean: &dyn Fn(&str) -> String) -> Delivery {
    let status = answer.status;
    let body = clean(&String::from_utf8_lossy(&answer.body));
    let says = match body.as_str() {
        "" => format!("status {status}"),
        body => format!("status {status}: {body}"),
    };
    match status {
        200..=299 => Delivery::Delivered { detail: says },
        300..=399 => {
            let says = format!("status {status}: it sends elsewhere, and messages do not follow");
            Delivery::Refused { status: Some(status), says }
        }
        // Too early, too late, too much: another time is another answer.
        408 | 425 | 429 | 500..=599 => {
            Delivery::Later { retry_after: retry_after(answer, now), says }
        }
        _ => Delivery::Refused { status: Some(status), says },
    }
}

/// `Retry-After` in seconds or as a date; or in milliseconds, as Matrix says it.
fn retry_after(answer: &Answer, now: Timestamp) -> Option<Duration> {
    if let Some(text) = answer.header("retry-after").map(str::trim) {
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_millisecond();
        return Some(Duration::from_millis(Timestamp(date).since_ms(now)));
    }
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    body.get("retry_after_ms")?.as_u64().map(Duration::from_millis)
}
