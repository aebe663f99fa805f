//! What a store says when it refuses, and what to do about it.
//!
//! Stores of different makers agree on the codes, not on the sentences: only codes are understood here.

use std::error::Error as _;
use std::io;

use ureq::Body;
use ureq::http::Response;

use crate::course::Stopped;

/// More off than this, and stores refuse; milliseconds.
const CLOCK_MAY_BE_OFF_MS: u64 = 4 * 60 * 1_000;

/// So much of a refusal is read, bytes.
const READ_OF_REFUSAL: u64 = 16 * 1024;

/// Why a store did not do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BucketError {
    /// No address.
    #[error("the bucket's address cannot be used: {why}")]
    Address {
        /// What is wrong with it.
        why: String,
    },
    /// No such object.
    #[error("there is no such object")]
    Absent,
    /// No such bucket.
    #[error("the store has no bucket `{bucket}`")]
    NoBucket {
        /// Which.
        bucket: String,
    },
    /// Another region.
    #[error("the bucket `{bucket}` is in another region{region}")]
    Region {
        /// Which.
        bucket: String,
        /// ` (eu-central-1)`, where the store says it.
        region: String,
    },
    /// The access key's name is unknown.
    #[error("the store does not know the access key")]
    UnknownKey,
    /// The access key is wrong.
    #[error("the store refuses the signature: the secret key does not belong to the access key")]
    WrongKey,
    /// This host's clock.
    #[error("this host's clock is {by_s} s {way} the store's")]
    Clock {
        /// Seconds.
        by_s: u64,
        /// `ahead of` or `behind`.
        way: &'static str,
    },
    /// Not allowed.
    #[error("the store does not let this access key {doing} in the bucket `{bucket}`")]
    Denied {
        /// `read`, `write`, `list`, `remove`.
        doing: &'static str,
        /// Which.
        bucket: String,
    },
    /// A refusal of another kind.
    #[error("the store refuses: {status} {code}")]
    Refused {
        /// HTTP's.
        status: u16,
        /// The store's.
        code: String,
    },
    /// It has trouble of its own, or too much to do.
    #[error("the store cannot answer now: {status} {code}")]
    Troubled {
        /// HTTP's.
        status: u16,
        /// The store's.
        code: String,
    },
    /// No answer.
    #[error("the store does not answer: {why}")]
    Silent {
        /// What is known.
        why: String,
    },
    /// It cannot prove who it is.
    #[error("the store's certificate is not to be trusted: {why}")]
    Untrusted {
        /// What is known.
        why: String,
    },
    /// An answer that is none.
    #[error("the store answers strangely: {why}")]
    Strange {
        /// What is known.
        why: String,
    },
    /// It shall stop.
    #[error(transparent)]
    Stopped(Stopped),
}

impl BucketError {
    /// Whether another try may do.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Troubled { .. } | Self::Silent { .. })
    }

    /// What to do.
    pub fn help(&self) -> Option<&'static str> {
        Some(match self {
            Self::Address { .. } => "mend `bucket`, `endpoint` and `region` under `backups.s3`",
            Self::NoBucket { .. } => {
                "make it at the store, or mend `bucket` and `endpoint` under `backups.s3`"
            }
            Self::Region { .. } => "mend `region` under `backups.s3`",
            Self::UnknownKey => "look at the secret that `access_key` names, and at `endpoint`",
            Self::WrongKey => "look at the secret that `secret_key` names",
            Self::Clock { .. } => "set this host's clock: timedatectl set-ntp true",
            Self::Denied { .. } => {
                "let the key that `access_key` names list the bucket, and read, write and remove objects in it"
            }
            Self::Silent { .. } => {
                "try `endpoint` from the database's host, for instance with curl; look at firewalls"
            }
            Self::Untrusted { .. } => {
                "add the store's authority to the host's own certificates (update-ca-certificates), or name its file in SSL_CERT_FILE; see that `endpoint` has the name that the certificate has"
            }
            Self::Troubled { .. } | Self::Strange { .. } => "try again later; look at the store",
            Self::Absent | Self::Refused { .. } | Self::Stopped(_) => return None,
        })
    }
}

