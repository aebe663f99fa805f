//! The values of the golden journal. What stands here stays: the records were written once. Add at
//! the end of [`records`] only.

mod nouns;

use friday_core::controller::input::{BackTo, Way};
use friday_core::database::DataAct;
use friday_core::journal::event::{End, Requested, Watcher};
use friday_core::journal::finding::{Fact, Gate, GateResult};
use friday_core::journal::intent::{Intent, MemberChange};
use friday_core::journal::moment::Moment;
use friday_core::journal::record::JOURNAL_FORMAT;
use friday_core::journal::round::{HostAnswer, RoundAsk, StepAnswer, Work};
use friday_core::journal::{Event, Position, Record};
use friday_core::reason::Reason;
use friday_core::rollout::plan::{MigrationBack, Traffic};
use friday_core::time::Timestamp;
use friday_wire::data::SchemaChange;
use friday_wire::{
    DataActId, DatabaseName, Fault, FenceKind, HostName, JournalId, Migration, ProcessName,
    Refusal, RolloutId, StartId, StepReport, StepState,
};

use nouns::{
    fence, fleet, head, host, key, lease, lock, migration, nonce, observation, open, plan,
    quarantined, release, rollout,
};

/// 2026-01-02 03:04:05 UTC.
const FIRST: Timestamp = Timestamp(1_767_323_045_000);

struct Book {
    position: Position,
    at: Timestamp,
    records: Vec<Record>,
}

impl Book {
    fn write(&mut self, event: &Event) {
        let record = Record::after(&self.position, self.at, event);
        self.position = record.position();
        self.at = self.at.plus_ms(250);
        self.records.push(record);
    }

    fn write_all(&mut self, events: impl IntoIterator<Item = Event>) {
        events.into_iter().for_each(|event| self.write(&event));
    }

    fn begin(&mut self, id: &str, intent: Intent, because_of: Option<&str>) {
        self.write(&Event::RolloutBegun {
            rollout: rollout(id),
            intent: Box::new(intent),
            because_of: because_of.map(rollout),
        });
    }

    fn end(&mut self, id: &str, end: End) {
        self.write(&Event::EndDecided { rollout: rollout(id), end: end.clone() });
        self.write(&Event::RolloutEnded { rollout: rollout(id), end });
    }
}

/// Everything an event can say, as records of one legal journal.
pub fn records() -> Vec<Record> {
    let mut book = Book { position: Position::START, at: FIRST, records: Vec::new() };
    book.write(&Event::JournalCreated {
        journal: JournalId::new("j-0001"),
        format: JOURNAL_FORMAT,
        fleet: "shop".to_owned(),
    });
    drive(&mut book, "s-0001");
    book.begin("push-1", Intent::Push { plan: plan() }, None);
    rounds(&mut book, &rollout("push-1"));
    judged_and_found(&mut book, &rollout("push-1"));
    worked(&mut book, &rollout("push-1"));
    switched(&mut book, &rollout("push-1"));
    watched_and_held(&mut book, &rollout("push-1"));
    book.end("push-1", End::Stable);
    taken_back(&mut book);
    lesser_acts(&mut book);
    other_ends(&mut book);
    upgraded(&mut book);
    stopped(&mut book);
    held(&mut book);
    apart(&mut book);
    members(&mut book);
    not_told(&mut book);
    unsupervised(&mut book);
    hooked(&mut book);
    once(&mut book);
    unsigned(&mut book);
    two_keepers(&mut book);
    hindered(&mut book);
    guarded(&mut book);
    rehearsals(&mut book);
    judged(&mut book);
    of_an_hour(&mut book);
    book.records
}

fn drive(book: &mut Book, start: &str) {
    book.write(&Event::DriverStarted {
        start: StartId::new(start),
        person: "anna".to_owned(),
        machine: "laptop-1".to_owned(),
        version: "0.1.0".to_owned(),
    });
}

fn hosts() -> Vec<HostName> {
    vec![host("web-1"), host("web-2"), host("db-1")]
}

fn asks() -> [RoundAsk; 14] {
    [
        RoundAsk::Read,
        RoundAsk::Raise,
        RoundAsk::RaiseWave,
        RoundAsk::Open,
        RoundAsk::Ship,
        RoundAsk::Stage,
        RoundAsk::MigrationBegins,
        RoundAsk::MigrationEnds,
        RoundAsk::Look,
        RoundAsk::Quarantine,
        RoundAsk::Act,
        RoundAsk::Observe,
        RoundAsk::Close,
        RoundAsk::Release,
    ]
}

