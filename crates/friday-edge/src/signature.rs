//! Signing a release, or a person's word, with the system's `ssh-keygen`: a key, a key on a token, or one that an agent holds.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use friday_core::rollout::plan::SignedWord;
use friday_wire::signature::{SIGNATURE_LEN_MAX, SIGNATURE_NAMESPACE, signed_text};
use friday_wire::{FleetName, ReleaseId};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use crate::last_lines::shown;

/// A person may have to type a passphrase or touch a token.
const SIGN_LIMIT: Duration = Duration::from_secs(120);

/// Why a release could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// ssh-keygen is not there, or could not be run.
    #[error("ssh-keygen could not be run: {0}")]
    Run(#[from] std::io::Error),
    /// It said no.
    #[error("ssh-keygen did not sign with `{key}`: {why}")]
    Refused {
        /// The key.
        key: String,
        /// What it said.
        why: String,
    },
    /// Nobody typed the passphrase.
    #[error("ssh-keygen was not done after {} s", SIGN_LIMIT.as_secs())]
    Late,
}

/// The namespace of a person's word: a signature of something else is none of it.
pub const WORD_NAMESPACE: &str = "friday-override";

/// Why a person's word is not taken for theirs.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// ssh-keygen is not there, or the signature could not be put where it reads it.
    #[error("the signature could not be checked: {0}")]
    Run(#[from] std::io::Error),
    /// The key is nobody's who is listed.
    #[error("the key {key} is not listed in `{signers}`")]
    Unlisted {
        /// The key's fingerprint.
        key: String,
        /// The file.
        signers: String,
    },
    /// It was signed by somebody listed, and does not hold.
    #[error("the signature does not hold: {0}")]
    Wrong(String),
    /// It took too long.
    #[error("ssh-keygen was not done after {} s", PROVE_LIMIT.as_secs())]
    Late,
}

/// Checking a signature takes milliseconds.
const PROVE_LIMIT: Duration = Duration::from_secs(10);

/// Whose word it is, by a file of allowed signers (ssh-keygen(1), ALLOWED SIGNERS). `scratch`: a private directory in
/// which the signature is put for ssh-keygen to read.
///
/// # Errors
/// See [`ProveError`].
pub async fn prove(
    signers: &Path,
    word: &SignedWord,
    scratch: &Path,
) -> Result<String, ProveError> {
    let path = scratch.join(format!("word-{}.sig", std::process::id()));
    tokio::fs::write(&path, &word.signature).await?;
    let proven = prove_from(signers, word, &path).await;
    // It is no secret, and the next one is written over it.
    let _ = tokio::fs::remove_file(&path).await;
    proven
}

/// Whether a word was signed by the key that stands beside it, whosever that is.
///
/// # Errors
/// See [`ProveError`].
pub async fn holds(word: &SignedWord, scratch: &Path) -> Result<(), ProveError> {
    let path = scratch.join(format!("word-{}.sig", std::process::id()));
    tokio::fs::write(&path, &word.signature).await?;
    let mut check = Command::new("ssh-keygen");
    check.args(["-Y", "check-novalidate", "-n", WORD_NAMESPACE, "-s"]).arg(&path);
    let checked = asked(check, &word.text).await;
    let _ = tokio::fs::remove_file(&path).await;
    match checked? {
        // `Good "friday-override" signature with ED25519 key SHA256:…`
        (true, said, _) if said.contains(&word.key) => Ok(()),
        (true, ..) => Err(ProveError::Wrong(
            "another key signed it than the one that stands there".to_owned(),
        )),
        (false, _, why) => Err(ProveError::Wrong(shown(why.trim()))),
    }
}

async fn prove_from(signers: &Path, word: &SignedWord, path: &Path) -> Result<String, ProveError> {
    let mut find = Command::new("ssh-keygen");
    find.args(["-Y", "find-principals", "-f"]).arg(signers).arg("-s").arg(path);
    let (found, said, _) = asked(find, &word.text).await?;
    let signer = said.lines().next().unwrap_or_default().split(',').next().unwrap_or_default();
    if !found || signer.is_empty() || signer.starts_with('-') {
        let signers = signers.display().to_string();
        return Err(ProveError::Unlisted { key: word.key.clone(), signers });
    }
    let mut verify = Command::new("ssh-keygen");
    verify.args(["-Y", "verify", "-n", WORD_NAMESPACE, "-I", signer, "-f"]).arg(signers);
    verify.arg("-s").arg(path);
    let (holds, _, why) = asked(verify, &word.text).await?;
    if holds { Ok(shown(signer)) } else { Err(ProveError::Wrong(shown(why.trim()))) }
}

/// Runs it with a text on its input: whether it ended well, and what it said.
async fn asked(mut command: Command, text: &str) -> Result<(bool, String, String), ProveError> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(text.as_bytes()).await;
    }
    let output =
        timeout(PROVE_LIMIT, child.wait_with_output()).await.map_err(|_| ProveError::Late)??;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.success(), said(&output.stdout), said(&output.stderr)))
}

/// Signs a release for a fleet.
///
/// # Errors
/// See [`SignError`].
pub async fn sign(key: &Path, fleet: &FleetName, release: &ReleaseId) -> Result<String, SignError> {
    sign_text(key, SIGNATURE_NAMESPACE, &signed_text(fleet, release)).await
}

/// Signs a person's word.
///
/// # Errors
/// See [`SignError`].
pub async fn sign_word(key: &Path, text: String) -> Result<SignedWord, SignError> {
    let signature = sign_text(key, WORD_NAMESPACE, &text).await?;
    let mut asked = Command::new("ssh-keygen");
    asked.args(["-l", "-E", "sha256", "-f"]).arg(key).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(SIGN_LIMIT, asked.output()).await.map_err(|_| SignError::Late)??;
    let said = String::from_utf8_lossy(&output.stdout);
    let fingerprint = said.split_whitespace().find(|word| word.starts_with("SHA256:"));
    match fingerprint {
        Some(key) => Ok(SignedWord { text, signature, key: shown(key) }),
        None => Err(refused(key, &output.stderr)),
    }
}

async fn sign_text(key: &Path, namespace: &str, text: &str) -> Result<String, SignError> {
    let mut child = Command::new("ssh-keygen")
        .args(["-Y", "sign", "-n", namespace, "-f"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A child that does not read it says by its end why.
        let _ = stdin.write_all(text.as_bytes()).await;
    }
    let output =
        timeout(SIGN_LIMIT, child.wait_with_output()).await.map_err(|_| SignError::Late)??;
    let signature = String::from_utf8_lossy(&output.stdout).into_owned();
    let is_one = signature.starts_with("-----BEGIN SSH SIGNATURE-----")
        && signature.len() <= SIGNATURE_LEN_MAX;
    if output.status.success() && is_one {
        Ok(signature)
    } else {
        Err(refused(key, &output.stderr))
    }
}

fn refused(key: &Path, stderr: &[u8]) -> SignError {
    let said = String::from_utf8_lossy(stderr);
    let why = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it gave no signature");
    SignError::Refused { key: key.display().to_string(), why: shown(why) }
}
