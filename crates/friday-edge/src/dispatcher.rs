//! The dispatcher: begins effects that are owed, ends those that no longer are, and hands in what
//! came of them. The driver's thread calls [`Dispatcher::settle_touched`] after every turn; it never blocks.
//!
//! An effect is begun once per id for as long as it stays owed, also when it finished and its
//! outcome still waits in the inbox. Ending an effect drops its future: what was sent stays sent.

mod running;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use friday_core::controller::effect::{EffectId, Owed};
use friday_core::controller::input::Input;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

use crate::bandwidth::Bandwidth;
use crate::data::Databases;
use crate::fleet::Fleet;
use crate::probe::Prober;
use crate::progress::ProgressSender;
use crate::secrets::SecretStore;
use crate::ship::ShipFrom;
use crate::stock::Stock;
use running::World;

/// Inputs that wait for the driver's inbox to have room; then effects wait.
const HANDED_IN_MAX: usize = 1_024;

/// What effects need of the world.
#[derive(Debug, Clone)]
pub struct DispatcherSetup {
    /// The hosts.
    pub fleet: Fleet,
    /// The guarded databases.
    pub databases: Databases,
    /// The releases.
    pub stock: Stock,
    /// The secrets.
    pub secrets: SecretStore,
    /// How fast all hosts together may be sent to.
    pub bandwidth: Bandwidth,
    /// Where hooks run: the configuration's directory.
    pub directory: PathBuf,
    /// Who watches.
    pub progress: ProgressSender,
}

/// Whether hosts are shown where the journal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Witnesses {
    Shown,
    Withheld,
}

/// Runs effects.
#[derive(Debug)]
pub struct Dispatcher {
    runtime: Handle,
    world: World,
    in_flight: BTreeMap<EffectId, JoinHandle<()>>,
    inputs: mpsc::Sender<Input>,
    witnesses: Witnesses,
}

impl Dispatcher {
    /// Runs effects on this runtime and hands what came of them into this inbox.
    pub fn new(runtime: Handle, setup: DispatcherSetup, inbox: SyncSender<Input>) -> Self {
        let (inputs, queue) = mpsc::channel(HANDED_IN_MAX);
        // A thread of its own: it waits for room in the inbox, which a task must not.
        runtime.spawn_blocking(move || hand_in(queue, &inbox));
        let DispatcherSetup { fleet, databases, stock, secrets, bandwidth, directory, progress } =
            setup;
        let from = ShipFrom { stock, secrets, bandwidth, progress: progress.clone() };
        let shipping = Arc::new(Semaphore::new(running::SHIPPING_MAX));
        let world =
            World { fleet, databases, from, directory, progress, prober: Prober::new(), shipping };
        let (in_flight, witnesses) = (BTreeMap::new(), Witnesses::Shown);
        Self { runtime, world, in_flight, inputs, witnesses }
    }

    /// Makes what is in flight what is owed.
    pub fn settle(&mut self, owed: &BTreeMap<EffectId, Owed>) {
        self.in_flight.retain(|id, task| {
            let still = owed.contains_key(id);
            if !still {
                task.abort();
            }
            still
        });
        owed.iter().for_each(|(id, owed)| self.begin(id, owed));
    }

    /// As [`Self::settle`], where it is known which effects came to be owed or ceased to be since the
    /// last time: the others are not looked at.
    pub fn settle_touched(
        &mut self,
        owed: &BTreeMap<EffectId, Owed>,
        touched: impl IntoIterator<Item = EffectId>,
    ) {
        for id in touched {
            match owed.get(&id) {
                Some(owed) => self.begin(&id, owed),
                None => {
                    if let Some(task) = self.in_flight.remove(&id) {
                        task.abort();
                    }
                }
            }
        }
    }

    fn begin(&mut self, id: &EffectId, owed: &Owed) {
        if !self.in_flight.contains_key(id) {
            let mut owed = owed.clone();
            if self.witnesses == Witnesses::Withheld {
                owed.effect.show_no_journal();
            }
            let running = running::run(self.world.clone(), id.clone(), owed, self.inputs.clone());
            self.in_flight.insert(id.clone(), self.runtime.spawn(running));
        }
    }

    /// From now on hosts are not shown the journal: its records are in memory only.
    pub fn show_no_journal(&mut self) {
        self.witnesses = Witnesses::Withheld;
    }

    /// How many effects were begun and not yet taken off.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Ends everything. What was sent stays sent.
    pub fn stop(&mut self) {
        self.settle(&BTreeMap::new());
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        self.stop();
    }
}

fn hand_in(mut queue: mpsc::Receiver<Input>, inbox: &SyncSender<Input>) {
    while let Some(input) = queue.blocking_recv() {
        if inbox.send(input).is_err() {
            // The driver is gone, and with it whoever would want the rest.
            return;
        }
    }
}
