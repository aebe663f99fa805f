//! Messages through each channel that speaks HTTP, and through a command, against sinks that take, fail and hang.

use std::time::Duration;

use friday_core::time::Timestamp;
use friday_edge::notify::{
    Attempt, Channel, CommandChannel, Delivery, Link, Matrix, Message, MessageKind, Notifier,
    PagerDuty, PagerDutySends, SignatureError, SigningSecret, Webhook, WebhookHeaders, verify,
};
use friday_edge::secrets::SecretValue;

use crate::sink::{Says, Sink, client};

pub const NOW: Timestamp = Timestamp(1_800_000_000_000);
const LONG: Attempt = Attempt { deadline: Duration::from_secs(20), now: NOW };
const SHORT: Attempt = Attempt { deadline: Duration::from_millis(400), now: NOW };

const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const WHSEC_OLD: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

pub fn message() -> Message {
    Message {
        id: "push-7/1".to_owned(),
        thread: "push-7".to_owned(),
        kind: MessageKind::Held,
        title: "shop: push-7 is held".to_owned(),
        lines: vec!["Disk is at 91 % on web-2.".to_owned(), "Tell friday what to do.".to_owned()],
        facts: vec![("release".to_owned(), "1.4".to_owned())],
        links: vec![Link { text: "run".to_owned(), url: "https://ci.example/7".to_owned() }],
        next_update: Some(NOW.plus_ms(1_800_000)),
        at: NOW,
    }
}

fn slack(sink: &Sink) -> Channel {
    Channel::Slack { url: sink.url("/services/T00000000/B11111111/Zq9secretZq9") }
}

fn webhook(sink: &Sink) -> Channel {
    let secrets = [WHSEC, WHSEC_OLD].map(|text| SigningSecret::parse(text).expect("a secret"));
    Channel::Webhook(Webhook { url: sink.url("/hook"), secrets: secrets.into() })
}

fn matrix(sink: &Sink, room: &str) -> Channel {
    Channel::Matrix(Matrix {
        homeserver: sink.url(""),
        room: room.to_owned(),
        token: SecretValue::new("syt_Zq9secretZq9"),
    })
}

fn pagerduty(sink: &Sink, sends: PagerDutySends) -> Channel {
    Channel::PagerDuty(PagerDuty {
        routing_key: SecretValue::new("Zq9secretZq9Zq9secretZq9"),
        sends,
        source: "shop".to_owned(),
        endpoint: Some(sink.url("")),
    })
}

async fn deliver(channel: &Channel, message: &Message, attempt: Attempt) -> Delivery {
    Notifier::new(client()).deliver(channel, message, attempt).await
}

fn delivered(delivery: &Delivery) -> &str {
    let Delivery::Delivered { detail } = delivery else { panic!("{delivery:?}") };
    detail
}

#[tokio::test]
async fn slack_and_teams_get_what_they_read() {
    let sink = Sink::start(vec![Says::body(200, "ok")]);
    let delivery = deliver(&slack(&sink), &message(), LONG).await;
    assert_eq!(delivered(&delivery), "status 200: ok");
    let seen = sink.only();
    assert_eq!(seen.line, "POST /services/T00000000/B11111111/Zq9secretZq9 HTTP/1.1");
    assert_eq!(seen.header("content-type"), "application/json");
    assert_eq!(seen.json()["text"], "shop: push-7 is held");
    let sink = Sink::start(vec![Says::status(202)]);
    let teams = Channel::Teams { url: sink.url("/workflows/x?sig=Zq9secretZq9") };
    assert_eq!(delivered(&deliver(&teams, &message(), LONG).await), "status 202");
    let content = sink.only().json()["attachments"][0]["content"].clone();
    assert_eq!(content["body"][0]["text"], "shop: push-7 is held");
    assert_eq!(content["actions"][0]["url"], "https://ci.example/7");
}