fn refusals() -> Vec<Refusal> {
    let running = StepState::Running { doing: "draining".to_owned() };
    vec![
        Refusal::Fenced { highest: fence(9, FenceKind::Rollback) },
        Refusal::Leased { lease: lease() },
        Refusal::LeaseLost,
        Refusal::Keeper { keeper: host("web-2") },
        Refusal::NotOpen { open: Some(rollout("push-0")) },
        Refusal::NotOpen { open: None },
        Refusal::RollbackOpen { rollout: rollout("back-0") },
        Refusal::Quarantined { release: release(3), reason: "it lost \"orders\"\n".to_owned() },
        Refusal::Stale { attempt: 4 },
        Refusal::Busy { with: StepReport { key: key("push-0", 1), state: running } },
        Refusal::OneWay,
        Refusal::NotHeld { release: release(1) },
        Refusal::Locked { person: "bela".to_owned(), reason: "inventory".to_owned() },
    ]
}

/// Every ask, and every answer to some.
fn rounds(book: &mut Book, id: &RolloutId) {
    let failed = |why: &str| HostAnswer::Failed { why: why.to_owned(), fault: Fault::Release };
    let mut answers = vec![
        HostAnswer::Seen { observation: Box::new(observation()) },
        HostAnswer::Unreachable { why: "connection refused".to_owned() },
        failed("no space left on device"),
        HostAnswer::Head { head: Box::new(head()) },
        HostAnswer::Unknown { why: "no answer in time".to_owned() },
        HostAnswer::Ok,
    ];
    answers.extend(refusals().into_iter().map(|refusal| HostAnswer::Refused { refusal }));
    let mut answers = answers.into_iter().cycle();
    for (round, ask) in (1..).zip(asks()) {
        let deadline = book.at.plus_ms(20_000);
        if ask == RoundAsk::Raise {
            let fence = fence(7, FenceKind::Push);
            book.write(&Event::FenceChosen { rollout: id.clone(), fence });
        }
        book.write(&Event::RoundBegun {
            rollout: id.clone(),
            round,
            ask,
            hosts: hosts(),
            deadline,
        });
        for host in hosts() {
            let answer = answers.next().expect("it goes on for ever");
            book.write(&Event::HostAnswered { rollout: id.clone(), round, host, answer });
        }
    }
}

fn judged_and_found(book: &mut Book, id: &RolloutId) {
    let gates = [
        Gate::Reachable,
        Gate::Unlocked,
        Gate::Lease,
        Gate::Quarantine,
        Gate::NothingOpen,
        Gate::WayBack,
        Gate::Room,
    ];
    let results = [GateResult::Pass, GateResult::Inconclusive, GateResult::Fail];
    for (gate, result) in gates.into_iter().zip(results.into_iter().cycle()) {
        let says = "3 of 3 hosts answer".to_owned();
        book.write(&Event::GateJudged { rollout: id.clone(), gate, result, says });
    }
    for one_way in [false, true] {
        for migration in migrations(one_way) {
            let open = open("push-1", migration);
            book.write(&Event::RolloutBound {
                rollout: id.clone(),
                open,
                once: Default::default(),
            });
            book.write(&Event::MigrationMoved { rollout: id.clone(), migration });
        }
    }
    let foreign = open("push-9", Migration::Begun { one_way: true });
    let by = fence(9, FenceKind::Sweep);
    let facts = [
        Fact::Stable { release: Some(release(1)), previous: Some(release(0)) },
        Fact::Stable { release: None, previous: None },
        Fact::OpenRollout { open: foreign, fence: fence(9, FenceKind::Push) },
        Fact::Superseded { rollout: rollout("push-9"), by },
        Fact::Quarantine {
            entries: [(release(3), quarantined(true)), (release(4), quarantined(false))].into(),
        },
        Fact::Lock { lock: Some(lock()) },
        Fact::Lock { lock: None },
        Fact::Keeper { keeper: host("web-1") },
    ];
    book.write_all(facts.map(|fact| Event::Observed { fact }));
}

fn migrations(one_way: bool) -> [Migration; 4] {
    [
        Migration::NotBegun,
        Migration::Begun { one_way },
        Migration::Unknown { one_way },
        Migration::Done { one_way },
    ]
}

fn worked(book: &mut Book, id: &RolloutId) {
    let works = [
        Work::Sweep,
        Work::HookBefore,
        Work::Migrate,
        Work::MigrateBack,
        Work::Back,
        Work::HookAfter,
    ];
    for work in works {
        let deadline = book.at.plus_ms(600_000);
        book.write(&Event::WorkBegun { rollout: id.clone(), work, deadline });
    }
    for failed in [None, Some("exited with 1".to_owned())] {
        book.write_all([
            Event::MigrationWentBack { rollout: id.clone(), failed: failed.clone() },
            Event::HookEnded {
                rollout: id.clone(),
                name: "before".to_owned(),
                failed: failed.clone(),
            },
            Event::HookEnded { rollout: id.clone(), name: "after".to_owned(), failed },
        ]);
    }
}