impl From<BucketError> for io::Error {
    fn from(error: BucketError) -> Self {
        match error {
            BucketError::Absent => Self::new(io::ErrorKind::NotFound, error),
            error => Self::other(error),
        }
    }
}

fn of(error: &io::Error) -> Option<&BucketError> {
    let mut cause: &(dyn std::error::Error + 'static) = error.get_ref()?;
    loop {
        if let Some(found) = cause.downcast_ref::<BucketError>() {
            return Some(found);
        }
        cause = match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => inner,
            None => cause.source()?,
        };
    }
}

/// What to do about an error of a store; `None`: it is none, or nothing is known.
pub fn help_of(error: &io::Error) -> Option<String> {
    of(error).and_then(BucketError::help).map(str::to_owned)
}

/// Whether an error is a store's refusal or silence, which says nothing about what is stored.
pub fn is_of_store(error: &io::Error) -> bool {
    of(error).is_some_and(|error| *error != BucketError::Absent)
}

/// What a store meant by an answer that is no success. `now_ms`: by this host's clock.
pub fn refused(
    answer: &mut Response<Body>,
    doing: &'static str,
    bucket: &str,
    now_ms: u64,
) -> BucketError {
    let header = |name: &str| {
        answer.headers().get(name).and_then(|text| text.to_str().ok()).map(str::to_owned)
    };
    let (date, region) = (header("date"), header("x-amz-bucket-region"));
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(READ_OF_REFUSAL).read_to_string();
    let code = code_of(&body.unwrap_or_default());
    let said = Said { status, code, region, their_ms: date.as_deref().and_then(moment) };
    said.meant(doing, bucket, now_ms)
}

/// A refusal, taken apart.
struct Said {
    status: u16,
    code: String,
    region: Option<String>,
    their_ms: Option<u64>,
}

impl Said {
    fn meant(self, doing: &'static str, bucket: &str, now_ms: u64) -> BucketError {
        let Self { status, code, region, their_ms } = self;
        let bucket = bucket.to_owned();
        let off = their_ms.filter(|theirs| theirs.abs_diff(now_ms) > CLOCK_MAY_BE_OFF_MS);
        let clock = |theirs: u64| BucketError::Clock {
            by_s: theirs.abs_diff(now_ms) / 1_000,
            way: if now_ms > theirs { "ahead of" } else { "behind" },
        };
        match (status, code.as_str()) {
            (_, "RequestTimeTooSkewed") => clock(their_ms.unwrap_or(now_ms)),
            (_, "NoSuchBucket") => BucketError::NoBucket { bucket },
            (_, "InvalidAccessKeyId") => BucketError::UnknownKey,
            (_, "SignatureDoesNotMatch") => BucketError::WrongKey,
            (301 | 307 | 308, _) | (_, "PermanentRedirect" | "AuthorizationHeaderMalformed") => {
                let region = region.map(|name| format!(" ({name})")).unwrap_or_default();
                BucketError::Region { bucket, region }
            }
            (404, _) => BucketError::Absent,
            (401 | 403, _) => match off {
                // A signature that is not yet or no more good is refused without saying so.
                Some(theirs) => clock(theirs),
                None => BucketError::Denied { doing, bucket },
            },
            (408 | 425 | 429 | 500.., _) | (_, "RequestTimeout" | "SlowDown") => {
                BucketError::Troubled { status, code }
            }
            _ => BucketError::Refused { status, code },
        }
    }
}

/// The code in a refusal: `<Code>NoSuchBucket</Code>`. Short and plain, or it is none.
fn code_of(body: &str) -> String {
    let found = body.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    let code = found.map(|(code, _)| code.trim()).unwrap_or_default();
    let plain = code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if plain { code.to_owned() } else { String::new() }
}

