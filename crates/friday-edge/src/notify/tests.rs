use proptest::prelude::*;

use super::text::{cut_bytes, cut_chars};
use super::*;

fn message() -> Message {
    Message {
        id: "msg-1".to_owned(),
        thread: "push-7".to_owned(),
        kind: MessageKind::Held,
        title: "shop: push-7 is held".to_owned(),
        lines: vec!["a <b> & *c*".to_owned(), "second".to_owned()],
        facts: vec![("release".to_owned(), "1.4 <beta>".to_owned())],
        links: vec![Link {
            text: "run".to_owned(),
            url: "https://ci.example/1?a=1&b=2".to_owned(),
        }],
        next_update: Some(Timestamp(1_800_000_600_000)),
        at: Timestamp(1_800_000_000_000),
    }
}

#[test]
fn slack_gets_no_sign_that_means_something_to_it() {
    let payload = slack::payload(&message());
    let text = payload.to_string();
    assert!(text.contains("a &lt;b&gt; &amp; *c*\\nsecond"), "{text}");
    assert!(text.contains("1.4 &lt;beta&gt;"), "{text}");
    assert!(text.contains("<https://ci.example/1?a=1&amp;b=2|run>"), "{text}");
    assert!(text.contains("Next update by 2027-01-15 08:10 UTC"), "{text}");
    let mention = Message { title: "<!channel>".to_owned(), ..message() };
    assert!(!slack::payload(&mention).to_string().contains("<!channel>"));
}

#[test]
fn no_block_of_slack_is_too_long_and_no_entity_is_cut() {
    let long = Message {
        title: "<".repeat(5_000),
        lines: vec!["ü".repeat(10_000), "<".repeat(2_999), "x\n".repeat(40_000)],
        facts: (0..25).map(|n| (format!("n{n}"), "&".repeat(9_000))).collect(),
        ..message()
    };
    let payload = slack::payload(&long);
    let blocks = payload["blocks"].as_array().expect("blocks");
    assert!(blocks.len() <= 50, "{}", blocks.len());
    let mut texts = Vec::new();
    for block in blocks {
        texts.extend(block["text"]["text"].as_str());
        let fields = block["fields"].as_array().cloned().unwrap_or_default();
        assert!(fields.len() <= 10);
        for field in fields {
            let text = field["text"].as_str().expect("text");
            assert!(text.chars().count() <= 2_000, "{}", text.chars().count());
        }
    }
    for text in texts {
        assert!(text.chars().count() <= 3_000, "{}", text.chars().count());
        assert!(!text.replace("&lt;", "").replace("&amp;", "").contains('&'), "{text}");
    }
}

#[test]
fn teams_gets_a_card_of_at_most_28_kb_without_markup() {
    let payload = teams::payload(&message());
    let content = &payload["attachments"][0]["content"];
    assert_eq!(content["type"], "AdaptiveCard");
    assert_eq!(content["body"][1]["text"], "a \\<b\\> & \\*c\\*\n\nsecond");
    for sign in ["ü", "\u{1}", "*", "𝄞"] {
        let long = Message {
            title: sign.repeat(9_000),
            lines: vec![sign.repeat(100_000)],
            facts: (0..100).map(|n| (format!("{n}"), sign.repeat(9_000))).collect(),
            ..message()
        };
        let length = teams::payload(&long).to_string().len();
        assert!(length <= 28_000, "{sign:?}: {length}");
    }
}

