//! One event as lines for people. `push` draws them while they happen, `log` draws them years later.

mod database;
mod fact;

use friday_wire::{HostName, Migration, Observation, OpenRollout, Refusal, RolloutId, StepState};
use serde::Serialize;

use super::chronicle::{Chronicle, rollout_of};
use super::programs::programs;
use super::rollout::{RolloutView, RolloutWord};
use super::sentences::sentences;
use super::words::{count, duration, names};
use crate::controller::input::{BackTo, Way};
use crate::journal::event::{End, Event, Requested, Watcher};
use crate::journal::finding::GateResult;
use crate::journal::intent::{Intent, MemberChange};
use crate::journal::round::{HostAnswer, RoundAsk, StepAnswer, Work};
use crate::reason::unsigned;
use crate::time::Timestamp;

/// How a line is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// For whoever wants to know everything: not shown unless asked for.
    Fine,
    /// What happens.
    Plain,
    /// Something was reached.
    Good,
    /// Worth a look.
    Warn,
    /// Something failed.
    Bad,
}

/// Whether what hosts told was known already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It was not.
    Fresh,
    /// It was.
    Known,
}

/// One line, and what stands below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// Of which rollout.
    pub rollout: Option<RolloutId>,
    /// About which host.
    pub host: Option<HostName>,
    /// How it is meant.
    pub tone: Tone,
    /// The line.
    pub text: String,
    /// Lines below it: reasons, an application's last words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub below: Vec<String>,
}

impl Line {
    fn below(mut self, below: impl IntoIterator<Item = String>) -> Self {
        self.below.extend(below);
        self
    }

    fn of_host(mut self, host: &HostName) -> Self {
        self.host = Some(host.clone());
        self
    }
}

