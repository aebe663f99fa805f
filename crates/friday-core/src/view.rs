//! What people and scripts are shown: plain structs, folded from the journal's events and from what
//! hosts answer. The terminal, `--json` and later the pages draw these and nothing else, so that they
//! cannot disagree. Nothing here decides: deciding reads the controller's state, never a view.
//!
//! In reading order: [`words`], [`rollout`], [`chronicle`] (all rollouts of a journal), [`story`]
//! (one event as lines), [`host`], [`job`], [`database`], [`rehearsal`]; beside them [`difference`] (what a release changes) and [`pace`] (how
//! long a push is likely to take).

pub mod chronicle;
pub mod database;
pub mod difference;
pub mod host;
pub mod job;
pub mod pace;
pub mod predicted;
pub mod programs;
pub mod rehearsal;
pub mod rollout;
pub mod sentences;
pub mod story;
pub mod words;

pub use chronicle::Chronicle;
pub use database::DatabaseView;
pub use difference::{Change, Difference};
pub use host::HostView;
pub use job::JobView;
pub use pace::{Estimate, Likely, Paces};
pub use predicted::Predicted;
pub use programs::programs;
pub use rehearsal::RehearsalView;
pub use rollout::{HostStage, RolloutHost, RolloutView, RolloutWord, Standing};
pub use sentences::sentences;
pub use story::{Line, Tone};
