//! Intervals: from a moment up to another, which is no part of it.

use jiff::Timestamp;

/// One interval; never empty, never backwards, where [`Interval::new`] made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval {
    /// The first moment.
    pub start: Timestamp,
    /// The first moment after it.
    pub end: Timestamp,
}

impl Interval {
    /// `None`: it would be empty, or end before it starts.
    pub fn new(start: Timestamp, end: Timestamp) -> Option<Self> {
        (start < end).then_some(Self { start, end })
    }

    /// Whether a moment is in it.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }

    /// What both have in common.
    pub fn common(&self, other: &Self) -> Option<Self> {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }
}

/// Intervals in order, none touching another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Intervals(Vec<Interval>);

impl Intervals {
    /// Of any intervals.
    pub fn of(intervals: impl IntoIterator<Item = Interval>) -> Self {
        let mut sorted: Vec<Interval> = intervals.into_iter().collect();
        sorted.sort();
        let mut merged: Vec<Interval> = Vec::with_capacity(sorted.len());
        for next in sorted {
            match merged.last_mut() {
                Some(last) if next.start <= last.end => last.end = last.end.max(next.end),
                _ => merged.push(next),
            }
        }
        Self(merged)
    }

    /// They.
    pub fn iter(&self) -> std::slice::Iter<'_, Interval> {
        self.0.iter()
    }

    /// Whether a moment is in one of them.
    pub fn holds(&self, at: Timestamp) -> bool {
        let behind = self.0.partition_point(|interval| interval.end <= at);
        self.0.get(behind).is_some_and(|interval| interval.holds(at))
    }

    /// What is in one of either.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        Self::of(self.iter().chain(other.iter()).copied())
    }

    /// What is in both.
    #[must_use]
    pub fn common(&self, other: &Self) -> Self {
        let (mut mine, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut found = Vec::new();
        while let (Some(one), Some(two)) = (mine.peek(), theirs.peek()) {
            found.extend(one.common(two));
            if one.end <= two.end {
                mine.next()
            } else {
                theirs.next()
            };
        }
        Self(found)
    }

    /// What is in these and not in the others.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let mut found = Vec::new();
        for one in &self.0 {
            let mut from = one.start;
            for hole in other.0.iter().filter(|hole| hole.common(one).is_some()) {
                found.extend(Interval::new(from, hole.start));
                from = from.max(hole.end);
            }
            found.extend(Interval::new(from, one.end));
        }
        Self(found)
    }
}
