//! One effect from its beginning to its outcome. Deadlines are kept here: an overrun is an outcome.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use friday_core::controller::effect::{Asks, Effect, EffectId, Owed};
use friday_core::controller::input::{Input, Outcome};
use friday_wire::data::{DataAnswer, DataRequest, Invariant};
use friday_wire::{Answer, DatabaseName, Fence, HealthSpec, HostName, Request, Sample, Streak};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep, timeout_at};

use crate::clock;
use crate::data::{DataError, Databases};
use crate::fleet::{AskError, Fleet, UpgradeError};
use crate::hook::{self, CommandEnd, ShellCommand};
use crate::probe::{ProbeTarget, Prober};
use crate::progress::{Progress, ProgressSender};
use crate::ship::{self, ShipError, ShipFrom, Shipment};

/// Standing effects never run hotter than this, whatever the plan says.
const INTERVAL_MIN: Duration = Duration::from_millis(20);

/// Hosts that are shipped to at once. So many fill any line, and each reads files and holds pieces of
/// them in memory; those that have arrived are not kept waiting by thousands that have begun.
pub(super) const SHIPPING_MAX: usize = 64;

/// What effects need of the world.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) fleet: Fleet,
    pub(super) databases: Databases,
    pub(super) from: ShipFrom,
    pub(super) directory: PathBuf,
    pub(super) progress: ProgressSender,
    pub(super) prober: Prober,
    /// Room for transfers.
    pub(super) shipping: Arc<Semaphore>,
}

/// Runs an effect and hands in what came of it.
pub(super) async fn run(world: World, id: EffectId, owed: Owed, inputs: mpsc::Sender<Input>) {
    let deadline = clock::until(owed.deadline);
    let outcome = match owed.effect {
        Effect::Ask { host, request } => world.ask(&host, &request, deadline).await,
        Effect::Ship { host, release, secrets } => {
            world.ship(&Shipment { host, release, secrets }, deadline).await
        }
        Effect::Upgrade { host, fence } => world.upgrade(&host, &fence, deadline).await,
        Effect::Hook { name, command, env } => world.hook(&name, &command, &env, deadline).await,
        Effect::Point { database, name, timeout_ms } => {
            world.point(&database, name, timeout_ms, deadline).await
        }
        Effect::Follow { host, request, every_ms, timeout_ms } => {
            let pace = Pace { every: ms(every_ms), timeout: ms(timeout_ms) };
            return world.follow(&id, &host, &request, pace, &inputs).await;
        }
        Effect::Judge { database, asks, invariants, every_ms, again_ms, timeout_ms } => {
            let question = Question { database, asks, invariants, timeout: ms(timeout_ms) };
            return world.judge(&id, &question, ms(every_ms), ms(again_ms), &inputs).await;
        }
        Effect::Watch { host, url, expect, health } => {
            let target = ProbeTarget { url, expect, timeout: ms(health.timeout_ms) };
            return world.watch(&host, &target, &health, &inputs).await;
        }
    };
    // Fails only when the driver is gone.
    let _ = inputs.send(Input::Finished { effect: id, outcome }).await;
}

/// How often a standing question is asked.
#[derive(Clone, Copy)]
struct Pace {
    every: Duration,
    timeout: Duration,
}

/// What a database is asked.
struct Question {
    database: DatabaseName,
    asks: Asks,
    invariants: Vec<Invariant>,
    timeout: Duration,
}

impl World {
    async fn ask(&self, host: &HostName, request: &Request, deadline: Instant) -> Outcome {
        match self.fleet.ask(host, request, deadline).await {
            Ok(answer) => Outcome::Answered(Box::new(answer)),
            Err(error) => from_ask(&error),
        }
    }

    async fn ship(&self, shipment: &Shipment, deadline: Instant) -> Outcome {
        let shipped = async {
            // Never closed; without room for it the deadline comes.
            let _room = self.shipping.acquire().await.ok();
            ship::ship(&self.fleet, &self.from, shipment, deadline).await
        };
        match timeout_at(deadline, shipped).await {
            Ok(Ok(())) => Outcome::Done,
            Ok(Err(ShipError::Ask(error))) => from_ask(&error),
            Ok(Err(ShipError::Unsigned(refusal))) => {
                Outcome::Answered(Box::new(Answer::Refused(*refusal)))
            }
            // Nothing is wrong with the connection: the host, or our own stock, says no.
            Ok(Err(error)) => Outcome::Answered(Box::new(Answer::Error { why: error.to_string() })),
            Err(_) => Outcome::Unknown { why: "it was not there in time".to_owned() },
        }
    }

    async fn upgrade(&self, host: &HostName, fence: &Fence, deadline: Instant) -> Outcome {
        match timeout_at(deadline, self.fleet.upgrade(host, fence, deadline)).await {
            Ok(Ok(_)) => Outcome::Done,
            Ok(Err(UpgradeError::Connect(error))) => Outcome::Failed { why: error.told() },
            Ok(Err(error)) => Outcome::Unknown { why: error.to_string() },
            Err(_) => Outcome::Unknown { why: "it was not replaced in time".to_owned() },
        }
    }

