//! Whether this host takes a release: where a person has put a file of allowed signers, only one that one
//! of them has signed.
//!
//! `/etc/friday/allowed_signers` is root's word and goes before `allowed_signers` in friday-host's own
//! directory; with neither, every release is taken. friday never writes these files. What is held here
//! already was taken before and is not asked about again: it is the way back.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use friday_wire::signature::{SIGNATURE_LEN_MAX, SIGNATURE_NAMESPACE, signed_text};
use friday_wire::{FleetName, ReleaseId};

use crate::place::{Place, write_durably};

/// Root's file.
const OF_ROOT: &str = "/etc/friday/allowed_signers";

/// Checking a signature takes milliseconds.
const CHECK_LIMIT: Duration = Duration::from_secs(10);

/// Between looks whether it is checked.
const POLL: Duration = Duration::from_millis(5);

/// The most of what ssh-keygen says that is read, bytes.
const SAID_MAX: u64 = 4_096;

/// Why a release is not taken.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// None came with it.
    #[error(
        "release {release} is not signed, and this host takes only what a signer in `{signers}` has signed"
    )]
    Missing {
        /// The release.
        release: String,
        /// The file of allowed signers.
        signers: String,
    },
    /// Nobody in the file made it, or not for this release and fleet.
    #[error("release {release} is not signed by anybody in `{signers}`: {why}")]
    Refused {
        /// The release.
        release: String,
        /// The file of allowed signers.
        signers: String,
        /// What ssh-keygen says.
        why: String,
    },
    /// It could not be checked; then it is not taken either.
    #[error("the signature of release {release} could not be checked: {why}")]
    Unchecked {
        /// The release.
        release: String,
        /// Why.
        why: String,
    },
    /// It is too long, or could not be stored.
    #[error("the signature is not taken: {0}")]
    NotTaken(String),
}

/// Stores the signature of a release that is about to come.
///
/// # Errors
/// `NotTaken`.
pub fn put(place: &Place, release: ReleaseId, signature: &str) -> Result<(), SignatureError> {
    if signature.len() > SIGNATURE_LEN_MAX {
        return Err(SignatureError::NotTaken("it is too long to be one".to_owned()));
    }
    let path = place.signature(release);
    path.parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| write_durably(&path, signature.as_bytes()))
        .map_err(|error| SignatureError::NotTaken(error.to_string()))
}

/// Whether a release that is not held yet may be taken.
///
/// # Errors
/// Why it may not.
pub fn check(place: &Place, release: ReleaseId) -> Result<(), SignatureError> {
    let own = place.join("allowed_signers");
    let Some(signers) = [PathBuf::from(OF_ROOT), own].into_iter().find(|path| is_there(path))
    else {
        return Ok(());
    };
    let unchecked = |why: String| SignatureError::Unchecked { release: release.short(), why };
    let path = place.signature(release);
    if !path.exists() {
        let (release, signers) = (release.short(), signers.display().to_string());
        return Err(SignatureError::Missing { release, signers });
    }
    let owner = place.owner().map_err(|error| unchecked(error.to_string()))?;
    let owner = owner.ok_or_else(|| unchecked("this directory belongs to no fleet".to_owned()))?;
    verify(&signers, &path, &owner.fleet, release)
}

/// Also where it cannot be looked at: a file that is there and not readable must not mean "take all".
fn is_there(path: &Path) -> bool {
    !matches!(path.try_exists(), Ok(false))
}

fn verify(
    signers: &Path,
    signature: &Path,
    fleet: &FleetName,
    release: ReleaseId,
) -> Result<(), SignatureError> {
    let text = signed_text(fleet, &release);
    let refused = |why: String| SignatureError::Refused {
        release: release.short(),
        signers: signers.display().to_string(),
        why,
    };
    let unchecked = |why: String| SignatureError::Unchecked { release: release.short(), why };
    let mut find = Command::new("ssh-keygen");
    find.args(["-Y", "find-principals", "-f"]).arg(signers).arg("-s").arg(signature);
    let (found, said) = run(&mut find, &text).map_err(unchecked)?;
    let signer = said.lines().next().unwrap_or_default().split(',').next().unwrap_or_default();
    if !found || signer.is_empty() || signer.starts_with('-') {
        return Err(refused("its key is not listed there".to_owned()));
    }
    let mut verify = Command::new("ssh-keygen");
    verify.args(["-Y", "verify", "-n", SIGNATURE_NAMESPACE, "-I", signer, "-f"]).arg(signers);
    let (good, said) = run(verify.arg("-s").arg(signature), &text).map_err(unchecked)?;
    if good { Ok(()) } else { Err(refused(said.lines().next().unwrap_or("no").to_owned())) }
}

/// Runs it with a text to read; whether it went well, and what it said.
fn run(command: &mut Command, text: &str) -> Result<(bool, String), String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("ssh-keygen did not start: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A child that does not want to read it says by its end why.
        let _ = stdin.write_all(text.as_bytes());
    }
    let good = wait(&mut child)?;
    let mut said = Vec::new();
    for from in [
        child.stdout.take().map(|from| Box::new(from) as Box<dyn Read>),
        child.stderr.take().map(|from| Box::new(from) as Box<dyn Read>),
    ] {
        // Ended: what it said lies in the pipe, and a pipe holds more than this.
        let _ = from.map(|from| from.take(SAID_MAX).read_to_end(&mut said));
    }
    let said: String = String::from_utf8_lossy(&said)
        .chars()
        .map(|found| if found.is_control() && found != '\n' { ' ' } else { found })
        .collect();
    Ok((good, said.trim().to_owned()))
}

fn wait(child: &mut Child) -> Result<bool, String> {
    let until = Instant::now() + CHECK_LIMIT;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) if Instant::now() < until => std::thread::sleep(POLL),
            Ok(None) => {
                // It hangs; whether killing it works changes nothing for the answer.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("ssh-keygen did not end in {} s", CHECK_LIMIT.as_secs()));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}