/// A moment as HTTP writes it, milliseconds since 1970.
fn moment(date: &str) -> Option<u64> {
    let at = jiff::fmt::rfc2822::parse(date).ok()?;
    u64::try_from(at.timestamp().as_millisecond()).ok()
}

/// What a request without an answer means.
pub fn unanswered(error: &ureq::Error) -> BucketError {
    let why = plain(error);
    match certificate_of(error) {
        Some(_) => BucketError::Untrusted { why },
        None => BucketError::Silent { why },
    }
}

fn certificate_of(error: &ureq::Error) -> Option<&rustls::CertificateError> {
    let tls = match error {
        ureq::Error::Rustls(error) => error,
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref()?,
        _ => return None,
    };
    match tls {
        rustls::Error::InvalidCertificate(why) => Some(why),
        _ => None,
    }
}

/// What is known of it. An address stands in none of it: it holds a signature.
fn plain(error: &ureq::Error) -> String {
    if let Some(why) = certificate_of(error) {
        return why.to_string();
    }
    match error {
        ureq::Error::Io(error) => {
            let mut text = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                text = cause.to_string();
                source = cause.source();
            }
            text
        }
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::HostNotFound => "its name is not known here".to_owned(),
        ureq::Error::ConnectionFailed => "no connection".to_owned(),
        ureq::Error::BadUri(_) => "its address is none".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn meant(status: u16, code: &str, their_ms: Option<u64>) -> BucketError {
        let said = Said { status, code: code.to_owned(), region: None, their_ms };
        said.meant("write", "shop", NOW)
    }

    #[test]
    fn each_refusal_says_what_to_mend() {
        for (status, code, says) in [
            (404, "NoSuchBucket", "no bucket `shop`"),
            (403, "InvalidAccessKeyId", "does not know the access key"),
            (403, "SignatureDoesNotMatch", "the secret key does not belong"),
            (403, "AccessDenied", "does not let this access key write in the bucket `shop`"),
            (400, "AuthorizationHeaderMalformed", "another region"),
            (301, "", "another region"),
            (503, "SlowDown", "cannot answer now: 503 SlowDown"),
        ] {
            let error = meant(status, code, Some(NOW));
            assert!(error.to_string().contains(says), "{error}");
            assert!(error.help().is_some(), "{error}");
            assert_eq!(error.may_pass(), status == 503);
        }
        assert_eq!(meant(404, "NoSuchKey", None), BucketError::Absent);
        assert_eq!(meant(404, "", None), BucketError::Absent);
    }

    #[test]
    fn a_clock_that_is_off_is_named_also_where_the_store_does_not() {
        let error = meant(403, "AccessDenied", Some(NOW - 900_000));
        assert_eq!(error.to_string(), "this host's clock is 900 s ahead of the store's");
        let error = meant(403, "RequestTimeTooSkewed", Some(NOW + 1_200_000));
        assert_eq!(error.to_string(), "this host's clock is 1200 s behind the store's");
        assert_eq!(moment("Fri, 15 Jan 2027 08:00:00 GMT"), Some(NOW));
        assert_eq!(moment("yesterday"), None);
    }

    #[test]
    fn a_stores_error_is_found_below_others() {
        let error = io::Error::other(io::Error::from(BucketError::WrongKey));
        assert!(is_of_store(&error) && help_of(&error).is_some());
        assert!(!is_of_store(&io::Error::from(BucketError::Absent)));
        assert!(!is_of_store(&io::ErrorKind::NotFound.into()));
    }

    #[test]
    fn a_code_is_short_and_plain() {
        assert_eq!(code_of("<Error><Code>NoSuchKey</Code></Error>"), "NoSuchKey");
        assert_eq!(code_of("<Code>\u{1b}[2J</Code>"), "");
        assert_eq!(code_of("<html>"), "");
    }
}
