//! The state file: read once at the start, written whole before anything that depends on it.

use std::io;

use friday_node::Durable;
use friday_node::durable::DURABLE_FORMAT;
use serde::Deserialize;

use crate::machine;
use crate::place::{Owner, Place, ReadError, read_json, write_json};

/// Why the state cannot be used. The file is left as it is in every case.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Unreadable or not JSON.
    #[error("the state cannot be used, and friday never guesses at it: {0}")]
    Read(#[from] ReadError),
    /// Written by a newer friday-host.
    #[error(
        "the state was written by a newer friday-host (format {found}, this one knows {DURABLE_FORMAT}); \
         upgrade friday"
    )]
    Newer {
        /// Its format.
        found: u32,
    },
    /// The other file says otherwise.
    #[error("the state belongs to fleet {state}, `host.json` says {owner}")]
    OtherFleet {
        /// In the state.
        state: String,
        /// In `host.json`.
        owner: String,
    },
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

/// What the disk holds, or the state of a new host.
///
/// # Errors
/// See [`StateError`].
pub fn load(place: &Place, owner: &Owner) -> Result<Durable, StateError> {
    let path = place.join("state.json");
    let Some(FormatOnly { format }) = read_json(&path)? else {
        return Ok(Durable::new(owner.fleet.clone(), machine::user_name()));
    };
    if format > DURABLE_FORMAT {
        return Err(StateError::Newer { found: format });
    }
    let Some(durable) = read_json::<Durable>(&path)? else {
        return Ok(Durable::new(owner.fleet.clone(), machine::user_name()));
    };
    if durable.head.fleet != owner.fleet {
        return Err(StateError::OtherFleet {
            state: durable.head.fleet.to_string(),
            owner: owner.fleet.to_string(),
        });
    }
    Ok(durable)
}

/// Writes the state; when this returns it survives a loss of power.
///
/// # Errors
/// The system's; the old state is still there.
pub fn persist(place: &Place, durable: &Durable) -> io::Result<()> {
    write_json(&place.join("state.json"), durable)
}
