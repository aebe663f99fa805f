//! `friday why`: the reasons of a rollout that was refused, is held or failed.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use friday_core::journal::event::End;
use friday_core::reason::Reason;
use friday_core::view::{Chronicle, RolloutHost, RolloutView, RolloutWord, Standing};
use friday_edge::driver_lock::driver_here;
use serde::Serialize;

use crate::cli::Global;
use crate::complete;
use crate::context::Context;
use crate::driver::taken_back_by;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::journal::Journal;
use crate::ui::{Ink, Text, Ui, now};

/// Which rollout.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  friday why\n  friday why ROLLOUT\n  friday why --json | jq -r '.reasons[].says'"
)]
pub struct WhyArgs {
    /// The rollout's id, or its last digits; without it, the last one.
    #[arg(add = ArgValueCompleter::new(complete::rollouts))]
    pub rollout: Option<String>,
}

#[derive(Serialize)]
struct WhyView<'a> {
    rollout: &'a RolloutView,
    taken_back_by: Option<&'a RolloutView>,
    reasons: Vec<Said<'a>>,
}

#[derive(Serialize)]
struct Said<'a> {
    says: String,
    hint: &'static str,
    reason: &'a Reason,
}

/// Runs it.
///
/// # Errors
/// When there is no such rollout, or the journal cannot be read.
pub fn run(ui: &Ui, global: &Global, args: &WhyArgs) -> Result<Exit, CommandError> {
    let context = Context::load(global)?;
    let journal = Journal::read(&context)?;
    let chronicle = &journal.chronicle;
    let id = journal.rollout(args.rollout.as_deref())?;
    let Some(rollout) = chronicle.rollout(&id) else {
        return Err(CommandError::bug("a rollout that was just found is gone"));
    };
    // A rollback that nobody asked for by name is explained by the push it takes back.
    let rollout = match (&args.rollout, &rollout.because_of) {
        (None, Some(push)) => chronicle.rollout(push).unwrap_or(rollout),
        _ => rollout,
    };
    let back = taken_back_by(chronicle, &rollout.rollout);
    if ui.is_json() {
        let reasons = rollout.reasons().iter();
        let reasons =
            reasons.map(|reason| Said { says: reason.to_string(), hint: reason.hint(), reason });
        ui.json(&WhyView { rollout, taken_back_by: back, reasons: reasons.collect() });
    } else {
        explain(ui, &Explained { chronicle, rollout, back, driven: driver_here(&context.state) });
    }
    Ok(Exit::Done)
}

/// A rollout, and what belongs to it.
struct Explained<'a> {
    chronicle: &'a Chronicle,
    rollout: &'a RolloutView,
    /// The rollback that takes it back.
    back: Option<&'a RolloutView>,
    /// Who drives here now.
    driven: Option<String>,
}

impl Explained<'_> {
    /// As [`ending`]; a push that goes back is under way only as long as somebody takes it back.
    fn ending(&self) -> String {
        let is_held = self.back.is_some_and(|back| back.at == Standing::Held);
        match &self.driven {
            _ if !self.rollout.is_running() => ending(self.rollout),
            _ if is_held => "goes back, and its rollback is held".to_owned(),
            None => "was interrupted".to_owned(),
            Some(_) => ending(self.rollout),
        }
    }
}

fn explain(ui: &Ui, explained: &Explained<'_>) {
    let Explained { chronicle, rollout, back, .. } = explained;
    let release = rollout.release.as_ref().map(|release| chronicle.release_says(release));
    let of = release.map_or_else(String::new, |release| format!(" of {release}"));
    ui.data(
        Text::new()
            .ink(Ink::Strong, &format!("The {}{of} {}", rollout.word.noun(), explained.ending()))
            .ink(Ink::Faint, &format!("  {}, {}", rollout.rollout, ui.clock().long(rollout.began))),
    );
    reasons(ui, rollout.reasons());
    for host in rollout.troubled() {
        troubled(ui, host);
    }
    if let Some(back) = back {
        let why = back.reason.as_deref().unwrap_or("no reason was given");
        let by = if back.automatic { "friday rolled it back" } else { "it was rolled back" };
        ui.data(format!("  {by}: {why} ({} {})", back.rollout, ending(back)));
        reasons(ui, back.reasons());
        for host in back.troubled() {
            troubled(ui, host);
        }
    }
    let since = ui.clock().ago(rollout.began, now());
    match &explained.driven {
        _ if !rollout.is_running() => {}
        Some(_) => ui.data(format!("  it began {since} and goes on; `friday status` shows it")),
        None => {
            ui.data(format!("  it began {since}, and nobody drives it any more"));
            let hint = "`friday resume --back` takes it off; `friday status` shows what is where";
            ui.data(Text::new().plain("    ").ink(Ink::Hint, "Hint:").plain(" ").plain(hint));
        }
    }
}

fn reasons(ui: &Ui, reasons: &[Reason]) {
    for reason in reasons {
        ui.data(format!("  {reason}"));
        ui.data(Text::new().plain("    ").ink(Ink::Hint, "Hint:").plain(" ").plain(reason.hint()));
    }
}

fn troubled(ui: &Ui, host: &RolloutHost) {
    let why = host.stage.why().unwrap_or_default();
    ui.data(
        Text::new()
            .plain("  ")
            .ink(Ink::Name, host.host.as_str())
            .plain(&format!(" {}: {why}", host.stage.says())),
    );
    for line in &host.log {
        ui.data(Text::new().plain("    ").ink(Ink::Faint, "|").plain(" ").plain(line));
    }
}

/// How a rollout ended, after "the push …".
pub fn ending(rollout: &RolloutView) -> String {
    match &rollout.end {
        None if rollout.is_running() => "is under way".to_owned(),
        None => "is held".to_owned(),
        Some(End::Stable) => "became stable".to_owned(),
        Some(End::Apart { .. }) => "runs on the hosts it was meant for".to_owned(),
        Some(End::TakenBack { .. }) => "failed and was taken back".to_owned(),
        Some(End::NotSwitched { .. }) if rollout.word == RolloutWord::Upgrade => {
            "did not get to every host".to_owned()
        }
        Some(End::NotSwitched { .. }) => "failed before any host was switched".to_owned(),
        Some(End::Converged) => "converged".to_owned(),
        Some(End::Owed { .. }) => "is done where it could be".to_owned(),
        Some(End::Refused { .. }) => "was refused".to_owned(),
        Some(End::Unreachable { .. }) => "could not reach every host".to_owned(),
        Some(End::Fenced { .. }) => "was taken over by another driver".to_owned(),
        Some(End::TakenOver { .. }) => "was replaced by another rollback".to_owned(),
        Some(End::Dropped) => "was dropped when its friday ended".to_owned(),
        Some(End::Done) => "is done".to_owned(),
    }
}
