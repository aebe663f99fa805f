//! How many entries of shared maps were looked at by going through them, on this thread: the work that
//! grows with the fleet. Counted where debug assertions are on, for tests that hold it down; nothing in
//! friday asks.

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

/// How many so far; always 0 without debug assertions.
pub fn so_far() -> u64 {
    #[cfg(debug_assertions)]
    return count::get();
    #[cfg(not(debug_assertions))]
    0
}
