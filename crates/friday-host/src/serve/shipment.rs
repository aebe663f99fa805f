//! A release on its way in over one connection: an offer, and then a pack of what is lacking.
//!
//! Both read and write files for as long as that takes, so both have a thread of their own: what else
//! the connection asks is answered meanwhile. The connection hands on the bytes, a bounded number of
//! frames ahead.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use friday_wire::frame::JSON_LEN_MAX;
use friday_wire::{Answer, Lacks, ReleaseId, Request};

use super::event::{Event, ReplyTo};
use crate::host::Host;
use crate::store::offer::{OfferError, Offered};
use crate::store::unpacking::Unpacking;
use crate::store::{ManifestStoreError, check_inodes, check_room};

/// Frames of a pack that wait for the disk. A frame has at most a mebibyte.
const FRAMES_QUEUED_MAX: usize = 8;

/// How often a pack that gets no bytes looks whether a newer one took its place.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What one connection was offered, and whether it is being worked on.
#[derive(Debug, Clone)]
pub struct Shipments {
    host: &'static Host,
    offered: Arc<Mutex<Option<Arc<Offered>>>>,
    at_work: Arc<AtomicBool>,
}

/// An offer whose bytes are coming.
#[derive(Debug)]
pub struct IncomingOffer {
    /// Which release.
    pub release: ReleaseId,
    /// Packed against which one's manifest.
    pub base: Option<ReleaseId>,
    /// Bytes, unpacked.
    pub length: u64,
    /// What came so far.
    pub packed: Vec<u8>,
}

impl IncomingOffer {
    /// Takes in more of it.
    ///
    /// # Errors
    /// When it is larger than any manifest.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), String> {
        if self.packed.len().saturating_add(bytes.len()) > JSON_LEN_MAX {
            return Err("the offer is larger than any manifest".to_owned());
        }
        self.packed.extend_from_slice(bytes);
        Ok(())
    }
}

/// Set while a thread works for the connection.
struct AtWork(Arc<AtomicBool>);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

impl Shipments {
    /// Nothing was offered yet.
    pub fn new(host: &'static Host) -> Self {
        Self { host, offered: Arc::default(), at_work: Arc::default() }
    }

    fn begin_work(&self) -> Result<AtWork, String> {
        if self.at_work.swap(true, Ordering::SeqCst) {
            return Err("an offer or a pack of this connection is still at work".to_owned());
        }
        Ok(AtWork(Arc::clone(&self.at_work)))
    }

    /// The offer is here whole: answers what is lacking.
    pub fn offer(&self, offer: IncomingOffer, reply: ReplyTo) {
        let shipments = self.clone();
        let told = reply.clone();
        let begun = self.begin_work().and_then(|at_work| {
            let work = move || {
                let answer = shipments.answer_offer(&offer, &reply);
                // Whoever reads the answer may ask the next thing at once.
                drop(at_work);
                if let Some(answer) = answer {
                    reply.send(answer);
                }
            };
            let thread = thread::Builder::new().name("offer".to_owned()).spawn(work);
            thread.map(|_| ()).map_err(|error| error.to_string())
        });
        if let Err(why) = begun {
            told.send(Answer::Error { why });
        }
    }

    fn answer_offer(&self, offer: &IncomingOffer, reply: &ReplyTo) -> Option<Answer> {
        let store = &self.host.store;
        store.forget_verified();
        let IncomingOffer { release, base, length, packed } = offer;
        let taken = Offered::unpack(store, *release, *base, *length, packed)
            .and_then(|offered| store.lacks(&offered).map(|lacks| (offered, lacks)));
        let (offered, lacks) = match taken {
            Ok(taken) => taken,
            Err(OfferError::NoBase) => {
                return Some(Answer::NoBase { known: store.known_releases() });
            }
            Err(error) => return Some(Answer::Error { why: error.to_string() }),
        };
        // Before anything travels, and once more when it is all here: the file may change meanwhile.
        if let Err(unsigned) = crate::signature::check(&self.host.place, *release) {
            return Some(Answer::Refused(unsigned.into()));
        }
        let offered = Arc::new(offered);
        *self.offered.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&offered));
        self.conclude(&offered, lacks, reply)
    }

    /// Something is still lacking, or the release is here.
    fn conclude(&self, offered: &Offered, lacks: Lacks, reply: &ReplyTo) -> Option<Answer> {
        if !lacks.is_empty() {
            return Some(Answer::Lacks(lacks));
        }
        match self.host.store.take_manifest(offered) {
            Ok(lacks) if lacks.is_empty() => {}
            Ok(lacks) => return Some(Answer::Lacks(lacks)),
            Err(OfferError::Manifest(ManifestStoreError::Unsigned(unsigned))) => {
                return Some(Answer::Refused(unsigned.into()));
            }
            Err(error) => return Some(Answer::Error { why: error.to_string() }),
        }
        let Offered { release, manifest, .. } = offered;
        let request = Request::PutManifest { release: *release, manifest: manifest.clone() };
        let asked = Event::Asked { request: Box::new(request), reply: reply.clone() };
        let handed = self.host.inbox.send(asked);
        handed.err().map(|_| Answer::Error { why: "friday-host is ending".to_owned() })
    }

    /// A pack begins; its frames go into what is returned, an empty one last.
    ///
    /// # Errors
    /// Nothing was offered, it does not fit on the disk, or something is still at work.
    pub fn pack(&self, release: ReleaseId, reply: ReplyTo) -> Result<SyncSender<Vec<u8>>, String> {
        let offered = self.offered.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let offered = offered
            .filter(|offered| offered.release == release)
            .ok_or("this connection was not offered that release")?;
        let at_work = self.begin_work()?;
        let (sender, frames) = mpsc::sync_channel(FRAMES_QUEUED_MAX);
        let shipments = self.clone();
        let work = move || {
            let answer = shipments.take_pack(&offered, &frames, &reply);
            drop(at_work);
            if let Some(answer) = answer {
                reply.send(answer);
            }
        };
        let thread = thread::Builder::new().name("pack".to_owned()).spawn(work);
        thread.map(|_| sender).map_err(|error| error.to_string())
    }

    fn take_pack(
        &self,
        offered: &Offered,
        frames: &Receiver<Vec<u8>>,
        reply: &ReplyTo,
    ) -> Option<Answer> {
        match self.unpack(offered, frames) {
            Ok(Some(lacks)) => self.conclude(offered, lacks, reply),
            Ok(None) => None,
            Err(why) => Some(Answer::Error { why }),
        }
    }

    /// `None` when the peer left: what came is kept for the next transfer.
    fn unpack(
        &self,
        offered: &Offered,
        frames: &Receiver<Vec<u8>>,
    ) -> Result<Option<Lacks>, String> {
        let store = &self.host.store;
        let turn = store.pack_turn();
        let lacking = store.lacking_bytes(offered);
        check_room(&self.host.place, lacking)
            .and_then(|()| check_inodes(&self.host.place, store.lacking_files(offered)))
            .map_err(|error| error.to_string())?;
        let mut unpacking = Unpacking::begin(store, offered).map_err(|error| error.to_string())?;
        loop {
            if !turn.is_newest() {
                return Err("a newer connection sends a release".to_owned());
            }
            match frames.recv_timeout(LOOK_EVERY) {
                Ok(bytes) if bytes.is_empty() => break,
                Ok(bytes) => unpacking.feed(&bytes).map_err(|error| error.to_string())?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
            }
        }
        unpacking.finish().map_err(|error| error.to_string())?;
        store.lacks(offered).map(Some).map_err(|error| error.to_string())
    }
}
