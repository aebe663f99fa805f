//! Mail over SMTP: plain text, with ids that hold a rollout's messages together.
//!
//! The server's address is checked as any other; in clear friday speaks only to this machine. A password goes only
//! through an encrypted connection, or to this machine.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use lettre::message::{Mailbox, MessageBuilder, header};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Severity;
use lettre::transport::smtp::{Error, response::Response};
use tokio::time::timeout;

use super::answer::said;
use super::text::{body, cut_bytes, cut_chars, one_line};
use super::{Attempt, Delivery, Message};
use crate::outbound::{Outbound, Purpose, Trust, redact};
use crate::secrets::SecretValue;

/// A subject, characters: more is not shown.
const SUBJECT_LEN_MAX: usize = 200;

/// A text, bytes.
const TEXT_LEN_MAX: usize = 100_000;

/// Recipients of one mail.
const RECIPIENTS_MAX: usize = 50;

/// How long a server may take to say goodbye: the mail is taken by then.
const QUIT_LIMIT: Duration = Duration::from_secs(1);

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// It begins in clear and must become TLS: port 587.
    StartTls,
    /// TLS from the beginning: port 465.
    Implicit,
    /// Not at all, and only to this machine.
    None,
}

/// A server, and who writes to whom. Prints no password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// The server's name.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub encryption: Encryption,
    /// Name and password, where the server wants them.
    pub login: Option<(String, SecretValue)>,
    /// Who writes: `friday <friday@example.org>`.
    pub from: String,
    /// To whom.
    pub to: Vec<String>,
}

/// A mail that can be sent.
struct Written {
    from: Mailbox,
    to: Vec<Mailbox>,
    bytes: Vec<u8>,
}

/// Why a connection did not take a mail.
enum Stopped {
    /// Before anything of it was sent.
    Before(Box<Error>),
    /// Nobody of those it is for is known there.
    Nobody { status: Option<u16>, says: String, severity: Severity },
    /// After it was sent.
    After(Box<Error>),
}

impl Email {
    /// The name that the mails' ids belong to.
    fn domain(from: &Mailbox) -> &str {
        from.email.domain()
    }

