//! One turn: draft, append, commit. The same function in the driver and in the simulator, so that
//! the order of operations itself is simulated.

use super::Controller;
use super::draft::Draft;
use super::input::Input;
use crate::journal::{AppendError, ReadError, RecordError, Store};
use crate::reason::Reason;
use crate::time::Timestamp;

/// What a turn came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Reply {
    /// Taken in; what follows is in the journal.
    Taken,
    /// A command that cannot be followed now. Nothing was journalled.
    Refused(Vec<Reason>),
}

/// Why a turn could not be made. The controller is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TurnError {
    /// The records were not appended, or nobody knows. `Moved` and `Unknown`: call [`catch_up`], then
    /// decide again; `Failed`: the rollout stops here.
    #[error("the journal was not appended to")]
    Append(#[source] AppendError),
    /// The tail could not be read.
    #[error("the journal's tail was not read")]
    Read(#[source] ReadError),
    /// The tail is not what friday wrote.
    #[error("the journal's tail is damaged")]
    Record(#[source] RecordError),
    /// A decision that cannot follow from the state: a bug in friday. Nothing was appended.
    #[error("friday decided something that cannot follow: {0}")]
    Bug(String),
}

/// Takes one input through decide, append, apply.
///
/// # Errors
/// See [`TurnError`].
pub fn turn(
    controller: &mut Controller,
    store: &mut impl Store,
    now: Timestamp,
    input: Input,
) -> Result<Reply, TurnError> {
    let mut replies = turn_of(controller, store, now, [input])?;
    Ok(replies.pop().unwrap_or(Reply::Taken))
}

/// Takes several inputs through decide, append, apply: one after the other decided, each on what the
/// ones before it led to, all appended as one. None of them counts if the append fails. A busy driver
/// pays for one sync instead of many.
///
/// # Errors
/// See [`TurnError`].
pub fn turn_of(
    controller: &mut Controller,
    store: &mut impl Store,
    now: Timestamp,
    inputs: impl IntoIterator<Item = Input>,
) -> Result<Vec<Reply>, TurnError> {
    let mut draft = Draft::new(controller, now);
    let replies = inputs.into_iter().map(|input| draft.handle(input)).collect();
    if let Some(why) = draft.broken() {
        return Err(TurnError::Bug(why.to_owned()));
    }
    if !draft.records().is_empty() {
        store.append(controller.position(), draft.records()).map_err(TurnError::Append)?;
    }
    controller.commit(draft);
    Ok(replies)
}

/// Reads what others appended and applies it. Says whether there was anything.
///
/// # Errors
/// `Read` and `Record`.
pub fn catch_up(controller: &mut Controller, store: &mut impl Store) -> Result<bool, TurnError> {
    let records = store.read_after(controller.position().seq).map_err(TurnError::Read)?;
    controller.take_in(&records).map_err(TurnError::Record)?;
    Ok(!records.is_empty())
}
