//! Drills that prove something, and drills that must fail.

use std::fs;

use friday_wire::data::{
    DataAnswer, DataPhase, DataRequest, DrillTarget, InvariantResult, Position,
};
use friday_wire::{BackupId, Digest};
use rusqlite::Connection;

use crate::bed::{Bed, MONEY, Writer, drill, failed, key, listed, money};

fn flip(path: &std::path::Path, at: impl Fn(usize) -> usize) {
    let mut bytes = fs::read(path).expect("the bed works");
    let at = at(bytes.len());
    bytes[at] ^= 1;
    fs::write(path, bytes).expect("the bed works");
}

#[test]
fn a_drill_proves_the_copy_measures_and_leaves_nothing() {
    let bed = Bed::with("PRAGMA journal_mode = WAL;", 20_000);
    let _writer = Writer::start(bed.ledger());
    let mut program = bed.program();
    let backup = program.back_up(&bed);
    let report = program.drilled(bed.guarded(), vec![money()]);
    assert_eq!(report.backup, backup.id);
    assert_eq!((&report.target, &report.reached), (&backup.position, &backup.position));
    assert!(matches!(report.invariants[0].result, InvariantResult::Holds { .. }), "{report:?}");
    let checks: Vec<&str> = report.checks.iter().map(|check| &*check.name).collect();
    assert_eq!(checks, ["integrity_check", "foreign_key_check"]);
    let phases: Vec<DataPhase> = report.phases.iter().map(|time| time.phase).collect();
    use DataPhase::{Check, Clean, Fetch, Find, Invariants};
    assert_eq!(phases, [Find, Fetch, Check, Invariants, Clean]);
    assert_eq!(report.phases[1].bytes, backup.bytes);
    let sum: u64 = report.phases.iter().map(|time| time.ms).sum();
    assert!(report.rto_ms <= sum + 100, "{report:?}");
    assert!(!report.scratch.kept);
    assert_eq!(bed.leftovers(), [] as [std::path::PathBuf; 0]);
}

#[test]
fn a_kept_scratch_is_used_again_where_it_is_still_the_same() {
    let bed = Bed::new();
    let mut program = bed.program();
    let backup = program.back_up(&bed);
    let mut keep = || {
        let DataRequest::Drill { database, target, invariants, timeout_ms, .. } =
            drill(bed.guarded(), vec![])
        else {
            panic!("a drill")
        };
        let request = DataRequest::Drill {
            database,
            target,
            invariants,
            keep_scratch: true,
            timeout_ms,
            mask: None,
        };
        match program.ask(request) {
            DataAnswer::Drilled { report } => report.scratch,
            other => panic!("{other:?}"),
        }
    };
    let first = keep();
    assert_eq!((first.warm_bytes, first.kept), (0, true));
    assert_eq!(keep().warm_bytes, backup.bytes);
    // Somebody changed it: it is fetched anew.
    flip(&bed.place().join("scratch/database.sqlite"), |length| length / 2);
    assert_eq!(keep().warm_bytes, 0);
    assert_eq!(keep().warm_bytes, backup.bytes);
    assert_eq!(program.ask(DataRequest::Clean { database: bed.guarded() }), DataAnswer::Ok);
    assert!(!bed.place().join("scratch").exists());
}

