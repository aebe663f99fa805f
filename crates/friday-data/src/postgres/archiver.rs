//! The server's own archiver: what it says of segments that `archive_command` is to carry away.

use std::time::Duration;

use super::error::PostgresError;
use super::lsn::{Segment, SegmentSize};
use super::server::Server;
use crate::course::Watch;

/// A server that is asked why something is late answers soon, or is the reason.
const ASK_LIMIT: Duration = Duration::from_secs(5);

/// Why a segment has not come, as far as the server knows.
pub fn how(server: &Server, segment: &str, watch: &Watch) -> String {
    let asked = said(server, &watch.anew(ASK_LIMIT));
    let Ok([mode, archived, failed, fails]) = asked else {
        return "the server does not say how archiving goes".to_owned();
    };
    if mode == "off" {
        return "archive_mode is off".to_owned();
    }
    if fails == "t" {
        return format!("archive_command fails at {failed}; the server's log says why");
    }
    // Of one timeline, names are in the order of the log.
    if archived.as_str() >= segment {
        return format!(
            "the server says that {archived} was archived, and the stanza does not have it: archive_command leads elsewhere"
        );
    }
    let newest = if archived.is_empty() { "nothing" } else { archived.as_str() };
    format!("the server has archived {newest} so far")
}

/// How old the newest that was archived is, milliseconds: 0 where no more than `idle` bytes came after it. `None`:
/// nothing ever was.
///
/// # Errors
/// PostgreSQL's.
pub fn age_ms(
    server: &Server,
    (size, idle): (SegmentSize, u64),
    watch: &Watch,
) -> Result<Option<u64>, PostgresError> {
    let [archived, age, file, offset] = server.row(
        watch,
        "asking how archiving goes",
        "SELECT coalesce(last_archived_wal, ''), \
         coalesce((extract(epoch FROM clock_timestamp() - last_archived_time) * 1000)::int8, 0), file_name, file_offset \
         FROM pg_stat_archiver, pg_walfile_name_offset(pg_current_wal_insert_lsn())",
    )?;
    let Some(newest) = Segment::parse(&archived, size) else { return Ok(None) };
    let little = offset.parse::<u64>().is_ok_and(|offset| offset <= idle);
    let follows = newest.next().name(size) == file;
    Ok(if archived >= file || (follows && little) { Some(0) } else { age.parse().ok() })
}

fn said(server: &Server, watch: &Watch) -> Result<[String; 4], PostgresError> {
    server.row(
        watch,
        "asking how archiving goes",
        "SELECT current_setting('archive_mode'), coalesce(last_archived_wal, ''), coalesce(last_failed_wal, ''), \
         coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) FROM pg_stat_archiver",
    )
}
