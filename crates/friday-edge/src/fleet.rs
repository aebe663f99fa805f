//! The fleet: one warm connection per host, over which all calls go.
//!
//! Here a host is only somebody who is asked and answers, in time or not. What was certainly not sent
//! is told apart from what was sent and not answered: the first has failed, the second nobody knows.
//! Nothing here asks twice by itself.

mod bootstrap;
mod calls;
mod command;
mod connection;
pub mod data;
mod failure;
mod far_end;
mod opening;
mod pace;
mod program;
pub mod shell;
pub mod trial;
mod upgrade;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use friday_core::config::settings::{Address, LoginSettings};
use friday_wire::{Answer, FleetName, HostName, ReleaseId, Request};
use tokio::sync::{AcquireError, Mutex, OwnedMutexGuard, Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

pub use command::Route;
#[cfg(any(test, fuzzing))]
pub(crate) use connection::read_frame;
pub use connection::{BodyPiece, BodySource, CallError, Connection, HostHello, PutFile};
pub use failure::ConnectError;
pub use program::HostProgram;
pub use upgrade::{UpgradeError, Upgraded};

use crate::progress::{Progress, ProgressSender};
use opening::Opening;

/// Connections that are begun at once: each is an ssh process and a key exchange. More would only wait
/// for the processor, and a jump host turns away who comes with too many.
const CONNECTING_MAX: usize = 64;

/// Who is not through by then waits for the network, not for the processor: somebody else may begin. So hosts
/// that accept and never speak delay nobody but themselves.
const TURN_LIMIT: Duration = Duration::from_secs(1);

/// The longest that making one connection may take. Over 64 kbit/s friday-host's own program takes six
/// minutes; a line that carries nothing at all is noticed much sooner (see [`bootstrap`]).
const CONNECTING_LIMIT: Duration = Duration::from_secs(1_800);

/// How often it is looked whether a program still travels.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Before a host that failed is tried again; doubled with each failure up to the second number.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// What a fleet is made from.
#[derive(Debug, Clone)]
pub struct FleetSetup {
    /// Its name.
    pub fleet: FleetName,
    /// Its hosts.
    pub hosts: BTreeMap<HostName, Address>,
    /// Hosts that may still know an old name, by their new one: where the new one is refused, the old one
    /// is tried.
    pub known_as: BTreeMap<HostName, HostName>,
    /// What SSH hosts have in common.
    pub login: LoginSettings,
    /// What relative paths of the settings are relative to: the configuration's directory.
    pub base: PathBuf,
    /// What runs on hosts.
    pub program: HostProgram,
    /// friday's version, told to hosts.
    pub version: String,
    /// Who watches.
    pub progress: ProgressSender,
}

/// The hosts and their connections. Cheap to clone; all clones share them.
#[derive(Debug, Clone)]
pub struct Fleet {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    setup: FleetSetup,
    links: BTreeMap<HostName, Link>,
    connecting: Semaphore,
}

#[derive(Debug, Default)]
struct Link {
    /// Held by whoever makes the connection, for as long as that takes.
    state: Arc<Mutex<LinkState>>,
    /// What is known of a connection while it is being made.
    opening: Arc<Opening>,
    /// Releases that its last head named, what runs first.
    known: std::sync::Mutex<Vec<ReleaseId>>,
}

#[derive(Debug, Default)]
struct LinkState {
    connection: Option<Arc<Connection>>,
    /// In a row.
    failures: u32,
    last_failure: Option<(Instant, ConnectError)>,
}

/// A question without an answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AskError {
    /// It was certainly not sent.
    #[error("{0}")]
    NotSent(ConnectError),
    /// It may have been sent, and nobody knows what came of it.
    #[error("{why}")]
    Unknown {
        /// One sentence.
        why: String,
    },
}

impl Fleet {
    /// Connects to nobody yet.
    pub fn new(setup: FleetSetup) -> Self {
        let links = setup.hosts.keys().map(|host| (host.clone(), Link::default())).collect();
        let connecting = Semaphore::new(CONNECTING_MAX);
        Self { inner: Arc::new(Inner { setup, links, connecting }) }
    }

    /// Its hosts.
    pub fn hosts(&self) -> impl Iterator<Item = &HostName> {
        self.inner.setup.hosts.keys()
    }

    /// The program it puts on hosts.
    pub fn program(&self) -> &HostProgram {
        &self.inner.setup.program
    }

