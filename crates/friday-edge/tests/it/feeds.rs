//! Feeds: asked for changes, kept, and the last good copy where nobody answers.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use friday_core::time::Timestamp;
use friday_edge::outbound::feed::cache::{CacheError, FeedCache};
use friday_edge::outbound::feed::{Feed, Fetched, Got, Validators, fetch, fetch_all, refresh};
use friday_edge::outbound::{FEED_LEN_MAX, Outbound, OutboundError, Trust};

use crate::sink::{Says, Sink, client, client_with};

const LONG: Duration = Duration::from_secs(20);
const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn tagged(body: &str) -> Says {
    let headers = vec![
        ("etag", "\"v1\"".to_owned()),
        ("last-modified", "Tue, 24 Nov 2026 10:00:00 GMT".to_owned()),
    ];
    Says::Status(200, headers, body.as_bytes().to_vec())
}

fn feed(name: &str, sink: &Sink) -> Feed {
    Feed { name: name.to_owned(), url: sink.url("/hidden.ics") }
}

fn file_in(directory: &Path) -> PathBuf {
    let mut files =
        fs::read_dir(directory).expect("there").map(|found| found.expect("read").path());
    let file = files.next().expect("a file");
    assert!(files.next().is_none(), "one file");
    file
}

async fn once(client: &Outbound, cache: &FeedCache, feed: &Feed, now: Timestamp) -> Got {
    refresh(client, cache, feed, LONG, now).await
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let cache = FeedCache::open(&directory.path().join("feeds")).expect("opened");
    let sink = Sink::start(vec![tagged("first"), Says::status(304), Says::status(500)]);
    let feed = feed("team", &sink);
    let Got::Fresh { bytes, cache: None } = once(&client(), &cache, &feed, NOW).await else {
        panic!("not fresh")
    };
    assert_eq!(bytes, b"first");
    let later = NOW.plus_ms(60_000);
    let Got::Fresh { bytes, cache: None } = once(&client(), &cache, &feed, later).await else {
        panic!("not fresh")
    };
    assert_eq!(bytes, b"first");
    let last = later.plus_ms(30_000);
    let Got::Copy { bytes, fetched_at, age, why } = once(&client(), &cache, &feed, last).await
    else {
        panic!("no copy")
    };
    assert_eq!(
        (bytes.as_slice(), fetched_at, age),
        (&b"first"[..], later, Duration::from_secs(30))
    );
    assert_eq!(why, OutboundError::Status { host: "127.0.0.1".to_owned(), status: 500 });
    let seen = sink.seen();
    assert_eq!(seen[0].header("if-none-match"), "");
    assert_eq!(seen[1].header("if-none-match"), "\"v1\"");
    assert_eq!(seen[1].header("if-modified-since"), "Tue, 24 Nov 2026 10:00:00 GMT");
    let file = file_in(&directory.path().join("feeds"));
    assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&file).expect("text");
    assert!(!text.contains("hidden") && !text.contains("127.0.0.1"), "{text}");
}

#[tokio::test]
async fn an_answer_to_another_question_is_none() {
    let sink = Sink::start(vec![Says::status(304)]);
    let none = Validators::default();
    let error = fetch(&client(), &sink.url("/"), &none, LONG).await.expect_err("no copy was named");
    assert!(matches!(error, OutboundError::Status { status: 304, .. }), "{error}");
    for status in [204, 206, 401, 404, 503] {
        let sink = Sink::start(vec![Says::body(status, "BEGIN:VCALENDAR")]);
        let error = fetch(&client(), &sink.url("/"), &none, LONG).await.expect_err("no feed");
        assert!(matches!(error, OutboundError::Status { .. }), "{error}");
    }
    let long = Says::Status(200, vec![("etag", "x".repeat(5_000))], b"a".to_vec());
    let sink = Sink::start(vec![long]);
    let fetched = fetch(&client(), &sink.url("/"), &none, LONG).await.expect("a feed");
    assert_eq!(fetched, Fetched::Body { bytes: b"a".to_vec(), validators: none });
}