/// Tells an event that the chronicle has just taken in.
pub fn tell(chronicle: &Chronicle, at: Timestamp, event: &Event, news: News) -> Vec<Line> {
    let rollout = rollout_of(event);
    let line = |tone: Tone, text: String| Line {
        at,
        rollout: rollout.cloned(),
        host: None,
        tone,
        text,
        below: Vec::new(),
    };
    let view = rollout.and_then(|id| chronicle.rollout(id));
    let word = view.map_or(RolloutWord::Look, |rollout| rollout.word);
    let one = match event {
        Event::JournalCreated { fleet, .. } => {
            line(Tone::Plain, format!("a new journal was made for `{fleet}`"))
        }
        Event::DriverStarted { person, machine, version, .. } => {
            line(Tone::Fine, format!("{person} on {machine} drives, with friday {version}"))
        }
        Event::RolloutBegun { intent, because_of, .. } => {
            let tone = if word == RolloutWord::Look { Tone::Fine } else { Tone::Plain };
            line(tone, begun(chronicle, intent, because_of.is_some()))
        }
        Event::RoundBegun { ask, hosts, .. } => {
            let (tone, text) = round(*ask, hosts.len());
            line(tone, text)
        }
        Event::HostAnswered { host, answer, .. } => {
            let (tone, text) = answered(chronicle, word, answer);
            line(tone, text).of_host(host)
        }
        Event::FenceChosen { fence, .. } => line(Tone::Fine, format!("the fence is {fence}")),
        Event::Observed { fact } => {
            let (tone, text) = fact::observed(chronicle, fact);
            line(if news == News::Known { Tone::Fine } else { tone }, text)
        }
        Event::GateJudged { result, says, .. } => {
            line(Tone::Fine, format!("gate {}: {says}", judged(*result)))
        }
        Event::RolloutBound { open, .. } => {
            let (tone, text) = bound(chronicle, word, open);
            line(tone, text)
        }
        // Each host says so by itself.
        Event::WorkBegun { work: Work::Back, .. } => line(Tone::Fine, "hosts go back".to_owned()),
        Event::WorkBegun { work, .. } => line(Tone::Plain, working(*work).to_owned()),
        Event::MigrationWentBack { failed, .. } => {
            let (tone, text) = went_back(failed.as_deref());
            line(tone, text)
        }
        Event::HostLeft { host, why, .. } => {
            line(Tone::Bad, format!("still to be put right: {why}")).of_host(host)
        }
        Event::EndDecided { .. } => line(Tone::Fine, "putting away what is left".to_owned()),
        Event::MigrationMoved { migration, .. } => {
            let (tone, text) = migrated(*migration);
            line(tone, text.to_owned())
        }
        Event::HookEnded { name, failed, .. } => match failed {
            None => line(Tone::Plain, format!("the `{name}` hook ended well")),
            Some(why) => line(Tone::Bad, format!("the `{name}` hook failed: {why}")),
        },
        Event::WaveBegun { wave, hosts, .. } => {
            let of = view.map_or(0, |view| view.waves);
            let names = names(hosts.iter().map(HostName::as_str), 8);
            line(Tone::Plain, format!("wave {wave} of {of}: {names}"))
        }
        Event::StepBegun { host, attempt, .. } => {
            line(Tone::Plain, ordered(view, host, *attempt)).of_host(host)
        }
        Event::StepAnswered { host, answer, .. } => {
            let (tone, text, log) = stepped(answer);
            line(tone, text).of_host(host).below(log)
        }
        Event::OutsideProved { host, .. } => {
            line(Tone::Fine, "passed the outside probe; confirming".to_owned()).of_host(host)
        }
        Event::HostDone { host, .. } => line(Tone::Good, done(word).to_owned()).of_host(host),
        Event::HostStopped { host, .. } => {
            line(Tone::Plain, "stopped; nothing runs there".to_owned()).of_host(host)
        }
        Event::HostFailed { host, why, log, .. } => {
            line(Tone::Bad, format!("failed: {why}")).of_host(host).below(log.clone())
        }
        Event::HealthChanged { host, by, sick, .. } => {
            let (tone, text) = health(*by, sick.as_deref());
            line(tone, text).of_host(host)
        }
        Event::SoakBegun { wave, until, .. } => {
            line(Tone::Plain, format!("wave {wave} soaks for {}", duration(until.since_ms(at))))
        }
        Event::BakeBegun { until, .. } => {
            let long = duration(until.since_ms(at));
            line(Tone::Plain, format!("every host runs it; it bakes for {long}"))
        }
        Event::BakeEnded { .. } => line(Tone::Plain, "the bake ended well".to_owned()),
        Event::LeaseRenewed { ok: true, .. } => {
            line(Tone::Fine, "the lease was prolonged".to_owned())
        }
        Event::LeaseRenewed { ok: false, .. } => {
            line(Tone::Warn, "the keeper did not prolong the lease".to_owned())
        }
        Event::Held { reasons, .. } => {
            line(Tone::Bad, format!("the {} is held: a person is needed", word.noun()))
                .below(sentences(reasons))
        }
        Event::RolloutEnded { rollout, end } => ended(chronicle, at, rollout, end),
        Event::Requested { person, request, .. } => {
            line(Tone::Warn, requested(chronicle, person, request))
        }
        Event::DataActBegun { .. }
        | Event::DataActEnded { .. }
        | Event::WayBackDecided { .. }
        | Event::RestorePointMade { .. }
        | Event::RestorePointFailed { .. }
        | Event::RestorePointUnknown { .. }
        | Event::InvariantsJudged { .. }
        | Event::InvariantsUnknown { .. } => {
            let (tone, text, below) = database::told(event);
            line(tone, text).below(below)
        }
        Event::Resumed { way: Way::Forward, .. } => line(Tone::Plain, "resumed forward".to_owned()),
        Event::Resumed { way: Way::Back, .. } => line(Tone::Plain, "resumed back".to_owned()),
    };
    vec![one]
}

fn health(by: Watcher, sick: Option<&str>) -> (Tone, String) {
    let by = match by {
        Watcher::Host => "by its own probes",
        Watcher::Outside => "from outside",
    };
    match sick {
        Some(why) => (Tone::Bad, format!("sick, seen {by}: {why}")),
        None => (Tone::Good, format!("well again, seen {by}")),
    }
}

fn went_back(failed: Option<&str>) -> (Tone, String) {
    match failed {
        None => (Tone::Plain, "the migration was undone".to_owned()),
        Some(why) => (Tone::Bad, format!("the migration could not be undone: {why}")),
    }
}

