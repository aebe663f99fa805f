//! Simulated applications: what the truth about a release on a host is, whatever friday thinks.

use friday_node::App;

use crate::catalog::Behaviour;

/// One running application.
#[derive(Debug, Clone)]
pub(crate) struct Application {
    pub(crate) app: App,
    pub(crate) behaviour: Behaviour,
    pub(crate) port: Option<u16>,
    pub(crate) started_at: u64,
    /// Milliseconds from its start until it answers.
    pub(crate) warm_up_ms: u64,
}

impl Application {
    /// Whether its own health check would pass now.
    pub(crate) fn passes(&self, now: u64) -> bool {
        let age = now.saturating_sub(self.started_at);
        if age < self.warm_up_ms {
            return false;
        }
        match self.behaviour {
            Behaviour::Good
            | Behaviour::Deaf
            | Behaviour::BadOutside
            | Behaviour::Damages { .. }
            | Behaviour::CrashesLate { .. } => true,
            Behaviour::NeverHealthy | Behaviour::ExitsAtOnce => false,
            Behaviour::SickLate { after_ms } => age < after_ms,
        }
    }

    /// Whether users get what they asked for, where traffic reaches it.
    pub(crate) fn serves(&self, now: u64) -> bool {
        self.passes(now) && self.behaviour != Behaviour::BadOutside
    }

    /// Milliseconds from its start until it ends by itself.
    pub(crate) fn exits_after(behaviour: Behaviour) -> Option<u64> {
        match behaviour {
            Behaviour::ExitsAtOnce => Some(20),
            Behaviour::CrashesLate { after_ms } => Some(after_ms),
            Behaviour::Good
            | Behaviour::Deaf
            | Behaviour::NeverHealthy
            | Behaviour::BadOutside
            | Behaviour::Damages { .. }
            | Behaviour::SickLate { .. } => None,
        }
    }
}
