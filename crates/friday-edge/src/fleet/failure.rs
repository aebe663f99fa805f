//! Why there is no connection, told so that a person knows what to mend.

use friday_core::view::words::size;
use friday_wire::HostName;

/// How it is told that a login shell ended before friday-host spoke.
const REMOTE_SHELL: &str = "the remote shell ended with";

/// Why a host could not be connected to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// Not in the configuration.
    #[error("there is no host `{host}` in the configuration")]
    UnknownHost {
        /// As asked.
        host: HostName,
    },
    /// An address that ssh must not be given.
    #[error("`{what}` is not a destination for ssh")]
    Destination {
        /// User and host.
        what: String,
    },
    /// ssh, or the local shell, could not be started.
    #[error("the connection could not be started: {why}")]
    NotStarted {
        /// Why.
        why: String,
    },
    /// Nobody answers there.
    #[error("it cannot be reached: {why}")]
    Unreachable {
        /// ssh's words.
        why: String,
    },
    /// The host's key is unknown or another than before.
    #[error("its host key could not be verified: {why}")]
    HostKey {
        /// ssh's words.
        why: String,
    },
    /// It does not let us in.
    #[error("the login was refused: {why}")]
    Login {
        /// ssh's words.
        why: String,
    },
    /// friday-host's directory or program could not be made there.
    #[error("friday-host cannot be put into `{directory}`: {why}")]
    Denied {
        /// Where.
        directory: String,
        /// The host's words.
        why: String,
    },
    /// Another kind of machine.
    #[error("it is a {found} machine; this friday carries friday-host for {ours}")]
    Machine {
        /// As `uname -m` says.
        found: String,
        /// What we have.
        ours: String,
    },
    /// A program that the first contact needs.
    #[error("it has no `{tool}`")]
    Tool {
        /// Which.
        tool: String,
    },
    /// It says something that is not friday-host's.
    #[error("it answered something that is not friday-host: `{got}`")]
    Garbage {
        /// The beginning, control characters shown.
        got: String,
    },
    /// The connection ended before friday-host spoke, or broke.
    #[error("the connection ended: {why}")]
    Ended {
        /// What was said last.
        why: String,
    },
    /// No version of the protocol in common.
    #[error("friday-host {version} there speaks protocol {wire}, this friday {ours}")]
    Incompatible {
        /// friday-host's version.
        version: String,
        /// What it speaks.
        wire: u32,
        /// What we speak, `1 to 1`.
        ours: String,
    },
    /// friday-host answered, and says no: another fleet's or host's directory.
    #[error("friday-host refuses: {why}")]
    Refused {
        /// Its words.
        why: String,
    },
    /// The program is there, or was sent, and may not be run.
    #[error("friday-host may not be run there: {why}")]
    NotRun {
        /// The shell's words.
        why: String,
    },
    /// friday-host's own program is still on its way.
    #[error("friday-host is still being put there: {} of {} so far", size(*sent), size(*bytes))]
    ProgramLate {
        /// Bytes that are under way or there.
        sent: u64,
        /// Bytes of the whole.
        bytes: u64,
    },
    /// It took too long.
    #[error("no answer in time while {doing}")]
    TimedOut {
        /// What was being done.
        doing: &'static str,
    },
}