/// Every answer to an order, under an attempt of its own.
fn switched(book: &mut Book, id: &RolloutId) {
    let why = || "exited with 1".to_owned();
    let log = vec!["listening".to_owned(), "panicked".to_owned()];
    let states = vec![
        StepState::Running { doing: "draining".to_owned() },
        StepState::Failed { why: why(), log: log.clone(), fault: Fault::Release },
        StepState::Lost { why: why() },
        StepState::Undone { why: why() },
        StepState::Ended { doing: "starting".to_owned() },
        StepState::Sealed,
        StepState::NeverSeen,
        StepState::Done,
        StepState::AwaitingConfirm { nonce: nonce(), remaining_ms: 29_500 },
    ];
    let report = |state| StepAnswer::Report { report: StepReport { key: key("push-1", 1), state } };
    let mut answers = vec![
        StepAnswer::NotSent { why: "no connection".to_owned() },
        StepAnswer::Unknown { why: "no answer in time".to_owned() },
    ];
    answers.extend(refusals().into_iter().map(|refusal| StepAnswer::Refused { refusal }));
    answers.extend(states.into_iter().map(report));
    book.write(&Event::WaveBegun {
        rollout: id.clone(),
        wave: 1,
        hosts: vec![host("web-2"), host("web-1")],
    });
    for (attempt, answer) in (1..).zip(answers) {
        let deadline = book.at.plus_ms(360_000);
        let (rollout, host) = (id.clone(), host("web-1"));
        let at_once = attempt % 2 == 0;
        let order = Event::StepBegun {
            rollout: rollout.clone(),
            host: host.clone(),
            attempt,
            at_once,
            deadline,
        };
        book.write_all([order, Event::StepAnswered { rollout, host, answer }]);
    }
    book.write_all([
        Event::OutsideProved { rollout: id.clone(), host: host("web-1") },
        Event::HostDone { rollout: id.clone(), host: host("web-1") },
        Event::HostFailed {
            rollout: id.clone(),
            host: host("web-2"),
            why: why(),
            log,
            fault: Fault::Release,
        },
        Event::HostLeft { rollout: id.clone(), host: host("db-1"), why: why() },
    ]);
}

fn watched_and_held(book: &mut Book, id: &RolloutId) {
    let changed = |by, sick: Option<&str>| Event::HealthChanged {
        rollout: id.clone(),
        host: host("web-1"),
        by,
        sick: sick.map(str::to_owned),
    };
    let until = book.at.plus_ms(300_000);
    book.write_all([
        changed(Watcher::Host, Some("503 of 3")),
        changed(Watcher::Outside, Some("timed out")),
        changed(Watcher::Host, None),
        Event::SoakBegun { rollout: id.clone(), wave: 1, until },
        Event::BakeBegun { rollout: id.clone(), until },
        Event::BakeEnded { rollout: id.clone() },
        Event::LeaseRenewed { rollout: id.clone(), ok: true },
        Event::LeaseRenewed { rollout: id.clone(), ok: false },
        Event::Held { rollout: id.clone(), reasons: reasons() },
        Event::Requested {
            rollout: rollout("back-7"),
            person: "bela".to_owned(),
            request: Requested::Abort { reason: "wrong branch".to_owned() },
        },
        Event::Requested {
            rollout: rollout("back-8"),
            person: "bela".to_owned(),
            request: Requested::Rollback {
                to: BackTo::Release { release: release(1) },
                now: true,
                reason: "orders are lost".to_owned(),
            },
        },
        Event::Resumed { rollout: id.clone(), start: StartId::new("s-0001"), way: Way::Forward },
    ]);
}

