//! What a person can do with a restored copy of a PostgreSQL cluster. Nothing of it is done here.

use std::path::Path;

use friday_wire::data::RestoreStep;

use super::base::Base;
use super::programs::Programs;
use crate::clock;
use crate::words::quoted;

/// Steps for a stopped copy in `directory`, beside the live server.
pub fn with_copy(
    base: &Base,
    programs: &Programs,
    directory: &Path,
    now_ms: u64,
) -> Vec<RestoreStep> {
    let program = |name: &str| quoted(&programs.directory().join(name).display().to_string());
    let (pg_ctl, psql, dump) = (program("pg_ctl"), program("psql"), program("pg_dump"));
    let dir = quoted(&directory.display().to_string());
    let data = quoted(&directory.join("data").display().to_string());
    let log = quoted(&directory.join("log").display().to_string());
    let (role, name) = (quoted(&base.bootstrap), quoted(&base.database));
    let copy = format!("-h {dir} -p 5432 -U {role}");
    let restored = format!("{}_restored", base.database);
    let before = format!("{}_before_{}", base.database, clock::stamp(now_ms).to_lowercase());
    let create = format!("CREATE DATABASE {} TEMPLATE template0", identifier(&restored));
    let swap = format!(
        "ALTER DATABASE {} RENAME TO {}; ALTER DATABASE {} RENAME TO {}",
        identifier(&base.database),
        identifier(&before),
        identifier(&restored),
        identifier(&base.database),
    );
    let back = format!(
        "ALTER DATABASE {} RENAME TO {}; ALTER DATABASE {} RENAME TO {}",
        identifier(&base.database),
        identifier(&restored),
        identifier(&before),
        identifier(&base.database),
    );
    vec![
        step(
            "start the copy: it listens on a socket in its directory, and nowhere else",
            vec![format!("{pg_ctl} -D {data} -l {log} -w start")],
        ),
        step("look at it", vec![format!("{psql} {copy} {name}")]),
        step(
            "one table: put it beside the live one in a schema of its own, from which rows can be taken over; the application may run on \
             (LIVE is a connection string of the live database's owner)",
            vec![format!(
                "{psql} {copy} -c {} {name} && {dump} {copy} --no-owner --no-acl -t restored.THE_TABLE {name} | {psql} -v ON_ERROR_STOP=1 -1 -c 'CREATE SCHEMA restored' -f - LIVE",
                quoted(
                    "CREATE SCHEMA restored; CREATE TABLE restored.THE_TABLE AS TABLE public.THE_TABLE"
                ),
            )],
        ),
        step(
            "all of it, first: load the copy into a new database beside the live one; the application may run on (ADMIN is a connection \
             string of a superuser to the live server's database postgres, NEW one to the new database)",
            vec![
                format!("{psql} -c {} ADMIN", quoted(&create)),
                format!("{dump} {copy} {name} | {psql} -v ON_ERROR_STOP=1 -1 -q -f - NEW"),
            ],
        ),
        step(
            "all of it, second: stop everything that is connected, and exchange the names",
            vec![format!("{psql} -v ON_ERROR_STOP=1 -1 -c {} ADMIN", quoted(&swap))],
        ),
        step(
            "all of it, third: start the application, and make a backup of what is live now",
            Vec::new(),
        ),
        step(
            "the way back from that: stop what is connected, and exchange them again",
            vec![format!("{psql} -v ON_ERROR_STOP=1 -1 -c {} ADMIN", quoted(&back))],
        ),
        step("stop the copy", vec![format!("{pg_ctl} -D {data} -m fast stop")]),
    ]
}

fn step(what: &str, run: Vec<String>) -> RestoreStep {
    RestoreStep { what: what.to_owned(), run }
}

/// A name in SQL.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
