//! A room of Matrix: the message is put under its own id, so that what is sent again is shown once. No HTML.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::answer::{Post, json_header, post};
use super::text::{cut_bytes, plain};
use super::{Attempt, Delivery, Message};
use crate::outbound::{Method, Outbound, SecretUrl};
use crate::secrets::SecretValue;

/// An event is at most 64 KiB; a text of escaped characters may double.
const TEXT_LEN_MAX: usize = 24_000;

/// A room, and who speaks there. Prints no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    /// `https://matrix.example.org`.
    pub homeserver: SecretUrl,
    /// The room's id: `!abc:example.org`.
    pub room: String,
    /// Who speaks.
    pub token: SecretValue,
}

impl Matrix {
    pub(super) async fn deliver(
        &self,
        outbound: &Outbound,
        message: &Message,
        attempt: Attempt,
    ) -> Delivery {
        if !self.room.starts_with('!') {
            let says = "a room is named by its id, which begins with `!`: its settings show it";
            return Delivery::Refused { status: None, says: says.to_owned() };
        }
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let path = format!(
            "/_matrix/client/v3/rooms/{}/send/m.room.message/{}",
            encoded(&self.room),
            encoded(&message.id),
        );
        let url = match self.homeserver.join(&path) {
            Ok(url) => url,
            Err(error) => return Delivery::Refused { status: None, says: error.to_string() },
        };
        let token = self.token.expose();
        let headers = [json_header(), ("authorization", format!("Bearer {token}"))];
        let text = cut_bytes(&plain(message), TEXT_LEN_MAX);
        let body = json!({ "msgtype": "m.text", "body": text });
        let mut put = Post::json(&url, &headers, &body);
        let secrets = [token];
        put.method = Method::Put;
        put.secrets = &secrets;
        post(outbound, put, attempt).await
    }
}