fn reasons() -> Vec<Reason> {
    let why = || "no answer in time".to_owned();
    let (person, reason) = (|| "anna".to_owned(), || "inventory".to_owned());
    vec![
        Reason::Unreachable { host: host("web-1"), why: why() },
        Reason::Locked { person: person(), reason: reason() },
        Reason::Leased { holder: "anna@laptop-1".to_owned(), remaining_secs: 41 },
        Reason::LeaseLost,
        Reason::Fenced { by: "rollback".to_owned() },
        Reason::Keeper { known: host("web-1"), configured: host("web-2") },
        Reason::Quarantined { release: release(3), why: why() },
        Reason::RolloutOpen { rollout: rollout("push-0"), kind: "push".to_owned() },
        Reason::HeadsChanged,
        Reason::IsStable { release: release(1) },
        Reason::NoWayBack { why: why() },
        Reason::OneWay,
        Reason::MigrationUnknown,
        Reason::MigrationFailed { why: why() },
        Reason::HookFailed { name: "before".to_owned(), why: why() },
        Reason::HostFailed { host: host("web-1"), why: why(), fault: Fault::Release },
        Reason::BudgetSpent { failed: 2, allowed: 1 },
        Reason::StoodStill { secs: 600, waiting: "wave 2".to_owned() },
        Reason::Asked { person: person(), reason: reason() },
        Reason::DriverGone,
        Reason::SweepOwed { hosts: hosts() },
        Reason::NothingToDo { what: "no open push to resume".to_owned() },
        Reason::NotHeld { host: host("web-1"), release: release(1) },
        Reason::Full { host: host("web-1"), why: why() },
    ]
}

fn rollback(to: BackTo, automatic: bool) -> Intent {
    Intent::Rollback {
        to,
        now: !automatic,
        quarantine: automatic,
        reason: "`web-1` failed: exited with 1".to_owned(),
        automatic,
        migration: automatic.then(|| migration("one-way")),
        fleet: fleet(),
    }
}

fn taken_back(book: &mut Book) {
    drive(book, "s-0002");
    book.begin("push-2", Intent::Push { plan: plan() }, None);
    book.begin("push-2-back1", rollback(BackTo::LastStable, true), Some("push-2"));
    book.write_all([
        Event::FenceChosen {
            rollout: rollout("push-2-back1"),
            fence: fence(8, FenceKind::Rollback),
        },
        Event::Resumed {
            rollout: rollout("push-2-back1"),
            start: StartId::new("s-0002"),
            way: Way::Back,
        },
    ]);
    book.end("push-2-back1", End::Converged);
    book.end("push-2", End::TakenBack { by: rollout("push-2-back1") });
    book.begin("back-3", rollback(BackTo::Release { release: release(1) }, false), None);
    book.end("back-3", End::TakenOver { by: rollout("back-4") });
    book.begin("sweep-1", Intent::Sweep { fleet: fleet() }, None);
    book.write(&Event::FenceChosen {
        rollout: rollout("sweep-1"),
        fence: fence(10, FenceKind::Sweep),
    });
    book.end("sweep-1", End::Owed { hosts: hosts() });
}

fn lesser_acts(book: &mut Book) {
    book.begin("lock-1", Intent::Lock { lock: Some(lock()), fleet: fleet() }, None);
    book.end("lock-1", End::Done);
    book.begin("lock-2", Intent::Lock { lock: None, fleet: fleet() }, None);
    book.end("lock-2", End::Done);
    let reason = "it lost orders".to_owned();
    let quarantine =
        Intent::Quarantine { release: release(3), active: true, reason, fleet: fleet() };
    book.begin("quarantine-1", quarantine, None);
    book.end("quarantine-1", End::Refused { reasons: vec![Reason::HeadsChanged] });
    for (id, proven) in [("keeper-1", None), ("keeper-2", Some("anna".to_owned()))] {
        let intent = Intent::Keeper { keeper: host("web-2"), proven, fleet: fleet() };
        book.begin(id, intent, None);
        let why = "connection refused".to_owned();
        let reasons = vec![Reason::Unreachable { host: host("web-1"), why }];
        book.end(id, End::Unreachable { reasons });
    }
    book.begin("look-1", Intent::Look { fleet: fleet() }, None);
    book.end("look-1", End::Dropped);
}

/// A push under every other choice of its plan.
fn other_ends(book: &mut Book) {
    for (id, back) in [("push-3", "safe"), ("push-4", "one-way")] {
        let mut plan = plan();
        plan.migration = Some(migration(back));
        book.begin(id, Intent::Push { plan }, None);
    }
    let reasons = vec![Reason::HookFailed { name: "before".to_owned(), why: "no".to_owned() }];
    book.end("push-3", End::NotSwitched { reasons });
    book.end("push-4", End::Fenced { by: fence(11, FenceKind::Rollback) });
    book.begin("push-5", Intent::Push { plan: nouns::plain_plan() }, None);
    book.end("push-5", End::Dropped);
}