#[tokio::test]
async fn feeds_are_fetched_at_once_and_the_copy_is_for_those_that_are_silent() {
    let directory = tempfile::tempdir().expect("a directory");
    let cache = FeedCache::open(directory.path()).expect("opened");
    let own = directory.path().join("own.pem");
    let good = Sink::start(vec![tagged("good")]);
    let silent = Sink::start(vec![tagged("before"), Says::Hang]);
    let huge = Sink::start(vec![Says::Long(50 * 1024 * 1024)]);
    let broken = Sink::with_tls(vec![tagged("unsafe")], &own);
    let never = Sink::start(vec![Says::HangAfterHead(200)]);
    let feeds = [
        feed("silent", &silent),
        feed("good", &good),
        feed("huge", &huge),
        feed("broken", &broken),
        feed("never", &never),
    ];
    let client = client_with(Trust::system());
    let got = once(&client, &cache, &feeds[0], NOW).await;
    assert!(matches!(got, Got::Fresh { .. }), "{got:?}");
    let began = Instant::now();
    let got = fetch_all(&client, &cache, &feeds, NOW.plus_ms(5_000)).await;
    assert!(began.elapsed() < LONG, "{:?}", began.elapsed());
    let names: Vec<&str> = got.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["silent", "good", "huge", "broken", "never"]);
    let why = |place: usize| match &got[place].1 {
        Got::Copy { why, .. } | Got::Nothing { why, cache: None } => why.clone(),
        other => panic!("{other:?}"),
    };
    let Got::Copy { bytes, age, .. } = &got[0].1 else { panic!("{:?}", got[0]) };
    assert_eq!((bytes.as_slice(), *age), (&b"before"[..], Duration::from_secs(5)));
    assert!(matches!(why(0), OutboundError::TimedOut { .. }), "{:?}", why(0));
    assert!(matches!(&got[1].1, Got::Fresh { bytes, .. } if bytes == b"good"), "{:?}", got[1]);
    let (most, host) = (FEED_LEN_MAX, "127.0.0.1".to_owned());
    assert_eq!(why(2), OutboundError::TooLarge { host, most });
    assert!(matches!(why(3), OutboundError::Tls { .. }), "{:?}", why(3));
    assert!(matches!(why(4), OutboundError::TimedOut { .. }), "{:?}", why(4));
    assert!(!format!("{got:?}").contains("hidden"));
}

#[tokio::test]
async fn a_damaged_copy_is_told_and_not_used() {
    let directory = tempfile::tempdir().expect("a directory");
    let sink = Sink::start(vec![tagged("BEGIN:VCALENDAR"), Says::Raw("")]);
    let feed = feed("team", &sink);
    let cache = FeedCache::open(directory.path()).expect("opened");
    once(&client(), &cache, &feed, NOW).await;
    let file = file_in(directory.path());
    let good = fs::read(&file).expect("there");
    assert!(cache.load(&feed, NOW).expect("read").is_some());
    for place in 0..good.len() {
        let mut bad = good.clone();
        bad[place] ^= 1;
        fs::write(&file, &bad).expect("written");
        let error = cache.load(&feed, NOW).expect_err("damaged");
        assert!(matches!(error, CacheError::Damaged { .. }), "byte {place}: {error}");
        fs::write(&file, &good[..place]).expect("written");
        assert!(cache.load(&feed, NOW).is_err(), "cut at {place}");
    }
    let got = once(&client(), &cache, &feed, NOW).await;
    let Got::Nothing { cache: Some(error), .. } = &got else { panic!("{got:?}") };
    assert!(error.to_string().contains("damaged"), "{error}");
    // A copy that is whole, but not of this URL, or of a time that is not yet.
    fs::write(&file, &good).expect("written");
    let moved = Feed { url: sink.url("/other.ics"), ..feed.clone() };
    assert_eq!(cache.load(&moved, NOW).expect("read"), None);
    assert!(cache.load(&feed, Timestamp(NOW.0 - 600_000)).is_err());
    assert!(cache.load(&feed, NOW).expect("read").is_some());
    // And the next good answer mends it.
    let mended = Sink::start(vec![tagged("again")]);
    let there = Feed { url: mended.url("/"), ..feed };
    fs::write(&file, b"nonsense").expect("written");
    let got = once(&client(), &cache, &there, NOW).await;
    assert!(matches!(&got, Got::Fresh { cache: Some(_), .. }), "{got:?}");
    let got = once(&client(), &cache, &there, NOW).await;
    assert!(matches!(&got, Got::Fresh { cache: None, .. }), "{got:?}");
}
