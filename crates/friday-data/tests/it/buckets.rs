//! Backups in a bucket: the same stories as in a directory, and what a store does that a disk does not.

use std::fs;

use friday_wire::BackupId;
use friday_wire::data::{
    DataAnswer, DataRequest, DrillTarget, FindingState, Guarded, RepositoryPlace, VerifyReport,
};

use crate::bed::{Bed, Program, Writer, drill, failed, key, money};
use crate::store::Store;

fn in_bucket(bed: &Bed, place: RepositoryPlace) -> Guarded {
    let mut database = bed.guarded();
    database.repository.place = place;
    database.repository.key = Some(key(0));
    database
}

fn back_up(
    program: &mut Program,
    database: &Guarded,
) -> (friday_wire::data::Backup, Vec<BackupId>) {
    match program.ask(DataRequest::Backup { database: database.clone() }) {
        DataAnswer::BackedUp { backup, pruned } => (backup, pruned),
        other => panic!("{other:?}"),
    }
}

fn verified(program: &mut Program, database: &Guarded) -> VerifyReport {
    match program.ask(DataRequest::Verify { database: database.clone(), backup: None }) {
        DataAnswer::Verified { report } => report,
        other => panic!("{other:?}"),
    }
}

fn listed(program: &mut Program, database: &Guarded) -> Vec<BackupId> {
    match program.ask(DataRequest::List { database: database.clone() }) {
        DataAnswer::Backups { backups } => backups.into_iter().map(|one| one.id).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_backup_and_a_restore_point_come_back_from_a_bucket() {
    let (bed, store) = (Bed::new(), Store::start());
    let database = in_bucket(&bed, store.place());
    let _writer = Writer::start(bed.ledger());
    let mut program = bed.program();
    let (backup, _) = back_up(&mut program, &database);
    assert!(backup.encrypted);
    assert_eq!(listed(&mut program, &database), std::slice::from_ref(&backup.id));
    // Nothing of it lies on this host.
    assert!(!bed.place().join("repository").exists());
    let objects =
        store.objects(&["shop/main/backups", backup.id.as_str(), "database.sqlite.zst.age"]);
    assert_eq!(objects.len(), 1, "{objects:?}");

    let request = DataRequest::Point {
        database: database.clone(),
        name: "r1".to_owned(),
        timeout_ms: 60_000,
    };
    let DataAnswer::Pointed { point } = program.ask(request.clone()) else { panic!("no point") };
    let DataAnswer::Pointed { point: again } = program.ask(request) else { panic!("no point") };
    assert_eq!(point, again);
    let target =
        DrillTarget::Point { position: point.position.clone(), backup: point.backup.clone() };
    for target in [DrillTarget::Newest, target] {
        let mut request = drill(database.clone(), vec![money()]);
        if let DataRequest::Drill { target: wanted, .. } = &mut request {
            *wanted = target;
        }
        let answer = program.ask(request);
        let DataAnswer::Drilled { report } = answer else { panic!("{answer:?}") };
        assert_eq!(report.reached, point.position);
    }
    let report = verified(&mut program, &database);
    assert_eq!((report.backups, report.damage), (2, vec![]));
    let findings = match program.ask(DataRequest::Examine { database: database.clone() }) {
        DataAnswer::Examined { findings } => findings,
        other => panic!("{other:?}"),
    };
    let found = findings.iter().find(|one| one.subject == "repository").expect("it was looked at");
    assert_eq!(found.state, FindingState::Good, "{found:?}");
}

#[test]
fn what_is_larger_than_a_part_travels_in_several_and_damage_in_each_is_found() {
    let (bed, store) = (Bed::with("", 50_000), Store::start());
    let mut database = in_bucket(&bed, store.place());
    database.repository.key = None;
    let mut program = bed.program();
    let (backup, _) = back_up(&mut program, &database);
    let parts = store.objects(&["database.sqlite.zst.part-"]);
    assert!(parts.len() > 1, "{parts:?}");
    let length: u64 = parts.iter().map(|part| part.metadata().expect("a file").len()).sum();
    assert_eq!(length, backup.stored);
    assert_eq!(verified(&mut program, &database).damage, Vec::<String>::new());
    let answer = program.ask(drill(database.clone(), vec![money()]));
    assert!(matches!(answer, DataAnswer::Drilled { .. }), "{answer:?}");

    let last = parts.last().expect("several");
    let whole = fs::read(last).expect("a file");
    let mut bytes = whole.clone();
    bytes[whole.len() / 2] ^= 4;
    fs::write(last, &bytes).expect("a file");
    let [damage] = &verified(&mut program, &database).damage[..] else { panic!("one damage") };
    assert!(damage.ends_with("its bytes are not those that were stored"), "{damage}");
    fs::remove_file(last).expect("a file");
    let [damage] = &verified(&mut program, &database).damage[..] else { panic!("one damage") };
    assert!(damage.contains("were stored"), "{damage}");
    fs::write(last, &whole).expect("a file");
    fs::remove_file(&parts[0]).expect("a file");
    let (_, why, _) = failed(program.ask(drill(database.clone(), vec![])));
    assert!(why.ends_with("its file is missing"), "{why}");
}

#[test]
fn each_refusal_says_what_to_mend_and_shows_no_secret() {
    let (bed, mut store) = (Bed::new(), Store::start());
    let mut program = bed.program();
    let wrong = "another secret";
    for (place, says, advises) in [
        (store.place_with(None, Some(wrong)), "does not belong to the access key", "secret_key"),
        (store.place_with(Some("AKNOBODY"), None), "access key", "access_key"),
        (
            store.place_of("nowhere", "AKFRIDAY", "a secret that stands in no message"),
            "no bucket `nowhere`",
            "bucket",
        ),
    ] {
        let database = in_bucket(&bed, place);
        for request in [
            DataRequest::Backup { database: database.clone() },
            DataRequest::List { database: database.clone() },
        ] {
            let (_, why, help) = failed(program.ask(request));
            assert!(why.contains(says), "{why}");
            assert!(help.contains(advises), "{help}");
            assert!(!why.contains(wrong) && !why.contains("Signature="), "{why}");
        }
        let DataAnswer::Examined { findings } = program.ask(DataRequest::Examine { database })
        else {
            panic!("not examined")
        };
        let bad = findings.iter().find(|one| one.subject == "repository").expect("looked at");
        assert_eq!(bad.state, FindingState::Bad);
    }
    let database = in_bucket(&bed, store.place());
    store.end();
    let (_, why, help) = failed(program.ask(DataRequest::List { database }));
    assert!(why.contains("the store does not answer"), "{why}");
    assert!(help.contains("endpoint"), "{help}");
}

#[test]
fn a_short_trouble_is_outlived_and_a_long_one_is_not_called_damage() {
    let (bed, store) = (Bed::new(), Store::start());
    let database = in_bucket(&bed, store.place());
    store.cut(2);
    let (backup, _) = back_up(&mut bed.program(), &database);
    let mut program = bed.program();
    store.cut(u32::MAX);
    let (_, why, _) =
        failed(program.ask(DataRequest::Verify { database: database.clone(), backup: None }));
    assert!(why.contains("does not answer"), "{why}");
    store.cut(0);
    let report = verified(&mut program, &database);
    assert_eq!((report.backups, report.damage), (1, vec![]));
    assert_eq!(listed(&mut program, &database), [backup.id]);
}

#[test]
fn old_backups_go_with_all_their_objects_and_leftovers_of_others_stay() {
    let (bed, store) = (Bed::new(), Store::start());
    let database = in_bucket(&bed, store.place());
    let mut program = bed.program();
    let first = back_up(&mut program, &database).0;
    let dir = store.objects(&[first.id.as_str(), "manifest.json"])[0]
        .parent()
        .expect("it has one")
        .to_owned();
    // Another host's that is being written, one that nobody writes any more, and one that was begun here.
    let beside = |name: &str| dir.with_file_name(name);
    let (others, ancient) = (beside("29991231T000000Z-aaaaaa"), beside("20200101T000000Z-bbbbbb"));
    let ours = beside("29991231T000000Z-cccccc");
    for left in [&others, &ancient, &ours] {
        fs::create_dir(left).expect("the bed works");
        fs::write(left.join("database.sqlite.zst.age.part-000000"), "half").expect("the bed works");
    }
    fs::write(bed.place().join("in-use/29991231T000000Z-cccccc"), "").expect("the bed works");
    let mut pruned = Vec::new();
    for _ in 0..3 {
        pruned.extend(back_up(&mut program, &database).1);
    }
    assert_eq!(pruned, std::slice::from_ref(&first.id));
    assert!(store.objects(&[first.id.as_str()]).is_empty());
    assert_eq!(listed(&mut program, &database).len(), 3);
    assert_eq!(store.objects(&["aaaaaa"]).len(), 1);
    assert!(store.objects(&["bbbbbb"]).is_empty() && store.objects(&["cccccc"]).is_empty());
}

#[test]
fn a_store_that_speaks_tls_is_known_by_its_authority_or_not_spoken_to() {
    let bed = Bed::new();
    let certificate = bed.dir.path().join("authority.pem");
    let store = Store::with_tls(&certificate);
    let database = in_bucket(&bed, store.place());

    let mut command = bed.command();
    command.env("SSL_CERT_FILE", &certificate);
    let mut program = Program::start(command);
    let (backup, _) = back_up(&mut program, &database);
    assert_eq!(verified(&mut program, &database).damage, Vec::<String>::new());
    drop(program);

    // Another authority's word does not count, and nothing is said to the store then.
    let other = bed.dir.path().join("other.pem");
    let stranger = Store::with_tls(&other);
    let mut command = bed.command();
    command.env("SSL_CERT_FILE", &other);
    let (_, why, help) =
        failed(Program::start(command).ask(DataRequest::List { database: database.clone() }));
    assert!(why.contains("certificate"), "{why}");
    assert!(help.contains("SSL_CERT_FILE"), "{help}");
    drop(stranger);
    assert_eq!(store.objects(&[backup.id.as_str(), "manifest.json"]).len(), 1);
}
