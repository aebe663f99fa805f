//! A PostgreSQL server of the test's own, in a directory of its own, run by a user who is not root.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use postgres::{Client, Config, NoTls};

/// Accounts of the money that never changes in sum.
pub const ACCOUNTS: i64 = 2_000;

/// What each begins with.
pub const EACH: i64 = 1_000;

/// A command, by PostgreSQL's own user where we are root: its server does not run as root.
pub fn as_user(program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(program);
    command
}

/// Where the newest installed server's programs are.
pub fn programs() -> PathBuf {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .filter(|(_, bin): &(u32, PathBuf)| bin.join("postgres").exists())
        .collect();
    found.sort();
    found.pop().expect("PostgreSQL's server must be installed: apt-get install postgresql").1
}

/// A running server. Dropped, it ends, and its directory goes.
pub struct Cluster {
    /// Everything of this test lies here.
    pub dir: tempfile::TempDir,
    server: Child,
}

/// A restored copy that was started. Dropped, it ends.
pub struct Copy {
    sockets: PathBuf,
    server: Child,
}

impl Copy {
    /// One number that a statement gives.
    pub fn number(&self, sql: &str) -> i64 {
        let mut client = within(|| try_connect(&self.sockets));
        client.query_one(sql, &[]).expect("it can be asked").get(0)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        signal(self.server.id(), rustix::process::Signal::QUIT);
        let _ = self.server.wait();
    }
}

fn try_connect(sockets: &Path) -> Option<Client> {
    let mut config = Config::new();
    config.host_path(sockets).user("postgres").dbname("postgres");
    config.connect(NoTls).ok()
}

