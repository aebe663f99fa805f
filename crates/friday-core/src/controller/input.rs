//! Everything that can happen to the controller.

use friday_wire::data::{Judged, RestorePoint};
use friday_wire::{Answer, HostName, Lock, ProcessName, ReleaseId, RolloutId, Sample, StartId};

use super::effect::EffectId;
use crate::journal::intent::MemberChange;
use crate::rollout::plan::{FleetPlan, Plan};

/// One input. Time and ids come in with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// What a person asked for.
    Command(Command),
    /// What came of an effect.
    Finished {
        /// Which.
        effect: EffectId,
        /// What.
        outcome: Outcome,
    },
    /// One outcome of a standing `Effect::Follow`.
    Followed {
        /// Which.
        effect: EffectId,
        /// What.
        outcome: Outcome,
    },
    /// A sample of an outside probe, for as long as `Effect::Watch` is owed.
    Sampled {
        /// Of which host.
        host: HostName,
        /// What it saw.
        sample: Sample,
    },
    /// A time that `next_wakeup` named has come. Harmless at any other time.
    Woke,
}

/// What came of an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The host answered.
    Answered(Box<Answer>),
    /// Done: a ship, a hook.
    Done,
    /// A restore point is made, and safe.
    Pointed(Box<RestorePoint>),
    /// What a database said of its invariants, in the order asked.
    Judged(Vec<Judged>),
    /// Failed for certain, and for a request: it was never sent.
    Failed {
        /// One sentence.
        why: String,
    },
    /// Sent, and nobody knows what came of it.
    Unknown {
        /// One sentence.
        why: String,
    },
}

/// Who starts a driver, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driver {
    /// Random; half of every fence of this start.
    pub start: StartId,
    /// A person's name as the machine knows it; evidence, not proof.
    pub person: String,
    /// The machine.
    pub machine: String,
    /// friday's version.
    pub version: String,
}

/// What a person asks of a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Ships a release.
    Push {
        /// A new id.
        rollout: RolloutId,
        /// Who drives.
        driver: Driver,
        /// Every choice.
        plan: Box<Plan>,
    },
    /// Takes the open or current release off everywhere.
    Rollback {
        /// A new id.
        rollout: RolloutId,
        /// Who drives.
        driver: Driver,
        /// Where to.
        to: BackTo,
        /// Healthy hosts too at once, whatever the budget.
        now: bool,
        /// Whether what it leaves is quarantined. The default is that it is.
        quarantine: bool,
        /// A person's reason.
        reason: String,
        /// The hosts.
        fleet: Box<FleetPlan>,
    },
    /// Makes every host what the fleet's truth says.
    Sweep {
        /// A new id.
        rollout: RolloutId,
        /// Who drives.
        driver: Driver,
        /// The hosts.
        fleet: Box<FleetPlan>,
    },
    /// Goes on with the open push of this journal.
    Resume {
        /// A new id, for a rollback if it goes back.
        rollout: RolloutId,
        /// Who drives.
        driver: Driver,
        /// Forward or back.
        way: Way,
    },
    /// Ends the running push: hosts in flight finish or go back, none start; then everything goes back.
    Abort {
        /// Id of the rollback.
        rollout: RolloutId,
        /// Who.
        person: String,
        /// Why.
        reason: String,
    },
    /// Holds the running push: hosts in flight finish, none start, and then it waits for a person. One
    /// that has switched no host yet is put away instead. A rollback is not held.
    Hold {
        /// Names the request.
        rollout: RolloutId,
        /// Who.
        person: String,
        /// Why.
        reason: String,
    },
    /// Sets or lifts the human lock on every host.
    SetLock {
        /// Names this act in the journal.
        rollout: RolloutId,
        /// Who drives.
        driver: Driver,
        /// `None` lifts.
        lock: Option<Lock>,
        /// The hosts.
        fleet: Box<FleetPlan>,
    },
    /// Quarantines a release, or lifts it.
    SetQuarantine {
        /// Names this act in the journal.
        rollout: RolloutId,
        /// Who drives.
        driver: Driver,
        /// Which.
        release: ReleaseId,
        /// Set or lifted.
        active: bool,
        /// Why.
        reason: String,
        /// The hosts.
        fleet: Box<FleetPlan>,
    },
    /// Names another keeper.
    SetKeeper {
        /// Names this act in the journal.
        rollout: RolloutId,
        /// Who drives.
        driver: Driver,
        /// The new one.
        keeper: HostName,
        /// A proven person, needed where the old keeper does not answer.
        proven: Option<String>,
        /// The hosts.
        fleet: Box<FleetPlan>,
    },
    /// Has another host run a once process.
    SetOnce {
        /// Names this act in the journal.
        rollout: RolloutId,
        /// Who drives.
        driver: Driver,
        /// Which process.
        process: ProcessName,
        /// The host that runs it from then on.
        host: HostName,
        /// Hosts that are off for good: the person's word.
        dead: Vec<HostName>,
        /// The hosts.
        fleet: Box<FleetPlan>,
    },
    /// Replaces friday-host everywhere by the program that this friday carries.
    Upgrade {
        /// Names this act in the journal.
        rollout: RolloutId,
        /// Who drives.
        driver: Driver,
        /// The hosts.
        fleet: Box<FleetPlan>,
    },
    /// Changes who belongs to the fleet.
    ChangeMembers {
        /// Names this act in the journal.
        rollout: RolloutId,
        /// Who drives.
        driver: Driver,
        /// How.
        change: MemberChange,
        /// The hosts.
        fleet: Box<FleetPlan>,
    },
    /// Only looks: reads every head and notes what the journal lacks.
    Look {
        /// Names this act in the journal.
        rollout: RolloutId,
        /// Who drives.
        driver: Driver,
        /// The hosts.
        fleet: Box<FleetPlan>,
    },
}

/// Where a rollback goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "to", rename_all = "snake_case")]
pub enum BackTo {
    /// What the open rollout returns to; without one, the previous stable release.
    LastStable,
    /// This release.
    Release {
        /// Which.
        release: ReleaseId,
    },
}

/// Which way a resumed push goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// On.
    Forward,
    /// Back.
    Back,
}