fn begun(chronicle: &Chronicle, intent: &Intent, takes_back: bool) -> String {
    let hosts = count(intent.fleet().hosts.len(), "host");
    match intent {
        Intent::Push { plan } => {
            let waves = count(plan.waves.len(), "wave");
            let hosts = match plan.only.len() {
                0 => hosts,
                only => format!("{only} of {hosts}"),
            };
            format!("push of `{}` ({}) to {hosts} in {waves}", plan.label, plan.release.short())
        }
        Intent::Rollback { to, now, reason, automatic, .. } => {
            let to = match to {
                BackTo::LastStable if takes_back => String::new(),
                BackTo::LastStable => " to the last stable release".to_owned(),
                BackTo::Release { release } => format!(" to {}", chronicle.release_says(release)),
            };
            let by = if *automatic { "friday rolls back" } else { "rollback" };
            let now = if *now { ", all at once" } else { "" };
            format!("{by}{to} on {hosts}{now}: {reason}")
        }
        Intent::Sweep { .. } => format!("sweep of {hosts}"),
        Intent::Lock { lock: Some(lock), .. } => {
            format!("{} locks the fleet: {}", lock.person, lock.reason)
        }
        Intent::Lock { lock: None, .. } => "unlocking the fleet".to_owned(),
        Intent::Quarantine { release, active: true, reason, .. } => {
            format!("quarantine of {}: {reason}", chronicle.release_says(release))
        }
        Intent::Quarantine { release, active: false, reason, .. } => {
            format!("lifting the quarantine of {}: {reason}", chronicle.release_says(release))
        }
        Intent::Keeper { keeper, .. } => format!("`{keeper}` becomes the keeper"),
        Intent::Once { process, host, .. } => format!("`{process}` moves to `{host}`"),
        Intent::Upgrade { .. } => format!("replacing friday-host on {hosts} where it differs"),
        Intent::Look { .. } => format!("looking at {hosts}"),
        Intent::Members { change, .. } => match change {
            MemberChange::Remove { host } => format!("`{host}` is taken out of the fleet"),
            MemberChange::Rename { from, to } => format!("`{from}` is called `{to}` from now on"),
            MemberChange::Forget { host, reason } => format!("`{host}` is forgotten: {reason}"),
        },
    }
}

/// An order, in the word of where the host stands now.
fn ordered(view: Option<&RolloutView>, host: &HostName, attempt: u32) -> String {
    let part = view.and_then(|view| view.host(host));
    let doing = part.map_or("at work", |part| part.stage.says());
    if attempt > 1 { format!("{doing}, attempt {attempt}") } else { doing.to_owned() }
}

fn working(work: Work) -> &'static str {
    match work {
        Work::Sweep => "hosts drift: putting them right first",
        Work::HookBefore => "running the `before` hook",
        Work::StopAll => "stopping every host for the migration: nothing serves",
        Work::Migrate => "running the migration",
        Work::MigrateBack => "undoing the migration",
        Work::Back => "hosts go back",
        Work::HookAfter => "running the `after` hook",
        Work::HookBeforeWave => "running the `before_wave` hook",
        Work::HookAfterWave => "running the `after_wave` hook",
        Work::RestorePoints => "making restore points of the databases",
        Work::JudgeBefore | Work::JudgeMigrated | Work::JudgeWave | Work::JudgeAfter => {
            "asking the databases for what must hold in them"
        }
    }
}

