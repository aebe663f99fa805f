//! Why not, or why not yet: a value with evidence, never a bare boolean.

mod data;
mod hour;

use std::fmt;

use friday_wire::{DatabaseName, Fault, HostName, ProcessName, ReleaseId, RolloutId, Supervisor};
use serde::{Deserialize, Serialize};

use crate::journal::finding::Gate;
use crate::journal::moment::Moment;
use crate::time::Timestamp;

/// One reason, shown by `friday why`. Renders as one sentence; the hint says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum Reason {
    /// A host does not answer.
    Unreachable {
        /// Which.
        host: HostName,
        /// Why.
        why: String,
    },
    /// The human lock.
    Locked {
        /// Who.
        person: String,
        /// Why.
        reason: String,
    },
    /// Another driver's lease lives.
    Leased {
        /// Who.
        holder: String,
        /// Seconds left.
        remaining_secs: u64,
    },
    /// The lease could not be prolonged.
    LeaseLost,
    /// A higher fence was raised by another driver.
    Fenced {
        /// `push`, `rollback` or `sweep`.
        by: String,
    },
    /// Another keeper is known.
    Keeper {
        /// In the heads.
        known: HostName,
        /// In the configuration.
        configured: HostName,
    },
    /// The release, or its files, are quarantined.
    Quarantined {
        /// It.
        release: ReleaseId,
        /// What it did.
        why: String,
    },
    /// Somebody's rollout is open.
    RolloutOpen {
        /// Which.
        rollout: RolloutId,
        /// `push`, `rollback` or `sweep`.
        kind: String,
    },
    /// The heads changed between being read and being raised.
    HeadsChanged,
    /// The stable release cannot be quarantined while it runs.
    IsStable {
        /// It.
        release: ReleaseId,
    },
    /// Nothing to return to.
    NoWayBack {
        /// Why.
        why: String,
    },
    /// A one-way migration began: nothing goes back by itself.
    OneWay,
    /// It is not known how a migration ended.
    MigrationUnknown,
    /// A migration failed.
    MigrationFailed {
        /// How.
        why: String,
    },
    /// A hook failed.
    HookFailed {
        /// Which.
        name: String,
        /// How.
        why: String,
    },
    /// A host failed.
    HostFailed {
        /// Which.
        host: HostName,
        /// How.
        why: String,
        /// Whose fault it is, as far as anybody knows.
        #[serde(default, skip_serializing_if = "Fault::is_the_releases")]
        fault: Fault,
    },
    /// More hosts failed than are allowed.
    BudgetSpent {
        /// Failed.
        failed: u32,
        /// Allowed.
        allowed: u32,
    },
    /// Nothing moved for longer than the progress deadline.
    StoodStill {
        /// Seconds.
        secs: u64,
        /// What it was waiting for.
        waiting: String,
    },
    /// A person asked for it.
    Asked {
        /// Who.
        person: String,
        /// Why.
        reason: String,
    },
    /// A person, or the end of the terminal or machine that friday ran in, stopped it where it was.
    HeldBy {
        /// Who.
        person: String,
        /// Why.
        reason: String,
    },
    /// The driver ended in mid-push.
    DriverGone,
    /// Hosts are owed a sweep.
    SweepOwed {
        /// They.
        hosts: Vec<HostName>,
    },
    /// A host runs the release, and could not be told that it is stable now.
    NotToldStable {
        /// The host.
        host: HostName,
        /// Why not.
        why: String,
    },
    /// There is nothing to do that for.
    NothingToDo {
        /// What there would have to be.
        what: String,
    },
    /// A release that is not held where it must be.
    NotHeld {
        /// The host.
        host: HostName,
        /// The release.
        release: ReleaseId,
    },
    /// A host runs another release apart from the fleet.
    RunsApart {
        /// The host.
        host: HostName,
        /// What it runs.
        release: ReleaseId,
    },
    /// friday-host there was not replaced since, and cannot do what is asked.
    HostProgramOld {
        /// The host.
        host: HostName,
    },
    /// A host that keeps the lease cannot go.
    IsKeeper {
        /// It.
        host: HostName,
    },
    /// Some hosts know one keeper, some another, and neither name is newer.
    TwoKeepers {
        /// One.
        one: HostName,
        /// The other.
        other: HostName,
    },
    /// A host cannot run applications under the supervisor that is asked for.
    Supervisor {
        /// The host.
        host: HostName,
        /// Which supervisor.
        supervisor: Supervisor,
        /// What is missing.
        why: String,
    },
    /// Nobody whom a host trusts has signed the release.
    Unsigned {
        /// The host.
        host: HostName,
        /// The release.
        release: ReleaseId,
        /// Who did, and who would have had to.
        #[serde(flatten)]
        signing: Box<Signing>,
    },
    /// Too little room.
    Full {
        /// The host.
        host: HostName,
        /// What it said.
        why: String,
    },
    /// It is not known which host runs a once process, or it may not.
    Once {
        /// Which process.
        process: ProcessName,
        /// What stands in the way.
        why: String,
    },
    /// A guarded database got no restore point.
    NoRestorePoint {
        /// Which.
        database: DatabaseName,
        /// Why.
        why: String,
    },
    /// The push was not rehearsed, or what that showed stands against it.
    Unrehearsed {
        /// On which database.
        database: DatabaseName,
        /// Why.
        why: String,
    },
    /// A rehearsal showed that nothing may go back by itself.
    WayBackBarred {
        /// On which database.
        database: DatabaseName,
        /// The verdict and what proved it.
        says: String,
        /// How long a recovery is expected to take; `None`: no drill tells.
        recovery_ms: Option<u64>,
    },
    /// It is not proven that a guarded database can be recovered.
    RecoveryUnproven {
        /// Which.
        database: DatabaseName,
        /// Why.
        why: String,
    },
    /// Calendars and rotas speak against it.
    NotNow {
        /// Which gate.
        gate: Gate,
        /// What they say.
        why: String,
    },
    /// No wave begins now.
    Closed {
        /// Why: ``the freeze `black friday` ``.
        what: String,
        /// Until when.
        until: Timestamp,
    },
    /// What must hold in a guarded database does not.
    InvariantBroken {
        /// Which database.
        database: DatabaseName,
        /// What people call the invariant.
        name: String,
        /// When that was found.
        moment: Moment,
        /// How it showed.
        #[serde(flatten)]
        evidence: Box<Evidence>,
    },
    /// Nobody could be made to say whether what must hold in a guarded database does.
    InvariantsUnknown {
        /// Which database.
        database: DatabaseName,
        /// When it was asked.
        moment: Moment,
        /// Why.
        why: String,
    },
}

