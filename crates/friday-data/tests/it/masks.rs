//! Copies of SQLite files without personal data: what is left in them, and what becomes of a mask that fails.

use std::fs;
use std::path::{Path, PathBuf};

use friday_wire::data::{
    CopyAddress, DataAnswer, DataPhase, DataRequest, DrillReport, DrillTarget, Invariant, Mask,
    Rule,
};
use rusqlite::Connection;

use crate::bed::{Bed, Program, drill, failed, listed, money};

const ALICE: &str = "alice@example.com";

/// Takes her out, and lets the money be.
const MASK: &str = "-- whose it is\nUPDATE transfer SET text = 'nobody' || id;\n\
                    DELETE FROM transfer WHERE id % 7 = 0;\n";

/// A ledger with her in it, and with her in what was removed from it.
fn bed(pragmas: &str) -> Bed {
    let bed = Bed::with(pragmas, 2_000);
    let connection = Connection::open(bed.ledger()).expect("the bed works");
    let written = connection.execute_batch(&format!(
        "PRAGMA secure_delete = OFF; UPDATE transfer SET text = '{ALICE} ' || id; ANALYZE;
         CREATE TABLE gone (text TEXT); INSERT INTO gone SELECT text FROM transfer; DROP TABLE gone;"
    ));
    written.expect("the bed works");
    bed
}

/// What only the true data is.
fn hers() -> Invariant {
    Invariant {
        name: "all are hers".to_owned(),
        sql: format!("SELECT id FROM transfer WHERE text NOT LIKE '{ALICE}%'"),
        rule: Rule::NoRows,
        timeout_ms: 30_000,
    }
}

fn masked(bed: &Bed, sql: Option<&str>) -> DataRequest {
    let mut request = drill(bed.guarded(), vec![money(), hers()]);
    if let DataRequest::Drill { keep_scratch, mask, .. } = &mut request {
        *keep_scratch = true;
        *mask = sql.map(|sql| Mask { sql: sql.to_owned() });
    }
    request
}

fn report(program: &mut Program, request: DataRequest) -> DrillReport {
    match program.ask(request) {
        DataAnswer::Drilled { report } => *report,
        other => panic!("{other:?}"),
    }
}

/// How many files below a directory have her in them.
fn has_her(dir: &Path) -> usize {
    let files = listed(dir).into_iter();
    let bytes = files.map(|file| fs::read(file).expect("it can be read"));
    bytes.filter(|bytes| bytes.windows(ALICE.len()).any(|some| some == ALICE.as_bytes())).count()
}

#[test]
fn a_kept_copy_is_masked_once_it_was_proven_and_the_next_drill_fetches_all_of_it_again() {
    let bed = bed("PRAGMA journal_mode = WAL;");
    let mut program = bed.program();
    let backup = program.back_up(&bed);
    let scratch = bed.place().join("scratch");
    let first = report(&mut program, masked(&bed, None));
    assert!(first.masked.is_none() && has_her(&scratch) == 1, "{first:?}");

    let second = report(&mut program, masked(&bed, Some(MASK)));
    assert!(second.invariants.iter().all(|one| one.holds()), "{second:?}");
    assert_eq!(second.masked.map(|masked| masked.statements), Some(2));
    let phases: Vec<DataPhase> = second.phases.iter().map(|time| time.phase).collect();
    assert!(phases.ends_with(&[DataPhase::Invariants, DataPhase::Mask, DataPhase::Clean]));
    assert!(second.scratch.kept && has_her(&scratch) == 0, "{second:?}");
    let copy = Connection::open(scratch.join("database.sqlite")).unwrap();
    let told = "SELECT sum(amount) FROM account";
    let sum: i64 = copy.query_row(told, [], |row| row.get(0)).unwrap();
    assert_eq!(sum, crate::bed::MONEY);
    drop(copy);

    // Not warm, and not the masked one: what was backed up.
    let third = report(&mut program, masked(&bed, None));
    assert_eq!((third.scratch.warm_bytes, &third.reached), (0, &backup.position));
    assert!(third.invariants.iter().all(|one| one.holds()), "{third:?}");
    assert_eq!(has_her(&scratch), 1);
    assert!(report(&mut program, masked(&bed, None)).scratch.warm_bytes > 0);
}

