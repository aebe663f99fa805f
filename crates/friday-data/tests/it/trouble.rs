//! Bad luck: what is not there, not allowed, locked, full, killed or gone in the middle.

use std::fs;
use std::process::Command;

use friday_wire::data::{DataAnswer, DataPhase, DataRequest, Engine, Guarded};
use rusqlite::Connection;

use crate::bed::{Bed, Program, Writer, drill, failed, listed, money, until};

fn none() -> [std::path::PathBuf; 0] {
    []
}

fn backup(bed: &Bed) -> DataRequest {
    DataRequest::Backup { database: bed.guarded() }
}

fn at(bed: &Bed, path: &std::path::Path) -> Guarded {
    let mut guarded = bed.guarded();
    guarded.engine = Engine::Sqlite { path: path.display().to_string() };
    guarded
}

#[test]
fn what_is_no_database_is_said_to_be_none() {
    let bed = Bed::new();
    let mut program = bed.program();
    let text = bed.dir.path().join("text");
    fs::write(&text, "not a database, but long enough to be read as one".repeat(100)).unwrap();
    let empty = bed.dir.path().join("empty");
    fs::write(&empty, "").unwrap();
    let gone = bed.dir.path().join("gone");
    for (path, says) in [
        (&*text, "is not an SQLite database (its head is another, or it is encrypted)"),
        (&*empty, "is not an SQLite database (it is empty)"),
        (bed.dir.path(), "is not an SQLite database (it is not a file)"),
        (&*gone, "there is no database at"),
    ] {
        let (_, why, help) = failed(program.ask(DataRequest::Backup { database: at(&bed, path) }));
        assert!(why.contains(says), "{why}");
        assert!(!help.is_empty());
    }
    assert!(!gone.exists());
    assert_eq!(bed.leftovers(), none());
}

#[test]
fn a_lock_that_is_held_for_longer_than_the_limit_is_told() {
    let bed = Bed::with("PRAGMA journal_mode = DELETE;", 10);
    let holder = Connection::open(bed.ledger()).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut program = bed.program();
    let request =
        DataRequest::Point { database: bed.guarded(), name: "r".to_owned(), timeout_ms: 700 };
    let (phase, why, help) = failed(program.ask(request.clone()));
    assert_eq!(phase, DataPhase::Mark);
    assert!(why.contains("was locked by another program for longer than"), "{why}");
    assert!(!help.is_empty());
    holder.execute_batch("COMMIT").unwrap();
    let DataRequest::Point { database, name, .. } = request else { panic!("a point") };
    let answer = program.ask(DataRequest::Point { database, name, timeout_ms: 60_000 });
    assert!(matches!(answer, DataAnswer::Pointed { .. }), "{answer:?}");
}

#[test]
fn two_at_once_are_refused_and_each_database_is_by_itself() {
    let bed = Bed::new();
    bed.program().back_up(&bed);
    // As a drill at work in another process holds it.
    let lock = fs::File::options().write(true).open(bed.place().join("backup.lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let mut program = bed.program();
    let (_, why, help) = failed(program.ask(backup(&bed)));
    assert!(why.starts_with("a backup of this database is at work already (process "), "{why}");
    assert!(help.contains("wait"));
    // A drill, and a backup of another database, go on.
    program.drilled(bed.guarded(), vec![]);
    let mut other = bed.guarded();
    other.name = friday_wire::DatabaseName::new("other");
    let answer = program.ask(DataRequest::Backup { database: other });
    assert!(matches!(answer, DataAnswer::BackedUp { .. }), "{answer:?}");
    drop(lock);
    program.back_up(&bed);
}

/// The program where no file may be larger than so many kB, as on a disk that is full.
fn cramped(bed: &Bed, kilobytes: u64) -> Program {
    let inner = bed.command();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"", "sh"]);
    // Units of 512 bytes, as a plain shell counts.
    command.arg((kilobytes * 2).to_string()).arg(inner.get_program()).args(inner.get_args());
    Program::start(command)
}

#[test]
fn no_room_ends_it_cleanly_wherever_it_is_noticed() {
    let bed = Bed::with("PRAGMA journal_mode = WAL;", 20_000);
    let _writer = Writer::start(bed.ledger());
    for kilobytes in [256, 1_024, 2_048, 3_000] {
        let mut program = cramped(&bed, kilobytes);
        let (phase, why, help) = failed(program.ask(backup(&bed)));
        assert_eq!(phase, DataPhase::Copy, "{kilobytes}: {why}");
        assert!(help.contains("make room"), "{kilobytes}: {why}: {help}");
        assert_eq!(bed.leftovers(), none());
        assert!(listed(&bed.place().join("repository/backups")).is_empty());
    }
    bed.program().back_up(&bed);
    let mut program = cramped(&bed, 1_024);
    let (phase, why, help) = failed(program.ask(drill(bed.guarded(), vec![])));
    assert_eq!(phase, DataPhase::Fetch, "{why}");
    assert!(help.contains("make room"), "{why}: {help}");
    assert_eq!(bed.leftovers(), none());
}

