//! Takes personal data out of a copy: the team's statements in one transaction, then what they replaced is removed
//! from the files, too.
//!
//! An update leaves the old row in its file, the log has every change, and the planner's statistics are values of
//! rows; other databases of the cluster came with the copy. None of that stays. What went wrong is told without the
//! words that PostgreSQL may make of a row.

use std::time::{Duration, Instant};

use friday_wire::data::{DataPhase, Mask, Masked};
use postgres::error::ErrorPosition;
use postgres::{Client, SimpleQueryMessage};

use super::address::Address;
use super::drill::Arrived;
use super::error::PostgresError;
use super::live::described;
use super::opened::owner;
use super::restore::end_recovery;
use super::server::{Server, rows_of};
use crate::course::{Course, Watch, ms};
use crate::request::Setting;

/// What the end of recovery may take: a checkpoint.
const PROMOTE_LIMIT: Duration = Duration::from_secs(600);

/// Masks a drill's copy, which stands at its target: it becomes a cluster of its own first.
///
/// # Errors
/// As [`mask`].
pub fn of_a_drill(
    setting: &Setting<'_>,
    arrived: &Arrived,
    asked: &Mask,
) -> Result<Masked, PostgresError> {
    let course = setting.course;
    course.enter(DataPhase::Mask);
    let Arrived { sockets, base, .. } = arrived;
    let live = described(setting)?.address;
    let database = live.database().unwrap_or(&base.database);
    let all = sockets.address(&base.bootstrap, database);
    let server = Server::connect(&all, course.watch())?;
    end_recovery(&server, &course.watch().within(PROMOTE_LIMIT))?;
    let owner = owner(&server, course.watch())?;
    mask((&all, &sockets.address(&owner, database)), asked, course)
}

/// Masks a copy that is a cluster of its own by now. `all`: the guarded database, by a role that may everything;
/// `owner`: by the role that it belongs to, for the statements get no further than that one does. Where it fails
/// the copy is no good any more, and must go.
///
/// # Errors
/// Which line could not be run, and why; or that time is over.
pub fn mask(
    (all, owner): (&Address, &Address),
    mask: &Mask,
    course: &Course,
) -> Result<Masked, PostgresError> {
    let began = Instant::now();
    course.enter(DataPhase::Mask);
    let watch = course.watch();
    let ran = run(&Server::connect(owner, watch)?, mask, watch)?;
    let all = Server::connect(all, watch)?;
    leave_no_other(&all, watch)?;
    remove_replaced(&all, &ran.changed, watch)?;
    Ok(Masked { statements: ran.statements, ms: ms(began.elapsed()) })
}

struct Ran {
    statements: u64,
    /// Tables in which rows were changed or removed, quoted as statements have them.
    changed: Vec<String>,
}

fn run(server: &Server, mask: &Mask, watch: &Watch) -> Result<Ran, PostgresError> {
    let sql = mask.sql.clone();
    let left = u64::try_from(watch.left().as_millis()).unwrap_or(u64::MAX).clamp(1, 86_400_000);
    let ran =
        server.ask(watch, "masking", move |client| Ok(in_one_transaction(client, &sql, left)))?;
    ran.map_err(|why| PostgresError::Refused {
        why: format!("the mask failed: {why}"),
        help: Some(
            "try it on a copy of your own (friday restore), as the role that the database belongs to"
                .to_owned(),
        ),
    })
}

fn in_one_transaction(client: &mut Client, sql: &str, left: u64) -> Result<Ran, String> {
    const NUMBER: &str = "SELECT pg_current_xact_id()::text";
    let plain = |error: postgres::Error| told(&error, "");
    client.batch_execute(&format!("SET statement_timeout = {left}; BEGIN")).map_err(plain)?;
    let begun = rows_of(client, NUMBER).map_err(plain)?;
    let messages = client.simple_query(sql).map_err(|error| told(&error, sql))?;
    let ended =
        |message: &&SimpleQueryMessage| matches!(message, SimpleQueryMessage::CommandComplete(_));
    let statements = messages.iter().filter(ended).count() as u64;
    if rows_of(client, NUMBER).map_err(plain)? != begun {
        return Err(
            "it ends the transaction itself; leave out BEGIN, COMMIT and ROLLBACK".to_owned()
        );
    }
    let changed = rows_of(
        client,
        "SELECT format('%I.%I', schemaname, relname) FROM pg_stat_xact_all_tables \
         WHERE n_tup_upd + n_tup_del > 0 AND schemaname <> 'pg_toast' \
         AND (schemaname NOT IN ('pg_catalog', 'information_schema') OR relname = 'pg_largeobject')",
    );
    let changed = changed.map_err(plain)?.into_iter().flatten().flatten().collect();
    // What is checked at the end of a transaction fails here.
    client.batch_execute("COMMIT").map_err(plain)?;
    Ok(Ran { statements, changed })
}

/// PostgreSQL's reason. Its own words only where they are about the statement: of a value they may hold the value.
fn told(error: &postgres::Error, sql: &str) -> String {
    let Some(error) = error.as_db_error() else { return super::address::cause(error) };
    let line = match error.position() {
        Some(ErrorPosition::Original(at)) => {
            let before = sql.chars().take(usize::try_from(*at).unwrap_or(0).saturating_sub(1));
            format!("line {}: ", before.filter(|letter| *letter == '\n').count() + 1)
        }
        _ => String::new(),
    };
    let of_the_statement = ["42", "0A", "25", "53", "55", "57"];
    if of_the_statement.iter().any(|class| error.code().code().starts_with(class)) {
        return format!("{line}{}", error.message());
    }
    let mut says = format!("{line}error {}", error.code().code());
    let named =
        [("table", error.table()), ("column", error.column()), ("constraint", error.constraint())];
    for (what, name) in named {
        if let Some(name) = name {
            says.push_str(&format!(", {what} `{name}`"));
        }
    }
    says
}

/// A mask is of one database, and a copy is of the cluster: whatever else is in it goes.
fn leave_no_other(server: &Server, watch: &Watch) -> Result<(), PostgresError> {
    let doing = "removing the cluster's other databases from the copy";
    let others = "SELECT quote_ident(datname) FROM pg_database \
                  WHERE NOT datistemplate AND datname <> current_database()";
    let others = server.rows(watch, doing, others)?;
    for name in others.into_iter().flatten().flatten() {
        server.rows(watch, doing, &format!("DROP DATABASE {name} WITH (FORCE)"))?;
        if name == "postgres" {
            // Programs connect to it before they do anything else.
            server.rows(watch, doing, "CREATE DATABASE postgres TEMPLATE template0")?;
        }
    }
    Ok(())
}

/// Tables are written anew without the rows that were replaced; statistics and log go.
fn remove_replaced(
    server: &Server,
    changed: &[String],
    watch: &Watch,
) -> Result<(), PostgresError> {
    let doing = "removing what the mask replaced";
    let run = |sql: &str| server.rows(watch, doing, sql).map(drop);
    run("DELETE FROM pg_catalog.pg_statistic")?;
    run("DELETE FROM pg_catalog.pg_statistic_ext_data")?;
    for table in changed {
        run(&format!("VACUUM (FULL) {table}"))?;
    }
    run("VACUUM (FULL) pg_catalog.pg_statistic")?;
    run("VACUUM (FULL) pg_catalog.pg_statistic_ext_data")?;
    // The migration shall be planned as on the live server.
    run("ANALYZE")?;
    // `wal_recycle` is off: what is not needed any more is removed.
    run("SELECT pg_switch_wal()")?;
    run("CHECKPOINT")
}
