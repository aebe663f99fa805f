//! A server of the tests' own on the loopback address: it notes what came, and answers as it is told, well or badly.
//! Dropped, it ends.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use friday_edge::outbound::{Outbound, Policy, Purpose, SecretUrl, Trust};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Nobody reads longer.
const READ_LIMIT: Duration = Duration::from_secs(30);

/// How it answers.
#[derive(Debug, Clone)]
pub enum Says {
    /// A status, headers and a body.
    Status(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// A body of so many bytes, of which the length is said.
    Long(usize),
    /// A body without end or length.
    Endless,
    /// These bytes, and the end of the connection.
    Raw(&'static str),
    /// Nothing, until the test is over.
    Hang,
    /// A head, and then nothing until the test is over.
    HangAfterHead(u16),
}

impl Says {
    pub fn status(status: u16) -> Self {
        Self::Status(status, Vec::new(), Vec::new())
    }

    pub fn body(status: u16, body: &str) -> Self {
        Self::Status(status, Vec::new(), body.as_bytes().to_vec())
    }

    pub fn elsewhere(status: u16, location: String) -> Self {
        Self::Status(status, vec![("location", location)], Vec::new())
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub line: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

pub struct Sink {
    port: u16,
    scheme: &'static str,
    shared: Arc<Shared>,
}

struct Shared {
    seen: Mutex<Vec<Seen>>,
    says: Mutex<Vec<Says>>,
    over: AtomicBool,
    tls: Option<Arc<ServerConfig>>,
}

/// A server's own certificate for `names`; who believes it reads the file.
pub fn certificate(names: &[&str], file: &Path) -> rcgen::CertifiedKey<rcgen::KeyPair> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let own = rcgen::generate_simple_self_signed(names).expect("the bed works");
    std::fs::write(file, own.cert.pem()).expect("the bed works");
    own
}

impl Sink {
    /// Answers in this order; the last again and again.
    pub fn start(says: Vec<Says>) -> Self {
        Self::spoken_to(says, None)
    }

    /// As above, over TLS; its certificate, which is for 127.0.0.1, goes to `file`.
    pub fn with_tls(says: Vec<Says>, file: &Path) -> Self {
        let own = certificate(&["127.0.0.1"], file);
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).expect("just made");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .expect("a certificate");
        Self::spoken_to(says, Some(Arc::new(config)))
    }

    fn spoken_to(says: Vec<Says>, tls: Option<Arc<ServerConfig>>) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the bed works");
        let port = listener.local_addr().expect("the bed works").port();
        let shared = Arc::new(Shared {
            seen: Mutex::default(),
            says: Mutex::new(says),
            over: AtomicBool::new(false),
            tls,
        });
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                if own.over.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(socket) = socket else { continue };
                let own = Arc::clone(&own);
                std::thread::spawn(move || {
                    // A client that goes away is the client's affair.
                    let _ = own.open(socket);
                });
            }
        });
        Self { port, scheme, shared }
    }

    pub fn url(&self, path: &str) -> SecretUrl {
        SecretUrl::parse(&self.text(path)).expect("a URL")
    }

    /// The URL as text, by address.
    pub fn text(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", self.scheme, self.port)
    }

    /// As above, by name.
    pub fn named(&self, path: &str) -> String {
        format!("{}://localhost:{}{path}", self.scheme, self.port)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().expect("no test panicked here").clone()
    }

    pub fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen[0].clone()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn open(&self, socket: TcpStream) -> io::Result<()> {
        socket.set_read_timeout(Some(READ_LIMIT))?;
        match &self.tls {
            None => self.answer(socket),
            Some(tls) => {
                let server = ServerConnection::new(Arc::clone(tls)).map_err(io::Error::other)?;
                self.answer(StreamOwned::new(server, socket))
            }
        }
    }

    fn answer(&self, mut socket: impl Read + Write) -> io::Result<()> {
        let seen = read(&mut socket)?;
        self.seen.lock().expect("no test panicked here").push(seen);
        let says = {
            let mut says = self.says.lock().expect("no test panicked here");
            if says.len() > 1 { says.remove(0) } else { says[0].clone() }
        };
        match says {
            Says::Status(status, headers, body) => {
                let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                socket.write_all(format!("{head}\r\n").as_bytes())?;
                socket.write_all(&body)?;
                socket.flush()
            }
            Says::Long(length) => {
                let head = format!("HTTP/1.1 200 X\r\ncontent-length: {length}\r\n\r\n");
                socket.write_all(head.as_bytes())?;
                (0..length.div_ceil(1_024)).try_for_each(|_| socket.write_all(&[b'x'; 1_024]))
            }
            Says::Endless => {
                socket.write_all(b"HTTP/1.1 200 X\r\nconnection: close\r\n\r\n")?;
                loop {
                    socket.write_all(&[b'x'; 8_192])?;
                }
            }
            Says::Raw(text) => socket.write_all(text.as_bytes()),
            Says::Hang => self.hang(),
            Says::HangAfterHead(status) => {
                let head = format!("HTTP/1.1 {status} X\r\ncontent-length: 10\r\n\r\nabc");
                socket.write_all(head.as_bytes())?;
                socket.flush()?;
                self.hang()
            }
        }
    }

    fn hang(&self) -> io::Result<()> {
        while !self.over.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

fn read(socket: &mut impl Read) -> io::Result<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        more(socket, &mut bytes)?;
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let line = lines.next().unwrap_or_default().to_owned();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    while bytes.len() < end + length {
        more(socket, &mut bytes)?;
    }
    Ok(Seen { line, headers, body: bytes[end..].to_vec() })
}

fn more(socket: &mut impl Read, bytes: &mut Vec<u8>) -> io::Result<()> {
    let mut some = [0; 4_096];
    match socket.read(&mut some)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        got => {
            bytes.extend_from_slice(&some[..got]);
            Ok(())
        }
    }
}

/// A client that may ask 127.0.0.1 by its number, for both purposes, and no other private address.
pub fn client() -> Outbound {
    client_with(Trust::system())
}

/// As above, with other authorities.
pub fn client_with(trust: Trust) -> Outbound {
    let policy = Policy::public_only()
        .allow_private(Purpose::Feed, "127.0.0.1")
        .allow_private(Purpose::Notification, "127.0.0.1");
    Outbound::new(policy, trust)
}
