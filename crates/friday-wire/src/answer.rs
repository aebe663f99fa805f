//! What a host answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::examination::{BootHook, Examination};
use crate::supervisor::{Supervisor, is_default};
use crate::timetable::JobFacts;

use crate::fence::Fence;
use crate::head::{Head, Lease};
use crate::health::HealthState;
use crate::id::{Digest, HostName, ReleaseId, RolloutId};
use crate::manifest::Manifest;
use crate::process::Part;
use crate::step::StepReport;

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// To `Hello`.
    Hello {
        /// The version both will speak.
        wire: u32,
        /// friday-host's version.
        version: String,
        /// BLAKE3 of the program that runs.
        program: Digest,
    },
    /// To `Read` and `Observe`.
    Observed(Box<Observation>),
    /// To `Raise`: the head after it.
    Raised(Box<Head>),
    /// Done and durable.
    Ok,
    /// To `Do` and `Confirm`.
    Step(StepReport),
    /// To `Missing`.
    Missing {
        /// Not in the store; with the bytes that an interrupted transfer left (uncompressed).
        files: Vec<(Digest, u64)>,
    },
    /// To `Offer` and `Pack`.
    Lacks(Lacks),
    /// To `Offer`: the manifest of the base is not here.
    NoBase {
        /// Releases whose manifests are.
        known: Vec<ReleaseId>,
    },
    /// To `Recipe`.
    Recipe {
        /// [`crate::Recipe::to_bytes`], hexadecimal.
        chunks: String,
    },
    /// To `Verify`.
    Verified(Verified),
    /// To `Log`.
    Log {
        /// Lines, oldest first, control characters shown.
        lines: Vec<String>,
    },
    /// To `GetManifest`.
    Manifest(Box<Manifest>),
    /// To `Examine`.
    Examined(Box<Examination>),
    /// The protocol says no. Nothing was changed.
    Refused(Refusal),
    /// It could not be done: disk full, not there, not understood. Nothing was changed that counts.
    Error {
        /// What, one sentence.
        why: String,
    },
}

/// What a host lacks of an offered release, by place among the manifest's distinct files.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lacks {
    /// Files of which nothing is here: the first one's place, and how many in a row.
    pub runs: Vec<(u32, u32)>,
    /// Files of which an interrupted transfer left the first bytes: place and bytes.
    pub begun: Vec<(u32, u64)>,
}

impl Lacks {
    /// Adds a file; in rising order.
    pub fn add(&mut self, file: u32, held: u64) {
        if held > 0 {
            self.begun.push((file, held));
            return;
        }
        match self.runs.last_mut() {
            Some((first, count)) if first.saturating_add(*count) == file => *count += 1,
            Some(_) | None => self.runs.push((file, 1)),
        }
    }

    /// Whether nothing is lacking.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.begun.is_empty()
    }

    /// Places and held bytes, of a manifest with so many distinct files; `None` if there are others.
    pub fn files(&self, count: usize) -> Option<BTreeMap<u32, u64>> {
        // Runs that overlap could be told without end.
        let told: u64 = self.runs.iter().map(|(_, length)| u64::from(*length)).sum();
        if told > count as u64 || self.begun.len() > count {
            return None;
        }
        let mut files: BTreeMap<u32, u64> = self.begun.iter().copied().collect();
        for (first, length) in &self.runs {
            let end = first.checked_add(*length).filter(|end| *end as usize <= count)?;
            files.extend((*first..end).map(|file| (file, 0)));
        }
        let last = files.last_key_value().map(|(file, _)| *file as usize);
        last.is_none_or(|last| last < count).then_some(files)
    }
}

/// What a look at the whole store found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Verified {
    /// Files that were read.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Damaged files of the store, which were removed, and damaged releases: one sentence each.
    pub damaged: Vec<String>,
}

/// Why a host refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "refused", rename_all = "snake_case")]
pub enum Refusal {
    /// A higher fence was raised.
    Fenced {
        /// The highest seen.
        highest: Fence,
    },
    /// Another start's lease lives.
    Leased {
        /// It.
        lease: Lease,
    },
    /// The lease is not the caller's any more.
    LeaseLost,
    /// Another keeper is known here.
    Keeper {
        /// It.
        keeper: HostName,
    },
    /// Steps are for the open rollout only.
    NotOpen {
        /// The open one.
        open: Option<RolloutId>,
    },
    /// A push while a rollback is open.
    RollbackOpen {
        /// It.
        rollout: RolloutId,
    },
    /// This release is quarantined here.
    Quarantined {
        /// It.
        release: ReleaseId,
        /// Why.
        reason: String,
    },
    /// A lower attempt than the highest seen, or a sealed one.
    Stale {
        /// The highest seen.
        attempt: u32,
    },
    /// Another operation is at work on this host.
    Busy {
        /// It.
        with: StepReport,
    },
    /// A one-way migration began: this would start the old release.
    OneWay,
    /// The migration needs the host stopped, and it is not, or not for long enough any more.
    NotStopped,
    /// The release is not staged here.
    NotHeld {
        /// It.
        release: ReleaseId,
    },
    /// The human lock refuses pushes.
    Locked {
        /// Who.
        person: String,
        /// Why.
        reason: String,
    },
    /// Nobody whom this host trusts has signed the release. To `Offer` and `Pack` only, which nobody asks who
    /// does not know it.
    Unsigned {
        /// It.
        release: ReleaseId,
        /// The host's file of allowed signers.
        signers: String,
        /// The key that signed it, as `SHA256:…`, where one did.
        key: Option<String>,
        /// What is wrong, one sentence.
        why: String,
    },
}

