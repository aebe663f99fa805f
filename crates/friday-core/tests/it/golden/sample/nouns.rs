//! The nouns in the golden journal's events, each with every field filled in somewhere.

use friday_core::database::DataOutcome;
use friday_core::journal::finding::{Gate, GateResult};
use friday_core::rollout::plan::{
    Closed, FleetPlan, Hooks, Hour, HourGate, MigrationBack, MigrationPlan, OutsideProbe, Plan,
    PlannedDatabase, PlannedHost,
};
use friday_core::time::{Span, Timestamp};
use friday_wire::data::{
    Backup, Blocked, Check, DataPhase, DrillReport, Invariant, InvariantResult, Judged, LockSeen,
    PhaseTime, Position, RehearsalReport, RehearsalStep, RehearsedStep, RestorePoint, Rule,
    SchemaChange, ScratchFacts, StepResult, VerifyReport,
};
use friday_wire::{
    BackupId, BootDefault, BootIdentity, Clocks, DatabaseName, Digest, Fence, FenceKind, FleetName,
    Head, HealthSpec, HealthState, HostFacts, HostName, HttpCheck, JournalId, Lease, Lock,
    Migration, Nonce, Observation, OpenRollout, Ports, Quarantined, ReleaseId, RolloutId,
    RolloutKind, Rotation, RunningApp, SecretsVersion, Stamped, StartId, StepKey, StepName,
    StepReport, StepState, TreeId, Undo, Witness,
};

pub fn host(name: &str) -> HostName {
    HostName::new(name)
}

pub fn rollout(id: &str) -> RolloutId {
    RolloutId::new(id)
}

pub fn release(number: u8) -> ReleaseId {
    ReleaseId(Digest([number; 32]))
}

fn tree(number: u8) -> TreeId {
    TreeId(Digest([0xf0 | number; 32]))
}

pub fn nonce() -> Nonce {
    Nonce::new("n-0001")
}

pub fn fence(number: u64, kind: FenceKind) -> Fence {
    Fence { number, start: StartId::new("s-0001"), kind }
}

pub fn key(id: &str, attempt: u32) -> StepKey {
    StepKey { rollout: rollout(id), step: StepName::Switch, attempt }
}

pub fn lease() -> Lease {
    let holder = "anna@laptop-1".to_owned();
    Lease { start: StartId::new("s-0009"), holder, remaining_ms: 41_000 }
}

pub fn lock() -> Lock {
    let (person, reason) = ("bela".to_owned(), "inventory".to_owned());
    Lock { person, reason, at_ms: 1_767_323_000_000 }
}

pub fn quarantined(active: bool) -> Quarantined {
    Quarantined {
        fence: fence(6, FenceKind::Rollback),
        tree: active.then(|| tree(3)),
        reason: "it lost orders".to_owned(),
        active,
    }
}

pub fn open(id: &str, migration: Migration) -> OpenRollout {
    OpenRollout {
        id: rollout(id),
        kind: RolloutKind::Push,
        release: Some(release(2)),
        returns_to: Some(release(1)),
        leaves: None,
        migration,
    }
}

pub fn head() -> Head {
    let stamp = |number| fence(number, FenceKind::Push);
    Head {
        once: Default::default(),
        fleet: FleetName::new("shop"),
        user: "deploy".to_owned(),
        keeper: Some(Stamped { fence: stamp(1), value: host("web-1") }),
        fence: stamp(6),
        current: Some(release(2)),
        open: Some(release(2)),
        stable: Some(release(1)),
        stable_fence: stamp(4),
        previous_stable: Some(release(0)),
        undo: Some(Undo::To { release: release(1) }),
        rollout: Some(Stamped { fence: stamp(6), value: open("push-1", Migration::NotBegun) }),
        closed: Some(Stamped { fence: stamp(4), value: rollout("push-0") }),
        apart: None,
        quarantine: [(release(3), quarantined(true)), (release(4), quarantined(false))].into(),
        lock: Some(Stamped { fence: stamp(5), value: None }),
        lease: Some(lease()),
        witnesses: [(JournalId::new("j-0001"), Witness { seq: 3, hash: Digest([9; 32]) })].into(),
        boot: Some(BootIdentity { boot_id: "0b6f".to_owned(), init_start: 12 }),
        held: vec![release(0), release(1), release(2)],
    }
}

