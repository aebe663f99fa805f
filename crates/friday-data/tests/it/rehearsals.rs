//! Copies of an SQLite file that a release may write to: what is seen of them, and what becomes of them.

use std::fs;
use std::path::PathBuf;

use friday_wire::data::{
    Blocked, CopyAddress, CopySeen, DataAnswer, DataPhase, DataRequest, DrillTarget, OpenedCopy,
};
use rusqlite::Connection;

use crate::bed::{Bed, Program, failed, listed, money, until};

fn request(bed: &Bed) -> DataRequest {
    let target = DrillTarget::Newest;
    DataRequest::Open { database: bed.guarded(), target, timeout_ms: 60_000, mask: None }
}

fn open(program: &mut Program, bed: &Bed) -> OpenedCopy {
    match program.ask(request(bed)) {
        DataAnswer::Opened { copy } => copy,
        other => panic!("{other:?}"),
    }
}

fn seen(program: &mut Program, bed: &Bed) -> CopySeen {
    match program.ask(DataRequest::Watched { database: bed.guarded() }) {
        DataAnswer::Seen { seen } => seen,
        other => panic!("{other:?}"),
    }
}

fn path(copy: &OpenedCopy) -> PathBuf {
    let CopyAddress::Sqlite { path } = &copy.address else { panic!("{copy:?}") };
    path.into()
}

/// Keeps other writers out until it was seen for long enough: a busy machine looks more seldom.
fn locks_are_seen(release: &Connection, program: &mut Program, bed: &Bed) {
    release.execute_batch("BEGIN IMMEDIATE").expect("the copy takes it");
    let mut held_ms = 0;
    until("the lock is seen", || {
        let locked = seen(program, bed);
        assert!(!locked.written, "{locked:?}");
        for lock in &locked.locks {
            assert_eq!(lock.blocks, Blocked::Writers, "{locked:?}");
            held_ms += lock.held_ms;
        }
        (held_ms >= 300).then_some(())
    });
    release.execute_batch("ROLLBACK").expect("the copy takes it");
}

#[test]
fn a_rehearsal_sees_what_a_release_does_to_its_copy_and_live_is_left_alone() {
    for pragmas in ["PRAGMA journal_mode = WAL;", "PRAGMA journal_mode = DELETE;"] {
        let bed = Bed::with(pragmas, 1_000);
        let mut program = bed.program();
        let backup = program.back_up(&bed);
        let live = fs::read(bed.ledger()).unwrap();
        let copy = open(&mut program, &bed);
        assert_eq!((&copy.backup, &copy.reached), (&backup.id, &backup.position));
        let path = path(&copy);
        assert!(
            path.starts_with(bed.place().canonicalize().unwrap())
                && path.ends_with("rehearsal/ledger.db")
        );
        let (_, again, _) = failed(program.ask(request(&bed)));
        assert!(again.contains("open on this connection already"), "{again}");
        let (_, other, _) = failed(bed.program().ask(request(&bed)));
        assert!(other.contains("a rehearsal of this database is at work already"), "{other}");

        let first = seen(&mut program, &bed);
        assert!(!first.written && !first.visited && first.locks.is_empty(), "{pragmas} {first:?}");
        let count = |sql: &str| -> i64 {
            Connection::open(&path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
        };
        assert_eq!(count("SELECT count(*) FROM transfer"), 1_000);
        let read = seen(&mut program, &bed);
        assert!(read.visited && !read.written && read.schema == first.schema, "{pragmas} {read:?}");
        let quiet = seen(&mut program, &bed);
        assert!(!quiet.visited && !quiet.written, "{pragmas} {quiet:?}");

        let release = Connection::open(&path).unwrap();
        release.execute_batch("INSERT INTO transfer (whose, text) VALUES (1, 'x')").unwrap();
        let wrote = seen(&mut program, &bed);
        assert!(
            wrote.written && wrote.visited && wrote.schema == first.schema,
            "{pragmas} {wrote:?}"
        );

        // A long transaction keeps other writers out.
        locks_are_seen(&release, &mut program, &bed);
        release.execute_batch("ALTER TABLE account ADD note TEXT").unwrap();
        let migrated = seen(&mut program, &bed);
        assert!(migrated.written, "{pragmas} {migrated:?}");
        assert_ne!(migrated.schema, first.schema);
        release.execute_batch("ALTER TABLE account DROP note").unwrap();
        assert_eq!(seen(&mut program, &bed).schema, first.schema);
        drop(release);

        let asked = DataRequest::JudgeOpen { database: bed.guarded(), invariants: vec![money()] };
        let DataAnswer::Judged { invariants } = program.ask(asked) else { panic!("no verdict") };
        assert!(invariants[0].holds(), "{invariants:?}");
        seen(&mut program, &bed);
        let after = seen(&mut program, &bed);
        assert!(!after.written && !after.visited, "{pragmas} asking is no visit: {after:?}");

        assert_eq!(fs::read(bed.ledger()).unwrap(), live, "the live file is as it was");
        assert_eq!(program.ask(DataRequest::Shut { database: bed.guarded() }), DataAnswer::Ok);
        assert!(!bed.place().join("rehearsal").exists());
        let (_, gone, _) = failed(program.ask(DataRequest::Watched { database: bed.guarded() }));
        assert!(gone.contains("no copy is open"), "{gone}");
    }
}

#[test]
fn a_rehearsal_that_is_broken_off_leaves_nothing_and_the_drills_copy_stays() {
    let bed = Bed::new();
    let mut program = bed.program();
    program.back_up(&bed);
    let drill = DataRequest::Drill {
        database: bed.guarded(),
        target: DrillTarget::Newest,
        invariants: vec![],
        keep_scratch: true,
        timeout_ms: 60_000,
        mask: None,
    };
    assert!(matches!(program.ask(drill.clone()), DataAnswer::Drilled { .. }));
    let scratch = bed.place().join("scratch");
    let kept = |scratch: &PathBuf| {
        let mut files: Vec<_> =
            listed(scratch).into_iter().map(|path| fs::read(path).unwrap()).collect();
        files.sort();
        files
    };
    let before = kept(&scratch);
    let rehearsal = bed.place().join("rehearsal");

    let copy = open(&mut program, &bed);
    Connection::open(path(&copy)).unwrap().execute_batch("DELETE FROM transfer").unwrap();
    program.close();
    assert!(!rehearsal.exists());

    // Killed: what lies there goes with the next drill, but never while it is open.
    let mut program = bed.program();
    open(&mut program, &bed);
    let mut other = bed.program();
    assert!(matches!(other.ask(drill.clone()), DataAnswer::Drilled { .. }));
    assert!(rehearsal.exists());
    drop(program);
    assert!(rehearsal.exists(), "nobody was there to put it away");
    let DataAnswer::Drilled { report } = other.ask(drill) else { panic!("no drill") };
    assert!(report.scratch.warm_bytes > 0);
    assert!(!rehearsal.exists());
    assert_eq!(kept(&scratch), before);
}

#[test]
fn what_is_damaged_in_the_repository_is_never_opened() {
    let bed = Bed::new();
    let mut program = bed.program();
    program.back_up(&bed);
    let object = bed.newest_object();
    let mut bytes = fs::read(&object).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&object, bytes).unwrap();
    let (phase, why, _) = failed(program.ask(request(&bed)));
    assert!(phase == DataPhase::Fetch && why.contains("damaged"), "{phase}: {why}");
    assert!(!bed.place().join("rehearsal").exists());
}
