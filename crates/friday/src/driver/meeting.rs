//! Before a push is begun, every host is met: a first contact puts friday-host there, megabytes over
//! whatever line there is, and no deadline of the push can know how long that takes. A way back waits for
//! nobody: a host that is not there yet is owed it.

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use friday_core::controller::input::{Command, Way};
use friday_core::view::words::{names, size};
use friday_edge::progress::Progress;

use super::{POLL, Session};
use crate::error::CommandError;
use crate::exit::Exit;

/// How long a host that says nothing is waited for here; the round that asks it then waits on. A login on a
/// busy server takes seconds, and what wants friday-host after this has only the round's time for it.
const PATIENCE: Duration = Duration::from_secs(8);

/// How often it is told how far the programs are, where nothing draws it live.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Hosts that are named; more are counted.
const NAMED_MAX: usize = 3;

/// Whether a command waits for its hosts.
pub(super) fn is_wanted(command: &Command) -> bool {
    match command {
        Command::Rollback { .. } | Command::Abort { .. } => false,
        Command::Resume { way, .. } => matches!(way, Way::Forward),
        _ => true,
    }
}

impl Session<'_> {
    /// Connects to every host, and waits for as long as friday-host is on its way to one.
    pub(super) fn meet(&mut self) -> Result<(), CommandError> {
        let (met, end) = channel();
        let fleet = self.fleet.clone();
        let _meeting = self.runtime.spawn(async move {
            fleet.meet(PATIENCE).await;
            // Nobody waits any more where the person left.
            let _ = met.send(());
        });
        let mut putting: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        let mut told = Instant::now();
        while let Err(RecvTimeoutError::Timeout) = end.recv_timeout(POLL) {
            if self.interrupt.sign().is_some() {
                let message = "left before it began; nothing was changed";
                return Err(CommandError::new(Exit::Refused, message));
            }
            while let Ok(progress) = self.progress.try_recv() {
                match &progress {
                    Progress::PuttingHostProgram { host, sent, bytes } => {
                        putting.insert(host.to_string(), (*sent, *bytes));
                    }
                    Progress::Connected { host, .. } | Progress::Disconnected { host, .. } => {
                        putting.remove(host.as_str());
                    }
                    _ => {}
                }
                self.note(progress);
            }
            if !putting.is_empty() && told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                self.ui.say(how_far(&putting));
            }
        }
        Ok(())
    }
}

/// Everybody is as far as the slowest.
fn how_far(putting: &BTreeMap<String, (u64, u64)>) -> String {
    let hosts = names(putting.keys().map(String::as_str), NAMED_MAX);
    let slowest = putting.values().min_by_key(|(sent, _)| *sent);
    let (sent, bytes) = slowest.copied().unwrap_or_default();
    format!("friday-host is being put on {hosts}: {} of {} so far", size(sent), size(bytes))
}