pub fn observation() -> Observation {
    let state = StepState::AwaitingConfirm { nonce: nonce(), remaining_ms: 100 };
    Observation {
        head: head(),
        app: Some(RunningApp {
            processes: Vec::new(),
            release: release(2),
            port: Some(8_001),
            running: true,
            health: HealthState::Sick { why: "503".to_owned() },
            in_rotation: false,
            restarts: 2,
        }),
        warm: Some(release(1)),
        last: Some(StepReport { key: key("push-1", 1), state }),
        armed: true,
        boot_default: BootDefault::Start { release: release(1) },
        facts: HostFacts {
            version: "0.1.0".to_owned(),
            program: "ab".repeat(32),
            wire: 0,
            disk_free: 1 << 33,
            disk_total: 1 << 40,
            boot_hook: true,
            clock_ms: 1_767_323_045_123,
            drift: Some("`current` points elsewhere".to_owned()),
            ..HostFacts::default()
        },
    }
}

fn health() -> HealthSpec {
    let http = HttpCheck { path: "/healthz".to_owned(), expect: Some(204) };
    HealthSpec {
        http: Some(http),
        tcp: true,
        command: Some("bin/check".to_owned()),
        notify: false,
        ..HealthSpec::default()
    }
}

pub fn fleet() -> FleetPlan {
    let planned = |name: &str, role: &str, ports| PlannedHost {
        name: host(name),
        role: role.to_owned(),
        ports,
        outside_url: Some(format!("https://{name}.example.com/healthz")),
        traffic: Default::default(),
    };
    FleetPlan {
        hosts: vec![
            planned("web-1", "web", Ports::PerRelease { first: 8_000, last: 8_009 }),
            planned("web-2", "web", Ports::Fixed { port: 8_000 }),
            planned("db-1", "db", Ports::None),
        ],
        keeper: host("web-1"),
        clocks: Clocks::default(),
        rotation: Rotation::Commands {
            into: "lb in".to_owned(),
            out: "lb out".to_owned(),
            timeout_ms: 10_000,
        },
        out_at_once_percent: 25,
        outside: Some(OutsideProbe { expect: Some(200), health: health() }),
        progress_deadline_ms: 600_000,
        answer_deadline_ms: 20_000,
        stage_deadline_ms: 600_000,
        lease_ms: 60_000,
        heartbeat_ms: 15_000,
        observe_ms: 5_000,
        keep: (5, 3),
    }
}

/// `safe`, `one-way`, or a command.
pub fn migration(back: &str) -> MigrationPlan {
    MigrationPlan {
        command: "bin/shop migrate".to_owned(),
        host: host("db-1"),
        back: match back {
            "safe" => MigrationBack::Safe,
            "one-way" => MigrationBack::OneWay,
            command => MigrationBack::Command { command: command.to_owned() },
        },
        back_undeclared: false,
        stop_all: false,
        timeout_ms: 600_000,
    }
}

pub fn plan() -> Plan {
    Plan {
        release: release(2),
        tree: tree(2),
        label: "v2 — \u{201c}frühling\u{201d}".to_owned(),
        fleet: fleet(),
        only: Vec::new(),
        waves: vec![vec![host("web-2")], vec![host("web-1"), host("db-1")]],
        soak_ms: vec![300_000, 600_000],
        bake_ms: 3_600_000,
        hooks: Hooks {
            before: Some("bin/before".to_owned()),
            after: Some("bin/after".to_owned()),
            before_wave: None,
            after_wave: None,
            timeout_ms: 300_000,
        },
        migration: Some(migration("bin/shop migrate --back")),
        secrets: Some(SecretsVersion::new("v-0001")),
        secrets_stay: true,
        quarantine_override: Some("the index was rebuilt".to_owned()),
        bytes: 0,
        files: 0,
        supervisor: friday_wire::Supervisor::Own,
        once: Default::default(),
        databases: Vec::new(),
        recovery_override: None,
        rehearsal_override: None,
        override_signature: None,
        invariants_override: None,
        hour: None,
    }
}