/// How it showed that an invariant is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Rows that came; 1 for a number.
    pub rows: u64,
    /// The number, where it is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The file on the database's host that lists the first rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<String>,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "it is {value}")?,
            None if self.rows == 1 => f.write_str("1 row")?,
            None => write!(f, "{} rows", self.rows)?,
        }
        match &self.listed {
            Some(listed) => write!(f, ", listed in `{listed}` on the database's host"),
            None => Ok(()),
        }
    }
}

/// How a release is signed that a host does not take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signing {
    /// The host's file of allowed signers.
    pub signers: String,
    /// The key that signed it, as `SHA256:…`, where one did.
    pub key: Option<String>,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { host, why } => write!(f, "`{host}` does not answer: {why}"),
            Self::Locked { person, reason } => write!(f, "{person} locked the fleet: {reason}"),
            Self::Leased { holder, remaining_secs } => {
                write!(f, "{holder} is pushing; the lease lasts another {remaining_secs} s")
            }
            Self::LeaseLost => f.write_str("the keeper did not prolong the lease"),
            Self::Fenced { by } => write!(f, "a {by} by another driver took over"),
            Self::Keeper { known, configured } => {
                write!(f, "the hosts' keeper is `{known}`, the configuration's `{configured}`")
            }
            Self::Quarantined { release, why } => {
                write!(f, "release {} is quarantined: {why}", release.short())
            }
            Self::RolloutOpen { rollout, kind } => write!(f, "the {kind} {rollout} is still open"),
            Self::HeadsChanged => f.write_str("the hosts' state changed while it was being read"),
            Self::IsStable { release } => {
                write!(f, "release {} is the stable one, and runs", release.short())
            }
            Self::Once { process, why } => write!(f, "the process `{process}` runs once: {why}"),
            Self::NoWayBack { why } => write!(f, "there is nothing to return to: {why}"),
            Self::OneWay => {
                f.write_str("a one-way migration began; the old release cannot use its data")
            }
            Self::MigrationUnknown => f.write_str("it is not known how the migration ended"),
            Self::MigrationFailed { why } => write!(f, "the migration failed: {why}"),
            Self::HookFailed { name, why } => write!(f, "the hook `{name}` failed: {why}"),
            Self::HostFailed { host, why, fault } => host_failed(f, host, why, *fault),
            Self::BudgetSpent { failed, allowed } => {
                write!(f, "{failed} failed, and {allowed} may")
            }
            Self::StoodStill { secs, waiting } => {
                write!(f, "nothing moved for {secs} s while waiting for {waiting}")
            }
            Self::Asked { person, reason } => write!(f, "{person} asked for it: {reason}"),
            Self::HeldBy { person, reason } => write!(f, "{person} held it: {reason}"),
            Self::DriverGone => f.write_str("the friday that drove it ended before it was done"),
            Self::SweepOwed { hosts } => {
                f.write_str("still to be put right:")?;
                hosts.iter().try_for_each(|host| write!(f, " `{host}`"))
            }
            Self::NotToldStable { host, why } => {
                write!(f, "`{host}` does not know yet that its release is stable: {why}")
            }
            Self::NothingToDo { what } => write!(f, "there is {what}"),
            Self::NotHeld { host, release } => {
                write!(f, "`{host}` does not hold release {}", release.short())
            }
            Self::RunsApart { .. }
            | Self::HostProgramOld { .. }
            | Self::IsKeeper { .. }
            | Self::Supervisor { .. }
            | Self::TwoKeepers { .. } => self.fmt_of_members(f),
            Self::Unsigned { host, release, signing } => {
                let says = unsigned(&signing.signers, signing.key.as_deref(), &signing.why);
                write!(f, "`{host}` does not take release {}{says}", release.short())
            }
            Self::Full { host, why } => write!(f, "`{host}` has no room: {why}"),
            Self::NotNow { .. } | Self::Closed { .. } => self.fmt_of_the_hour(f),
            Self::NoRestorePoint { .. }
            | Self::RecoveryUnproven { .. }
            | Self::Unrehearsed { .. }
            | Self::WayBackBarred { .. }
            | Self::InvariantBroken { .. }
            | Self::InvariantsUnknown { .. } => self.fmt_of_data(f),
        }
    }
}

