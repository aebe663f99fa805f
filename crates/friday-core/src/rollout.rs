//! A rollout: its plan, its phases, what it decides and what it owes.

pub mod plan;
pub mod wave;
