//! What becomes of a rollout when somebody wants friday to leave.
//!
//! Ctrl-C on a terminal asks, and the rollout goes on meanwhile; elsewhere friday leaves at once, as
//! after a kill: what is armed undoes itself. A terminal that is closed, and a request to end, hold a
//! push in order: hosts in flight finish, none starts, and the journal says why. A rollback is not held: it
//! goes on without its terminal, and only a request to end makes it leave.

use friday_core::controller::input::{Command, Input};
use friday_core::controller::turn::Reply;
use friday_core::view::RolloutWord;
use friday_edge::identity;
use friday_wire::RolloutId;

use super::interrupt::Sign;
use super::{Session, outcome};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::ui::{Board, Question, Said, Ui, now};

/// What a person can choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    GoOn,
    Hold,
    Back,
    Leave,
}

/// An open question about a rollout.
#[derive(Debug)]
pub(super) struct Asking {
    question: Question,
    choices: &'static [Choice],
}

impl Asking {
    /// Shows the question again, below what was printed meanwhile.
    pub(super) fn show(&self, ui: &Ui) {
        self.question.show(ui);
    }
}

impl Session<'_> {
    /// Does what a sign, or an answer, asks for.
    pub(super) fn heed(&mut self, id: &RolloutId) -> Result<(), CommandError> {
        match self.interrupt.sign() {
            None => {}
            Some(Sign::CtrlC) if self.ui.can_ask() => self.ask(id),
            Some(Sign::CtrlC) => return Err(self.leave()),
            Some(Sign::Terminated) if self.is_push(id) => self.hold("friday was asked to end")?,
            Some(Sign::Terminated) => return Err(self.leave()),
            Some(Sign::HungUp) => {
                self.asking = None;
                if self.is_push(id) {
                    self.hold("the terminal was closed")?;
                }
            }
        }
        let Some(asking) = &mut self.asking else { return Ok(()) };
        let choice = match asking.question.said(self.ui) {
            Said::Nothing => return Ok(()),
            Said::Gone => Choice::GoOn,
            Said::Answer(at) => asking.choices.get(at).copied().unwrap_or(Choice::GoOn),
        };
        self.asking = None;
        self.interrupt.goes_on();
        self.board = self.ui.board();
        match choice {
            Choice::GoOn => Ok(()),
            Choice::Leave => Err(self.leave()),
            // Where it began to go back meanwhile, it is on its way.
            Choice::Hold | Choice::Back if !self.is_push(id) => Ok(()),
            Choice::Hold => self.hold("Ctrl-C"),
            Choice::Back => self.go_back(),
        }
    }

    /// Whether a push is followed that has not begun to go back.
    fn is_push(&self, id: &RolloutId) -> bool {
        let view = self.chronicle.rollout(id);
        view.is_some_and(|view| view.word == RolloutWord::Push)
            && outcome::taken_back_by(&self.chronicle, id).is_none()
    }

    /// The rollout goes on while a person decides.
    fn ask(&mut self, id: &RolloutId) {
        self.board.clear();
        self.board = Board::off();
        self.ui.say("");
        let (question, words, choices): (_, _, &[Choice]) = if self.is_push(id) {
            self.ui.say("It goes on while you decide. `hold` lets hosts in flight finish and starts no other; `back` takes it");
            self.ui.say("off now; a second Ctrl-C leaves at once, and a switch that is not confirmed undoes itself.");
            let choices = &[Choice::GoOn, Choice::Hold, Choice::Back];
            ("Go on, hold it here, or go back?", &["go on", "hold", "back"][..], choices)
        } else {
            let choices = &[Choice::GoOn, Choice::Leave];
            ("Go on, or leave it in the middle?", &["go on", "leave"][..], choices)
        };
        self.asking = Some(Asking { question: self.ui.pose(question, words), choices });
    }

    fn leave(&mut self) -> CommandError {
        self.board.clear();
        left()
    }

    fn hold(&mut self, why: &str) -> Result<(), CommandError> {
        let rollout = self.new_id()?;
        let (person, reason) = (identity::person(), why.to_owned());
        // What has baked, or goes back already, comes to its end by itself.
        let _: Reply = self.take(Input::Command(Command::Hold { rollout, person, reason }))?;
        Ok(())
    }

    fn go_back(&mut self) -> Result<(), CommandError> {
        let rollout = self.new_id()?;
        let (person, reason) = (identity::person(), "Ctrl-C".to_owned());
        if let Reply::Refused(reasons) =
            self.take(Input::Command(Command::Abort { rollout, person, reason }))?
        {
            for reason in reasons {
                self.ui.warn(reason.to_string());
            }
        }
        Ok(())
    }

    fn new_id(&self) -> Result<RolloutId, CommandError> {
        identity::new_rollout_id(now())
            .map_err(|error| CommandError::from_error(Exit::Internal, &error))
    }
}

/// What friday says when it leaves in the middle.
pub(super) fn left() -> CommandError {
    CommandError::new(Exit::Person, "left in the middle, as asked")
        .because("no further wave starts; a switch that is not confirmed undoes itself")
        .because("hosts that are confirmed keep the new release, and it is not stable")
        .hint("`friday resume --forward` goes on, `friday resume --back` takes it off")
}
