//! A store that speaks S3, of the test's own: it checks signatures, listens on the loopback address alone, and can be
//! made to fail. Dropped, it ends.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use friday_wire::data::{Hidden, RepositoryPlace};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, crypto};

/// The one who may.
const ACCESS_KEY: &str = "AKFRIDAY";

/// As above.
const SECRET_KEY: &str = "a secret that stands in no message";

/// Every connection is cut.
const ALL: u32 = u32::MAX;

/// A store with the bucket `backups`.
pub struct Store {
    dir: tempfile::TempDir,
    port: u16,
    cut: Arc<AtomicU32>,
    scheme: &'static str,
    runtime: Option<Runtime>,
}

/// A connection as the service is spoken to.
trait Spoken: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send {}

impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send> Spoken for T {}

/// Says who the store is; the authority that says so goes to `certificate`.
fn acceptor(certificate: &Path) -> TlsAcceptor {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("the bed works");
    std::fs::write(certificate, own.cert.pem()).expect("the bed works");
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).expect("it was just made");
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| {
            config.with_no_client_auth().with_single_cert(vec![own.cert.der().clone()], key)
        })
        .expect("the bed works");
    TlsAcceptor::from(Arc::new(config))
}

/// A connection that was taken, spoken to in clear or not.
async fn open(socket: TcpStream, tls: Option<TlsAcceptor>) -> std::io::Result<Box<dyn Spoken>> {
    match tls {
        None => Ok(Box::new(socket)),
        Some(tls) => Ok(Box::new(tls.accept(socket).await?)),
    }
}

impl Store {
    pub fn start() -> Self {
        Self::spoken_to(None)
    }

    /// One that speaks TLS alone, and writes its certificate to a file.
    pub fn with_tls(certificate: &Path) -> Self {
        Self::spoken_to(Some(acceptor(certificate)))
    }

    fn spoken_to(tls: Option<TlsAcceptor>) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let dir = tempfile::tempdir().expect("the bed works");
        std::fs::create_dir(dir.path().join("backups")).expect("the bed works");
        let mut service =
            S3ServiceBuilder::new(FileSystem::new(dir.path()).expect("the bed works"));
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = service.build();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("the bed works");
        let listener =
            runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).expect("the bed works");
        let port = listener.local_addr().expect("the bed works").port();
        let cut = Arc::<AtomicU32>::default();
        let cuts = cut.clone();
        runtime.spawn(async move {
            let http = Builder::new(TokioExecutor::new());
            while let Ok((socket, _)) = listener.accept().await {
                // Each request comes on a connection of its own while some are to be cut.
                let left = cuts.load(Ordering::SeqCst);
                if left > 0 {
                    if left != ALL {
                        cuts.fetch_sub(1, Ordering::SeqCst);
                    }
                    continue;
                }
                let (http, service, tls) = (http.clone(), service.clone(), tls.clone());
                tokio::spawn(async move {
                    // A greeting that fails is the other's to tell.
                    if let Ok(socket) = open(socket, tls).await {
                        let _ = http.serve_connection(TokioIo::new(socket), service).await;
                    }
                });
            }
        });
        Self { dir, port, cut, scheme, runtime: Some(runtime) }
    }

    /// Where backups go.
    pub fn place(&self) -> RepositoryPlace {
        self.place_of("backups", ACCESS_KEY, SECRET_KEY)
    }

    pub fn place_of(&self, bucket: &str, access_key: &str, secret_key: &str) -> RepositoryPlace {
        RepositoryPlace::S3 {
            bucket: bucket.to_owned(),
            prefix: "a team/friday".to_owned(),
            endpoint: Some(format!("{}://127.0.0.1:{}", self.scheme, self.port)),
            region: "us-east-1".to_owned(),
            access_key: Hidden::new(access_key),
            secret_key: Hidden::new(secret_key),
        }
    }

    /// With the wrong one of two secrets.
    pub fn place_with(
        &self,
        access_key: Option<&str>,
        secret_key: Option<&str>,
    ) -> RepositoryPlace {
        let place = (access_key.unwrap_or(ACCESS_KEY), secret_key.unwrap_or(SECRET_KEY));
        self.place_of("backups", place.0, place.1)
    }

    /// Cuts so many of the next connections.
    pub fn cut(&self, connections: u32) {
        self.cut.store(connections, Ordering::SeqCst);
    }

    /// Ends it, and leaves its files.
    pub fn end(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Objects whose name contains all of some words, as the store's files.
    pub fn objects(&self, words: &[&str]) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open = vec![self.dir.path().join("backups")];
        while let Some(dir) = open.pop() {
            for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    open.push(path);
                } else if words.iter().all(|word| path.to_string_lossy().contains(word)) {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.end();
    }
}
