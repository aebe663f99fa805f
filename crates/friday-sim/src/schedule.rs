//! What is going to happen, in the order of virtual time. Two things of the same millisecond happen
//! in the order in which they were scheduled: a run depends on nothing but its seed.

use std::collections::BTreeMap;

/// The queue of one run.
#[derive(Debug)]
pub(crate) struct Schedule<T> {
    queue: BTreeMap<(u64, u64), T>,
    next: u64,
}

impl<T> Schedule<T> {
    pub(crate) fn new() -> Self {
        Self { queue: BTreeMap::new(), next: 0 }
    }

    /// Puts something at a time in milliseconds.
    pub(crate) fn put(&mut self, at: u64, what: T) {
        self.next += 1;
        self.queue.insert((at, self.next), what);
    }

    /// The next thing and its time.
    pub(crate) fn pop(&mut self) -> Option<(u64, T)> {
        self.queue.pop_first().map(|((at, _), what)| (at, what))
    }

    /// When the next thing happens.
    pub(crate) fn next_at(&self) -> Option<u64> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }
}
