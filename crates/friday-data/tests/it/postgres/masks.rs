//! Copies without personal data: what is left in their files, and what becomes of a mask that fails.

use std::fs;
use std::path::{Path, PathBuf};

use friday_wire::data::{
    DataAnswer, DataPhase, DataRequest, DrillReport, DrillTarget, Guarded, Invariant, Mask, Rule,
};

use super::beside::{Beside, guarded};
use super::cluster::Cluster;
use super::{LIMIT_MS, back_up, money, nothing_runs, point, request, to_point};

const ALICE: &str = "alice@example.com";

const MASK: &str = "-- whose it is\nUPDATE person SET mail = 'nobody' || id;\nTRUNCATE letter;\n\
                    DELETE FROM person WHERE id % 7 = 0;\n";

/// Rows of hers in two tables, one of them too long for a page, statistics of them, and another database.
fn fill(cluster: &Cluster) {
    cluster.fill();
    let mut client = cluster.connect();
    let tables = format!(
        "CREATE TABLE person (id int PRIMARY KEY, mail text UNIQUE); \
         INSERT INTO person SELECT n, '{ALICE}' || n FROM generate_series(1, 3000) n; \
         CREATE TABLE letter AS SELECT n AS id, '{ALICE}' AS mail, repeat('{ALICE} ' || md5(n::text), 500) AS text \
         FROM generate_series(1, 50) n; \
         ALTER TABLE letter ALTER text SET STORAGE EXTERNAL; UPDATE letter SET text = text || 'x'; ANALYZE"
    );
    client.batch_execute(&tables).expect("it takes it");
    client.batch_execute("CREATE DATABASE other").expect("it takes it");
}

fn asked(database: &Guarded, target: DrillTarget, sql: Option<&str>) -> DataRequest {
    let mut request = request(database, target);
    if let DataRequest::Drill { keep_scratch, mask, invariants, .. } = &mut request {
        *keep_scratch = true;
        *mask = sql.map(|sql| Mask { sql: sql.to_owned() });
        *invariants = money();
        invariants.push(Invariant {
            name: "all are hers".to_owned(),
            sql: format!("SELECT id FROM person WHERE mail NOT LIKE '{ALICE}%'"),
            rule: Rule::NoRows,
            timeout_ms: 30_000,
        });
    }
    request
}

fn drill(
    beside: &Beside,
    database: &Guarded,
    target: DrillTarget,
    sql: Option<&str>,
) -> DrillReport {
    match beside.ask(asked(database, target, sql)) {
        DataAnswer::Drilled { report } => {
            assert!(report.scratch.kept);
            assert!(report.invariants.iter().all(|one| one.holds()), "{report:?}");
            nothing_runs(beside);
            *report
        }
        other => panic!("{other:?}"),
    }
}

/// Which files have her in them.
fn has_her(files: &[PathBuf]) -> Vec<&Path> {
    let has = |file: &&PathBuf| {
        let bytes = fs::read(file).unwrap_or_default();
        bytes.windows(ALICE.len()).any(|some| some == ALICE.as_bytes())
    };
    files.iter().filter(has).map(PathBuf::as_path).collect()
}

#[test]
fn a_kept_copy_is_masked_down_to_its_log_and_the_next_drill_fetches_what_that_changed() {
    let cluster = Cluster::start("");
    fill(&cluster);
    let beside = Beside::new(&cluster);
    let database = guarded(&cluster, None);
    back_up(&beside, &database);
    // What lies in the log only.
    cluster.connect().batch_execute("UPDATE person SET mail = mail || '!' WHERE id < 500").unwrap();
    let made = point(&beside, &database, "shop-1");
    let first = drill(&beside, &database, to_point(&made), None);
    let scratch = || beside.files(&["/scratch/"]);
    assert!(first.masked.is_none() && has_her(&scratch()).len() > 2, "{first:?}");
    let databases = fs::read_dir(beside.place().join("scratch/data/base")).unwrap().count();

    let second = drill(&beside, &database, to_point(&made), Some(MASK));
    assert_eq!(second.masked.map(|masked| masked.statements), Some(3));
    let phases: Vec<DataPhase> = second.phases.iter().map(|time| time.phase).collect();
    assert!(phases.ends_with(&[DataPhase::Invariants, DataPhase::Mask, DataPhase::Clean]));
    assert_eq!(has_her(&scratch()), [] as [&Path; 0]);
    let base = fs::read_dir(beside.place().join("scratch/data/base")).unwrap();
    assert!(base.count() < databases, "another database stayed");

    // By its bytes it is not what was backed up any more: that is fetched, and nothing of the mask is left.
    let third = drill(&beside, &database, to_point(&made), Some("UPDATE person SET mail = id"));
    assert!(third.scratch.warm_bytes > 0, "{third:?}");
    assert!(third.scratch.warm_bytes < third.scratch.bytes, "{third:?}");
    assert_eq!((&third.reached, &third.target), (&first.reached, &first.target));
    let fourth = drill(&beside, &database, to_point(&made), None);
    assert_eq!((&fourth.reached, has_her(&scratch()).is_empty()), (&first.reached, false));
}

