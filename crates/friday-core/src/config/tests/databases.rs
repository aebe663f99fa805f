//! Guarded databases: what `[[database]]` comes to, and what is said of mistakes in it.

use friday_wire::data::{Invariant, PostgresBackup, Rule};

use super::{SMALL, drawn, good};
use crate::config::{
    Address, DatabaseSettings, DrillSettings, EngineSettings, RehearseSettings,
    RepositoryPlaceSettings, RepositorySettings, SecretSource, parse,
};

const LITE: &str = "[[database]]\nname = \"shop\"\nsqlite = \"shop.db\"\n";

const FLEET: &str = r#"name = "shop"
[release]
path = "dist"
[hosts]
web = ["deploy@web-1", "deploy@web-2:2222"]
user = "deploy"
"#;

const ALL: &str = r#"
[[database]]
name = "shop"
host = "postgres@db-1.example.com:2200"
postgres = { url = { env = "DB" }, replica = { env = "REPLICA" }, programs = "/opt/pg/bin" }
backups = { directory = "backups", keep = 30, key = { command = "pass show key" } }
scratch = "/scratch"
drill = { max_age = "1d", keep_scratch = false, timeout = "8h", mask = "db/mask.sql" }
recovery_time = "15m"
point_timeout = "5s"
invariants_every = "2s"

[[database.invariant]]
name = "no orphans"
sql = """
SELECT id FROM line
WHERE NOT EXISTS (SELECT 1 FROM purchase)"""

[[database.invariant]]
name = "sum"
sql = "SELECT sum(balance) FROM account"
between = [-1_000, 0.5]
timeout = "5s"

[[database.invariant]]
name = "most"
sql = "SELECT 1"
between = [-inf, 7]

[[database.invariant]]
name = "rows"
sql = "SELECT count(*) FROM account"
change = "2.5%"

[[database]]
name = "archive"
host = "web-2"
postgres = { url = { file = "url" }, pgbackrest = "main" }
"#;

fn invariant(name: &str, sql: &str, rule: Rule, timeout_ms: u64) -> Invariant {
    Invariant { name: name.to_owned(), sql: sql.to_owned(), rule, timeout_ms }
}

fn between(least: Option<&str>, most: Option<&str>) -> Rule {
    Rule::Between { least: least.map(str::to_owned), most: most.map(str::to_owned) }
}

fn ssh(user: &str, host: &str, port: Option<u16>) -> Address {
    Address::Ssh { user: user.to_owned(), host: host.to_owned(), port }
}

#[test]
fn everything_that_can_be_said_is_read() {
    let settings = good(&(FLEET.to_owned() + ALL), None);
    let [shop, archive] = settings.databases.as_slice() else { panic!("two databases") };
    let orphans = "SELECT id FROM line\nWHERE NOT EXISTS (SELECT 1 FROM purchase)";
    let wanted = DatabaseSettings {
        name: friday_wire::DatabaseName::new("shop"),
        host: friday_wire::HostName::new("db-1.example.com"),
        address: ssh("postgres", "db-1.example.com", Some(2200)),
        engine: EngineSettings::Postgres {
            url: SecretSource::Env { variable: "DB".to_owned() },
            replica: Some(SecretSource::Env { variable: "REPLICA".to_owned() }),
            backup: PostgresBackup::Stream,
            programs: Some("/opt/pg/bin".to_owned()),
        },
        repository: RepositorySettings {
            place: RepositoryPlaceSettings::Directory { path: Some("backups".to_owned()) },
            key: Some(SecretSource::Command { command: "pass show key".to_owned() }),
        },
        keep: 30,
        scratch: Some("/scratch".to_owned()),
        invariants: vec![
            invariant("no orphans", orphans, Rule::NoRows, 30_000),
            invariant(
                "sum",
                "SELECT sum(balance) FROM account",
                between(Some("-1000"), Some("0.5")),
                5_000,
            ),
            invariant("most", "SELECT 1", between(None, Some("7")), 30_000),
            invariant(
                "rows",
                "SELECT count(*) FROM account",
                Rule::Change { percent: "2.5".to_owned(), was: None },
                30_000,
            ),
        ],
        invariants_every_ms: 2_000,
        drill: DrillSettings {
            max_age_ms: 86_400_000,
            keep_scratch: false,
            timeout_ms: 28_800_000,
            mask: Some("db/mask.sql".to_owned()),
        },
        drill_host: None,
        rehearse: None,
        recovery_time_ms: Some(900_000),
        point_timeout_ms: 5_000,
    };
    assert_eq!(*shop, wanted);
    // A host of the fleet is meant by its name, with its login and port.
    assert_eq!(
        (archive.host.as_str(), &archive.address),
        ("web-2", &ssh("deploy", "web-2", Some(2222)))
    );
    assert!(matches!(
        &archive.engine,
        EngineSettings::Postgres { backup: PostgresBackup::PgBackRest { stanza, config: None }, .. }
            if stanza == "main"
    ));
}

