//! Rehearsals of pushes: what they truly showed, and what must follow from it.
//!
//! Nothing is tried on a copy here: what a rehearsal shows is drawn, or told by a walk. Some are of another
//! push than the one that follows.

use std::collections::BTreeMap;

use friday_core::database::{DataAct, DataOutcome};
use friday_core::journal::event::Event;
use friday_core::journal::finding::{Gate, GateResult};
use friday_core::journal::intent::Intent;
use friday_core::rollout::plan::{MigrationBack, Plan};
use friday_core::time::Timestamp;
use friday_wire::data::{
    Position, RehearsalReport, RehearsalStep, RehearsedStep, SchemaChange, StepResult,
};
use friday_wire::{BackupId, DataActId, DatabaseName, Digest, Migration, ReleaseId, RolloutId};

use crate::failure::FailureClass;
use crate::guarded::MAX_AGE_MS;
use crate::world::World;

/// Rehearsals are made on this database.
pub(crate) const REHEARSED_ON: &str = "notes";

/// What a rehearsal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Showing {
    /// Everything works.
    Good,
    /// The migration fails.
    Fails,
    /// The old release does not start on what the new one left; the migration back mends it, where there is one.
    OldDown,
    /// Nor does it after the migration back.
    OldDownForGood,
    /// It starts, and reads wrong.
    OldReadsWrong,
}

/// A rehearsal, as it truly was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shown {
    at: Timestamp,
    showing: Showing,
    /// What was to be gone back to.
    old: Option<ReleaseId>,
}

/// What is true of rehearsals, and what checks keep of pushes.
#[derive(Debug, Default)]
pub(crate) struct Rehearsals {
    shown: BTreeMap<(usize, ReleaseId), Shown>,
    /// Pushes that may not go back by themselves.
    barred: BTreeMap<RolloutId, Barred>,
    /// Those whose gate passed.
    passed: BTreeMap<RolloutId, GateResult>,
}

/// When a barred push may not go back any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Barred {
    /// From its migration on.
    OnceItMigrates,
    /// It has none, or began it.
    Now,
}

impl World {
    /// What the fleet would go back to: the newest word of a host.
    fn stable_now(&self) -> Option<ReleaseId> {
        let newest = self.members().max_by_key(|host| host.durable.head.stable_fence.clone());
        newest.and_then(|host| host.durable.head.stable)
    }

    /// Somebody rehearses every release as it would be pushed now; it goes well.
    pub(crate) fn rehearses_all(&mut self, laptop: usize) {
        let releases: Vec<ReleaseId> =
            self.catalog.all().iter().map(|release| release.id).collect();
        for release in releases {
            self.rehearses(laptop, release, Showing::Good);
        }
    }

    /// Somebody rehearses a push before it, perhaps; what comes of it is drawn. Perhaps a person gives a word.
    pub(crate) fn draw_rehearsal(&mut self, laptop: usize, release: ReleaseId, plan: &mut Plan) {
        if !self.options.rehearsing || self.options.commands_every_ms == u64::MAX {
            return;
        }
        // Often enough that what was seen to be one-way begins at all.
        if self.rng.bool() {
            plan.rehearsal_override = Some("nobody writes at night".to_owned());
        }
        let showing = match self.rng.u32(..10) {
            0..4 => Showing::Good,
            4 => Showing::Fails,
            5 | 6 => Showing::OldDown,
            7 => Showing::OldDownForGood,
            8 => Showing::OldReadsWrong,
            _ => return,
        };
        let old = match self.rng.u32(..6) {
            0 => self.catalog.all().first().map(|release| release.id),
            _ => self.stable_now(),
        };
        self.rehearsal_ends(laptop, release, old, showing);
    }

    /// Somebody rehearses a push as it would be done now.
    pub(crate) fn rehearses(&mut self, laptop: usize, release: ReleaseId, showing: Showing) {
        if self.options.rehearsing {
            let old = self.stable_now();
            self.rehearsal_ends(laptop, release, old, showing);
        }
    }