fn round(ask: RoundAsk, hosts: usize) -> (Tone, String) {
    let hosts = count(hosts, "host");
    match ask {
        RoundAsk::Read => (Tone::Fine, format!("reading {hosts}")),
        RoundAsk::Raise | RoundAsk::RaiseWave => {
            (Tone::Fine, format!("raising the fence on {hosts}"))
        }
        RoundAsk::Open => (Tone::Fine, format!("opening the rollout on {hosts}")),
        RoundAsk::Ship => (Tone::Plain, format!("shipping to {hosts}")),
        RoundAsk::Stage => (Tone::Plain, format!("staging on {hosts}")),
        RoundAsk::MigrationBegins | RoundAsk::MigrationEnds => {
            (Tone::Fine, format!("storing the migration's state on {hosts}"))
        }
        RoundAsk::Look => (Tone::Fine, format!("looking at {hosts}")),
        RoundAsk::Quarantine => (Tone::Fine, format!("storing the quarantine on {hosts}")),
        RoundAsk::Upgrade => (Tone::Plain, format!("replacing friday-host on {hosts}")),
        RoundAsk::Act => (Tone::Fine, format!("storing it on {hosts}")),
        RoundAsk::Observe => (Tone::Plain, format!("observing {hosts}")),
        RoundAsk::Close => (Tone::Fine, format!("closing the rollout on {hosts}")),
        RoundAsk::Release => (Tone::Fine, "giving the lease back".to_owned()),
        RoundAsk::Leave => {
            (Tone::Plain, "stopping what runs there, and taking friday off".to_owned())
        }
        RoundAsk::Rename => (Tone::Plain, "telling the host its new name".to_owned()),
    }
}

/// A sweep leaves changed files alone: they are put right only where a switch watches over it.
fn seen(chronicle: &Chronicle, word: RolloutWord, seen: &Observation) -> (Tone, String) {
    let runs = chronicle.target_says(seen.head.current.as_ref());
    match seen.facts.drift.as_ref().filter(|_| word == RolloutWord::Sweep) {
        None => (Tone::Fine, format!("seen; its current release is {runs}")),
        Some(drift) => {
            (Tone::Warn, format!("{drift}; a push of {runs} puts it right, a sweep does not"))
        }
    }
}

fn answered(chronicle: &Chronicle, word: RolloutWord, answer: &HostAnswer) -> (Tone, String) {
    match answer {
        HostAnswer::Head { head } => {
            let runs = chronicle.target_says(head.current.as_ref());
            (Tone::Fine, format!("answered; its current release is {runs}"))
        }
        HostAnswer::Seen { observation } => seen(chronicle, word, observation),
        HostAnswer::Ok => (Tone::Fine, "done".to_owned()),
        HostAnswer::Refused { refusal } => {
            (Tone::Warn, format!("refused: {}", refused(chronicle, refusal)))
        }
        HostAnswer::Failed { why, .. } => (Tone::Bad, format!("could not: {why}")),
        HostAnswer::Unreachable { why } => (Tone::Bad, format!("does not answer: {why}")),
        HostAnswer::Unknown { why } => {
            (Tone::Warn, format!("not known whether it was done: {why}"))
        }
    }
}

/// A host's refusal as a fragment of a sentence.
pub fn refused(chronicle: &Chronicle, refusal: &Refusal) -> String {
    match refusal {
        Refusal::Fenced { highest } => {
            format!("a {} raised a higher fence ({})", highest.kind, highest.number)
        }
        Refusal::Leased { lease } => format!(
            "{} is pushing; the lease lasts another {}",
            lease.holder,
            duration(lease.remaining_ms)
        ),
        Refusal::LeaseLost => "the lease is not ours any more".to_owned(),
        Refusal::Keeper { keeper } => format!("its keeper is `{keeper}`"),
        Refusal::NotOpen { open: Some(open) } => format!("rollout {open} is open there"),
        Refusal::NotOpen { open: None } => "no rollout is open there".to_owned(),
        Refusal::RollbackOpen { rollout } => format!("rollback {rollout} is open there"),
        Refusal::Quarantined { release, reason } => {
            format!("{} is quarantined: {reason}", chronicle.release_says(release))
        }
        Refusal::Stale { attempt } => format!("attempt {attempt} was seen already"),
        Refusal::Busy { with } => format!("it is at work on {}", with.key),
        Refusal::OneWay => "a one-way migration began".to_owned(),
        Refusal::NotStopped => "it is not stopped for the migration any more".to_owned(),
        Refusal::NotHeld { release } => {
            format!("it does not hold {}", chronicle.release_says(release))
        }
        Refusal::Locked { person, reason } => format!("{person} locked the fleet: {reason}"),
        Refusal::Unsigned { release, signers, key, why } => format!(
            "{} is not taken{}",
            chronicle.release_says(release),
            unsigned(signers, key.as_deref(), why)
        ),
    }
}