/// Asks without end: what it is asked in waits until it is ended.
fn endless() -> friday_wire::data::Invariant {
    let mut endless = money();
    endless.sql =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
            .to_owned();
    endless.timeout_ms = 600_000;
    endless
}

/// What it says last when its connection ends in the middle.
fn last_word(mut program: Program) -> DataAnswer {
    program.hang_up();
    let mut last = None;
    while let Some(answer) = program.hear() {
        last = Some(answer);
    }
    program.close();
    last.expect("a last word")
}

#[test]
fn a_connection_that_ends_in_the_middle_of_a_backup_leaves_nothing() {
    let bed = Bed::with("PRAGMA journal_mode = WAL;", 60_000);
    let writer = Writer::start(bed.ledger());
    // A backup that is done before the connection ends proves nothing: once more then.
    until("a backup is interrupted", || {
        let mut program = bed.program();
        program.send(backup(&bed));
        // It is at work as soon as it says how far it is.
        let first = program.hear();
        assert!(matches!(first, Some(DataAnswer::Progress { .. })), "{first:?}");
        let last = last_word(program);
        assert_eq!(bed.leftovers(), none());
        if matches!(last, DataAnswer::BackedUp { .. }) {
            return None;
        }
        assert_eq!(failed(last).1, "the connection was closed");
        Some(())
    });
    writer.writes_more();
}

#[test]
fn a_connection_that_ends_while_it_waits_or_asks_leaves_nothing() {
    let bed = Bed::with("PRAGMA journal_mode = DELETE;", 10);
    bed.program().back_up(&bed);
    let mut program = bed.program();
    program.send(drill(bed.guarded(), vec![endless()]));
    until("it asks the copy", || match program.hear() {
        Some(DataAnswer::Progress { phase: DataPhase::Invariants, .. }) => Some(()),
        _ => None,
    });
    assert_eq!(failed(last_word(program)).1, "the connection was closed");
    assert_eq!(bed.leftovers(), none());

    let holder = Connection::open(bed.ledger()).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut program = bed.program();
    program.send(backup(&bed));
    until("it waits for the lock", || match program.hear() {
        Some(DataAnswer::Progress { phase: DataPhase::Mark, .. }) => Some(()),
        _ => None,
    });
    assert_eq!(failed(last_word(program)).1, "the connection was closed");
    assert_eq!(bed.leftovers(), none());
}

#[test]
fn what_a_killed_program_left_is_put_away_by_the_next() {
    let bed = Bed::with("PRAGMA journal_mode = WAL;", 60_000);
    let kill = |mut program: Program| {
        program.child.kill().unwrap();
        program.child.wait().unwrap();
        (!bed.leftovers().is_empty()).then_some(())
    };
    until("a backup is killed in the middle", || {
        let mut program = bed.program();
        program.send(backup(&bed));
        // Killed a little after it began: where that was too late, once more.
        let began = std::time::Instant::now();
        while bed.leftovers().is_empty() && began.elapsed().as_secs() < 5 {}
        kill(program)
    });
    bed.program().back_up(&bed);
    assert_eq!(bed.leftovers(), none());
    let mut program = bed.program();
    program.send(drill(bed.guarded(), vec![endless()]));
    until("a copy lies there", || (!bed.leftovers().is_empty()).then_some(()));
    kill(program).expect("a copy that nobody put away");
    assert!(bed.program().drilled(bed.guarded(), vec![money()]).invariants[0].holds());
    assert_eq!(bed.leftovers(), none());
}

#[test]
fn a_drill_that_takes_too_long_is_ended() {
    let bed = Bed::new();
    let mut program = bed.program();
    program.back_up(&bed);
    let request = DataRequest::Drill {
        database: bed.guarded(),
        target: friday_wire::data::DrillTarget::Newest,
        invariants: vec![endless()],
        keep_scratch: true,
        timeout_ms: 3_000,
        mask: None,
    };
    let (phase, why, _) = failed(program.ask(request));
    assert_eq!(phase, DataPhase::Invariants);
    assert_eq!(why, "it took longer than its limit of 3 s");
    assert_eq!(bed.leftovers(), none());
}

/// As another user, where this one may do everything: root.
fn as_nobody(bed: &Bed) -> Option<Program> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(bed.dir.path(), fs::Permissions::from_mode(0o777)).expect("the bed works");
    // Where it was built, nobody else may look.
    let inner = bed.command();
    let program = bed.dir.path().join("friday-data");
    fs::copy(inner.get_program(), &program).expect("the bed works");
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.arg(program).args(inner.get_args());
    Some(Program::start(command))
}