/// Without anything that can be left out.
pub fn plain_plan() -> Plan {
    let mut plan = plan();
    plan.fleet.outside = None;
    plan.fleet.rotation = Rotation::Page { listen: "0.0.0.0:9090".to_owned() };
    plan.fleet.hosts.truncate(1);
    plan.fleet.hosts[0].outside_url = None;
    plan.waves = vec![vec![host("web-1")]];
    Plan {
        hooks: Hooks::default(),
        migration: None,
        secrets: None,
        secrets_stay: false,
        quarantine_override: None,
        bytes: 0,
        files: 0,
        supervisor: friday_wire::Supervisor::Own,
        once: Default::default(),
        ..plan
    }
}

pub fn databases() -> Vec<PlannedDatabase> {
    let planned = |name: &str, recovery_time_ms| PlannedDatabase {
        name: DatabaseName::new(name),
        point_timeout_ms: 600_000,
        drill_max_age_ms: 604_800_000,
        recovery_time_ms,
        rehearse: false,
        invariants: Vec::new(),
        invariants_every_ms: 0,
    };
    vec![planned("shop", Some(900_000)), planned("notes", None)]
}

pub fn judged_databases() -> Vec<PlannedDatabase> {
    let invariant = |name: &str, sql: &str, rule| Invariant {
        name: name.to_owned(),
        sql: sql.to_owned(),
        rule,
        timeout_ms: 30_000,
    };
    let bounds = Rule::Between { least: Some("0".to_owned()), most: None };
    let change = Rule::Change { percent: "2.5".to_owned(), was: None };
    let invariants = vec![
        invariant("no orphans", "SELECT id FROM line", Rule::NoRows),
        invariant("sum", "SELECT sum(balance) FROM account", bounds),
        invariant("rows", "SELECT count(*) FROM account", change),
    ];
    let mut databases = databases();
    databases.truncate(1);
    databases[0].invariants = invariants;
    databases[0].invariants_every_ms = 30_000;
    databases
}

pub fn all_hold() -> Vec<Judged> {
    let holds = |name: &str, value: Option<&str>| Judged {
        name: name.to_owned(),
        result: InvariantResult::Holds { value: value.map(str::to_owned) },
        ms: 12,
    };
    vec![holds("no orphans", None), holds("sum", Some("70")), holds("rows", Some("3"))]
}

pub fn one_is_broken() -> Vec<Judged> {
    let listed = Some("/srv/broken/no-orphans.tsv".to_owned());
    let mut judged = all_hold();
    judged[0].result = InvariantResult::Broken { rows: 12, value: None, listed };
    judged[2].result = InvariantResult::Failed { why: "it took longer than its time".to_owned() };
    judged
}

pub fn place_in_copy() -> Position {
    Position::Sqlite { digest: Digest([0xc0; 32]) }
}

pub fn place_in_log() -> Position {
    Position::Postgres {
        system: "7300000000000000001".to_owned(),
        timeline: 1,
        lsn: "0/16B3740".to_owned(),
    }
}

pub fn point(name: &str, position: Position) -> RestorePoint {
    RestorePoint {
        name: name.to_owned(),
        at_ms: 1_767_323_000_500,
        position,
        backup: BackupId::new("20260102T030405Z"),
        durable_ms: 310,
    }
}

pub fn backed_up(position: Position) -> DataOutcome {
    let backup = Backup {
        id: BackupId::new("20260102T030405Z"),
        point: Some("push-1".to_owned()),
        began_at_ms: 1_767_323_045_000,
        took_ms: 8_100,
        bytes: 120_000_000,
        stored: 31_000_000,
        position,
        engine_version: "3.51.3".to_owned(),
        encrypted: true,
    };
    DataOutcome::BackedUp { backup, pruned: vec![BackupId::new("20251226T030405Z")] }
}

pub fn verified() -> DataOutcome {
    let damage = vec!["20260102T030405Z: piece 3 is not what it was".to_owned()];
    DataOutcome::Verified { report: VerifyReport { backups: 7, bytes: 217_000_000, damage } }
}