    fn rehearsal_ends(
        &mut self,
        laptop: usize,
        release: ReleaseId,
        old: Option<ReleaseId>,
        showing: Showing,
    ) {
        let Some(found) = self.catalog.find(&release) else { return };
        let migration = self.plan(&found.clone()).migration;
        let back = migration.as_ref().and_then(|migration| match &migration.back {
            MigrationBack::Command { command } => Some(command.clone()),
            MigrationBack::Safe | MigrationBack::OneWay => None,
        });
        let report = RehearsalReport {
            release,
            old,
            migration: migration.map(|migration| migration.command),
            back,
            backup: BackupId::new("b"),
            reached: Position::Sqlite { digest: Digest([5; 32]) },
            steps: steps(showing),
            schema: SchemaChange::Changed,
            locks: Vec::new(),
        };
        self.next_id += 1;
        let act = DataActId::new(format!("act-{}", self.next_id));
        let (at, ledger) = (self.wall_clock(laptop), self.laptops[laptop].ledger);
        let (person, what) = (self.laptops[laptop].name.clone(), DataAct::Rehearsal);
        let database = DatabaseName::new(REHEARSED_ON);
        let begun =
            Event::DataActBegun { act: act.clone(), person, database: database.clone(), what };
        self.ledgers[ledger].write_beside(at, &begun);
        self.note(|_| format!("{release} over {old:?} is rehearsed: {showing:?}"));
        let outcome = DataOutcome::Rehearsed { report: Box::new(report) };
        let ended = Event::DataActEnded { act, database, outcome };
        self.ledgers[ledger].write_beside(at, &ended);
        self.rehearsed.shown.insert((ledger, release), Shown { at, showing, old });
    }

    /// The gate says what is so, and what it learned of the way back holds.
    pub(crate) fn pushes_go_by_rehearsals(&mut self, laptop: usize, event: &Event) {
        if !self.options.rehearsing {
            return;
        }
        match event {
            Event::GateJudged { rollout, gate: Gate::Rehearsed, result, says } => {
                self.the_gate_goes_by_rehearsals(laptop, rollout, (*result, says));
            }
            Event::MigrationMoved { rollout, migration } if *migration != Migration::NotBegun => {
                if let Some(barred) = self.rehearsed.barred.get_mut(rollout) {
                    *barred = Barred::Now;
                }
                self.it_was_rehearsed(rollout, "migrates");
            }
            Event::WaveBegun { rollout, .. } => self.it_was_rehearsed(rollout, "begins a wave"),
            Event::RolloutBegun { rollout, intent, because_of: Some(push) } => {
                let by_itself = matches!(**intent, Intent::Rollback { automatic: true, .. });
                if by_itself && self.rehearsed.barred.get(push) == Some(&Barred::Now) {
                    let what =
                        format!("{rollout} takes {push} back, and its rehearsal barred that");
                    self.fail(FailureClass::Safety, what);
                }
            }
            _ => {}
        }
    }

