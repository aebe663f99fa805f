//! Everything the threads of the serving process share. It lives as long as the process: threads
//! hold it by reference, and a restart is a new program image (see [`crate::restart`]).

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use friday_wire::{BootHook, Digest, HostFacts, HostName, ReleaseId, Scrutiny};

use crate::app::Apps;
use crate::page::Pages;
use crate::place::{Owner, Place, write_json};
use crate::serve::connections::Connections;
use crate::serve::event::Event;
use crate::store::Store;

/// How long an answer about the boot hook holds: asking starts a process.
const BOOT_HOOK_KEPT: Duration = Duration::from_secs(60);

/// The shared parts.
#[derive(Debug)]
pub struct Host {
    /// The directory.
    pub place: Place,
    /// Whose it is. The host's own name may change: see [`Host::name`].
    owner: Mutex<Owner>,
    /// Files and manifests.
    pub store: Store,
    /// Applications.
    pub apps: Apps,
    /// Health pages.
    pub pages: Pages,
    /// The node's thread.
    pub inbox: SyncSender<Event>,
    /// Open connections.
    pub connections: Connections,
    /// BLAKE3 of this program.
    pub program: Digest,
    /// The lock of the directory, until it is handed over.
    pub lock: Mutex<Option<File>>,
    /// Held by whoever changes trees and store: an action that was given up by the state machine may
    /// still be at work when the next one comes.
    pub building: Mutex<()>,
    /// Another program serves now; this one only waits for its confirm.
    pub handed_over: AtomicBool,
    boot_hook: Mutex<(Instant, BootHook)>,
}

/// What [`Host::new`] needs; all of it was opened before.
#[derive(Debug)]
pub struct Opened {
    /// See [`Host`].
    pub place: Place,
    /// See [`Host`].
    pub owner: Owner,
    /// See [`Host`].
    pub pages: Pages,
    /// See [`Host`].
    pub inbox: SyncSender<Event>,
    /// See [`Host`].
    pub program: Digest,
    /// See [`Host`].
    pub lock: File,
}

impl Host {
    /// Puts the parts together, for the life of the process.
    pub fn new(opened: Opened) -> &'static Self {
        let Opened { place, owner, pages, inbox, program, lock } = opened;
        let told = inbox.clone();
        let on_exit = Box::new(move |app: friday_node::App, status: String, log| {
            crate::note::note(&format!("release {} ended: {status}", app.release.short()));
            // Fails only when the node's thread is gone, and with it everybody who would care.
            let _ = told.send(Event::Exited { app, status, log });
        });
        let boot_hook = crate::boot_hook::find(place.dir());
        Box::leak(Box::new(Self {
            store: Store::new(place.clone()),
            apps: Apps::new(place.clone(), owner.fleet.clone(), on_exit),
            owner: Mutex::new(owner),
            pages,
            inbox,
            connections: Connections::default(),
            program,
            lock: Mutex::new(Some(lock)),
            building: Mutex::default(),
            handed_over: AtomicBool::new(false),
            boot_hook: Mutex::new((Instant::now(), boot_hook)),
            place,
        }))
    }

    /// Whose the directory is, now.
    pub fn owner(&self) -> Owner {
        self.owner.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the configuration calls this host, now.
    pub fn name(&self) -> HostName {
        self.owner().host
    }

    /// Takes another name. Applications that run go on, and know the old one until they are started again.
    ///
    /// # Errors
    /// The disk's; then the old name still holds.
    pub fn rename(&self, to: HostName) -> std::io::Result<()> {
        let mut owner = self.owner.lock().unwrap_or_else(PoisonError::into_inner);
        let renamed = Owner { host: to, ..owner.clone() };
        write_json(&self.place.join("host.json"), &renamed)?;
        *owner = renamed;
        Ok(())
    }

    /// Whether another program serves now.
    pub fn is_handed_over(&self) -> bool {
        self.handed_over.load(Ordering::SeqCst)
    }

    /// What starts friday-host after a boot; asked anew once a minute, for a close look.
    pub fn boot_hook(&self, scrutiny: Scrutiny) -> BootHook {
        let mut kept = self.boot_hook.lock().unwrap_or_else(PoisonError::into_inner);
        if scrutiny == Scrutiny::Close && kept.0.elapsed() > BOOT_HOOK_KEPT {
            *kept = (Instant::now(), crate::boot_hook::find(self.place.dir()));
        }
        kept.1
    }

    /// The machine as it is now; `current` is what the state says.
    pub fn facts(&self, current: Option<ReleaseId>, scrutiny: Scrutiny) -> HostFacts {
        let closely = scrutiny == Scrutiny::Close;
        let disk = crate::examine::disk(self.place.dir());
        let boot = self.boot_hook(scrutiny);
        HostFacts {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            program: self.program.to_string(),
            wire: friday_wire::WIRE_VERSION,
            disk_free: disk.bytes_free,
            disk_total: disk.bytes,
            boot_hook: boot != BootHook::None,
            clock_ms: crate::note::wall_clock_ms(),
            drift: closely
                .then(|| crate::tree::drift::look(&self.place, &self.store, current))
                .flatten(),
            boot,
            files_free: disk.files_free,
            files_total: disk.files,
            supervisor: current
                .filter(|_| closely)
                .and_then(|release| self.apps.supervisor(release)),
            unusable: if closely {
                crate::examine::unusable(&self.owner().fleet)
            } else {
                Default::default()
            },
        }
    }
}