#[test]
fn permissions_that_were_withdrawn_are_named() {
    let bed = Bed::new();
    let mode = |path: &std::path::Path, mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&bed.ledger(), 0o000);
    let mut program = as_nobody(&bed).unwrap_or_else(|| bed.program());
    let (_, why, help) = failed(program.ask(backup(&bed)));
    assert!(why.ends_with("may not be read by the login user"), "{why}");
    assert!(help.contains("log in as"), "{help}");
    mode(&bed.ledger(), 0o644);
    let base = bed.place();
    drop(program);
    let mut program = bed.program();
    let found = program.ask(backup(&bed));
    if rustix::process::geteuid().is_root() {
        // What nobody made is not root's.
        let (_, why, _) = failed(found);
        assert!(
            why.contains(&base.display().to_string()) && why.contains("belongs to user id"),
            "{why}"
        );
    } else {
        assert!(matches!(found, DataAnswer::BackedUp { .. }), "{found:?}");
    }
}

/// A database as an application leaves it that is killed: what it wrote last is beside the file.
fn left_by_a_killed_writer(mode: &str, write: &str) -> Bed {
    let first = Bed::with(&format!("PRAGMA journal_mode = {mode};"), 2_000);
    let writer = Connection::open(first.ledger()).expect("the bed works");
    writer
        .execute_batch(&format!("PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 5; {write}"))
        .expect("the bed works");
    let bed = Bed::new();
    for end in ["", "-wal", "-journal"] {
        let from = first.dir.path().join(format!("ledger.db{end}"));
        let to = bed.dir.path().join(format!("ledger.db{end}"));
        if from.exists() {
            fs::copy(from, to).expect("the bed works");
        }
    }
    bed
}

#[test]
fn what_stands_only_in_the_log_of_a_killed_application_is_backed_up() {
    let bed = left_by_a_killed_writer("WAL", "UPDATE account SET amount = 7;");
    assert!(fs::metadata(bed.dir.path().join("ledger.db-wal")).unwrap().len() > 0);
    let mut program = bed.program();
    program.back_up(&bed);
    let mut sevens = money();
    let sum = Some("700".to_owned());
    sevens.rule = friday_wire::data::Rule::Between { least: sum.clone(), most: sum };
    let report = program.drilled(bed.guarded(), vec![sevens]);
    assert!(report.invariants[0].holds(), "{report:?}");
}

#[test]
fn half_a_transaction_of_a_killed_application_is_neither_taken_nor_mended() {
    let bed = left_by_a_killed_writer(
        "DELETE",
        "BEGIN; UPDATE transfer SET text = hex(randomblob(100)); UPDATE account SET amount = 7;",
    );
    let before = fs::read(bed.ledger()).unwrap();
    let mut program = bed.program();
    let (_, why, help) = failed(program.ask(backup(&bed)));
    assert!(why.contains("ended in mid-write"), "{why}");
    assert!(help.contains("start the application"), "{help}");
    assert_eq!(fs::read(bed.ledger()).unwrap(), before);
    // Opened once to write, it is whole again.
    let mended = Connection::open(bed.ledger()).unwrap();
    mended.execute_batch("PRAGMA user_version = 1").unwrap();
    drop(mended);
    program.back_up(&bed);
    assert!(program.drilled(bed.guarded(), vec![money()]).invariants[0].holds());
}

#[test]
fn a_restore_that_fails_leaves_the_directory_as_it_was() {
    let bed = Bed::new();
    let mut program = bed.program();
    program.back_up(&bed);
    let object = bed.newest_object();
    let bytes = fs::read(&object).unwrap();
    fs::write(&object, &bytes[..bytes.len() - 9]).unwrap();
    let there = bed.dir.path().join("there");
    fs::create_dir(&there).unwrap();
    for directory in [&there, &bed.dir.path().join("new")] {
        let (phase, why, _) = failed(program.ask(DataRequest::Restore {
            database: bed.guarded(),
            target: friday_wire::data::DrillTarget::Newest,
            directory: directory.display().to_string(),
            timeout_ms: 60_000,
        }));
        assert_eq!(phase, DataPhase::Fetch, "{why}");
        assert!(listed(directory).is_empty());
    }
    assert!(there.exists() && !bed.dir.path().join("new").exists());
}

#[test]
fn who_may_read_the_file_and_not_write_beside_it_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let bed = Bed::new();
    // The application is stopped, and no log is there.
    let inner = bed.dir.path().join("inner");
    fs::create_dir(&inner).unwrap();
    fs::copy(bed.ledger(), inner.join("ledger.db")).unwrap();
    let Some(mut program) = as_nobody(&bed) else {
        // Its own user may not write beside it either, once that is so.
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o555)).unwrap();
        let mut program = bed.program();
        let guarded = at(&bed, &inner.join("ledger.db"));
        failed(program.ask(DataRequest::Backup { database: guarded }));
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o755)).unwrap();
        return;
    };
    for (path, mode) in [(&*inner, 0o755), (&*inner.join("ledger.db"), 0o644)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let guarded = at(&bed, &inner.join("ledger.db"));
    let (_, why, help) = failed(program.ask(DataRequest::Backup { database: guarded }));
    assert!(why.starts_with("the log beside the database"), "{why}");
    assert!(help.contains("log in as the application's user"), "{help}");
    assert_eq!(listed(&inner).len(), 1);
}