/// Tries until a server answers.
fn within(connect: impl Fn() -> Option<Client>) -> Client {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        match connect() {
            Some(client) => return client,
            None => assert!(Instant::now() < until, "the server does not start"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

impl Cluster {
    /// Makes one and starts it; `settings` are lines of its configuration.
    pub fn start(settings: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("friday-data-pg-").tempdir_in(ground());
        let dir = dir.expect("a directory");
        own(dir.path());
        let data = dir.path().join("live");
        let made = as_user(&programs().join("initdb"))
            .args(["--data-checksums", "--username=postgres", "--auth=trust", "--no-sync", "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(made.expect("initdb runs").success());
        let sockets = dir.path().join("sockets");
        std::fs::create_dir(&sockets).expect("a directory");
        own(&sockets);
        let text = format!(
            "listen_addresses = ''\nport = 5432\nunix_socket_directories = '{}'\nfsync = off\nshared_buffers = 16MB\n{settings}\n",
            sockets.display()
        );
        let path = data.join("postgresql.conf");
        let before = std::fs::read_to_string(&path).expect("initdb wrote it");
        std::fs::write(&path, before + &text).expect("it can be written");
        let server = serve(&data, dir.path(), "live.log");
        let cluster = Self { dir, server };
        drop(within(|| try_connect(&sockets)));
        cluster
    }

    /// Its connection string.
    pub fn url(&self) -> String {
        format!("host={} user=postgres dbname=postgres", self.dir.path().join("sockets").display())
    }

    /// A connection.
    pub fn connect(&self) -> Client {
        try_connect(&self.dir.path().join("sockets")).expect("the server answers")
    }

    /// Starts a copy that was restored into a directory.
    pub fn restored(&self, directory: &Path) -> Copy {
        let server = serve(&directory.join("data"), self.dir.path(), "copy.log");
        Copy { sockets: directory.to_owned(), server }
    }

    /// Money whose sum never changes, and a table that says what the bad release did.
    pub fn fill(&self) {
        let mut client = self.connect();
        client
            .batch_execute(&format!(
                "CREATE TABLE account (id int PRIMARY KEY, money bigint NOT NULL, filler text); \
                 INSERT INTO account SELECT n, {EACH}, repeat(md5(n::text), 4) FROM generate_series(1, {ACCOUNTS}) n; \
                 CREATE TABLE moved (id bigserial PRIMARY KEY, at timestamptz DEFAULT now()); CREATE EXTENSION amcheck"
            ))
            .expect("an empty database takes it");
    }

    /// One number that a statement gives.
    pub fn number(&self, sql: &str) -> i64 {
        self.connect().query_one(sql, &[]).expect("it can be asked").get(0)
    }

    /// Ends the server at once, as a power cut does.
    pub fn cut(&mut self) {
        signal(self.server.id(), rustix::process::Signal::QUIT);
        let _ = self.server.wait();
    }

    /// Ends its server, and lets it come back as one that was a standby and was promoted.
    pub fn promote(&mut self) {
        signal(self.server.id(), rustix::process::Signal::INT);
        let _ = self.server.wait();
        let data = self.dir.path().join("live");
        std::fs::write(data.join("standby.signal"), "").expect("it can be written");
        own(&data.join("standby.signal"));
        self.server = serve(&data, self.dir.path(), "live.log");
        let sockets = self.dir.path().join("sockets");
        let mut client = within(|| try_connect(&sockets));
        let promoted = client.query_one("SELECT pg_promote(true, 60)", &[]);
        assert!(promoted.expect("it can be promoted").get::<_, bool>(0));
    }

    /// Moves money from account to account until it is dropped.
    pub fn load(&self) -> Load {
        let end: Arc<AtomicBool> = Arc::default();
        let done: Arc<AtomicU64> = Arc::default();
        let threads = (0..2_i64).map(|seed| {
            let (end, done, mut client) = (Arc::clone(&end), Arc::clone(&done), self.connect());
            std::thread::spawn(move || {
                let mut at = seed + 1;
                while !end.load(Ordering::Relaxed) {
                    at = (at * 48_271) % 2_147_483_647;
                    let (from, to) = (at % ACCOUNTS + 1, at / 7 % ACCOUNTS + 1);
                    let (first, second) = (from.min(to), from.max(to));
                    let moved = client.batch_execute(&format!(
                        "BEGIN; SELECT 1 FROM account WHERE id IN ({first}, {second}) ORDER BY id FOR UPDATE; \
                         UPDATE account SET money = money - 1 WHERE id = {from}; \
                         UPDATE account SET money = money + 1 WHERE id = {to}; \
                         INSERT INTO moved DEFAULT VALUES; COMMIT"
                    ));
                    if moved.is_err() {
                        return;
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        let threads = threads.collect();
        Load { end, done, threads }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.cut();
    }
}

/// Somebody who moves money.
pub struct Load {
    end: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Load {
    /// Waits until so many more have been moved.
    pub fn wait_for(&self, more: u64) {
        let want = self.done.load(Ordering::Relaxed) + more;
        let until = Instant::now() + Duration::from_secs(60);
        while self.done.load(Ordering::Relaxed) < want {
            assert!(Instant::now() < until, "the load stands still");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// In memory where there is plenty: a busy disk makes each of these tests wait, and proves nothing.
fn ground() -> &'static str {
    const PLENTY: u64 = 4 << 30;
    let free = rustix::fs::statvfs("/dev/shm").map(|found| found.f_bavail * found.f_frsize);
    if free.is_ok_and(|free| free >= PLENTY) { "/dev/shm" } else { "/tmp" }
}

/// Gives a path to the user that the server runs as.
pub fn own(path: &Path) {
    if rustix::process::geteuid().is_root() {
        let done = Command::new("chown").arg("postgres:").arg(path).status();
        assert!(done.expect("chown runs").success());
    }
}

/// Sends a signal to a process that we started.
pub fn signal(pid: u32, signal: rustix::process::Signal) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid.cast_signed()) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

fn serve(data: &Path, dir: &Path, log: &str) -> Child {
    let log = std::fs::File::create(dir.join(log)).expect("a log");
    // setpriv becomes the server: its process is ours to end.
    let mut command = as_user(&programs().join("postgres"));
    command
        .arg("-D")
        .arg(data)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    command.spawn().expect("the server starts")
}
