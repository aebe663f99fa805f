//! Guarded databases with a real SQLite file and the real program beside it, as a person meets them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::sandbox::{PATIENCE, Sandbox, config};

const GUARDED: &str = r#"
[[database]]
name = "orders"
host = "local:1"
sqlite = "data/orders.db"
backups = { directory = "backups", keep = 3 }
invariants_every = "1s"

[[database.invariant]]
name = "no order is without an amount"
sql = "select id from orders where amount is null"
"#;

/// Its bake lasts so long.
fn configure(sandbox: &Sandbox, bake: &str) {
    let fleet = config("local:[1-3]").replace("bake = \"500ms\"", &format!("bake = \"{bake}\""));
    sandbox.write("friday.toml", &format!("{fleet}{GUARDED}"));
}

fn guarded() -> Sandbox {
    let sandbox = Sandbox::fleet();
    configure(&sandbox, "500ms");
    sandbox.release("v3", "exec sleep 602");
    sandbox.write("data/.keep", "");
    run(
        &sandbox,
        "pragma journal_mode = wal; create table orders (id integer primary key, amount integer);
         insert into orders (amount) values (10), (20), (30)",
    );
    sandbox
}

fn database(sandbox: &Sandbox) -> PathBuf {
    sandbox.path().join("data/orders.db")
}

fn run(sandbox: &Sandbox, sql: &str) {
    let connection = rusqlite::Connection::open(database(sandbox)).expect("a database");
    connection.execute_batch(sql).expect("it runs");
}

fn sum(path: &Path) -> i64 {
    let connection = rusqlite::Connection::open(path).expect("a database");
    let sum = connection.query_row("select sum(amount) from orders", [], |row| row.get(0));
    sum.expect("a sum")
}

/// Turns one bit over in the middle of the largest file there.
fn flip_a_bit(directory: &Path) {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut look = vec![directory.to_owned()];
    while let Some(directory) = look.pop() {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { look.push(path) } else { files.push(path) }
        }
    }
    let size = |path: &PathBuf| fs::metadata(path).expect("a file").len();
    let largest = files.into_iter().max_by_key(size).expect("a file");
    let mut bytes = fs::read(&largest).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(largest, bytes).expect("written");
}

#[test]
fn no_push_begins_without_a_proven_way_back_for_the_data() {
    let sandbox = guarded();
    let refused = sandbox.friday(&["push"]);
    assert_eq!(refused.exit, 4, "{}", refused.all());
    assert!(refused.stderr.contains("friday drill"), "{}", refused.all());
    let status = sandbox.friday(&["status"]);
    assert!(
        status.stdout.contains("database orders: not proven: no drill has proved"),
        "{}",
        status.all()
    );
    assert_eq!(sandbox.runs(), ["nothing", "nothing", "nothing"]);

    let backup = sandbox.friday(&["backup"]);
    assert_eq!(backup.exit, 0, "{}", backup.all());
    let drill = sandbox.friday(&["drill"]);
    assert_eq!(drill.exit, 0, "{}", drill.all());
    assert!(drill.stdout.contains("no order is without an amount: holds"), "{}", drill.all());
    let status = sandbox.friday(&["status"]);
    assert!(status.stdout.contains("database orders: drilled"), "{}", status.all());

    let push = sandbox.friday(&["push"]);
    assert_eq!(push.exit, 0, "{}", push.all());
    assert_eq!(sandbox.runs(), ["v1", "v1", "v1"]);
    let listed = sandbox.friday(&["backup", "list", "--json"]).json();
    let backups = listed[0]["backups"].as_array().expect("backups").clone();
    assert!(backups.iter().any(|backup| !backup["point"].is_null()), "{backups:?}");
    assert_eq!(sum(&database(&sandbox)), 60, "the live database is as it was");
}

#[test]
fn a_drill_says_what_is_broken_in_what_it_restored() {
    let sandbox = guarded();
    run(&sandbox, "update orders set amount = null where id = 2");
    assert_eq!(sandbox.friday(&["backup"]).exit, 0);
    let drill = sandbox.friday(&["drill"]);
    assert_eq!(drill.exit, 6, "{}", drill.all());
    assert!(drill.stderr.contains("no order is without an amount"), "{}", drill.all());
    assert_eq!(sandbox.friday(&["push"]).exit, 4, "a broken copy proves nothing");
}

/// Whether a file below a directory has these words in it.
fn says(directory: &Path, words: &str) -> bool {
    let mut grep = std::process::Command::new("grep");
    let found = grep.args(["-rqaF", "--", words]).arg(directory).status();
    found.expect("grep runs").success()
}

