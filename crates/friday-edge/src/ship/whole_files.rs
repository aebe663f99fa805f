//! The older way: each missing file whole, one after the other, each with an answer. For hosts whose
//! friday-host does not take packs yet; `friday hosts upgrade` makes it one that does.

use std::collections::{BTreeMap, BTreeSet};

use friday_wire::{Answer, Digest, Request};

use super::{ShipError, Transfer, lost, not_ok};
use crate::fleet::PutFile;

impl Transfer<'_> {
    /// One try: what is missing now, one file after the other, then the manifest.
    pub(super) async fn whole_files(&mut self) -> Result<(), ShipError> {
        let release = self.shipment.release;
        let manifest = self.from.stock.release(&release).map_err(ShipError::Stock)?.manifest;
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
        let total = self.note_left(left);
        for file in todo {
            self.file(file, total.saturating_sub(left), total).await?;
            left -= file.size - file.offset;
            self.note_left(left);
            self.tell(total.saturating_sub(left), total);
        }
        self.expect_ok(&Request::PutManifest { release, manifest }).await
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
        let connection = self.connect().await?;
        let put = connection.put(file, reader, self.deadline, |sent| {
            // Compressed bytes stand for their share of the file: near enough to look at.
            let share = u128::from(left) * u128::from(sent.min(stored)) / u128::from(stored);
            self.tell(done + u64::try_from(share).unwrap_or(left), total);
        });
        match put.await.map_err(lost)? {
            Answer::Ok => Ok(()),
            other => Err(not_ok(&other)),
        }
    }
}
