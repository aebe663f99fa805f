//! Pushes that are tried on a copy first: a real SQLite file, real releases that migrate it, and the old one again.

use crate::sandbox::{Sandbox, config};

const SQLITE: &str = "sqlite3 -batch -bail";

/// The database, and how a release is told of a copy.
fn guarded(variable: &str) -> String {
    format!(
        r#"
[[database]]
name = "orders"
host = "local:1"
sqlite = "data/orders.db"
backups = {{ directory = "backups", keep = 3 }}

[database.rehearse]
variable = "{variable}"
write = "{SQLITE} $DB 'insert into orders (amount) values (40)'"
read = "test $({SQLITE} $DB 'select count(*) from orders where amount = 40') = 1"

[[database.invariant]]
name = "no order is without an amount"
sql = "select id from orders where amount is null"
"#
    )
}

/// A fleet that runs v1 on a database of three orders, and a release with this migration, of which `says` is asked
/// when it starts.
fn fleet(migrate: &str, asks: &str, variable: &str) -> Sandbox {
    let sandbox = Sandbox::fleet();
    sandbox.write("data/.keep", "");
    let connection = rusqlite::Connection::open(sandbox.path().join("data/orders.db"));
    let filled = connection.expect("a database").execute_batch(
        "create table orders (id integer primary key, amount integer);
         insert into orders (amount) values (10), (20), (30)",
    );
    filled.expect("it runs");
    let starts = |ask: &str| format!("{SQLITE} \"$DB\" '{ask}' || exit 3\nexec sleep 600");
    sandbox.release("v1", &starts("select amount from orders"));
    sandbox.release("v2", &starts(asks));
    let database = sandbox.path().join("data/orders.db");
    let env = format!("[release]\nenv = {{ DB = \"{}\" }}\n", database.display());
    let plain = config("local:[1-3]").replacen("[release]\n", &env, 1);
    let before = format!("{plain}{}", guarded(variable));
    sandbox.write("friday.toml", &before);
    for words in [&["backup"][..], &["drill"], &["push", "v1"]] {
        let done = sandbox.friday(words);
        assert_eq!(done.exit, 0, "{}", done.all());
    }
    let migrating = format!("[release]\nmigrate = \"{SQLITE} $DB '{migrate}'\"\n");
    sandbox.write("friday.toml", &before.replacen("[release]\n", &migrating, 1));
    sandbox
}

fn columns(sandbox: &Sandbox) -> i64 {
    let connection = rusqlite::Connection::open(sandbox.path().join("data/orders.db"));
    let asked = connection.expect("a database").query_row(
        "select count(*) from pragma_table_info('orders')",
        [],
        |row| row.get(0),
    );
    asked.expect("it answers")
}

#[test]
fn a_migration_beside_which_the_old_release_works_is_reversible() {
    let sandbox = fleet("alter table orders add column note text", "select note from orders", "DB");
    let rehearsed = sandbox.friday(&["rehearse", "v2"]);
    assert_eq!(rehearsed.exit, 0, "{}", rehearsed.all());
    assert!(rehearsed.stdout.contains("orders: reversible"), "{}", rehearsed.all());
    assert!(rehearsed.stdout.contains("reading with the old release"), "{}", rehearsed.all());
    assert_eq!(columns(&sandbox), 2, "the live database is as it was");
    assert_eq!(sandbox.runs(), ["v1", "v1", "v1"]);
    let told = sandbox.friday(&["rehearse", "v2", "--json"]).json();
    assert_eq!(told[0]["judgement"]["verdict"], "reversible", "{told:?}");
    assert_eq!(told[0]["report"]["schema"], "changed", "{told:?}");
}

