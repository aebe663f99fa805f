//! Another process drives: it is asked through the journal, and its work is watched from here.

use std::time::{Duration, Instant};

use friday_core::controller::input::Command;
use friday_core::journal::Event;
use friday_core::journal::event::Requested;
use friday_core::view::Chronicle;
use friday_edge::driver_lock::driver_here;
use friday_edge::identity;
use friday_wire::RolloutId;

use super::bystander::Bystander;
use super::outcome;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::ui::Ui;

/// A driver that has not taken a request up by then is not going to.
const TAKEN_UP_WITHIN: Duration = Duration::from_secs(5);

/// Between looks at the journal.
const POLL: Duration = Duration::from_millis(100);

/// Asks the driver and watches it. `None`: a rollback that it did not take up.
///
/// # Errors
/// When the request cannot be written, an abort is not taken up, or it does not end well.
pub fn ask(
    ui: &Ui,
    context: &Context,
    id: &RolloutId,
    command: &Command,
) -> Result<Option<Exit>, CommandError> {
    let request = match command {
        Command::Abort { reason, .. } => Requested::Abort { reason: reason.clone() },
        Command::Rollback { to, now, reason, .. } => {
            Requested::Rollback { to: *to, now: *now, reason: reason.clone() }
        }
        _ => return Err(CommandError::bug("only an abort or a rollback can be asked for")),
    };
    let is_rollback = matches!(request, Requested::Rollback { .. });
    let mut watched = match Bystander::open(context) {
        Ok(watched) => watched,
        Err(_) if is_rollback => return Ok(None),
        Err(error) => return Err(error),
    };
    let push = watched.open_push();
    if push.is_none() && !is_rollback {
        return Err(CommandError::new(Exit::Refused, "there is no push to abort")
            .hint("`friday status` shows what is there"));
    }
    let event = Event::Requested { rollout: id.clone(), person: identity::person(), request };
    match watched.append(&event) {
        Ok(()) => {}
        Err(_) if is_rollback => return Ok(None),
        Err(error) => return Err(error),
    }
    let follow = push.unwrap_or_else(|| id.clone());
    let asked = Instant::now();
    loop {
        watched.read(Some(ui))?;
        // An abort may end a push without a rollback; then only the request is gone. A request for a
        // rollback can be overtaken by the beginning of a push, and is then nobody's.
        let gone_from_list =
            watched.chronicle.requests.iter().all(|request| request.rollout != *id);
        let taken_up = watched.chronicle.rollout(id).is_some() || (gone_from_list && !is_rollback);
        if let Some(exit) = outcome::over(&watched.chronicle, &follow) {
            return finish(&watched.chronicle, &follow, exit).map(Some);
        }
        let in_time = asked.elapsed() < TAKEN_UP_WITHIN;
        let gone = driver_here(&context.state).is_none();
        if !taken_up && (!in_time || gone) {
            return if is_rollback { Ok(None) } else { Err(not_taken_up()) };
        }
        if taken_up && gone {
            return Err(driver_gone());
        }
        std::thread::sleep(POLL);
    }
}

/// Who asked for the way back got what was asked for.
fn finish(chronicle: &Chronicle, follow: &RolloutId, exit: Exit) -> Result<Exit, CommandError> {
    let exit = if exit == Exit::TakenBack { Exit::Done } else { exit };
    match outcome::complaint(chronicle, follow, exit) {
        None => Ok(exit),
        Some(error) => Err(error),
    }
}

fn not_taken_up() -> CommandError {
    CommandError::new(Exit::Person, "whoever drives the push did not take the abort up")
        .hint("`friday rollback` needs nobody")
        .hint("`friday status` shows who drives")
}

fn driver_gone() -> CommandError {
    CommandError::new(Exit::Person, "the friday that drove it ended before it was done")
        .hint("`friday resume --back` goes on, `friday rollback` too")
}
