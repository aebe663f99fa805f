//! A bucket of a store that speaks S3: small requests over HTTP, each signed, each with an end, tried again where
//! that may help.
//!
//! It knows names and bytes, and nothing of backups. A secret stands in no message: a request is signed in its
//! address, so an address is never shown either.

pub mod parts;
mod refusal;

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use friday_wire::data::Hidden;
use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{Bucket as Address, Credentials, S3Action, UrlStyle};
use ureq::http::{Response, StatusCode};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

pub use refusal::{BucketError, help_of, is_of_store};

use crate::clock;
use crate::course::Watch;

/// How long a signature counts: a host's clock may be some minutes off.
const SIGNED_FOR: Duration = Duration::from_secs(15 * 60);

/// To a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// From the end of a request to the head of its answer, and between two bytes.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);

/// One request with all its bytes: a part at 60 kB/s.
const REQUEST_LIMIT: Duration = Duration::from_secs(300);

/// One request is made so often.
const TRIES: u32 = 5;

/// After the first try that failed; twice as long after each that follows.
const PAUSE: Duration = Duration::from_millis(200);

/// What tidies up after a request that was given up has so long, and one try.
const TIDY_LIMIT: Duration = Duration::from_secs(20);

/// An answer that is no object may be so long: a page of a list.
const ANSWER_LIMIT: u64 = 8 * 1024 * 1024;

/// Where a system's certificates lie; the first that is there. `SSL_CERT_FILE` goes before them.
const CERTIFICATES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
];

/// Where a bucket is, and who may use it.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// Its name.
    pub bucket: &'a str,
    /// A URL; `None`: AWS.
    pub endpoint: Option<&'a str>,
    /// As the store names it.
    pub region: &'a str,
    /// The access key's name.
    pub access_key: &'a Hidden,
    /// The access key.
    pub secret_key: &'a Hidden,
}

/// A bucket.
#[derive(Clone)]
pub struct Bucket {
    inner: Arc<Inner>,
    watch: Option<Watch>,
    tries: u32,
}

struct Inner {
    agent: Agent,
    address: Address,
    credentials: Credentials,
}

/// What lies below a name.
#[derive(Debug, Default)]
pub struct Below {
    /// Objects with their length, bytes, in the order of their names.
    pub objects: Vec<(String, u64)>,
    /// Parts of names that end with `/`, without it.
    pub directories: Vec<String>,
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bucket({})", self.name())
    }
}

impl Bucket {
    /// Asks nobody yet.
    ///
    /// # Errors
    /// When the address makes no sense.
    pub fn new(named: &Named<'_>) -> Result<Self, BucketError> {
        let Named { bucket, endpoint, region, access_key, secret_key } = named;
        let odd = |why: &str| BucketError::Address { why: why.to_owned() };
        if region.is_empty() || bucket.is_empty() || bucket.contains('/') {
            return Err(odd("a bucket has a name without `/`, and a region"));
        }
        let aws = format!("https://s3.{region}.amazonaws.com");
        let text = endpoint.unwrap_or(&aws);
        let url = text.parse().map_err(|_| odd("its endpoint is no URL"))?;
        // A certificate of AWS fits no name with a dot before its own.
        let style = match endpoint {
            None if !bucket.contains('.') => UrlStyle::VirtualHost,
            _ => UrlStyle::Path,
        };
        let (bucket, region) = ((*bucket).to_owned(), (*region).to_owned());
        let address = Address::new(url, style, bucket, region)
            .map_err(|_| odd("its endpoint is no http:// or https:// URL of a host"))?;
        let credentials = Credentials::new(access_key.expose().trim(), secret_key.expose().trim());
        let agent = agent();
        let inner = Inner { agent, address, credentials };
        Ok(Self { inner: Arc::new(inner), watch: None, tries: TRIES })
    }

    /// The same, for a request that may end.
    pub fn watched(&self, watch: &Watch) -> Self {
        Self { watch: Some(watch.clone()), ..self.clone() }
    }