#[test]
fn pauses_grow_end_and_are_as_long_as_the_service_wants() {
    let pause = |attempt, failure, after, jitter| next_attempt(attempt, failure, after, jitter);
    let seconds: Vec<u64> = (1..6)
        .filter_map(|attempt| pause(attempt, Failure::NotTaken, None, 0.0))
        .map(|pause| pause.as_secs())
        .collect();
    assert_eq!(seconds, [5, 15, 45, 135, 405]);
    assert_eq!(pause(6, Failure::NotTaken, None, 0.0), None);
    let shown_twice = Failure::Perhaps(Twice::ShownTwice);
    assert!(pause(1, shown_twice, None, 0.0).is_some());
    assert_eq!(pause(2, shown_twice, None, 0.0), None);
    assert!(pause(5, Failure::Perhaps(Twice::ShownOnce), None, 0.0).is_some());
    let wanted = Duration::from_secs(120);
    assert_eq!(pause(1, Failure::NotTaken, Some(wanted), 1.0), Some(wanted));
    let day = Duration::from_secs(86_400);
    assert_eq!(pause(1, Failure::NotTaken, Some(day), 1.0), Some(retry::PAUSE_MAX));
    assert_eq!(pause(1, Failure::NotTaken, None, 1.0), Some(Duration::from_millis(7_500)));
    assert_eq!(pause(1, Failure::NotTaken, None, f64::NAN), Some(Duration::from_secs(5)));
    assert_eq!(pause(u32::MAX, Failure::NotTaken, None, 0.5), None);
}

fn secret(byte: u8) -> SigningSecret {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode([byte; 32]);
    SigningSecret::parse(&format!("whsec_{encoded}")).expect("a secret")
}

