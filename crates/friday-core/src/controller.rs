//! The controller: one fleet's driver as a state machine without I/O.
//!
//! Calling order: [`Controller::replay`] once; then for each input [`turn::turn`], which drafts,
//! appends, commits; after it the shell begins what [`Controller::owed`] lists and is not in flight,
//! and ends what is in flight and no longer owed. Wake it at [`Controller::next_wakeup`].

pub mod effect;
pub mod input;
pub mod turn;
