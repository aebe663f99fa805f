//! What a host finds when it looks at itself: for `friday doctor`. Findings are facts; what is wrong with
//! them, and what mends it, friday says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::supervisor::{Supervisor, is_default};

/// What starts friday-host after a boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BootHook {
    /// Nothing that was found.
    #[default]
    None,
    /// A line in the login's crontab.
    Crontab,
    /// An enabled unit of the login's systemd, and the login lingers.
    UserUnit,
    /// An enabled unit of the machine's systemd.
    SystemUnit,
}

/// A unit's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundUnit {
    /// What stands in it.
    pub text: String,
    /// It is started at a boot.
    pub enabled: bool,
}

/// How a host's disk is, where friday-host's directory lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FoundDisk {
    /// Bytes that this user may still write.
    pub bytes_free: u64,
    /// Bytes in all.
    pub bytes: u64,
    /// Files that can still be made; 0 of 0 where the file system does not count.
    pub files_free: u64,
    /// Files in all.
    pub files: u64,
    /// Nothing can be written.
    pub read_only: bool,
    /// Nothing there can be run.
    pub noexec: bool,
}

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Examination {
    /// The login.
    pub user: String,
    /// Its number.
    pub uid: u32,
    /// friday-host's directory, absolute.
    pub directory: String,
    /// The login's home.
    pub home: String,
    /// The kernel's release: `6.1.0-18-amd64`.
    pub kernel: String,
    /// Calls that friday-host uses and this kernel does not know.
    pub missing_calls: Vec<String>,
    /// systemd's version, where it is the first process.
    pub systemd: Option<String>,
    /// The login's systemd runs without a login.
    pub lingers: bool,
    /// logind ends what a login leaves behind.
    pub kills_user_processes: bool,
    /// What starts friday-host after a boot.
    pub boot_hook: BootHook,
    /// A process that looks after crontabs runs; `None`: it cannot be seen.
    pub cron_runs: Option<bool>,
    /// friday-host's process is in its unit.
    pub in_unit: bool,
    /// The unit files of this fleet by their paths; a missing one is not listed.
    pub units: BTreeMap<String, FoundUnit>,
    /// Why a supervisor cannot be used now. One that is not here can.
    #[serde(skip_serializing_if = "is_default")]
    pub unusable: BTreeMap<Supervisor, String>,
    /// Why the journal cannot be read; `None`: it can.
    pub journal: Option<String>,
    /// The disk.
    pub disk: FoundDisk,
    /// The host's wall clock, milliseconds since 1970.
    pub clock_ms: i64,
    /// How many files a process may open at most.
    pub files_max: Option<u64>,
}
