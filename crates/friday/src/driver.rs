//! The driver: takes inputs through turns, hands what is owed to the dispatcher, and shows what was
//! journalled, until the command's rollout is over or waits for a person.
//!
//! It decides nothing. What a driver may do without the journal's file, and what another process's
//! request means, PROTOCOL 1 says; here it is only wired: who drives, and over what. The loop is in
//! [`session`].

mod bystander;
mod early;
mod handover;
pub(crate) mod interrupt;
mod interrupted;
mod kept;
mod leaving;
mod meeting;
mod outcome;
mod place;
mod screen;
mod session;

use std::time::Duration;

use friday_core::controller::input::{self, Command, Way};
use friday_edge::driver_lock::{DriverLock, DriverLockError, driver_here};
use friday_edge::identity;
use friday_wire::RolloutId;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::ui::{Ui, now};
pub use bystander::Bystander;
pub use early::Early;
pub use interrupted::{Telling, look_after, settle, tell};
pub use outcome::taken_back_by;
use session::Session;

/// How long the thread sleeps at most before it looks and draws again.
const POLL: Duration = Duration::from_millis(200);

/// What a command drives for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Needs the driver's lock and the journal.
    Act,
    /// As `Act`; where another process drives, it is asked to.
    Abort,
    /// Needs neither lock nor journal; where another process drives, it is asked first.
    Rollback,
}

/// Drives a command to its end.
///
/// # Errors
/// Whatever it came to, if not to what was asked.
pub fn drive(
    ui: &Ui,
    context: &Context,
    purpose: Purpose,
    command: impl FnOnce(RolloutId, input::Driver) -> Command,
) -> Result<Exit, CommandError> {
    drive_over(ui, context, (purpose, None), command)
}

/// As [`drive`], over connections that may have been begun.
///
/// # Errors
/// As [`drive`].
pub fn drive_over(
    ui: &Ui,
    context: &Context,
    (purpose, early): (Purpose, Option<Early>),
    command: impl FnOnce(RolloutId, input::Driver) -> Command,
) -> Result<Exit, CommandError> {
    let id = identity::new_rollout_id(now())
        .map_err(|error| CommandError::from_error(Exit::Internal, &error))?;
    let command = command(id.clone(), context.driver()?);
    if let Err(error) = context.state.make()
        && purpose != Purpose::Rollback
    {
        return Err(CommandError::from_error(Exit::Internal, &error));
    }
    let lock = match DriverLock::acquire(&context.state) {
        Ok(lock) => Some(lock),
        Err(DriverLockError::Held { holder }) if purpose == Purpose::Act => {
            return Err(refused_beside(&holder));
        }
        Err(DriverLockError::Held { holder }) => {
            ui.say(format!("{holder} is driving; asking it."));
            if let Some(exit) = handover::ask(ui, context, &id, &command)? {
                return Ok(exit);
            }
            ui.warn(
                "it was not taken up in time; this rollback goes on alone, under a higher fence",
            );
            return Session::alone(ui, context)?.run(&id, command);
        }
        Err(error @ DriverLockError::File { .. }) if purpose != Purpose::Rollback => {
            return Err(CommandError::from_error(Exit::Internal, &error).hint(error.hint()));
        }
        Err(DriverLockError::File { .. }) => None,
    };
    match Session::begin(ui, context, (purpose, early), lock) {
        Ok(session) => {
            // Nobody drives the push: then its way back is driven from here.
            let command = match command {
                Command::Abort { .. } => Command::Resume {
                    rollout: id.clone(),
                    driver: context.driver()?,
                    way: Way::Back,
                },
                other => other,
            };
            session.run(&id, command)
        }
        Err(error) if purpose == Purpose::Rollback => {
            ui.warn(format!("{}; this rollback goes on without the journal", error.message()));
            Session::alone(ui, context)?.run(&id, command)
        }
        Err(error) => Err(error),
    }
}

/// Refuses early, before anything is built, where another process drives.
///
/// # Errors
/// When it does.
pub fn refuse_beside_another(context: &Context) -> Result<(), CommandError> {
    match driver_here(&context.state) {
        None => Ok(()),
        Some(holder) => Err(refused_beside(&holder)),
    }
}

fn refused_beside(holder: &str) -> CommandError {
    CommandError::new(Exit::Refused, "another friday is driving here; nothing was changed")
        .because(holder)
        .hint("`friday status` shows what it does")
        .hint("`friday abort` and `friday rollback` ask it to go back")
}

fn noun(command: &Command) -> &'static str {
    match command {
        Command::Push { .. } => "push",
        Command::Rollback { .. } => "rollback",
        Command::Sweep { .. } => "sweep",
        Command::Resume { .. } => "resume",
        Command::Abort { .. } => "abort",
        Command::Hold { .. } => "hold",
        Command::SetLock { lock: Some(_), .. } => "lock",
        Command::SetLock { lock: None, .. } => "unlock",
        Command::SetQuarantine { .. } => "quarantine",
        Command::SetKeeper { .. } => "change of keeper",
        Command::SetOnce { .. } => "move of a process",
        Command::Upgrade { .. } => "upgrade of friday-host",
        Command::Look { .. } => "look",
        Command::ChangeMembers { .. } => "change of the fleet's hosts",
    }
}
