//! Programs of ours as bytes, to be put on hosts: friday-host, and friday-data beside databases.

use std::fmt;
use std::sync::Arc;

use friday_core::release::digest;
use friday_wire::Digest;

/// The program that runs on hosts, for the processor that friday itself was built for.
#[derive(Clone)]
pub struct HostProgram {
    name: &'static str,
    bytes: Arc<[u8]>,
    digest: Digest,
    sha256: String,
}

impl HostProgram {
    /// friday-host, from its bytes.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::named("friday-host", bytes)
    }

    /// friday-data, from its bytes.
    pub fn beside_databases(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::named("friday-data", bytes)
    }

    fn named(name: &'static str, bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        // A host's shell checks the program before it runs, and what shells have is `sha256sum`.
        let sha256 = ring::digest::digest(&ring::digest::SHA256, &bytes);
        let sha256 = sha256.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Self { name, digest: digest(&bytes), sha256, bytes }
    }

    /// What it is called there.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its directory where a directory of this machine plays a host: friday-data's is apart from the host's, for
    /// backups outlive a host that is removed.
    pub(super) fn place(&self, host: &str) -> String {
        match host.rsplit_once('/') {
            Some((hosts, name)) if self.name != "friday-host" => {
                let kind = hosts.strip_suffix("hosts").map(|before| format!("{before}databases"));
                format!("{}/{name}", kind.unwrap_or_else(|| format!("{hosts}-databases")))
            }
            _ => host.to_owned(),
        }
    }

    /// The program.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its BLAKE3, by which friday and friday-host speak of it.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Its SHA-256, by which shells do; 64 hexadecimal digits.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The machine it runs on, as `uname -m` calls it.
    pub fn machine(&self) -> &'static str {
        std::env::consts::ARCH
    }
}

impl fmt::Debug for HostProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostProgram")
            .field("digest", &self.digest)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}
