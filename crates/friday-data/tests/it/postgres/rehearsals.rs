//! Copies that a release may write to: what is seen of them, and what becomes of them.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use friday_wire::data::{
    Blocked, CopyAddress, CopySeen, DataAnswer, DataPhase, DataRequest, DrillTarget, Guarded,
    OpenedCopy,
};
use postgres::{Client, Config, NoTls};

use super::beside::{Beside, Line, guarded};
use super::cluster::{Cluster, as_user, programs};
use super::{LIMIT_MS, back_up, money, nothing_runs, point, to_point};

fn request(database: &Guarded, target: DrillTarget) -> DataRequest {
    DataRequest::Open { database: database.clone(), target, timeout_ms: LIMIT_MS, mask: None }
}

fn open(line: &mut Line, database: &Guarded, target: DrillTarget) -> OpenedCopy {
    match line.ask(request(database, target)) {
        DataAnswer::Opened { copy } => copy,
        other => panic!("{other:?}"),
    }
}

fn seen(line: &mut Line, database: &Guarded) -> CopySeen {
    match line.ask(DataRequest::Watched { database: database.clone() }) {
        DataAnswer::Seen { seen } => seen,
        other => panic!("{other:?}"),
    }
}

fn refused(answer: DataAnswer) -> String {
    match answer {
        DataAnswer::Failed { why, .. } => why,
        other => panic!("it was not refused: {other:?}"),
    }
}

fn connect(copy: &OpenedCopy) -> Client {
    let CopyAddress::Postgres { directory, port, role, database } = &copy.address else {
        panic!("{copy:?}")
    };
    let mut config = Config::new();
    config.host_path(directory).port(*port).user(role).dbname(database);
    config.connect(NoTls).expect("the copy lets its owner in")
}

/// As a migration does it: a program of its own.
fn psql(copy: &OpenedCopy, sql: &str) {
    let CopyAddress::Postgres { directory, port, role, database } = &copy.address else {
        panic!("{copy:?}")
    };
    let mut command = as_user(&programs().join("psql"));
    command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", directory, "-p", &port.to_string()]);
    let done = command.args(["-U", role, "-d", database, "-c", sql]).current_dir("/").output();
    let done = done.expect("psql runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn dump(cluster: &Cluster) -> String {
    let mut command = as_user(&programs().join("pg_dump"));
    command.arg("-h").arg(cluster.dir.path().join("sockets"));
    let done = command.args(["-U", "postgres", "postgres"]).current_dir("/").output();
    let done = done.expect("pg_dump runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8_lossy(&done.stdout);
    // Newer ones write a word of chance around what they dump.
    text.lines()
        .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"))
        .collect()
}

fn listing(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().display().to_string())
        .collect();
    names.sort();
    names
}

/// The database belongs to a role that may not log in, as a group is.
fn owned(cluster: &Cluster) {
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE ROLE shop NOLOGIN; ALTER DATABASE postgres OWNER TO shop; \
             ALTER TABLE account OWNER TO shop; ALTER TABLE moved OWNER TO shop; GRANT CREATE ON SCHEMA public TO shop",
        )
        .expect("it can be given away");
}

/// Holds a lock until it was seen for long enough: a busy machine looks more seldom.
fn locks_are_seen(client: &mut Client, line: &mut Line, database: &Guarded) {
    let (mut held_ms, until) = (0, Instant::now() + Duration::from_secs(60));
    while held_ms < 300 {
        assert!(Instant::now() < until, "the lock is not seen");
        let lock =
            "BEGIN; LOCK TABLE account IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(1); ROLLBACK";
        client.batch_execute(lock).expect("the copy takes it");
        let locked = seen(line, database);
        assert!(!locked.written, "{locked:?}");
        for lock in &locked.locks {
            assert_eq!((&*lock.on, &*lock.mode), ("account", "AccessExclusiveLock"));
            assert_eq!(lock.blocks, Blocked::Everybody);
            held_ms += lock.held_ms;
        }
    }
}

