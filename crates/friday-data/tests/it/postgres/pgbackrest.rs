//! A stanza of the real pgBackRest, that a team made: friday backs up, lists, verifies, drills and restores through it.

mod bed;

use std::fs;
use std::time::Duration;

use friday_wire::BackupId;
use friday_wire::data::{
    DataAnswer, DataPhase, DataRequest, DrillTarget, Engine, FindingState, PostgresBackup,
};

use super::cluster::{ACCOUNTS, EACH};
use super::{
    LIMIT_MS, back_up, drill, failed, lines, nothing_runs, point, request, to_point, until,
};
use bed::Bed;

const HELD: [&str; 2] = [
    "money: Holds { value: Some(\"2000000\") }",
    "no account without filler: Holds { value: None }",
];

fn verify(bed: &Bed, backup: Option<BackupId>) -> Vec<String> {
    match bed.beside.ask(DataRequest::Verify { database: bed.database.clone(), backup }) {
        DataAnswer::Verified { report } => report.damage,
        other => panic!("{other:?}"),
    }
}

fn list(bed: &Bed) -> Vec<friday_wire::data::Backup> {
    match bed.beside.ask(DataRequest::List { database: bed.database.clone() }) {
        DataAnswer::Backups { backups } => backups,
        other => panic!("{other:?}"),
    }
}