#[test]
fn personal_data_is_taken_out_of_the_copy_that_a_drill_leaves() {
    let sandbox = guarded();
    run(
        &sandbox,
        "alter table orders add column mail text; update orders set mail = 'alice@example.com'",
    );
    assert_eq!(sandbox.friday(&["backup"]).exit, 0);
    let place = |all: &str| {
        let line = all.lines().find(|line| line.contains("the copy stays in")).expect("where");
        let path = line.trim().trim_start_matches("the copy stays in ").split(" (").next();
        // What is printed has the sandbox's own directory left out.
        sandbox.path().join(path.expect("a path").trim_start_matches("[dir]/"))
    };
    let plain = sandbox.friday(&["drill"]);
    assert!(plain.stdout.contains("it holds people's data"), "{}", plain.all());
    let copy = place(&plain.stdout);
    assert!(says(&copy, "alice@example.com"));
    sandbox.write("friday.toml", &config_with_mask(&sandbox));

    let missing = sandbox.friday(&["drill"]);
    assert_eq!(missing.exit, 3, "{}", missing.all());
    assert!(missing.stderr.contains("db/mask.sql"), "{}", missing.all());

    sandbox
        .write("db/mask.sql", "update orders set mail = 'nobody';\ndelete from order where 1;\n");
    let failed = sandbox.friday(&["drill"]);
    assert_eq!(failed.exit, 6, "{}", failed.all());
    assert!(failed.stderr.contains("masking failed"), "{}", failed.all());
    assert!(failed.stderr.contains("statement 2"), "{}", failed.all());
    assert!(!says(&copy, "alice@example.com"), "what could not be masked was put away");

    sandbox.write("db/mask.sql", "update orders set mail = 'nobody';\n");
    let masked = sandbox.friday(&["drill"]);
    assert_eq!(masked.exit, 0, "{}", masked.all());
    assert!(masked.stdout.contains("masked by 1 statement"), "{}", masked.all());
    assert!(masked.stdout.contains("it is masked"), "{}", masked.all());
    let copy = place(&masked.stdout);
    assert!(says(&copy, "nobody") && !says(&copy, "alice@example.com"));
    assert_eq!(sandbox.friday(&["push"]).exit, 0, "a masked drill proves as much");
}

fn config_with_mask(sandbox: &Sandbox) -> String {
    let before = fs::read_to_string(sandbox.path().join("friday.toml")).expect("a configuration");
    let mask = "sqlite = \"data/orders.db\"\ndrill = { mask = \"db/mask.sql\" }";
    before.replacen("sqlite = \"data/orders.db\"", mask, 1)
}

#[test]
fn damage_in_a_backup_fails_its_drill_and_is_found_by_verify() {
    let sandbox = guarded();
    assert_eq!(sandbox.friday(&["backup"]).exit, 0);
    flip_a_bit(&sandbox.path().join("backups"));
    let drill = sandbox.friday(&["drill"]);
    assert_eq!(drill.exit, 6, "{}", drill.all());
    let verify = sandbox.friday(&["backup", "verify"]);
    assert_eq!(verify.exit, 6, "{}", verify.all());
    assert_eq!(sum(&database(&sandbox)), 60, "the live database is as it was");
}

/// Backed up, drilled, and on its first release.
fn on_its_first_release(sandbox: &Sandbox) {
    for command in [["backup"].as_slice(), &["drill"], &["push"]] {
        let said = sandbox.friday(command);
        assert_eq!(said.exit, 0, "{}", said.all());
    }
}

#[test]
fn a_release_that_damages_rows_is_taken_back_and_the_next_push_waits_for_them() {
    let sandbox = guarded();
    on_its_first_release(&sandbox);
    // Long enough for this test to damage rows meanwhile; damage is found within about a second.
    configure(&sandbox, "60s");
    let push = sandbox.spawn(&["push", "v2"]);
    // What the release does to the data, this test does for it, once it runs anywhere.
    let until = Instant::now() + PATIENCE;
    while !sandbox.runs().iter().any(|runs| runs == "v2") {
        assert!(Instant::now() < until, "it never ran: {:?}", sandbox.runs());
        std::thread::sleep(Duration::from_millis(20));
    }
    run(&sandbox, "update orders set amount = null where id in (1, 3)");
    let push = sandbox.finish(push);
    assert_eq!(push.exit, 5, "{}", push.all());
    assert_eq!(sandbox.runs(), ["v1", "v1", "v1"]);
    let why = sandbox.friday(&["why"]).all();
    assert!(why.contains("no order is without an amount") && why.contains("2 rows"), "{why}");
    let log = sandbox.friday(&["log"]).all();
    assert!(log.contains("does not hold: 2 rows, listed in `"), "{log}");

    // The code is back, and the rows are not.
    configure(&sandbox, "500ms");
    let refused = sandbox.friday(&["push", "v3"]);
    assert_eq!(refused.exit, 5, "{}", refused.all());
    assert!(refused.all().contains("was broken before this push: 2 rows"), "{}", refused.all());
    assert_eq!(sandbox.runs(), ["v1", "v1", "v1"]);
    run(&sandbox, "update orders set amount = 5 where amount is null");
    let mended = sandbox.friday(&["push", "v3"]);
    assert_eq!(mended.exit, 0, "{}", mended.all());
    assert_eq!(sandbox.runs(), ["v3", "v3", "v3"]);
}