    /// The same, for who tidies up after a request that was given up: a little time, and no second try.
    pub fn tidying(&self) -> Self {
        let watch = Watch::new(Arc::default(), TIDY_LIMIT);
        Self { inner: self.inner.clone(), watch: Some(watch), tries: 1 }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.inner.address.name()
    }

    /// Writes an object, whole or not at all.
    ///
    /// # Errors
    /// See [`BucketError`].
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<(), BucketError> {
        self.ask("write", || {
            let url = self.signed(&self.inner.address.put_object(self.credentials(), name));
            self.inner
                .agent
                .put(url)
                .config()
                .timeout_global(Some(self.limit()))
                .build()
                .send(bytes)
        })
        .map(drop)
    }

    /// Reads an object of at most `most` bytes.
    ///
    /// # Errors
    /// See [`BucketError`]; one that is not there is [`BucketError::Absent`].
    pub fn get(&self, name: &str, most: u64) -> Result<Vec<u8>, BucketError> {
        let again = |bytes: io::Result<Vec<u8>>| bytes.map_err(ureq::Error::Io);
        self.ask_for("read", || {
            let url = self.signed(&self.inner.address.get_object(self.credentials(), name));
            let asked =
                self.inner.agent.get(url).config().timeout_global(Some(self.limit())).build();
            let mut answer = asked.call()?;
            if answer.status() != StatusCode::OK {
                return Ok((answer, Vec::new()));
            }
            let mut bytes = Vec::new();
            let mut reader = answer.body_mut().as_reader().take(most.saturating_add(1));
            let read = reader.read_to_end(&mut bytes).map(|_| bytes);
            let bytes = again(read)?;
            Ok((answer, bytes))
        })
    }

