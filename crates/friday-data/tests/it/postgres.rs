//! A real PostgreSQL server under a running load, and what friday-data does beside it.

mod beside;
mod bucket;
mod cluster;
mod masks;
mod pgbackrest;
mod rehearsals;
mod warm;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use friday_wire::data::{
    Backup, DataAnswer, DataPhase, DataRequest, DrillReport, DrillTarget, FindingState, Guarded,
    Invariant, InvariantResult, RestorePoint, Rule,
};

use beside::{Beside, guarded, guarded_at};
use cluster::{ACCOUNTS, Cluster, EACH, as_user, signal};

/// What one request may take here, milliseconds.
const LIMIT_MS: u64 = 150_000;

fn money() -> Vec<Invariant> {
    let sum = (ACCOUNTS * EACH).to_string();
    let rule = |least: &str, most: &str| Rule::Between {
        least: Some(least.into()),
        most: Some(most.into()),
    };
    let invariant = |name: &str, sql: &str, rule: Rule| Invariant {
        name: name.to_owned(),
        sql: sql.to_owned(),
        rule,
        timeout_ms: 30_000,
    };
    vec![
        invariant("money", "SELECT sum(money) FROM account;", rule(&sum, &sum)),
        invariant(
            "no account without filler",
            "SELECT id FROM account WHERE filler IS NULL",
            Rule::NoRows,
        ),
    ]
}

fn back_up(beside: &Beside, database: &Guarded) -> Backup {
    match beside.ask(DataRequest::Backup { database: database.clone() }) {
        DataAnswer::BackedUp { backup, .. } => backup,
        other => panic!("{other:?}"),
    }
}

fn point(beside: &Beside, database: &Guarded, name: &str) -> RestorePoint {
    let request = DataRequest::Point {
        database: database.clone(),
        name: name.to_owned(),
        timeout_ms: LIMIT_MS,
    };
    match beside.ask(request) {
        DataAnswer::Pointed { point } => point,
        other => panic!("{other:?}"),
    }
}

fn to_point(point: &RestorePoint) -> DrillTarget {
    DrillTarget::Point { position: point.position.clone(), backup: point.backup.clone() }
}

fn request(database: &Guarded, target: DrillTarget) -> DataRequest {
    DataRequest::Drill {
        database: database.clone(),
        target,
        invariants: money(),
        keep_scratch: false,
        timeout_ms: LIMIT_MS,
        mask: None,
    }
}

fn drill(beside: &Beside, database: &Guarded, target: DrillTarget) -> DrillReport {
    match beside.ask(request(database, target)) {
        DataAnswer::Drilled { report } => *report,
        other => panic!("{other:?}"),
    }
}

/// A drill that must fail, and leave nothing running.
fn failed(beside: &Beside, database: &Guarded, target: DrillTarget) -> (DataPhase, String) {
    match beside.ask(request(database, target)) {
        DataAnswer::Failed { phase, why, .. } => {
            nothing_runs(beside);
            (phase, why)
        }
        other => panic!("it did not fail: {other:?}"),
    }
}

fn nothing_runs(beside: &Beside) {
    until("the copy's server has ended", || beside.processes("bin/postgres").is_empty());
}

