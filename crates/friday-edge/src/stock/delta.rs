//! What two files have in common, found by their recipes.

use std::collections::HashMap;

use friday_wire::{Chunk, Recipe};

/// A stretch of the new file, in order, without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Where it begins in the new file.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// What the base has for it.
    pub from: Origin,
}

/// What a base has for a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The same bytes, beginning here.
    Same {
        /// Offset in the base.
        offset: u64,
    },
    /// Other bytes stand between the same neighbours: these are likely to be alike.
    Near {
        /// Offset in the base.
        offset: u64,
        /// Bytes; may be none.
        length: u64,
    },
}

/// How a file can be made from a base.
pub fn stretches(base: &Recipe, new: &Recipe) -> Vec<Stretch> {
    let same = same_runs(base, new);
    let mut out = Vec::with_capacity(same.len() * 2 + 1);
    let (mut at, mut base_at) = (0, 0);
    for run in &same {
        if run.offset > at {
            out.push(gap(at, run.offset, base_at, run.base));
        }
        let from = Origin::Same { offset: run.base };
        out.push(Stretch { offset: run.offset, length: run.length, from });
        (at, base_at) = (run.offset + run.length, run.base + run.length);
    }
    let size = new.size();
    if size > at {
        out.push(gap(at, size, base_at, base.size()));
    }
    out
}

fn gap(offset: u64, end: u64, base: u64, base_end: u64) -> Stretch {
    // Neighbours in another order than in the base have nothing between them.
    let from = Origin::Near { offset: base, length: base_end.saturating_sub(base) };
    Stretch { offset, length: end - offset, from }
}

struct Run {
    offset: u64,
    base: u64,
    length: u64,
}

fn same_runs(base: &Recipe, new: &Recipe) -> Vec<Run> {
    let mut first: HashMap<Chunk, usize> = HashMap::with_capacity(base.chunks.len());
    let mut offsets = Vec::with_capacity(base.chunks.len());
    let mut at = 0;
    for (place, chunk) in base.chunks.iter().enumerate() {
        first.entry(*chunk).or_insert(place);
        offsets.push(at);
        at += u64::from(chunk.length);
    }
    let mut runs: Vec<Run> = Vec::new();
    // The chunk of the base that would go on with the last run.
    let mut next = None;
    let mut offset = 0;
    for chunk in &new.chunks {
        let length = u64::from(chunk.length);
        let goes_on = next.filter(|place| base.chunks.get(*place) == Some(chunk));
        match (goes_on, runs.last_mut()) {
            (Some(place), Some(run)) => {
                run.length += length;
                next = Some(place + 1);
            }
            _ => {
                next = first.get(chunk).map(|place| {
                    runs.push(Run { offset, base: offsets[*place], length });
                    place + 1
                });
            }
        }
        offset += length;
    }
    runs
}

#[cfg(test)]
mod tests;
