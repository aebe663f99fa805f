//! Mail through a real server (aiosmtpd), read back as it was taken.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use friday_edge::notify::{Attempt, Channel, Delivery, Email, Encryption, Notifier};
use friday_edge::outbound::{Outbound, Policy, Purpose, Trust};
use friday_edge::secrets::SecretValue;

use crate::notify::{NOW, message};
use crate::sink::{certificate, client, client_with};

const LONG: Attempt = Attempt { deadline: Duration::from_secs(30), now: NOW };
const SHORT: Attempt = Attempt { deadline: Duration::from_millis(700), now: NOW };

/// The package's own interpreter: others on this machine do not see the package.
const PYTHON: &str = "/usr/bin/python3";

struct Server {
    process: Child,
    port: u16,
    directory: tempfile::TempDir,
}

impl Server {
    fn start(mode: &str) -> Self {
        let directory = tempfile::tempdir().expect("the bed works");
        let own = certificate(&["127.0.0.1"], &directory.path().join("own.pem"));
        let key = directory.path().join("key.pem");
        std::fs::write(&key, own.signing_key.serialize_pem()).expect("the bed works");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/smtp_server.py");
        let mut process = Command::new(PYTHON)
            .arg(script)
            .args([directory.path(), Path::new(mode), &directory.path().join("own.pem"), &key])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is there: install python3-aiosmtpd");
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().expect("a pipe"));
        output.read_line(&mut line).expect("it speaks");
        let port = line.trim().parse().expect("aiosmtpd is there: install python3-aiosmtpd");
        Self { process, port, directory }
    }

    fn authority(&self) -> PathBuf {
        self.directory.path().join("own.pem")
    }

    fn client(&self) -> Outbound {
        client_with(Trust::file(&self.authority()).expect("an authority"))
    }

    fn email(&self, encryption: Encryption) -> Email {
        Email {
            server: "127.0.0.1".to_owned(),
            port: self.port,
            encryption,
            login: None,
            from: "friday at work <friday@example.org>".to_owned(),
            to: vec!["Ops <ops@example.org>".to_owned()],
        }
    }

    fn with_login(&self, encryption: Encryption, password: &str) -> Email {
        let login = Some(("friday".to_owned(), SecretValue::new(password)));
        Email { login, ..self.email(encryption) }
    }

    fn mails(&self) -> Vec<String> {
        let mut mails = Vec::new();
        while let Ok(mail) =
            std::fs::read_to_string(self.directory.path().join(format!("{}.eml", mails.len() + 1)))
        {
            mails.push(mail.replace("\r\n", "\n"));
        }
        mails
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn deliver(client: Outbound, email: Email, attempt: Attempt) -> Delivery {
    Notifier::new(client).deliver(&Channel::Email(email), &message(), attempt).await
}

fn header<'a>(mail: &'a str, name: &str) -> &'a str {
    let line = mail.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name} in {mail}"))
}

#[tokio::test]
async fn a_mail_is_read_as_it_was_meant_and_threads_hold() {
    let server = Server::start("clear");
    let notifier = Notifier::new(client());
    let email = server.email(Encryption::None);
    let first = message();
    let mut second = message();
    second.id = "push-7/2".to_owned();
    second.title = "shop: größer\r\nBcc: thief@example.org".to_owned();
    for said in [&first, &first, &second] {
        let delivery = notifier.deliver(&Channel::Email(email.clone()), said, LONG).await;
        let Delivery::Delivered { detail } = &delivery else { panic!("{delivery:?}") };
        assert!(detail.contains("250") && detail.contains("taken as"), "{detail}");
    }
    let mails = server.mails();
    let [one, again, two] = mails.as_slice() else { panic!("{mails:?}") };
    assert_eq!(header(one, "Subject"), "shop: push-7 is held");
    assert_eq!(header(one, "From"), "\"friday at work\" <friday@example.org>");
    assert_eq!(header(one, "To"), "Ops <ops@example.org>");
    assert_eq!(header(one, "Date"), "Fri, 15 Jan 2027 08:00:00 +0000");
    assert_eq!(header(one, "Auto-Submitted"), "auto-generated");
    assert!(one.contains("Disk is at 91 %"), "{one}");
    assert!(one.contains("release: 1.4") && one.contains("https://ci.example/7"), "{one}");
    let id = header(one, "Message-ID");
    assert!(id.starts_with("<friday.message.") && id.ends_with("@example.org>"), "{id}");
    assert_eq!(header(again, "Message-ID"), id, "sent again it is the same");
    assert_ne!(header(two, "Message-ID"), id);
    assert_eq!(header(two, "References"), header(one, "References"));
    assert_eq!(header(one, "In-Reply-To"), header(one, "References"));
    assert_eq!(header(two, "X-Envelope-To"), "ops@example.org");
    assert!(!two.lines().any(|line| line.starts_with("Bcc")), "{two}");
}

