//! A real PostgreSQL server on a real SSH server, under a load that moves money whose sum never changes: restore points,
//! drills, rehearsals and restores, and what must become of them when the server is lost in the middle.

use std::time::{Duration, Instant};

use crate::bed::{Bed, describe};
use crate::project::{Project, Quality};
use crate::truth::{all_run, names, until};

/// Enough for a small bank and several copies of it.
const DISK_MIB: u32 = 3_000;

/// One server with the database, guarded, and an application that asks it when it starts.
const GUARDED: &str = r#"
[[database]]
name = "bank"
host = "deploy@h1"
postgres = { url = { command = "printf 'host=/home/deploy/sockets user=deploy dbname=bank'" } }
backups = { directory = "backups", keep = 3 }
drill = { max_age = "1h" }
recovery_time = "10m"

[database.rehearse]
variable = "DATABASE_URL"
write = "psql -qX \"$DATABASE_URL\" -c \"INSERT INTO pgbench_history (tid, bid, aid, delta, mtime, filler) VALUES (1, 1, 1, 0, now(), 'written')\""
read = "test $(psql -qXAt \"$DATABASE_URL\" -c \"SELECT count(*) FROM pgbench_history WHERE filler = 'written'\") = 1"

[[database.invariant]]
name = "no money comes or goes"
sql = "SELECT (SELECT sum(abalance) FROM pgbench_accounts) - (SELECT sum(bbalance) FROM pgbench_branches)"
between = [0, 0]

[[database.invariant]]
name = "every movement is written down"
sql = "SELECT (SELECT sum(tbalance) FROM pgbench_tellers) - (SELECT coalesce(sum(delta), 0) FROM pgbench_history)"
between = [0, 0]
"#;

/// A bank and its servers.
struct Bank {
    bed: Bed,
    laptop: Project,
}

impl Bank {
    /// With so many servers; the first has the database.
    fn open(servers: usize) -> Self {
        let bed = Bed::with_disks(servers, DISK_MIB);
        let lines = [(
            "run = \"exec perl app.pl\"",
            "run = \"sh start && exec perl app.pl\"\nenv = { DATABASE_URL = \"postgresql:///bank?host=/home/deploy/sockets&user=deploy\" }",
        )];
        let laptop = Project::with(&bed, "laptop", servers, &lines);
        laptop.append(GUARDED);
        let bank = Self { bed, laptop };
        bank.as_deploy(&format!(
            "{bin}/initdb --data-checksums --auth=trust --no-sync -D /home/deploy/live >/dev/null && mkdir -p /home/deploy/sockets && \
             printf '%s\\n' \"listen_addresses = ''\" \"unix_socket_directories = '/home/deploy/sockets'\" \"shared_buffers = 32MB\" \
             'fsync = off' >>/home/deploy/live/postgresql.conf",
            bin = programs(),
        ));
        bank.start_server();
        bank.as_deploy(
            "createdb -h /home/deploy/sockets bank && pgbench -h /home/deploy/sockets -i -q -s 2 bank >/dev/null 2>&1",
        );
        bank.psql("CREATE EXTENSION amcheck");
        bank
    }

    fn start_server(&self) {
        self.as_deploy(&format!(
            "{}/pg_ctl -D /home/deploy/live -l /home/deploy/live.log -w start >/dev/null",
            programs()
        ));
    }

    /// Its backups are pgBackRest's from now on, in a stanza that has none yet.
    fn keep_in_a_stanza(&self) {
        let path = self.laptop.path("friday.toml");
        let text = std::fs::read_to_string(&path).expect("it was written");
        let ours =
            "user=deploy dbname=bank'\" } }\nbackups = { directory = \"backups\", keep = 3 }\n";
        let stanza = "user=deploy dbname=bank'\" }, pgbackrest = \"main\", pgbackrest_config = \"/home/deploy/pgbackrest.conf\" }\n";
        assert!(text.contains(ours), "{text}");
        std::fs::write(&path, text.replacen(ours, stanza, 1)).expect("our own file");
        self.as_deploy(
            "mkdir stanza stanza/log stanza/lock && printf '%s\\n' '[global]' repo1-path=/home/deploy/stanza \
             log-path=/home/deploy/stanza/log lock-path=/home/deploy/stanza/lock start-fast=y repo1-retention-full=9 '[main]' \
             pg1-path=/home/deploy/live pg1-socket-path=/home/deploy/sockets >pgbackrest.conf && \
             printf '%s\\n' 'archive_mode = on' \
             \"archive_command = 'pgbackrest --config=/home/deploy/pgbackrest.conf --stanza=main archive-push %p'\" >>live/postgresql.conf",
        );
        self.as_deploy(&format!(
            "{}/pg_ctl -D /home/deploy/live -m fast -w stop >/dev/null",
            programs()
        ));
        self.start_server();
        self.as_deploy(
            "pgbackrest --config=/home/deploy/pgbackrest.conf --stanza=main stanza-create",
        );
    }

