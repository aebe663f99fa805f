//! The outside probe: an HTTP request from where friday runs, as a user's would come.
//!
//! Redirects are not followed: a login page is not health. Blocking requests in a bounded number of
//! threads; what a probe saw is a sample, and what samples mean is decided elsewhere.

use std::sync::Arc;
use std::time::Duration;

use friday_wire::Sample;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::last_lines::shown;

/// Requests at once. More hosts take turns.
const PROBES_MAX: usize = 64;

/// What to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeTarget {
    /// The URL, `http` or `https`.
    pub url: String,
    /// The status that passes; `None`: any 2xx.
    pub expect: Option<u16>,
    /// A request that takes longer has failed.
    pub timeout: Duration,
}

/// Asks. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Prober {
    agent: ureq::Agent,
    room: Arc<Semaphore>,
}

impl Default for Prober {
    fn default() -> Self {
        Self::new()
    }
}

impl Prober {
    /// A prober with its own limits.
    pub fn new() -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // Each probe proves that a new connection is taken, as a new user's would be.
            .max_idle_connections(0)
            // The host itself is asked: a proxy's answer says nothing of it.
            .proxy(None)
            .user_agent("friday")
            .build();
        Self { agent: config.into(), room: Arc::new(Semaphore::new(PROBES_MAX)) }
    }

    /// One sample. Takes at most the target's timeout, and the time to get a turn.
    pub async fn sample(&self, target: &ProbeTarget) -> Sample {
        let Ok(turn) = Arc::clone(&self.room).acquire_owned().await else {
            return Sample::Fail { why: "friday is ending".to_owned() };
        };
        let agent = self.agent.clone();
        let asked = target.clone();
        let asking = tokio::task::spawn_blocking(move || {
            let sample = ask(&agent, &asked);
            drop(turn);
            sample
        });
        // The resolver of names knows no timeout of ours.
        match timeout(target.timeout.saturating_add(Duration::from_secs(1)), asking).await {
            Ok(Ok(sample)) => sample,
            Ok(Err(error)) => Sample::Fail { why: shown(&error.to_string()) },
            Err(_) => no_answer(target.timeout),
        }
    }
}

fn ask(agent: &ureq::Agent, target: &ProbeTarget) -> Sample {
    let request = agent.get(&target.url).config().timeout_global(Some(target.timeout)).build();
    match request.call() {
        Ok(response) => {
            let status = response.status().as_u16();
            let passes = match target.expect {
                Some(expected) => status == expected,
                None => (200..300).contains(&status),
            };
            if passes {
                return Sample::Pass;
            }
            let wanted = target.expect.map_or("2xx".to_owned(), |expected| expected.to_string());
            Sample::Fail { why: format!("answered {status}, not {wanted}") }
        }
        Err(ureq::Error::Timeout(_)) => no_answer(target.timeout),
        Err(error) => Sample::Fail { why: shown(&error.to_string()) },
    }
}

fn no_answer(limit: Duration) -> Sample {
    Sample::Fail { why: format!("no answer in {} ms", limit.as_millis()) }
}

#[cfg(test)]
mod tests;
