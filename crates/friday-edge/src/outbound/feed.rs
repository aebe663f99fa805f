//! Feeds: lists and calendars that others keep, read again and again, with the last good copy for when they are silent.
//!
//! What stands in a feed is for its reader to judge. A copy says when it was fetched; how old is too old is not decided here.

pub mod cache;

use std::sync::Arc;
use std::time::Duration;

use friday_core::time::Timestamp;
use tokio::task::JoinSet;

use super::{FEED_LEN_MAX, Outbound, OutboundError, Purpose, SecretUrl};
use cache::{CacheError, Cached, FeedCache, Kept};

/// One feed has so long when several are fetched: a person waits for the answer.
pub const FEED_DEADLINE: Duration = Duration::from_secs(2);

/// An ETag is a header that is sent back; a longer one is not kept.
const ETAG_LEN_MAX: usize = 1_024;

/// A feed with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// As the configuration names it, each name once.
    pub name: String,
    /// Where it is.
    pub url: SecretUrl,
}

/// How a server knows the copy that friday has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Validators {
    /// `ETag`, as it was sent.
    pub etag: Option<String>,
    /// `Last-Modified`, as it was sent.
    pub last_modified: Option<String>,
}

/// What a fetch gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// The copy is what there is.
    NotModified,
    /// Another one.
    Body {
        /// Its bytes.
        bytes: Vec<u8>,
        /// How to ask for it the next time.
        validators: Validators,
    },
}

/// Fetches one feed.
///
/// # Errors
/// See [`OutboundError`]; any status but 200 and 304 is one.
pub async fn fetch(
    outbound: &Outbound,
    url: &SecretUrl,
    known: &Validators,
    deadline: Duration,
) -> Result<Fetched, OutboundError> {
    let mut headers = Vec::new();
    headers.extend(known.etag.clone().map(|etag| ("if-none-match", etag)));
    headers.extend(known.last_modified.clone().map(|date| ("if-modified-since", date)));
    let asks_for_change = !headers.is_empty();
    let answer = outbound.get(Purpose::Feed, url, &headers, deadline, FEED_LEN_MAX).await?;
    let kept = |name| {
        let value = answer.header(name).filter(|value| value.len() <= ETAG_LEN_MAX);
        value.map(str::to_owned)
    };
    match answer.status {
        304 if asks_for_change => Ok(Fetched::NotModified),
        200 => {
            let validators =
                Validators { etag: kept("etag"), last_modified: kept("last-modified") };
            Ok(Fetched::Body { bytes: answer.body, validators })
        }
        status => Err(OutboundError::Status { host: url.host(), status }),
    }
}

/// What there is of a feed.
#[derive(Debug)]
pub enum Got {
    /// As it is now.
    Fresh {
        /// Its bytes.
        bytes: Vec<u8>,
        /// Why the copy could not be kept or used, where that is so.
        cache: Option<CacheError>,
    },
    /// As it was.
    Copy {
        /// Its bytes.
        bytes: Vec<u8>,
        /// When it was last seen to be so.
        fetched_at: Timestamp,
        /// How old that is.
        age: Duration,
        /// Why there is nothing newer.
        why: OutboundError,
    },
    /// Nothing.
    Nothing {
        /// Why it could not be fetched.
        why: OutboundError,
        /// Why the copy cannot be used; `None`: there is none.
        cache: Option<CacheError>,
    },
}

/// Fetches all of them at once, each within [`FEED_DEADLINE`] (and [`REQUESTS_MAX`](super) at a time); the copy is for
/// those that are silent. The answer has the order of the feeds.
pub async fn fetch_all(
    outbound: &Outbound,
    cache: &FeedCache,
    feeds: &[Feed],
    now: Timestamp,
) -> Vec<(String, Got)> {
    let mut all = JoinSet::new();
    let shared = Arc::new(cache.clone());
    for (place, feed) in feeds.iter().cloned().enumerate() {
        let (outbound, cache) = (outbound.clone(), Arc::clone(&shared));
        all.spawn(
            async move { (place, refresh(&outbound, &cache, &feed, FEED_DEADLINE, now).await) },
        );
    }
    let mut got: Vec<(usize, Got)> = Vec::with_capacity(feeds.len());
    while let Some(done) = all.join_next().await {
        // One that ended otherwise is told below.
        got.extend(done.ok());
    }
    got.sort_by_key(|(place, _)| *place);
    let mut got = got.into_iter().peekable();
    let of = |(place, feed): (usize, &Feed)| {
        let lost = || Got::Nothing {
            why: OutboundError::Broken {
                host: feed.url.host(),
                why: "friday's own part of it ended".to_owned(),
            },
            cache: None,
        };
        let mine = got.next_if(|(of, _)| *of == place);
        (feed.name.clone(), mine.map_or_else(lost, |(_, got)| got))
    };
    feeds.iter().enumerate().map(of).collect()
}

/// Fetches one feed, keeps it, or takes the copy.
pub async fn refresh(
    outbound: &Outbound,
    cache: &FeedCache,
    feed: &Feed,
    deadline: Duration,
    now: Timestamp,
) -> Got {
    let (kept, damage) = match cache.load(feed, now) {
        Ok(kept) => (kept, None),
        Err(error) => (None, Some(error)),
    };
    let known = kept.as_ref().map(|kept| kept.validators.clone()).unwrap_or_default();
    match fetch(outbound, &feed.url, &known, deadline).await {
        Ok(Fetched::Body { bytes, validators }) => {
            let keep = Kept { bytes: &bytes, validators: &validators, fetched_at: now };
            let cache = cache.keep(feed, &keep).err().or(damage);
            Got::Fresh { bytes, cache }
        }
        Ok(Fetched::NotModified) => match kept {
            Some(Cached { bytes, validators, .. }) => {
                let keep = Kept { bytes: &bytes, validators: &validators, fetched_at: now };
                let cache = cache.keep(feed, &keep).err();
                Got::Fresh { bytes, cache }
            }
            // Without a copy nothing was said of one, so this is not answered.
            None => Got::Nothing {
                why: OutboundError::Status { host: feed.url.host(), status: 304 },
                cache: damage,
            },
        },
        Err(why) => match kept {
            Some(Cached { bytes, fetched_at, .. }) => {
                let age = Duration::from_millis(now.since_ms(fetched_at));
                Got::Copy { bytes, fetched_at, age, why }
            }
            None => Got::Nothing { why, cache: damage },
        },
    }
}