    async fn hook(
        &self,
        name: &str,
        command: &str,
        env: &[(String, String)],
        deadline: Instant,
    ) -> Outcome {
        let command = ShellCommand { command, env, directory: &self.directory };
        let limit = deadline.saturating_duration_since(Instant::now());
        let tell = |line| {
            self.progress.tell(Progress::HookSays { name: name.to_owned(), line });
        };
        match hook::run(&command, limit, tell).await {
            CommandEnd::Done => Outcome::Done,
            CommandEnd::Failed { why } => Outcome::Failed { why },
            CommandEnd::Unknown { why } => Outcome::Unknown { why },
        }
    }

    async fn point(
        &self,
        database: &DatabaseName,
        name: String,
        timeout_ms: u64,
        deadline: Instant,
    ) -> Outcome {
        let limit = deadline.saturating_duration_since(Instant::now());
        let request = |database| DataRequest::Point { database, name, timeout_ms };
        let asked = self.databases.ask(database, limit, request, |_| {});
        match timeout_at(deadline, asked).await {
            Ok(Ok(DataAnswer::Pointed { point })) => Outcome::Pointed(Box::new(point)),
            Ok(Ok(_)) => Outcome::Unknown { why: "it answered another question".to_owned() },
            Ok(Err(DataError::Lost(error))) => Outcome::Unknown { why: error.to_string() },
            Ok(Err(error)) => Outcome::Failed { why: error.told() },
            Err(_) => Outcome::Unknown { why: "it was not made in time".to_owned() },
        }
    }

    /// Until it is no longer owed, or the driver is gone. What has no verdict is asked again sooner.
    async fn judge(
        &self,
        id: &EffectId,
        question: &Question,
        every: Duration,
        again: Duration,
        inputs: &mpsc::Sender<Input>,
    ) {
        loop {
            let outcome = self.judged(question).await;
            let pause = if matches!(outcome, Outcome::Judged(_)) { every } else { again };
            let effect = id.clone();
            if inputs.send(Input::Followed { effect, outcome }).await.is_err() {
                return;
            }
            sleep(pause.max(INTERVAL_MIN)).await;
        }
    }

    async fn judged(&self, question: &Question) -> Outcome {
        let Question { database, asks, invariants, timeout } = question;
        let asked = self.databases.judge(database, *timeout, *asks, invariants.clone());
        match tokio::time::timeout(*timeout, asked).await {
            Ok(Ok(DataAnswer::Judged { invariants })) => Outcome::Judged(invariants),
            Ok(Ok(_)) => Outcome::Unknown { why: "it answered another question".to_owned() },
            Ok(Err(error)) => Outcome::Failed { why: error.told() },
            Err(_) => Outcome::Unknown { why: "it did not answer in time".to_owned() },
        }
    }

    /// Until it is no longer owed, or the driver is gone.
    async fn follow(
        &self,
        id: &EffectId,
        host: &HostName,
        request: &Request,
        pace: Pace,
        inputs: &mpsc::Sender<Input>,
    ) {
        loop {
            let outcome = self.ask(host, request, Instant::now() + pace.timeout).await;
            let effect = id.clone();
            if inputs.send(Input::Followed { effect, outcome }).await.is_err() {
                return;
            }
            sleep(pace.every.max(INTERVAL_MIN)).await;
        }
    }

    /// Until it is no longer owed, or the driver is gone. The pace is that of a host's own
    /// probes; what the samples mean is decided by core.
    async fn watch(
        &self,
        host: &HostName,
        target: &ProbeTarget,
        health: &HealthSpec,
        inputs: &mpsc::Sender<Input>,
    ) {
        let began = Instant::now();
        let mut streak = Streak::default();
        let mut seen: Option<Sample> = None;
        loop {
            let sample = self.prober.sample(target).await;
            let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            streak.add(elapsed_ms, &sample, health);
            if seen.as_ref() != Some(&sample) {
                let failed = match &sample {
                    Sample::Pass => None,
                    Sample::Fail { why } => Some(why.clone()),
                };
                self.progress.tell(Progress::Probed { host: host.clone(), failed });
                seen = Some(sample.clone());
            }
            if inputs.send(Input::Sampled { host: host.clone(), sample }).await.is_err() {
                return;
            }
            let pause = if streak.has_passed() {
                health.interval_later_ms
            } else {
                health.interval_first_ms
            };
            sleep(ms(pause).max(INTERVAL_MIN)).await;
        }
    }
}

fn from_ask(error: &AskError) -> Outcome {
    match error {
        AskError::NotSent(error) => Outcome::Failed { why: error.told() },
        AskError::Unknown { why } => Outcome::Unknown { why: why.clone() },
    }
}

/// At most a day, so that adding it to a clock cannot overflow.
fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds.min(86_400_000))
}
