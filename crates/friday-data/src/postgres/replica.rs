//! A replica that answers in the live server's place: only once it has all that was committed there when the
//! question came. What lags behind must not say that all is well.

use std::time::{Duration, Instant};

use friday_wire::data::Hidden;

use super::address::Address;
use super::error::PostgresError;
use super::server::Server;
use crate::course::Watch;

/// A replica gets this long to catch up. On a quiet server the last record may wait for the next one, which the
/// server itself writes every 15 s.
const CATCH_UP: Duration = Duration::from_secs(30);

/// How often it is asked.
const LOOK: Duration = Duration::from_millis(100);

/// Connects to a replica, and waits until it has caught up.
///
/// # Errors
/// It cannot be reached, is no replica of that server, or lags.
pub fn caught_up(live: &Server, url: &Hidden, watch: &Watch) -> Result<Server, PostgresError> {
    const WHICH: &str = "SELECT system_identifier FROM pg_control_system()";
    let doing = "asking how far the log is";
    let [system] = live.row(watch, doing, WHICH)?;
    // Whatever was committed is flushed; what is not flushed cannot have been seen by anybody.
    let flushed = live.value(watch, doing, "SELECT pg_current_wal_flush_lsn()")?;
    let replica = Server::connect(&Address::parse(url)?, watch).map_err(of_replica)?;
    let doing = "asking the replica how far it is";
    let [there] = replica.row(watch, doing, WHICH)?;
    if there != system {
        return Err(refused("the replica is one of another server"));
    }
    let far = format!(
        "SELECT pg_is_in_recovery(), COALESCE(pg_last_wal_replay_lsn() >= '{}'::pg_lsn, false)",
        lsn(&flushed)
    );
    let until = Instant::now() + CATCH_UP;
    loop {
        let [recovers, has_all] = replica.row(watch, doing, &far)?;
        if recovers != "t" {
            return Err(refused("the replica is none any more: it was promoted"));
        }
        if has_all == "t" {
            return Ok(replica);
        }
        if Instant::now() >= until {
            let why = format!("the replica lags by more than {} s", CATCH_UP.as_secs());
            return Err(refused(&why));
        }
        watch.pause(LOOK)?;
    }
}

/// A place in the log, as the server printed it: nothing else gets into a statement.
fn lsn(printed: &str) -> String {
    printed.chars().filter(|c| c.is_ascii_hexdigit() || *c == '/').collect()
}

fn of_replica(error: PostgresError) -> PostgresError {
    match error {
        PostgresError::Connect(why) => PostgresError::Connect(format!("the replica: {why}")),
        other => other,
    }
}

fn refused(why: &str) -> PostgresError {
    PostgresError::Refused {
        why: why.to_owned(),
        help: Some(
            "see how replication is, or leave out `replica`: then the live server is asked"
                .to_owned(),
        ),
    }
}