#[test]
fn backups_may_be_in_a_bucket() {
    let bucket = |more: &str| {
        let text = format!(
            "{SMALL}{LITE}[database.backups]\nkeep = 3\n[database.backups.s3]\nbucket = \"b\"\n\
             access_key = {{ env = \"A\" }}\nsecret_key = {{ file = \"s\" }}\n{more}\n"
        );
        good(&text, None).databases[0].repository.place.clone()
    };
    let wanted = |prefix: &str, endpoint: Option<&str>, region: &str| RepositoryPlaceSettings::S3 {
        bucket: "b".to_owned(),
        prefix: prefix.to_owned(),
        endpoint: endpoint.map(str::to_owned),
        region: region.to_owned(),
        access_key: SecretSource::Env { variable: "A".to_owned() },
        secret_key: SecretSource::File { path: "s".to_owned() },
    };
    assert_eq!(
        bucket("region = \"eu-central-1\"\nprefix = \"p/q\""),
        wanted("p/q", None, "eu-central-1")
    );
    let near = "http://127.0.0.1:9000";
    assert_eq!(bucket(&format!("endpoint = \"{near}\"")), wanted("", Some(near), "us-east-1"));
}

#[test]
fn little_is_needed_where_hosts_are_directories() {
    let settings = good(&(SMALL.to_owned() + LITE), None);
    let [shop] = settings.databases.as_slice() else { panic!("one database") };
    assert_eq!(shop.host.as_str(), "local-1");
    assert_eq!(shop.address, Address::Local { dir: ".friday/hosts/local-1".to_owned() });
    assert_eq!(shop.engine, EngineSettings::Sqlite { path: "shop.db".to_owned() });
    assert_eq!((shop.keep, shop.recovery_time_ms, shop.point_timeout_ms), (7, None, 600_000));
    assert_eq!((shop.invariants_every_ms, shop.invariants.len()), (30_000, 0));
    assert_eq!(
        shop.drill,
        DrillSettings {
            max_age_ms: 604_800_000,
            keep_scratch: true,
            timeout_ms: 7_200_000,
            mask: None
        }
    );
    assert!(good(SMALL, None).databases.is_empty());
}

#[test]
fn another_login_of_a_host_is_another_address() {
    let text = FLEET.to_owned() + &LITE.replace("sqlite", "host = \"postgres@web-2\"\nsqlite");
    let settings = good(&text, None);
    assert_eq!(settings.databases[0].address, ssh("postgres", "web-2", Some(2222)));
    assert_eq!(settings.databases[0].host.as_str(), "web-2");
    let text = FLEET.to_owned() + &LITE.replace("sqlite", "host = \"db-1\"\nsqlite");
    assert_eq!(good(&text, None).databases[0].address, ssh("deploy", "db-1", None));
}

