//! Places in PostgreSQL's write-ahead log, and the names of the files that hold them.
//!
//! Arithmetic alone: it reads no file and asks no server.

use std::fmt;
use std::str::FromStr;

/// A place in the write-ahead log, in bytes since the cluster began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

/// It is not written as PostgreSQL writes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no place in a write-ahead log")]
pub struct NoLsn(String);

impl FromStr for Lsn {
    type Err = NoLsn;

    fn from_str(text: &str) -> Result<Self, NoLsn> {
        let refused = || NoLsn(text.chars().take(40).collect());
        let (high, low) = text.split_once('/').ok_or_else(refused)?;
        let number = |part: &str| {
            let hex = (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_hexdigit());
            hex.then(|| u64::from_str_radix(part, 16).ok()).flatten().ok_or_else(refused)
        };
        Ok(Self(number(high)? << 32 | number(low)?))
    }
}

/// How large a segment is: a power of two between 1 MiB and 1 GiB, as the cluster was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentSize(u64);

impl SegmentSize {
    /// From bytes; `None`: no cluster has such segments.
    pub fn new(bytes: u64) -> Option<Self> {
        let allowed = bytes.is_power_of_two() && ((1 << 20)..=(1 << 30)).contains(&bytes);
        allowed.then_some(Self(bytes))
    }

    /// In bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }

    fn in_four_gigabytes(self) -> u64 {
        (1 << 32) / self.0
    }
}

/// One file of the write-ahead log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment {
    /// Its timeline.
    pub timeline: u32,
    /// Which, counted from the cluster's beginning.
    pub number: u64,
}

impl Segment {
    /// The one that a place lies in.
    pub fn holding(timeline: u32, place: Lsn, size: SegmentSize) -> Self {
        Self { timeline, number: place.0 / size.0 }
    }

    /// The one that what ends at this place lies in: a place on a border belongs to the one before.
    pub fn ending(timeline: u32, end: Lsn, size: SegmentSize) -> Self {
        Self { timeline, number: end.0.saturating_sub(1) / size.0 }
    }

    /// The next on its timeline.
    pub fn next(self) -> Self {
        Self { number: self.number + 1, ..self }
    }

    /// The file's name.
    pub fn name(self, size: SegmentSize) -> String {
        let four = size.in_four_gigabytes();
        format!("{:08X}{:08X}{:08X}", self.timeline, self.number / four, self.number % four)
    }

    /// From a file's name; `None`: it is not a whole segment's.
    pub fn parse(name: &str, size: SegmentSize) -> Option<Self> {
        if name.len() != 24 || !name.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let part = |range: std::ops::Range<usize>| u32::from_str_radix(name.get(range)?, 16).ok();
        let (timeline, high, low) =
            (part(0..8)?, u64::from(part(8..16)?), u64::from(part(16..24)?));
        let four = size.in_four_gigabytes();
        (low < four).then_some(Self { timeline, number: high * four + low })
    }

    /// Where it begins.
    pub fn start(self, size: SegmentSize) -> Lsn {
        Lsn(self.number * size.0)
    }
}

/// Whether a name is that of a file which tells where a timeline branched off.
pub fn is_history(name: &str) -> bool {
    name.strip_suffix(".history")
        .is_some_and(|stem| stem.len() == 8 && stem.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::{Lsn, Segment, SegmentSize, is_history};

    fn sixteen() -> SegmentSize {
        SegmentSize::new(16 << 20).expect("sixteen megabytes are allowed")
    }

    #[test]
    fn places_are_read_as_they_are_printed() {
        for text in ["0/16B3740", "1A/0", "FFFFFFFF/FFFFFFFF"] {
            assert_eq!(text.parse::<Lsn>().expect("a place").to_string(), text);
        }
        for text in ["", "0", "/", "0/", "0/123456789", "+1/0", "g/0", "0/ 1"] {
            assert!(text.parse::<Lsn>().is_err(), "{text}");
        }
    }

    #[test]
    fn segments_have_the_names_that_postgresql_gives_them() {
        let size = sixteen();
        let place = "0/7000090".parse().expect("a place");
        let segment = Segment::holding(1, place, size);
        assert_eq!(segment.name(size), "000000010000000000000007");
        assert_eq!(Segment::parse("000000010000000000000007", size), Some(segment));
        let last = Segment { timeline: 2, number: 255 };
        assert_eq!(last.name(size), "0000000200000000000000FF");
        assert_eq!(last.next().name(size), "000000020000000100000000");
        assert_eq!(Segment::parse("000000020000000000000100", size), None);
        assert_eq!(Segment::parse("000000010000000000000007.partial", size), None);
    }

    #[test]
    fn an_end_on_a_border_belongs_to_the_segment_before() {
        let size = sixteen();
        assert_eq!(Segment::ending(1, Lsn(32 << 20), size).number, 1);
        assert_eq!(Segment::ending(1, Lsn((32 << 20) + 1), size).number, 2);
    }

    #[test]
    fn sizes_that_no_cluster_has_are_refused() {
        assert!(SegmentSize::new(0).is_none() && SegmentSize::new(3 << 20).is_none());
        assert!(SegmentSize::new(2 << 30).is_none() && SegmentSize::new(1 << 30).is_some());
    }

    #[test]
    fn histories_are_known_by_their_names() {
        assert!(is_history("00000002.history") && !is_history("2.history"));
        assert!(!is_history("../00000002.history"));
    }
}
