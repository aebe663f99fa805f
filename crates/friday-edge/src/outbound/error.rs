//! Why something outside gave no answer. No message has more of a URL than its host.
//!
//! ureq's own words are used only where they cannot quote an address.

use std::error::Error as _;
use std::time::Duration;

use super::address::RefusedAddress;
use super::progress::Stage;
use super::secret_url::UrlError;
use crate::last_lines::shown;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The address makes no sense.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// Its host must not be asked.
    #[error(transparent)]
    Refused(RefusedAddress),
    /// Its name leads nowhere.
    #[error("the name `{host}` cannot be looked up: {why}")]
    Name {
        /// The host.
        host: String,
        /// What the system said.
        why: String,
    },
    /// It took too long.
    #[error("`{host}` timed out after {limit:?}, {at}", at = at.told())]
    TimedOut {
        /// The host.
        host: String,
        /// What friday was at.
        at: Stage,
        /// The whole deadline.
        limit: Duration,
    },
    /// No connection.
    #[error("no connection to `{host}`: {why}")]
    Unreachable {
        /// The host.
        host: String,
        /// What the system said.
        why: String,
    },
    /// Its certificate is not believed, or it speaks no TLS.
    #[error("no safe connection to `{host}`: {why}")]
    Tls {
        /// The host.
        host: String,
        /// What is wrong.
        why: String,
    },
    /// The connection ended, or what came is not HTTP.
    #[error("`{host}` broke off: {why}")]
    Broken {
        /// The host.
        host: String,
        /// How.
        why: String,
    },
    /// The answer is too long.
    #[error("`{host}` answers with more than {most} bytes")]
    TooLarge {
        /// The host.
        host: String,
        /// As much is read.
        most: u64,
    },
    /// It sends elsewhere, and friday does not go there.
    #[error("`{host}` redirects {whither}")]
    Redirect {
        /// The host.
        host: String,
        /// `too often`.
        whither: &'static str,
    },
    /// It says no.
    #[error("`{host}` answers with status {status}")]
    Status {
        /// The host.
        host: String,
        /// The HTTP status.
        status: u16,
    },
    /// A header's value is no text that HTTP can carry: a secret with a line break in it.
    #[error("what is sent to `{host}` has a character that no header can carry")]
    Header {
        /// The host.
        host: String,
    },
}

/// What ureq's error means, for a request to this host that came so far.
pub(super) fn meant(error: &ureq::Error, host: &str, at: Stage, limit: Duration) -> OutboundError {
    let host = host.to_owned();
    match error {
        ureq::Error::Other(other) => match other.downcast_ref::<RefusedAddress>() {
            Some(refused) => OutboundError::Refused(refused.clone()),
            None => OutboundError::Broken { host, why: "for a reason of its own".to_owned() },
        },
        ureq::Error::Timeout(_) => OutboundError::TimedOut { host, at, limit },
        ureq::Error::HostNotFound => {
            OutboundError::Name { host, why: "it has no address".to_owned() }
        }
        ureq::Error::Rustls(error) => OutboundError::Tls { host, why: shown(&error.to_string()) },
        ureq::Error::Tls(why) => OutboundError::Tls { host, why: (*why).to_owned() },
        ureq::Error::Pem(_) => OutboundError::Tls { host, why: "a certificate is none".to_owned() },
        ureq::Error::TooManyRedirects => OutboundError::Redirect { host, whither: "too often" },
        ureq::Error::RequireHttpsOnly(_) => {
            OutboundError::Redirect { host, whither: "to where nothing is encrypted" }
        }
        ureq::Error::BadUri(_) | ureq::Error::RedirectFailed => {
            OutboundError::Redirect { host, whither: "to what is no http:// or https:// address" }
        }
        ureq::Error::Http(_) => OutboundError::Header { host },
        ureq::Error::Io(error) => io(error, host, at),
        ureq::Error::ConnectionFailed => {
            OutboundError::Unreachable { host, why: "it failed".to_owned() }
        }
        ureq::Error::Protocol(_) => {
            OutboundError::Broken { host, why: "what it answers is not HTTP".to_owned() }
        }
        _ => OutboundError::Broken { host, why: "what it answers cannot be read".to_owned() },
    }
}

fn io(error: &std::io::Error, host: String, at: Stage) -> OutboundError {
    if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return OutboundError::Tls { host, why: shown(&tls.to_string()) };
    }
    let mut why = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        why = cause.to_string();
        source = cause.source();
    }
    let why = shown(&why);
    match at {
        Stage::Turn | Stage::Name => OutboundError::Name { host, why },
        Stage::Connection => OutboundError::Unreachable { host, why },
        Stage::Answer | Stage::Body => OutboundError::Broken { host, why },
    }
}