fn until(what: &str, so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(90);
    while !so() {
        assert!(Instant::now() < end, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn lines(report: &DrillReport) -> Vec<String> {
    report.invariants.iter().map(|one| format!("{}: {:?}", one.name, one.result)).collect()
}

#[test]
fn a_damaged_database_is_found_whole_at_its_restore_point_and_live_is_left_alone() {
    let cluster = Cluster::start("");
    cluster.fill();
    let beside = Beside::new(&cluster);
    let database = guarded(&cluster, Some(&a_key()));
    let load = cluster.load();
    let backup = back_up(&beside, &database);
    assert!(
        backup.encrypted && backup.bytes > 20_000_000 && backup.stored < backup.bytes,
        "{backup:?}"
    );
    load.wait_for(200);
    let made = point(&beside, &database, "shop-7");
    assert_eq!(made.backup, backup.id);
    assert_eq!(point(&beside, &database, "shop-7"), made, "asked again, it is the same");
    load.wait_for(50);

    cluster
        .connect()
        .batch_execute("UPDATE account SET money = money + 5, filler = NULL WHERE id < 100")
        .unwrap();
    load.wait_for(50);
    let invariants = money();
    let judged =
        beside.ask(DataRequest::Judge { database: database.clone(), invariants, replica: None });
    let DataAnswer::Judged { invariants } = judged else { panic!("{judged:?}") };
    assert!(!invariants[0].holds() && !invariants[1].holds(), "{invariants:?}");
    let InvariantResult::Broken { rows: 99, listed: Some(listed), .. } = &invariants[1].result
    else {
        panic!("{invariants:?}")
    };
    assert_eq!(fs::read_to_string(listed).unwrap().lines().count(), 99);

    let report = drill(&beside, &database, to_point(&made));
    assert!(report.invariants.iter().all(|one| one.holds()), "{:?}", lines(&report));
    assert!(report.checks.iter().any(|check| check.name == "amcheck"), "{:?}", report.checks);
    assert!(report.checks.iter().any(|check| check.name == "files"), "{:?}", report.checks);
    assert_eq!(report.target, made.position);
    nothing_runs(&beside);
    assert!(beside.files(&["scratch/"]).is_empty(), "the copy is gone");

    // The newest place has the damage, and says so; that is no failure of the drill.
    load.wait_for(20);
    let newest = drill(&beside, &database, DrillTarget::Newest);
    assert!(newest.invariants.iter().all(|one| !one.holds()), "{:?}", lines(&newest));
    assert!(newest.rpo_ms.is_some_and(|ms| ms < 60_000), "{newest:?}");

    // The live server knows nothing of all this.
    load.wait_for(20);
    assert_eq!(cluster.number("SELECT timeline_id::int8 FROM pg_control_checkpoint()"), 1);
    assert_eq!(cluster.number("SELECT count(*) FROM account WHERE filler IS NULL"), 99);
    assert_eq!(cluster.number("SELECT count(*) FROM pg_replication_slots"), 1);
}

#[test]
fn what_is_newest_can_be_had_when_the_server_is_gone() {
    let mut cluster = Cluster::start("");
    cluster.fill();
    let beside = Beside::new(&cluster);
    let database = guarded(&cluster, None);
    back_up(&beside, &database);
    let load = cluster.load();
    load.wait_for(300);
    drop(load);
    let mut client = cluster.connect();
    client.batch_execute("CREATE TABLE last_word AS SELECT 42 AS word").unwrap();
    drop(client);
    let moved = cluster.number("SELECT count(*) FROM moved");
    // Received means written here: the receiver says so within a moment.
    let place = beside.place();
    until("all is received", || {
        cluster.number(
            "SELECT coalesce(max((write_lsn >= pg_current_wal_lsn())::int), 0)::int8 FROM pg_stat_replication",
        ) == 1
    });
    cluster.cut();
    fs::remove_dir_all(cluster.dir.path().join("live")).unwrap();
    assert!(place.join("wal").exists());

    let mut asked = money();
    asked.push(Invariant {
        name: "the last word".to_owned(),
        sql: "SELECT word FROM last_word".to_owned(),
        rule: Rule::Between { least: Some("42".into()), most: Some("42".into()) },
        timeout_ms: 10_000,
    });
    asked.push(Invariant {
        name: "every move".to_owned(),
        sql: "SELECT count(*) FROM moved".to_owned(),
        rule: Rule::Between { least: Some(moved.to_string()), most: Some(moved.to_string()) },
        timeout_ms: 10_000,
    });
    let request = DataRequest::Drill {
        database,
        target: DrillTarget::Newest,
        invariants: asked,
        keep_scratch: false,
        timeout_ms: LIMIT_MS,
        mask: None,
    };
    let answer = beside.ask(request);
    let DataAnswer::Drilled { report } = answer else { panic!("{answer:?}") };
    assert!(report.invariants.iter().all(|one| one.holds()), "{:?}", lines(&report));
    nothing_runs(&beside);
}

#[test]
fn drills_that_cannot_prove_their_target_fail_and_say_why() {
    let cluster = Cluster::start("");
    cluster.fill();
    let beside = Beside::new(&cluster);
    let database = guarded(&cluster, Some(&a_key()));
    back_up(&beside, &database);
    let load = cluster.load();
    load.wait_for(50);
    let made = point(&beside, &database, "shop-1");
    let later = point(&beside, &database, "shop-2");
    drop(load);

    // After the end of all WAL.
    let mut beyond = made.clone();
    if let friday_wire::data::Position::Postgres { lsn, .. } = &mut beyond.position {
        *lsn = "7F/0".to_owned();
    }
    let (_, why) = failed(&beside, &database, to_point(&beyond));
    assert!(why.contains("WAL is missing"), "{why}");

    // With another key, and with none.
    let other = guarded(&cluster, Some(&a_key()));
    let (_, why) = failed(&beside, &other, to_point(&made));
    assert!(why.contains("another key"), "{why}");
    let (_, why) = failed(&beside, &guarded(&cluster, None), to_point(&made));
    assert!(why.contains("no key was given"), "{why}");

    // A base that was cut, or has a flipped bit.
    let base = beside.files(&["base.tar.", ".zst.age"]).pop().expect("a base");
    let whole = fs::read(&base).unwrap();
    flip(&base, 0.7);
    let (phase, why) = failed(&beside, &database, to_point(&made));
    assert!(phase == DataPhase::Fetch && why.contains("damaged"), "{phase}: {why}");
    fs::write(&base, &whole[..whole.len() / 2]).unwrap();
    let (_, why) = failed(&beside, &database, to_point(&made));
    assert!(why.contains("bytes, and"), "{why}");
    fs::write(&base, &whole).unwrap();

    // A flipped bit in the WAL that both points need, then without that segment.
    let verify =
        || match beside.ask(DataRequest::Verify { database: database.clone(), backup: None }) {
            DataAnswer::Verified { report } => report,
            other => panic!("{other:?}"),
        };
    let whole = verify();
    assert!(whole.damage.is_empty() && whole.bytes > 3 * (16 << 20), "the log, too: {whole:?}");
    let segments = beside.files(&["repository/wal/", ".zst.age"]);
    let needed = segments.iter().rev().nth(1).expect("two segments");
    flip(needed, 0.5);
    let damage = verify().damage;
    assert!(damage.len() == 1 && damage[0].contains("WAL segment"), "{damage:?}");
    let (phase, why) = failed(&beside, &database, to_point(&later));
    assert!(
        phase == DataPhase::Replay && why.contains("not those that were stored"),
        "{phase}: {why}"
    );
    let facts = needed.with_extension("").with_extension("json");
    fs::remove_file(facts).unwrap();
    let damage = verify().damage;
    assert!(damage.len() == 1 && damage[0].contains("is missing: nothing after it"), "{damage:?}");
    // What this host still has of it does not count as repaired.
    for near in beside.files(&["shop/orders/wal/"]) {
        if !near.to_string_lossy().ends_with(".partial") {
            let _ = fs::remove_file(near);
        }
    }
    let (_, why) = failed(&beside, &database, to_point(&later));
    assert!(why.contains("WAL is missing from"), "{why}");
    assert_eq!(cluster.number("SELECT sum(money)::int8 FROM account"), ACCOUNTS * EACH);
}

#[test]
fn a_copy_for_a_person_is_a_stopped_cluster_of_its_own() {
    let cluster = Cluster::start("");
    cluster.fill();
    let beside = Beside::new(&cluster);
    let database = guarded(&cluster, None);
    back_up(&beside, &database);
    let made = point(&beside, &database, "shop-1");
    cluster.connect().batch_execute("DROP TABLE account").unwrap();
    let place = cluster.dir.path().join("base/restored");
    let request = |directory: &Path| DataRequest::Restore {
        database: database.clone(),
        target: to_point(&made),
        directory: directory.display().to_string(),
        timeout_ms: LIMIT_MS,
    };
    // Never into what is there.
    let answer = beside.ask(request(&cluster.dir.path().join("live")));
    assert!(
        matches!(&answer, DataAnswer::Failed { why, .. } if why.contains("not empty")),
        "{answer:?}"
    );
    let answer = beside.ask(request(&place));
    let DataAnswer::Restored { report, steps } = answer else { panic!("{answer:?}") };
    assert!(report.scratch.kept);
    nothing_runs(&beside);
    assert!(fs::read_to_string(place.join("READ-ME-FIRST.txt")).unwrap().contains("pg_ctl"));
    let copy = cluster.restored(&place);
    assert_eq!(copy.number("SELECT sum(money)::int8 FROM account"), ACCOUNTS * EACH);
    assert_eq!(copy.number("SELECT (NOT pg_is_in_recovery())::int::int8"), 1);
    drop(copy);

    // What a person is told to do, done as it is told.
    let (live, admin) =
        (cluster.url(), cluster.url().replace("dbname=postgres", "dbname=template1"));
    let new = cluster.url().replace("dbname=postgres", "dbname=postgres_restored");
    let does = |what: &str| {
        let step = steps.iter().find(|step| step.what.starts_with(what)).expect(what);
        for line in &step.run {
            let words =
                [("THE_TABLE", "account"), ("LIVE", &*live), ("ADMIN", &*admin), ("NEW", &*new)];
            let line = words.iter().fold(line.clone(), |line, (word, value)| match *word {
                "THE_TABLE" => line.replace(word, value),
                word => line.replace(&format!(" {word}"), &format!(" '{value}'")),
            });
            let said = as_user(Path::new("sh")).args(["-c", &line]).output().unwrap();
            assert!(said.status.success(), "{line}: {}", String::from_utf8_lossy(&said.stderr));
        }
    };
    does("start the copy");
    does("one table");
    assert_eq!(cluster.number("SELECT sum(money)::int8 FROM restored.account"), ACCOUNTS * EACH);
    does("all of it, first");
    does("all of it, second");
    assert_eq!(cluster.number("SELECT sum(money)::int8 FROM account"), ACCOUNTS * EACH);
    does("the way back");
    assert_eq!(cluster.number("SELECT count(to_regclass('public.account'))"), 0);
    does("stop the copy");
    assert!(place.exists(), "no clean-up touches it");
    assert!(matches!(beside.ask(DataRequest::Clean { database }), DataAnswer::Ok));
    assert!(place.exists());
}

#[test]
fn a_time_comes_back_with_what_was_committed_by_then_and_nothing_later() {
    let cluster = Cluster::start("");
    cluster.fill();
    let beside = Beside::new(&cluster);
    let database = guarded(&cluster, None);
    back_up(&beside, &database);
    let load = cluster.load();
    load.wait_for(200);
    let then_ms = {
        let mut client = cluster.connect();
        client.batch_execute("INSERT INTO account VALUES (-1, 0, 'early')").unwrap();
        let now = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8 + 1";
        let at: i64 = client.query_one(now, &[]).unwrap().get(0);
        u64::try_from(at).unwrap()
    };
    load.wait_for(300);
    drop(load);
    cluster
        .connect()
        .batch_execute(
            "INSERT INTO account VALUES (-2, 0, 'late'); DELETE FROM account WHERE id = -1",
        )
        .unwrap();
    point(&beside, &database, "shop-1");
    let place = cluster.dir.path().join("base/then");
    let answer = beside.ask(DataRequest::Restore {
        database: database.clone(),
        target: DrillTarget::Time { at_ms: then_ms },
        directory: place.display().to_string(),
        timeout_ms: LIMIT_MS,
    });
    let DataAnswer::Restored { report, .. } = answer else { panic!("{answer:?}") };
    assert_ne!(report.reached.to_string(), "");
    let copy = cluster.restored(&place);
    assert_eq!(copy.number("SELECT count(*) FROM account WHERE id = -1"), 1);
    assert_eq!(copy.number("SELECT count(*) FROM account WHERE id = -2"), 0);
    assert_eq!(copy.number("SELECT sum(money)::int8 FROM account"), ACCOUNTS * EACH);
    // The millisecond itself belongs to what was asked for.
    let limit = then_ms + 1;
    let later =
        format!("SELECT count(*) FROM moved WHERE extract(epoch FROM at) * 1000 >= {limit}");
    assert_eq!(copy.number(&later), 0);
    assert!(copy.number("SELECT count(*) FROM moved") >= 100);
    drop(copy);
    // Earlier than every backup.
    let (_, why) = failed(&beside, &database, DrillTarget::Time { at_ms: 1_000_000 });
    assert!(why.contains("which is later"), "{why}");
}

#[test]
fn a_drill_that_is_broken_off_leaves_nothing_running() {
    let cluster = Cluster::start("");
    cluster.fill();
    let beside = Beside::new(&cluster);
    let database = guarded(&cluster, None);
    back_up(&beside, &database);
    let load = cluster.load();
    load.wait_for(100);
    let made = point(&beside, &database, "shop-1");
    drop(load);
    let mut slow = money();
    slow.push(Invariant {
        name: "slow".to_owned(),
        sql: "SELECT pg_sleep(100)::text".to_owned(),
        rule: Rule::NoRows,
        timeout_ms: 100_000,
    });
    let request = || DataRequest::Drill {
        database: database.clone(),
        target: to_point(&made),
        invariants: slow.clone(),
        keep_scratch: false,
        timeout_ms: LIMIT_MS,
        mask: None,
    };
    // Hung up while the copy's server runs.
    let mut line = beside.connect();
    line.send(request());
    line.wait_for(DataPhase::Invariants);
    assert!(!beside.processes("bin/postgres").is_empty());
    line.hang_up();
    nothing_runs(&beside);
    assert!(beside.files(&["scratch/"]).is_empty());

    // Its server is ended in the midst.
    let mut line = beside.connect();
    line.send(request());
    line.wait_for(DataPhase::Invariants);
    for pid in beside.processes("bin/postgres") {
        signal(pid, rustix::process::Signal::QUIT);
    }
    match line.ask(DataRequest::List { database: database.clone() }) {
        DataAnswer::Failed { .. } => {}
        DataAnswer::Drilled { report } => assert!(!report.invariants.iter().all(|one| one.holds())),
        other => panic!("{other:?}"),
    }
    drop(line);

    // The program itself is killed: the next request ends what it left, and puts it away.
    let mut line = beside.connect();
    line.send(request());
    line.wait_for(DataPhase::Invariants);
    line.kill();
    assert!(matches!(
        beside.ask(DataRequest::Clean { database: database.clone() }),
        DataAnswer::Ok
    ));
    nothing_runs(&beside);
    assert!(beside.files(&["scratch/"]).is_empty());
    let report = drill(&beside, &database, to_point(&made));
    assert!(report.invariants.iter().all(|one| one.holds()), "{:?}", lines(&report));
}

#[test]
fn a_receiver_that_ends_is_started_again_and_there_is_never_a_second() {
    let cluster = Cluster::start("");
    cluster.fill();
    let beside = Beside::new(&cluster);
    let database = guarded(&cluster, None);
    back_up(&beside, &database);
    let first = beside.processes("friday-data keep");
    assert_eq!(first.len(), 1, "{first:?}");
    for pid in beside.processes("pg_receivewal") {
        signal(pid, rustix::process::Signal::KILL);
    }
    point(&beside, &database, "after the receiver's end");
    assert_eq!(beside.processes("friday-data keep"), first);
    // The keeping process is killed, too: the next restore point starts another.
    for pid in first {
        signal(pid, rustix::process::Signal::KILL);
    }
    let made = point(&beside, &database, "after its keeper's end");
    assert_eq!(beside.processes("friday-data keep").len(), 1);
    until("one receives", || beside.processes("pg_receivewal").len() == 1);
    let report = drill(&beside, &database, to_point(&made));
    assert!(report.invariants.iter().all(|one| one.holds()), "{:?}", lines(&report));
}

#[test]
fn without_a_backup_there_is_no_restore_point_and_old_backups_go_with_their_wal() {
    let cluster = Cluster::start("");
    cluster.fill();
    let beside = Beside::new(&cluster);
    let database = guarded(&cluster, None);
    let request = DataRequest::Point {
        database: database.clone(),
        name: "early".into(),
        timeout_ms: LIMIT_MS,
    };
    let answer = beside.ask(request);
    let DataAnswer::Failed { why, help: Some(help), .. } = answer else { panic!("{answer:?}") };
    assert!(why.contains("no backup") && help.contains("friday backup"), "{why}; {help}");
    back_up(&beside, &database);
    let segments = beside.files(&["repository/wal/", ".json"]);
    let oldest = segments.first().expect("its own").clone();
    for _ in 0..2 {
        back_up(&beside, &database);
    }
    assert!(!oldest.exists(), "no kept backup needs it");
    let answer = beside.ask(DataRequest::List { database: database.clone() });
    let DataAnswer::Backups { backups } = answer else { panic!("{answer:?}") };
    assert_eq!(backups.len(), 2);
    let report = drill(&beside, &database, DrillTarget::Newest);
    assert_eq!(report.backup, backups[1].id);
}

#[test]
fn after_a_promotion_a_restore_point_says_what_to_do_and_that_helps() {
    let mut cluster = Cluster::start("");
    cluster.fill();
    let beside = Beside::new(&cluster);
    let database = guarded(&cluster, None);
    back_up(&beside, &database);
    point(&beside, &database, "before");
    cluster.promote();
    let asked = DataRequest::Point {
        database: database.clone(),
        name: "after".into(),
        timeout_ms: LIMIT_MS,
    };
    let answer = beside.ask(asked);
    let DataAnswer::Failed { why, help: Some(help), .. } = answer else { panic!("{answer:?}") };
    assert!(why.contains("was promoted") && help.contains("friday backup"), "{why}; {help}");
    let backup = back_up(&beside, &database);
    let made = point(&beside, &database, "after");
    assert_eq!(made.backup, backup.id);
    let report = drill(&beside, &database, to_point(&made));
    assert!(report.invariants.iter().all(|one| one.holds()), "{:?}", lines(&report));
    assert_eq!(cluster.number("SELECT count(*) FROM pg_replication_slots"), 1);
}

#[test]
fn what_is_forgotten_keeps_nothing_on_the_server_and_can_begin_again() {
    let mut cluster = Cluster::start("");
    cluster.fill();
    let beside = Beside::new(&cluster);
    let database = guarded(&cluster, None);
    back_up(&beside, &database);
    let forget = || beside.ask(DataRequest::Forget { database: database.clone() });
    assert_eq!(forget(), DataAnswer::Ok);
    until("nothing receives", || {
        beside.processes("friday-data keep").is_empty()
            && beside.processes("pg_receivewal").is_empty()
    });
    assert_eq!(cluster.number("SELECT count(*) FROM pg_replication_slots"), 0);
    assert_eq!(forget(), DataAnswer::Ok, "there is nothing left to forget");

    // It begins again with the next backup, and goes on from there.
    back_up(&beside, &database);
    let made = point(&beside, &database, "again");
    let report = drill(&beside, &database, to_point(&made));
    assert!(report.invariants.iter().all(|one| one.holds()), "{:?}", lines(&report));

    // Where the server is away, receiving ends all the same, and what is left to do is said.
    cluster.cut();
    let DataAnswer::Failed { why, help: Some(help), .. } = forget() else { panic!("no server") };
    assert!(why.contains("cannot connect"), "{why}");
    assert!(help.contains("pg_drop_replication_slot('friday_orders_"), "{help}");
    until("nothing receives", || beside.processes("friday-data keep").is_empty());
}

#[test]
fn what_is_lacking_is_said_with_the_one_change_that_helps() {
    let cluster = Cluster::start("max_wal_senders = 1\nmax_slot_wal_keep_size = 1GB");
    cluster.connect().batch_execute("CREATE ROLE shop LOGIN; CREATE TABLE bare (x int)").unwrap();
    let beside = Beside::new(&cluster);
    let url = cluster.url().replace("user=postgres", "user=shop");
    let answer = beside.ask(DataRequest::Examine { database: guarded_at(&url, None, None) });
    let DataAnswer::Examined { findings } = answer else { panic!("{answer:?}") };
    let of = |subject: &str| {
        findings
            .iter()
            .find(|one| one.subject == subject)
            .unwrap_or_else(|| panic!("{subject}: {findings:?}"))
    };
    assert_eq!(of("replication").help.as_deref(), Some("ALTER ROLE \"shop\" REPLICATION"));
    assert_eq!(of("max_wal_senders").state, FindingState::Bad);
    assert_eq!(of("max_slot_wal_keep_size").state, FindingState::Good);
    assert_eq!(of("data_checksums").state, FindingState::Good);
    assert!(of("primary keys").says.contains("bare"));
    assert!(of("restore points").help.as_ref().unwrap().contains("GRANT EXECUTE"));
    assert!(beside.processes("keep").is_empty(), "it starts nothing");
}

fn flip(path: &Path, at: f64) {
    let mut bytes = fs::read(path).expect("it is there");
    let place = (bytes.len() as f64 * at) as usize;
    bytes[place] ^= 1;
    fs::write(path, bytes).expect("it can be written");
}

fn a_key() -> String {
    use age::secrecy::ExposeSecret as _;
    age::x25519::Identity::generate().to_string().expose_secret().to_owned()
}
