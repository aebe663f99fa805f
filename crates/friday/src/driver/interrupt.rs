//! Signs that friday is to leave: Ctrl-C, a request to end, a terminal that is closed. What is done
//! about them is for [`leaving`](super::leaving); a second Ctrl-C, and a second request, end at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a shell calls a process that a signal ended: this, and the signal's number.
const ENDED_BY: i32 = 128;

/// Signs that nobody has heeded yet. More say nothing new.
const SIGNS_MAX: usize = 8;

/// A sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// A person pressed Ctrl-C.
    CtrlC,
    /// Somebody, or the machine that goes down, wants friday to end.
    Terminated,
    /// The terminal is gone.
    HungUp,
}

/// Knows whether somebody wants friday to leave.
#[derive(Debug)]
pub struct Interrupt {
    signs: Receiver<Sign>,
    pressed: Arc<AtomicBool>,
}

impl Interrupt {
    /// Listens from now on. What friday was started to ignore (`nohup`, `&` in a script) stays ignored.
    pub fn listen(runtime: &Handle) -> Self {
        let (to, signs) = sync_channel(SIGNS_MAX);
        let pressed = Arc::new(AtomicBool::new(false));
        let ignored = ignored();
        for (sign, kind) in [
            (Sign::CtrlC, SignalKind::interrupt()),
            (Sign::Terminated, SignalKind::terminate()),
            (Sign::HungUp, SignalKind::hangup()),
        ] {
            if is_ignored(ignored, kind) {
                continue;
            }
            let _inside = runtime.enter();
            // Without a handler the signal just kills, which friday survives.
            if let Ok(signals) = signal(kind) {
                runtime.spawn(hear(sign, kind, signals, to.clone(), Arc::clone(&pressed)));
            }
        }
        Self { signs, pressed }
    }

    /// A sign that came.
    pub fn sign(&self) -> Option<Sign> {
        self.signs.try_recv().ok()
    }

    /// A person answered that it goes on: the next Ctrl-C asks again.
    pub fn goes_on(&self) {
        self.pressed.store(false, Ordering::Relaxed);
    }
}

async fn hear(
    sign: Sign,
    kind: SignalKind,
    mut signals: Signal,
    to: SyncSender<Sign>,
    pressed: Arc<AtomicBool>,
) {
    let terminated = AtomicBool::new(false);
    while signals.recv().await.is_some() {
        let again = match sign {
            Sign::CtrlC => pressed.swap(true, Ordering::Relaxed),
            Sign::Terminated => terminated.swap(true, Ordering::Relaxed),
            Sign::HungUp => false,
        };
        if again {
            std::process::exit(ENDED_BY + kind.as_raw_value());
        }
        // Where nobody heeds signs any more, friday is about to end.
        let _ = to.try_send(sign);
    }
}

/// The signals that this process was started to ignore, as the kernel tells: bit by bit from number 1
/// on. Where it does not tell, none.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

fn is_ignored(mask: u64, kind: SignalKind) -> bool {
    let number = u32::try_from(kind.as_raw_value()).unwrap_or(0);
    number.checked_sub(1).and_then(|bit| mask.checked_shr(bit)).is_some_and(|rest| rest & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_read_from_the_kernels_mask() {
        // SIGHUP is 1, SIGPIPE is 13.
        assert!(is_ignored(0x1001, SignalKind::hangup()));
        assert!(!is_ignored(0x1001, SignalKind::interrupt()));
        assert!(is_ignored(0x1001, SignalKind::pipe()));
    }
}
