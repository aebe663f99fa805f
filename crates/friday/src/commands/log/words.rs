//! The words of persons who pushed although a gate refused: whether each was signed as it stands there, and by whom.

use friday_core::audit::Finding;
use friday_core::journal::Event;
use friday_core::journal::intent::Intent;
use friday_core::rollout::plan::{Plan, SignedWord};
use friday_edge::signature::{self, ProveError};
use friday_wire::RolloutId;
use serde::Serialize;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::journal::Journal;
use crate::preparation::Preparation;
use crate::release;

/// A person's word, as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Word {
    rollout: RolloutId,
    /// The record that has it.
    seq: u64,
    /// The key's fingerprint.
    key: String,
    /// Whose key that is, by the configuration's file of allowed signers as it is now.
    signer: Option<String>,
    /// What is wrong with it.
    wrong: Option<String>,
}

impl Word {
    /// A promise broken, where it is.
    pub fn finding(&self) -> Option<Finding> {
        let wrong = self.wrong.as_ref()?;
        let says = format!("the override of {} does not hold: {wrong}", self.rollout);
        Some(Finding { promise: 1, seq: self.seq, says })
    }

    /// One sentence.
    pub fn says(&self) -> String {
        let Self { rollout, key, .. } = self;
        match (&self.wrong, &self.signer) {
            (Some(wrong), _) => format!("of {rollout} does not hold: {wrong}."),
            (None, Some(signer)) => {
                format!("of {rollout} was signed by {signer}, with the key {key}.")
            }
            (None, None) => format!(
                "of {rollout} was signed with the key {key}, which no file of signers lists."
            ),
        }
    }
}

/// Every override of a journal.
///
/// # Errors
/// When ssh-keygen cannot be asked.
pub fn check(context: &Context, journal: &Journal) -> Result<Vec<Word>, CommandError> {
    let mut words = Vec::new();
    for record in &journal.records {
        let Ok(Event::RolloutBegun { rollout, intent, .. }) = record.event() else { continue };
        let Intent::Push { plan } = *intent else { continue };
        let Some(word) = &plan.override_signature else { continue };
        let (signer, wrong) = look(context, &plan, word)?;
        words.push(Word { rollout, seq: record.seq, key: word.key.clone(), signer, wrong });
    }
    Ok(words)
}

fn look(
    context: &Context,
    plan: &Plan,
    word: &SignedWord,
) -> Result<(Option<String>, Option<String>), CommandError> {
    let release = format!("release {}", plan.release);
    if !word.text.lines().any(|line| line == release) {
        return Ok((None, Some("it was given for another release".to_owned())));
    }
    context.state.make().map_err(|error| CommandError::from_error(Exit::Internal, &error))?;
    let checking = signature::holds(word, context.state.path());
    match Preparation::begin()?.run("the overrides were checked", checking)? {
        Ok(()) => Ok((release::prove_word(context, word).ok().flatten(), None)),
        Err(error @ (ProveError::Wrong(_) | ProveError::Unlisted { .. })) => {
            Ok((None, Some(error.to_string())))
        }
        Err(error) => Err(CommandError::from_error(Exit::Internal, &error)),
    }
}
