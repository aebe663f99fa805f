//! Keys of the operator and of every host, and the configuration of the operator's SSH client.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::machine;
use super::shell;

/// Where keys lie.
#[derive(Debug)]
pub struct Keys {
    directory: PathBuf,
}

/// The operator's client configuration.
pub fn ssh_config(bed: &Path) -> PathBuf {
    bed.join("ssh_config")
}

/// The operator's `/etc/hosts`.
pub fn hosts_file(bed: &Path) -> PathBuf {
    bed.join("hosts")
}

impl Keys {
    /// Makes all keys, the client's configuration, `known_hosts` and `hosts`.
    pub fn make(bed: &Path, count: usize) -> Self {
        let keys = Self { directory: bed.join("keys") };
        fs::create_dir(&keys.directory).expect("a directory in a new one can be made");
        keys.generate("operator");
        let mut known = String::new();
        let mut hosts = "127.0.0.1 localhost\n10.78.0.1 operator\n".to_owned();
        for number in 1..=count {
            let (name, address) = (machine::name(number), machine::address(number));
            keys.generate(&name);
            let _ = writeln!(known, "{name},{address} {}", keys.public(&name));
            let _ = writeln!(hosts, "{address} {name}");
        }
        let known_path = bed.join("known_hosts");
        fs::write(&known_path, known).expect("the bed's directory takes files");
        fs::write(hosts_file(bed), hosts).expect("the bed's directory takes files");
        let config = format!(
            "Host *\n  User deploy\n  IdentityFile {key}\n  IdentitiesOnly yes\n  \
             UserKnownHostsFile {known}\n  GlobalKnownHostsFile none\n  \
             StrictHostKeyChecking yes\n  BatchMode yes\n",
            key = keys.private("operator").display(),
            known = known_path.display(),
        );
        fs::write(ssh_config(bed), config).expect("the bed's directory takes files");
        keys
    }

    /// The file of a private key.
    pub fn private(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A public key, one line.
    pub fn public(&self, name: &str) -> String {
        let path = self.directory.join(format!("{name}.pub"));
        fs::read_to_string(path).expect("ssh-keygen wrote it").trim().to_owned()
    }

    fn generate(&self, name: &str) {
        let path = self.private(name);
        shell::must(
            Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
                .arg(&path),
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("our own file");
    }
}
