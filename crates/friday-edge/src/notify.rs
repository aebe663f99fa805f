//! Messages to people and programs: one [`Message`], a [`Channel`] it goes through, and what came of it.
//!
//! A channel makes of a message what its service reads, within the service's limits, and says what the service said,
//! without any secret. Nothing here decides who is told what, or tries again: [`retry`] only says when that makes sense.

mod answer;
pub mod command;
pub mod email;
pub mod matrix;
pub mod pagerduty;
pub mod retry;
mod slack;
pub mod standard_webhooks;
mod teams;
pub mod template;
mod text;
mod webhook;

use std::time::Duration;

use friday_core::time::Timestamp;
use serde::Serialize;

use crate::outbound::{Outbound, SecretUrl};

pub use command::CommandChannel;
pub use email::{Email, Encryption};
pub use matrix::Matrix;
pub use pagerduty::{PagerDuty, PagerDutySends};
pub use retry::{Failure, next_attempt};
pub use standard_webhooks::{SignatureError, SigningSecret, WebhookHeaders, verify};
pub use template::{Template, TemplateError};
pub use webhook::Webhook;

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// Something begins.
    Announce,
    /// It went well.
    Done,
    /// It waits for a person.
    Held,
    /// It was taken back.
    TakenBack,
    /// Somebody tries whether messages come.
    Test,
}

impl MessageKind {
    /// As it is written in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Announce => "announce",
            Self::Done => "done",
            Self::Held => "held",
            Self::TakenBack => "taken_back",
            Self::Test => "test",
        }
    }
}

/// A place to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// What it is.
    pub text: String,
    /// Where: `http` or `https`, and nothing in it that readers must not have.
    pub url: String,
}

/// What is to be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its own id: a message that is sent again has the same.
    pub id: String,
    /// What belongs together: the rollout.
    pub thread: String,
    /// What it is about.
    pub kind: MessageKind,
    /// One line.
    pub title: String,
    /// More.
    pub lines: Vec<String>,
    /// Names with values.
    pub facts: Vec<(String, String)>,
    /// Places to look.
    pub links: Vec<Link>,
    /// When more is said at the latest.
    pub next_update: Option<Timestamp>,
    /// When what it tells came to be.
    pub at: Timestamp,
}

/// Where a message goes. Prints no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Channel {
    /// An incoming webhook of Slack; the URL is the secret.
    Slack {
        /// `https://hooks.slack.com/services/…`.
        url: SecretUrl,
    },
    /// A workflow of Teams; the URL is the secret.
    Teams {
        /// As the workflow gives it.
        url: SecretUrl,
    },
    /// A room of Matrix.
    Matrix(Matrix),
    /// Mail.
    Email(Email),
    /// PagerDuty.
    PagerDuty(PagerDuty),
    /// Any receiver of Standard Webhooks.
    Webhook(Webhook),
    /// A program where friday runs.
    Command(CommandChannel),
}

/// What a channel does with a message that comes twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twice {
    /// It knows the id, and shows it once.
    ShownOnce,
    /// It shows it twice.
    ShownTwice,
}

impl Channel {
    /// What it does with a message that comes twice.
    pub fn twice(&self) -> Twice {
        match self {
            Self::Matrix(_) | Self::Webhook(_) => Twice::ShownOnce,
            Self::PagerDuty(pagerduty) => pagerduty.twice(),
            Self::Slack { .. } | Self::Teams { .. } | Self::Email(_) | Self::Command(_) => {
                Twice::ShownTwice
            }
        }
    }
}

/// What came of a message. No text has a secret in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// It was taken.
    Delivered {
        /// What the service calls it, and what else it said.
        detail: String,
    },
    /// It will not be: do not repeat.
    Refused {
        /// The service's status, where it has one.
        status: Option<u16>,
        /// Why.
        says: String,
    },
    /// Nothing was taken now.
    Later {
        /// As long as the service wants.
        retry_after: Option<Duration>,
        /// Why.
        says: String,
    },
    /// It was sent, and nobody said what came of it.
    Unknown {
        /// What happened.
        says: String,
    },
}

/// One attempt to deliver.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// All of it must be over by then.
    pub deadline: Duration,
    /// The time now: signatures carry it.
    pub now: Timestamp,
}

/// Delivers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Notifier {
    outbound: Outbound,
}

impl Notifier {
    /// With this client.
    pub fn new(outbound: Outbound) -> Self {
        Self { outbound }
    }

    /// Tries once to deliver a message through a channel.
    pub async fn deliver(
        &self,
        channel: &Channel,
        message: &Message,
        attempt: Attempt,
    ) -> Delivery {
        let outbound = &self.outbound;
        // On the heap: the buffers of some are large, and callers hold several of these.
        match channel {
            Channel::Slack { url } => {
                Box::pin(slack::deliver(outbound, url, message, attempt)).await
            }
            Channel::Teams { url } => {
                Box::pin(teams::deliver(outbound, url, message, attempt)).await
            }
            Channel::Matrix(matrix) => Box::pin(matrix.deliver(outbound, message, attempt)).await,
            Channel::Email(email) => Box::pin(email.deliver(outbound, message, attempt)).await,
            Channel::PagerDuty(pagerduty) => {
                Box::pin(pagerduty.deliver(outbound, message, attempt)).await
            }
            Channel::Webhook(webhook) => {
                Box::pin(webhook.deliver(outbound, message, attempt)).await
            }
            Channel::Command(command) => Box::pin(command.deliver(message, attempt)).await,
        }
    }
}

#[cfg(test)]
mod tests;
