//! Restore points: a place in the write-ahead log that is in the repository before anybody is told of it.
//!
//! Asked again under the same name, it answers the same: the file `points.json` remembers.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::str::FromStr as _;
use std::time::Instant;

use friday_wire::data::{DataPhase, Position, RestorePoint};

use super::base::Base;
use super::chain;
use super::error::PostgresError;
use super::facts;
use super::live::Live;
use super::lsn::{Lsn, Segment};
use super::origin::Origin;
use crate::clock;
use crate::course::{Watch, ms};
use crate::request::Setting;

/// Points that are remembered: many more than backups keep reachable.
const REMEMBERED: usize = 500;

/// PostgreSQL's limit of a restore point's name.
const NAME_LIMIT: usize = 63;

/// A place at the very beginning of a segment is marked again, so often at most.
const TRIES: usize = 3;

/// What stands at the beginning of each segment, bytes.
const HEADER: u64 = 40;

/// Marks the present, and waits until the repository has it.
///
/// # Errors
/// Why not. What PostgreSQL wrote into its log stays there and does no harm.
pub fn point(setting: &Setting<'_>, name: &str) -> Result<RestorePoint, PostgresError> {
    let origin = Origin::open(setting)?;
    let live = Live::open(setting)?;
    if let Some(known) = remembered(setting.place.dir()).remove(name)
        && is_reachable(&known, &live, &origin, setting.place.dir())
    {
        return Ok(known);
    }
    let bases = bases(&origin, &live.cluster.system)?;
    // Receiving does not begin again after a promotion, and would not say why.
    let (timeline, _) = facts::present(&live.server, setting.course.watch())?;
    if !bases.iter().any(|(_, base)| base.timeline == timeline) {
        return Err(promoted(timeline));
    }
    if let Origin::Repository(_) = origin {
        live.receive(setting)?;
    }

    setting.course.enter(DataPhase::Mark);
    let watch = setting.course.watch();
    let began = Instant::now();
    let at_ms = clock::now_ms();
    let (timeline, lsn) = mark(&live, name, watch)?;
    let (backup, base) = newest(bases, timeline, lsn)?;
    let log = origin.log(&live.cluster.system, setting.place.dir())?;
    let to = Segment::holding(timeline, lsn, base.segment);
    let how = |segment: &str| live.how_it_comes(segment, &log, setting);
    chain::wait(&log, (base.first(), to), base.segment, how, watch)?;
    let point = RestorePoint {
        name: name.to_owned(),
        at_ms,
        position: base.position_at(lsn),
        backup,
        durable_ms: ms(began.elapsed()),
    };
    remember(setting.place.dir(), &point)
        .map_err(PostgresError::file("remembering the restore point"))?;
    Ok(point)
}

type Bases = Vec<(friday_wire::BackupId, Base)>;

fn bases(origin: &Origin, system: &str) -> Result<Bases, PostgresError> {
    let mut found = Vec::new();
    for manifest in &origin.usable()? {
        let base = Base::of(manifest)?;
        if base.system == system {
            found.push((manifest.backup.id.clone(), base));
        }
    }
    if found.is_empty() {
        return Err(PostgresError::NoBackup(
            "there is no backup of this cluster to begin from".to_owned(),
        ));
    }
    Ok(found)
}

fn newest(
    bases: Bases,
    timeline: u32,
    lsn: Lsn,
) -> Result<(friday_wire::BackupId, Base), PostgresError> {
    let fits =
        bases.into_iter().rev().find(|(_, base)| base.timeline == timeline && base.end <= lsn);
    fits.ok_or_else(|| promoted(timeline))
}

fn promoted(timeline: u32) -> PostgresError {
    PostgresError::NoBackup(format!(
        "the server was promoted since the newest backup, and there is none on its timeline {timeline}"
    ))
}

/// Writes a mark, and makes PostgreSQL end its segment. What comes before the place is what can be returned to; a
/// record that begins there is the first that is too late, and there always is one.
fn mark(live: &Live, name: &str, watch: &Watch) -> Result<(u32, Lsn), PostgresError> {
    let quoted = quoted(name);
    for _ in 0..TRIES {
        let named = format!("SELECT pg_create_restore_point({quoted})");
        if live.server.value(watch, "naming the place", &named).is_err() {
            // Not everybody may; the place is known by its number anyway.
            let message = format!("SELECT pg_logical_emit_message(false, 'friday', {quoted})");
            live.server.value(watch, "marking the place", &message)?;
        }
        let (timeline, lsn) = facts::present(&live.server, watch)?;
        let switched = live.server.value(watch, "ending the WAL segment", "SELECT pg_switch_wal()");
        switched.map_err(|error| match error {
            PostgresError::Sql { doing, says } => PostgresError::Refused {
                why: format!("{doing}: {says}"),
                help: Some("GRANT EXECUTE ON FUNCTION pg_switch_wal() TO the role, in the database it connects to".to_owned()),
            },
            other => other,
        })?;
        // At its very beginning there is nothing to end, and PostgreSQL would wait for the next write.
        if lsn.0 % live.cluster.segment.bytes() > HEADER {
            return Ok((timeline, lsn));
        }
    }
    Err(PostgresError::NotReached("each mark fell on the border of a segment".to_owned()))
}

fn quoted(name: &str) -> String {
    let mut text = String::from("friday ");
    for c in name.chars().filter(|c| !c.is_control()) {
        if text.len() + c.len_utf8() > NAME_LIMIT {
            break;
        }
        text.push(c);
    }
    // Standard strings, whatever the server is set to: a backslash means itself in none of ours.
    let text = text.replace('\\', "/").replace('\'', "''");
    format!("'{text}'")
}

fn is_reachable(point: &RestorePoint, live: &Live, origin: &Origin, place: &Path) -> bool {
    let Position::Postgres { system, timeline, lsn } = &point.position else { return false };
    let Ok(lsn) = Lsn::from_str(lsn) else { return false };
    let Ok(base) =
        origin.find(&point.backup).map_err(|_| ()).and_then(|m| Base::of(&m).map_err(|_| ()))
    else {
        return false;
    };
    let Ok(log) = origin.log(system, place) else { return false };
    let to = Segment::holding(*timeline, lsn, base.segment);
    *system == live.cluster.system && chain::gap(&log, base.first(), to, base.segment).is_none()
}

/// All points that are remembered. A file that cannot be read is none: the point is made anew.
fn remembered(place: &Path) -> BTreeMap<String, RestorePoint> {
    let text = fs::read(place.join("points.json")).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn remember(place: &Path, point: &RestorePoint) -> std::io::Result<()> {
    let mut points = remembered(place);
    points.insert(point.name.clone(), point.clone());
    while points.len() > REMEMBERED {
        let oldest =
            points.values().min_by_key(|point| point.at_ms).map(|point| point.name.clone());
        oldest.and_then(|name| points.remove(&name));
    }
    let temporary = place.join("points.json.tmp");
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(&serde_json::to_vec_pretty(&points)?)?;
    file.sync_all()?;
    fs::rename(&temporary, place.join("points.json"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_name_is_one_string_that_postgresql_takes() {
        assert_eq!(quoted("R-7"), "'friday R-7'");
        assert_eq!(quoted("it's\\\n"), "'friday it''s/'");
        assert!(quoted(&"ä".repeat(100)).len() <= 65);
    }
}
