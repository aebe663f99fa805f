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
use friday_wire::{Refusal, ReleaseId};

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
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("release {} is not taken: {why} (`{signers}` says who may sign)", release.short())]
pub struct Unsigned {
    /// The release.
    release: ReleaseId,
    /// The file of allowed signers.
    signers: String,
    /// The key that signed it, as `SHA256:…`, where one did.
    key: Option<String>,
    /// What is wrong.
    why: String,
}

impl From<Unsigned> for Refusal {
    fn from(Unsigned { release, signers, key, why }: Unsigned) -> Self {
        Self::Unsigned { release, signers, key, why }
    }
}

/// Why a signature is not stored: it is too long, or the disk.
#[derive(Debug, thiserror::Error)]
#[error("the signature is not taken: {0}")]
pub struct NotTaken(String);

/// Stores the signature of a release that is about to come.
///
/// # Errors
/// When it is too long, or cannot be stored.
pub fn put(place: &Place, release: ReleaseId, signature: &str) -> Result<(), NotTaken> {
    if signature.len() > SIGNATURE_LEN_MAX {
        return Err(NotTaken("it is too long to be one".to_owned()));
    }
    let path = place.signature(release);
    path.parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| write_durably(&path, signature.as_bytes()))
        .map_err(|error| NotTaken(error.to_string()))
}

/// Whether a release that is not held yet may be taken. One that is held was taken before.
///
/// # Errors
/// Why it may not.
pub fn check(place: &Place, release: ReleaseId) -> Result<(), Unsigned> {
    if place.manifest(release).exists() {
        return Ok(());
    }
    let own = place.join("allowed_signers");
    let Some(signers) = [PathBuf::from(OF_ROOT), own].into_iter().find(|path| is_there(path))
    else {
        return Ok(());
    };
    let not_taken = |key: Option<String>, why: String| Unsigned {
        release,
        signers: signers.display().to_string(),
        key,
        why,
    };
    let path = place.signature(release);
    if !path.exists() {
        return Err(not_taken(None, "it is not signed".to_owned()));
    }
    let owner = place.owner().map_err(|error| error.to_string());
    let owner = owner.and_then(|owner| owner.ok_or("this directory is no fleet's".to_owned()));
    let owner = owner.map_err(|why| not_taken(None, unchecked(&why)))?;
    let text = signed_text(&owner.fleet, &release);
    match verify(&signers, &path, &text) {
        Ok(()) => Ok(()),
        Err(why) => Err(not_taken(signed_with(&path, &text), why)),
    }
}

fn unchecked(why: &str) -> String {
    format!("its signature could not be checked: {why}")
}

/// Also where it cannot be looked at: a file that is there and not readable must not mean "take all".
fn is_there(path: &Path) -> bool {
    !matches!(path.try_exists(), Ok(false))
}

fn verify(signers: &Path, signature: &Path, text: &str) -> Result<(), String> {
    let mut find = Command::new("ssh-keygen");
    find.args(["-Y", "find-principals", "-f"]).arg(signers).arg("-s").arg(signature);
    let (found, said) = run(&mut find, text).map_err(|why| unchecked(&why))?;
    let signer = said.lines().next().unwrap_or_default().split(',').next().unwrap_or_default();
    if !found || signer.is_empty() || signer.starts_with('-') {
        return Err("its key is not listed there".to_owned());
    }
    let mut verify = Command::new("ssh-keygen");
    verify.args(["-Y", "verify", "-n", SIGNATURE_NAMESPACE, "-I", signer, "-f"]).arg(signers);
    verify.arg("-s").arg(signature);
    let (good, said) = run(&mut verify, text).map_err(|why| unchecked(&why))?;
    if good { Ok(()) } else { Err(said.lines().next().unwrap_or("no").to_owned()) }
}

/// The key that made a signature, whoever may sign; `None` where it is another text's, or none.
fn signed_with(signature: &Path, text: &str) -> Option<String> {
    let mut look = Command::new("ssh-keygen");
    look.args(["-Y", "check-novalidate", "-n", SIGNATURE_NAMESPACE, "-s"]).arg(signature);
    let (good, said) = run(&mut look, text).ok()?;
    // `Good "friday-release" signature with ED25519 key SHA256:…`
    let key = said.split_whitespace().find(|word| word.starts_with("SHA256:"))?;
    good.then(|| key.to_owned())
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
