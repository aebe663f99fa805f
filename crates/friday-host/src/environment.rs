//! The environment of an application and of its commands: made here, nothing inherited. What a
//! login shell had set when friday-host started must not decide how a release runs.

use std::collections::BTreeMap;
use std::ffi::OsString;

use friday_wire::{HostName, Manifest, Part, ReleaseId, SecretsVersion};

use crate::place::{Place, read_json};

/// Where programs are looked for, unless the release's own environment says otherwise.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Names and values.
pub type Environment = BTreeMap<String, OsString>;

/// Secrets that are not there.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The set was never put, or was pruned.
    #[error("the secrets {0} are not on this host")]
    Missing(String),
    /// The file is there and cannot be used.
    #[error(transparent)]
    Read(#[from] crate::place::ReadError),
}

/// For what runs in no release's tree: rotation commands.
pub fn of_host(host: &HostName, release: ReleaseId, port: Option<u16>) -> Environment {
    let mut env = Environment::from([
        ("PATH".to_owned(), PATH.into()),
        ("HOME".to_owned(), crate::machine::home().into()),
        ("FRIDAY_RELEASE".to_owned(), release.to_string().into()),
        ("FRIDAY_HOST".to_owned(), host.as_str().into()),
    ]);
    if let Some(port) = port {
        env.insert("FRIDAY_PORT".to_owned(), port.to_string().into());
    }
    env
}

/// For an application and for commands in its tree. Secrets win over the release's environment; what
/// friday says of itself wins over both.
///
/// # Errors
/// When the secrets cannot be read.
pub fn of_release(
    place: &Place,
    host: &HostName,
    (release, part): (ReleaseId, &Part),
    manifest: &Manifest,
    port: Option<u16>,
    secrets: Option<&SecretsVersion>,
) -> Result<Environment, SecretsError> {
    let mut env = Environment::from([
        ("PATH".to_owned(), PATH.into()),
        ("HOME".to_owned(), crate::machine::home().into()),
    ]);
    let plain = manifest.run.env_of(part).into_iter();
    let secret = secrets.map(|version| read_secrets(place, version)).transpose()?;
    let both = plain.chain(secret.unwrap_or_default());
    env.extend(both.filter(|(name, value)| is_settable(name, value)).map(|(n, v)| (n, v.into())));
    env.insert("FRIDAY_RELEASE".to_owned(), release.to_string().into());
    env.insert("FRIDAY_HOST".to_owned(), host.as_str().into());
    if let Some(process) = part.name() {
        env.insert("FRIDAY_PROCESS".to_owned(), process.as_str().into());
    }
    env.insert("FRIDAY_SHARED".to_owned(), place.join("shared").into());
    if let Some(port) = port {
        env.insert("PORT".to_owned(), port.to_string().into());
    }
    Ok(env)
}

fn read_secrets(
    place: &Place,
    version: &SecretsVersion,
) -> Result<BTreeMap<String, String>, SecretsError> {
    let missing = || SecretsError::Missing(version.to_string());
    if !crate::place::is_plain_name(version.as_str()) {
        return Err(missing());
    }
    read_json(&place.secrets(version))?.ok_or_else(missing)
}

/// Whether a variable can be given to a process at all.
pub fn is_settable(name: &str, value: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0')
}