#[tokio::test]
async fn over_tls_a_password_is_sent_and_never_told() {
    for (mode, encryption) in [("starttls", Encryption::StartTls), ("tls", Encryption::Implicit)] {
        let server = Server::start(mode);
        let good = server.with_login(encryption, "correct horse");
        let delivery = deliver(server.client(), good.clone(), LONG).await;
        assert!(matches!(delivery, Delivery::Delivered { .. }), "{mode}: {delivery:?}");
        assert!(!server.mails()[0].contains("correct horse"));
        let bad = server.with_login(encryption, "battery staple");
        let delivery = deliver(server.client(), bad, LONG).await;
        let Delivery::Refused { status: Some(535), says } = &delivery else {
            panic!("{mode}: {delivery:?}")
        };
        assert!(!says.contains("battery"), "{says}");
        let delivery = deliver(server.client(), server.email(encryption), LONG).await;
        assert!(matches!(delivery, Delivery::Refused { status: Some(530), .. }), "{delivery:?}");
        // Who does not know the authority says no password.
        let delivery = deliver(client(), good, LONG).await;
        let Delivery::Later { says, .. } = &delivery else { panic!("{mode}: {delivery:?}") };
        assert!(says.contains("ertificate") || says.contains("UnknownIssuer"), "{says}");
        assert_eq!(server.mails().len(), 1);
    }
}

#[tokio::test]
async fn mail_goes_in_clear_to_this_machine_only_and_to_no_server_without_tls() {
    let server = Server::start("clear");
    let mut away = server.email(Encryption::None);
    away.server = "192.0.2.1".to_owned();
    let delivery = deliver(client(), away, LONG).await;
    let Delivery::Refused { says, .. } = &delivery else { panic!("{delivery:?}") };
    assert!(says.contains("another machine"), "{says}");
    let stripped = server.with_login(Encryption::StartTls, "correct horse");
    let delivery = deliver(server.client(), stripped.clone(), LONG).await;
    assert!(matches!(delivery, Delivery::Refused { .. }), "{delivery:?}");
    let public = Outbound::new(Policy::public_only(), Trust::system());
    let delivery = deliver(public, stripped, LONG).await;
    let Delivery::Refused { says, .. } = &delivery else { panic!("{delivery:?}") };
    assert!(says.contains("allow_private"), "{says}");
    let feeds_only = Policy::public_only().allow_private(Purpose::Feed, "127.0.0.1");
    let feeds_only = Outbound::new(feeds_only, Trust::system());
    let delivery = deliver(feeds_only, server.email(Encryption::Implicit), LONG).await;
    assert!(matches!(delivery, Delivery::Refused { .. }), "{delivery:?}");
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn those_who_are_known_get_it_and_the_others_are_told() {
    let server = Server::start("clear");
    let to = |names: &[&str]| {
        let to = names.iter().map(|name| format!("{name}@example.org")).collect();
        Email { to, ..server.email(Encryption::None) }
    };
    let delivery = deliver(client(), to(&["nobody", "ops", "busy", "lead"]), LONG).await;
    let Delivery::Delivered { detail } = &delivery else { panic!("{delivery:?}") };
    assert!(detail.contains("nobody@example.org") && detail.contains("busy@"), "{detail}");
    assert_eq!(header(&server.mails()[0], "X-Envelope-To"), "ops@example.org,lead@example.org");
    let delivery = deliver(client(), to(&["nobody"]), LONG).await;
    assert!(matches!(delivery, Delivery::Refused { status: Some(550), .. }), "{delivery:?}");
    let delivery = deliver(client(), to(&["nobody", "busy"]), LONG).await;
    assert!(matches!(delivery, Delivery::Later { .. }), "{delivery:?}");
    for odd in [&["a b"][..], &[]] {
        let delivery = deliver(client(), to(odd), LONG).await;
        assert!(matches!(delivery, Delivery::Refused { status: None, .. }), "{delivery:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_silent_leaves_it_open_or_not_begun() {
    let server = Server::start("clear");
    let mut hanging = message();
    hanging.lines = vec!["hang".to_owned()];
    (hanging.facts, hanging.links, hanging.next_update) = (Vec::new(), Vec::new(), None);
    let channel = Channel::Email(server.email(Encryption::None));
    let patient = Attempt { deadline: Duration::from_secs(5), now: NOW };
    let delivery = Notifier::new(client()).deliver(&channel, &hanging, patient).await;
    assert!(matches!(delivery, Delivery::Unknown { .. }), "{delivery:?}");
    // One that takes connections, and says nothing.
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("the bed works");
    let mut silent = server.email(Encryption::None);
    silent.port = listener.local_addr().expect("the bed works").port();
    let delivery = deliver(client(), silent.clone(), SHORT).await;
    assert!(matches!(delivery, Delivery::Later { .. }), "{delivery:?}");
    drop(listener);
    let delivery = deliver(client(), silent, SHORT).await;
    assert!(matches!(delivery, Delivery::Later { .. }), "{delivery:?}");
}
