//! Putting a release on a host: the files it lacks, the manifest, the secrets.
//!
//! Only files travel here, nothing starts. A transfer that was cut goes on where the host says it
//! stopped, as long as there is time and each try gets further. Cancelled at any point, the host has
//! some more files than before, and that is all.

use std::collections::{BTreeMap, BTreeSet};

use friday_wire::{Answer, Digest, HostName, Manifest, ReleaseId, Request, SecretsVersion};
use tokio::time::Instant;

use crate::fleet::{AskError, CallError, Fleet, PutFile};
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
    let manifest = from.stock.release(&shipment.release).map_err(ShipError::Stock)?.manifest;
    let mut transfer = Transfer { fleet, from, shipment, deadline, total: None, best: u64::MAX };
    let mut fruitless = 0;
    loop {
        let left_before = transfer.best;
        match transfer.files(&manifest).await {
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
    let put = Request::PutManifest { release: shipment.release, manifest };
    transfer.expect_ok(&put).await?;
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
    /// One try: what is missing now, one file after the other.
    async fn files(&mut self, manifest: &Manifest) -> Result<(), ShipError> {
        let sizes: BTreeMap<Digest, u64> = manifest.files().collect();
        let ask = Request::Missing { files: sizes.keys().copied().collect() };
        let missing = match self.ask(&ask).await? {
            Answer::Missing { files } => files,
            other => return Err(not_ok(&other)),
        };
        // A host that names files nobody asked about is not believed.
        let mut seen = BTreeSet::new();
        let todo: Vec<PutFile> = missing
            .into_iter()
            .filter_map(|(digest, offset)| {
                let size = *sizes.get(&digest)?;
                // A whole file that is still called missing is damaged there: begin again.
                let offset = if offset < size { offset } else { 0 };
                seen.insert(digest).then_some(PutFile { digest, size, offset })
            })
            .collect();
        let mut left: u64 = todo.iter().map(|file| file.size - file.offset).sum();
        let total = *self.total.get_or_insert(left);
        self.best = self.best.min(left);
        for file in todo {
            self.file(file, total.saturating_sub(left), total).await?;
            left -= file.size - file.offset;
            self.best = self.best.min(left);
            self.tell(total.saturating_sub(left), total);
        }
        Ok(())
    }

    async fn file(&self, file: PutFile, done: u64, total: u64) -> Result<(), ShipError> {
        let (stock, digest, offset) = (self.from.stock.clone(), file.digest, file.offset);
        // Skipping to an offset decompresses what lies before it.
        let reader = tokio::task::spawn_blocking(move || stock.read_compressed(&digest, offset))
            .await
            .map_err(|error| ShipError::Host { why: error.to_string() })?
            .map_err(ShipError::Stock)?;
        let stored = reader.stored_len().max(1);
        let left = file.size - file.offset;
        let connection = self
            .fleet
            .connect(&self.shipment.host, self.deadline)
            .await
            .map_err(|error| ShipError::Ask(AskError::NotSent(error)))?;
        let put = connection.put(file, reader, self.deadline, |sent| {
            // Compressed bytes stand for their share of the file: near enough to look at.
            let share = u128::from(left) * u128::from(sent.min(stored)) / u128::from(stored);
            self.tell(done + u64::try_from(share).unwrap_or(left), total);
        });
        match put.await {
            Ok(Answer::Ok) => Ok(()),
            Ok(other) => Err(not_ok(&other)),
            // Whether a part arrived, the next look tells.
            Err(CallError::NotSent { why } | CallError::Lost { why }) => {
                Err(ShipError::Ask(AskError::Unknown { why }))
            }
        }
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

fn not_ok(answer: &Answer) -> ShipError {
    let why = match answer {
        Answer::Error { why } => shown(why),
        Answer::Refused(refusal) => format!("it refuses: {refusal:?}"),
        _ => "it answered something else than was asked".to_owned(),
    };
    ShipError::Host { why }
}
