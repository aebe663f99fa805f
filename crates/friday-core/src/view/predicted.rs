//! What was expected of a push when it was asked for, to be held against what came of it.

use crate::journal::finding::GateResult;
use crate::rollout::plan::Hour;

/// What a push was expected to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predicted {
    /// The chance that it does harm, millionths.
    pub harmful_ppm: u32,
    /// Seconds that its harm waits for a person, by expectation.
    pub unattended_s: Option<u64>,
    /// Whether a person vouched for a gate that refused.
    pub vouched: bool,
}

impl Predicted {
    /// As a push carries it; `None`: it carries no chance.
    pub fn of(hour: &Hour) -> Option<Self> {
        Some(Self {
            harmful_ppm: hour.harmful_ppm?,
            unattended_s: hour.unattended_s,
            vouched: hour
                .gates
                .iter()
                .any(|said| said.result != GateResult::Pass && said.vouched.is_some()),
        })
    }
}
