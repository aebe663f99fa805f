//! A copy that a release may write to: restored as a drill's, then a cluster of its own that is asked by anybody who
//! can get into a private directory.
//!
//! It archives nothing, connects to nobody, and ends with the connection that opened it.

use std::fs::OpenOptions;
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use friday_wire::data::{CopyAddress, CopySeen, DrillTarget, Invariant, Judged, Mask, OpenedCopy};

use super::address::Address;
use super::configuration::of_a_rehearsal;
use super::drill::{Arrived, Proof, Wanted, copy};
use super::error::PostgresError;
use super::judge;
use super::live::described;
use super::locks::{Locks, Looked};
use super::mask;
use super::programs::{Programs, Running};
use super::restore::end_recovery;
use super::schema;
use super::scratch::{Scratch, Sockets, put_away, quit};
use super::server::Server;
use crate::clock;
use crate::course::Watch;
use crate::failure::Failure;
use crate::lock::LockKind;
use crate::request::Setting;

/// How often the copy is asked whether it is as it was told to be.
const LOOK: Duration = Duration::from_millis(40);

/// What the end of recovery may take: a checkpoint.
const PROMOTE_LIMIT: Duration = Duration::from_secs(600);

/// The port in the socket's name, as the configuration has it.
const PORT: u16 = 5432;

/// The copy. Dropped, its server ends and its directory goes.
pub struct PostgresCopy {
    locks: Locks,
    running: Running,
    scratch: Option<Scratch>,
    sockets: Option<Sockets>,
    /// By a role that may everything, under our name.
    ours: Address,
    /// As a drill asks invariants.
    asks: Address,
    /// Under which the server knows our connections.
    name: String,
    /// Up to here its log was looked at.
    log: u64,
    marks: Marks,
}

/// Which transactions there were, by number.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Marks {
    next: u64,
    open: Vec<u64>,
}

impl PostgresCopy {
    /// Makes one. Whoever asks holds the lock, and nothing lies there.
    ///
    /// # Errors
    /// Why not; nothing runs then, and nothing is left.
    pub fn open(
        target: &DrillTarget,
        mask: Option<&Mask>,
        setting: &Setting<'_>,
    ) -> Result<(Self, OpenedCopy), Failure> {
        let dir = setting.place.rehearsal_path();
        let made = Self::make((target, mask), &dir, setting);
        made.map_err(|error| {
            // The reason counts; what stays is put away by the next, or by `Clean`.
            let _ = put_away(&dir);
            lacking(error).into()
        })
    }

    fn make(
        (target, mask): (&DrillTarget, Option<&Mask>),
        dir: &Path,
        setting: &Setting<'_>,
    ) -> Result<(Self, OpenedCopy), PostgresError> {
        crate::place::private(dir).map_err(Failure::from)?;
        let scratch = Scratch::begin(dir)?;
        let wanted = Wanted { target, invariants: &[], proof: Proof::Arrival };
        let arrived = copy(setting, wanted, scratch, LockKind::Rehearsal)?;
        let Arrived { report, scratch, mut running, sockets, feed, base, programs } = arrived;
        let watch = setting.course.watch();
        let live = described(setting)?.address;
        let database = live.database().unwrap_or(&base.database).to_owned();
        let name = format!("friday {} {}", std::process::id(), clock::now_ms());
        let ours = sockets.address(&base.bootstrap, &database).named(&name);
        let opening = || {
            let server = Server::connect(&ours, watch)?;
            end_recovery(&server, &watch.within(PROMOTE_LIMIT))?;
            let role = owner(&server, watch)?;
            let owner = sockets.address(&role, &database).named(&name);
            let masked = match mask {
                Some(mask) => Some(mask::mask((&ours, &owner), mask, setting.course)?),
                None => None,
            };
            settle(&server, &scratch, watch)?;
            libraries(&server, &programs, watch)?;
            Ok((role, masked, marks(&server, watch)?))
        };
        let (role, masked, marks) =
            opening().inspect_err(|_: &PostgresError| quit(&mut running))?;
        drop(feed);
        let address = CopyAddress::Postgres {
            directory: sockets.dir().display().to_string(),
            port: PORT,
            role,
            database: database.clone(),
        };
        let told = OpenedCopy {
            backup: report.backup,
            reached: report.reached,
            address,
            bytes: report.scratch.bytes,
            masked,
        };
        let looked = Looked { address: ours.clone(), pid: running.child.id(), dir: dir.to_owned() };
        let locks = Locks::begin(looked);
        let locks = locks.map_err(PostgresError::file("watching the copy"));
        let locks = locks.inspect_err(|_| quit(&mut running))?;
        let asks = live.role().unwrap_or(&base.role);
        let asks = sockets.address(asks, &database).named(&name);
        let log = std::fs::metadata(scratch.log()).map_or(0, |found| found.len());
        let (scratch, sockets) = (Some(scratch), Some(sockets));
        Ok((Self { locks, running, scratch, sockets, ours, asks, name, log, marks }, told))
    }

