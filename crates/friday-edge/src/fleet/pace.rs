//! How much of friday-host's program is under way at once, at first contact.
//!
//! Each piece is acknowledged. Little is sent at first; pieces get larger as long as they are acknowledged
//! soon, so a fast line is filled within a few round trips, and a slow one never holds more than it
//! carries in seconds. It reads no clock and writes nothing.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use tokio::time::Instant;

/// Bytes of the first pieces. What may be under way at 64 kbit/s then takes six seconds.
const PIECE_LEN_MIN: usize = 16 * 1024;

/// Bytes of the largest ones.
const PIECE_LEN_MAX: usize = 512 * 1024;

/// Pieces under way: one that arrives, one behind it, one whose acknowledgement travels.
const UNDER_WAY_MAX: usize = 3;

/// Acknowledged within this, the line carries more. Above any round trip, below what ssh bears.
const SOON: Duration = Duration::from_millis(700);

/// The program on its way, as ranges of its bytes.
#[derive(Debug)]
pub(super) struct Pace {
    bytes: usize,
    /// Where the next piece begins.
    sent: usize,
    taken: usize,
    length: usize,
    under_way: VecDeque<(usize, Instant)>,
}

impl Pace {
    /// Of a program of so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        let under_way = VecDeque::with_capacity(UNDER_WAY_MAX);
        Self { bytes, sent: 0, taken: 0, length: PIECE_LEN_MIN, under_way }
    }

    /// The next piece to send now, if one may.
    pub(super) fn next(&mut self, now: Instant) -> Option<Range<usize>> {
        if self.under_way.len() >= UNDER_WAY_MAX || self.sent == self.bytes {
            return None;
        }
        let piece = self.sent..self.bytes.min(self.sent + self.length);
        self.under_way.push_back((piece.len(), now));
        self.sent = piece.end;
        Some(piece)
    }

    /// The oldest piece under way was taken.
    pub(super) fn got(&mut self, now: Instant) {
        let Some((length, since)) = self.under_way.pop_front() else { return };
        self.taken += length;
        self.length = if now.duration_since(since) < SOON {
            PIECE_LEN_MAX.min(self.length * 2)
        } else {
            PIECE_LEN_MIN.max(self.length / 2)
        };
    }

    /// Bytes that were taken.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    /// Whether all of it was taken.
    pub(super) fn is_over(&self) -> bool {
        self.taken == self.bytes
    }
}

#[cfg(test)]
mod tests;
