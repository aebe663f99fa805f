//! Any receiver of Standard Webhooks: the message as JSON, signed.

use super::answer::{Post, json_header, post};
use super::text::document;
use super::{Attempt, Delivery, Message, SigningSecret, standard_webhooks};
use crate::outbound::{Method, Outbound, SecretUrl};

/// A receiver. Prints no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Where it listens.
    pub url: SecretUrl,
    /// What it is signed with; several while they are rotated, the newest first.
    pub secrets: Vec<SigningSecret>,
}

impl Webhook {
    pub(super) async fn deliver(
        &self,
        outbound: &Outbound,
        message: &Message,
        attempt: Attempt,
    ) -> Delivery {
        if self.secrets.is_empty() {
            let says = "a webhook needs a secret to sign with".to_owned();
            return Delivery::Refused { status: None, says };
        }
        let body = document(message).to_string().into_bytes();
        let seconds = attempt.now.0.div_euclid(1_000);
        let signature = standard_webhooks::sign(&self.secrets, &message.id, seconds, &body);
        let headers = [
            json_header(),
            ("webhook-id", message.id.clone()),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", signature),
        ];
        let send =
            Post { method: Method::Post, url: &self.url, headers: &headers, body, secrets: &[] };
        post(outbound, send, attempt).await
    }
}