fn upgraded(book: &mut Book) {
    book.begin("upgrade-1", Intent::Upgrade { fleet: fleet() }, None);
    let id = rollout("upgrade-1");
    let deadline = book.at.plus_ms(600_000);
    book.write(&Event::RoundBegun {
        rollout: id.clone(),
        round: 1,
        ask: RoundAsk::Upgrade,
        hosts: vec![host("web-1")],
        deadline,
    });
    let answer = HostAnswer::Ok;
    book.write(&Event::HostAnswered { rollout: id, round: 1, host: host("web-1"), answer });
    book.end("upgrade-1", End::Done);
}

fn stopped(book: &mut Book) {
    book.begin("push-6", Intent::Push { plan: nouns::plain_plan() }, None);
    let (id, host) = (rollout("push-6"), host("web-1"));
    let deadline = book.at.plus_ms(100_000);
    book.write(&Event::WorkBegun { rollout: id.clone(), work: Work::StopAll, deadline });
    book.write(&Event::StepBegun {
        rollout: id.clone(),
        host: host.clone(),
        attempt: 1,
        at_once: false,
        deadline,
    });
    book.write(&Event::StepAnswered {
        rollout: id.clone(),
        host: host.clone(),
        answer: StepAnswer::Refused { refusal: Refusal::NotStopped },
    });
    book.write(&Event::HostStopped { rollout: id, host });
    book.end("push-6", End::Dropped);
}

fn held(book: &mut Book) {
    book.begin("push-7", Intent::Push { plan: nouns::plain_plan() }, None);
    let (id, person) = (rollout("push-7"), "anna".to_owned());
    let reason = "the terminal was closed".to_owned();
    book.write(&Event::Requested {
        rollout: rollout("hold-1"),
        person: person.clone(),
        request: Requested::Hold { reason: reason.clone() },
    });
    book.write(&Event::Held { rollout: id, reasons: vec![Reason::HeldBy { person, reason }] });
    book.end("push-7", End::Dropped);
}

/// A push to some hosts, held for everything that can be said of such, and left there.
fn apart(book: &mut Book) {
    let mut plan = nouns::plain_plan();
    plan.only = vec![host("web-2")];
    book.begin("push-8", Intent::Push { plan }, None);
    let id = rollout("push-8");
    book.write(&Event::GateJudged {
        rollout: id.clone(),
        gate: Gate::Apart,
        result: GateResult::Pass,
        says: "1 of 3 hosts take it".to_owned(),
    });
    let reasons = vec![
        Reason::RunsApart { host: host("web-1"), release: release(3) },
        Reason::HostProgramOld { host: host("web-2") },
        Reason::IsKeeper { host: host("web-1") },
    ];
    book.write(&Event::Held { rollout: id, reasons });
    book.end("push-8", End::Apart { hosts: vec![host("web-2")] });
    for hosts in [[(host("web-2"), release(5))].into(), Default::default()] {
        book.write(&Event::Observed { fact: Fact::Apart { hosts } });
    }
}

fn members(book: &mut Book) {
    let changes = [
        MemberChange::Remove { host: host("web-2") },
        MemberChange::Rename { from: host("web-1"), to: host("www-1") },
        MemberChange::Forget { host: host("db-1"), reason: "it burnt".to_owned() },
    ];
    let asks = [Some(RoundAsk::Leave), Some(RoundAsk::Rename), None];
    for (number, (change, ask)) in (1..).zip(changes.into_iter().zip(asks)) {
        let name = format!("members-{number}");
        book.begin(&name, Intent::Members { change, fleet: fleet() }, None);
        if let Some(ask) = ask {
            let deadline = book.at.plus_ms(20_000);
            book.write(&Event::RoundBegun {
                rollout: rollout(&name),
                round: 1,
                ask,
                hosts: vec![host("web-2")],
                deadline,
            });
        }
        book.end(&name, End::Done);
    }
}

fn not_told(book: &mut Book) {
    book.begin("push-untold", Intent::Push { plan: nouns::plain_plan() }, None);
    let (id, why) = (rollout("push-untold"), "no space left on device".to_owned());
    let reasons = vec![Reason::NotToldStable { host: host("web-1"), why }];
    book.write(&Event::Held { rollout: id, reasons });
    book.end("push-untold", End::Dropped);
}

/// A push whose hosts lack a supervisor.
fn unsupervised(book: &mut Book) {
    let plan = friday_core::rollout::plan::Plan {
        bytes: 20_000_000,
        files: 200,
        supervisor: friday_wire::Supervisor::UserUnits,
        ..nouns::plain_plan()
    };
    book.begin("push-9", Intent::Push { plan }, None);
    let says = "`web-1` cannot run it as user-units: deploy does not linger".to_owned();
    let (rollout, result) = (rollout("push-9"), GateResult::Fail);
    book.write(&Event::GateJudged { rollout, gate: Gate::Supervisor, result, says });
    let reason = Reason::Supervisor {
        host: host("web-1"),
        supervisor: friday_wire::Supervisor::UserUnits,
        why: "deploy does not linger".to_owned(),
    };
    book.end("push-9", End::Refused { reasons: vec![reason] });
}