#[test]
fn a_migration_beside_which_the_old_release_does_not_start_is_one_way() {
    let sandbox =
        fleet("alter table orders rename column amount to cents", "select cents from orders", "DB");
    let friday = std::fs::read_to_string(sandbox.path().join("friday.toml")).expect("it is there");
    let renamed = friday.replace("(amount)", "(cents)").replace("amount is null", "1 = 0");
    sandbox.write("friday.toml", &renamed);
    let rehearsed = sandbox.friday(&["rehearse", "v2"]);
    assert_eq!(rehearsed.exit, 0, "{}", rehearsed.all());
    assert!(rehearsed.stdout.contains("orders: one-way"), "{}", rehearsed.all());
    assert!(rehearsed.stdout.contains("no such column: amount"), "{}", rehearsed.all());
    let planned = sandbox.friday(&["plan", "v2"]);
    assert!(planned.stdout.contains("after it the push is held"), "{}", planned.all());
    let log = sandbox.friday(&["log", "--all"]);
    assert!(!log.stdout.contains("no such column"), "what releases print is in no journal");
}

#[test]
fn what_does_not_work_on_the_copy_would_not_work_at_all() {
    let sandbox = fleet("alter table absent add column note text", "select 1", "DB");
    let rehearsed = sandbox.friday(&["rehearse", "v2"]);
    assert_eq!(rehearsed.exit, 6, "{}", rehearsed.all());
    assert!(rehearsed.stderr.contains("this push would not work"), "{}", rehearsed.all());
    assert!(rehearsed.stdout.contains("no such table: absent"), "{}", rehearsed.all());
}

#[test]
fn a_release_that_goes_to_another_database_proves_nothing() {
    let sandbox = fleet("select 1", "select 1", "OTHER");
    let rehearsed = sandbox.friday(&["rehearse", "v2"]);
    assert_eq!(rehearsed.exit, 6, "{}", rehearsed.all());
    assert!(rehearsed.stderr.contains("went to another database"), "{}", rehearsed.all());
    assert!(rehearsed.stderr.contains("look at the live database"), "{}", rehearsed.all());
}

#[test]
fn a_push_that_migrates_waits_for_its_rehearsal_and_says_what_it_came_to() {
    let sandbox = fleet("alter table orders add column note text", "select note from orders", "DB");
    let refused = sandbox.friday(&["push", "v2"]);
    assert_eq!(refused.exit, 4, "{}", refused.all());
    assert!(refused.stderr.contains("this release was not tried on a copy"), "{}", refused.all());
    assert!(refused.stderr.contains("friday rehearse"), "{}", refused.all());
    let planned = sandbox.friday(&["plan", "v2"]);
    assert_eq!(planned.exit, 4, "{}", planned.all());
    assert!(planned.stdout.contains("--override rehearsal"), "{}", planned.all());
    assert_eq!(columns(&sandbox), 2);
    assert_eq!(sandbox.friday(&["rehearse", "v2"]).exit, 0);
    let planned = sandbox.friday(&["plan", "v2"]);
    assert_eq!(planned.exit, 0, "{}", planned.all());
    assert!(planned.stdout.contains("reversible: the old release is healthy"), "{}", planned.all());
    assert!(planned.stdout.contains("the migration took"), "{}", planned.all());
    assert!(!planned.stdout.contains("is one-way"), "{}", planned.all());
    assert!(planned.stdout.contains("A failure returns to `v1`"), "{}", planned.all());
    let told = sandbox.friday(&["plan", "v2", "--json"]).json();
    assert_eq!(told[0]["rehearsals"][0]["judgement"]["verdict"], "reversible", "{told:?}");
    let pushed = sandbox.friday(&["push", "v2"]);
    assert_eq!(pushed.exit, 0, "{}", pushed.all());
    assert_eq!((columns(&sandbox), sandbox.runs()), (3, vec!["v2".to_owned(); 3]));

    // The next one's copy is not from before that migration, though nobody made a backup since.
    let friday = std::fs::read_to_string(sandbox.path().join("friday.toml")).expect("it is there");
    sandbox.write("friday.toml", &friday.replace("add column note text", "add column more text"));
    sandbox.release(
        "v3",
        &format!("{SQLITE} \"$DB\" 'select more from orders' || exit 3\nexec sleep 600"),
    );
    let rehearsed = sandbox.friday(&["rehearse", "v3"]);
    assert!(rehearsed.stdout.contains("orders: reversible"), "{}", rehearsed.all());
    assert!(rehearsed.stderr.contains("older than the stable release"), "{}", rehearsed.all());
}