#[test]
fn drills_restore_on_another_host_where_the_backups_are_within_its_reach() {
    let with = |backups: &str| {
        let keys = format!("host = \"web-1\"\n{backups}\ndrill = {{ host = \"web-2\" }}\nsqlite");
        FLEET.to_owned() + &LITE.replace("sqlite", &keys)
    };
    let settings = good(&with("backups = { directory = \"/mnt/backups\" }"), None);
    let (host, address) = settings.databases[0].drilled_on();
    assert_eq!((host.as_str(), address), ("web-2", &ssh("deploy", "web-2", Some(2222))));
    assert_eq!(settings.databases[0].host.as_str(), "web-1");
    for backups in ["", "backups = { directory = \"backups\" }"] {
        let said = said(&with(backups), None);
        assert!(said.len() == 1 && said[0].contains("another one does not see them"), "{said:?}");
    }
}

#[test]
fn an_environment_has_the_files_databases_only_on_its_own_hosts() {
    let with = |host: &str, own: &str| {
        let database = LITE.replace("sqlite", &format!("host = \"{host}\"\nsqlite"));
        format!("{FLEET}{database}[env.qa]\n{own}\n[env.qa.hosts]\nweb = [\"deploy@web-1\"]\n")
    };
    assert_eq!(good(&with("web-1", ""), Some("qa")).databases.len(), 1);
    let text = with("web-2", "");
    assert_eq!(
        said(&text, Some("qa")),
        [
            "9:8 this database is on `web-2`, which is no host of the environment `qa` |  | give the environment its own with `[[env.qa.database]]`, or none with database = [] under `[env.qa]`"
        ]
    );
    assert_eq!(said(&text, None), Vec::<String>::new());
    assert!(good(&with("web-2", "database = []"), Some("qa")).databases.is_empty());
    let own = "database = [{ name = \"qa\", host = \"db-9\", sqlite = \"x\" }]";
    let settings = good(&(with("web-2", own) + "user = \"deploy\"\n"), Some("qa"));
    assert_eq!(settings.databases[0].name.as_str(), "qa");
    assert_eq!(settings.databases.len(), 1);
}

fn said(text: &str, env: Option<&str>) -> Vec<String> {
    match parse("friday.toml", text, env) {
        Ok(_) => Vec::new(),
        Err(problems) => drawn(text, &problems),
    }
}

/// What stands for the database's `sqlite`, and what is said of it.
type Rows = &'static [(&'static str, &'static [&'static str])];