#[test]
fn a_signature_is_that_of_the_specification() {
    // The example of standard-webhooks' own libraries.
    let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
    let body = br#"{"test": 2432232314}"#;
    let signature =
        standard_webhooks::sign(&[secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
    assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn a_message_is_believed_if_it_is_signed_and_of_now() {
    let (old, new, other) = (secret(1), secret(2), secret(3));
    let now = Timestamp(1_800_000_000_000);
    let body = b"{}".as_slice();
    let signature = standard_webhooks::sign(&[new.clone(), old.clone()], "m1", 1_800_000_000, body);
    let headers = |id, timestamp| WebhookHeaders { id, timestamp, signature: &signature };
    let sent = headers("m1", "1800000000");
    for secrets in [vec![old.clone()], vec![new.clone()], vec![other.clone(), new.clone()]] {
        assert_eq!(verify(sent, body, &secrets, now), Ok(()));
    }
    let known = [old, new];
    assert_eq!(verify(sent, body, &[other], now), Err(SignatureError::Signature));
    assert_eq!(verify(sent, b"{ }", &known, now), Err(SignatureError::Signature));
    assert_eq!(
        verify(headers("m2", "1800000000"), body, &known, now),
        Err(SignatureError::Signature)
    );
    assert_eq!(
        verify(headers("m1", "1800000001"), body, &known, now),
        Err(SignatureError::Signature)
    );
    for (ms, wanted) in [
        (300_000, Ok(())),
        (-300_000, Ok(())),
        (301_000, Err(SignatureError::Time)),
        (-301_000, Err(SignatureError::Time)),
    ] {
        assert_eq!(verify(sent, body, &known, Timestamp(now.0 + ms)), wanted, "{ms}");
    }
    let header = |signature| WebhookHeaders { id: "m1", timestamp: "1800000000", signature };
    for odd in ["", "v1", "v1,", "v1,!!", "v2,abcd", "v1a,abcd"] {
        assert_eq!(verify(header(odd), body, &known, now), Err(SignatureError::Signature), "{odd}");
    }
    for odd in ["", "soon", "99999999999999999999"] {
        let headers = headers("m1", odd);
        assert_eq!(
            verify(headers, body, &known, now),
            Err(SignatureError::Header("webhook-timestamp"))
        );
    }
}

#[test]
fn a_secret_that_is_none_is_refused_without_its_text() {
    for text in ["", "whsec_", "whsec_aGVsbG8=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_???"] {
        let error = SigningSecret::parse(text).expect_err("no secret");
        assert!(text.len() < 10 || !error.to_string().contains(text), "{error}");
    }
    assert_eq!(format!("{:?}", secret(1)), "[secret]");
}

#[test]
fn a_team_may_say_it_in_its_own_words() {
    let source = "\n{{ title|upper }} ({{ kind }})\n\n{% for line in lines %}> {{ line }}\n{% endfor %}\
        {% for f in facts %}{{ f.name }}={{ f.value }}{% endfor %}\n\
        {% if next_update %}more by {{ next_update }}{% endif %}\n\n";
    let template = Template::parse("team", source).expect("a template");
    let said = template.apply(&message()).expect("rendered");
    assert_eq!(said.title, "SHOP: PUSH-7 IS HELD (held)");
    let wanted =
        ["> a <b> & *c*", "> second", "release=1.4 <beta>", "more by 2027-01-15 08:10 UTC"];
    assert_eq!(said.lines, wanted);
    assert!(said.facts.is_empty() && said.links.is_empty() && said.next_update.is_none());
    assert_eq!((said.id.as_str(), said.thread.as_str()), ("msg-1", "push-7"));
}

#[test]
fn a_template_that_is_wrong_says_where() {
    let cases = [
        ("ok\n{% if %}", 2, "syntax"),
        ("{{ title", 1, "syntax"),
        ("a\n\n{{ nothing }}", 3, "undefined"),
        ("{{ lines|nosuch }}", 1, "filter"),
        ("a\n{% include 'x' %}", 2, ""),
        (
            "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}",
            1,
            "fuel",
        ),
        ("{% for a in range(9000) %}aaaaaaaaaaaaaaaa{% endfor %}", 1, ""),
        ("  \n {# nothing #}", 1, "no text"),
    ];
    for (source, line, says) in cases {
        let made = Template::parse("team", source).and_then(|found| found.apply(&message()));
        let error = made.expect_err(source);
        assert_eq!(error.line, line, "{error}");
        assert!(error.to_string().contains("team") && error.why.contains(says), "{error}");
    }
}

#[test]
fn no_channel_prints_a_secret() {
    use crate::secrets::SecretValue;
    let url = SecretUrl::parse("https://hooks.example/Zq9").expect("a URL");
    let hidden = || SecretValue::new("Zq9");
    let channels = [
        Channel::Slack { url: url.clone() },
        Channel::Teams { url: url.clone() },
        Channel::Matrix(Matrix {
            homeserver: url.clone(),
            room: "!a:b".to_owned(),
            token: hidden(),
        }),
        Channel::Email(Email {
            server: "mail".to_owned(),
            port: 587,
            encryption: Encryption::StartTls,
            login: Some(("me".to_owned(), hidden())),
            from: "a@b".to_owned(),
            to: vec![],
        }),
        Channel::PagerDuty(PagerDuty {
            routing_key: hidden(),
            sends: PagerDutySends::Alerts,
            source: "shop".to_owned(),
            endpoint: None,
        }),
        Channel::Webhook(Webhook { url, secrets: vec![secret(b'Z')] }),
        Channel::Command(CommandChannel {
            argv: vec!["x".to_owned()],
            env: vec![("TOKEN".to_owned(), hidden())],
            directory: "/".into(),
        }),
    ];
    let text = format!("{channels:?}");
    assert!(!text.contains("Zq9") && !text.contains("90, 90"), "{text}");
}

proptest! {
    #[test]
    fn text_is_cut_between_characters(text in "\\PC{0,60}", most in 3_usize..40) {
        let (chars, bytes) = (cut_chars(&text, most), cut_bytes(&text, most));
        prop_assert!(chars.chars().count() <= most && bytes.len() <= most);
        prop_assert_eq!(chars == text, text.chars().count() <= most);
        prop_assert_eq!(bytes == text, text.len() <= most);
        let whole = |cut: &str| cut == text || text.starts_with(cut.strip_suffix('…').unwrap_or("\0"));
        prop_assert!(whole(&chars) && whole(&bytes));
    }

    #[test]
    fn any_message_fits(title in "\\PC{0,80}", line in ".{0,200}", times in 1_usize..300) {
        let long = Message { title, lines: vec![line.repeat(times)], ..message() };
        prop_assert!(teams::payload(&long).to_string().len() <= 28_000);
        let blocks = slack::payload(&long);
        for block in blocks["blocks"].as_array().into_iter().flatten() {
            let text = block["text"]["text"].as_str().unwrap_or_default();
            prop_assert!(text.chars().count() <= 3_000);
        }
    }
}