#[test]
fn what_was_rehearsed_as_one_way_holds_when_it_fails_and_a_word_changes_nothing_in_that() {
    let sandbox =
        fleet("alter table orders rename column amount to cents", "select cents from orders", "DB");
    let friday = std::fs::read_to_string(sandbox.path().join("friday.toml")).expect("it is there");
    let renamed = friday
        .replace("(amount)", "(cents)")
        .replace("amount is null", "1 = 0")
        .replacen("[release]\n", "[release]\nmigrate_back = \"safe\"\n", 1);
    sandbox.write("friday.toml", &renamed);
    // It works on the copy, and not where it is pushed to.
    sandbox.release("v2", "test -n \"$FRIDAY_REHEARSAL\" || exit 3\nexec sleep 600");
    assert_eq!(sandbox.friday(&["rehearse", "v2"]).exit, 0);
    let refused = sandbox.friday(&["push", "v2"]);
    assert_eq!(refused.exit, 4, "{}", refused.all());
    assert!(refused.stderr.contains("declares that going back is safe"), "{}", refused.all());
    let word = ["push", "v2", "--override", "rehearsal", "--reason", "nobody writes at night"];
    crate::signatures::key(&sandbox, "anna");
    let held = sandbox.friday(&[&word[..], &["--key", "anna"]].concat());
    assert_eq!(held.exit, 6, "{}", held.all());
    assert!(held.stderr.contains("showed it one-way"), "{}", held.all());
    assert!(held.stderr.contains("to its restore point takes"), "{}", held.all());
    let why = sandbox.friday(&["why"]);
    assert!(why.all().contains("showed it one-way"), "{}", why.all());
    assert_eq!(columns(&sandbox), 2);
    let verified = sandbox.friday(&["log", "verify"]);
    assert_eq!(verified.exit, 0, "{}", verified.all());
}

#[test]
fn releases_are_tried_on_a_copy_without_personal_data() {
    let sandbox = fleet("alter table orders add column note text", "select note from orders", "DB");
    let before = std::fs::read_to_string(sandbox.path().join("friday.toml")).expect("it is there");
    // The release itself looks: the masked amount is the only one.
    let starts = "test \"$(sqlite3 $DB 'select group_concat(distinct amount) from orders')\" = 7 || exit 3\nexec sleep 600";
    sandbox.release("v2", starts);
    let unmasked = sandbox.friday(&["rehearse", "v2"]);
    assert!(unmasked.stdout.contains("orders: fails"), "{}", unmasked.all());
    sandbox.write("db/mask.sql", "update orders set amount = 7;");
    let mask = "sqlite = \"data/orders.db\"\ndrill = { mask = \"db/mask.sql\" }";
    sandbox.write("friday.toml", &before.replacen("sqlite = \"data/orders.db\"", mask, 1));
    let rehearsed = sandbox.friday(&["rehearse", "v2"]);
    assert!(rehearsed.stdout.contains("masked by 1 statement"), "{}", rehearsed.all());
    assert!(rehearsed.stdout.contains("✓ the new release's health"), "{}", rehearsed.all());
    sandbox.write("db/mask.sql", "update orders set amount = 7; rollback;");
    let failed = sandbox.friday(&["rehearse", "v2"]);
    assert_eq!(failed.exit, 6, "{}", failed.all());
    assert!(failed.stderr.contains("the mask failed: statement 2"), "{}", failed.all());
}
