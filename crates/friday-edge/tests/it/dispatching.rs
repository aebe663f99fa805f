//! The dispatcher: what is owed is begun once, what is no longer owed ends, what came of it comes in.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, sync_channel};

use friday_core::controller::effect::{Effect, EffectId, Owed};
use friday_core::controller::input::{Input, Outcome};
use friday_edge::clock;
use friday_edge::dispatcher::{Dispatcher, DispatcherSetup};
use friday_edge::progress::{Progress, ProgressSender};
use friday_wire::{
    Answer, Digest, FenceKind, HealthSpec, HostName, JournalId, Migration, OpenRollout, Request,
    RolloutId, RolloutKind, Sample, Step, StepKey, StepName, StepState, Witness,
};
use tokio::runtime::Runtime;

use crate::bench::{Bench, LONG, fence, soon_by_the_wall};

struct Desk {
    bench: Bench,
    dispatcher: Dispatcher,
    inbox: Receiver<Input>,
    progress: Receiver<Progress>,
    owed: BTreeMap<EffectId, Owed>,
    // Last: what runs on it goes first.
    _runtime: Runtime,
}

impl Desk {
    fn new() -> Self {
        let bench = Bench::new();
        let runtime = Runtime::new().expect("a runtime");
        let (sender, inbox) = sync_channel(4);
        let (telling, progress) = sync_channel(1_000);
        let setup = DispatcherSetup {
            fleet: bench.fleet(&["a", "b"]),
            databases: bench.no_databases(),
            stock: bench.stock.clone(),
            secrets: bench.secrets.clone(),
            bandwidth: friday_edge::bandwidth::Bandwidth::default(),
            directory: bench.path().to_owned(),
            progress: ProgressSender::new(telling),
        };
        let dispatcher = Dispatcher::new(runtime.handle().clone(), setup, sender);
        Self { bench, dispatcher, inbox, progress, owed: BTreeMap::new(), _runtime: runtime }
    }

    fn owe(&mut self, id: &str, effect: Effect) -> EffectId {
        let id = EffectId(id.to_owned());
        self.owed.insert(id.clone(), Owed { effect, deadline: soon_by_the_wall() });
        self.dispatcher.settle(&self.owed);
        id
    }

    fn next(&self) -> Input {
        self.inbox.recv_timeout(LONG).expect("an input")
    }

    /// The effect's outcome, which is then no longer owed.
    fn outcome(&mut self, id: &str, effect: Effect) -> Outcome {
        let id = self.owe(id, effect);
        match self.next() {
            Input::Finished { effect, outcome } if effect == id => {
                self.owed.remove(&id);
                self.dispatcher.settle(&self.owed);
                outcome
            }
            other => panic!("{other:?}"),
        }
    }

    fn answer(&mut self, id: &str, request: Request) -> Answer {
        match self.outcome(id, ask("a", request)) {
            Outcome::Answered(answer) => *answer,
            other => panic!("{other:?}"),
        }
    }
}

fn ask(host: &str, request: Request) -> Effect {
    Effect::Ask { host: HostName::new(host), request: Box::new(request) }
}

fn hook(command: &str) -> Effect {
    Effect::Hook { name: "before".to_owned(), command: command.to_owned(), env: Vec::new() }
}

#[test]
fn hosts_are_not_shown_a_journal_that_is_in_memory_only() {
    let mut desk = Desk::new();
    let journal = JournalId::new("j-1");
    let raise = |number| Request::Raise {
        keeper_fence: None,
        fence: fence(number, FenceKind::Rollback),
        lease: None,
        keeper: HostName::new("a"),
        witness: Some((journal.clone(), Witness { seq: number, hash: Digest([7; 32]) })),
    };
    let shown = |answer| match answer {
        Answer::Raised(head) => head.witnesses.get(&journal).map(|witness| witness.seq),
        other => panic!("{other:?}"),
    };
    assert_eq!(shown(desk.answer("first", raise(1))), Some(1));
    desk.dispatcher.show_no_journal();
    assert_eq!(shown(desk.answer("second", raise(2))), Some(1));
}

#[test]
fn a_release_is_shipped_and_staged_on_a_host() {
    let mut desk = Desk::new();
    let release = desk.bench.release(&[("index.html", b"hello")]).release;
    let fence = fence(1, FenceKind::Push);
    let rollout = RolloutId::new("r-20261123-a1b2c3");
    let raise = Request::Raise {
        keeper_fence: None,
        fence: fence.clone(),
        lease: None,
        keeper: HostName::new("a"),
        witness: None,
    };
    assert!(matches!(desk.answer("raise", raise), Answer::Raised(_)));
    let open = OpenRollout {
        id: rollout.clone(),
        kind: RolloutKind::Push,
        release: Some(release),
        returns_to: None,
        leaves: None,
        migration: Migration::NotBegun,
    };
    let open = Request::Open { fence: fence.clone(), rollout: open, once: Default::default() };
    assert_eq!(desk.answer("open", open), Answer::Ok);
    let ship = Effect::Ship { host: HostName::new("a"), release, secrets: None };
    assert_eq!(desk.outcome("ship", ship), Outcome::Done);
    let key = StepKey { rollout, step: StepName::Stage, attempt: 1 };
    let stage = Request::Do { fence, key, step: Step::Stage { release } };
    match desk.answer("stage", stage) {
        Answer::Step(report) => assert_eq!(report.state, StepState::Done),
        other => panic!("{other:?}"),
    }
    let page = format!("releases/{release}/index.html");
    let page = desk.bench.host_directory("a").join(page);
    assert_eq!(std::fs::read(page).expect("staged"), b"hello");
    assert_eq!(desk.dispatcher.in_flight(), 0);
}

