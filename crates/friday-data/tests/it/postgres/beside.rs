//! friday's side of a connection, as a test has it: calls in, answers out, each within its time.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use friday_wire::data::{
    DATA_PREAMBLE, DATA_WIRE_VERSION, DATA_WIRE_VERSION_MIN, DataAnswer, DataPhase, DataRequest,
    Engine, Guarded, Hidden, PostgresBackup, Repository, RepositoryPlace,
};
use friday_wire::frame::{self, Call, Frame, Reply};
use friday_wire::{DatabaseName, FleetName};

use super::cluster::{Cluster, as_user, own, signal};

/// What any answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// The program beside a database, and what it keeps.
pub struct Beside {
    base: PathBuf,
    program: PathBuf,
    #[expect(dead_code, reason = "goes with its program")]
    programs: tempfile::TempDir,
}

impl Beside {
    /// In a directory of the cluster's user, with a copy of the program that this user can run.
    pub fn new(cluster: &Cluster) -> Self {
        let base = cluster.dir.path().join("base");
        std::fs::create_dir(&base).expect("a directory");
        own(&base);
        // Not in memory: programs may not be run from there.
        let programs = tempfile::Builder::new().prefix("friday-data-pg-").tempdir_in("/tmp");
        let programs = programs.expect("a directory");
        own(programs.path());
        let program = programs.path().join("friday-data");
        std::fs::copy(env!("CARGO_BIN_EXE_friday-data"), &program).expect("the program is there");
        Self { base, program, programs }
    }

    /// What it keeps of the database.
    pub fn place(&self) -> PathBuf {
        self.base.join("shop/orders")
    }

    /// All files below a directory whose path contains some words.
    pub fn files(&self, words: &[&str]) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open = vec![self.place()];
        while let Some(dir) = open.pop() {
            for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    open.push(path);
                } else if words.iter().all(|word| path.to_string_lossy().contains(word)) {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    }

    /// A connection, greeted.
    pub fn connect(&self) -> Line {
        let mut child = as_user(&self.program)
            .args(["connect", "--fleet", "shop", "--base"])
            .arg(&self.base)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let input = child.stdin.take();
        let mut output = child.stdout.take().expect("it was asked for");
        let (send, answers) = channel();
        std::thread::spawn(move || {
            let mut preamble = [0; 16];
            if output.read_exact(&mut preamble).is_err() || preamble != *DATA_PREAMBLE {
                return;
            }
            while let Ok(Frame::Json(body)) = frame::read_frame(&mut output) {
                let Ok(reply) = frame::parse::<Reply<DataAnswer>>(&body) else { return };
                if send.send(reply.answer).is_err() {
                    return;
                }
            }
        });
        let mut line = Line { child, input, answers, number: 0 };
        let hello = DataRequest::Hello {
            wire: DATA_WIRE_VERSION,
            wire_min: DATA_WIRE_VERSION_MIN,
            friday: "test".to_owned(),
            fleet: FleetName::new("shop"),
        };
        assert!(matches!(line.ask(hello), DataAnswer::Hello { .. }));
        line
    }

    /// One request on a connection of its own.
    pub fn ask(&self, request: DataRequest) -> DataAnswer {
        self.connect().ask(request)
    }

    /// Processes that run in a directory of ours, or with it in their arguments.
    pub fn processes(&self, word: &str) -> Vec<u32> {
        let of = |entry: std::fs::DirEntry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let words = std::fs::read(entry.path().join("cmdline")).ok()?;
            let words = String::from_utf8_lossy(&words).replace('\0', " ");
            let near = self.base.to_string_lossy().into_owned();
            let cwd = std::fs::read_link(entry.path().join("cwd")).unwrap_or_default();
            let ours = words.contains(&*near)
                || cwd.starts_with(&self.base)
                || words.contains(&*self.program.to_string_lossy());
            (ours && words.contains(word)).then_some(pid)
        };
        std::fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(of).collect()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // The receiving process ends when it is asked to, as when a database is no longer guarded.
        let stop = self.place().join("keep.stop");
        let _ = std::fs::write(&stop, "");
        let until = Instant::now() + Duration::from_secs(30);
        while !self.processes("keep").is_empty() && Instant::now() < until {
            let _ = std::fs::write(&stop, "");
            std::thread::sleep(Duration::from_millis(20));
        }
        for pid in self.processes("") {
            signal(pid, rustix::process::Signal::KILL);
        }
    }
}

/// A connection.
pub struct Line {
    child: Child,
    input: Option<ChildStdin>,
    answers: Receiver<DataAnswer>,
    number: u64,
}

impl Line {
    /// Asks, and waits for the answer.
    pub fn ask(&mut self, request: DataRequest) -> DataAnswer {
        self.send(request);
        loop {
            match self.next() {
                DataAnswer::Progress { .. } => {}
                answer => return answer,
            }
        }
    }

    /// Asks.
    pub fn send(&mut self, request: DataRequest) {
        self.number += 1;
        let bytes =
            frame::json_frame(&Call { number: self.number, request }).expect("it can be written");
        let input = self.input.as_mut().expect("the connection is open");
        input.write_all(&bytes).and_then(|()| input.flush()).expect("the program reads");
    }

    /// Waits until it says that it is at a phase.
    pub fn wait_for(&self, phase: DataPhase) {
        loop {
            match self.next() {
                DataAnswer::Progress { phase: at, .. } if at == phase => return,
                DataAnswer::Progress { .. } => {}
                answer => panic!("it ended before it was {phase}: {answer:?}"),
            }
        }
    }

    fn next(&self) -> DataAnswer {
        self.answers.recv_timeout(PATIENCE).expect("an answer in time")
    }

    /// Closes the connection and waits until the program has ended.
    pub fn hang_up(mut self) {
        self.input = None;
        let until = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) {
            assert!(Instant::now() < until, "the program does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills the program.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.input = None;
        let until = Instant::now() + Duration::from_secs(60);
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > until {
                let _ = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A cluster as the configuration would describe it.
pub fn guarded(cluster: &Cluster, key: Option<&str>) -> Guarded {
    guarded_at(&cluster.url(), key, None)
}

/// The same with a connection string and a scratch of its own.
pub fn guarded_at(url: &str, key: Option<&str>, scratch: Option<&Path>) -> Guarded {
    Guarded {
        name: DatabaseName::new("orders"),
        engine: Engine::Postgres {
            url: Hidden::new(url),
            backup: PostgresBackup::Stream,
            programs: Some(super::cluster::programs().display().to_string()),
        },
        repository: Repository {
            place: RepositoryPlace::Directory { path: None },
            key: key.map(Hidden::new),
        },
        keep: 2,
        scratch: scratch.map(|path| path.display().to_string()),
    }
}