    /// A release whose start asks the database this.
    fn release(&self, label: &str, asks: &str) {
        let tree = self.laptop.release(label, Quality::Good);
        let start = format!("psql -qX \"$DATABASE_URL\" -c '{asks}' >/dev/null || exit 3\n");
        std::fs::write(tree.join("start"), start).expect("our own directory");
    }

    /// Moves money for so many seconds, at most.
    fn load(&self, seconds: u32) {
        self.as_deploy(&format!(
            "pgbench -h /home/deploy/sockets -n -c 2 -R 200 -T {seconds} bank </dev/null >/home/deploy/load.log 2>&1 &"
        ));
        let began = self.movements();
        until("money moves", || self.movements() > began + 100);
    }

    fn movements(&self) -> u64 {
        self.psql("SELECT count(*) FROM pgbench_history").parse().expect("a count")
    }

    fn psql(&self, sql: &str) -> String {
        self.as_deploy(&format!("psql -qXAt -h /home/deploy/sockets bank -c \"{sql}\""))
            .trim()
            .to_owned()
    }

    fn as_deploy(&self, line: &str) -> String {
        let line = format!("cd /home/deploy; {line}").replace('\'', "'\\''");
        self.bed.tell("h1", &format!("setpriv --reuid deploy --regid deploy --clear-groups env HOME=/home/deploy sh -c '{line}'"))
    }

    fn ends_with(&self, status: i32, words: &[&str]) -> String {
        describe(&self.laptop.ends_with(&self.bed, status, words))
    }

    /// Servers of PostgreSQL that run there: the live one, and copies.
    fn servers(&self) -> usize {
        let told = self.bed.tell("h1", "pgrep -fc '[b]in/postgres -D' || true");
        told.trim().parse().expect("a count")
    }
}

fn programs() -> String {
    let mut found: Vec<(u32, String)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            Some((name.parse().ok()?, format!("/usr/lib/postgresql/{name}/bin")))
        })
        .collect();
    found.sort();
    found.pop().expect("PostgreSQL is installed").1
}

/// Promise 1 with a real database: no push without a proven way back for the data, and then there is one.
#[test]
fn a_loaded_bank_is_backed_up_drilled_pushed_damaged_and_had_back() {
    let bank = Bank::open(1);
    bank.release("v1", "SELECT abalance FROM pgbench_accounts LIMIT 1");
    let examined = describe(&bank.laptop.run(&bank.bed, &["doctor"]));
    assert!(examined.contains("`bank`, receiving WAL"), "{examined}");
    bank.ends_with(4, &["push", "v1"]);
    bank.load(600);
    bank.ends_with(0, &["backup"]);
    let drilled = bank.ends_with(0, &["drill"]);
    assert!(drilled.contains("no money comes or goes: holds: 0"), "{drilled}");
    let before = bank.movements();
    bank.ends_with(0, &["push", "v1"]);
    all_run(&bank.bed, &names(1), "v1");
    assert!(bank.movements() > before, "the load goes on beside all that");
    let pushed = newest_rollout(&bank);

    // Somebody takes a coin from each account of the first hundred.
    bank.psql("UPDATE pgbench_accounts SET abalance = abalance - 1 WHERE aid <= 100");
    bank.ends_with(0, &["backup"]);
    let drilled = bank.ends_with(6, &["drill"]);
    assert!(drilled.contains("no money comes or goes: broken: -100"), "{drilled}");
    bank.release("v2", "SELECT 1");
    bank.ends_with(4, &["push", "v2"]);

    let restored = bank.ends_with(0, &["restore", "--rollout", &pushed, "--to", "back"]);
    assert!(restored.contains("one table"), "{restored}");
    let (bin, copy) = (programs(), "psql -qXAt -h /home/deploy/back bank -c");
    bank.as_deploy(&format!("{bin}/pg_ctl -D back/data -l back/log -w start >/dev/null"));
    let sums = bank.as_deploy(&format!(
        "{copy} 'SELECT (SELECT sum(abalance) FROM pgbench_accounts) - (SELECT sum(bbalance) FROM pgbench_branches)'"
    ));
    assert_eq!(sums.trim(), "0", "the copy is from before the damage");
    bank.as_deploy(&format!("{bin}/pg_ctl -D back/data -m fast stop >/dev/null"));
    assert_eq!(bank.servers(), 1, "only the live one runs");
}

/// The newest rollout's name.
fn newest_rollout(bank: &Bank) -> String {
    let done = bank.laptop.run(&bank.bed, &["history", "--json"]);
    let text = String::from_utf8(done.stdout).expect("text");
    let told: serde_json::Value =
        serde_json::from_str(text.lines().next().unwrap_or_default()).expect("JSON");
    let found = find(&told, "rollout").expect("a rollout");
    found.as_str().expect("its name").to_owned()
}

fn find<'a>(told: &'a serde_json::Value, key: &str) -> Option<&'a serde_json::Value> {
    match told {
        serde_json::Value::Object(map) => {
            let here = map.get(key).filter(|value| value.is_string());
            here.or_else(|| map.values().find_map(|value| find(value, key)))
        }
        serde_json::Value::Array(list) => list.iter().find_map(|value| find(value, key)),
        _ => None,
    }
}