    fn write(&self, message: &Message) -> Result<Written, String> {
        let mailbox = |text: &String| -> Result<Mailbox, String> {
            text.parse().map_err(|_| format!("`{}` is no mail address", one_line(text)))
        };
        let from = mailbox(&self.from)?;
        let to = self.to.iter().map(mailbox).collect::<Result<Vec<_>, _>>()?;
        if to.is_empty() || to.len() > RECIPIENTS_MAX {
            return Err(format!("a mail goes to 1 to {RECIPIENTS_MAX} addresses"));
        }
        let id = |what: &str, of: &str| {
            // The text could have signs that no id has.
            let hash = blake3::hash(format!("{what} {of}").as_bytes()).to_hex();
            format!("<friday.{what}.{}@{}>", &hash[..32], Self::domain(&from))
        };
        let thread = id("thread", &message.thread);
        let ms = u64::try_from(message.at.0).unwrap_or(0);
        let builder = MessageBuilder::new()
            .from(from.clone())
            .subject(cut_chars(&one_line(&message.title), SUBJECT_LEN_MAX))
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(ms))
            .message_id(Some(id("message", &message.id)))
            .in_reply_to(thread.clone())
            .references(thread)
            .user_agent(concat!("friday/", env!("CARGO_PKG_VERSION")).to_owned())
            .raw_header(raw("Auto-Submitted", "auto-generated"))
            .header(header::ContentType::TEXT_PLAIN);
        let builder = to.iter().cloned().fold(builder, MessageBuilder::to);
        let text = match body(message) {
            text if text.is_empty() => one_line(&message.title),
            text => text,
        };
        let mail = builder.body(cut_bytes(&text, TEXT_LEN_MAX));
        let mail = mail.map_err(|_| "the mail cannot be written".to_owned())?;
        Ok(Written { from, to, bytes: mail.formatted() })
    }

    pub(super) async fn deliver(
        &self,
        outbound: &Outbound,
        message: &Message,
        attempt: Attempt,
    ) -> Delivery {
        let refused = |says: String| Delivery::Refused { status: None, says };
        let written = match self.write(message) {
            Ok(written) => written,
            Err(says) => return refused(says),
        };
        let mut sent = false;
        match timeout(attempt.deadline, self.send(outbound, &written, attempt, &mut sent)).await {
            Ok(delivery) => delivery,
            Err(_) => {
                let limit = attempt.deadline;
                let says = format!("`{}` timed out after {limit:?}", self.server);
                if sent {
                    Delivery::Unknown { says }
                } else {
                    Delivery::Later { retry_after: None, says }
                }
            }
        }
    }

    async fn send(
        &self,
        outbound: &Outbound,
        written: &Written,
        attempt: Attempt,
        sent: &mut bool,
    ) -> Delivery {
        let addresses = match self.addresses(outbound).await {
            Ok(addresses) => addresses,
            Err(delivery) => return delivery,
        };
        let tls = match self.tls(outbound.trust()) {
            Ok(tls) => tls,
            Err(says) => return Delivery::Refused { status: None, says },
        };
        let connected = self.connect(&addresses, tls, attempt.deadline).await;
        let mut connection = match connected {
            Ok(connection) => connection,
            Err(error) => return self.stopped(Stopped::Before(Box::new(error))),
        };
        let taken = talk(&mut connection, written, sent).await;
        match taken {
            Ok(detail) => {
                // It is taken already; a goodbye is manners.
                let _ = timeout(QUIT_LIMIT, connection.command(Quit)).await;
                Delivery::Delivered { detail: self.clean(&detail) }
            }
            Err(stopped) => self.stopped(stopped),
        }
    }

    async fn addresses(&self, outbound: &Outbound) -> Result<Vec<IpAddr>, Delivery> {
        let refused = |says: String| Delivery::Refused { status: None, says };
        let later = |error: &dyn std::fmt::Display| Delivery::Later {
            retry_after: None,
            says: said(&error.to_string()),
        };
        match self.encryption {
            Encryption::StartTls | Encryption::Implicit => {
                let found = outbound.addresses(Purpose::Notification, &self.server, self.port);
                found.await.map_err(|error| match error {
                    crate::outbound::OutboundError::Refused(error) => refused(error.to_string()),
                    other => later(&other),
                })
            }
            Encryption::None => {
                let found = crate::outbound::lookup(&self.server, self.port).await;
                let found = found.map_err(|error| later(&error))?;
                if found.iter().all(IpAddr::is_loopback) {
                    return Ok(found);
                }
                Err(refused(format!(
                    "`{}` is another machine: mail goes there only encrypted",
                    self.server
                )))
            }
        }
    }

    fn tls(&self, trust: &Trust) -> Result<Option<TlsParameters>, String> {
        if self.encryption == Encryption::None {
            return Ok(None);
        }
        let wrong = |error: Error| said(&format!("the authorities cannot be used: {error}"));
        let mut builder = TlsParameters::builder(self.server.clone());
        builder = match trust.certificates() {
            None => builder.certificate_store(CertificateStore::WebpkiRoots),
            Some(own) => {
                let mut builder = builder.certificate_store(CertificateStore::None);
                for certificate in own {
                    let certificate = Certificate::from_der(certificate).map_err(wrong)?;
                    builder = builder.add_root_certificate(certificate);
                }
                builder
            }
        };
        builder.build_rustls().map(Some).map_err(wrong)
    }

    async fn connect(
        &self,
        addresses: &[IpAddr],
        tls: Option<TlsParameters>,
        limit: Duration,
    ) -> Result<AsyncSmtpConnection, Error> {
        let places: Vec<SocketAddr> =
            addresses.iter().map(|address| SocketAddr::new(*address, self.port)).collect();
        let hello = ClientId::default();
        let implicit = tls.clone().filter(|_| self.encryption == Encryption::Implicit);
        let mut connection = AsyncSmtpConnection::connect_tokio1(
            places.as_slice(),
            Some(limit),
            &hello,
            implicit,
            None,
        )
        .await?;
        if let (Encryption::StartTls, Some(tls)) = (self.encryption, tls) {
            connection.starttls(tls, &hello).await?;
        }
        if let Some((user, password)) = &self.login {
            let login = Credentials::new(user.clone(), password.expose().to_owned());
            connection.auth(&[Mechanism::Plain, Mechanism::Login], &login).await?;
        }
        Ok(connection)
    }

    fn clean(&self, text: &str) -> String {
        let secrets: Vec<&str> = self.login.iter().map(|(_, password)| password.expose()).collect();
        said(&redact(text, &secrets))
    }

    fn stopped(&self, stopped: Stopped) -> Delivery {
        let later = |says| Delivery::Later { retry_after: None, says };
        let (error, was_sent) = match stopped {
            Stopped::Before(error) => (error, false),
            Stopped::After(error) => (error, true),
            Stopped::Nobody { status, says, severity } => {
                let says = self.clean(&says);
                return match severity {
                    Severity::PermanentNegativeCompletion => Delivery::Refused { status, says },
                    _ => later(says),
                };
            }
        };
        let says = self.clean(&format!("`{}`: {error}", self.server));
        let status = status_of(&error);
        if error.is_permanent() || error.is_client() {
            return Delivery::Refused { status, says };
        }
        if was_sent && !error.is_transient() {
            return Delivery::Unknown { says };
        }
        later(says)
    }
}

fn status_of(error: &Error) -> Option<u16> {
    error.status().map(u16::from)
}

fn raw(name: &'static str, value: &str) -> header::HeaderValue {
    header::HeaderValue::new(header::HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// Hands a mail over. Those whom the server does not know are told, and the others get it all the same.
async fn talk(
    connection: &mut AsyncSmtpConnection,
    written: &Written,
    sent: &mut bool,
) -> Result<String, Stopped> {
    let before = |error| Stopped::Before(Box::new(error));
    let from = Mail::new(Some(written.from.email.clone()), Vec::new());
    connection.command(from).await.map_err(before)?;
    let mut unknown: Vec<String> = Vec::new();
    let mut last = None;
    for mailbox in &written.to {
        let asked = connection.command(Rcpt::new(mailbox.email.clone(), Vec::new())).await;
        match asked {
            Ok(_) => {}
            Err(error) if error.status().is_some() => {
                unknown.push(format!("{}: {error}", mailbox.email));
                last = Some(error);
            }
            Err(error) => return Err(before(error)),
        }
    }
    if let (Some(error), true) = (last, unknown.len() == written.to.len()) {
        let severity = if error.is_permanent() {
            Severity::PermanentNegativeCompletion
        } else {
            Severity::TransientNegativeCompletion
        };
        let says = format!("nobody takes it: {}", unknown.join("; "));
        return Err(Stopped::Nobody { status: status_of(&error), says, severity });
    }
    connection.command(Data).await.map_err(before)?;
    *sent = true;
    let taken: Response =
        connection.message(&written.bytes).await.map_err(|e| Stopped::After(Box::new(e)))?;
    let said: Vec<&str> = taken.message().collect();
    let said = format!("status {}: {}", taken.code(), said.join(" "));
    if unknown.is_empty() { Ok(said) } else { Ok(format!("{said}; not to {}", unknown.join("; "))) }
}
