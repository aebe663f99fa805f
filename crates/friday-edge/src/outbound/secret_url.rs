//! A URL of which only scheme and host may be seen: the rest is often the secret itself.
//!
//! Nothing here is asked; see [`super`]. No error and no debug print has more of it than `https://host/…`.

use std::fmt;

use percent_encoding::percent_decode_str;
use ureq::http::Uri;

/// The longest URL, bytes.
const URL_LEN_MAX: usize = 8 * 1024;

/// A part of a path or a query that is as long may be a secret; shorter ones are words such as `send`.
const PART_LEN_MIN: usize = 6;

/// What is known to be a secret is taken out from this length on; shorter, it is in every text.
const SECRET_LEN_MIN: usize = 3;

/// What stands where a secret was.
const MASK: &str = "[secret]";

/// Why a text is no URL that friday asks. Never says the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It cannot be read.
    #[error("it is no URL with a host")]
    NoUrl,
    /// As calendars write them.
    #[error("webcal:// is no address to ask; write https:// instead")]
    Webcal,
    /// Another scheme.
    #[error("only http:// and https:// are asked")]
    Scheme,
}

/// A URL, `http` or `https`, with a host. Shows `scheme://host/…`.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl {
    uri: Uri,
}

impl SecretUrl {
    /// Reads one.
    ///
    /// # Errors
    /// See [`UrlError`].
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let text = text.trim();
        if text.len() > URL_LEN_MAX {
            return Err(UrlError::NoUrl);
        }
        let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        match scheme.as_deref() {
            Some("http" | "https") => {}
            Some("webcal" | "webcals") => return Err(UrlError::Webcal),
            Some(_) => return Err(UrlError::Scheme),
            None => return Err(UrlError::NoUrl),
        }
        let uri: Uri = text.parse().map_err(|_| UrlError::NoUrl)?;
        match uri.host() {
            Some(host) if !host.is_empty() => Ok(Self { uri }),
            _ => Err(UrlError::NoUrl),
        }
    }

    /// This URL with more path after its own; `path` begins with `/`, its words are encoded.
    ///
    /// # Errors
    /// `NoUrl`, when the two make none.
    pub fn join(&self, path: &str) -> Result<Self, UrlError> {
        let base = self.uri.to_string();
        let base = base.split(['?', '#']).next().unwrap_or_default();
        Self::parse(&format!("{}{path}", base.trim_end_matches('/')))
    }

    /// The host, in small letters; an IPv6 address without its brackets.
    pub fn host(&self) -> String {
        bare_host(&self.uri)
    }

    /// All of it, to be asked.
    pub fn expose(&self) -> String {
        self.uri.to_string()
    }

    /// Whether it is asked over TLS.
    pub fn is_tls(&self) -> bool {
        self.uri.scheme_str().is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
    }

    /// A text from outside in which no secret part of this URL stands: servers like to repeat what they were asked.
    pub fn redact(&self, text: &str) -> String {
        redact(text, &self.secret_parts())
    }

    fn secret_parts(&self) -> Vec<String> {
        let mut parts = Vec::new();
        parts.push(self.uri.path().trim_matches('/').to_owned());
        parts.extend(self.uri.path().split('/').map(str::to_owned));
        if let Some(query) = self.uri.query() {
            parts.push(query.to_owned());
            parts.extend(query.split(['&', '=']).map(str::to_owned));
        }
        parts.retain(|part| part.len() >= PART_LEN_MIN);
        if let Some((login, _)) =
            self.uri.authority().and_then(|authority| authority.as_str().rsplit_once('@'))
        {
            parts.push(login.to_owned());
            parts.extend(login.split(':').map(str::to_owned));
        }
        parts
    }
}

/// A host as names are compared.
pub(super) fn bare_host(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// A text without these parts, as written and as meant; short ones are words and stay.
pub fn redact<S: AsRef<str>>(text: &str, secrets: &[S]) -> String {
    let mut wanted: Vec<String> = Vec::new();
    for secret in secrets.iter().map(AsRef::as_ref) {
        let decoded = percent_decode_str(secret).decode_utf8_lossy().into_owned();
        wanted.extend([secret.to_owned(), decoded]);
    }
    wanted.retain(|part| part.len() >= SECRET_LEN_MIN);
    // The longest first: a part of a part must not save the rest of it.
    wanted.sort_by_key(|part| std::cmp::Reverse(part.len()));
    wanted.dedup();
    wanted.iter().fold(text.to_owned(), |text, part| text.replace(part.as_str(), MASK))
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let host = self.uri.host().unwrap_or_default();
        write!(f, "{scheme}://{host}")?;
        match self.uri.port_u16() {
            Some(port) => write!(f, ":{port}/…"),
            None => f.write_str("/…"),
        }
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
