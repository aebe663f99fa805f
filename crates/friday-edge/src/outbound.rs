//! The one client for what lies outside: feeds that are read, messages that are sent.
//!
//! It looks up a name, checks every address against the [`Policy`] of the request's purpose, and connects to what was
//! checked; a redirect is checked again. Everything has an end: time, size, how many at once. It knows no proxy, keeps
//! no connection, and tells of a URL no more than its host. It does not decide what an answer means.

pub mod address;
pub mod error;
pub mod feed;
mod progress;
pub mod secret_url;
pub mod trust;

use std::io::Read as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use ureq::http::{HeaderMap, Request, Response};
use ureq::tls::TlsConfig;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector as _, RustlsConnector, TcpConnector};
use ureq::{Agent, Body};

pub use address::{Policy, Purpose, Reach, RefusedAddress, reach};
pub use error::OutboundError;
pub use progress::Stage;
pub use secret_url::{SecretUrl, UrlError, redact};
pub use trust::{Trust, TrustError};

use address::Guard;
use progress::{Noted, Progress};

/// Requests at once. More take turns, within their deadlines.
const REQUESTS_MAX: usize = 16;

/// Redirects that a read follows: to https, to another name, to a signed address.
const REDIRECTS_MAX: u32 = 3;

/// Headers of an answer, bytes.
const HEADERS_LEN_MAX: usize = 32 * 1024;

/// The thread that asks ends by the deadline; who waits for it gives it a little longer to say why.
const GRACE: Duration = Duration::from_millis(500);

/// The longest deadline: a message that needs longer is sent again.
const DEADLINE_MAX: Duration = Duration::from_secs(300);

/// A feed may be as long, bytes.
pub const FEED_LEN_MAX: u64 = 5 * 1024 * 1024;

/// So much of the answer to a message is read, bytes.
pub const ANSWER_LEN_MAX: u64 = 64 * 1024;

/// How a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// It is added.
    Post,
    /// It is put under a name: twice is once.
    Put,
}

/// What came back, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body: of what is read all of it, of an answer to a message as much as came and is allowed.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Whether the other side can have seen what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// Nothing of it.
    Nothing,
    /// All of it, a part, or nothing.
    Perhaps,
}

/// A message that has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct SendError {
    /// Why not.
    pub error: OutboundError,
    /// Whether it may have come.
    pub reached: Reached,
}

/// Headers by name; values may be secrets and are never shown.
pub type Headers<'a> = &'a [(&'static str, String)];

/// Asks what lies outside. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbound {
    policy: Arc<Policy>,
    trust: Trust,
    room: Arc<Semaphore>,
}

/// A request as the thread that makes it has it.
struct Asked {
    request: Request<Vec<u8>>,
    agent: Agent,
    most: u64,
    whole: Whole,
}

/// What a body that is too long or ends early means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whole {
    /// The answer is no answer then.
    Needed,
    /// The status has said what there is to know.
    AsFarAsItCame,
}

impl Outbound {
    /// Asks nobody yet.
    pub fn new(policy: Policy, trust: Trust) -> Self {
        Self { policy: Arc::new(policy), trust, room: Arc::new(Semaphore::new(REQUESTS_MAX)) }
    }

    /// The authorities it believes.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Reads. Follows a few redirects; the whole answer must come within the deadline, and be at most `most` bytes.
    ///
    /// # Errors
    /// See [`OutboundError`]; a status is no error.
    pub async fn get(
        &self,
        purpose: Purpose,
        url: &SecretUrl,
        headers: Headers<'_>,
        deadline: Duration,
        most: u64,
    ) -> Result<Answer, OutboundError> {
        let progress = Arc::<Progress>::default();
        let request = built("GET", url, headers, Vec::new())?;
        let agent = self.agent(purpose, url, &progress, deadline, REDIRECTS_MAX);
        let asked = Asked { request, agent, most, whole: Whole::Needed };
        self.ask(asked, url.host(), progress, deadline).await
    }

    /// Sends. Follows no redirect; as soon as there is a status, that is the answer.
    ///
    /// # Errors
    /// See [`SendError`]; a status is no error.
    pub async fn send(
        &self,
        method: Method,
        url: &SecretUrl,
        headers: Headers<'_>,
        body: Vec<u8>,
        deadline: Duration,
    ) -> Result<Answer, SendError> {
        let progress = Arc::<Progress>::default();
        let method = match method {
            Method::Post => "POST",
            Method::Put => "PUT",
        };
        let request = built(method, url, headers, body)
            .map_err(|error| SendError { error, reached: Reached::Nothing })?;
        let agent = self.agent(Purpose::Notification, url, &progress, deadline, 0);
        let (most, whole) = (ANSWER_LEN_MAX, Whole::AsFarAsItCame);
        let asked = Asked { request, agent, most, whole };
        let answer = self.ask(asked, url.host(), Arc::clone(&progress), deadline).await;
        answer.map_err(|error| {
            let reached = match progress.stage() {
                Stage::Turn | Stage::Name | Stage::Connection => Reached::Nothing,
                Stage::Answer | Stage::Body => Reached::Perhaps,
            };
            SendError { error, reached }
        })
    }

