//! The live server, as a request meets it: connected, looked at, and its WAL being received.
//!
//! What it changes there: a replication slot of friday's own, restore points, and that WAL begins a new segment.

use std::path::Path;
use std::time::Duration;

use friday_wire::data::Engine;

use super::address::Address;
use super::archiver;
use super::error::PostgresError;
use super::facts::{self, Cluster};
use super::keep::{self, Job, Status};
use super::log::Log;
use super::programs::{OLDEST_MAJOR, Programs};
use super::received::Received;
use super::server::Server;
use crate::course::{Stopped, Watch};
use crate::place;
use crate::request::Setting;

/// From the start of `pg_receivewal` to the first WAL.
const RECEIVE_LIMIT: Duration = Duration::from_secs(15);

/// How often somebody looks whether WAL is received.
const LOOK: Duration = Duration::from_millis(50);

/// The live server.
pub struct Live {
    /// How it is reached.
    pub address: Address,
    /// A connection to it.
    pub server: Server,
    /// What it is.
    pub cluster: Cluster,
    /// Its programs on this host.
    pub programs: Programs,
    job: Job,
}

/// What of the engine's description this engine works with.
pub struct Described<'a> {
    /// How it is reached.
    pub address: Address,
    /// Where the configuration says that programs are.
    pub programs: Option<&'a str>,
}

/// Reads a database's description.
///
/// # Errors
/// When it is none that this engine can work with.
pub fn described<'a>(setting: &Setting<'a>) -> Result<Described<'a>, PostgresError> {
    let Engine::Postgres { url, programs, .. } = &setting.database.engine else {
        return Err(PostgresError::Url("it is none of PostgreSQL's".to_owned()));
    };
    Ok(Described { address: Address::parse(url)?, programs: programs.as_deref() })
}

impl Live {
    /// Connects and looks.
    ///
    /// # Errors
    /// When it cannot be reached, or is none that backups can be made of.
    pub fn open(setting: &Setting<'_>) -> Result<Self, PostgresError> {
        let Described { address, programs } = described(setting)?;
        let watch = setting.course.watch();
        let server = Server::connect(&address, watch)?;
        let cluster = Cluster::ask(&server, watch)?;
        if cluster.major < OLDEST_MAJOR {
            return Err(PostgresError::Refused {
                why: format!(
                    "PostgreSQL {} is too old: backups of it list no hashes",
                    cluster.version
                ),
                help: Some(format!("PostgreSQL {OLDEST_MAJOR} or newer is needed")),
            });
        }
        if cluster.standby {
            return Err(PostgresError::Refused {
                why: "this server is a standby".to_owned(),
                help: Some("name its primary: restore points are made there".to_owned()),
            });
        }
        let programs = Programs::find(programs, cluster.major, Some((&server, watch)))?;
        // A place is BASE/FLEET/DATABASE.
        let base = setting.place.dir().ancestors().nth(2).unwrap_or(Path::new("/")).to_owned();
        let job = Job {
            base,
            fleet: setting.fleet.clone(),
            database: setting.database.clone(),
            system: cluster.system.clone(),
            segment: cluster.segment.bytes(),
            programs: programs.directory().to_owned(),
        };
        Ok(Self { address, server, cluster, programs, job })
    }

    /// WAL that was received of it on this host.
    pub fn received(&self, setting: &Setting<'_>) -> Received {
        Received::new(setting.place.dir(), &self.cluster.system)
    }

    /// The name of friday's replication slot.
    pub fn slot(&self) -> String {
        self.job.slot()
    }

    /// Sees to it that its WAL is being received.
    ///
    /// # Errors
    /// When it is not in time; a slot that PostgreSQL gave up is a [`PostgresError::Gap`].
    pub fn receive(&self, setting: &Setting<'_>) -> Result<Status, PostgresError> {
        let watch = setting.course.watch();
        let slot = self.slot();
        if self.slot_state(watch)?.is_none() {
            let make = format!("SELECT pg_create_physical_replication_slot('{slot}', true)");
            self.server.value(watch, "making the replication slot", &make).map_err(privileged)?;
        }
        let mut status = keep::ensure(setting.place.dir(), &self.job, watch)?;
        let patience = watch.within(RECEIVE_LIMIT);
        while !self.slot_state(watch)?.is_some_and(|state| state.active) {
            if self.slot_state(watch)?.is_some_and(|state| state.lost) {
                return Err(PostgresError::Gap {
                    segment: "an unknown segment".to_owned(),
                    why: format!(
                        "the server gave up what slot `{slot}` still needed (max_slot_wal_keep_size)"
                    ),
                });
            }
            status = keep::ensure(setting.place.dir(), &self.job, watch)?;
            patience.pause(LOOK).map_err(|stopped| match stopped {
                Stopped::Closed => PostgresError::from(stopped),
                Stopped::Late(_) => not_received(&status),
            })?;
        }
        Ok(status)
    }

