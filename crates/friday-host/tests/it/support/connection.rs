//! One connection, as friday makes it: the program's pipes, and frames over them.

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

use friday_wire::frame::{self, Call, Frame, PREAMBLE, Reply};
use friday_wire::{
    Answer, Clocks, Digest, Fence, FenceKind, FleetName, HostName, Migration, Nonce, Observation,
    OpenRollout, Ports, ReleaseId, Request, RolloutId, RolloutKind, Rotation, SecretsVersion,
    StartId, Step, StepKey, StepState, Undo, WIRE_VERSION, WIRE_VERSION_MIN,
};

use super::{DEADLINE, Made};

pub struct Connection {
    child: Child,
    stdin: Option<ChildStdin>,
    replies: Receiver<Reply>,
    early: BTreeMap<u64, Answer>,
    number: u64,
}

impl Connection {
    pub fn over(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdin = child.stdin.take();
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let (sender, replies) = mpsc::channel();
        std::thread::spawn(move || {
            let mut preamble = [0_u8; PREAMBLE.len()];
            if stdout.read_exact(&mut preamble).is_err() {
                return;
            }
            assert_eq!(&preamble, PREAMBLE);
            while let Ok(Frame::Json(body)) = frame::read_frame(&mut stdout) {
                let reply = frame::parse(&body).expect("is a reply");
                if sender.send(reply).is_err() {
                    return;
                }
            }
        });
        Self { child, stdin, replies, early: BTreeMap::new(), number: 0 }
    }

