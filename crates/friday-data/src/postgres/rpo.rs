//! How much of the newest history would be lost now.

use super::archiver;
use super::facts;
use super::feed::Source;
use super::live::Live;
use super::log::Log;
use super::lsn::Lsn;
use super::newest::age_ms;
use crate::course::ms;
use crate::request::Setting;

use std::str::FromStr as _;
use std::time::{Duration, Instant};

/// What the server writes by itself, now and then, without anybody's data: bytes.
const IDLE: u64 = 8 * 1024;

/// The live server has so long to say where it is. It may be gone: that is what drills are for.
const ASK_LIMIT: Duration = Duration::from_secs(5);

/// Milliseconds: 0 where everything was received, else the age of the newest that was. `None`: nothing was, and the
/// age of the place in the repository is not known.
pub fn rpo_ms(setting: &Setting<'_>, source: &Source) -> Option<u64> {
    if let Log::Stanza(_) = source.log {
        let watch = setting.course.watch().within(ASK_LIMIT);
        let live = Live::open(setting).ok()?;
        return archiver::age_ms(&live.server, (source.size, IDLE), &watch).ok()?;
    }
    let began = Instant::now();
    match behind(setting) {
        Some(behind) if behind <= IDLE => Some(ms(began.elapsed())),
        _ => age_ms(source),
    }
}

/// How many bytes the receiving process lacks; `None`: nobody can say.
fn behind(setting: &Setting<'_>) -> Option<u64> {
    let watch = setting.course.watch().within(ASK_LIMIT);
    let live = Live::open(setting).ok()?;
    let asked = format!(
        "SELECT write_lsn FROM pg_stat_replication r JOIN pg_replication_slots s ON s.active_pid = r.pid \
         WHERE s.slot_name = '{}'",
        live.slot()
    );
    let written = live.server.value(&watch, "asking how far WAL is received", &asked).ok()?;
    let (_, present) = facts::present(&live.server, &watch).ok()?;
    Some(present.0.saturating_sub(Lsn::from_str(&written).ok()?.0))
}