#[test]
fn without_a_guarded_database_there_is_nothing_to_back_up() {
    let sandbox = Sandbox::fleet();
    let backup = sandbox.friday(&["backup"]);
    assert_eq!(backup.exit, 3, "{}", backup.all());
    assert!(backup.stderr.contains("no database is guarded"), "{}", backup.all());
}

#[test]
fn a_copy_stands_beside_the_live_database_with_what_can_be_done() {
    let sandbox = guarded();
    for words in [["backup"], ["drill"], ["push"]] {
        let done = sandbox.friday(&words);
        assert_eq!(done.exit, 0, "{}", done.all());
    }
    run(&sandbox, "update orders set amount = 0");
    let nothing = sandbox.friday(&["restore"]);
    assert_eq!(nothing.exit, 2, "{}", nothing.all());
    let unknown = sandbox.friday(&["restore", "--rollout", "nobody-knows-it"]);
    assert_eq!(unknown.exit, 2, "{}", unknown.all());
    let future = sandbox.friday(&["restore", "--at", "2999-01-01 00:00"]);
    assert!(future.exit == 2 && future.stderr.contains("not come yet"), "{}", future.all());

    let backups = sandbox.friday(&["backup", "list", "--json"]).json()[0]["backups"].clone();
    let named = backups.as_array().expect("backups").iter().find_map(|one| one["point"].as_str());
    let named = named.expect("the push's restore point");
    let restored = sandbox.friday(&["restore", "--rollout", named, "--to", "back"]);
    assert_eq!(restored.exit, 0, "{}", restored.all());
    assert!(restored.stdout.contains("\n\n  one table: "), "{}", restored.all());
    assert!(!restored.stdout.contains("\\n"), "{}", restored.all());
    assert_eq!(sum(&sandbox.path().join("back/orders.db")), 60);
    assert_eq!(sum(&database(&sandbox)), 0, "the live database is as it was");
    let again = sandbox.friday(&["restore", "--newest", "--to", "back"]);
    assert!(again.exit == 6 && again.stderr.contains("not empty"), "{}", again.all());
    let log = sandbox.friday(&["log", "--all"]);
    assert!(log.stdout.contains("restore"), "{}", log.all());
}

#[test]
fn a_missing_database_is_said_once_with_its_host() {
    let sandbox = guarded();
    fs::remove_file(database(&sandbox)).expect("the file goes");
    let doctor = sandbox.friday(&["doctor"]);
    assert_eq!(doctor.exit, 4, "{}", doctor.all());
    assert_eq!(doctor.stdout.matches("there is no database").count(), 1, "{}", doctor.all());
    let backup = sandbox.friday(&["backup"]);
    assert!(backup.exit == 6 && backup.stderr.contains("looking failed"), "{}", backup.all());
}

#[test]
fn an_override_is_signed_by_a_persons_key_and_stands_in_the_journal() {
    let sandbox = guarded();
    assert_eq!(sandbox.friday(&["backup"]).exit, 0);
    let words = ["push", "--override", "recovery", "--reason", "the drill's disk is full"];
    let unsigned = sandbox.friday(&words);
    assert_eq!(unsigned.exit, 2, "{}", unsigned.all());
    assert!(unsigned.stderr.contains("--key"), "{}", unsigned.all());
    let missing = sandbox.friday(&[&words[..], &["--key", "nobodys"]].concat());
    assert_eq!(missing.exit, 4, "{}", missing.all());

    crate::signatures::key(&sandbox, "anna");
    let pushed = sandbox.friday(&[&words[..], &["--key", "anna"]].concat());
    assert_eq!(pushed.exit, 0, "{}", pushed.all());
    let log = sandbox.friday(&["log", "--all", "--json"]).stdout;
    assert!(log.contains("BEGIN SSH SIGNATURE") && log.contains("SHA256:"), "{log}");
}

#[test]
fn a_drill_restores_on_the_host_that_is_named_for_it() {
    let sandbox = guarded();
    let elsewhere = "[[database]]\ndrill = { host = \"local:2\", keep_scratch = true }";
    let text = std::fs::read_to_string(sandbox.path().join("friday.toml")).expect("written");
    sandbox.write("friday.toml", &text.replace("[[database]]", elsewhere));
    assert_eq!(sandbox.friday(&["backup"]).exit, 0);
    let drill = sandbox.friday(&["drill"]);
    assert_eq!(drill.exit, 0, "{}", drill.all());
    let copies = |host: u8| {
        let found = sandbox.path().join(format!(".friday/databases/local-{host}"));
        let mut look = vec![found];
        let mut copies = 0;
        while let Some(directory) = look.pop() {
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                let path = entry.path();
                copies += usize::from(path.ends_with("scratch/database.sqlite"));
                if path.is_dir() {
                    look.push(path);
                }
            }
        }
        copies
    };
    assert_eq!((copies(1), copies(2)), (0, 1));
    assert_eq!(sandbox.friday(&["drill", "--clean"]).exit, 0);
    assert_eq!(copies(2), 0);
}