    /// What was seen of it since the last look.
    ///
    /// # Errors
    /// When it does not answer any more.
    pub fn watched(&mut self, setting: &Setting<'_>) -> Result<CopySeen, Failure> {
        let watch = setting.course.watch();
        let server = self.connect(&self.ours, watch)?;
        let marks = marks(&server, watch)?;
        let written = written(&server, &self.marks, &marks, watch)?;
        self.marks = marks;
        let visited = self.visitors().map_err(PostgresError::file("reading the copy's log"))?;
        let locks = self.locks.take();
        let schema = schema::digest(&server, watch)?;
        Ok(CopySeen { schema, written, visited, locks })
    }

    /// Asks it what must hold.
    ///
    /// # Errors
    /// When it cannot be asked at all.
    pub fn judge(
        &mut self,
        invariants: &[Invariant],
        setting: &Setting<'_>,
    ) -> Result<Vec<Judged>, Failure> {
        let watch = setting.course.watch();
        let server = self.connect(&self.asks, watch)?;
        let broken = setting.place.broken()?;
        Ok(judge::judge(&server, invariants, &broken, watch)?)
    }

    /// A connection for each look: a migration may end those of others.
    fn connect(&self, address: &Address, watch: &Watch) -> Result<Server, PostgresError> {
        Server::connect(address, watch).map_err(|error| {
            match (self.locks.trouble(), &self.scratch) {
                (Some(why), _) => PostgresError::Refused {
                    why,
                    help: Some(
                        "make room there, or name another directory for the scratch".to_owned(),
                    ),
                },
                (None, Some(scratch)) if matches!(error, PostgresError::Connect(_)) => {
                    PostgresError::NotReached(format!(
                        "{error}; its last words: {}",
                        scratch.last_words()
                    ))
                }
                (None, _) => error,
            }
        })
    }

    /// Whether anybody else connected since the last look: the server wrote it down before it let them in.
    fn visitors(&mut self) -> io::Result<bool> {
        let Some(scratch) = &self.scratch else { return Ok(false) };
        let mut file = std::fs::File::open(scratch.log())?;
        file.seek(SeekFrom::Start(self.log))?;
        let (mut reader, mut line, mut visited) = (BufReader::new(file), Vec::new(), false);
        loop {
            line.clear();
            let got = reader.read_until(b'\n', &mut line)? as u64;
            if got == 0 || line.last() != Some(&b'\n') {
                return Ok(visited);
            }
            self.log += got;
            let text = String::from_utf8_lossy(&line);
            visited |= text.contains("connection authorized:") && !text.contains(&*self.name);
        }
    }
}

impl Drop for PostgresCopy {
    fn drop(&mut self) {
        quit(&mut self.running);
        self.sockets = None;
        if let Some(scratch) = self.scratch.take() {
            // What stays is put away by the next drill or rehearsal.
            let _ = scratch.end();
        }
    }
}

/// From a copy that replays to one that works as the live server does.
fn settle(server: &Server, scratch: &Scratch, watch: &Watch) -> Result<(), PostgresError> {
    let doing = "configuring the copy";
    let path = scratch.data().join("postgresql.conf");
    let written = OpenOptions::new()
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(of_a_rehearsal().as_bytes()));
    written.map_err(PostgresError::file(doing))?;
    server.rows(watch, doing, "SELECT pg_reload_conf()")?;
    while server.value(watch, doing, "SHOW fsync")? != "on" {
        watch.pause(LOOK)?;
    }
    Ok(())
}

