//! Each test runs on both engines.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::*;

/// A server of PostgreSQL of this test's own. Dropped, it ends, and its directory goes.
struct Cluster {
    dir: tempfile::TempDir,
    server: Child,
}

/// PostgreSQL's server refuses root.
fn as_user(program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(program);
    command
}

fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|entry| entry.path().join("bin"));
    let newest = found.filter(|bin| bin.join("postgres").exists()).max();
    newest.expect("PostgreSQL's server must be installed: apt-get install postgresql")
}

impl Cluster {
    fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("guestbook-pg-").tempdir_in("/tmp");
        let dir = dir.expect("a directory");
        if rustix::process::geteuid().is_root() {
            let owned = Command::new("chown").arg("postgres:").arg(dir.path()).status();
            assert!(owned.expect("chown runs").success());
        }
        let data = dir.path().join("data");
        let made = as_user(&programs().join("initdb"))
            .args(["--username=postgres", "--auth=trust", "--no-sync", "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .status();
        assert!(made.expect("initdb runs").success());
        let server = as_user(&programs().join("postgres"))
            .args(["-F", "-c", "listen_addresses=", "-c", "shared_buffers=16MB", "-k"])
            .arg(dir.path())
            .arg("-D")
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let cluster = Self { dir, server };
        let end = Instant::now() + Duration::from_secs(90);
        while Engine::open(&cluster.address()).is_err() {
            assert!(Instant::now() < end, "the server does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        cluster
    }

    fn address(&self) -> Address {
        let directory = self.dir.path().display();
        Address::Postgres(format!("postgresql:///postgres?host={directory}&user=postgres"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let pid = i32::try_from(self.server.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
        }
        let _ = self.server.wait();
    }
}

fn on_both(story: impl Fn(&Address)) {
    let directory = tempfile::tempdir().expect("a directory");
    story(&Address::Sqlite(directory.path().join("new/book.sqlite")));
    story(&Cluster::start().address());
}

fn release(name: &str) -> Look {
    let releases = Path::new(env!("CARGO_MANIFEST_DIR")).join("releases");
    Look::read(&releases.join(name)).expect("it has its look")
}

fn open(address: &Address, name: &str) -> Book {
    Book::open(address, &release(name)).expect("it opens")
}

fn names(book: &mut Book) -> Vec<String> {
    book.shown().expect("it is read").entries.into_iter().map(|entry| entry.name).collect()
}

fn signed(name: &str, gift: i64) -> Entry {
    Entry {
        name: name.to_owned(),
        words: "was here".to_owned(),
        place: "Graz".to_owned(),
        gift,
        at: String::new(),
    }
}

/// What the invariants of the example's configuration ask: how far the jar is from the gifts.
fn missing(book: &mut Book) -> i64 {
    let shown = book.shown().expect("it is read");
    shown.jar - shown.entries.iter().map(|entry| entry.gift).sum::<i64>()
}

#[test]
fn a_new_book_has_its_entries_once() {
    on_both(|address| {
        assert_eq!(Book::init(address, &release("v1")).expect("made"), Made::Now);
        assert_eq!(Book::init(address, &release("v1")).expect("there"), Made::Before);
        let mut book = open(address, "v1");
        book.sign(&signed("Emmy", 10)).expect("signed");
        assert_eq!(names(&mut book), ["Emmy", "Barbara", "Alan", "Grace", "Ada"]);
        let shown = book.shown().expect("read");
        assert_eq!((shown.jar, missing(&mut book)), (4210, 0));
        let at = &shown.entries[0].at;
        assert!(at.starts_with("20") && at.len() == "2026-11-20 17:04".len(), "{at}");
        book.check().expect("healthy");
        book.engine.run("drop table jar").expect("it goes");
        assert!(book.check().is_err(), "a book without its jar is not healthy");
    });
}

#[test]
fn the_second_release_adds_and_the_first_works_on() {
    on_both(|address| {
        let mut old = open(address, "v1");
        old.sign(&signed("Emmy", 10)).expect("signed");
        let mut new = open(address, "v2");
        assert!(new.check().is_err(), "not before its migration");
        new.migrate().expect("migrated");
        new.migrate().expect("again is nothing new");
        new.check().expect("healthy");
        new.sign(&signed("Kurt", 5)).expect("signed");
        assert_eq!(new.shown().expect("read").entries[0].place, "Graz");

        old.check().expect("the old release works on");
        assert_eq!(names(&mut old), ["Kurt", "Emmy"]);
        old.sign(&signed("Lise", 1)).expect("signed");
        old.migrate().expect("its own migration leaves what is further");
        new.check().expect("healthy");
        assert_eq!(missing(&mut new), 0);

        new.migrate_back().expect("undone");
        new.migrate_back().expect("again is nothing new");
        assert!(new.check().is_err());
        assert_eq!(names(&mut old), ["Lise", "Kurt", "Emmy"]);
        new.migrate().expect("and again");
        new.check().expect("healthy");
    });
}

#[test]
fn the_one_way_release_takes_what_the_first_reads() {
    on_both(|address| {
        Book::init(address, &release("v1")).expect("made");
        let mut old = open(address, "v1");
        let mut new = open(address, "v2-one-way");
        new.migrate().expect("migrated");
        new.check().expect("healthy");
        new.sign(&signed("Kurt", 5)).expect("signed");
        assert_eq!((names(&mut new).len(), missing(&mut new)), (5, 0));
        let why = old.check().expect_err("it reads when guests came").to_string();
        assert!(why.contains("at"), "{why}");
        let why = new.migrate_back().expect_err("nothing brings it back").to_string();
        assert!(why.contains("cannot be undone"), "{why}");
    });
}

#[test]
fn the_release_that_damages_is_healthy_and_its_jar_is_not() {
    on_both(|address| {
        Book::init(address, &release("v1")).expect("made");
        let mut book = open(address, "v2-damage");
        book.tidy().expect("it thinks well of itself");
        book.check().expect("healthy");
        assert_eq!(missing(&mut book), 200, "of four gifts");
        book.sign(&signed("Kurt", 125)).expect("signed");
        assert_eq!(missing(&mut book), 225);
        open(address, "v1").tidy().expect("the good one changes nothing");
        assert_eq!(missing(&mut book), 225);
    });
}