fn findings(bed: &Bed) -> Vec<(String, FindingState, String)> {
    match bed.beside.ask(DataRequest::Examine { database: bed.database.clone() }) {
        DataAnswer::Examined { findings } => {
            findings.into_iter().map(|one| (one.subject, one.state, one.says)).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn says(bed: &Bed, subject: &str, state: FindingState) -> String {
    let all = findings(bed);
    let found = all.iter().find(|one| one.0 == subject && one.1 == state);
    found.unwrap_or_else(|| panic!("nothing of {subject}: {all:?}")).2.clone()
}

#[test]
fn through_a_stanza_damage_is_found_whole_at_its_restore_point() {
    let bed = Bed::new();
    bed.cluster.fill();
    let load = bed.cluster.load();
    load.wait_for(50);
    let backup = back_up(&bed.beside, &bed.database);
    assert!(backup.id.as_str().ends_with('F') && !backup.encrypted, "{backup:?}");
    assert!(backup.bytes > 10_000_000 && backup.stored > 0, "{backup:?}");
    load.wait_for(50);
    let at = point(&bed.beside, &bed.database, "R-1");
    assert_eq!(at.backup, backup.id);
    assert_eq!(point(&bed.beside, &bed.database, "R-1"), at, "asked again, it is the same");
    load.wait_for(20);
    drop(load);
    bed.cluster
        .connect()
        .batch_execute("UPDATE account SET money = 0 WHERE id <= 500")
        .expect("damage");
    bed.archived();

    let report = drill(&bed.beside, &bed.database, to_point(&at));
    assert_eq!(lines(&report), HELD);
    assert_eq!(report.target, at.position);
    assert_eq!(report.backup, backup.id);
    let checks: Vec<&str> = report.checks.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(checks.first(), Some(&"pgbackrest restore"), "{checks:?}");
    assert!(checks.iter().any(|name| name.contains("amcheck")), "{checks:?}");
    nothing_runs(&bed.beside);

    let newest = drill(&bed.beside, &bed.database, DrillTarget::Newest);
    assert!(lines(&newest)[0].contains("Broken"), "the damage is in the newest: {newest:?}");
    assert!(newest.rpo_ms.is_some());
    assert!(bed.cluster.number("SELECT sum(money)::int8 FROM account") < ACCOUNTS * EACH);
    assert!(verify(&bed, None).is_empty());
}

#[test]
fn a_warm_drill_fetches_what_differs_and_a_killed_one_is_gone_on_with() {
    let bed = Bed::new();
    bed.cluster.fill();
    let backup = back_up(&bed.beside, &bed.database);
    bed.written();
    let mut keep = request(&bed.database, DrillTarget::Newest);
    if let DataRequest::Drill { keep_scratch, .. } = &mut keep {
        *keep_scratch = true;
    }
    let drilled = |request: &DataRequest| match bed.beside.ask(request.clone()) {
        DataAnswer::Drilled { report } => *report,
        other => panic!("{other:?}"),
    };
    let cold = drilled(&keep);
    assert_eq!((cold.scratch.warm_bytes, cold.scratch.kept), (0, true));
    let warm = drilled(&keep);
    assert!(warm.scratch.warm_bytes > backup.bytes / 2, "{:?} of {}", warm.scratch, backup.bytes);
    assert_eq!(lines(&warm), HELD);

    // The connection goes in the midst of it: what lies there is ours, and the next goes on with it.
    let mut line = bed.beside.connect();
    line.send(keep.clone());
    until("the restore has begun", || !bed.beside.processes("postgres").is_empty());
    drop(line);
    nothing_runs(&bed.beside);
    assert_eq!(lines(&drilled(&keep)), HELD);
}

#[test]
fn backups_that_others_made_are_listed_and_drilled_once_one_was_made_through_friday() {
    let bed = Bed::new();
    bed.cluster.fill();
    bed.pgbackrest(&["backup"]);
    bed.written();
    let foreign = list(&bed);
    assert_eq!(foreign.len(), 1);
    let (phase, why) = failed(&bed.beside, &bed.database, DrillTarget::Newest);
    assert_eq!(phase, DataPhase::Find);
    assert!(why.contains("was not made through friday"), "{why}");
    assert!(says(&bed, "backups", FindingState::Warn).contains("none was made through friday"));

    let ours = back_up(&bed.beside, &bed.database);
    bed.pgbackrest(&["backup", "--type=full"]);
    bed.written();
    let all = list(&bed);
    assert_eq!(all.len(), 3);
    assert_eq!(all[1].id, ours.id);
    let report = drill(&bed.beside, &bed.database, DrillTarget::Newest);
    assert_eq!(report.backup, all[2].id, "the newest, whoever made it");
    assert_eq!(lines(&report), HELD);
}

#[test]
fn a_time_is_restored_beside_the_live_server() {
    let bed = Bed::new();
    bed.cluster.fill();
    back_up(&bed.beside, &bed.database);
    // pgBackRest counts in seconds.
    std::thread::sleep(Duration::from_millis(2_100));
    bed.cluster.connect().batch_execute("INSERT INTO moved DEFAULT VALUES").expect("a row");
    std::thread::sleep(Duration::from_millis(20));
    let now: i64 =
        bed.cluster.number("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8");
    std::thread::sleep(Duration::from_millis(20));
    bed.cluster.connect().batch_execute("DROP TABLE moved").expect("damage");
    bed.archived();
    let directory = bed.cluster.dir.path().join("beside-live");
    let answer = bed.beside.ask(DataRequest::Restore {
        database: bed.database.clone(),
        target: DrillTarget::Time { at_ms: now.try_into().expect("a time") },
        directory: directory.display().to_string(),
        timeout_ms: LIMIT_MS,
    });
    let DataAnswer::Restored { steps, .. } = answer else { panic!("{answer:?}") };
    assert!(!steps.is_empty());
    let copy = bed.cluster.restored(&directory);
    assert_eq!(copy.number("SELECT count(*) FROM moved"), 1);
    assert_eq!(copy.number("SELECT sum(money)::int8 FROM account"), ACCOUNTS * EACH);
}

#[test]
fn damage_in_the_repository_is_told_and_drilled_by_nobody() {
    let bed = Bed::new();
    bed.cluster.fill();
    let backup = back_up(&bed.beside, &bed.database);
    let at = point(&bed.beside, &bed.database, "R-1");
    let stored = bed.stored(&["backup", "pg_data/base"]);
    let largest = stored.iter().max_by_key(|path| fs::metadata(path).map_or(0, |meta| meta.len()));
    let largest = largest.expect("there are files").clone();
    let whole = fs::read(&largest).expect("it can be read");
    let mut bytes = whole.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    fs::write(&largest, &bytes).expect("it can be written");
    let damage = verify(&bed, Some(backup.id.clone()));
    assert!(damage.iter().any(|line| line.contains(backup.id.as_str())), "{damage:?}");
    let (phase, why) = failed(&bed.beside, &bed.database, to_point(&at));
    assert_eq!(phase, DataPhase::Fetch);
    assert!(why.contains("pgbackrest failed"), "{why}");
    fs::write(&largest, &whole).expect("it can be written");

    // A segment between the backup and the point goes.
    point(&bed.beside, &bed.database, "R-2");
    let at = point(&bed.beside, &bed.database, "R-3");
    let segments = bed.stored(&["archive", "00000001", "-"]);
    fs::remove_file(&segments[segments.len() - 2]).expect("it can be removed");
    let (phase, why) = failed(&bed.beside, &bed.database, to_point(&at));
    assert_eq!(phase, DataPhase::Find);
    assert!(why.contains("WAL is missing"), "{why}");
    let damage = verify(&bed, None);
    assert!(damage.iter().any(|line| line.contains("is missing")), "{damage:?}");
}

#[test]
fn a_restore_point_is_none_before_the_stanza_has_it() {
    let bed = Bed::new();
    bed.cluster.fill();
    back_up(&bed.beside, &bed.database);
    let fails = |name: &str| {
        let database = bed.database.clone();
        match bed.beside.ask(DataRequest::Point {
            database,
            name: name.to_owned(),
            timeout_ms: 4_000,
        }) {
            DataAnswer::Failed { why, .. } => why,
            other => panic!("it is no point: {other:?}"),
        }
    };
    bed.set("archive_command = '/bin/true'");
    let why = fails("R-1");
    assert!(why.contains("archive_command leads elsewhere"), "{why}");
    assert!(says(&bed, "archive_command", FindingState::Bad).contains("stanza `main`"));
    bed.set("archive_command = '/bin/false'");
    let why = fails("R-2");
    assert!(why.contains("archive_command fails"), "{why}");
    assert!(says(&bed, "archiving", FindingState::Bad).contains("fails at segment"));
}

#[test]
fn what_friday_s_own_backups_left_running_is_told_and_forgotten() {
    let bed = Bed::new();
    let mut before = bed.database.clone();
    if let Engine::Postgres { backup, .. } = &mut before.engine {
        *backup = PostgresBackup::Stream;
    }
    back_up(&bed.beside, &before);
    assert!(says(&bed, "receiving WAL", FindingState::Warn).contains("replication slot"));
    let forgotten = bed.beside.ask(DataRequest::Forget { database: bed.database.clone() });
    assert!(matches!(forgotten, DataAnswer::Ok), "{forgotten:?}");
    assert!(!findings(&bed).iter().any(|one| one.0 == "receiving WAL"));
    assert_eq!(bed.cluster.number("SELECT count(*) FROM pg_replication_slots"), 0);
}

#[test]
fn what_is_not_there_is_told_before_anything_is_done() {
    let mut bed = Bed::new();
    assert!(says(&bed, "stanza", FindingState::Good).contains("has 0 backups"));
    let (_, why) = failed(&bed.beside, &bed.database, DrillTarget::Newest);
    assert!(why.contains("has no backup"), "{why}");
    if let Engine::Postgres { backup: PostgresBackup::PgBackRest { stanza, .. }, .. } =
        &mut bed.database.engine
    {
        "other".clone_into(stanza);
    }
    assert!(says(&bed, "stanza", FindingState::Bad).contains("stanza `other` cannot be used"));
    match bed.beside.ask(DataRequest::Backup { database: bed.database.clone() }) {
        DataAnswer::Failed { why, help, .. } => {
            assert!(why.contains("`other`"), "{why}");
            assert!(help.is_some_and(|help| help.contains("stanza-create")));
        }
        other => panic!("{other:?}"),
    }
}
