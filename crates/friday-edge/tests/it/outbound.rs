//! The client for what lies outside, against servers that are slow, endless, broken or sly.

use std::time::{Duration, Instant};

use friday_edge::outbound::{
    ANSWER_LEN_MAX, Answer, FEED_LEN_MAX, Method, Outbound, OutboundError, Policy, Purpose,
    Reached, SecretUrl, SendError, Stage, Trust,
};
use friday_edge::probe::{ProbeTarget, Prober};
use friday_wire::Sample;

use crate::sink::{Says, Sink, client, client_with};

/// Long enough for a busy machine.
const LONG: Duration = Duration::from_secs(20);

/// What must be over soon.
const SHORT: Duration = Duration::from_millis(400);

async fn get(client: &Outbound, url: &SecretUrl, limit: Duration) -> Result<Answer, OutboundError> {
    client.get(Purpose::Feed, url, &[], limit, FEED_LEN_MAX).await
}

async fn post(client: &Outbound, url: &SecretUrl, limit: Duration) -> Result<Answer, SendError> {
    client.send(Method::Post, url, &[], b"hello".to_vec(), limit).await
}

#[tokio::test]
async fn a_private_address_is_asked_only_where_it_is_allowed() {
    let sink = Sink::start(vec![Says::body(200, "yes")]);
    let stranger = Outbound::new(Policy::public_only(), Trust::system());
    // However it is written: the system reads all of these as the loopback address.
    let port = sink.text("").rsplit(':').next().expect("a port").to_owned();
    for host in
        ["127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433", "[::ffff:127.0.0.1]"]
    {
        let url = SecretUrl::parse(&format!("http://{host}:{port}/hidden")).expect("a URL");
        let error = get(&stranger, &url, LONG).await.expect_err("refused");
        assert!(matches!(error, OutboundError::Refused(_)), "{host}: {error}");
        assert!(error.to_string().contains("allow_private"), "{error}");
        assert!(!error.to_string().contains("hidden"), "{error}");
        let error = post(&stranger, &url, LONG).await.expect_err("refused");
        assert_eq!(error.reached, Reached::Nothing, "{host}: {error}");
    }
    assert!(sink.seen().is_empty(), "nobody asked it");
    let answer = get(&client(), &sink.url("/a?b=c"), LONG).await.expect("allowed");
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"yes".as_slice()));
    assert_eq!(sink.only().line, "GET /a?b=c HTTP/1.1");
    let by_name = SecretUrl::parse(&sink.named("/")).expect("a URL");
    assert!(get(&client(), &by_name, LONG).await.is_err(), "another name of it is not allowed");
}

#[tokio::test]
async fn a_redirect_is_checked_again_and_messages_follow_none() {
    let inside = Sink::start(vec![Says::body(200, "the secret inside")]);
    let allowed = Sink::start(vec![Says::body(200, "there")]);
    let to = |status, place: String| Sink::start(vec![Says::elsewhere(status, place)]);
    for status in [301, 302, 303, 307, 308] {
        let sly = to(status, inside.named("/"));
        let error = get(&client(), &sly.url("/"), LONG).await.expect_err("refused");
        let OutboundError::Refused(refused) = &error else { panic!("{error}") };
        assert_eq!(refused.host, "localhost");
        let kind = to(status, allowed.text("/x"));
        let answer = get(&client(), &kind.url("/"), LONG).await.expect("followed");
        assert_eq!(answer.body, b"there");
        let answer = post(&client(), &kind.url("/"), LONG).await.expect("answered");
        assert_eq!(answer.status, status);
    }
    assert!(inside.seen().is_empty());
    assert_eq!(allowed.seen().len(), 5, "no message went on");
    let file = to(302, "file:///etc/passwd".to_owned());
    let error = get(&client(), &file.url("/"), LONG).await.expect_err("refused");
    assert!(matches!(error, OutboundError::Redirect { .. }), "{error}");
    let ring = Sink::start(vec![Says::elsewhere(302, "/again".to_owned())]);
    let error = get(&client(), &ring.url("/"), LONG).await.expect_err("refused");
    assert!(matches!(error, OutboundError::Redirect { whither: "too often", .. }), "{error}");
    assert_eq!(ring.seen().len(), 4);
}

#[tokio::test]
async fn what_is_asked_safely_is_not_answered_in_clear() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("own.pem");
    let clear = Sink::start(vec![Says::body(200, "anybody could have said this")]);
    let safe = Sink::with_tls(vec![Says::elsewhere(302, clear.text("/"))], &file);
    let client = client_with(Trust::file(&file).expect("an authority"));
    let error = get(&client, &safe.url("/"), LONG).await.expect_err("refused");
    assert!(matches!(error, OutboundError::Redirect { .. }), "{error}");
    assert!(clear.seen().is_empty());
}

#[tokio::test]
async fn a_certificate_is_believed_or_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let (file, other) = (directory.path().join("own.pem"), directory.path().join("other.pem"));
    let safe = Sink::with_tls(vec![Says::body(200, "safe")], &file);
    let _other = Sink::with_tls(vec![Says::status(200)], &other);
    let own = client_with(Trust::file(&file).expect("an authority"));
    assert_eq!(get(&own, &safe.url("/"), LONG).await.expect("believed").body, b"safe");
    let stranger = client_with(Trust::file(&other).expect("an authority"));
    let error = get(&stranger, &safe.url("/"), LONG).await.expect_err("not believed");
    assert!(matches!(error, OutboundError::Tls { .. }), "{error:?}");
    let error = post(&stranger, &safe.url("/"), LONG).await.expect_err("not believed");
    assert_eq!(error.reached, Reached::Nothing, "{error:?}");
    let clear = Sink::start(vec![Says::Raw("HTTP/1.1 400 no\r\n\r\n")]);
    let wrong = SecretUrl::parse(&clear.text("/").replace("http:", "https:")).expect("a URL");
    // What is no greeting is read as a request that never ends: the server sees no end of a head.
    let error = get(&own, &wrong, Duration::from_secs(2)).await.expect_err("no TLS");
    let text = format!("{error:?}");
    assert!(text.contains("Tls") || text.contains("TimedOut"), "{text}");
    assert!(Trust::file(&directory.path().join("none.pem")).is_err());
    std::fs::write(&file, "nothing").expect("written");
    assert!(Trust::file(&file).is_err());
}