const MISTAKES: Rows = &[
    (
        "",
        &[
            "6:1 it is not said what this database is |  | write sqlite = \"/srv/shop/shop.db\" or postgres = { url = { env = \"DATABASE_URL\" } }",
        ],
    ),
    (
        "sqlit = \"a\"",
        &["8:1 there is no key `sqlit` in `[[database]]` | unknown key | did you mean `sqlite`?"],
    ),
    (
        "sqlite = \"a\"\npostgres = { url = { env = \"A\" } }",
        &[
            "9:12 a database is of one engine, and this names two |  | keep `sqlite` or `postgres`, or begin a second one with `[[database]]`",
        ],
    ),
    (
        "sqlite = \"a\"\nhost = \"local:[1-2]\"",
        &[
            "9:8 `database.host`: `local:[1-2]` is not one host but 2 |  | a database stands on one: name that",
        ],
    ),
    (
        "sqlite = \"a\"\nhost = \"-x\"",
        &[
            "9:8 `-x` names no host: a host or user does not begin with a dash |  | write `user@host`, `user@host:port`, an alias of your ssh_config, or `local:1`",
        ],
    ),
    (
        "sqlite = \"a\"\nhost = \"db-1\"",
        &[
            "9:8 the login on `db-1` is not fixed |  | write \"postgres@db-1\", or user = \"deploy\" under `[hosts]`",
        ],
    ),
    (
        "postgres = { programs = \"a\" }",
        &[
            "8:12 `database.postgres.url` is missing |  | write url = { env = \"DATABASE_URL\" } in it",
        ],
    ),
    (
        "postgres = { url = \"postgres://a:b@c/d\" }",
        &[
            "8:20 `database.postgres.url` must be a table with one of `env`, `file` and `command`, not a string | this is a string | a secret's value never stands in the configuration; name where it comes from, for example { env = \"DATABASE_URL\" }, { file = \"secret.txt\" } or { command = \"pass show shop/db\" }",
        ],
    ),
    (
        "postgres = \"postgres://a:b@c/d\"",
        &[
            "8:1 `database.postgres` must be a table, not a string |  | begin it with `[database.postgres]`",
        ],
    ),
    (
        "postgres = { url = { env = \"A\" }, pgbackrest_config = \"x\" }",
        &[
            "8:55 `pgbackrest_config` is about a stanza that is not named |  | write pgbackrest = \"STANZA\" beside it, or leave it out",
        ],
    ),
    (
        "postgres = { url = { env = \"A\" }, pgbackrest = \"m\" }\nbackups = { keep = 5 }",
        &[
            "9:20 `keep` is for backups that friday makes, and pgBackRest makes these |  | leave it out: pgBackRest's configuration says that",
        ],
    ),
    (
        "sqlite = \"a\"\nbackups = { s3 = \"b\" }",
        &[
            "9:13 `database.backups.s3` must be a table, not a string |  | begin it with `[database.backups.s3]`",
        ],
    ),
    (
        "sqlite = \"a\"\nbackups = { s3 = { bucket = \"b\" } }",
        &[
            "9:18 `database.backups.s3.access_key` is missing |  | write access_key = { env = \"BACKUPS_ACCESS_KEY\" } in it",
            "9:18 `database.backups.s3.secret_key` is missing |  | write secret_key = { env = \"BACKUPS_SECRET_KEY\" } in it",
            "9:18 `database.backups.s3.region` is missing |  | write region = \"eu-central-1\" in it, or the endpoint of a store that is not AWS",
        ],
    ),
    (
        "sqlite = \"a\"\nbackups = { directory = \"d\", s3 = { bucket = \"b\", endpoint = \"minio:9000\", access_key = { env = \"A\" }, secret_key = { env = \"S\" } } }",
        &[
            "9:25 backups are in one place, and this names two |  | keep `directory` or `s3`",
            "9:62 `minio:9000` is no URL of a store |  | for example \"https://s3.example.com\"",
        ],
    ),
    (
        "sqlite = \"a\"\nbackups = { s3 = { region = \"r\", access_key = \"A\", secret_key = { env = \"S\" } } }",
        &[
            "9:13 `database.backups.s3.bucket` is missing |  | write bucket = \"shop-backups\"",
            "9:47 `database.backups.s3.access_key` must be a table with one of `env`, `file` and `command`, not a string | this is a string | a secret's value never stands in the configuration; name where it comes from, for example { env = \"DATABASE_URL\" }, { file = \"secret.txt\" } or { command = \"pass show shop/db\" }",
        ],
    ),
    (
        "sqlite = \"a\"\nbackups = { keep = 0 }",
        &["9:20 `database.backups.keep` must be a whole number from 1 to 1000 | 0 is not | "],
    ),
    (
        "sqlite = \"a\"\nbackups = \"dir\"",
        &[
            "9:1 `database.backups` must be a table, not a string |  | begin it with `[database.backups]`",
        ],
    ),
    (
        "sqlite = \"a\"\ndrill = { max_age = \"7\" }",
        &[
            "9:21 `database.drill.max_age` is no duration: `7` has no unit |  | write \"7s\" for seconds or \"7m\" for minutes",
        ],
    ),
    (
        "sqlite = \"a\"\nmax_age = \"7d\"",
        &[
            "9:1 there is no key `max_age` in `[[database]]` | unknown key | `max_age` belongs in `[database.drill]`",
        ],
    ),
    (
        "sqlite = \"a\"\n[[database]]\nname = \"shop\"\nsqlite = \"b\"",
        &["10:8 the database `shop` stands twice |  | name each once"],
    ),
    (
        "sqlite = \"a\"\n[database.invariant]\nname = \"x\"",
        &[
            "9:11 `database.invariant` must be a list of tables, not a table |  | begin each with `[[database.invariant]]`",
        ],
    ),
    (
        "sqlite = \"a\"\n[[database.invariant]]\nsql = \"SELECT 1\"",
        &["9:1 `database.invariant.name` is missing |  | write name = \"no orphans\""],
    ),
    (
        "sqlite = \"a\"\n[[database.invariant]]\nname = \"x\"\nsql = \"SELECT 1\"\nbetween = [1, 0]",
        &[
            "12:11 `database.invariant.between`: no number is within: the least is more than the most |  | the least and the most: [0, 100], or [0, inf] without a most",
        ],
    ),
    (
        "sqlite = \"a\"\n[[database.invariant]]\nname = \"x\"\nsql = \"SELECT 1\"\nbetween = [1]",
        &[
            "12:11 `database.invariant.between`: it takes two numbers, and these are 1 |  | the least and the most: [0, 100], or [0, inf] without a most",
        ],
    ),
    (
        "sqlite = \"a\"\n[[database.invariant]]\nname = \"x\"\nsql = \"SELECT 1\"\nbetween = [-inf, inf]",
        &[
            "12:11 `database.invariant.between`: every number is within |  | the least and the most: [0, 100], or [0, inf] without a most",
        ],
    ),
    (
        "sqlite = \"a\"\n[[database.invariant]]\nname = \"x\"\nsql = \"SELECT 1\"\nbetween = [\"0\", 1]",
        &[
            "12:12 `database.invariant.between`: a string is no bound |  | the least and the most: [0, 100], or [0, inf] without a most",
        ],
    ),
    (
        "sqlite = \"a\"\n[[database.invariant]]\nname = \"x\"\nsql = \"SELECT 1\"\nchange = 5",
        &[
            "12:10 `database.invariant.change` must be a percentage, such as \"5%\", not a whole number | this is a whole number | write \"5%\"",
        ],
    ),
    (
        "sqlite = \"a\"\n[[database.invariant]]\nname = \"x\"\nsql = \"SELECT 1\"\nchange = \"-5%\"",
        &[
            "12:10 `database.invariant.change`: `-5%` is no percentage |  | for example \"5%\" or \"0.5%\"; \"0%\" is no change at all",
        ],
    ),
    (
        "sqlite = \"a\"\n[[database.invariant]]\nname = \"x\"\nsql = \"SELECT 1\"\nbetween = [0, 1]\nchange = \"5%\"",
        &[
            "13:10 an invariant has one rule, and this names two |  | keep `between` or `change`, or begin a second one with `[[database.invariant]]`",
        ],
    ),
    (
        "sqlite = \"a\"\n[[database.invariant]]\nname = \"x\"\nsql = \"A\"\n[[database.invariant]]\nname = \"x\"\nsql = \"B\"",
        &["13:8 the invariant `x` stands twice |  | name each once"],
    ),
];