fn hooked(book: &mut Book) {
    let mut plan = nouns::plain_plan();
    plan.hooks.before_wave = Some("bin/drain $FRIDAY_HOSTS".to_owned());
    plan.hooks.after_wave = Some("bin/check $FRIDAY_HOSTS".to_owned());
    book.begin("push-10", Intent::Push { plan }, None);
    let id = rollout("push-10");
    for (work, name) in [(Work::HookBeforeWave, "before_wave"), (Work::HookAfterWave, "after_wave")]
    {
        let (deadline, name) = (book.at.plus_ms(300_000), name.to_owned());
        book.write(&Event::WorkBegun { rollout: id.clone(), work, deadline });
        book.write(&Event::HookEnded { rollout: id.clone(), name, failed: None });
    }
    book.end("push-10", End::Dropped);
}

/// A process that runs once: judged, told to hosts, moved, and not known where.
fn once(book: &mut Book) {
    let process = ProcessName::new("mailer");
    let mut plan = nouns::plain_plan();
    plan.once = [(process.clone(), hosts())].into();
    plan.fleet.hosts[0].traffic = Traffic::None;
    book.begin("push-11", Intent::Push { plan }, None);
    let id = rollout("push-11");
    book.write(&Event::GateJudged {
        rollout: id.clone(),
        gate: Gate::Once,
        result: GateResult::Pass,
        says: "runs once: `mailer` on `web-1`".to_owned(),
    });
    let open = open("push-11", Migration::NotBegun);
    let once = [(process.clone(), host("web-1"))].into();
    book.write(&Event::RolloutBound { rollout: id, open, once });
    let why = "`web-2` does not answer, and may run it".to_owned();
    let reasons = vec![Reason::Once { process: process.clone(), why }];
    book.end("push-11", End::NotSwitched { reasons });
    book.begin(
        "once-1",
        Intent::Once {
            process,
            host: host("web-2"),
            dead: vec![host("web-1")],
            person: "anna".to_owned(),
            fleet: fleet(),
        },
        None,
    );
    book.end("once-1", End::Done);
}

/// A push whose release a host does not take.
fn unsigned(book: &mut Book) {
    book.begin("push-12", Intent::Push { plan: nouns::plain_plan() }, None);
    let id = rollout("push-12");
    let (signers, why) =
        ("/etc/friday/allowed_signers".to_owned(), "its key is not listed".to_owned());
    let key = Some("SHA256:5bkJ".to_owned());
    let (deadline, hosts) = (book.at.plus_ms(18_000), vec![host("web-1")]);
    let ask = RoundAsk::Ship;
    book.write(&Event::RoundBegun { rollout: id.clone(), round: 1, ask, hosts, deadline });
    let refusal = Refusal::Unsigned {
        release: release(2),
        signers: signers.clone(),
        key: key.clone(),
        why: why.clone(),
    };
    let answer = HostAnswer::Refused { refusal };
    book.write(&Event::HostAnswered { rollout: id, round: 1, host: host("web-1"), answer });
    let signing = Box::new(friday_core::reason::Signing { signers, key, why });
    let reason = Reason::Unsigned { host: host("web-1"), release: release(2), signing };
    book.end("push-12", End::Refused { reasons: vec![reason] });
}

/// What is done beside guarded databases, and pushes that guard some.
fn guarded(book: &mut Book) {
    data_acts(book);
    let mut plan = nouns::plain_plan();
    plan.databases = nouns::databases();
    book.begin("push-14", Intent::Push { plan: plan.clone() }, None);
    let id = rollout("push-14");
    let shop = DatabaseName::new("shop");
    let reason = Reason::RecoveryUnproven {
        database: shop.clone(),
        why: "no drill has proved that it can be restored".to_owned(),
    };
    book.write(&Event::GateJudged {
        rollout: id,
        gate: Gate::Recovery,
        result: GateResult::Fail,
        says: reason.to_string(),
    });
    book.end("push-14", End::Refused { reasons: vec![reason] });

    plan.recovery_override = Some("the drill's server is being replaced".to_owned());
    book.begin("push-15", Intent::Push { plan }, None);
    let id = rollout("push-15");
    let work = Work::RestorePoints;
    book.write(&Event::WorkBegun { rollout: id.clone(), work, deadline: book.at.plus_ms(720_000) });
    let unknown = "the connection was lost".to_owned();
    book.write(&Event::RestorePointUnknown {
        rollout: id.clone(),
        database: shop.clone(),
        why: unknown,
    });
    for (database, position) in
        [(shop, nouns::place_in_log()), (DatabaseName::new("notes"), nouns::place_in_copy())]
    {
        let point = nouns::point("push-15", position);
        book.write(&Event::RestorePointMade { rollout: id.clone(), database, point });
    }
    let (database, why) = (DatabaseName::new("third"), "its disk is full".to_owned());
    book.write(&Event::RestorePointFailed {
        rollout: id,
        database: database.clone(),
        why: why.clone(),
    });
    book.end(
        "push-15",
        End::NotSwitched { reasons: vec![Reason::NoRestorePoint { database, why }] },
    );
}