#[tokio::test]
async fn a_deadline_is_one_and_says_what_it_was_at() {
    for (says, wanted) in [(Says::Hang, Stage::Answer), (Says::HangAfterHead(200), Stage::Body)] {
        let sink = Sink::start(vec![says]);
        let began = Instant::now();
        let error = get(&client(), &sink.url("/hidden"), SHORT).await.expect_err("too late");
        let OutboundError::TimedOut { at, limit, .. } = error else { panic!("{error:?}") };
        assert_eq!((at, limit), (wanted, SHORT));
        assert!(began.elapsed() < LONG, "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_message_that_may_have_come_is_told_from_one_that_has_not() {
    let hanging = Sink::start(vec![Says::Hang]);
    let error = post(&client(), &hanging.url("/"), SHORT).await.expect_err("no answer");
    assert_eq!(error.reached, Reached::Perhaps, "{error:?}");
    let cut = Sink::start(vec![Says::Raw("")]);
    let error = post(&client(), &cut.url("/"), LONG).await.expect_err("no answer");
    assert_eq!(error.reached, Reached::Perhaps, "{error:?}");
    let noise = Sink::start(vec![Says::Raw("SSH-2.0-x\r\n\r\n")]);
    let error = post(&client(), &noise.url("/"), LONG).await.expect_err("no HTTP");
    assert_eq!(error.reached, Reached::Perhaps, "{error:?}");
    // Who said a status has said it, whatever comes of the rest.
    for says in
        [Says::HangAfterHead(202), Says::Raw("HTTP/1.1 202 X\r\ncontent-length: 9\r\n\r\nab")]
    {
        let sink = Sink::start(vec![says]);
        assert_eq!(post(&client(), &sink.url("/"), SHORT).await.expect("a status").status, 202);
    }
    let gone = Sink::start(vec![Says::Hang]).url("/");
    let error = loop {
        // The listener ends a moment after its value.
        match post(&client(), &gone, SHORT).await {
            Err(error) if error.reached == Reached::Nothing => break error,
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    assert!(matches!(error.error, OutboundError::Unreachable { .. }), "{error:?}");
    let nobody = SecretUrl::parse("http://no-such-name.invalid/x").expect("a URL");
    let error = post(&client(), &nobody, LONG).await.expect_err("no name");
    assert!(matches!(error.error, OutboundError::Name { .. }), "{error:?}");
    assert_eq!(error.reached, Reached::Nothing);
}

#[tokio::test]
async fn an_answer_is_not_read_for_ever() {
    for says in [Says::Long(10 * 1024 * 1024), Says::Endless] {
        let sink = Sink::start(vec![says]);
        let error = get(&client(), &sink.url("/"), LONG).await.expect_err("too large");
        assert_eq!(
            error,
            OutboundError::TooLarge { host: "127.0.0.1".to_owned(), most: FEED_LEN_MAX }
        );
        let answer = post(&client(), &sink.url("/"), LONG).await.expect("a status");
        assert_eq!((answer.status, answer.body.len() as u64), (200, ANSWER_LEN_MAX));
    }
    let just = Sink::start(vec![Says::Long(FEED_LEN_MAX as usize)]);
    let answer = get(&client(), &just.url("/"), LONG).await.expect("it fits");
    assert_eq!(answer.body.len() as u64, FEED_LEN_MAX);
}

#[tokio::test]
async fn a_header_that_is_none_is_not_sent_and_not_told() {
    let sink = Sink::start(vec![Says::status(200)]);
    let headers = [("authorization", "Bearer Zq9\r\nx: y".to_owned())];
    let error = client()
        .send(Method::Post, &sink.url("/"), &headers, Vec::new(), LONG)
        .await
        .expect_err("no header");
    assert!(matches!(error.error, OutboundError::Header { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("Zq9"), "{error:?}");
    assert!(sink.seen().is_empty());
}

/// Set in the process that has a proxy in its environment.
const INNER: &str = "FRIDAY_TEST_PROXIED";

#[tokio::test]
async fn no_proxy_of_the_environment_is_asked() {
    let proxy = Sink::start(vec![Says::body(200, "from the proxy")]);
    if let Ok(url) = std::env::var(INNER) {
        let url = SecretUrl::parse(&url).expect("a URL");
        assert_eq!(get(&client(), &url, LONG).await.expect("answered").body, b"direct");
        let target = ProbeTarget { url: url.expose().to_owned(), expect: Some(200), timeout: LONG };
        assert_eq!(Prober::new().sample(&target).await, Sample::Pass);
        return;
    }
    let sink = Sink::start(vec![Says::body(200, "direct"), Says::body(200, "direct")]);
    let mut inner = tokio::process::Command::new(std::env::current_exe().expect("this program"));
    inner.args(["--exact", "outbound::no_proxy_of_the_environment_is_asked"]);
    inner.env(INNER, sink.text("/"));
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        inner.env(name, proxy.text(""));
    }
    let done = inner.env_remove("NO_PROXY").env_remove("no_proxy").output().await.expect("run");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    assert_eq!((sink.seen().len(), proxy.seen().len()), (2, 0));
}
