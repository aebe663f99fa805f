use super::*;

fn ledger() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch(
            "CREATE TABLE account (id INTEGER PRIMARY KEY, owner TEXT, amount INTEGER);
             INSERT INTO account VALUES (1, 'ann', 60), (2, 'bob', 40);",
        )
        .unwrap();
    connection.authorizer(Some(only_reads)).unwrap();
    connection
}

fn place(base: &Path) -> Place {
    use friday_wire::data::{Engine, Guarded, Repository, RepositoryPlace};
    let place = RepositoryPlace::Directory { path: None };
    let database = Guarded {
        name: friday_wire::DatabaseName::new("main"),
        engine: Engine::Sqlite { path: "x".to_owned() },
        repository: Repository { place, key: None },
        keep: 1,
        scratch: None,
    };
    Place::open(base, &friday_wire::FleetName::new("shop"), &database).unwrap()
}

fn asked(sql: &str, rule: Rule) -> InvariantResult {
    let base = tempfile::tempdir().unwrap();
    let invariant =
        Invariant { name: "one".to_owned(), sql: sql.to_owned(), rule, timeout_ms: 200 };
    let mut connection = ledger();
    let course = Course::quiet();
    let asked = judge(Path::new("x"), &mut connection, &[invariant], &place(base.path()), &course);
    let judged = asked.unwrap().remove(0);
    judged.result
}

fn sum() -> Rule {
    Rule::Between { least: Some("100".to_owned()), most: Some("100".to_owned()) }
}

fn why(sql: &str, rule: Rule) -> String {
    match asked(sql, rule) {
        InvariantResult::Failed { why } => why,
        other => panic!("{sql}: {other:?}"),
    }
}

#[test]
fn numbers_are_judged_by_their_bounds() {
    let holds = asked("SELECT sum(amount) FROM account", sum());
    assert_eq!(holds, InvariantResult::Holds { value: Some("100".to_owned()) });
    let broken = asked("SELECT sum(amount) - 0.5 FROM account", sum());
    let value = Some("99.5".to_owned());
    assert_eq!(broken, InvariantResult::Broken { rows: 1, value, listed: None });
}

#[test]
fn rows_that_break_it_are_counted_and_their_keys_stay_on_the_host() {
    let base = tempfile::tempdir().unwrap();
    let sql = "SELECT id, owner FROM account WHERE amount < 50";
    let invariant = Invariant {
        name: "no/poor".to_owned(),
        sql: sql.to_owned(),
        rule: Rule::NoRows,
        timeout_ms: 5_000,
    };
    let place = place(base.path());
    let course = Course::quiet();
    for _ in 0..LISTS_MAX + 3 {
        let judged =
            judge(Path::new("x"), &mut ledger(), std::slice::from_ref(&invariant), &place, &course);
        let result = judged.unwrap().remove(0).result;
        let InvariantResult::Broken { rows: 1, value: None, listed } = result else {
            panic!("{result:?}")
        };
        // Two in one millisecond share no file; the second has none.
        let Some(listed) = listed else { continue };
        let text = fs::read_to_string(&listed).unwrap();
        assert_eq!(text, "# 1 rows, the first 1 by their column id\n2\n");
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&listed).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(fs::read_dir(place.broken().unwrap()).unwrap().count() <= LISTS_MAX);
    assert_eq!(
        asked("SELECT id FROM account WHERE amount < 0", Rule::NoRows),
        Rule::judge_rows(0, None)
    );
}

#[test]
fn nothing_but_one_statement_that_reads_is_let_through() {
    for sql in [
        "DELETE FROM account",
        "UPDATE account SET amount = 0 RETURNING id",
        "ATTACH '/tmp/other.db' AS other",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA query_only = OFF",
        "CREATE TABLE t (x)",
        "BEGIN IMMEDIATE",
        "VACUUM INTO '/tmp/copy.db'",
    ] {
        let why = why(sql, Rule::NoRows);
        assert_eq!(why, "it does something else than reading", "{sql}");
    }
    assert_eq!(why("SELECT 1; SELECT 2", Rule::NoRows), "it is more than one statement");
    assert!(why("SELECT load_extension('x')", Rule::NoRows).starts_with("not authorized"));
    assert!(!why("SELECT 1; DELETE FROM account", Rule::NoRows).is_empty());
    let met = asked("SELECT sum(amount) FROM account; -- all of it\n", sum());
    assert!(matches!(met, InvariantResult::Holds { .. }), "{met:?}");
    let met = asked("SELECT * FROM pragma_foreign_key_check", Rule::NoRows);
    assert_eq!(met, InvariantResult::Holds { value: None });
}

#[test]
fn what_cannot_be_judged_says_why_and_never_what_the_row_held() {
    assert!(why("SELECT amount FROM account", sum()).contains("more than one row"));
    assert!(why("SELECT amount FROM account WHERE id = 9", sum()).contains("no row"));
    assert_eq!(why("SELECT owner FROM account LIMIT 1", sum()), "its answer is text and no number");
    assert!(why("SELECT NULL", sum()).contains("NULL"));
    assert!(why("SELECT x'00'", sum()).contains("bytes"));
    assert!(why("SELECT nothing FROM account", sum()).contains("nothing"));
    assert!(!why("", Rule::NoRows).is_empty());
}

#[test]
fn a_question_without_end_is_ended() {
    let endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let why = why(endless, sum());
    assert!(why.starts_with("it took longer"), "{why}");
}
