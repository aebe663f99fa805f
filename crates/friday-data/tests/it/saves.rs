//! Backups and restore points, while money moves.

use std::os::unix::fs::PermissionsExt;

use friday_wire::data::{DataAnswer, DataRequest, FindingState, InvariantResult, Position, Rule};

use crate::bed::{Bed, Writer, listed, money};

fn point(bed: &Bed, name: &str) -> DataRequest {
    DataRequest::Point { database: bed.guarded(), name: name.to_owned(), timeout_ms: 60_000 }
}

#[test]
fn a_restore_point_asked_twice_is_the_same_one() {
    let bed = Bed::new();
    let writer = Writer::start(bed.ledger());
    let DataAnswer::Pointed { point: first } = bed.program().ask(point(&bed, "rollout-1")) else {
        panic!("no point")
    };
    writer.writes_more();
    // Another process, as after a crash.
    let mut program = bed.program();
    assert_eq!(program.ask(point(&bed, "rollout-1")), DataAnswer::Pointed { point: first.clone() });
    let DataAnswer::Pointed { point: second } = program.ask(point(&bed, "rollout-2")) else {
        panic!("no point")
    };
    assert_ne!(first.backup, second.backup);
    assert!(second.at_ms >= first.at_ms);
    assert!(matches!(first.position, Position::Sqlite { .. }));
    assert_eq!(bed.leftovers(), [] as [std::path::PathBuf; 0]);
    // One that was lost meanwhile is made anew.
    let lost = bed.place().join("repository/backups").join(second.backup.as_str());
    std::fs::remove_file(lost.join("database.sqlite.zst")).unwrap();
    let DataAnswer::Pointed { point: third } = program.ask(point(&bed, "rollout-2")) else {
        panic!("no point")
    };
    assert_ne!(third.backup, second.backup);
    program.close();
}

#[test]
fn backups_are_listed_pruned_and_private_and_writers_go_on() {
    let bed = Bed::with("PRAGMA journal_mode = WAL;", 20_000);
    let writer = Writer::start(bed.ledger());
    let mut program = bed.program();
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(program.back_up(&bed));
        writer.writes_more();
    }
    let DataAnswer::Backups { backups } =
        program.ask(DataRequest::List { database: bed.guarded() })
    else {
        panic!("no list")
    };
    assert_eq!(backups, made[2..]);
    let backup = &backups[0];
    assert!(backup.stored > 0 && backup.stored < backup.bytes && !backup.encrypted);
    assert!(backup.engine_version.starts_with("SQLite 3."));
    for dir in [bed.base(), bed.place(), bed.newest_object().parent().unwrap().to_owned()] {
        assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700, "{dir:?}");
    }
    let DataAnswer::Verified { report } =
        program.ask(DataRequest::Verify { database: bed.guarded(), backup: None })
    else {
        panic!("no report")
    };
    assert_eq!((report.backups, report.damage), (3, vec![]));
    program.close();
}

#[test]
fn all_modes_and_page_sizes_are_copied() {
    for pragmas in [
        "PRAGMA page_size = 512; PRAGMA journal_mode = DELETE;",
        "PRAGMA page_size = 65536; PRAGMA journal_mode = WAL;",
        "PRAGMA encoding = 'UTF-16'; PRAGMA auto_vacuum = FULL; PRAGMA journal_mode = TRUNCATE;",
    ] {
        let bed = Bed::with(pragmas, 3_000);
        let mut program = bed.program();
        program.back_up(&bed);
        let report = program.drilled(bed.guarded(), vec![money()]);
        assert!(report.invariants[0].holds(), "{pragmas}: {report:?}");
    }
}

#[test]
fn the_live_file_is_judged_at_one_moment_and_rows_stay_on_the_host() {
    let bed = Bed::new();
    let _writer = Writer::start(bed.ledger());
    let mut broken = money();
    broken.name = "no accounts".to_owned();
    broken.sql = "SELECT id, amount FROM account WHERE id <= 3".to_owned();
    broken.rule = Rule::NoRows;
    let (database, invariants) = (bed.guarded(), vec![money(), broken, money()]);
    let request = DataRequest::Judge { database, invariants, replica: None };
    let DataAnswer::Judged { invariants } = bed.program().ask(request) else {
        panic!("no verdict")
    };
    assert!(invariants[0].holds() && invariants[2].holds(), "{invariants:?}");
    let InvariantResult::Broken { rows: 3, listed: Some(listed), .. } = &invariants[1].result
    else {
        panic!("{invariants:?}")
    };
    let text = std::fs::read_to_string(listed).unwrap();
    assert!(text.ends_with("\n1\n2\n3\n"), "{text}");
    assert_eq!(std::fs::metadata(listed).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_is_possible_is_said_beforehand_and_nothing_is_changed() {
    let bed = Bed::with("CREATE TABLE note (text TEXT);", 10);
    let before = std::fs::read(bed.ledger()).unwrap();
    let answer = bed.program().ask(DataRequest::Examine { database: bed.guarded() });
    let DataAnswer::Examined { findings } = answer else { panic!("{answer:?}") };
    let of = |subject: &str| findings.iter().find(|one| one.subject == subject).unwrap();
    assert_eq!(of("file").state, FindingState::Good);
    assert_eq!(of("journal_mode").state, FindingState::Warn);
    assert_eq!(of("primary_keys").says, "without a primary key: note");
    assert_eq!(of("key").state, FindingState::Warn);
    assert_eq!(of("repository").state, FindingState::Good);
    assert!(of("version").says.contains(rusqlite::version()));
    assert_eq!(std::fs::read(bed.ledger()).unwrap(), before);
    assert!(listed(&bed.place().join("repository")).is_empty());

    let mut gone = bed.guarded();
    gone.engine = friday_wire::data::Engine::Sqlite { path: "/nowhere/at.db".to_owned() };
    let DataAnswer::Examined { findings } =
        bed.program().ask(DataRequest::Examine { database: gone })
    else {
        panic!("no findings")
    };
    let file = findings.iter().find(|one| one.subject == "file").unwrap();
    assert_eq!(
        (file.state, &*file.says),
        (FindingState::Bad, "there is no database at `/nowhere/at.db`")
    );
}
