//! Looking at hosts without raising anything: for `status`, `hosts`, `log verify` and `logs`.

use std::collections::BTreeMap;
use std::time::Duration;

use friday_core::time::Timestamp;
use friday_core::view::{Chronicle, HostView};
use friday_edge::fleet::{AskError, Fleet, FleetSetup, HostProgram};
use friday_edge::progress::ProgressSender;
use friday_wire::{
    Answer, Examination, HostName, Observation, ProcessName, ReleaseId, Request, Verified,
    WIRE_PACKS,
};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::host_program::HOST_PROGRAM;
use crate::ui::now;

/// How long a host gets to answer a look. Enough for a handshake over a slow line, short enough for a
/// person who waits.
const LOOK_DEADLINE: Duration = Duration::from_secs(10);

/// How long a host gets to look at itself: it asks systemd, the journal and the crontab.
const EXAMINE_DEADLINE: Duration = Duration::from_secs(30);

/// What a host let us see.
#[derive(Debug)]
pub enum Look {
    /// It.
    Seen {
        /// What.
        seen: Box<Observation>,
        /// When its answer came: what it says of its clock was true then.
        at: Timestamp,
    },
    /// Nothing.
    Unreachable {
        /// Why.
        why: String,
    },
}

/// The fleet of a configuration, connected to nobody yet.
pub fn fleet(context: &Context, progress: ProgressSender) -> Fleet {
    let settings = &context.settings;
    let hosts = settings.hosts.iter();
    Fleet::new(FleetSetup {
        fleet: settings.fleet.clone(),
        hosts: hosts.map(|host| (host.name.clone(), host.address.clone())).collect(),
        known_as: context.known_as.clone(),
        login: settings.login.clone(),
        base: context.base.clone(),
        program: HostProgram::new(HOST_PROGRAM),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        progress,
    })
}

/// Threads for everything that waits for the world.
///
/// # Errors
/// When the system gives none.
pub fn runtime() -> Result<Runtime, CommandError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::from_error(Exit::Internal, &error))
}

/// Reads every host's head and facts, all at once.
///
/// # Errors
/// When the system gives no threads.
pub fn look(context: &Context) -> Result<BTreeMap<HostName, Look>, CommandError> {
    let fleet = fleet(context, ProgressSender::nobody());
    runtime()?.block_on(async {
        let deadline = Instant::now() + LOOK_DEADLINE;
        let mut asked = JoinSet::new();
        for host in fleet.hosts().cloned() {
            let fleet = fleet.clone();
            asked.spawn(async move {
                let answer = fleet.ask(&host, &Request::READ, deadline).await;
                (host, seen(answer))
            });
        }
        let mut looks = BTreeMap::new();
        while let Some(joined) = asked.join_next().await {
            let (host, look) =
                joined.map_err(|error| CommandError::from_error(Exit::Internal, &error))?;
            looks.insert(host, look);
        }
        Ok(looks)
    })
}

/// As `look`, in the configuration's order and as people see it.
///
/// # Errors
/// As `look`.
pub fn hosts(context: &Context, chronicle: &Chronicle) -> Result<Vec<HostView>, CommandError> {
    let mut looks = look(context)?;
    let keeper = chronicle.keeper.as_ref().unwrap_or(&context.settings.keeper);
    let views = context.settings.hosts.iter().map(|host| {
        let (name, role) = (host.name.clone(), host.role.clone());
        let keeps = name == *keeper;
        match looks.remove(&name) {
            Some(Look::Seen { seen, at }) => {
                HostView::seen(name, role, keeps, &seen, chronicle, at)
            }
            Some(Look::Unreachable { why }) => HostView::unreachable(name, role, keeps, why),
            None => HostView::unreachable(name, role, keeps, "it was not asked".to_owned()),
        }
    });
    Ok(views.collect())
}

/// What a host finds when it looks at itself, or why it was not asked.
pub type Examined = Result<Found, String>;

/// What a host found when it looked at itself, and what was seen on the way there.
#[derive(Debug)]
pub struct Found {
    /// The host's findings.
    pub examination: Box<Examination>,
    /// The first line that the login's profile printed.
    pub printed: Option<String>,
}