/// The role that the database belongs to. One that may not log in, as a group may not, may do so on the copy.
///
/// # Errors
/// PostgreSQL's.
pub(super) fn owner(server: &Server, watch: &Watch) -> Result<String, PostgresError> {
    let doing = "asking whose database it is";
    let [role, quoted, logs_in] = server.row(
        watch,
        doing,
        "SELECT rolname, quote_ident(rolname), rolcanlogin AND rolconnlimit <> 0 FROM pg_database \
         JOIN pg_roles r ON r.oid = datdba WHERE datname = current_database()",
    )?;
    if logs_in != "t" {
        let lets_in = format!("ALTER ROLE {quoted} LOGIN CONNECTION LIMIT -1");
        server.rows(watch, "letting the database's owner in", &lets_in)?;
    }
    Ok(role)
}

/// Functions of which the program is not on this host would fail in the midst of a migration.
fn libraries(server: &Server, programs: &Programs, watch: &Watch) -> Result<(), PostgresError> {
    let doing = "asking which libraries the database needs";
    let place =
        server.value(watch, doing, "SELECT setting FROM pg_config WHERE name = 'PKGLIBDIR'")?;
    let asked = "SELECT DISTINCT probin FROM pg_proc WHERE probin LIKE '$libdir/%'";
    let names = server.rows(watch, doing, asked)?.into_iter().flatten().flatten();
    let missing: Vec<String> = names
        .filter_map(|name| {
            let plain = name.strip_prefix("$libdir/")?.trim_end_matches(".so").to_owned();
            let there = Path::new(&place).join(format!("{plain}.so")).exists();
            (!there).then_some(plain)
        })
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(PostgresError::Refused {
        why: format!(
            "the database uses functions of {}, and the programs in `{}` do not have it",
            missing.join(", "),
            programs.directory().display()
        ),
        help: Some("install the extension's package on this host".to_owned()),
    })
}

/// A library that the server is to load and that is not there ends it before it says anything else.
fn lacking(error: PostgresError) -> PostgresError {
    match error {
        PostgresError::NotReached(why) if why.contains("could not access file") => {
            PostgresError::Refused {
                why: format!("the copy's server does not start: {why}"),
                help: Some(
                    "the live server loads it, and this host does not have it: install the extension's package here"
                        .to_owned(),
                ),
            }
        }
        other => other,
    }
}

fn marks(server: &Server, watch: &Watch) -> Result<Marks, PostgresError> {
    let doing = "asking which transactions there were";
    let [next, open] = server.row(
        watch,
        doing,
        "SELECT pg_snapshot_xmax(now), coalesce((SELECT string_agg(x::text, ',') FROM pg_snapshot_xip(now) x), '') \
         FROM pg_current_snapshot() AS now",
    )?;
    let strange = || PostgresError::Sql { doing: doing.to_owned(), says: format!("`{next}`") };
    let open = open.split(',').filter_map(|number| number.parse().ok()).collect();
    Ok(Marks { next: next.parse().map_err(|_| strange())?, open })
}

/// Whether a transaction that writes was committed. We commit none, and nothing else works on a copy by itself:
/// whatever else the server writes (checkpoints, hints) has no number.
fn written(
    server: &Server,
    then: &Marks,
    now: &Marks,
    watch: &Watch,
) -> Result<bool, PostgresError> {
    let open: Vec<String> = then.open.iter().map(ToString::to_string).collect();
    let asked = format!(
        "SELECT EXISTS (SELECT 1 FROM (SELECT number::text::xid8 AS number FROM generate_series({}::bigint, {}) number \
         UNION ALL SELECT unnest('{{{}}}'::text[])::xid8) ended WHERE pg_xact_status(number) = 'committed')",
        then.next,
        now.next.saturating_sub(1),
        open.join(","),
    );
    Ok(server.value(watch, "asking whether the copy was written to", &asked)? == "t")
}