/// The same way through a stanza of pgBackRest, which the team had before it had friday.
#[test]
fn a_bank_with_a_stanza_of_its_own_is_pushed_and_had_back_through_it() {
    let bank = Bank::open(1);
    bank.keep_in_a_stanza();
    bank.release("v1", "SELECT abalance FROM pgbench_accounts LIMIT 1");
    let examined = describe(&bank.laptop.run(&bank.bed, &["doctor"]));
    assert!(
        examined.contains("`bank`, backups: none was made through friday")
            && !examined.contains("receiving WAL"),
        "{examined}"
    );
    bank.ends_with(4, &["push", "v1"]);
    bank.load(600);
    bank.as_deploy("pgbackrest --config=/home/deploy/pgbackrest.conf --stanza=main backup");
    let refused = bank.ends_with(6, &["drill"]);
    assert!(refused.contains("was not made through friday"), "{refused}");
    bank.ends_with(0, &["backup"]);
    let drilled = bank.ends_with(0, &["drill"]);
    assert!(drilled.contains("no money comes or goes: holds: 0"), "{drilled}");
    bank.ends_with(0, &["push", "v1"]);
    all_run(&bank.bed, &names(1), "v1");
    let pushed = newest_rollout(&bank);

    bank.psql("UPDATE pgbench_accounts SET abalance = abalance - 1 WHERE aid <= 100");
    bank.ends_with(0, &["restore", "--rollout", &pushed, "--to", "back"]);
    bank.as_deploy(&format!("{}/pg_ctl -D back/data -l back/log -w start >/dev/null", programs()));
    let sums = bank.as_deploy(
        "psql -qXAt -h /home/deploy/back bank -c 'SELECT (SELECT sum(abalance) FROM pgbench_accounts) - (SELECT sum(bbalance) FROM pgbench_branches)'",
    );
    assert_eq!(sums.trim(), "0", "the copy is from before the damage");
    bank.as_deploy(&format!("{}/pg_ctl -D back/data -m fast stop >/dev/null", programs()));
    bank.ends_with(0, &["backup", "verify"]);
    assert_eq!(bank.servers(), 1, "only the live one runs");
}

#[test]
fn a_server_that_is_lost_in_a_drill_leaves_nothing_behind_and_the_next_one_proves_it() {
    let mut bank = Bank::open(1);
    bank.ends_with(0, &["backup"]);
    bank.load(20);
    let mut drill = bank.laptop.begin(&bank.bed, &["drill"], "drill");
    until("the copy's server runs", || bank.servers() > 1);
    bank.bed.kill("h1");
    let ended = waited(&mut drill);
    assert!(matches!(ended, 6 | 7), "{ended}: {}", bank.laptop.said("drill"));
    bank.bed.start("h1");
    bank.start_server();
    assert_eq!(bank.servers(), 1, "no copy comes back with the machine");
    bank.ends_with(0, &["drill"]);
    bank.ends_with(0, &["drill", "--clean"]);
    assert_eq!(bank.servers(), 1);
}

fn waited(child: &mut std::process::Child) -> i32 {
    let until = Instant::now() + Duration::from_secs(180);
    loop {
        if let Some(status) = child.try_wait().expect("our own child") {
            return status.code().unwrap_or(-1);
        }
        assert!(Instant::now() < until, "friday does not end");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_migration_is_rehearsed_under_load_and_its_way_back_is_judged() {
    let bank = Bank::open(1);
    bank.release("v1", "SELECT filler FROM pgbench_branches");
    bank.release("v2", "SELECT note FROM pgbench_branches");
    bank.load(600);
    bank.ends_with(0, &["backup"]);
    bank.ends_with(0, &["drill"]);
    bank.ends_with(0, &["push", "v1"]);
    let configure = |from: &str, to: &str| {
        let path = bank.laptop.path("friday.toml");
        let text = std::fs::read_to_string(&path).expect("it was written");
        assert!(text.contains(from), "the configuration has no `{from}`");
        std::fs::write(&path, text.replacen(from, to, 1)).expect("our own file");
    };
    let columns =
        "SELECT count(*) FROM information_schema.columns WHERE table_name = 'pgbench_branches'";
    let before = bank.psql(columns);
    let migrate = "migrate = \"psql -qX \\\"$DATABASE_URL\\\" -c 'ALTER TABLE pgbench_branches ADD COLUMN note text'\"";
    configure("port = 8080\n", &format!("port = 8080\n{migrate}\n"));
    let told = bank.ends_with(0, &["rehearse", "v2"]);
    assert!(told.contains("bank: reversible"), "{told}");
    assert_eq!(bank.psql(columns), before, "the live database is as it was");
    configure("ADD COLUMN note text", "RENAME COLUMN filler TO note");
    let told = bank.ends_with(0, &["rehearse", "v2"]);
    assert!(told.contains("bank: one-way"), "{told}");
    assert!(told.contains("column \"filler\" does not exist"), "{told}");
    assert_eq!(bank.psql(columns), before, "the live database is as it was");
    assert_eq!(bank.servers(), 1, "only the live one runs");
    all_run(&bank.bed, &names(1), "v1");
}