#[test]
fn mistakes_are_told_where_they_are() {
    let mut wrong = String::new();
    for (written, wanted) in MISTAKES {
        let text = SMALL.to_owned() + &LITE.replace("sqlite = \"shop.db\"", written);
        let said = said(&text, None);
        if said != *wanted {
            wrong.push_str(&format!("{written:?}\n{said:#?}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn one_table_is_no_list_and_servers_must_be_named() {
    let text = SMALL.to_owned() + &LITE.replace("[[database]]", "[database]");
    assert_eq!(
        said(&text, None),
        [
            "6:2 `database` must be a list of tables, not a table |  | begin each with `[[database]]`"
        ]
    );
    let text = FLEET.to_owned() + LITE;
    assert_eq!(
        said(&text, None),
        [
            "7:1 it is not said which server this database is on |  | write host = \"web-1\", or the server that it is on"
        ]
    );
    let text = FLEET.replace("user = \"deploy\"\n", "")
        + &LITE.replace("sqlite", "host = \"db-1\"\nsqlite");
    assert_eq!(
        said(&text, None),
        [
            "8:8 the login on `db-1` is not fixed |  | write \"postgres@db-1\", or user = \"deploy\" under `[hosts]`"
        ]
    );
}

#[test]
fn a_rehearsal_leads_the_release_to_the_copy() {
    let written = FLEET.to_owned()
        + LITE
        + r#"host = "web-2"
[database.rehearse]
variable = "DATABASE_URL"
value = "sqlite://{path}?mode=rw"
env = { MAIL_URL = "" }
write = "bin/smoke write"
read = "bin/smoke read"
host = "web-2"
timeout = "1h"
"#;
    let settings = good(&written, None);
    let rehearse = settings.databases[0].rehearse.as_ref().expect("it is rehearsed on");
    let wanted = RehearseSettings {
        variable: "DATABASE_URL".to_owned(),
        value: Some("sqlite://{path}?mode=rw".to_owned()),
        env: [("MAIL_URL".to_owned(), String::new())].into(),
        write: Some("bin/smoke write".to_owned()),
        read: Some("bin/smoke read".to_owned()),
        host: Some(friday_wire::HostName::new("web-2")),
        timeout_ms: 3_600_000,
    };
    assert_eq!(*rehearse, wanted);
    assert_eq!(rehearse.value_for("/s/copy.db"), "sqlite:///s/copy.db?mode=rw");
}

#[test]
fn a_rehearsal_needs_only_the_variable_and_is_tried_where_the_migration_runs() {
    let rehearsed = "[database.rehearse]\nvariable = \"DB\"\n";
    let settings = good(&(SMALL.to_owned() + LITE + rehearsed), None);
    let rehearse = settings.databases[0].rehearse.as_ref().expect("it is rehearsed on");
    assert_eq!(rehearse.value_for("/s/copy.db"), "/s/copy.db");
    assert_eq!(rehearse.timeout_ms, 1_800_000);
    let first = settings.hosts.first().map(|host| &host.name);
    assert_eq!(settings.rehearsal_host(rehearse), first);
    let migrating = FLEET.replace(
        "path = \"dist\"",
        "path = \"dist\"\nmigrate = \"bin/up\"\nmigrate_host = \"web-2\"",
    );
    let settings = good(&(migrating + LITE + "host = \"web-1\"\n" + rehearsed), None);
    let rehearse = settings.databases[0].rehearse.as_ref().expect("it is rehearsed on");
    let host = settings.rehearsal_host(rehearse).map(friday_wire::HostName::as_str);
    assert_eq!(host, Some("web-2"));
}

#[test]
fn a_rehearsal_that_could_reach_what_is_live_is_told() {
    let told = |rehearse: &str| {
        let written = SMALL.to_owned() + LITE + "[database.rehearse]\n" + rehearse;
        let problems = parse("friday.toml", &written, None).expect_err("it is wrong");
        drawn(&written, &problems).join("\n")
    };
    let cases = [
        ("write = \"w\"\n", "`database.rehearse.variable` is missing"),
        ("variable = \"not one\"\n", "`not one` is not the name of a variable"),
        ("variable = \"DB\"\nvalue = \"/srv/live.db\"\n", "does not lead to the copy alone"),
        ("variable = \"DB\"\nvalue = \"{url}\"\n", "does not lead to the copy alone"),
        (
            "variable = \"DB\"\nenv = { DB = \"x\" }\n",
            "`DB` is the variable that leads to the copy",
        ),
        ("variable = \"DB\"\nenv = { PORT = \"1\" }\n", "`PORT` is set by friday itself"),
        ("variable = \"DB\"\nhost = \"web-9\"\n", "names `web-9`, which is not in `[hosts]`"),
    ];
    for (rehearse, wanted) in cases {
        let told = told(rehearse);
        assert!(told.contains(wanted), "{rehearse}: {told}");
    }
    let second = "variable = \"DB\"\n[[database]]\nname = \"b\"\nsqlite = \"b.db\"\n[database.rehearse]\nvariable = \"DB\"\n";
    let told = told(second);
    assert!(told.contains("a second database is rehearsed on"), "{told}");
}
