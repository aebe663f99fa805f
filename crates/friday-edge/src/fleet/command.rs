//! The command that reaches a host: `ssh` or a local shell, as data until it is started.

use std::path::{Path, PathBuf};

use friday_core::config::settings::{Address, LoginSettings};
use friday_wire::{FleetName, HostName};

use super::failure::ConnectError;
use super::program::HostProgram;

/// Whether a connection may use one that ssh itself keeps open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// As the user's ssh_config says.
    Usual,
    /// A new one for certain: proves that the host can be reached anew.
    New,
}

/// What runs on the host before friday-host does. It finds the program, or asks for it where it is
/// missing, and becomes it. One line, without single quotes and exclamation marks that a login shell
/// could take for its own, so that any of them hands it on unharmed.
///
/// A program is hashed once, and then marked: `PROGRAM.ok`. One that was changed since is newer than
/// its mark, and is hashed again. What was marked is on disk, so a loss of power does not leave half of it
/// behind a mark. The usual case starts no process at all: on a fleet, hashing three megabytes for each
/// connection costs more than all else that hosts do for a rollback.
///
/// The program is taken in pieces, of lengths that friday says, and each is acknowledged: else a slow line
/// would hold megabytes in buffers, behind which ssh's own question whether anybody is there waits until ssh
/// gives up. That needs a `head` that reads no further than it was told; with another it comes as one.
///
/// Arguments: directory, SHA-256, length, machine, fleet, host, the program's name, its command, and what else it is told.
const SCRIPT: &str = concat!(
    "d=$1; h=$2; case $d in /*) ;; *) d=$HOME/$d ;; esac; p=$d/bin/$7-$h; ",
    "if [ -x \"$p\" ] && [ -f \"$p.ok\" ] && { [ \"$p.ok\" -nt \"$p\" ]; } 2>/dev/null; then :; else ",
    "( umask 077; ",
    "fail() { printf \"\\000friday-fail/1 %s\\r\\n\" \"$*\"; exit 69; }; ",
    "good() { [ -f \"$1\" ] && [ \"$(sha256sum <\"$1\" | cut -c1-64)\" = \"$h\" ]; }; ",
    "mark() { { sync \"$p\" || sync; } 2>/dev/null; : >\"$p.ok\"; }; ",
    "if good \"$p\" && [ -x \"$p\" ]; then mark 2>/dev/null; exit 0; fi; ",
    "m=$(uname -m); [ \"$m\" = \"$4\" ] || fail machine \"$m\"; ",
    "command -v sha256sum >/dev/null || fail tool sha256sum; ",
    "mkdir -p \"$d/bin\" && chmod 700 \"$d\" \"$d/bin\" && rm -f \"$p.ok\" && t=$p.$$ && : >\"$t\" ",
    "|| fail directory \"$d\"; ",
    "if [ \"$(printf ab | { head -c 1 >/dev/null; head -c 1; })\" = b ]; then ",
    "printf \"\\000friday-need/2\\r\\n\"; ",
    "while read -r n && [ \"$n\" -gt 0 ]; do head -c \"$n\" || break; ",
    "printf \"\\000friday-got/1\\r\\n\" >&3; done 3>&1 >\"$t\"; ",
    "else printf \"\\000friday-need/1\\r\\n\"; head -c \"$3\" >\"$t\"; fi; ",
    "good \"$t\" && chmod 700 \"$t\" && mv -f \"$t\" \"$p\" ",
    "|| { rm -f \"$t\"; fail program \"$d\"; }; mark; ",
    ") || exit; fi; ",
    "f=$5; w=$6; n=$7; v=$8; shift 8; ",
    "case $n in friday-data) exec \"$p\" \"$v\" --base \"$d\" --fleet \"$f\" ;; esac; ",
    "exec \"$p\" \"$v\" --dir \"$d\" --fleet \"$f\" --host \"$w\" \"$@\"",
);

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HostCommand {
    pub(super) program: &'static str,
    pub(super) args: Vec<String>,
}

/// What the program is to speak there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conversation {
    /// Its usual protocol.
    Connect,
    /// friday-host's other one: a release on trial.
    Trial,
}

impl Conversation {
    /// The command that begins it.
    fn verb(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Trial => "trial",
        }
    }

    /// The name that stands in its preamble.
    pub(super) fn preamble(self, program: &HostProgram) -> &'static str {
        match self {
            Self::Connect => program.name(),
            Self::Trial => "friday-trial",
        }
    }
}

/// What a host is asked to run.
pub(super) struct Called<'a> {
    pub(super) conversation: Conversation,
    pub(super) fleet: &'a FleetName,
    pub(super) host: &'a HostName,
    pub(super) program: &'a HostProgram,
}