#[tokio::test]
async fn a_webhook_is_signed_so_that_the_receiver_believes_it() {
    let sink = Sink::start(vec![Says::status(204)]);
    delivered(&deliver(&webhook(&sink), &message(), LONG).await);
    let seen = sink.only();
    let headers = WebhookHeaders {
        id: seen.header("webhook-id"),
        timestamp: seen.header("webhook-timestamp"),
        signature: seen.header("webhook-signature"),
    };
    for secret in [WHSEC, WHSEC_OLD] {
        let secret = [SigningSecret::parse(secret).expect("a secret")];
        assert_eq!(verify(headers, &seen.body, &secret, NOW), Ok(()));
        let mut other = seen.body.clone();
        other[5] ^= 1;
        assert_eq!(verify(headers, &other, &secret, NOW), Err(SignatureError::Signature));
    }
    assert_eq!(seen.header("webhook-id"), "push-7/1");
    let json = seen.json();
    assert_eq!((&json["type"], &json["data"]["thread"]), (&"friday.held".into(), &"push-7".into()));
    assert_eq!(json["timestamp"], "2027-01-15T08:00:00Z");
    let none = Channel::Webhook(Webhook { url: sink.url("/"), secrets: Vec::new() });
    let delivery = deliver(&none, &message(), LONG).await;
    assert!(matches!(delivery, Delivery::Refused { status: None, .. }), "{delivery:?}");
}

