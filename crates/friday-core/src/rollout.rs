//! A rollout: its plan, its phases, what it decides and what it owes.
//!
//! In reading order: [`plan`] (every choice, made before), [`run`] (where it is), [`decide`] (what
//! comes next), `apply` (what an event makes of it), [`owed`] (what it wants of the world).

pub(crate) mod apply;
pub mod budget;
pub mod decide;
pub mod drawing;
pub mod owed;
pub mod plan;
pub mod run;
pub mod wave;