impl ConnectError {
    /// What to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::UnknownHost { .. } => "`friday hosts` lists them",
            Self::Destination { .. } => "write `user@host` or `user@host:port`",
            Self::NotStarted { .. } => "friday uses the system's `ssh`; is it installed?",
            Self::Unreachable { .. } => "try `ssh` to it by hand; is it up, and the name right?",
            Self::TimedOut { .. } => {
                "try `ssh` to it by hand; is it up, and does its shell profile wait for something?"
            }
            Self::NotRun { .. } => {
                "is that file system mounted `noexec`? `directory` in `[hosts]` names another place"
            }
            Self::ProgramLate { .. } => {
                "its line is slow; a push or a sweep waits until it is there"
            }
            Self::HostKey { .. } => {
                "log in once with `ssh USER@HOST` and compare the key; `ssh-keygen -R HOST` forgets an old one"
            }
            Self::Login { .. } => {
                "`ssh -o BatchMode=yes USER@HOST` must log in: a key in the agent, or one without a phrase"
            }
            Self::Denied { .. } => "the login user needs a directory of its own, with room",
            Self::Machine { .. } => "use a friday that was built for that machine",
            Self::Tool { .. } => "install it there (coreutils)",
            Self::Garbage { .. } | Self::Ended { .. } => {
                "try `ssh` to it by hand: does its shell profile print, ask or exit?"
            }
            Self::Incompatible { .. } => "use the newer friday",
            Self::Refused { .. } => "do as it says; is it the right host? see `[hosts]` and `name`",
        }
    }

    /// The error, and what to do where a person can mend it before trying again. What happens to a
    /// connection that worked is told without.
    pub fn told(&self) -> String {
        match self {
            Self::UnknownHost { .. } | Self::Refused { .. } => self.to_string(),
            // Not where a connection that worked has ended.
            Self::Ended { why } if !why.starts_with(REMOTE_SHELL) => self.to_string(),
            Self::Destination { .. }
            | Self::NotStarted { .. }
            | Self::Unreachable { .. }
            | Self::HostKey { .. }
            | Self::Login { .. }
            | Self::Denied { .. }
            | Self::Machine { .. }
            | Self::Tool { .. }
            | Self::Garbage { .. }
            | Self::Ended { .. }
            | Self::NotRun { .. }
            | Self::ProgramLate { .. }
            | Self::TimedOut { .. }
            | Self::Incompatible { .. } => format!("{self} ({})", self.hint()),
        }
    }

    /// From what ssh said before it ended.
    pub(super) fn from_ssh(status: Option<i32>, said: &str) -> Self {
        const SSH_ITSELF: i32 = 255;
        /// Every shell's word for a program that is there and may not be run.
        const SHELL_MAY_NOT_RUN: i32 = 126;
        let why = if said.is_empty() { "it said nothing".to_owned() } else { said.to_owned() };
        if let Some((_, words)) = said.split_once("friday-host: ") {
            return Self::Refused { why: words.to_owned() };
        }
        if status != Some(SSH_ITSELF) {
            let why = match status {
                Some(SHELL_MAY_NOT_RUN) => return Self::NotRun { why },
                Some(code) => format!("{REMOTE_SHELL} {code}: {why}"),
                None => why,
            };
            return Self::Ended { why };
        }
        let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
        if has(&["REMOTE HOST IDENTIFICATION HAS CHANGED"]) {
            // Of ssh's screenful, the line that names the file to look into.
            let line = said.split("; ").find(|line| line.starts_with("Offending"));
            let offending = line.unwrap_or("see `ssh-keygen -R`");
            Self::HostKey { why: format!("it is not the one known before ({offending})") }
        } else if has(&["Host key verification failed"]) {
            Self::HostKey { why }
        } else if has(&[
            "Permission denied",
            "Too many authentication failures",
            "No more authentication",
        ]) {
            Self::Login { why }
        } else {
            Self::Unreachable { why }
        }
    }

    /// From what the script said it cannot do.
    pub(super) fn from_script(what: &str, ours: &str, said: &str) -> Self {
        let (kind, rest) = what.split_once(' ').unwrap_or((what, ""));
        let why = if said.is_empty() { "no reason was given".to_owned() } else { said.to_owned() };
        let rest = rest.to_owned();
        match kind {
            "machine" => Self::Machine { found: rest, ours: ours.to_owned() },
            "tool" => Self::Tool { tool: rest },
            "directory" | "program" => Self::Denied { directory: rest, why },
            _ => Self::Garbage { got: what.to_owned() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_is_understood() {
        let said = |text| ConnectError::from_ssh(Some(255), text);
        assert!(matches!(
            said(
                "No ED25519 host key is known for h and you have requested strict checking.; Host key verification failed."
            ),
            ConnectError::HostKey { .. }
        ));
        assert!(matches!(
            said("deploy@h: Permission denied (publickey)."),
            ConnectError::Login { .. }
        ));
        let changed = said(
            "@@@@; @    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @; It is possible; \
             Offending ED25519 key in /home/anna/.ssh/known_hosts:3; Host key verification failed.",
        );
        assert_eq!(
            changed.to_string(),
            "its host key could not be verified: it is not the one known before \
             (Offending ED25519 key in /home/anna/.ssh/known_hosts:3)"
        );
        for text in [
            "ssh: connect to host h port 22: Connection refused",
            "ssh: Could not resolve hostname h: Name or service not known",
            "Connection closed by 10.0.0.1 port 22",
        ] {
            assert!(matches!(said(text), ConnectError::Unreachable { .. }), "{text}");
        }
        assert!(matches!(
            ConnectError::from_ssh(Some(126), "Permission denied"),
            ConnectError::NotRun { .. }
        ));
        assert!(matches!(
            ConnectError::from_ssh(Some(3), "Permission denied"),
            ConnectError::Ended { .. }
        ));
    }

    #[test]
    fn what_a_person_can_mend_is_told_with_how() {
        let told = |text| ConnectError::from_ssh(Some(255), text).told();
        assert!(
            told("Host key verification failed.").contains("(log in once with `ssh USER@HOST`")
        );
        assert!(told("deploy@h: Permission denied (publickey).").contains("`ssh -o BatchMode=yes"));
        let lost = ConnectError::Ended { why: "the connection was closed".to_owned() };
        assert_eq!(lost.told(), lost.to_string());
    }

    #[test]
    fn the_script_is_understood() {
        let said = |text| ConnectError::from_script(text, "x86_64", "Read-only file system");
        assert_eq!(
            said("machine aarch64").to_string(),
            "it is a aarch64 machine; this friday carries friday-host for x86_64"
        );
        assert_eq!(
            said("directory /srv/f").to_string(),
            "friday-host cannot be put into `/srv/f`: Read-only file system"
        );
        assert!(matches!(said("tool sha256sum"), ConnectError::Tool { .. }));
        assert!(matches!(said("what"), ConnectError::Garbage { .. }));
    }
}
