//! Ctrl-C: the first one leaves in order, the second at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Handle;

/// What a shell calls a process that Ctrl-C ended.
const ENDED_BY_CTRL_C: i32 = 130;

/// Knows whether somebody wants to leave.
#[derive(Debug)]
pub struct Interrupt {
    came: Arc<AtomicBool>,
}

impl Interrupt {
    /// Listens from now on.
    pub fn listen(runtime: &Handle) -> Self {
        let came = Arc::new(AtomicBool::new(false));
        let note = Arc::clone(&came);
        runtime.spawn(async move {
            // Without a signal handler Ctrl-C just kills, which friday survives.
            while tokio::signal::ctrl_c().await.is_ok() {
                if note.swap(true, Ordering::Relaxed) {
                    std::process::exit(ENDED_BY_CTRL_C);
                }
            }
        });
        Self { came }
    }

    /// Whether it came.
    pub fn came(&self) -> bool {
        self.came.load(Ordering::Relaxed)
    }
}
