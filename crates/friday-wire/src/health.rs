//! Health as a host measures it: what is asked, how often, and what the answers add up to.

use serde::{Deserialize, Serialize};

/// How a release proves that it works. With none of the four checks, running for `steady_ms` is
/// all that is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthSpec {
    /// An HTTP request to the release's port on the host.
    pub http: Option<HttpCheck>,
    /// A TCP connection to the release's port.
    pub tcp: bool,
    /// A shell command that must exit with 0.
    pub command: Option<String>,
    /// The application must say `READY=1` by `sd_notify`; until then every probe fails.
    #[serde(default, skip_serializing_if = "crate::supervisor::is_default")]
    pub notify: bool,
    /// Milliseconds between probes until the first pass. Default 1 000.
    pub interval_first_ms: u64,
    /// Milliseconds between probes after it. Default 5 000.
    pub interval_later_ms: u64,
    /// A probe that takes longer has failed. Default 5 000.
    pub timeout_ms: u64,
    /// Passes in a row that make healthy. Default 3.
    pub passes: u32,
    /// And this long without a failure. Default 10 000.
    pub steady_ms: u64,
    /// Failures in a row that make a healthy one sick. Default 3.
    pub failures: u32,
}

impl Default for HealthSpec {
    fn default() -> Self {
        Self {
            http: None,
            tcp: false,
            command: None,
            notify: false,
            interval_first_ms: 1_000,
            interval_later_ms: 5_000,
            timeout_ms: 5_000,
            passes: 3,
            steady_ms: 10_000,
            failures: 3,
        }
    }
}

/// An HTTP check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpCheck {
    /// Path and query, beginning with `/`.
    pub path: String,
    /// The status that passes; `None`: any 2xx.
    pub expect: Option<u16>,
}

/// One answer of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "sample", rename_all = "snake_case")]
pub enum Sample {
    /// The check passed.
    Pass,
    /// It did not, and this is what came instead.
    Fail {
        /// One line.
        why: String,
    },
}

/// What a series of samples adds up to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "health", rename_all = "snake_case")]
pub enum HealthState {
    /// Not enough seen yet.
    Unproven,
    /// Enough passes in a row, long enough.
    Healthy,
    /// Was healthy and failed too often in a row, or never got there and its deadline passed, or exited.
    Sick {
        /// The last failure.
        why: String,
    },
}

/// Counts samples. The same rule for a host's own health and for the outside probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streak {
    passes: u32,
    failures: u32,
    passing_since_ms: Option<u64>,
    #[serde(default)]
    last_failure: Option<String>,
    state: HealthState,
}

impl Default for Streak {
    fn default() -> Self {
        Self {
            passes: 0,
            failures: 0,
            passing_since_ms: None,
            last_failure: None,
            state: HealthState::Unproven,
        }
    }
}

impl Streak {
    /// Adds a sample taken at `now_ms` (any clock that does not jump) and says what it now amounts to.
    pub fn add(&mut self, now_ms: u64, sample: &Sample, spec: &HealthSpec) -> &HealthState {
        match sample {
            Sample::Pass => {
                self.passes = self.passes.saturating_add(1);
                self.failures = 0;
                let since = *self.passing_since_ms.get_or_insert(now_ms);
                if self.passes >= spec.passes && now_ms.saturating_sub(since) >= spec.steady_ms {
                    self.state = HealthState::Healthy;
                }
            }
            Sample::Fail { why } => {
                self.passes = 0;
                self.failures = self.failures.saturating_add(1);
                self.passing_since_ms = None;
                self.last_failure = Some(why.clone());
                let lost = self.state == HealthState::Healthy && self.failures >= spec.failures;
                if lost || matches!(self.state, HealthState::Sick { .. }) {
                    self.state = HealthState::Sick { why: why.clone() };
                }
            }
        }
        &self.state
    }

    /// What the samples so far amount to. Unproven until enough have passed; then healthy until
    /// `failures` in a row; then sick until enough have passed again.
    pub fn state(&self) -> &HealthState {
        &self.state
    }

    /// What the last probe that failed said.
    pub fn last_failure(&self) -> Option<&str> {
        self.last_failure.as_deref()
    }

    /// Whether the last probe passed, or the release was proven healthy: the slower interval holds.
    pub fn has_passed(&self) -> bool {
        self.passes > 0 || self.state == HealthState::Healthy
    }
}

/// The clocks of a switch, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clocks {
    /// After leaving rotation, before draining: what balancers need to notice. Default 5 000.
    pub settle_ms: u64,
    /// Then, for requests in flight. Default 30 000.
    pub drain_ms: u64,
    /// From SIGTERM to SIGKILL. Default 10 000.
    pub stop_ms: u64,
    /// From start until the release must be healthy. Default 300 000.
    pub health_deadline_ms: u64,
    /// From being in rotation until somebody must confirm. Default 30 000.
    pub confirm_ms: u64,
}

impl Default for Clocks {
    fn default() -> Self {
        Self {
            settle_ms: 5_000,
            drain_ms: 30_000,
            stop_ms: 10_000,
            health_deadline_ms: 300_000,
            confirm_ms: 30_000,
        }
    }
}

impl Clocks {
    /// The first deadline of an armed switch: settle + drain + stop + health deadline.
    pub fn first_deadline_ms(&self) -> u64 {
        self.settle_ms
            .saturating_add(self.drain_ms)
            .saturating_add(self.stop_ms)
            .saturating_add(self.health_deadline_ms)
    }
}

#[cfg(test)]
mod tests;