/// The command that reaches an address.
pub(super) fn command(
    address: &Address,
    login: &LoginSettings,
    base: &Path,
    called: &Called<'_>,
    route: Route,
) -> Result<HostCommand, ConnectError> {
    match address {
        Address::Local { dir } => {
            let directory = std::path::absolute(base.join(called.program.place(dir)))
                .map_err(|error| ConnectError::NotStarted { why: error.to_string() })?;
            let directory = directory.to_string_lossy().into_owned();
            let mut args = vec!["-c".to_owned(), SCRIPT.to_owned()];
            args.extend(script_args(directory, called));
            // Whoever plays with local hosts as root harms only that machine.
            args.push("--local".to_owned());
            Ok(HostCommand { program: "/bin/sh", args })
        }
        Address::Ssh { user, host, port } => {
            let mut args = options(login, base, route);
            if let Some(port) = port {
                args.extend(["-p".to_owned(), port.to_string()]);
            }
            args.extend(["--".to_owned(), destination(user, host)?]);
            let directory = login
                .directory
                .clone()
                .unwrap_or_else(|| format!(".{}/{}", called.program.name(), called.fleet));
            let words: Vec<String> =
                script_args(directory, called).iter().map(|word| quoted(word)).collect();
            args.push(format!("exec /bin/sh -c {} {}", quoted(SCRIPT), words.join(" ")));
            Ok(HostCommand { program: "ssh", args })
        }
    }
}

/// The shell that runs what it reads, past friday-host. The script comes on its standard input: what is
/// looked for on a host, `pgrep -f` of a word, must not stand in the arguments of who looks for it.
const READER: &str = "eval \"$(cat)\"";

/// What a script says before anything else. What a shell profile printed stands before it.
pub(super) const BEGINS: &[u8] = b"\0friday-script/1\n";

/// The command that runs a script at an address, and what it reads.
pub(super) fn shell_command(
    address: &Address,
    login: &LoginSettings,
    base: &Path,
    script: &str,
    arguments: &[String],
) -> Result<(HostCommand, String), ConnectError> {
    let words: Vec<String> = arguments.iter().map(|word| quoted(word)).collect();
    let begins = "printf '\\000friday-script/1\\n'";
    let input = format!("{begins}\nset -- {}\n{script}\n", words.join(" "));
    match address {
        Address::Local { .. } => {
            let args = vec!["-c".to_owned(), READER.to_owned(), "friday".to_owned()];
            Ok((HostCommand { program: "/bin/sh", args }, input))
        }
        Address::Ssh { user, host, port } => {
            let mut args = options(login, base, Route::Usual);
            if let Some(port) = port {
                args.extend(["-p".to_owned(), port.to_string()]);
            }
            args.extend(["--".to_owned(), destination(user, host)?]);
            args.push(format!("exec /bin/sh -c {} friday", quoted(READER)));
            Ok((HostCommand { program: "ssh", args }, input))
        }
    }
}

fn script_args(directory: String, called: &Called<'_>) -> [String; 9] {
    [
        "friday".to_owned(),
        directory,
        called.program.sha256().to_owned(),
        called.program.bytes().len().to_string(),
        called.program.machine().to_owned(),
        called.fleet.to_string(),
        called.host.to_string(),
        called.program.name().to_owned(),
        called.conversation.verb().to_owned(),
    ]
}

fn options(login: &LoginSettings, base: &Path, route: Route) -> Vec<String> {
    let mut args = Vec::new();
    if let Some(file) = &login.ssh_config {
        let file: PathBuf = base.join(file);
        args.extend(["-F".to_owned(), file.to_string_lossy().into_owned()]);
    }
    args.push("-T".to_owned());
    let mut options = vec![
        // Nobody is there to type: an agent or a key without a phrase, or nothing.
        "BatchMode=yes",
        // Whatever the user's file says: an unknown or changed key is never accepted.
        "StrictHostKeyChecking=yes",
        "ConnectTimeout=10",
        "ServerAliveInterval=5",
        "ServerAliveCountMax=3",
        // Of the user's file for this host, these would get in the way of one plain channel.
        "ClearAllForwardings=yes",
        "RemoteCommand=none",
        "EscapeChar=none",
    ];
    if route == Route::New {
        options.extend(["ControlMaster=no", "ControlPath=none"]);
    }
    args.extend(options.iter().map(|option| format!("-o{option}")));
    let chosen = [("KexAlgorithms", &login.key_exchange), ("Ciphers", &login.ciphers)];
    args.extend(
        chosen
            .into_iter()
            .filter_map(|(name, value)| value.as_ref().map(|value| format!("-o{name}={value}"))),
    );
    args
}

/// `user@host`, in which nothing can be taken for an option or for another word.
fn destination(user: &str, host: &str) -> Result<String, ConnectError> {
    let is_word = |text: &str| {
        !text.is_empty()
            && !text.starts_with('-')
            && text
                .chars()
                .all(|c| !c.is_control() && !c.is_whitespace() && !"'\"`$\\;&<>|(){}/".contains(c))
    };
    if is_word(user) && is_word(host) && !user.contains('@') {
        return Ok(format!("{user}@{host}"));
    }
    Err(ConnectError::Destination { what: crate::last_lines::shown(&format!("{user}@{host}")) })
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests;