fn bound(chronicle: &Chronicle, word: RolloutWord, open: &OpenRollout) -> (Tone, String) {
    let to = chronicle.target_says(open.release.as_ref());
    let back = chronicle.target_says(open.returns_to.as_ref());
    match word {
        RolloutWord::Push => (Tone::Fine, format!("a failure returns to {back}")),
        _ => (Tone::Plain, format!("going back to {to}")),
    }
}

fn migrated(migration: Migration) -> (Tone, &'static str) {
    match migration {
        Migration::NotBegun => (Tone::Plain, "the migration was undone"),
        Migration::Begun { one_way: true } => (Tone::Warn, "the migration begins; it is one-way"),
        Migration::Begun { one_way: false } => (Tone::Plain, "the migration begins"),
        Migration::Unknown { .. } => (Tone::Bad, "it is not known how the migration ended"),
        Migration::Done { .. } => (Tone::Good, "the migration is done"),
    }
}

fn stepped(answer: &StepAnswer) -> (Tone, String, Vec<String>) {
    match answer {
        StepAnswer::Report { report } => match &report.state {
            StepState::Running { doing } => (Tone::Fine, doing.clone(), Vec::new()),
            StepState::AwaitingConfirm { .. } => {
                (Tone::Fine, "healthy by its own account".to_owned(), Vec::new())
            }
            StepState::Done => (Tone::Fine, "the host is done".to_owned(), Vec::new()),
            StepState::Failed { why, log, .. } => {
                (Tone::Fine, format!("could not: {why}"), log.clone())
            }
            StepState::Undone { why } => {
                (Tone::Warn, format!("the host undid the switch by itself: {why}"), Vec::new())
            }
            StepState::Lost { why } => {
                (Tone::Warn, format!("nobody knows how it ended: {why}"), Vec::new())
            }
            StepState::Ended { doing } => {
                (Tone::Fine, format!("ended by a higher fence while {doing}"), Vec::new())
            }
            StepState::Sealed => (Tone::Fine, "sealed: it never will begin".to_owned(), Vec::new()),
            StepState::NeverSeen => (Tone::Fine, "never heard of it".to_owned(), Vec::new()),
        },
        StepAnswer::Refused { .. } => (Tone::Warn, "refused".to_owned(), Vec::new()),
        StepAnswer::Unknown { why } => {
            (Tone::Warn, format!("not known what came of it ({why}); observing"), Vec::new())
        }
        StepAnswer::NotSent { why } => (Tone::Warn, format!("not reached: {why}"), Vec::new()),
    }
}

fn done(word: RolloutWord) -> &'static str {
    match word {
        RolloutWord::Push => "runs it, healthy, in rotation, confirmed",
        RolloutWord::Rollback => "is back",
        RolloutWord::Sweep => "runs what it should",
        RolloutWord::Lock
        | RolloutWord::Unlock
        | RolloutWord::Quarantine
        | RolloutWord::Lift
        | RolloutWord::Keeper
        | RolloutWord::Once
        | RolloutWord::Upgrade
        | RolloutWord::Look
        | RolloutWord::Remove
        | RolloutWord::Rename
        | RolloutWord::Forget => "is as it should be",
    }
}

fn requested(chronicle: &Chronicle, person: &str, request: &Requested) -> String {
    match request {
        Requested::Abort { reason } => format!("{person} asks to abort: {reason}"),
        Requested::Hold { reason } => {
            format!("{person} wants it held once no host is in flight: {reason}")
        }
        Requested::Rollback { to: BackTo::LastStable, reason, .. } => {
            format!("{person} asks for a rollback: {reason}")
        }
        Requested::Rollback { to: BackTo::Release { release }, reason, .. } => {
            let to = chronicle.release_says(release);
            format!("{person} asks for a rollback to {to}: {reason}")
        }
    }
}