pub fn drilled() -> DataOutcome {
    let judged = |name: &str, result| Judged { name: name.to_owned(), result, ms: 12 };
    let (value, listed) = (Some("2".to_owned()), Some("rows.txt".to_owned()));
    let report = DrillReport {
        backup: BackupId::new("20260102T030405Z"),
        target: place_in_copy(),
        reached: place_in_copy(),
        phases: vec![PhaseTime { phase: DataPhase::Fetch, ms: 900, bytes: 31_000_000 }],
        rto_ms: 1_400,
        rpo_ms: Some(60_000),
        checks: vec![Check {
            name: "integrity_check".to_owned(),
            says: "14 tables".to_owned(),
            ms: 400,
        }],
        invariants: vec![
            judged("sum", InvariantResult::Holds { value: Some("0".to_owned()) }),
            judged("orphans", InvariantResult::Broken { rows: 2, value, listed }),
            judged("late", InvariantResult::Failed { why: "it took too long".to_owned() }),
        ],
        scratch: ScratchFacts {
            path: "scratch/shop".to_owned(),
            bytes: 120_000_000,
            warm_bytes: 0,
            kept: true,
        },
        masked: None,
    };
    DataOutcome::Drilled { report: Box::new(report) }
}

pub fn not_restored() -> DataOutcome {
    DataOutcome::Failed { phase: DataPhase::Fetch, why: "20260102T030405Z is cut".to_owned() }
}

/// One of which each kind of step's result, each lock and each change is somewhere.
pub fn rehearsed(schema: SchemaChange) -> DataOutcome {
    let step = |step, ms, result| RehearsedStep { step, ms, result };
    let why = "bin/smoke read: no column `paid`".to_owned();
    let lock = |on: &str, blocks, held_ms| LockSeen {
        on: on.to_owned(),
        mode: "AccessExclusiveLock".to_owned(),
        blocks,
        held_ms,
    };
    let changed = schema == SchemaChange::Changed;
    let report = RehearsalReport {
        release: release(2),
        old: changed.then(|| release(1)),
        migration: changed.then(|| "bin/shop migrate".to_owned()),
        back: changed.then(|| "bin/shop migrate --back".to_owned()),
        backup: BackupId::new("20260102T030405Z"),
        reached: place_in_log(),
        steps: vec![
            step(RehearsalStep::Migrate, 41_000, StepResult::Passed),
            step(RehearsalStep::NewHealth, 900, StepResult::Passed),
            step(RehearsalStep::NewWrite, 60, StepResult::Passed),
            step(RehearsalStep::NewInvariants, 12, StepResult::Passed),
            step(RehearsalStep::OldHealth, 800, StepResult::Passed),
            step(RehearsalStep::OldRead, 30, StepResult::Failed { why }),
            step(RehearsalStep::OldInvariants, 0, StepResult::Skipped),
            step(RehearsalStep::MigrateBack, 7_000, StepResult::Passed),
            step(RehearsalStep::BackHealth, 800, StepResult::Passed),
            step(RehearsalStep::BackRead, 30, StepResult::Passed),
            step(RehearsalStep::BackInvariants, 12, StepResult::Passed),
        ],
        schema,
        locks: vec![
            lock("orders", Blocked::Everybody, 40_000),
            lock("customer", Blocked::Writers, 900),
        ],
    };
    DataOutcome::Rehearsed { report: Box::new(report) }
}

/// What calendars and rotas said of a push.
pub fn hour(asked_at: Timestamp) -> Hour {
    let said = |gate, result, says: &str, vouched: Option<&str>| HourGate {
        gate,
        result,
        says: says.to_owned(),
        vouched: vouched.map(str::to_owned),
    };
    Hour {
        asked_at,
        gates: vec![
            said(Gate::Cover, GateResult::Fail, "nobody can act from 18:00 on", None),
            said(Gate::Freeze, GateResult::Pass, "no freeze bars it", None),
            said(
                Gate::Maintenance,
                GateResult::Inconclusive,
                "a feed is stale",
                Some("it is mine"),
            ),
        ],
        closed: vec![Closed {
            span: Span::after(asked_at, 3_600_000),
            gate: Gate::Freeze,
            what: "the freeze `sale`".to_owned(),
        }],
        unattended_s: Some(1_386),
        harmful_ppm: None,
    }
}