#[test]
fn a_restore_point_comes_back_as_it_was_beside_the_live_file() {
    let bed = Bed::new();
    let writer = Writer::start(bed.ledger());
    let mut program = bed.program();
    let request =
        DataRequest::Point { database: bed.guarded(), name: "r1".to_owned(), timeout_ms: 60_000 };
    let DataAnswer::Pointed { point } = program.ask(request) else { panic!("no point") };
    writer.writes_more();
    drop(writer);
    Connection::open(bed.ledger()).unwrap().execute("UPDATE account SET amount = 0", []).unwrap();
    program.back_up(&bed);
    let restore = |directory: &std::path::Path| DataRequest::Restore {
        database: bed.guarded(),
        target: DrillTarget::Point {
            position: point.position.clone(),
            backup: point.backup.clone(),
        },
        directory: directory.display().to_string(),
        timeout_ms: 60_000,
    };
    let directory = bed.dir.path().join("restored/here");
    let DataAnswer::Restored { report, steps } = program.ask(restore(&directory)) else {
        panic!("no copy")
    };
    assert_eq!(report.reached, point.position);
    let sum = |path: &std::path::Path| -> i64 {
        let opened = Connection::open(path).unwrap();
        opened.query_row("SELECT sum(amount) FROM account", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(sum(&directory.join("ledger.db")), MONEY);
    assert_eq!(sum(&bed.ledger()), 0);
    let (_, why, _) = failed(program.ask(restore(&directory)));
    assert!(why.ends_with("is not empty"), "{why}");

    // What a person is told to do, done as it is told.
    let does = |what: &str| -> String {
        let step = steps.iter().find(|step| step.what.starts_with(what)).expect(what);
        step.run.iter().map(|line| shell(&line.replace("THE_TABLE", "account"))).collect()
    };
    assert!(!does("one table: compare").is_empty());
    does("one table: put it beside");
    let opened = Connection::open(bed.ledger()).unwrap();
    let back: i64 =
        opened.query_row("SELECT sum(amount) FROM account_restored", [], |row| row.get(0)).unwrap();
    assert_eq!((back, sum(&bed.ledger())), (MONEY, 0));
    drop(opened);
    does("all of it, second");
    assert_eq!(sum(&bed.ledger()), MONEY);
    does("the way back");
    assert_eq!(sum(&bed.ledger()), 0);
}

/// What a person's shell says to a line.
fn shell(line: &str) -> String {
    let said = std::process::Command::new("sh").args(["-c", line]).output().expect("the bed works");
    assert!(said.status.success(), "{line}: {}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8(said.stdout).expect("the bed works")
}

#[test]
fn a_time_comes_back_as_the_newest_copy_from_before_it() {
    let bed = Bed::new();
    let mut program = bed.program();
    let first = program.back_up(&bed);
    let between = first.began_at_ms + first.took_ms;
    // The clock of the next copy is another one.
    while now_ms() <= between + 1 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    Connection::open(bed.ledger())
        .expect("the bed works")
        .execute("UPDATE account SET amount = 0", [])
        .unwrap();
    let second = program.back_up(&bed);
    let mut at = |at_ms: u64, name: &str| {
        program.ask(DataRequest::Restore {
            database: bed.guarded(),
            target: DrillTarget::Time { at_ms },
            directory: bed.dir.path().join(name).display().to_string(),
            timeout_ms: 60_000,
        })
    };
    let DataAnswer::Restored { report, .. } = at(between, "then") else { panic!("no copy") };
    assert_eq!(report.backup, first.id);
    let DataAnswer::Restored { report, .. } = at(now_ms(), "now") else { panic!("no copy") };
    assert_eq!(report.backup, second.id);
    let (_, why, help) = failed(at(first.began_at_ms - 60_000, "too early"));
    assert!(why.contains("which is later") && help.contains("backup list"), "{why}; {help}");
}

fn now_ms() -> u64 {
    let since =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("the bed works");
    u64::try_from(since.as_millis()).expect("the bed works")
}

#[test]
fn a_target_that_the_backup_does_not_hold_is_not_reached() {
    let bed = Bed::new();
    let mut program = bed.program();
    let (_, why, help) = failed(program.drill(bed.guarded(), vec![]));
    assert_eq!(
        (&*why, &*help),
        ("there is no backup in the repository", "make one: friday backup")
    );
    let backup = program.back_up(&bed);
    let mut ask = |position: Position, backup: BackupId| {
        let target = DrillTarget::Point { position, backup };
        failed(program.ask(DataRequest::Drill {
            database: bed.guarded(),
            target,
            invariants: vec![],
            keep_scratch: false,
            timeout_ms: 60_000,
            mask: None,
        }))
    };
    let (_, why, _) = ask(Position::Sqlite { digest: Digest([7; 32]) }, backup.id.clone());
    assert!(why.contains("and not the target"), "{why}");
    let (_, why, _) = ask(backup.position.clone(), BackupId::new("20000101T000000Z-000000"));
    assert!(why.starts_with("there is no backup 2000"), "{why}");
    let (_, why, _) = ask(backup.position, BackupId::new("../.."));
    assert!(why.starts_with("there is no backup"), "{why}");
}

#[test]
fn damage_fails_the_drill_and_is_named() {
    for keyed in [false, true] {
        let bed = Bed::with("PRAGMA journal_mode = WAL;", 3_000);
        let mut guarded = bed.guarded();
        guarded.repository.key = keyed.then(|| key(0));
        let mut program = bed.program();
        let answer = program.ask(DataRequest::Backup { database: guarded.clone() });
        assert!(matches!(answer, DataAnswer::BackedUp { .. }), "{answer:?}");
        let object = bed.newest_object();
        let whole = fs::read(&object).unwrap();
        for at in [3, whole.len() / 2, whole.len() - 2] {
            flip(&object, |_| at);
            let (phase, why, help) = failed(program.drill(guarded.clone(), vec![]));
            assert_eq!(phase, DataPhase::Fetch);
            assert!(why.ends_with("its bytes are not those that were stored"), "{at}: {why}");
            assert!(help.contains("friday backup verify"));
            fs::write(&object, &whole).unwrap();
        }
        fs::write(&object, &whole[..whole.len() / 2]).unwrap();
        let (_, why, _) = failed(program.drill(guarded.clone(), vec![]));
        let have = format!("it has {} bytes, and {} were stored", whole.len() / 2, whole.len());
        assert!(why.ends_with(&have), "{why}");
        fs::remove_file(&object).unwrap();
        let (_, why, _) = failed(program.drill(guarded.clone(), vec![]));
        assert!(why.ends_with("its file is missing"), "{why}");
        let manifest = object.parent().unwrap().join("manifest.json");
        flip(&manifest, |length| length / 2);
        let (_, why, _) = failed(program.drill(guarded, vec![]));
        assert!(why.contains("its manifest is damaged"), "{why}");
        assert_eq!(bed.leftovers(), [] as [std::path::PathBuf; 0]);
    }
}

#[test]
fn the_wrong_key_and_no_key_are_told_apart_from_damage() {
    let bed = Bed::new();
    let mut program = bed.program();
    let mut guarded = bed.guarded();
    guarded.repository.key = Some(key(0));
    let DataAnswer::BackedUp { backup, .. } =
        program.ask(DataRequest::Backup { database: guarded.clone() })
    else {
        panic!("no backup")
    };
    assert!(backup.encrypted);
    let stored = fs::read(bed.newest_object()).unwrap();
    assert!(stored.starts_with(b"age-encryption.org/v1"));
    guarded.repository.key = Some(key(1));
    let (_, why, _) = failed(program.drill(guarded.clone(), vec![]));
    assert!(why.ends_with("it is encrypted to another key than the one given"), "{why}");
    guarded.repository.key = None;
    let (_, why, _) = failed(program.drill(guarded.clone(), vec![]));
    assert!(why.ends_with("it is encrypted, and no key was given"), "{why}");
    guarded.repository.key = Some(friday_wire::data::Hidden::new("hunter2"));
    let (_, why, _) = failed(program.drill(guarded.clone(), vec![]));
    assert!(why.contains("not an identity of age") && !why.contains("hunter2"), "{why}");
    guarded.repository.key = Some(key(0));
    assert!(program.drilled(guarded, vec![money()]).invariants[0].holds());
}

#[test]
fn a_damaged_database_is_neither_backed_up_nor_passed_by_a_drill() {
    // A page of a table, overwritten: the quick look finds it when the copy is made.
    let bed = Bed::with("PRAGMA journal_mode = DELETE;", 3_000);
    let mut bytes = fs::read(bed.ledger()).unwrap();
    let at = bytes.len() / 2 / 4_096 * 4_096;
    bytes[at..at + 4_096].fill(0xa5);
    fs::write(bed.ledger(), bytes).unwrap();
    let mut program = bed.program();
    let (_, why, help) = failed(program.ask(DataRequest::Backup { database: bed.guarded() }));
    assert!(why.contains("quick_check found") || why.contains("damaged"), "{why}");
    assert!(!help.is_empty());
    assert_eq!(bed.leftovers(), [] as [std::path::PathBuf; 0]);

    // An index that lacks a row: only the drill's long look finds that.
    let bed = Bed::with("PRAGMA journal_mode = DELETE;", 300);
    let connection = Connection::open(bed.ledger()).unwrap();
    connection
        .execute_batch(
            "CREATE INDEX amounts ON account (amount) WHERE id > 50;
             PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET sql = 'CREATE INDEX amounts ON account (amount) WHERE id > 40' WHERE name = 'amounts';",
        )
        .unwrap();
    drop(connection);
    let mut program = bed.program();
    program.back_up(&bed);
    let (phase, why, _) = failed(program.drill(bed.guarded(), vec![]));
    assert_eq!(phase, DataPhase::Check);
    assert!(why.contains("integrity_check found 10 errors in the copy"), "{why}");
    assert_eq!(bed.leftovers(), [] as [std::path::PathBuf; 0]);
}

#[test]
fn an_invariant_that_is_broken_on_the_copy_is_in_the_report() {
    let bed = Bed::new();
    Connection::open(bed.ledger()).unwrap().execute("UPDATE account SET amount = 1", []).unwrap();
    let mut program = bed.program();
    program.back_up(&bed);
    let report = program.drilled(bed.guarded(), vec![money()]);
    let value = Some("100".to_owned());
    assert_eq!(
        report.invariants[0].result,
        InvariantResult::Broken { rows: 1, value, listed: None }
    );
    assert!(listed(&bed.place().join("scratch")).is_empty());
}