#[tokio::test]
async fn a_room_is_put_the_same_under_the_same_name() {
    let limited = r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":2500}"#;
    let sink = Sink::start(vec![Says::body(429, limited), Says::body(200, r#"{"event_id":"$1"}"#)]);
    let channel = matrix(&sink, "!room:example.org");
    let delivery = deliver(&channel, &message(), LONG).await;
    let Delivery::Later { retry_after, .. } = &delivery else { panic!("{delivery:?}") };
    assert_eq!(*retry_after, Some(Duration::from_millis(2_500)));
    assert!(delivered(&deliver(&channel, &message(), LONG).await).contains("$1"));
    let seen = sink.seen();
    assert_eq!(seen[0].line, seen[1].line);
    assert_eq!(
        seen[0].line,
        "PUT /_matrix/client/v3/rooms/%21room%3Aexample%2Eorg/send/m.room.message/push%2D7%2F1 \
         HTTP/1.1"
    );
    assert_eq!(seen[0].header("authorization"), "Bearer syt_Zq9secretZq9");
    let body = seen[0].json()["body"].as_str().expect("a text").to_owned();
    assert!(body.starts_with("shop: push-7 is held\n\nDisk is at 91 %"), "{body}");
    let delivery = deliver(&matrix(&sink, "#alias:example.org"), &message(), LONG).await;
    assert!(matches!(delivery, Delivery::Refused { status: None, .. }), "{delivery:?}");
}

#[tokio::test]
async fn pagerduty_is_woken_by_what_is_held_and_calmed_by_what_is_done() {
    let sink = Sink::start(vec![Says::body(202, r#"{"status":"success"}"#)]);
    let alerts = pagerduty(&sink, PagerDutySends::Alerts);
    let changes = pagerduty(&sink, PagerDutySends::Changes);
    let of = |kind| Message { kind, title: "x".repeat(2_000), ..message() };
    for (channel, kind) in [
        (&alerts, MessageKind::Held),
        (&alerts, MessageKind::TakenBack),
        (&alerts, MessageKind::Done),
        (&alerts, MessageKind::Announce),
        (&alerts, MessageKind::Test),
        (&changes, MessageKind::Held),
    ] {
        delivered(&deliver(channel, &of(kind), LONG).await);
    }
    let seen = sink.seen();
    let told: Vec<String> = seen
        .iter()
        .map(|seen| {
            let (json, line) = (seen.json(), seen.line.split(' ').nth(1).expect("a path"));
            let word = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
            let (action, severity) =
                (word(&json["event_action"]), word(&json["payload"]["severity"]));
            format!("{line} {action} {severity} {}", word(&json["dedup_key"]))
        })
        .collect();
    assert_eq!(
        told,
        [
            "/v2/enqueue trigger error push-7",
            "/v2/enqueue trigger warning push-7",
            "/v2/enqueue resolve - push-7",
            "/v2/change/enqueue - - -",
            "/v2/change/enqueue - - -",
            "/v2/change/enqueue - - -",
        ]
    );
    let summary = seen[0].json()["payload"]["summary"].as_str().expect("a text").to_owned();
    assert_eq!(summary.chars().count(), 1_024);
    assert!(summary.ends_with('…'));
    assert_eq!(seen[0].json()["routing_key"], "Zq9secretZq9Zq9secretZq9");
    let long = Message { thread: "t".repeat(300), ..message() };
    delivered(&deliver(&alerts, &long, LONG).await);
    let key = sink.seen().last().expect("seen").json()["dedup_key"].clone();
    assert_eq!(key.as_str().expect("a text").len(), 64);
}

#[tokio::test]
async fn each_answer_means_what_it_means_for_every_channel() {
    for status in [400, 401, 403, 404, 405, 410, 413, 301, 302, 307] {
        let sink = Sink::start(vec![Says::elsewhere(status, "http://127.0.0.1:9/".to_owned())]);
        for channel in [slack(&sink), webhook(&sink), matrix(&sink, "!a:b")] {
            let delivery = deliver(&channel, &message(), LONG).await;
            let Delivery::Refused { status: Some(found), .. } = delivery else {
                panic!("{status}: {delivery:?}")
            };
            assert_eq!(found, status);
            assert_eq!(delivery.next_attempt(&channel, 1, 0.0), None);
        }
    }
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let sink = Sink::start(vec![Says::status(status)]);
        let channel = slack(&sink);
        let delivery = deliver(&channel, &message(), LONG).await;
        assert!(matches!(delivery, Delivery::Later { retry_after: None, .. }), "{delivery:?}");
        assert_eq!(delivery.next_attempt(&channel, 1, 0.0), Some(Duration::from_secs(5)));
    }
    for (text, wanted) in [
        ("120", Some(120)),
        ("Fri, 15 Jan 2027 08:01:30 GMT", Some(90)),
        ("Fri, 15 Jan 2027 07:00:00 GMT", Some(0)),
        ("soon", None),
        ("-5", None),
    ] {
        let headers = vec![("retry-after", text.to_owned())];
        let sink = Sink::start(vec![Says::Status(429, headers, Vec::new())]);
        let delivery = deliver(&slack(&sink), &message(), LONG).await;
        let Delivery::Later { retry_after, .. } = delivery else { panic!("{delivery:?}") };
        assert_eq!(retry_after.map(|found| found.as_secs()), wanted, "{text}");
    }
}

#[tokio::test]
async fn silence_is_told_from_an_answer_and_ends() {
    let gone = slack(&Sink::start(vec![Says::Hang]));
    for says in [Says::Hang, Says::Raw(""), Says::Raw("HTTP/1.1 ")] {
        let sink = Sink::start(vec![says]);
        let (slack, matrix) = (slack(&sink), matrix(&sink, "!a:b"));
        let delivery = deliver(&slack, &message(), SHORT).await;
        assert!(matches!(delivery, Delivery::Unknown { .. }), "{delivery:?}");
        assert!(delivery.next_attempt(&slack, 1, 0.0).is_some());
        assert_eq!(delivery.next_attempt(&slack, 2, 0.0), None, "Slack would show a third");
        assert!(delivery.next_attempt(&matrix, 5, 0.0).is_some(), "Matrix shows one");
    }
    let long = Sink::start(vec![Says::Long(10 * 1024 * 1024)]);
    let delivery = deliver(&slack(&long), &message(), LONG).await;
    assert!(delivered(&delivery).chars().count() <= 320, "{delivery:?}");
    loop {
        // The sink ends a moment after its value.
        let delivery = deliver(&gone, &message(), SHORT).await;
        if matches!(delivery, Delivery::Later { .. }) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_a_service_repeats_is_told_without_the_secret() {
    let echo = "no such hook: /services/T00000000/B11111111/Zq9secretZq9 syt_Zq9secretZq9 \
                Zq9secretZq9Zq9secretZq9\u{1b}[31m";
    for status in [200, 404, 500] {
        let sink = Sink::start(vec![Says::body(status, echo)]);
        for channel in
            [slack(&sink), matrix(&sink, "!a:b"), pagerduty(&sink, PagerDutySends::Changes)]
        {
            let own = match &channel {
                Channel::Slack { .. } => "B11111111/Zq9secretZq9",
                Channel::Matrix(_) => "syt_Zq9secretZq9",
                _ => "Zq9secretZq9Zq9secretZq9",
            };
            let told = format!("{:?}", deliver(&channel, &message(), LONG).await);
            assert!(told.contains("no such hook"), "{told}");
            assert!(!told.contains(own) && !told.contains('\u{1b}'), "{told}");
        }
    }
}

#[tokio::test]
async fn no_message_goes_to_a_private_address_that_is_not_allowed() {
    let sink = Sink::start(vec![Says::status(200)]);
    let by_name = friday_edge::outbound::SecretUrl::parse(&sink.named("/Zq9")).expect("a URL");
    let delivery = deliver(&Channel::Slack { url: by_name }, &message(), LONG).await;
    let Delivery::Refused { status: None, says } = &delivery else { panic!("{delivery:?}") };
    assert!(says.contains("allow_private") && !says.contains("Zq9"), "{says}");
    assert!(sink.seen().is_empty());
}

fn command(script: &str, directory: &std::path::Path) -> Channel {
    Channel::Command(CommandChannel {
        argv: ["/bin/sh", "-c", script].map(str::to_owned).into(),
        env: vec![("TOKEN".to_owned(), SecretValue::new("Zq9secretZq9"))],
        directory: directory.to_owned(),
    })
}

#[tokio::test]
async fn a_command_reads_the_message_and_sees_little_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let script = "cat >in; env >env; tr '\\0' ' ' </proc/$$/cmdline >argv; echo \"ticket $TOKEN\"";
    let delivery = deliver(&command(script, directory.path()), &message(), LONG).await;
    assert_eq!(delivered(&delivery), "ticket [secret]");
    let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).expect("written");
    let json: serde_json::Value = serde_json::from_str(&read("in")).expect("JSON");
    assert_eq!(json["data"]["lines"][0], "Disk is at 91 % on web-2.");
    let env = read("env");
    assert!(env.contains("TOKEN=") && env.contains("PATH="), "{env}");
    assert!(!env.contains("CARGO"), "{env}");
    assert!(!read("argv").contains("Disk"));
}

#[tokio::test]
async fn a_command_says_by_its_status_what_came_of_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let run = async |script: &str, attempt| {
        deliver(&command(script, directory.path()), &message(), attempt).await
    };
    // One that does not read, and one whose message is longer than a pipe holds.
    delivered(&run("exec <&-; exit 0", LONG).await);
    let long = Message { lines: vec!["x".repeat(1_000_000)], ..message() };
    delivered(&deliver(&command("exit 0", directory.path()), &long, LONG).await);
    for status in [1, 2, 75, 255] {
        let delivery = run(&format!("echo why $TOKEN >&2; exit {status}"), LONG).await;
        let Delivery::Later { says, .. } = &delivery else { panic!("{delivery:?}") };
        assert!(says.contains("why [secret]") && says.contains(&status.to_string()), "{says}");
    }
    for status in [64, 77, 78, 126, 127] {
        let delivery = run(&format!("exit {status}"), LONG).await;
        assert!(matches!(delivery, Delivery::Refused { .. }), "{delivery:?}");
    }
    let delivery = run("kill -9 $$", LONG).await;
    assert!(matches!(delivery, Delivery::Later { .. }), "{delivery:?}");
    // At its end all of it is killed: the grandchild would write.
    let delivery = run("(sleep 3; touch late) & wait", SHORT).await;
    assert!(matches!(delivery, Delivery::Unknown { .. }), "{delivery:?}");
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(!directory.path().join("late").exists());
    let nothing = Channel::Command(CommandChannel {
        argv: vec!["/no/such/program".to_owned()],
        env: Vec::new(),
        directory: directory.path().to_owned(),
    });
    let delivery = deliver(&nothing, &message(), LONG).await;
    assert!(matches!(delivery, Delivery::Refused { .. }), "{delivery:?}");
}