    /// Asks a host, connecting first where there is no connection.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn ask(
        &self,
        host: &HostName,
        request: &Request,
        deadline: Instant,
    ) -> Result<Answer, AskError> {
        let asked_at = Instant::now();
        if let (Request::Read { .. }, Some(link)) = (request, self.inner.links.get(host)) {
            link.opening.read_first(request);
        }
        // A connection may turn out dead just when it is used: then there is one more try.
        let mut last = ConnectError::TimedOut { doing: "connecting" };
        for _ in 0..2 {
            let connection = self.connect(host, deadline).await.map_err(AskError::NotSent)?;
            let answer = match connection.take_first(request, asked_at) {
                Some(mut first) => first.wait(deadline).await,
                None => connection.call(request, deadline).await,
            };
            match answer {
                Ok(answer) => {
                    self.note_known(host, &answer);
                    return Ok(answer);
                }
                Err(CallError::NotSent { why }) => last = ConnectError::Ended { why },
                Err(CallError::Lost { why }) => return Err(AskError::Unknown { why }),
            }
        }
        Err(AskError::NotSent(last))
    }

    /// Releases that the host held when its head was seen last, what runs first.
    pub fn known_releases(&self, host: &HostName) -> Vec<ReleaseId> {
        let known = self.inner.links.get(host).map(|link| &link.known);
        known.map_or_else(Vec::new, |known| {
            known.lock().unwrap_or_else(PoisonError::into_inner).clone()
        })
    }

    fn note_known(&self, host: &HostName, answer: &Answer) {
        let head = match answer {
            Answer::Raised(head) => head,
            Answer::Observed(observation) => &observation.head,
            _ => return,
        };
        let Some(link) = self.inner.links.get(host) else { return };
        let named = [head.current, head.stable, head.previous_stable].into_iter().flatten();
        let mut releases: Vec<ReleaseId> = Vec::new();
        for release in named.chain(head.held.iter().copied()) {
            if !releases.contains(&release) {
                releases.push(release);
            }
        }
        *link.known.lock().unwrap_or_else(PoisonError::into_inner) = releases;
    }

    /// The host's connection: the warm one, or a new one. A new one goes on being made when nobody waits
    /// for it any more: what a slow line has carried by then is not thrown away.
    ///
    /// # Errors
    /// See [`ConnectError`]. Callers that wait for the same attempt share its failure.
    pub async fn connect(
        &self,
        host: &HostName,
        deadline: Instant,
    ) -> Result<Arc<Connection>, ConnectError> {
        let link = self
            .inner
            .links
            .get(host)
            .ok_or_else(|| ConnectError::UnknownHost { host: host.clone() })?;
        link.opening.want();
        let asked_at = Instant::now();
        let timed_out = |_| link.opening.too_late();
        let locked = timeout_at(deadline, Arc::clone(&link.state).lock_owned()).await;
        let state = locked.map_err(timed_out)?;
        if let Some(open) = state.connection.as_ref().filter(|connection| connection.is_open()) {
            return Ok(Arc::clone(open));
        }
        if let Some((at, error)) = &state.last_failure {
            if *at > asked_at {
                return Err(error.clone());
            }
            let again = *at + back_off(state.failures);
            timeout_at(deadline, sleep_until(again)).await.map_err(timed_out)?;
        }
        let making = tokio::spawn(self.clone().make(host.clone(), state));
        match timeout_at(deadline, making).await {
            Ok(Ok(made)) => made,
            Ok(Err(ended)) => Err(ConnectError::NotStarted { why: ended.to_string() }),
            Err(late) => Err(timed_out(late)),
        }
    }

    /// Makes the host's connection and keeps it.
    async fn make(
        self,
        host: HostName,
        mut state: OwnedMutexGuard<LinkState>,
    ) -> Result<Arc<Connection>, ConnectError> {
        state.connection = None;
        match self.open_link(&host, Route::Usual, Instant::now() + CONNECTING_LIMIT).await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                state.connection = Some(Arc::clone(&connection));
                state.failures = 0;
                state.last_failure = None;
                Ok(connection)
            }
            Err(error) => {
                state.failures = state.failures.saturating_add(1);
                state.last_failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Begins to connect to every host, for a driver that will ask them all and is not ready yet: a handshake
    /// takes longer than anything friday does meanwhile. Nothing is put on a host before it is asked. Must be
    /// called inside a runtime.
    pub fn reach_out(&self) {
        for (host, link) in &self.inner.links {
            if let Ok(state) = Arc::clone(&link.state).try_lock_owned()
                && state.connection.is_none()
            {
                tokio::spawn(self.clone().make(host.clone(), state));
            }
        }
    }

    /// Meets every host before anything is asked of it with a deadline: a new friday's first contact may
    /// put a program of megabytes there, over whatever line there is. Ends when each host is connected or
    /// has failed; one that is merely silent is waited for until `patience` is over, and goes on being
    /// connected to.
    pub async fn meet(&self, patience: Duration) {
        let hosts = self.hosts().cloned();
        let mut meetings: tokio::task::JoinSet<()> = hosts
            .map(|host| {
                let fleet = self.clone();
                async move { fleet.meet_one(&host, patience).await }
            })
            .collect();
        while meetings.join_next().await.is_some() {}
    }

    async fn meet_one(&self, host: &HostName, patience: Duration) {
        let Some(link) = self.inner.links.get(host) else { return };
        let mut until = Instant::now() + patience;
        // An attempt that failed says why when the host is asked.
        while let Err(ConnectError::TimedOut { .. } | ConnectError::ProgramLate { .. }) =
            self.connect(host, until).await
        {
            if !link.opening.is_putting_program() {
                return;
            }
            until = Instant::now() + LOOK_EVERY;
        }
    }

    /// A connection of its own, which replaces none.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn open(
        &self,
        host: &HostName,
        route: Route,
        deadline: Instant,
    ) -> Result<Connection, ConnectError> {
        if let Some(link) = self.inner.links.get(host) {
            link.opening.want();
        }
        self.open_link(host, route, deadline).await
    }

    async fn open_link(
        &self,
        host: &HostName,
        route: Route,
        deadline: Instant,
    ) -> Result<Connection, ConnectError> {
        let setup = &self.inner.setup;
        let address = setup
            .hosts
            .get(host)
            .ok_or_else(|| ConnectError::UnknownHost { host: host.clone() })?;
        let timed_out = |_| ConnectError::TimedOut { doing: "waiting for other connections" };
        let turn = timeout_at(deadline, self.inner.connecting.acquire()).await;
        let closed = |error: AcquireError| ConnectError::Ended { why: error.to_string() };
        let turn = turn.map_err(timed_out)?.map_err(closed)?;
        setup.progress.tell(Progress::Connecting { host: host.clone() });
        let deadline = deadline.min(Instant::now() + CONNECTING_LIMIT);
        let opened = self.open_in_turn(host, address, route, deadline, turn).await;
        setup.progress.tell(match &opened {
            Ok(connection) => {
                let version = connection.hello().version.clone();
                Progress::Connected { host: host.clone(), version }
            }
            Err(error) => Progress::Disconnected { host: host.clone(), why: error.to_string() },
        });
        opened
    }

    /// Gives the turn back as soon as somebody else may begin. A host that knows itself by the name it had
    /// before is spoken to by that one.
    async fn open_in_turn(
        &self,
        host: &HostName,
        address: &Address,
        route: Route,
        deadline: Instant,
        turn: SemaphorePermit<'_>,
    ) -> Result<Connection, ConnectError> {
        let setup = &self.inner.setup;
        let known = self.inner.links.get(host).map(|link| Arc::clone(&link.opening));
        let known = known.unwrap_or_default();
        let mut opening = Box::pin(async {
            let opened = bootstrap::open(setup, host, address, route, deadline, &known).await;
            match (&opened, setup.known_as.get(host)) {
                (Err(ConnectError::Refused { .. }), Some(old)) => {
                    bootstrap::open(setup, old, address, route, deadline, &known).await
                }
                _ => opened,
            }
        });
        let opened = match timeout(TURN_LIMIT, &mut opening).await {
            Ok(opened) => opened,
            Err(_) => {
                drop(turn);
                opening.await
            }
        };
        known.forget();
        opened
    }

    /// Lets the host's connection go; the next call makes a new one.
    pub async fn disconnect(&self, host: &HostName) {
        if let Some(link) = self.inner.links.get(host) {
            link.state.lock().await.connection = None;
        }
    }

    async fn replace(&self, host: &HostName, connection: Connection) {
        if let Some(link) = self.inner.links.get(host) {
            link.state.lock().await.connection = Some(Arc::new(connection));
        }
    }
}

fn back_off(failures: u32) -> Duration {
    let (first, most) = BACK_OFF;
    first.saturating_mul(1 << failures.saturating_sub(1).min(8)).min(most)
}

#[cfg(test)]
mod tests;
