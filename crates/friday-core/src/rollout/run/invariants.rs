//! What is known of a guarded database's invariants in a push.

use std::collections::{BTreeMap, BTreeSet};

use friday_wire::data::{InvariantResult, Judged};

use crate::journal::moment::Moment;

/// As the fold knows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InvariantState {
    /// The numbers before the push, by the invariant's name: what a change is measured from. `None`: not judged
    /// before, or not everything held, and nobody vouched.
    pub before: Option<BTreeMap<String, String>>,
    /// Those that were broken before the push, and a person vouched: they do not count in it.
    pub excused: BTreeSet<String>,
    /// What came of it last, since somebody began to wait for it.
    pub last: Option<InvariantsSaid>,
}

/// What came of judging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvariantsSaid {
    /// All of them hold.
    Holds,
    /// At least one does not.
    Broken {
        /// When.
        moment: Moment,
        /// Those that are broken.
        broken: Vec<Judged>,
    },
    /// Nobody could be made to say: there is no verdict, and that counts as broken.
    Unknown {
        /// When.
        moment: Moment,
        /// Why.
        why: String,
    },
}

impl InvariantState {
    /// Whether one is known to hold, or does not count.
    pub fn is_put_up_with(&self, judged: &Judged) -> bool {
        judged.holds() || self.excused.contains(&judged.name)
    }

    /// A verdict has come; `word` is that of a person who vouches for what is broken before the push.
    pub(crate) fn judged(&mut self, moment: Moment, judged: &[Judged], word: Option<&str>) {
        let is_broken = |one: &&Judged| matches!(one.result, InvariantResult::Broken { .. });
        if moment == Moment::Before && word.is_some() {
            self.excused = judged.iter().filter(is_broken).map(|one| one.name.clone()).collect();
        }
        let counts = |one: &&Judged| is_broken(one) && !self.is_put_up_with(one);
        let broken: Vec<Judged> = judged.iter().filter(counts).cloned().collect();
        if !broken.is_empty() {
            self.last = Some(InvariantsSaid::Broken { moment, broken });
            return;
        }
        if moment == Moment::Before {
            self.before = Some(judged.iter().filter_map(number).collect());
        }
        self.last = Some(InvariantsSaid::Holds);
    }

    /// None came.
    pub(crate) fn unknown(&mut self, moment: Moment, why: &str) {
        self.last = Some(InvariantsSaid::Unknown { moment, why: why.to_owned() });
    }
}

fn number(judged: &Judged) -> Option<(String, String)> {
    match &judged.result {
        InvariantResult::Holds { value: Some(value) } => Some((judged.name.clone(), value.clone())),
        InvariantResult::Holds { value: None }
        | InvariantResult::Broken { .. }
        | InvariantResult::Failed { .. } => None,
    }
}
