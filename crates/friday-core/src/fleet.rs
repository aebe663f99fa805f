//! A fleet: what its hosts together say is true.

pub mod truth;

pub use truth::{OpenFound, Truth};