    /// How long an object is, bytes; `None`: there is none.
    ///
    /// # Errors
    /// See [`BucketError`].
    pub fn length(&self, name: &str) -> Result<Option<u64>, BucketError> {
        let asked = self.ask("read", || {
            let url = self.signed(&self.inner.address.head_object(self.credentials(), name));
            self.inner.agent.head(url).config().timeout_global(Some(self.limit())).build().call()
        });
        match asked {
            Ok(answer) => {
                let length = answer.headers().get("content-length");
                let length = length.and_then(|text| text.to_str().ok()?.parse().ok());
                Ok(Some(length.unwrap_or(0)))
            }
            Err(BucketError::Absent) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What lies below a name, which ends with `/` where all of a directory is meant.
    ///
    /// # Errors
    /// See [`BucketError`].
    pub fn below(&self, prefix: &str, depth: Depth) -> Result<Below, BucketError> {
        let mut below = Below::default();
        let mut token: Option<String> = None;
        loop {
            let page = self.page(prefix, depth, token.take())?;
            for one in page.contents {
                below.objects.push((one.key, one.size.unwrap_or(0)));
            }
            for one in page.common_prefixes {
                below.directories.push(one.prefix.trim_end_matches('/').to_owned());
            }
            token = page.next_continuation_token.filter(|token| !token.is_empty());
            if token.is_none() {
                below.objects.sort();
                below.directories.sort();
                return Ok(below);
            }
        }
    }

    fn page(
        &self,
        prefix: &str,
        depth: Depth,
        token: Option<String>,
    ) -> Result<rusty_s3::actions::ListObjectsV2Response, BucketError> {
        let mut list = self.inner.address.list_objects_v2(self.credentials());
        list.with_prefix(prefix);
        if depth == Depth::Here {
            list.with_delimiter("/");
        }
        if let Some(token) = token {
            list.with_continuation_token(token);
        }
        let text = self.ask_for("list", || {
            let asked = self.inner.agent.get(self.signed(&list));
            let mut answer = asked.config().timeout_global(Some(self.limit())).build().call()?;
            if answer.status() != StatusCode::OK {
                return Ok((answer, Vec::new()));
            }
            let read = answer.body_mut().with_config().limit(ANSWER_LIMIT).read_to_vec();
            let bytes = read?;
            Ok((answer, bytes))
        })?;
        let strange = || BucketError::Strange { why: "its list cannot be read".to_owned() };
        let text = String::from_utf8(text).map_err(|_| strange())?;
        ListObjectsV2::parse_response(&text).map_err(|_| strange())
    }

    /// Removes an object; one that is not there is well removed.
    ///
    /// # Errors
    /// See [`BucketError`].
    pub fn remove(&self, name: &str) -> Result<(), BucketError> {
        let removed = self.ask("remove", || {
            let url = self.signed(&self.inner.address.delete_object(self.credentials(), name));
            self.inner.agent.delete(url).config().timeout_global(Some(self.limit())).build().call()
        });
        match removed {
            Ok(_) | Err(BucketError::Absent) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn credentials(&self) -> Option<&Credentials> {
        Some(&self.inner.credentials)
    }

    fn signed<'a>(&self, action: &impl S3Action<'a>) -> String {
        action.sign(SIGNED_FOR).into()
    }

    fn limit(&self) -> Duration {
        let left = self.watch.as_ref().map_or(REQUEST_LIMIT, Watch::left);
        left.clamp(Duration::from_millis(1), REQUEST_LIMIT)
    }

    fn ask(
        &self,
        doing: &'static str,
        once: impl Fn() -> Result<Response<Body>, ureq::Error>,
    ) -> Result<Response<Body>, BucketError> {
        self.try_again(doing, once, |answer| answer)
    }

    fn ask_for(
        &self,
        doing: &'static str,
        once: impl Fn() -> Result<(Response<Body>, Vec<u8>), ureq::Error>,
    ) -> Result<Vec<u8>, BucketError> {
        self.try_again(doing, once, |(answer, _)| answer).map(|(_, bytes)| bytes)
    }

    fn try_again<T>(
        &self,
        doing: &'static str,
        once: impl Fn() -> Result<T, ureq::Error>,
        answer_of: impl Fn(&mut T) -> &mut Response<Body>,
    ) -> Result<T, BucketError> {
        let mut pause = PAUSE;
        let mut tried = 0;
        loop {
            if let Some(watch) = &self.watch {
                watch.poll().map_err(BucketError::Stopped)?;
            }
            tried += 1;
            let error = match once() {
                Ok(mut came) => {
                    let answer = answer_of(&mut came);
                    if answer.status().is_success() {
                        return Ok(came);
                    }
                    refusal::refused(answer, doing, self.name(), clock::now_ms())
                }
                Err(error) => refusal::unanswered(&error),
            };
            if !error.may_pass() || tried >= self.tries {
                return Err(error);
            }
            match &self.watch {
                Some(watch) => watch.pause(pause).map_err(|_| error)?,
                None => std::thread::sleep(pause),
            }
            pause *= 2;
        }
    }
}

/// How deep a list goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// To the next `/`.
    Here,
    /// To every object.
    All,
}

fn agent() -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        // A store that sends elsewhere means another region; a signature does not follow.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(CONNECT_LIMIT))
        .timeout_recv_response(Some(SILENCE_LIMIT))
        .timeout_per_read(Some(SILENCE_LIMIT))
        .timeout_per_write(Some(SILENCE_LIMIT))
        .user_agent(concat!("friday-data/", env!("CARGO_PKG_VERSION")))
        .tls_config(TlsConfig::builder().root_certs(certificates()).build())
        .build();
    Agent::new_with_config(config)
}

/// The system's own where it has some, so that a store of the team's own authority is known; else those of the
/// public authorities, as they were when this program was built.
fn certificates() -> RootCerts {
    let named = std::env::var_os("SSL_CERT_FILE").map(std::path::PathBuf::from);
    let places = named.into_iter().chain(CERTIFICATES.map(std::path::PathBuf::from));
    let Some(text) = places.into_iter().find_map(|path| std::fs::read(path).ok()) else {
        return RootCerts::WebPki;
    };
    let found: Vec<_> = parse_pem(&text)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(one)) => Some(one),
            _ => None,
        })
        .collect();
    if found.is_empty() { RootCerts::WebPki } else { RootCerts::from(found) }
}