fn ended(chronicle: &Chronicle, at: Timestamp, id: &RolloutId, end: &End) -> Line {
    let view = chronicle.rollout(id);
    let word = view.map_or(RolloutWord::Look, |view| view.word);
    let took = duration(view.map_or(0, |view| view.lasted_ms(at)));
    let line = |tone: Tone, text: String| Line {
        at,
        rollout: Some(id.clone()),
        host: None,
        tone,
        text,
        below: Vec::new(),
    };
    if word == RolloutWord::Look {
        return line(Tone::Fine, "looked".to_owned());
    }
    let noun = word.noun();
    match end {
        End::Stable => {
            let release =
                chronicle.target_says(view.and_then(|view: &RolloutView| view.release.as_ref()));
            line(Tone::Good, format!("{release} is stable on every host, after {took}"))
        }
        End::Apart { hosts } => line(Tone::Good, left_apart(chronicle, view, hosts, &took)),
        End::TakenBack { .. } => {
            line(Tone::Warn, format!("the push failed and was taken back, after {took}"))
        }
        End::NotSwitched { .. } if word == RolloutWord::Upgrade => {
            line(Tone::Bad, "friday-host was not replaced on every host".to_owned())
                .below(view.map(programs).unwrap_or_default())
        }
        End::NotSwitched { reasons } => {
            line(Tone::Bad, format!("the {noun} failed before any host was switched"))
                .below(sentences(reasons))
        }
        End::Converged => {
            line(Tone::Good, format!("the {noun} is done: every host was observed, after {took}"))
        }
        End::Owed { hosts } => {
            let hosts = names(hosts.iter().map(HostName::as_str), 8);
            line(Tone::Warn, format!("the {noun} is done where it could be; still owed to {hosts}"))
        }
        End::Refused { reasons } => {
            line(Tone::Bad, format!("the {noun} was refused; nothing was changed"))
                .below(sentences(reasons))
        }
        End::Unreachable { reasons } => {
            line(Tone::Bad, format!("the {noun} could not reach every host; nothing was changed"))
                .below(sentences(reasons))
        }
        End::Fenced { by } => {
            line(Tone::Bad, format!("the {noun} ended: a {} by another driver took over", by.kind))
        }
        End::TakenOver { by } => line(Tone::Warn, format!("the {noun} goes on as {by}")),
        End::Dropped => line(
            Tone::Warn,
            format!("the {noun} was dropped: its friday ended before it had changed anything"),
        ),
        End::Done => line(Tone::Good, format!("{}, after {took}", acted(word))),
    }
}

/// A push to some hosts only: where it runs, and what the stable release is still.
fn left_apart(
    chronicle: &Chronicle,
    view: Option<&RolloutView>,
    hosts: &[HostName],
    took: &str,
) -> String {
    let pushed = view.and_then(|view| view.release);
    let stable = match &chronicle.stable {
        stable if *stable == pushed => String::new(),
        Some(stable) => {
            format!("; the stable release is still {}", chronicle.release_says(stable))
        }
        None => "; no release is stable".to_owned(),
    };
    let release = chronicle.target_says(pushed.as_ref());
    let on = names(hosts.iter().map(HostName::as_str), 8);
    format!("{release} runs on {on}, after {took}{stable}")
}

/// Always a fine point: the end that follows tells a refusal, with all the others.
fn judged(result: GateResult) -> &'static str {
    match result {
        GateResult::Pass => "passed",
        GateResult::Inconclusive => "inconclusive",
        GateResult::Fail => "failed",
    }
}

/// What a lesser act came to.
fn acted(word: RolloutWord) -> &'static str {
    match word {
        RolloutWord::Lock => "locked on every host",
        RolloutWord::Unlock => "unlocked on every host",
        RolloutWord::Quarantine => "every host refuses it",
        RolloutWord::Lift => "hosts take it again",
        RolloutWord::Keeper => "every host knows the keeper",
        RolloutWord::Once => "the process runs on its new host, and nowhere else",
        RolloutWord::Upgrade => "every host runs this friday's friday-host",
        RolloutWord::Remove => "nothing of friday's runs there any more",
        RolloutWord::Rename => "it knows its new name",
        RolloutWord::Forget => "forgotten",
        RolloutWord::Push | RolloutWord::Rollback | RolloutWord::Sweep | RolloutWord::Look => {
            "done"
        }
    }
}
