//! Standard Webhooks: what is signed, how, and whether a signature counts.
//!
//! The signature is over `id.timestamp.body`, with HMAC-SHA256; while secrets are rotated there are several.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use friday_core::time::Timestamp;
use ring::hmac;

/// A message may be so much older or newer than the receiver's clock: longer, and an old one could be sent again.
pub const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// A key's length, bytes, as the specification has it.
const KEY_LEN: std::ops::RangeInclusive<usize> = 24..=64;

/// Signatures that are looked at.
const SIGNATURES_MAX: usize = 16;

/// What messages are signed with. Prints as `[secret]`.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(Vec<u8>);

impl SigningSecret {
    /// Reads `whsec_` and base64.
    ///
    /// # Errors
    /// `Secret`.
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        let text = text.trim().strip_prefix("whsec_").ok_or(SignatureError::Secret)?;
        let key = STANDARD.decode(text).map_err(|_| SignatureError::Secret)?;
        if KEY_LEN.contains(&key.len()) { Ok(Self(key)) } else { Err(SignatureError::Secret) }
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.0)
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Why a message is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A secret is not as it must be.
    #[error("a signing secret is `whsec_` and 24 to 64 bytes in base64")]
    Secret,
    /// A header is missing or unreadable.
    #[error("its header `{0}` is missing or unreadable")]
    Header(&'static str),
    /// It is too old, or from a time that is not yet.
    #[error("its time is more than 5 minutes away")]
    Time,
    /// No signature fits.
    #[error("no signature fits")]
    Signature,
}

/// The three headers as they came.
#[derive(Debug, Clone, Copy)]
pub struct WebhookHeaders<'a> {
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`.
    pub timestamp: &'a str,
    /// `webhook-signature`.
    pub signature: &'a str,
}

fn signed(id: &str, seconds: &str, body: &[u8]) -> Vec<u8> {
    let mut signed = format!("{id}.{seconds}.").into_bytes();
    signed.extend_from_slice(body);
    signed
}

/// The header `webhook-signature`: one signature for each secret. `seconds` are since 1970.
pub fn sign(secrets: &[SigningSecret], id: &str, seconds: i64, body: &[u8]) -> String {
    let text = signed(id, &seconds.to_string(), body);
    let each = secrets.iter().map(|secret| {
        let tag = hmac::sign(&secret.key(), &text);
        format!("v1,{}", STANDARD.encode(tag))
    });
    each.collect::<Vec<_>>().join(" ")
}

/// Whether a message that came is from who has one of these secrets, and of now. Compares in constant time. Who
/// calls it must still see each id once only.
///
/// # Errors
/// See [`SignatureError`].
pub fn verify(
    headers: WebhookHeaders<'_>,
    body: &[u8],
    secrets: &[SigningSecret],
    now: Timestamp,
) -> Result<(), SignatureError> {
    if headers.id.is_empty() {
        return Err(SignatureError::Header("webhook-id"));
    }
    let seconds: i64 =
        headers.timestamp.parse().map_err(|_| SignatureError::Header("webhook-timestamp"))?;
    let away = seconds.abs_diff(now.0.div_euclid(1_000));
    if away > TOLERANCE.as_secs() {
        return Err(SignatureError::Time);
    }
    let text = signed(headers.id, headers.timestamp, body);
    let given = headers.signature.split(' ').take(SIGNATURES_MAX);
    let tags = given
        .filter_map(|signature| signature.strip_prefix("v1,"))
        .filter_map(|encoded| STANDARD.decode(encoded).ok());
    for tag in tags {
        if secrets.iter().any(|secret| hmac::verify(&secret.key(), &text, &tag).is_ok()) {
            return Ok(());
        }
    }
    Err(SignatureError::Signature)
}