    /// A push that has passed and goes on is not judged again.
    fn the_gate_goes_by_rehearsals(
        &mut self,
        laptop: usize,
        rollout: &RolloutId,
        (result, says): (GateResult, &str),
    ) {
        let Some(ledger) = self.laptops[laptop].process.as_ref().map(|driver| driver.ledger) else {
            return;
        };
        let Some(release) = self.known.get(rollout).and_then(|known| known.release) else { return };
        let before = self.rehearsed.passed.insert(rollout.clone(), result);
        let over_itself = result == GateResult::Pass && says.contains("is the stable one already");
        if before.is_some_and(|before| before != GateResult::Fail) || over_itself {
            return;
        }
        let shown = self.rehearsed.shown.get(&(ledger, release)).copied();
        let migrates = self.options.migration != crate::options::MigrationChoice::None;
        let young = |shown: &Shown| {
            let age = self.wall_clock(laptop).since_ms(shown.at);
            !migrates || age <= MAX_AGE_MS
        };
        let sound = shown.filter(young).is_some_and(|shown| self.is_as_declared(shown));
        if result == GateResult::Pass && !sound {
            let what = format!("the gate of {rollout} passes ({says}), and it showed {shown:?}");
            self.fail(FailureClass::Safety, what);
        }
        // A word lets a push pass of which the rehearsal may be about something else.
        let about_it = result == GateResult::Pass
            || says.contains("one-way: ")
            || says.contains("needs data revert: ")
            || says.contains("reversible: ");
        let closed = shown.is_some_and(|shown| self.closes(shown));
        if about_it && result != GateResult::Fail && closed {
            let barred = if migrates { Barred::OnceItMigrates } else { Barred::Now };
            self.rehearsed.barred.insert(rollout.clone(), barred);
        }
    }

    /// Whether what was shown is no worse than what the plans declare.
    fn is_as_declared(&self, shown: Shown) -> bool {
        use crate::options::MigrationChoice as Choice;
        match (shown.showing, self.options.migration) {
            // Without an old release nothing must work again; only the migration back is tried.
            (Showing::OldDown, _) if shown.old.is_none() => true,
            (Showing::OldDownForGood | Showing::OldReadsWrong, choice) if shown.old.is_none() => {
                choice != Choice::Command
            }
            (Showing::Good, _) => true,
            (Showing::Fails, _) => false,
            (_, Choice::OneWay) => true,
            (Showing::OldDown, Choice::Command) => true,
            (
                Showing::OldDown | Showing::OldDownForGood | Showing::OldReadsWrong,
                Choice::None | Choice::Safe | Choice::Command,
            ) => false,
        }
    }

    /// Whether what was shown leaves no way back.
    fn closes(&self, shown: Shown) -> bool {
        use crate::options::MigrationChoice as Choice;
        match shown.showing {
            _ if shown.old.is_none() => false,
            Showing::Good | Showing::Fails => false,
            Showing::OldDown => self.options.migration != Choice::Command,
            Showing::OldDownForGood | Showing::OldReadsWrong => true,
        }
    }

    fn it_was_rehearsed(&mut self, rollout: &RolloutId, does: &str) {
        let migrates = self.options.migration != crate::options::MigrationChoice::None;
        let guards = self.known.get(rollout).is_some_and(|known| known.is_push);
        let passed = self.rehearsed.passed.get(rollout);
        if migrates && guards && passed.is_none_or(|passed| *passed == GateResult::Fail) {
            let what = format!("{rollout} {does}, and no rehearsal let it pass: {passed:?}");
            self.fail(FailureClass::Safety, what);
        }
    }
}

fn steps(showing: Showing) -> Vec<RehearsedStep> {
    let fails: &[RehearsalStep] = match showing {
        Showing::Good => &[],
        Showing::Fails => &[RehearsalStep::Migrate, RehearsalStep::NewHealth],
        Showing::OldDown => &[RehearsalStep::OldHealth],
        Showing::OldDownForGood => &[RehearsalStep::OldHealth, RehearsalStep::BackHealth],
        Showing::OldReadsWrong => &[RehearsalStep::OldRead, RehearsalStep::BackRead],
    };
    let all = [
        RehearsalStep::Migrate,
        RehearsalStep::NewHealth,
        RehearsalStep::OldHealth,
        RehearsalStep::OldRead,
        RehearsalStep::MigrateBack,
        RehearsalStep::BackHealth,
        RehearsalStep::BackRead,
    ];
    all.map(|step| {
        let failed = StepResult::Failed { why: "no column".to_owned() };
        let result = if fails.contains(&step) { failed } else { StepResult::Passed };
        RehearsedStep { step, ms: 5, result }
    })
    .to_vec()
}