#[test]
fn an_effect_is_begun_once_also_when_its_outcome_still_waits() {
    let mut desk = Desk::new();
    let count = desk.bench.path().join("count");
    let id = desk.owe("hook", hook(&format!("echo x >> {}", count.display())));
    let first = desk.next();
    assert_eq!(first, Input::Finished { effect: id.clone(), outcome: Outcome::Done });
    // Another input came first: the effect is still owed when settled again.
    desk.dispatcher.settle(&desk.owed);
    let second = desk.outcome("another", hook("true"));
    assert_eq!(second, Outcome::Done);
    assert_eq!(std::fs::read_to_string(&count).expect("run"), "x\n");
    assert!(desk.inbox.try_recv().is_err());
}

#[test]
fn an_effect_that_is_no_longer_owed_ends() {
    let mut desk = Desk::new();
    let ended = desk.bench.path().join("alive");
    let made = std::process::Command::new("mkfifo").arg(&ended).status().expect("run");
    assert!(made.success());
    let id = desk.owe("hook", hook(&format!("exec sleep 600 > {}", ended.display())));
    // Opens once the command does, and ends when the command is killed.
    let reader = std::thread::spawn({
        let fifo = ended.clone();
        move || {
            let mut file = std::fs::File::open(fifo).expect("opened");
            std::thread::spawn(move || file.read_to_end(&mut Vec::new()))
        }
    });
    let reading = reader.join().expect("the command runs");
    desk.owed.remove(&id);
    desk.dispatcher.settle(&desk.owed);
    assert_eq!(reading.join().expect("the command is gone").expect("read"), 0);
    assert_eq!(desk.outcome("next", hook("true")), Outcome::Done);
}

#[test]
fn deadlines_are_kept_and_failures_are_told() {
    let mut desk = Desk::new();
    match desk.outcome("hook", hook("echo what; exit 4")) {
        Outcome::Failed { why } => assert!(why.contains("what"), "{why}"),
        other => panic!("{other:?}"),
    }
    let told: Vec<Progress> = desk.progress.try_iter().collect();
    let line = Progress::HookSays { name: "before".to_owned(), line: "what".to_owned() };
    assert!(told.contains(&line), "{told:?}");
    let nobody = desk.outcome("ask", ask("nobody", Request::READ));
    assert!(matches!(nobody, Outcome::Failed { .. }), "{nobody:?}");
    let id = EffectId("late".to_owned());
    let deadline = clock::now().plus_ms(300);
    desk.owed.insert(id.clone(), Owed { effect: hook("sleep 600"), deadline });
    desk.dispatcher.settle(&desk.owed);
    match desk.next() {
        Input::Finished { effect, outcome: Outcome::Failed { why } } if effect == id => {
            assert!(why.contains("killed"), "{why}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn standing_effects_stand_until_they_are_no_longer_owed() {
    let mut desk = Desk::new();
    let request = Box::new(Request::READ);
    let host = HostName::new("b");
    let id = desk.owe("follow", Effect::Follow { host, request, every_ms: 1, timeout_ms: 60_000 });
    for _ in 0..3 {
        match desk.next() {
            Input::Followed { effect, outcome: Outcome::Answered(_) } => assert_eq!(effect, id),
            other => panic!("{other:?}"),
        }
    }
    desk.owed.clear();
    desk.dispatcher.settle(&desk.owed);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let _ = stream.read(&mut [0_u8; 4_096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let health = HealthSpec { interval_later_ms: 1, ..HealthSpec::default() };
    let host = HostName::new("a");
    desk.owe("watch", Effect::Watch { host: host.clone(), url, expect: None, health });
    let mut samples = 0;
    while samples < 3 {
        match desk.next() {
            Input::Sampled { host: of, sample } => {
                assert_eq!((of, sample), (host.clone(), Sample::Pass));
                samples += 1;
            }
            // Of the follow, on its way when it ended.
            Input::Followed { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    desk.owed.clear();
    desk.dispatcher.settle(&desk.owed);
    assert_eq!(desk.dispatcher.in_flight(), 0);
}

#[test]
fn a_driver_that_is_busy_or_gone_blocks_nobody() {
    let mut desk = Desk::new();
    for number in 0..20 {
        desk.owe(&format!("hook {number}"), hook("true"));
    }
    // The inbox holds four; the rest wait their turn and none is lost.
    let finished = (0..20).map(|_| match desk.next() {
        Input::Finished { outcome: Outcome::Done, effect } => effect,
        other => panic!("{other:?}"),
    });
    let distinct: std::collections::BTreeSet<EffectId> = finished.collect();
    assert_eq!(distinct.len(), 20);
}
