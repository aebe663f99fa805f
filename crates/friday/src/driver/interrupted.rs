//! Rollouts that the journal holds open and whose driver is gone.
//!
//! Another laptop may have taken them back meanwhile, or gone on with them, and only hosts know. So
//! before anybody decides about such a rollout the hosts are looked at, and what is over is closed.

use friday_core::controller::input::{Command, Input, Way};
use friday_core::controller::turn::Reply;
use friday_core::view::{RolloutView, RolloutWord};
use friday_edge::driver_lock::{DriverLock, driver_here};
use friday_edge::identity;

use super::{Purpose, Session, drive};
use crate::commands::why::ending;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::journal::Journal;
use crate::ui::{Board, Ui, now};

/// Whether what is journalled is also told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// As it happens.
    Aloud,
    /// Whoever looks tells the sum of it.
    Silent,
}

/// Looks at what became of an interrupted rollout, where there is one and nobody drives.
///
/// # Errors
/// When the journal cannot be written, or a person interrupts.
pub fn look_after(ui: &Ui, context: &Context, telling: Telling) -> Result<(), CommandError> {
    if interrupted(context).is_none() {
        return Ok(());
    }
    // Whoever drives knows more. Whoever needs the lock says by itself that it is not free.
    let Ok(lock) = DriverLock::acquire(&context.state) else {
        return Ok(());
    };
    let mut session = Session::begin(ui, context, (Purpose::Act, None), Some(lock))?;
    session.telling = telling;
    if telling == Telling::Silent {
        session.board = Board::off();
    }
    session.look(context)
}

/// As `look_after`; what is still open then is settled first if somebody is there to say how. Without,
/// the command is refused for it later.
///
/// # Errors
/// When it is left as it is, or could not be settled.
pub fn settle(ui: &Ui, context: &Context) -> Result<(), CommandError> {
    look_after(ui, context, Telling::Aloud)?;
    if !ui.asks() || driver_here(&context.state).is_some() {
        return Ok(());
    }
    let Some(open) = interrupted(context) else {
        return Ok(());
    };
    tell(ui, &open);
    let way = match ui.ask("Forward, back, or leave it?", &["forward", "back", "leave"]) {
        Some(0) => Way::Forward,
        Some(1) => Way::Back,
        _ => {
            let (noun, id) = (open.word.noun(), &open.rollout);
            let says = format!("the {noun} {id} is still open; nothing was changed");
            return Err(CommandError::new(Exit::Refused, says)
                .hint("`friday resume --forward` goes on, `friday resume --back` takes it off"));
        }
    };
    let resume = |rollout, driver| Command::Resume { rollout, driver, way };
    drive(ui, context, Purpose::Act, resume).map(drop)
}

/// What is open, and why.
pub fn tell(ui: &Ui, open: &RolloutView) {
    let state = if open.is_running() { "was interrupted".to_owned() } else { ending(open) };
    ui.say(format!("The {} {} {state}.", open.word.noun(), open.rollout));
    for reason in open.reasons() {
        ui.say(format!("  {reason}"));
    }
}

/// The oldest rollout that hosts may hold open. A journal that cannot be read has none: whoever needs
/// it says so.
fn interrupted(context: &Context) -> Option<RolloutView> {
    let journal = Journal::read_whole(context).ok()?;
    let on_hosts =
        |view: &&RolloutView| matches!(view.word, RolloutWord::Push | RolloutWord::Rollback);
    journal.chronicle.open().find(on_hosts).cloned()
}

impl Session<'_> {
    /// Reads every head, and takes in what the journal lacks.
    fn look(mut self, context: &Context) -> Result<(), CommandError> {
        let id = identity::new_rollout_id(now())
            .map_err(|error| CommandError::from_error(Exit::Internal, &error))?;
        let (driver, fleet) = (context.driver()?, Box::new(context.settings.fleet_plan()));
        let look = Command::Look { rollout: id.clone(), driver, fleet };
        if let Reply::Taken = self.take(Input::Command(look))? {
            let _ = self.follow(&id)?;
        }
        self.dispatcher.stop();
        self.board.clear();
        Ok(())
    }
}
