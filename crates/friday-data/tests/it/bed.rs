//! What the stories need: a ledger that is written all the time, and the program beside it.

use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use friday_wire::data::{
    DATA_PREAMBLE, DATA_WIRE_VERSION, DataAnswer, DataRequest, DrillReport, DrillTarget, Engine,
    Guarded, Hidden, Invariant, Repository, RepositoryPlace, Rule,
};
use friday_wire::frame::{self, Call, Frame, Reply};
use friday_wire::{DatabaseName, FleetName};
use rusqlite::Connection;

/// Generous: a busy machine is no failure.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// All the money there is.
pub const MONEY: i64 = 1_000_000;

/// Looks until something is so.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never happened: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A directory with a ledger in it.
pub struct Bed {
    pub dir: tempfile::TempDir,
}

impl Bed {
    pub fn new() -> Self {
        Self::with("PRAGMA journal_mode = WAL;", 100)
    }

    /// `filler`: so many rows that only take room.
    pub fn with(pragmas: &str, filler: i64) -> Self {
        let dir = tempfile::tempdir().expect("the bed works");
        let bed = Self { dir };
        let connection = Connection::open(bed.ledger()).expect("the bed works");
        connection.execute_batch(pragmas).expect("the bed works");
        connection
            .execute_batch(&format!(
                "CREATE TABLE account (id INTEGER PRIMARY KEY, amount INTEGER NOT NULL);
                 CREATE TABLE transfer (id INTEGER PRIMARY KEY, whose INTEGER REFERENCES account (id), text TEXT);
                 CREATE INDEX transfer_text ON transfer (text);
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100)
                     INSERT INTO account SELECT i, {MONEY} / 100 FROM n;
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {filler})
                     INSERT INTO transfer (whose, text) SELECT 1 + i % 100, hex(randomblob(100)) FROM n;"
            ))
            .expect("the bed works");
        bed
    }

    pub fn ledger(&self) -> PathBuf {
        self.dir.path().join("ledger.db")
    }

    pub fn base(&self) -> PathBuf {
        self.dir.path().join("base")
    }

    /// What lies beside this database.
    pub fn place(&self) -> PathBuf {
        self.base().join("shop/main")
    }

    pub fn guarded(&self) -> Guarded {
        Guarded {
            name: DatabaseName::new("main"),
            engine: Engine::Sqlite { path: self.ledger().display().to_string() },
            repository: Repository { place: RepositoryPlace::Directory { path: None }, key: None },
            keep: 3,
            scratch: None,
        }
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_friday-data"));
        command.args(["connect", "--fleet", "shop", "--base"]).arg(self.base());
        command
    }

    pub fn program(&self) -> Program {
        Program::start(self.command())
    }

    /// The one object of the newest backup.
    pub fn newest_object(&self) -> PathBuf {
        let mut backups: Vec<PathBuf> = listed(&self.place().join("repository/backups"));
        backups.sort();
        let files = listed(backups.last().expect("a backup"));
        let mut objects = files.into_iter().filter(|file| {
            file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("database"))
        });
        objects.next().expect("its object")
    }

    /// What is left of work: nothing, when all is well.
    pub fn leftovers(&self) -> Vec<PathBuf> {
        let mut left = listed(&self.place().join("work"));
        left.extend(listed(&self.place().join("scratch")));
        for backup in listed(&self.place().join("repository/backups")) {
            if !backup.join("manifest.json").exists() {
                left.push(backup);
            }
        }
        left
    }
}

pub fn listed(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default()
}

/// Moves money between accounts as fast as it can, until it is dropped.
pub struct Writer {
    stop: Arc<AtomicBool>,
    moved: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub fn start(path: PathBuf) -> Self {
        let (stop, moved) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (ends, counts) = (stop.clone(), moved.clone());
        let thread = thread::spawn(move || {
            let mut connection = Connection::open(path).expect("the bed works");
            connection.busy_timeout(DEADLINE).expect("the bed works");
            while !ends.load(Ordering::Relaxed) {
                let change = connection
                    .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
                    .expect("the bed works");
                let number = counts.load(Ordering::Relaxed) as i64;
                let (from, to) = (1 + number % 100, 1 + (number * 7 + 3) % 100);
                change
                    .execute("UPDATE account SET amount = amount - 5 WHERE id = ?1", [from])
                    .expect("the bed works");
                change
                    .execute("UPDATE account SET amount = amount + 5 WHERE id = ?1", [to])
                    .expect("the bed works");
                change
                    .execute(
                        "INSERT INTO transfer (whose, text) VALUES (?1, hex(randomblob(50)))",
                        [from],
                    )
                    .expect("the bed works");
                change.commit().expect("the bed works");
                counts.fetch_add(1, Ordering::Relaxed);
            }
        });
        let writer = Self { stop, moved, thread: Some(thread) };
        writer.writes_more();
        writer
    }