/// Which key signed a release that is not taken, what is wrong, and whose file says so.
pub(crate) fn unsigned(signers: &str, key: Option<&str>, why: &str) -> String {
    let signed = key.map(|key| format!(", signed with the key `{key}`")).unwrap_or_default();
    format!("{signed}: {why} (`{signers}` there says who may sign)")
}

fn host_failed(
    f: &mut fmt::Formatter<'_>,
    host: &HostName,
    why: &str,
    fault: Fault,
) -> fmt::Result {
    match fault {
        Fault::Release => write!(f, "`{host}` failed: {why}"),
        Fault::Host => write!(f, "not the release's fault: `{host}` failed: {why}"),
    }
}

/// What a person can do about a failure that is a host's own.
pub const MEND_THE_HOST: &str =
    "the release is not quarantined: mend the host (free the port, make room), and push again";

impl Reason {
    /// Those about the fleet's members.
    fn fmt_of_members(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RunsApart { host, release } => {
                write!(f, "`{host}` runs {} apart from the fleet", release.short())
            }
            Self::HostProgramOld { host } => {
                write!(f, "the friday-host that runs on `{host}` is too old for that")
            }
            Self::IsKeeper { host } => write!(f, "`{host}` keeps the lease of pushes"),
            Self::Supervisor { host, supervisor, why } => {
                write!(f, "`{host}` cannot run it as {supervisor}: {why}")
            }
            Self::TwoKeepers { one, other } => {
                write!(f, "some hosts' keeper is `{one}`, others' is `{other}`")
            }
            _ => Ok(()),
        }
    }

    /// Whether a failure for this reason says nothing against the release: a host's own, a sum of others, or no
    /// verdict at all.
    pub fn spares_the_release(&self) -> bool {
        matches!(
            self,
            Self::HostFailed { fault: Fault::Host, .. }
                | Self::BudgetSpent { .. }
                | Self::InvariantsUnknown { .. }
        )
    }

    /// What a person can do about it: a command where there is one.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => {
                "see `friday hosts`; a host that is gone for good leaves `[hosts]`, after an open push that names it went back"
            }
            Self::Locked { .. } => "`friday unlock` lifts it; a rollback needs no unlock",
            Self::Leased { .. } => {
                "wait for it, or ask who holds it; `friday rollback` needs no lease"
            }
            Self::LeaseLost => "see `friday hosts`, then `friday resume`",
            Self::Fenced { .. } => "see `friday status` for what is there now",
            Self::Keeper { .. } => {
                "write the hosts' one as `[hosts] keeper = \"…\"`; or `friday hosts keeper HOST` names another"
            }
            Self::Quarantined { .. } => {
                "change the release; or `friday quarantine --lift RELEASE --reason …` if it was not its fault"
            }
            Self::RolloutOpen { .. } => {
                "`friday resume --forward`, `friday resume --back` or `friday rollback`"
            }
            Self::HeadsChanged => "look with `friday status` and try again",
            Self::IsStable { .. } => "`friday rollback` takes it off, and quarantines it",
            Self::Once { .. } => {
                "`friday hosts once PROCESS HOST` moves it; a host that is off for good is named with `--dead`"
            }
            Self::NoWayBack { .. } => "see `friday history` for releases that can be named",
            Self::MigrationFailed { .. } | Self::HookFailed { .. } => "mend it and push again",
            Self::HostFailed { fault: Fault::Release, .. } => "`friday logs HOST` has its output",
            Self::HostFailed { fault: Fault::Host, .. } => MEND_THE_HOST,
            Self::BudgetSpent { .. } => "`friday why` names the hosts",
            Self::StoodStill { .. } => "see `friday hosts`, then `friday resume`",
            Self::Asked { .. } => "see `friday log`",
            Self::HeldBy { .. } => {
                "`friday resume --forward` goes on, `friday resume --back` takes it off"
            }
            Self::DriverGone => "`friday resume --forward` or `friday resume --back`",
            Self::SweepOwed { .. } => {
                "`friday sweep` when they are back; until then they refuse the release"
            }
            Self::NotToldStable { .. } => "mend it, then `friday resume --forward` tells it",
            Self::NothingToDo { .. } => "see `friday status`",
            Self::NotHeld { .. } => "see `friday history` for the releases that hosts keep",
            Self::RunsApart { .. } => {
                "name that host too, `friday rollback` takes it off there, or push to every host"
            }
            Self::HostProgramOld { .. } => "`friday hosts upgrade` replaces it",
            Self::IsKeeper { .. } => "`friday hosts keeper HOST` names another one first",
            Self::TwoKeepers { .. } => {
                "`friday hosts keeper HOST --proven PERSON` names one, once you know that nobody pushes"
            }
            Self::Supervisor { .. } => "`friday doctor` prints what mends it",
            Self::Unsigned { .. } => {
                "name an allowed key as `key` in `[release.sign]`, or have the public half of yours put into that file there; then push again"
            }
            Self::OneWay
            | Self::MigrationUnknown
            | Self::NoRestorePoint { .. }
            | Self::Unrehearsed { .. }
            | Self::WayBackBarred { .. }
            | Self::InvariantBroken { .. }
            | Self::InvariantsUnknown { .. }
            | Self::RecoveryUnproven { .. } => self.hint_of_data(),
            Self::NotNow { .. } | Self::Closed { .. } => self.hint_of_the_hour(),
            Self::Full { .. } => {
                "`friday hosts` shows the room; `keep` in the configuration says what is kept"
            }
        }
    }
}