    /// Bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("is open");
        let _ = stdin.write_all(bytes);
        let _ = stdin.flush();
    }

    pub fn send(&mut self, request: Request) -> u64 {
        self.number += 1;
        let call = Call { number: self.number, request };
        self.write(&frame::json_frame(&call).expect("fits"));
        self.number
    }

    pub fn answer_to(&mut self, number: u64) -> Answer {
        loop {
            if let Some(answer) = self.early.remove(&number) {
                return answer;
            }
            let reply = self.replies.recv_timeout(DEADLINE).expect("an answer comes");
            self.early.insert(reply.number, reply.answer);
        }
    }

    pub fn ask(&mut self, request: Request) -> Answer {
        let number = self.send(request);
        self.answer_to(number)
    }

    /// As `ask`, for a connection that may be closed instead.
    pub fn ask_or_closed(&mut self, request: Request) -> Option<Answer> {
        let number = self.send(request);
        loop {
            match self.replies.recv_timeout(DEADLINE) {
                Ok(reply) if reply.number == number => return Some(reply.answer),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    /// Whether the host closed the connection.
    pub fn is_closed(&mut self) -> bool {
        loop {
            match self.replies.recv_timeout(DEADLINE) {
                Ok(_) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return true,
                Err(mpsc::RecvTimeoutError::Timeout) => return false,
            }
        }
    }

    /// Waits for the program's end.
    pub fn exit_code(mut self) -> Option<i32> {
        drop(self.stdin.take());
        self.child.wait().expect("ends").code()
    }

    pub fn hello(&mut self) -> Digest {
        match self.ask(hello("shop", "a")) {
            Answer::Hello { program, .. } => program,
            other => panic!("no hello: {other:?}"),
        }
    }

    /// Asks with a body in data frames; what is answered.
    pub fn send_body(&mut self, request: Request, body: &[u8]) -> Answer {
        let number = self.send(request);
        for part in body.chunks(300_000) {
            self.write(&frame::data_frame(part));
        }
        self.write(&frame::data_frame(&[]));
        self.answer_to(number)
    }

    /// Sends a file; what is answered.
    pub fn put(&mut self, digest: Digest, bytes: &[u8], offset: usize) -> Answer {
        let number =
            self.send(Request::Put { digest, size: bytes.len() as u64, offset: offset as u64 });
        let packed = zstd::encode_all(&bytes[offset..], 1).expect("compresses");
        for chunk in packed.chunks(100_000) {
            self.write(&frame::data_frame(chunk));
        }
        self.write(&frame::data_frame(&[]));
        self.answer_to(number)
    }

    /// Sends what is missing of a release, and its manifest.
    pub fn send_release(&mut self, made: &Made) {
        let digests = made.files.keys().copied().collect();
        let Answer::Missing { files } = self.ask(Request::Missing { files: digests }) else {
            panic!("no list of what is missing");
        };
        for (digest, _) in files {
            assert_eq!(self.put(digest, &made.files[&digest], 0), Answer::Ok);
        }
        let manifest = made.manifest.clone();
        assert_eq!(self.ask(Request::PutManifest { release: made.id, manifest }), Answer::Ok);
    }

    pub fn raise(&mut self, fence: &Fence) -> Answer {
        self.ask(Request::Raise {
            keeper_fence: None,
            fence: fence.clone(),
            lease: None,
            keeper: HostName::new("a"),
            witness: None,
        })
    }

    pub fn open(&mut self, fence: &Fence, rollout: &str, release: Option<ReleaseId>) {
        assert!(matches!(self.raise(fence), Answer::Raised(_)));
        let kind = match fence.kind {
            FenceKind::Push => RolloutKind::Push,
            FenceKind::Rollback => RolloutKind::Rollback,
            FenceKind::Sweep => RolloutKind::Sweep,
        };
        let rollout = OpenRollout {
            id: RolloutId::new(rollout),
            kind,
            release,
            returns_to: None,
            leaves: None,
            migration: Migration::NotBegun,
        };
        let open = Request::Open { fence: fence.clone(), rollout, once: Default::default() };
        let answer = self.ask(open);
        match kind {
            RolloutKind::Rollback => assert!(matches!(answer, Answer::Observed(_)), "{answer:?}"),
            RolloutKind::Push | RolloutKind::Sweep => assert_eq!(answer, Answer::Ok),
        }
    }

    /// Begins a step and waits for its answer.
    /// Staged under an open push, not switched to.
    pub fn stage(&mut self, made: &Made) {
        let push = fence(1, FenceKind::Push);
        self.open(&push, "r1", Some(made.id));
        self.send_release(made);
        assert_eq!(self.step(&push, "r1", Step::Stage { release: made.id }), StepState::Done);
    }

    pub fn step(&mut self, fence: &Fence, rollout: &str, step: Step) -> StepState {
        let key = key(rollout, &step);
        match self.ask(Request::Do { fence: fence.clone(), key, step }) {
            Answer::Step(report) => report.state,
            other => panic!("no step: {other:?}"),
        }
    }

    pub fn confirm(&mut self, fence: &Fence, rollout: &str, nonce: Nonce) -> StepState {
        let key = StepKey {
            rollout: RolloutId::new(rollout),
            step: friday_wire::StepName::Switch,
            attempt: 1,
        };
        match self.ask(Request::Confirm { fence: fence.clone(), key, nonce }) {
            Answer::Step(report) => report.state,
            other => panic!("no step: {other:?}"),
        }
    }

    pub fn close_stable(&mut self, fence: &Fence, rollout: &str, stable: Option<ReleaseId>) {
        let close = Request::Close {
            fence: fence.clone(),
            rollout: RolloutId::new(rollout),
            stable,
            apart: None,
            keep: (5, 3),
            witness: None,
        };
        assert_eq!(self.ask(close), Answer::Ok);
    }

    pub fn read(&mut self) -> Observation {
        match self.ask(Request::READ) {
            Answer::Observed(observation) => *observation,
            other => panic!("no observation: {other:?}"),
        }
    }

    /// A whole push on this host, to the end: sent, staged, switched, confirmed, stable.
    pub fn push(&mut self, number: u64, port: u16, made: &Made, undo: Undo) {
        let (fence, rollout) = (fence(number, FenceKind::Push), format!("r{number}"));
        self.open(&fence, &rollout, Some(made.id));
        self.send_release(made);
        let staged = self.step(&fence, &rollout, Step::Stage { release: made.id });
        assert_eq!(staged, StepState::Done);
        match self.step(&fence, &rollout, switch(made.id, port, undo)) {
            StepState::AwaitingConfirm { nonce, .. } => {
                assert_eq!(self.confirm(&fence, &rollout, nonce), StepState::Done);
            }
            other => panic!("does not await its confirm: {other:?}"),
        }
        self.close_stable(&fence, &rollout, Some(made.id));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn hello(fleet: &str, host: &str) -> Request {
    Request::Hello {
        wire: WIRE_VERSION,
        wire_min: WIRE_VERSION_MIN,
        friday: "test".to_owned(),
        fleet: FleetName::new(fleet),
        host: HostName::new(host),
    }
}

pub fn fence(number: u64, kind: FenceKind) -> Fence {
    Fence { number, start: StartId::new("start"), kind }
}

fn key(rollout: &str, step: &Step) -> StepKey {
    StepKey { rollout: RolloutId::new(rollout), step: step.name(), attempt: 1 }
}

pub fn migrate(made: &Made, command: &str, timeout_ms: u64) -> Step {
    Step::Migrate { release: made.id, command: command.to_owned(), timeout_ms, secrets: None }
}

pub fn clocks() -> Clocks {
    Clocks {
        settle_ms: 0,
        drain_ms: 0,
        stop_ms: 2_000,
        health_deadline_ms: 30_000,
        confirm_ms: 60_000,
    }
}

pub fn switch(release: ReleaseId, port: u16, undo: Undo) -> Step {
    Step::Switch {
        release,
        undo,
        clocks: clocks(),
        ports: Ports::Fixed { port },
        rotation: Rotation::None,
        secrets: None,
        secrets_stay: false,
        role: None,
        once: Vec::new(),
    }
}

/// The same switch with secrets.
pub fn switch_with(step: Step, set: &str) -> Step {
    match step {
        Step::Switch {
            release, undo, clocks, ports, rotation, secrets_stay, role, once, ..
        } => Step::Switch {
            release,
            undo,
            clocks,
            ports,
            rotation,
            secrets: Some(SecretsVersion::new(set)),
            secrets_stay,
            role,
            once,
        },
        other => other,
    }
}