/// Has every host look at itself, all at once.
///
/// # Errors
/// When the system gives no threads.
pub fn examine(context: &Context) -> Result<BTreeMap<HostName, Examined>, CommandError> {
    let fleet = fleet(context, ProgressSender::nobody());
    runtime()?.block_on(async {
        let deadline = Instant::now() + EXAMINE_DEADLINE;
        let mut asked = JoinSet::new();
        for host in fleet.hosts().cloned() {
            let fleet = fleet.clone();
            asked.spawn(async move {
                let answer = fleet.ask(&host, &Request::Examine, deadline).await;
                // The connection that was just used.
                let connection = fleet.connect(&host, deadline).await.ok();
                let printed = connection.and_then(|open| open.hello().printed.clone());
                (host, examined(answer, printed))
            });
        }
        let mut all = BTreeMap::new();
        while let Some(joined) = asked.join_next().await {
            let (host, examined) =
                joined.map_err(|error| CommandError::from_error(Exit::Internal, &error))?;
            all.insert(host, examined);
        }
        Ok(all)
    })
}

fn examined(answer: Result<Answer, AskError>, printed: Option<String>) -> Examined {
    match answer {
        Ok(Answer::Examined(examination)) => Ok(Found { examination, printed }),
        Ok(Answer::Error { why }) => Err(why),
        Ok(other) => Err(format!("it answered with {other:?}")),
        Err(AskError::NotSent(error)) => Err(error.told()),
        Err(error) => Err(error.to_string()),
    }
}

/// The last lines of an application's output on one host.
///
/// # Errors
/// When it does not answer, or says no.
pub fn log(
    context: &Context,
    host: &HostName,
    release: Option<ReleaseId>,
    process: Option<&str>,
    lines: u32,
) -> Result<Vec<String>, CommandError> {
    let fleet = fleet(context, ProgressSender::nobody());
    let answer = runtime()?.block_on(async {
        let process = process.map(ProcessName::new);
        let request = Request::Log { release, process, lines };
        fleet.ask(host, &request, Instant::now() + LOOK_DEADLINE).await
    });
    let failed = |why: &str| {
        CommandError::new(Exit::Unreachable, format!("`{host}` gave no output"))
            .because(why)
            .hint("see `friday hosts`")
    };
    match answer {
        Ok(Answer::Log { lines }) => Ok(lines),
        Ok(Answer::Error { why }) => Err(failed(&why)),
        Ok(other) => Err(CommandError::bug(format!("`{host}` answered with {other:?}"))),
        Err(AskError::NotSent(error)) => Err(failed(&error.told())),
        Err(error) => Err(failed(&error.to_string())),
    }
}

/// How long a host may read what it keeps: a terabyte on a slow disk takes hours.
const VERIFY_DEADLINE: Duration = Duration::from_secs(6 * 3_600);

/// What came of a host's look at what it keeps.
#[derive(Debug)]
pub enum Verification {
    /// It read everything.
    Done(Verified),
    /// It did not.
    Failed {
        /// Why.
        why: String,
    },
}

/// Lets these hosts read and compare all that they keep, all at once.
///
/// # Errors
/// When the system gives no threads.
pub fn verify(
    context: &Context,
    hosts: &[HostName],
) -> Result<Vec<(HostName, Verification)>, CommandError> {
    let fleet = fleet(context, ProgressSender::nobody());
    runtime()?.block_on(async {
        let mut asked = Vec::new();
        for host in hosts.iter().cloned() {
            let fleet = fleet.clone();
            asked.push(tokio::spawn(async move {
                let found = verify_one(&fleet, &host).await;
                (host, found)
            }));
        }
        let mut all = Vec::new();
        for task in asked {
            all.push(task.await.map_err(|error| CommandError::from_error(Exit::Internal, &error))?);
        }
        Ok(all)
    })
}

async fn verify_one(fleet: &Fleet, host: &HostName) -> Verification {
    let failed = |why: String| Verification::Failed { why };
    let connection = match fleet.connect(host, Instant::now() + LOOK_DEADLINE).await {
        Ok(connection) => connection,
        Err(error) => return failed(error.told()),
    };
    if connection.hello().wire < WIRE_PACKS {
        return failed(
            "its friday-host is too old for that; see `friday hosts upgrade`".to_owned(),
        );
    }
    match connection.call(&Request::Verify, Instant::now() + VERIFY_DEADLINE).await {
        Ok(Answer::Verified(verified)) => Verification::Done(verified),
        Ok(Answer::Error { why }) => failed(why),
        Ok(other) => failed(format!("it answered with {other:?}")),
        Err(error) => failed(error.to_string()),
    }
}

fn seen(answer: Result<Answer, AskError>) -> Look {
    match answer {
        Ok(Answer::Observed(seen)) => Look::Seen { seen, at: now() },
        Ok(Answer::Error { why }) => Look::Unreachable { why },
        Ok(other) => Look::Unreachable { why: format!("it answered with {other:?}") },
        Err(AskError::NotSent(error)) => Look::Unreachable { why: error.told() },
        Err(error) => Look::Unreachable { why: error.to_string() },
    }
}