#[test]
fn a_mask_that_fails_fails_the_drill_and_nothing_of_the_copy_stays() {
    let cluster = Cluster::start("");
    fill(&cluster);
    let beside = Beside::new(&cluster);
    let database = guarded(&cluster, None);
    let newest = || DrillTarget::Newest;
    back_up(&beside, &database);
    for (sql, says) in [
        ("UPDATE person\nSET maill = ''", "line 2: column \"maill\""),
        (
            "UPDATE person SET mail = 'one'",
            "error 23505, table `person`, constraint `person_mail_key`",
        ),
        ("UPDATE person SET id = mail::int", "error 22P02"),
        ("UPDATE person SET mail = NULL; COMMIT; SELECT 1", "it ends the transaction itself"),
    ] {
        let answer = beside.ask(asked(&database, newest(), Some(sql)));
        let DataAnswer::Failed { phase, why, .. } = answer else { panic!("{answer:?}") };
        assert!(phase == DataPhase::Mask && why.contains(says), "{sql}: {phase}: {why}");
        assert!(!why.contains(ALICE), "{why}");
        nothing_runs(&beside);
        assert!(beside.files(&["/scratch/"]).is_empty(), "{sql}");
    }
    // One that does not end is ended.
    let mut request = asked(&database, newest(), Some("SELECT pg_sleep(600)"));
    if let DataRequest::Drill { timeout_ms, .. } = &mut request {
        *timeout_ms = 15_000;
    }
    let answer = beside.ask(request);
    let DataAnswer::Failed { why, .. } = answer else { panic!("{answer:?}") };
    assert!(why.contains("limit") || why.contains("timeout"), "{why}");
    nothing_runs(&beside);
    assert!(beside.files(&["/scratch/"]).is_empty());
}

#[test]
fn a_rehearsals_copy_is_masked_as_its_owner_before_anybody_is_let_in() {
    let cluster = Cluster::start("");
    fill(&cluster);
    let owned = "CREATE ROLE shop NOLOGIN; ALTER DATABASE postgres OWNER TO shop; \
                 ALTER TABLE person OWNER TO shop; GRANT ALL ON SCHEMA public TO shop";
    cluster.connect().batch_execute(owned).unwrap();
    let beside = Beside::new(&cluster);
    let database = guarded(&cluster, None);
    back_up(&beside, &database);
    let open = |sql: &str| DataRequest::Open {
        database: database.clone(),
        target: DrillTarget::Newest,
        timeout_ms: LIMIT_MS,
        mask: Some(Mask { sql: sql.to_owned() }),
    };
    let mut line = beside.connect();
    let answer = line.ask(open("TRUNCATE letter"));
    let DataAnswer::Failed { phase, why, .. } = answer else { panic!("{answer:?}") };
    assert!(phase == DataPhase::Mask && why.contains("permission denied"), "{phase}: {why}");
    let answer = line.ask(open("UPDATE person SET mail = 'nobody' || id"));
    let DataAnswer::Opened { copy } = answer else { panic!("{answer:?}") };
    assert_eq!(copy.masked.map(|masked| masked.statements), Some(1));
    let looked = line.ask(DataRequest::Watched { database: database.clone() });
    let DataAnswer::Seen { seen } = looked else { panic!("{looked:?}") };
    assert!(!seen.written && !seen.visited, "{seen:?}");
    let asked = Invariant {
        name: "none is hers".to_owned(),
        sql: format!("SELECT id FROM person WHERE mail LIKE '{ALICE}%'"),
        rule: Rule::NoRows,
        timeout_ms: 30_000,
    };
    let judge = DataRequest::JudgeOpen { database: database.clone(), invariants: vec![asked] };
    let judged = line.ask(judge);
    let DataAnswer::Judged { invariants } = judged else { panic!("{judged:?}") };
    assert!(invariants[0].holds(), "{invariants:?}");
    line.hang_up();
    nothing_runs(&beside);
}