    /// Waits until it has written again.
    pub fn writes_more(&self) {
        let before = self.moved.load(Ordering::Relaxed);
        until("the writer writes", || {
            (self.moved.load(Ordering::Relaxed) > before + 5).then_some(())
        });
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the bed works");
        }
    }
}

/// The program, greeted.
pub struct Program {
    pub child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    number: u64,
}

impl Program {
    pub fn start(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the bed works");
        let input = child.stdin.take();
        let mut output = BufReader::new(child.stdout.take().expect("the bed works"));
        let mut preamble = [0_u8; 16];
        output.read_exact(&mut preamble).expect("the bed works");
        assert_eq!(&preamble, DATA_PREAMBLE);
        let mut program = Self { child, input, output, number: 0 };
        let hello = DataRequest::Hello {
            wire: DATA_WIRE_VERSION,
            wire_min: 1,
            friday: "test".to_owned(),
            fleet: FleetName::new("shop"),
        };
        let met = program.ask(hello);
        assert!(matches!(met, DataAnswer::Hello { .. }), "{met:?}");
        program
    }

    pub fn send(&mut self, request: DataRequest) {
        self.number += 1;
        let frame =
            frame::json_frame(&Call { number: self.number, request }).expect("the bed works");
        let input = self.input.as_mut().expect("the bed works");
        input.write_all(&frame).expect("the bed works");
        input.flush().expect("the bed works");
    }

    /// The next message to what was sent, progress too.
    pub fn hear(&mut self) -> Option<DataAnswer> {
        match frame::read_frame(&mut self.output) {
            Ok(Frame::Json(body)) => {
                let reply: Reply<DataAnswer> = frame::parse(&body).expect("the bed works");
                assert_eq!(reply.number, self.number);
                Some(reply.answer)
            }
            Err(frame::FrameError::Closed) => None,
            other => panic!("{other:?}"),
        }
    }

    pub fn answer(&mut self) -> DataAnswer {
        loop {
            match self.hear().expect("an answer") {
                DataAnswer::Progress { .. } => {}
                answer => return answer,
            }
        }
    }

    pub fn ask(&mut self, request: DataRequest) -> DataAnswer {
        self.send(request);
        self.answer()
    }

    /// Closes the connection and waits for the program's end.
    pub fn close(mut self) {
        self.input = None;
        until("the program ends", || self.child.try_wait().expect("the bed works"));
    }

    /// Closes its input, as a connection that breaks does; it is still heard.
    pub fn hang_up(&mut self) {
        self.input = None;
    }

    pub fn back_up(&mut self, bed: &Bed) -> friday_wire::data::Backup {
        match self.ask(DataRequest::Backup { database: bed.guarded() }) {
            DataAnswer::BackedUp { backup, .. } => backup,
            other => panic!("{other:?}"),
        }
    }

    pub fn drill(&mut self, database: Guarded, invariants: Vec<Invariant>) -> DataAnswer {
        self.ask(drill(database, invariants))
    }

    pub fn drilled(&mut self, database: Guarded, invariants: Vec<Invariant>) -> DrillReport {
        match self.drill(database, invariants) {
            DataAnswer::Drilled { report } => *report,
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // One that has ended already cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn drill(database: Guarded, invariants: Vec<Invariant>) -> DataRequest {
    DataRequest::Drill {
        database,
        target: DrillTarget::Newest,
        invariants,
        keep_scratch: false,
        timeout_ms: 120_000,
        mask: None,
    }
}

/// Money is neither made nor lost.
pub fn money() -> Invariant {
    let whole = Some(MONEY.to_string());
    Invariant {
        name: "money".to_owned(),
        sql: "SELECT sum(amount) FROM account".to_owned(),
        rule: Rule::Between { least: whole.clone(), most: whole },
        timeout_ms: 30_000,
    }
}

/// What a refusal says, and what it advises.
pub fn failed(answer: DataAnswer) -> (friday_wire::data::DataPhase, String, String) {
    match answer {
        DataAnswer::Failed { phase, why, help } => (phase, why, help.unwrap_or_default()),
        other => panic!("it did not fail: {other:?}"),
    }
}

/// Keys of age that were made for tests.
pub fn key(which: usize) -> Hidden {
    use age::secrecy::ExposeSecret;
    static KEYS: std::sync::OnceLock<[String; 2]> = std::sync::OnceLock::new();
    let keys = KEYS.get_or_init(|| {
        [(), ()].map(|()| age::x25519::Identity::generate().to_string().expose_secret().to_owned())
    });
    Hidden::new(keys[which].clone())
}
