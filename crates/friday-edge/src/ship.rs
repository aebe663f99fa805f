//! Putting a release on a host: what it lacks, the manifest, the secrets.
//!
//! Only files travel here, nothing starts. The release is offered, the host says what it lacks, and
//! one pack brings that; a host that speaks an older protocol gets file after file. A transfer that
//! was cut goes on where it stopped, as long as there is time and each try gets further. Cancelled at
//! any point, the host has some more files than before, and that is all.

mod packs;
mod whole_files;

use friday_wire::{
    Answer, HostName, Refusal, ReleaseId, Request, SecretsVersion, WIRE_PACKS, WIRE_PROCESSES,
    WIRE_SIGNATURES, WIRE_VERSION,
};
use tokio::time::Instant;

use crate::bandwidth::Bandwidth;
use crate::fleet::{AskError, CallError, Connection, Fleet, HostHello};
use crate::last_lines::shown;
use crate::progress::{Progress, ProgressSender};
use crate::secrets::{SecretError, SecretStore};
use crate::stock::{Stock, StockError};

/// Tries in a row that got no further before it counts as failed.
const FRUITLESS_TRIES_MAX: u32 = 3;

/// What is shipped where.
#[derive(Debug, Clone)]
pub struct Shipment {
    /// To whom.
    pub host: HostName,
    /// What.
    pub release: ReleaseId,
    /// Which secrets.
    pub secrets: Option<SecretsVersion>,
}

/// Where it comes from, and who watches.
#[derive(Debug, Clone)]
pub struct ShipFrom {
    /// The releases.
    pub stock: Stock,
    /// The secrets.
    pub secrets: SecretStore,
    /// How fast all hosts together may be sent to.
    pub bandwidth: Bandwidth,
    /// Who watches.
    pub progress: ProgressSender,
}

/// Why it did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum ShipError {
    /// It is not here to be shipped.
    #[error(transparent)]
    Stock(StockError),
    /// The secrets are not here.
    #[error(transparent)]
    Secrets(SecretError),
    /// The host could not be asked, or did not answer.
    #[error(transparent)]
    Ask(AskError),
    /// The host does not take what nobody it trusts has signed.
    #[error("it takes no release that nobody it trusts has signed")]
    Unsigned(Box<Refusal>),
    /// The host says it cannot: its disk is full.
    #[error("{why}")]
    Host {
        /// Its words.
        why: String,
    },
}

/// Ships, until it is there or the deadline has come.
///
/// # Errors
/// See [`ShipError`].
pub async fn ship(
    fleet: &Fleet,
    from: &ShipFrom,
    shipment: &Shipment,
    deadline: Instant,
) -> Result<(), ShipError> {
    ship_speaking(WIRE_VERSION, fleet, from, shipment, deadline).await
}