#[test]
fn a_mask_that_fails_fails_the_drill_and_nothing_of_the_copy_stays() {
    let bed = bed("PRAGMA journal_mode = DELETE;");
    let mut program = bed.program();
    program.back_up(&bed);
    let live = fs::read(bed.ledger()).unwrap();
    let attach = format!("ATTACH '{}' AS live; DELETE FROM live.transfer", bed.ledger().display());
    for (sql, says) in [
        ("UPDATE transfer SET text = 'x'; UPDATE no_such SET a = 1", "statement 2: no such table"),
        ("UPDATE account SET id = 1", "UNIQUE constraint failed: account.id"),
        ("DELETE FROM account WHERE id = 3", "statement 1: FOREIGN KEY"),
        ("UPDATE transfer SET text = 'x'; COMMIT; BEGIN", "statement 2: it reaches beyond"),
        (&attach, "statement 1: it reaches beyond"),
        ("PRAGMA writable_schema = ON", "statement 1: it reaches beyond"),
        ("-- later\n", "no statement"),
        (
            "CREATE TRIGGER no BEFORE UPDATE ON transfer BEGIN SELECT RAISE(ABORT, 'alice@example.com'); END; \
             UPDATE transfer SET text = ''",
            "statement 2: a trigger refused it",
        ),
    ] {
        let (phase, why, _) = failed(program.ask(masked(&bed, Some(sql))));
        assert!(phase == DataPhase::Mask && why.contains(says), "{sql}: {phase}: {why}");
        assert!(!why.contains(ALICE), "{why}");
        assert_eq!(listed(&bed.place().join("scratch")), [] as [PathBuf; 0], "{sql}");
    }
    assert_eq!(fs::read(bed.ledger()).unwrap(), live);
    // Without a copy that stays there is nothing to mask.
    let mut request = masked(&bed, Some("nonsense"));
    if let DataRequest::Drill { keep_scratch, .. } = &mut request {
        *keep_scratch = false;
    }
    let removed = report(&mut program, request);
    assert!(removed.masked.is_none() && !removed.scratch.kept);
}

#[test]
fn a_rehearsals_copy_is_masked_before_anybody_is_let_in() {
    for mode in ["wal", "delete"] {
        let bed = bed(&format!("PRAGMA journal_mode = {mode};"));
        let mut program = bed.program();
        program.back_up(&bed);
        let open = |sql: &str| DataRequest::Open {
            database: bed.guarded(),
            target: DrillTarget::Newest,
            timeout_ms: 60_000,
            mask: Some(Mask { sql: sql.to_owned() }),
        };
        let (phase, why, _) = failed(program.ask(open("UPDATE no_such SET a = 1")));
        assert!(phase == DataPhase::Mask && why.contains("no such table"), "{phase}: {why}");
        assert!(!bed.place().join("rehearsal").exists());
        let DataAnswer::Opened { copy } = program.ask(open(MASK)) else { panic!("it opens") };
        assert_eq!(copy.masked.map(|masked| masked.statements), Some(2));
        let CopyAddress::Sqlite { path } = &copy.address else { panic!("{copy:?}") };
        let DataAnswer::Seen { seen } =
            program.ask(DataRequest::Watched { database: bed.guarded() })
        else {
            panic!("it is looked at")
        };
        assert!(!seen.written && !seen.visited, "{seen:?}");
        assert_eq!(has_her(Path::new(path).parent().unwrap()), 0);
        let release = Connection::open(path).unwrap();
        let is: String = release.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        assert_eq!(is, mode);
    }
}
