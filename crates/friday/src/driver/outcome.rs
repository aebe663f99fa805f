//! What a rollout came to, as an exit status, a last word and a result for scripts.

use friday_core::journal::Event;
use friday_core::journal::event::End;
use friday_core::reason::{MEND_THE_HOST, Reason};
use friday_core::view::{Chronicle, RolloutView, RolloutWord, Standing, programs};
use friday_wire::RolloutId;
use serde::Serialize;

use crate::error::CommandError;
use crate::exit::Exit;

/// The last JSON object of a command that drove a rollout.
#[derive(Debug, Serialize)]
pub struct ResultView<'a> {
    /// The exit status, by name.
    pub kind: Exit,
    /// Its number.
    pub exit: u8,
    /// The rollout that was asked for.
    pub rollout: &'a RolloutView,
    /// The rollback that took it back.
    pub taken_back_by: Option<&'a RolloutView>,
    /// Its records are not in the journal's file.
    pub unjournalled: bool,
}

/// The rollback that takes a push back, the newest. A sweep that a push makes first takes nothing back.
pub fn taken_back_by<'a>(chronicle: &'a Chronicle, push: &RolloutId) -> Option<&'a RolloutView> {
    // It began after the push: whatever is older need not be asked.
    let mut later = chronicle.rollouts.iter().rev().take_while(|view| view.rollout != *push);
    later.find(|view| view.because_of.as_ref() == Some(push) && view.word == RolloutWord::Rollback)
}

/// Whether the rollout, and what it led to, is over or waits for a person; and the status if so.
pub fn over(chronicle: &Chronicle, rollout: &RolloutId) -> Option<Exit> {
    let view = chronicle.rollout(rollout)?;
    if let Some(back) = taken_back_by(chronicle, rollout) {
        return match (&back.at, &view.at) {
            (Standing::Held, _) => Some(Exit::Person),
            // The push ends only when its rollback has.
            (Standing::Ended, Standing::Ended | Standing::Held) => Some(taken_back(back)),
            _ => None,
        };
    }
    match (&view.at, &view.end) {
        (Standing::Held, _) => Some(Exit::Person),
        (_, Some(end)) => Some(ended(view.word, end)),
        _ => None,
    }
}

fn taken_back(back: &RolloutView) -> Exit {
    match &back.end {
        Some(End::Converged) => Exit::TakenBack,
        _ => Exit::Person,
    }
}

fn ended(word: RolloutWord, end: &End) -> Exit {
    match end {
        End::Stable | End::Apart { .. } | End::Converged | End::Done => Exit::Done,
        // Hosts run two programs, and nothing takes that back.
        End::NotSwitched { .. }
            if matches!(word, RolloutWord::Upgrade | RolloutWord::Remove | RolloutWord::Rename) =>
        {
            Exit::Person
        }
        End::NotSwitched { .. } => Exit::TakenBack,
        // Taken back by a rollback that this journal does not hold.
        End::TakenBack { .. } => Exit::Person,
        End::Owed { .. } | End::Fenced { .. } | End::TakenOver { .. } => Exit::Person,
        // Not a gate's no: it cannot be safe without a person's word.
        End::Refused { reasons } if reasons.contains(&Reason::OneWay) => Exit::Person,
        End::Refused { .. } => Exit::Refused,
        End::Unreachable { .. } => Exit::Unreachable,
        End::Dropped if word == RolloutWord::Push => Exit::TakenBack,
        End::Dropped => Exit::Refused,
    }
}

/// Whether the error at the end says all that this event says, so that one of them is enough.
pub fn is_said_at_the_end(event: &Event) -> bool {
    let Event::RolloutEnded { end, .. } = event else { return false };
    matches!(end, End::Refused { .. } | End::Unreachable { .. } | End::NotSwitched { .. })
}

fn not_replaced(view: &RolloutView, exit: Exit) -> CommandError {
    let mut error = CommandError::new(exit, "friday-host was not replaced on every host");
    for says in programs(view) {
        error = error.because(says);
    }
    error
        .hint("old and new friday-hosts work side by side; applications were not touched")
        .hint("mend what is said of the host that failed, then `friday hosts upgrade` again")
}

/// What is said at the end when it did not go as asked; `None` when it did.
pub fn complaint(chronicle: &Chronicle, rollout: &RolloutId, exit: Exit) -> Option<CommandError> {
    let view = chronicle.rollout(rollout)?;
    if let (RolloutWord::Upgrade, Some(End::NotSwitched { .. })) = (view.word, &view.end) {
        return Some(not_replaced(view, exit));
    }
    let noun = view.word.noun();
    let back = taken_back_by(chronicle, rollout);
    let message = match (exit, &view.end) {
        (Exit::Done, _) => return None,
        (Exit::TakenBack, Some(End::NotSwitched { .. } | End::Dropped)) => {
            format!("the {noun} failed before any host was switched")
        }
        (Exit::TakenBack, _) => format!("the {noun} failed and was taken back"),
        (Exit::Refused, _) => format!("the {noun} was refused; nothing was changed"),
        (Exit::Unreachable, _) => {
            format!("the {noun} could not reach every host; nothing was changed")
        }
        (_, Some(End::Fenced { by })) => {
            format!("the {noun} ended: a {} by another driver took over", by.kind)
        }
        (_, Some(End::TakenOver { by })) => {
            format!("the {noun} ended: the rollback {by} goes on in its place")
        }
        (_, Some(End::Owed { hosts })) => {
            let many = friday_core::view::words::count(hosts.len(), "host");
            format!("the {noun} is done where it could be; {many} still to be put right")
        }
        (_, _) if back.is_some() => {
            format!("the {noun} failed, and not every host could be taken back")
        }
        (_, _) => format!("the {noun} is held: a person is needed"),
    };
    let reasons: Vec<_> =
        view.reasons().iter().chain(back.iter().flat_map(|back| back.reasons())).cloned().collect();
    let mut error = CommandError::for_reasons(exit, message, &reasons);
    if let Some(why) = back.and_then(|back| back.reason.as_deref())
        && !error.causes().iter().any(|cause| cause == why)
    {
        error = error.because(why);
    }
    if back.is_some_and(|back| back.automatic && !back.quarantines) {
        error = error.hint(MEND_THE_HOST);
    }
    let silent = |reason: &Reason| matches!(reason, Reason::Unreachable { .. });
    if view.word == RolloutWord::Keeper && reasons.iter().any(silent) {
        error = error.hint(
            "`friday hosts keeper HOST --proven PERSON` when somebody is sure that the old keeper is gone",
        );
    }
    if let Some(End::Owed { .. }) = view.end.as_ref().or(back.and_then(|back| back.end.as_ref())) {
        error = error.hint("`friday sweep` when they are back; until then they refuse the release");
    }
    Some(match exit {
        Exit::TakenBack | Exit::Person => error.hint("`friday why` shows all of it"),
        _ => error,
    })
}