/// Pushes that calendars and rotas speak of. Long since past, they say nothing to those that came later.
fn of_an_hour(book: &mut Book) {
    let mut plan = nouns::plain_plan();
    plan.hour = Some(Box::new(nouns::hour(book.at)));
    book.begin("push-30", Intent::Push { plan: plan.clone() }, None);
    let gates = plan.hour.iter().flat_map(|hour| hour.gates.clone());
    let reasons: Vec<Reason> =
        gates.clone().map(|said| Reason::NotNow { gate: said.gate, why: said.says }).collect();
    for said in gates {
        let (gate, result, says) = (said.gate, said.result, said.says);
        book.write(&Event::GateJudged { rollout: rollout("push-30"), gate, result, says });
    }
    book.end("push-30", End::Refused { reasons });
    book.begin("push-31", Intent::Push { plan: plan.clone() }, None);
    let closed = Reason::Closed { what: "the freeze `sale`".to_owned(), until: book.at };
    book.end("push-31", End::NotSwitched { reasons: vec![closed] });
    if let Some(hour) = &mut plan.hour {
        hour.harmful_ppm = Some(41_700);
    }
    book.begin("push-32", Intent::Push { plan }, None);
    book.end("push-32", End::Dropped);
}

/// Pushes whose databases are asked for what must hold in them.
fn judged(book: &mut Book) {
    let mut plan = nouns::plain_plan();
    plan.databases = nouns::judged_databases();
    book.begin("push-20", Intent::Push { plan: plan.clone() }, None);
    let (id, database) = (rollout("push-20"), DatabaseName::new("shop"));
    let moments = [
        (Work::JudgeBefore, Moment::Before),
        (Work::JudgeMigrated, Moment::Migrated),
        (Work::JudgeWave, Moment::Wave { wave: 1 }),
        (Work::JudgeAfter, Moment::After),
    ];
    for (work, moment) in moments {
        let deadline = book.at.plus_ms(460_000);
        let judged = nouns::all_hold();
        book.write_all([
            Event::WorkBegun { rollout: id.clone(), work, deadline },
            Event::InvariantsJudged {
                rollout: id.clone(),
                database: database.clone(),
                moment,
                judged,
            },
        ]);
    }
    book.end("push-20", End::Dropped);

    plan.invariants_override = Some("they are being mended".to_owned());
    book.begin("push-21", Intent::Push { plan }, None);
    let id = rollout("push-21");
    let (moment, why) = (Moment::Bake, "the connection was lost".to_owned());
    let evidence = Box::new(friday_core::reason::Evidence {
        rows: 12,
        value: None,
        listed: Some("/srv/broken/no-orphans.tsv".to_owned()),
    });
    book.write_all([
        Event::InvariantsJudged {
            rollout: id.clone(),
            database: database.clone(),
            moment,
            judged: nouns::one_is_broken(),
        },
        Event::InvariantsUnknown {
            rollout: id.clone(),
            database: database.clone(),
            moment,
            why: why.clone(),
        },
        Event::Held {
            rollout: id,
            reasons: vec![
                Reason::InvariantBroken {
                    database: database.clone(),
                    name: "no orphans".to_owned(),
                    moment,
                    evidence,
                },
                Reason::InvariantsUnknown { database, moment, why },
            ],
        },
    ]);
    book.end("push-21", End::Dropped);
}

fn data_acts(book: &mut Book) {
    let acts = [
        (DataAct::Backup, Some(nouns::backed_up(nouns::place_in_copy()))),
        (DataAct::Backup, Some(nouns::backed_up(nouns::place_in_log()))),
        (DataAct::Verify, Some(nouns::verified())),
        (DataAct::Drill, Some(nouns::drilled())),
        (DataAct::Rehearsal, Some(nouns::not_restored())),
        (DataAct::Restore, None),
    ];
    for (number, (what, outcome)) in (1..).zip(acts) {
        let act = DataActId::new(format!("a-000{number}"));
        let (person, database) = ("anna".to_owned(), DatabaseName::new("shop"));
        let begun = Event::DataActBegun { act: act.clone(), person, database, what };
        book.write(&begun);
        if let Some(outcome) = outcome {
            let database = DatabaseName::new("shop");
            book.write(&Event::DataActEnded { act, database, outcome });
        }
    }
}