#[test]
fn a_rehearsal_sees_what_a_release_does_to_its_copy_and_live_is_left_alone() {
    let cluster = Cluster::start("");
    cluster.fill();
    owned(&cluster);
    let beside = Beside::new(&cluster);
    let database = guarded(&cluster, None);
    back_up(&beside, &database);
    let made = point(&beside, &database, "shop-1");
    // After the place that is rehearsed at.
    cluster.connect().batch_execute("UPDATE account SET money = 0 WHERE id = 1").unwrap();
    let before = dump(&cluster);

    let mut line = beside.connect();
    let copy = open(&mut line, &database, to_point(&made));
    assert_eq!(copy.backup, made.backup);
    let again = refused(line.ask(request(&database, to_point(&made))));
    assert!(again.contains("open on this connection already"), "{again}");
    let other = refused(beside.ask(request(&database, to_point(&made))));
    assert!(other.contains("a rehearsal of this database is at work already"), "{other}");

    let first = seen(&mut line, &database);
    assert!(!first.written && !first.visited && first.locks.is_empty(), "{first:?}");
    let mut client = connect(&copy);
    assert_eq!(client.query("SELECT * FROM account", &[]).unwrap().len(), 2_000);
    let read = seen(&mut line, &database);
    assert!(read.visited && !read.written && read.schema == first.schema, "{read:?}");
    let quiet = seen(&mut line, &database);
    assert!(!quiet.visited, "who stays is no new visitor: {quiet:?}");

    // What is begun and undone is not written.
    client.batch_execute("BEGIN; UPDATE account SET money = 1; ROLLBACK").unwrap();
    assert!(!seen(&mut line, &database).written);
    client.batch_execute("UPDATE account SET filler = 'new' WHERE id = 7").unwrap();
    let wrote = seen(&mut line, &database);
    assert!(wrote.written && wrote.schema == first.schema, "{wrote:?}");

    locks_are_seen(&mut client, &mut line, &database);
    psql(&copy, "ALTER TABLE account ADD note text; CREATE INDEX account_note ON account (note)");
    let migrated = seen(&mut line, &database);
    assert!(migrated.written && migrated.visited, "{migrated:?}");
    assert_ne!(migrated.schema, first.schema);
    psql(&copy, "ALTER TABLE account DROP note");
    assert_eq!(seen(&mut line, &database).schema, first.schema, "it is as it was");

    let judged =
        line.ask(DataRequest::JudgeOpen { database: database.clone(), invariants: money() });
    let DataAnswer::Judged { invariants } = judged else { panic!("{judged:?}") };
    assert!(invariants.iter().all(|one| one.holds()), "{invariants:?}");
    assert!(!seen(&mut line, &database).written, "asking changes nothing");

    assert_eq!(dump(&cluster), before, "the live database is as it was");
    assert_eq!(cluster.number("SELECT timeline_id::int8 FROM pg_control_checkpoint()"), 1);
    drop(client);
    let shut = line.ask(DataRequest::Shut { database: database.clone() });
    assert_eq!(shut, DataAnswer::Ok);
    nothing_runs(&beside);
    assert!(!beside.place().join("rehearsal").exists());
    let gone = refused(line.ask(DataRequest::Watched { database: database.clone() }));
    assert!(gone.contains("no copy is open"), "{gone}");
    assert_eq!(line.ask(DataRequest::Shut { database }), DataAnswer::Ok);
}

#[test]
fn a_rehearsal_that_is_broken_off_leaves_nothing_and_the_drills_copy_stays() {
    let cluster = Cluster::start("");
    cluster.fill();
    let beside = Beside::new(&cluster);
    let database = guarded(&cluster, None);
    back_up(&beside, &database);
    let made = point(&beside, &database, "shop-1");
    let drill = DataRequest::Drill {
        database: database.clone(),
        target: to_point(&made),
        invariants: money(),
        keep_scratch: true,
        timeout_ms: LIMIT_MS,
        mask: None,
    };
    let DataAnswer::Drilled { .. } = beside.ask(drill.clone()) else { panic!("no drill") };
    let scratch = beside.place().join("scratch");
    let kept = listing(&scratch);
    let nothing = || {
        nothing_runs(&beside);
        assert_eq!(listing(&scratch), kept);
        assert!(!beside.place().join("rehearsal").exists());
    };

    // Hung up while it is made, and while it is open.
    let mut line = beside.connect();
    line.send(request(&database, to_point(&made)));
    line.wait_for(DataPhase::Replay);
    line.hang_up();
    nothing();
    let mut line = beside.connect();
    open(&mut line, &database, to_point(&made));
    assert!(!beside.processes("bin/postgres").is_empty());
    line.hang_up();
    nothing();

    // Killed: its server ends with it, and what lies there goes with the next.
    let mut line = beside.connect();
    let copy = open(&mut line, &database, to_point(&made));
    let clean = || DataRequest::Clean { database: database.clone() };
    line.kill();
    nothing_runs(&beside);
    let CopyAddress::Postgres { directory, .. } = &copy.address else { panic!("{copy:?}") };
    assert!(directory.starts_with('/'));
    assert!(matches!(beside.ask(drill), DataAnswer::Drilled { .. }));
    nothing();

    // One that is open is nobody's to clean up.
    let mut line = beside.connect();
    let copy = open(&mut line, &database, to_point(&made));
    assert_eq!(beside.ask(clean()), DataAnswer::Ok);
    connect(&copy).batch_execute("SELECT 1").unwrap();
    // Its server is ended in the midst: that is said.
    for pid in beside.processes("bin/postgres") {
        super::signal(pid, rustix::process::Signal::QUIT);
    }
    std::thread::sleep(Duration::from_millis(100));
    nothing_runs(&beside);
    let why = refused(line.ask(DataRequest::Watched { database: database.clone() }));
    assert!(why.contains("cannot connect"), "{why}");
    line.hang_up();
    nothing_runs(&beside);
    assert!(!beside.place().join("rehearsal").exists());
}