/// As [`ship`], with what was in the protocol up to a version, whatever the host speaks.
///
/// # Errors
/// See [`ShipError`].
pub async fn ship_speaking(
    wire: u32,
    fleet: &Fleet,
    from: &ShipFrom,
    shipment: &Shipment,
    deadline: Instant,
) -> Result<(), ShipError> {
    let mut transfer = Transfer { fleet, from, shipment, deadline, total: None, best: u64::MAX };
    let mut fruitless = 0;
    loop {
        let left_before = transfer.best;
        let tried = match transfer.connect().await {
            Ok(connection) if connection.hello().wire.min(wire) >= WIRE_PACKS => {
                match transfer.signature(connection.hello().wire.min(wire)).await {
                    Ok(()) => transfer.packs(&connection).await,
                    Err(error) => Err(error),
                }
            }
            Ok(connection) => match transfer.knows_it(connection.hello()) {
                Ok(()) => transfer.whole_files().await,
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        match tried {
            Ok(()) => break,
            Err(ShipError::Ask(error)) => {
                fruitless = if transfer.best < left_before { 0 } else { fruitless + 1 };
                if fruitless >= FRUITLESS_TRIES_MAX || Instant::now() >= deadline {
                    return Err(ShipError::Ask(error));
                }
            }
            Err(error) => return Err(error),
        }
    }
    if let Some(version) = &shipment.secrets {
        let secrets = from.secrets.load(version).map_err(ShipError::Secrets)?;
        let values = secrets.values.iter();
        let values = values.map(|(name, value)| (name.clone(), value.expose().to_owned()));
        let put = Request::PutSecrets { version: version.clone(), values: values.collect() };
        transfer.expect_ok(&put).await?;
    }
    let (host, release) = (shipment.host.clone(), shipment.release);
    from.progress.tell(Progress::Shipped { host, release });
    Ok(())
}

struct Transfer<'a> {
    fleet: &'a Fleet,
    from: &'a ShipFrom,
    shipment: &'a Shipment,
    deadline: Instant,
    /// Bytes that were missing at the first look.
    total: Option<u64>,
    /// The fewest bytes that were ever missing: a try that lowers it got further.
    best: u64,
}

impl Transfer<'_> {
    /// An older friday-host would take a manifest with processes for another release's.
    fn knows_it(&self, hello: &HostHello) -> Result<(), ShipError> {
        let release = self.from.stock.release(&self.shipment.release).map_err(ShipError::Stock)?;
        if release.manifest.run.processes.is_none() || hello.wire >= WIRE_PROCESSES {
            return Ok(());
        }
        let why = format!(
            "friday-host {} there knows no releases with processes: `friday hosts upgrade` first",
            hello.version
        );
        Err(ShipError::Host { why })
    }

    async fn connect(&self) -> Result<std::sync::Arc<Connection>, ShipError> {
        let connected = self.fleet.connect(&self.shipment.host, self.deadline).await;
        connected.map_err(|error| ShipError::Ask(AskError::NotSent(error)))
    }

    /// Sends the release's signature ahead, where it has one and the host knows what that is.
    async fn signature(&self, wire: u32) -> Result<(), ShipError> {
        let release = self.shipment.release;
        let signature = self.from.stock.signature(&release).filter(|_| wire >= WIRE_SIGNATURES);
        match signature {
            Some(signature) => self.expect_ok(&Request::PutSignature { release, signature }).await,
            None => Ok(()),
        }
    }

    /// Notes how many bytes are missing; returns how many were at first.
    fn note_left(&mut self, left: u64) -> u64 {
        self.best = self.best.min(left);
        *self.total.get_or_insert(left)
    }

    async fn expect_ok(&self, request: &Request) -> Result<(), ShipError> {
        match self.ask(request).await? {
            Answer::Ok => Ok(()),
            other => Err(not_ok(&other)),
        }
    }

    async fn ask(&self, request: &Request) -> Result<Answer, ShipError> {
        let asked = self.fleet.ask(&self.shipment.host, request, self.deadline).await;
        asked.map_err(ShipError::Ask)
    }

    fn tell(&self, done: u64, total: u64) {
        self.from.progress.tell(Progress::Shipping {
            host: self.shipment.host.clone(),
            release: self.shipment.release,
            done,
            total,
        });
    }
}

/// What was sent arrived or not: the next look tells.
fn lost(error: CallError) -> ShipError {
    let (CallError::NotSent { why } | CallError::Lost { why }) = error;
    ShipError::Ask(AskError::Unknown { why })
}

fn not_ok(answer: &Answer) -> ShipError {
    let why = match answer {
        Answer::Error { why } => shown(why),
        Answer::Refused(refusal @ Refusal::Unsigned { .. }) => {
            return ShipError::Unsigned(Box::new(refusal.clone()));
        }
        Answer::Refused(refusal) => format!("it refuses: {refusal:?}"),
        _ => "it answered something else than was asked".to_owned(),
    };
    ShipError::Host { why }
}
