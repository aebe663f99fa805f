//! Who runs an application on its host, and what it may use there.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Who starts an application's processes and holds them together.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Supervisor {
    /// friday-host itself.
    #[default]
    Own,
    /// The login's systemd: a transient unit for each start. Needs lingering.
    UserUnits,
    /// The machine's systemd: an instance of a template that a person installed once.
    SystemUnits,
}

impl Supervisor {
    /// As the configuration writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::UserUnits => "user-units",
            Self::SystemUnits => "system-units",
        }
    }

    /// The supervisor of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Own, Self::UserUnits, Self::SystemUnits].into_iter().find(|one| one.word() == word)
    }
}

impl fmt::Display for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What all processes of one application may use together; `None`: what the machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory. Needs systemd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Percent of one processor: 150 is one and a half. Needs systemd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<u32>,
    /// Processes and threads. Needs systemd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<u32>,
    /// Open files of each process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<u32>,
}

/// The signal that asks an application to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StopSignal {
    /// SIGTERM.
    #[default]
    Term,
    /// SIGINT.
    Int,
    /// SIGQUIT.
    Quit,
    /// SIGHUP.
    Hup,
    /// SIGUSR1.
    Usr1,
    /// SIGUSR2.
    Usr2,
    /// SIGWINCH.
    Winch,
}

impl StopSignal {
    /// All of them, with their names as the configuration writes them.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Term, "TERM"),
        (Self::Int, "INT"),
        (Self::Quit, "QUIT"),
        (Self::Hup, "HUP"),
        (Self::Usr1, "USR1"),
        (Self::Usr2, "USR2"),
        (Self::Winch, "WINCH"),
    ];

    /// The signal of that name, with or without `SIG`.
    pub fn from_word(word: &str) -> Option<Self> {
        let word = word.strip_prefix("SIG").unwrap_or(word);
        Self::ALL.into_iter().find(|(_, name)| *name == word).map(|(signal, _)| signal)
    }
}

/// How a release's processes are held. A part of its identity; nothing of it is written where it is
/// the default, so that releases from before it keep theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UnitSpec {
    /// Who runs them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub supervisor: Supervisor,
    /// What they may use.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Limits,
    /// What asks them to end.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stop_signal: StopSignal,
}

/// Whether a value is its type's default, and so need not be written.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_back_to_what_they_say() {
        for one in [Supervisor::Own, Supervisor::UserUnits, Supervisor::SystemUnits] {
            assert_eq!(Supervisor::from_word(one.word()), Some(one));
        }
        assert_eq!(Supervisor::from_word("systemd"), None);
        assert_eq!(StopSignal::from_word("SIGINT"), Some(StopSignal::Int));
        assert_eq!(StopSignal::from_word("KILL"), None);
    }

    #[test]
    fn what_is_default_is_not_written() {
        let written = serde_json::to_string(&UnitSpec::default()).expect("plain data");
        assert_eq!(written, "{}");
        let units = UnitSpec { supervisor: Supervisor::UserUnits, ..UnitSpec::default() };
        let written = serde_json::to_string(&units).expect("plain data");
        assert_eq!(written, r#"{"supervisor":"user-units"}"#);
        assert_eq!(serde_json::from_str::<UnitSpec>("{}").expect("reads"), UnitSpec::default());
    }
}