    /// Looks up a host for who speaks something else than HTTP, and lets no address through that must not be asked.
    ///
    /// # Errors
    /// `Name`, `Refused`.
    pub async fn addresses(
        &self,
        purpose: Purpose,
        host: &str,
        port: u16,
    ) -> Result<Vec<IpAddr>, OutboundError> {
        let found = lookup(host, port).await?;
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        for address in &found {
            self.policy.check(purpose, &name, *address).map_err(OutboundError::Refused)?;
        }
        Ok(found)
    }

    fn agent(
        &self,
        purpose: Purpose,
        url: &SecretUrl,
        progress: &Arc<Progress>,
        deadline: Duration,
        redirects: u32,
    ) -> Agent {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(redirects)
            .max_redirects_will_error(redirects > 0)
            // What was asked safely is not answered otherwise.
            .https_only(url.is_tls())
            // A proxy would look up names itself, past the policy.
            .proxy(None)
            .max_idle_connections(0)
            .max_response_header_size(HEADERS_LEN_MAX)
            .timeout_global(Some(deadline.min(DEADLINE_MAX)))
            .user_agent(concat!("friday/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(self.trust.roots()).build())
            .build();
        let guard = Guard {
            purpose,
            policy: self.policy.only(purpose, &url.host()),
            progress: Arc::clone(progress),
            names: DefaultResolver::default(),
        };
        let connector =
            ().chain(TcpConnector::default())
                .chain(RustlsConnector::default())
                .chain(Noted(Arc::clone(progress)));
        Agent::with_parts(config, connector, guard)
    }

    async fn ask(
        &self,
        asked: Asked,
        host: String,
        progress: Arc<Progress>,
        limit: Duration,
    ) -> Result<Answer, OutboundError> {
        let limit = limit.min(DEADLINE_MAX);
        let end = Instant::now() + limit;
        let late = |at| OutboundError::TimedOut { host: host.clone(), at, limit };
        let turn = match timeout_at(end, Arc::clone(&self.room).acquire_owned()).await {
            Ok(Ok(turn)) => turn,
            Ok(Err(_)) | Err(_) => return Err(late(Stage::Turn)),
        };
        let (of, at) = (host.clone(), Arc::clone(&progress));
        let asking = tokio::task::spawn_blocking(move || {
            let answer = call(asked, &of, &at, limit);
            drop(turn);
            answer
        });
        match timeout_at(end + GRACE, asking).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(OutboundError::Broken { host, why: "friday is ending".to_owned() }),
            Err(_) => Err(late(progress.stage())),
        }
    }
}

/// The addresses of a name, or the one that it is.
///
/// # Errors
/// `Name`.
pub(crate) async fn lookup(host: &str, port: u16) -> Result<Vec<IpAddr>, OutboundError> {
    let wrong = |why: String| OutboundError::Name { host: host.to_owned(), why };
    let found = tokio::net::lookup_host((host, port)).await;
    let found = found.map_err(|error| wrong(error.to_string()))?;
    let found: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    if found.is_empty() { Err(wrong("it has no address".to_owned())) } else { Ok(found) }
}

fn built(
    method: &str,
    url: &SecretUrl,
    headers: Headers<'_>,
    body: Vec<u8>,
) -> Result<Request<Vec<u8>>, OutboundError> {
    let mut request = Request::builder().method(method).uri(url.expose());
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    request.body(body).map_err(|_| OutboundError::Header { host: url.host() })
}

fn call(
    asked: Asked,
    host: &str,
    progress: &Progress,
    limit: Duration,
) -> Result<Answer, OutboundError> {
    let Asked { request, agent, most, whole } = asked;
    let meant = |error: &ureq::Error| error::meant(error, host, progress.stage(), limit);
    let has_body = request.method() != "GET";
    let answered = if has_body { agent.run(request) } else { agent.run(request.map(drop)) };
    let mut response = answered.map_err(|error| meant(&error))?;
    progress.reach(Stage::Body);
    let body = read(&mut response, most, whole).map_err(|failed| match failed {
        Unread::TooLarge => OutboundError::TooLarge { host: host.to_owned(), most },
        Unread::Failed(error) => meant(&ureq::Error::from(error)),
    })?;
    let (parts, _) = response.into_parts();
    Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
}

enum Unread {
    TooLarge,
    Failed(std::io::Error),
}

fn read(response: &mut Response<Body>, most: u64, whole: Whole) -> Result<Vec<u8>, Unread> {
    let body = response.body_mut();
    if whole == Whole::Needed && body.content_length().is_some_and(|length| length > most) {
        return Err(Unread::TooLarge);
    }
    let mut bytes = Vec::new();
    // One byte more than allowed tells that there are more.
    let mut reader = body.with_config().limit(most.saturating_add(2)).reader().take(most + 1);
    let end = reader.read_to_end(&mut bytes);
    let longer = bytes.len() as u64 > most;
    match (whole, end) {
        (Whole::AsFarAsItCame, _) => bytes.truncate(usize::try_from(most).unwrap_or(usize::MAX)),
        (Whole::Needed, Err(error)) => return Err(Unread::Failed(error)),
        (Whole::Needed, Ok(_)) if longer => return Err(Unread::TooLarge),
        (Whole::Needed, Ok(_)) => {}
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