/// A keeper that is not named, for hosts know two.
fn two_keepers(book: &mut Book) {
    let intent = Intent::Keeper { keeper: host("web-2"), proven: None, fleet: fleet() };
    book.begin("keeper-3", intent, None);
    let reasons = vec![Reason::TwoKeepers { one: host("web-1"), other: host("web-2") }];
    book.end("keeper-3", End::Refused { reasons });
}

/// A push that fails because a host lets no release start, and is not to blame.
fn hindered(book: &mut Book) {
    book.begin("push-13", Intent::Push { plan: nouns::plain_plan() }, None);
    let (id, host) = (rollout("push-13"), host("web-1"));
    let (why, fault) =
        ("starting: port 8000 is taken by `nginx` (pid 712)".to_owned(), Fault::Host);
    let deadline = book.at.plus_ms(18_000);
    let (ask, hosts) = (RoundAsk::Stage, vec![host.clone()]);
    let full = HostAnswer::Failed { why: "not enough disk space".to_owned(), fault };
    let failed = StepState::Failed { why: why.clone(), log: Vec::new(), fault };
    let report = StepReport { key: key("push-13", 1), state: failed };
    let log = Vec::new();
    book.write_all([
        Event::RoundBegun { rollout: id.clone(), round: 1, ask, hosts, deadline },
        Event::HostAnswered { rollout: id.clone(), round: 1, host: host.clone(), answer: full },
        Event::WaveBegun { rollout: id.clone(), wave: 1, hosts: vec![host.clone()] },
        Event::StepBegun {
            rollout: id.clone(),
            host: host.clone(),
            attempt: 1,
            at_once: false,
            deadline,
        },
        Event::StepAnswered {
            rollout: id.clone(),
            host: host.clone(),
            answer: StepAnswer::Report { report },
        },
        Event::HostFailed { rollout: id.clone(), host: host.clone(), why: why.clone(), log, fault },
        Event::Held { rollout: id, reasons: vec![Reason::HostFailed { host, why, fault }] },
    ]);
    book.end("push-13", End::Dropped);
}

/// A rehearsal with everything, and one of a push without a migration; and pushes that go by some.
fn rehearsals(book: &mut Book) {
    for (number, schema) in (7..).zip([SchemaChange::Changed, SchemaChange::None]) {
        let (act, database) = (DataActId::new(format!("a-000{number}")), DatabaseName::new("shop"));
        let (person, what) = ("anna".to_owned(), DataAct::Rehearsal);
        let begun = Event::DataActBegun { act: act.clone(), person, database, what };
        book.write(&begun);
        let (database, outcome) = (DatabaseName::new("shop"), nouns::rehearsed(schema));
        book.write(&Event::DataActEnded { act, database, outcome });
    }

    let mut plan = nouns::plan();
    plan.databases = nouns::databases();
    plan.databases[0].rehearse = true;
    if let Some(migration) = &mut plan.migration {
        migration.back_undeclared = true;
    }
    book.begin("push-16", Intent::Push { plan: plan.clone() }, None);
    let (gate, shop) = (Gate::Rehearsed, DatabaseName::new("shop"));
    let why = "this release was not tried on a copy".to_owned();
    let reason = Reason::Unrehearsed { database: shop.clone(), why };
    let (rollout, says) = (rollout("push-16"), reason.to_string());
    book.write(&Event::GateJudged { rollout, gate, result: GateResult::Fail, says });
    book.end("push-16", End::Refused { reasons: vec![reason] });

    plan.rehearsal_override = Some("the copy's host is down".to_owned());
    book.begin("push-17", Intent::Push { plan }, None);
    let says = "one-way: the old release's health on the new data failed: exit status 1".to_owned();
    let rollout = RolloutId::new("push-17");
    book.write(&Event::WayBackDecided {
        rollout: rollout.clone(),
        database: shop.clone(),
        back: MigrationBack::OneWay,
        says: says.clone(),
    });
    let barred = Reason::WayBackBarred { database: shop, says, recovery_ms: Some(240_000) };
    book.write(&Event::Held { rollout, reasons: vec![barred] });
    book.end("push-17", End::Dropped);
}