/// A host as seen at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// What it durably knows.
    pub head: Head,
    /// What runs.
    pub app: Option<RunningApp>,
    /// A release that still runs beside it, out of rotation.
    pub warm: Option<ReleaseId>,
    /// The last operation, and how far it came; the sealed one where one was named.
    pub last: Option<StepReport>,
    /// A timer is armed.
    pub armed: bool,
    /// What would be started after a reboot now.
    pub boot_default: BootDefault,
    /// The machine.
    pub facts: HostFacts,
}

/// What a reboot would start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "boot", rename_all = "snake_case")]
pub enum BootDefault {
    /// This release.
    Start {
        /// It.
        release: ReleaseId,
    },
    /// Nothing.
    Nothing,
}

/// The application of the current release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningApp {
    /// Which release.
    pub release: ReleaseId,
    /// Its port.
    pub port: Option<u16>,
    /// A process is there.
    pub running: bool,
    /// By the host's own probes.
    pub health: HealthState,
    /// It takes traffic, as far as the host can know.
    pub in_rotation: bool,
    /// Starts since the switch beyond the first.
    pub restarts: u32,
    /// Its processes, where it is more than the release's `run` command. `health` is that of all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<RunningProcess>,
}

/// One of several processes of the current release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningProcess {
    /// Which.
    pub part: Part,
    /// Its port.
    pub port: Option<u16>,
    /// A process is there.
    pub running: bool,
    /// By the host's own probes.
    pub health: HealthState,
    /// Starts since the switch beyond the first.
    pub restarts: u32,
    /// Of a job, what is known of its times. Told in answer to `Read` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobFacts>,
}

/// Facts about the machine that the state machine does not need.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HostFacts {
    /// friday-host's version.
    pub version: String,
    /// BLAKE3 of the program that runs, hexadecimal.
    pub program: String,
    /// The highest version of the protocol it speaks; 0: it did not say, and speaks version 1.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub wire: u32,
    /// Bytes free where the store lies.
    pub disk_free: u64,
    /// Bytes there in all.
    pub disk_total: u64,
    /// Something starts friday-host after a boot.
    pub boot_hook: bool,
    /// The host's wall clock, milliseconds since 1970: a day off is worth a word.
    pub clock_ms: i64,
    /// `current` does not point where the state says, or a file of the current release was changed. Like
    /// `supervisor` and `unusable` told in answer to `Read` only.
    pub drift: Option<String>,
    /// What starts friday-host after a boot.
    #[serde(default, skip_serializing_if = "is_default")]
    pub boot: BootHook,
    /// Files that can still be made where the store lies, and files in all; a host that says 0 of 0 does
    /// not know.
    #[serde(default, skip_serializing_if = "is_default")]
    pub files_free: u64,
    /// See above.
    #[serde(default, skip_serializing_if = "is_default")]
    pub files_total: u64,
    /// Who runs the current release's application.
    #[serde(default, skip_serializing_if = "is_default")]
    pub supervisor: Option<Supervisor>,
    /// Why a supervisor cannot be used now. One that is not here can, or the host is too old to say.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unusable: BTreeMap<Supervisor, String>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_is_told_in_runs() {
        let mut lacks = Lacks::default();
        for (file, held) in [(0, 0), (1, 0), (2, 7), (3, 0), (5, 0)] {
            lacks.add(file, held);
        }
        assert_eq!(lacks.runs, [(0, 2), (3, 1), (5, 1)]);
        let files = lacks.files(6).expect("right");
        assert_eq!(files, BTreeMap::from([(0, 0), (1, 0), (2, 7), (3, 0), (5, 0)]));
        assert_eq!(lacks.files(5), None, "there is no file 5");
    }

    #[test]
    fn files_that_are_none_are_not_believed() {
        let wrong = [
            Lacks { runs: vec![(0, u32::MAX)], begun: vec![] },
            Lacks { runs: vec![(u32::MAX, 1)], begun: vec![] },
            Lacks { runs: vec![(0, 3), (0, 3)], begun: vec![] },
            Lacks { runs: vec![], begun: vec![(4, 1)] },
            Lacks { runs: vec![], begun: vec![(0, 1); 9] },
        ];
        for lacks in wrong {
            assert_eq!(lacks.files(4), None, "{lacks:?}");
        }
    }
}
