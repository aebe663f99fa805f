//! The variants of everything an event can hold. The compiler keeps the lists complete: each is a
//! match without a rest.

use friday_core::controller::input::{BackTo, Way};
use friday_core::database::{DataAct, DataOutcome};
use friday_core::journal::Event;
use friday_core::journal::event::{End, Requested, Watcher};
use friday_core::journal::finding::{Fact, Gate, GateResult};
use friday_core::journal::intent::{Intent, MemberChange};
use friday_core::journal::moment::Moment;
use friday_core::journal::round::{HostAnswer, RoundAsk, StepAnswer, Work};
use friday_core::reason::Reason;
use friday_wire::data::Position;
use friday_wire::{Fault, FenceKind, Migration, Refusal, StepReport, StepState};

macro_rules! lists {
    ($($enum:ident: $($variant:ident)+;)+) => {
        /// Something with variants.
        pub trait Variant {
            /// Enum and variant.
            fn variant(&self) -> String;
        }

        $(impl Variant for $enum {
            fn variant(&self) -> String {
                match self {
                    $(Self::$variant { .. } => concat!(stringify!($enum), "::", stringify!($variant)).to_owned(),)+
                }
            }
        })+

        /// Every variant there is.
        pub fn all() -> Vec<String> {
            vec![$($(concat!(stringify!($enum), "::", stringify!($variant)).to_owned(),)+)+]
        }
    };
}

lists! {
    Event: JournalCreated DriverStarted RolloutBegun RoundBegun HostAnswered FenceChosen Observed
        GateJudged RolloutBound WorkBegun MigrationMoved MigrationWentBack HookEnded WaveBegun
        StepBegun StepAnswered OutsideProved HostDone HostFailed HostLeft HealthChanged SoakBegun
        BakeBegun BakeEnded LeaseRenewed Held EndDecided RolloutEnded Requested Resumed HostStopped
        DataActBegun DataActEnded RestorePointMade RestorePointFailed RestorePointUnknown
        WayBackDecided InvariantsJudged InvariantsUnknown;
    DataAct: Backup Verify Drill Rehearsal Restore;
    DataOutcome: BackedUp Verified Drilled Failed Rehearsed;
    Position: Sqlite Postgres;
    Intent: Push Rollback Sweep Lock Quarantine Keeper Look Upgrade Members Once;
    MemberChange: Remove Rename Forget;
    RoundAsk: Read Raise RaiseWave Open Ship Stage MigrationBegins MigrationEnds Look Quarantine Act
        Observe Close Release Upgrade Leave Rename;
    Work: Sweep HookBefore Migrate MigrateBack Back HookAfter StopAll
        HookBeforeWave HookAfterWave RestorePoints JudgeBefore JudgeMigrated JudgeWave JudgeAfter;
    Moment: Before Migrated Wave Bake After;
    HostAnswer: Head Seen Ok Refused Failed Unreachable Unknown;
    StepAnswer: Report Refused Unknown NotSent;
    Fact: Stable OpenRollout Superseded Quarantine Lock Keeper Apart;
    Gate: Reachable Unlocked Lease Quarantine NothingOpen WayBack Room Apart Supervisor Once
        Recovery Rehearsed Cover Freeze Maintenance;
    GateResult: Pass Inconclusive Fail;
    Watcher: Host Outside;
    End: Stable TakenBack NotSwitched Converged Owed Refused Unreachable Fenced TakenOver Done
        Dropped Apart;
    Requested: Abort Rollback Hold;
    BackTo: LastStable Release;
    Way: Forward Back;
    Reason: Unreachable Locked Leased LeaseLost Fenced Keeper Quarantined RolloutOpen HeadsChanged
        IsStable NoWayBack OneWay MigrationUnknown MigrationFailed HookFailed HostFailed BudgetSpent
        StoodStill Asked DriverGone SweepOwed NothingToDo NotHeld Full HeldBy RunsApart
        HostProgramOld IsKeeper NotToldStable Supervisor Once Unsigned TwoKeepers
        NoRestorePoint RecoveryUnproven Unrehearsed WayBackBarred InvariantBroken
        InvariantsUnknown NotNow Closed;
    Refusal: Fenced Leased LeaseLost Keeper NotOpen RollbackOpen Quarantined Stale Busy OneWay
        NotHeld Locked NotStopped Unsigned;
    StepState: Running AwaitingConfirm Done Failed Lost Undone Ended Sealed NeverSeen;
    Migration: NotBegun Begun Unknown Done;
    FenceKind: Push Rollback Sweep;
    Fault: Release Host;
}

