//! How many entries of what is as long as the fleet were looked at by going through it, on this thread:
//! the work that grows with the fleet. Counted where debug assertions are on, for tests that hold it down;
//! nothing in friday asks.

#[cfg(debug_assertions)]
mod count {
    use std::cell::Cell;

    thread_local! {
        static WALKED: Cell<u64> = const { Cell::new(0) };
    }

    pub(super) fn add() {
        WALKED.set(WALKED.get() + 1);
    }

    pub(super) fn get() -> u64 {
        WALKED.get()
    }
}

/// One more.
#[inline]
pub(super) fn one() {
    #[cfg(debug_assertions)]
    count::add();
}

/// Counts what is gone through of something that is as long as the fleet and no shared map.
pub(crate) fn count<I: Iterator>(entries: I) -> impl Iterator<Item = I::Item> {
    entries.inspect(|_| one())
}

/// How many so far; always 0 without debug assertions.
pub fn so_far() -> u64 {
    #[cfg(debug_assertions)]
    return count::get();
    #[cfg(not(debug_assertions))]
    0
}
