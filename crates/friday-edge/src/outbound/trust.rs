//! Which authorities are believed: a team's own file, the system's, or the public ones.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

/// Where a system's certificates lie; the first that is there. `SSL_CERT_FILE` goes before them.
const CERTIFICATES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
];

/// Why a file of authorities is none.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// It cannot be read.
    #[error("the certificates in `{path}` cannot be read: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No certificate stands in it.
    #[error("`{path}` holds no certificate", path = path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// Authorities. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Trust {
    /// `None`: the public ones that this program was built with.
    own: Option<Arc<Vec<Certificate<'static>>>>,
}

impl Trust {
    /// The system's own where it has some, so that a team's authority is known; else the public ones.
    pub fn system() -> Self {
        let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
        let places = named.into_iter().chain(CERTIFICATES.map(PathBuf::from));
        let text = places.into_iter().find_map(|path| std::fs::read(path).ok());
        let found = text.map(|text| certificates(&text)).filter(|found| !found.is_empty());
        Self { own: found.map(Arc::new) }
    }

    /// Those in a file, in PEM, and no others.
    ///
    /// # Errors
    /// See [`TrustError`].
    pub fn file(path: &Path) -> Result<Self, TrustError> {
        let text = std::fs::read(path)
            .map_err(|source| TrustError::Read { path: path.to_owned(), source })?;
        let found = certificates(&text);
        if found.is_empty() {
            return Err(TrustError::Empty { path: path.to_owned() });
        }
        Ok(Self { own: Some(Arc::new(found)) })
    }

    /// For requests over HTTP.
    pub(super) fn roots(&self) -> RootCerts {
        match &self.own {
            Some(own) => RootCerts::Specific(Arc::clone(own)),
            None => RootCerts::WebPki,
        }
    }

    /// As they are written, for others who speak TLS; `None`: the public ones.
    pub fn certificates(&self) -> Option<Vec<Vec<u8>>> {
        let own = self.own.as_ref()?;
        Some(own.iter().map(|certificate| certificate.der().to_vec()).collect())
    }
}

fn certificates(text: &[u8]) -> Vec<Certificate<'static>> {
    let items = parse_pem(text);
    let found = items.filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    found.collect()
}