/// What an event holds.
pub fn of_event(event: &Event) -> Vec<String> {
    let mut found = vec![event.variant()];
    match event {
        Event::RolloutBegun { intent, .. } => found.extend(of_intent(intent)),
        Event::RoundBegun { ask, .. } => found.push(ask.variant()),
        Event::HostAnswered { answer, .. } => {
            found.push(answer.variant());
            match answer {
                HostAnswer::Refused { refusal } => found.extend(of_refusal(refusal)),
                HostAnswer::Seen { observation } => {
                    found.extend(observation.last.iter().flat_map(of_report));
                }
                _ => {}
            }
        }
        Event::FenceChosen { fence, .. } => found.push(fence.kind.variant()),
        Event::Observed { fact } => found.push(fact.variant()),
        Event::GateJudged { gate, result, .. } => found.extend([gate.variant(), result.variant()]),
        Event::RolloutBound { open, .. } => found.push(open.migration.variant()),
        Event::WorkBegun { work, .. } => found.push(work.variant()),
        Event::MigrationMoved { migration, .. } => found.push(migration.variant()),
        Event::StepAnswered { answer, .. } => {
            found.push(answer.variant());
            match answer {
                StepAnswer::Report { report } => found.extend(of_report(report)),
                StepAnswer::Refused { refusal } => found.extend(of_refusal(refusal)),
                StepAnswer::Unknown { .. } | StepAnswer::NotSent { .. } => {}
            }
        }
        Event::HealthChanged { by, .. } => found.push(by.variant()),
        Event::Held { reasons, .. } => found.extend(reasons.iter().map(Variant::variant)),
        // Only an end that was applied counts.
        Event::RolloutEnded { end, .. } => {
            found.push(end.variant());
            if let End::Refused { reasons } | End::NotSwitched { reasons } = end {
                found.extend(reasons.iter().map(Variant::variant));
            }
        }
        Event::Requested { request, .. } => found.push(request.variant()),
        Event::Resumed { way, .. } => found.push(way.variant()),
        Event::DataActBegun { what, .. } => found.push(what.variant()),
        Event::DataActEnded { outcome, .. } => {
            found.push(outcome.variant());
            if let DataOutcome::BackedUp { backup, .. } = outcome {
                found.push(backup.position.variant());
            }
        }
        Event::InvariantsJudged { moment, .. } | Event::InvariantsUnknown { moment, .. } => {
            found.push(moment.variant());
        }
        Event::RestorePointMade { point, .. } => found.push(point.position.variant()),
        _ => {}
    }
    found
}

fn of_intent(intent: &Intent) -> Vec<String> {
    let mut found = vec![intent.variant()];
    if let Intent::Rollback { to, .. } = intent {
        found.push(to.variant());
    }
    if let Intent::Members { change, .. } = intent {
        found.push(change.variant());
    }
    found
}

fn of_refusal(refusal: &Refusal) -> Vec<String> {
    let mut found = vec![refusal.variant()];
    if let Refusal::Busy { with } = refusal {
        found.extend(of_report(with));
    }
    found
}

fn of_report(report: &StepReport) -> Vec<String> {
    let mut found = vec![report.state.variant()];
    if let StepState::Failed { fault, .. } = &report.state {
        found.push(fault.variant());
    }
    found
}