    /// Begins receiving anew where PostgreSQL gave up what the slot still needed, or where the server was promoted
    /// since: what was received is of a history that it may have left. A new backup follows.
    ///
    /// # Errors
    /// PostgreSQL's and the system's.
    pub fn begin_anew_if_lost(&self, setting: &Setting<'_>) -> Result<(), PostgresError> {
        let watch = setting.course.watch();
        let lost = self.slot_state(watch)?.is_some_and(|state| state.lost);
        if !lost && !self.was_promoted(setting)? {
            return Ok(());
        }
        keep::stop(setting.place.dir(), watch)?;
        self.drop_slot(watch)?;
        // From what lies there pg_receivewal would go on, and the server no longer has that.
        let dir = self.received(setting).dir().to_owned();
        place::remove(&dir).map_err(PostgresError::file("removing received WAL"))
    }

    fn was_promoted(&self, setting: &Setting<'_>) -> Result<bool, PostgresError> {
        let (timeline, _) = facts::present(&self.server, setting.course.watch())?;
        let (received, size) = (self.received(setting), self.cluster.segment);
        let partial = received.partial(size)?.map(|(segment, _)| segment);
        let newest = received.whole(size)?.into_iter().chain(partial).max();
        Ok(newest.is_some_and(|newest| newest.timeline < timeline))
    }

    /// How a segment comes to where it is kept, for who waited for it in vain.
    pub fn how_it_comes(&self, segment: &str, log: &Log, setting: &Setting<'_>) -> String {
        if let Log::Stanza(_) = log {
            return archiver::how(&self.server, segment, setting.course.watch());
        }
        let how = match keep::status(setting.place.dir()) {
            None => "the process that receives WAL does not run",
            Some(Status { trouble: Some(trouble), .. }) => {
                return format!("receiving WAL has trouble: {trouble}");
            }
            Some(Status { receives: true, .. }) => "it is still being received",
            Some(_) => "pg_receivewal does not run yet",
        };
        how.to_owned()
    }

    /// Removes friday's slot, if there is one.
    ///
    /// # Errors
    /// PostgreSQL's: somebody still receives from it.
    pub fn drop_slot(&self, watch: &Watch) -> Result<(), PostgresError> {
        let drop = format!(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '{}'",
            self.slot()
        );
        self.server.rows(watch, "removing the replication slot", &drop).map(std::mem::drop)
    }

    /// How friday's slot is; `None`: there is none.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub fn slot_state(&self, watch: &Watch) -> Result<Option<SlotState>, PostgresError> {
        let asked = format!(
            "SELECT active, coalesce(wal_status, '') = 'lost' FROM pg_replication_slots WHERE slot_name = '{}'",
            self.slot()
        );
        let rows = self.server.rows(watch, "looking at the replication slot", &asked)?;
        Ok(rows.first().map(|row| {
            let truth = |at: usize| row.get(at).and_then(Option::as_deref) == Some("t");
            SlotState { active: truth(0), lost: truth(1) }
        }))
    }
}

/// How a replication slot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotState {
    /// Somebody receives from it.
    pub active: bool,
    /// The server gave up what it still needed.
    pub lost: bool,
}

fn privileged(error: PostgresError) -> PostgresError {
    match error {
        PostgresError::Sql { doing, says } => PostgresError::Refused {
            why: format!("{doing}: {says}"),
            help: Some(
                "give the role what it needs: ALTER ROLE … REPLICATION; and see that max_replication_slots is not used up"
                    .to_owned(),
            ),
        },
        other => other,
    }
}

fn not_received(status: &Status) -> PostgresError {
    let why = status.trouble.clone().unwrap_or_else(|| "pg_receivewal does not say why".to_owned());
    PostgresError::Refused {
        why: format!("WAL is not received: {why}"),
        help: Some(
            "let the role in for replication, one line in pg_hba.conf and a reload: `local replication ROLE peer` or \
             `host replication ROLE 127.0.0.1/32 scram-sha-256`"
                .to_owned(),
        ),
    }
}
