//! The terminal below the board, for indicatif: writes to stderr, and never fails.
//!
//! A terminal can be closed while friday pushes. indicatif takes a write that fails for impossible, and
//! would end the process in the middle; what nobody can see any more is not worth that.

use std::io::{self, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::TermLike;
use terminal_size::{Height, Width, terminal_size_of};

/// What a terminal that does not tell its size is taken for: columns and lines.
const SIZE_UNKNOWN: (u16, u16) = (80, 24);

/// Gathers what is drawn, and sends it at once.
#[derive(Debug, Default)]
pub struct Screen {
    drawn: Mutex<Vec<u8>>,
}

impl Screen {
    fn add(&self, text: &str) -> io::Result<()> {
        self.drawn().extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn moved(&self, by: usize, way: char) -> io::Result<()> {
        if by == 0 { Ok(()) } else { self.add(&format!("\x1b[{by}{way}")) }
    }

    fn drawn(&self) -> MutexGuard<'_, Vec<u8>> {
        // Half a line of a thread that panicked is drawn over with the next.
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size() -> (u16, u16) {
    let told = terminal_size_of(io::stderr());
    told.map_or(SIZE_UNKNOWN, |(Width(columns), Height(lines))| (columns, lines))
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        size().0
    }

    fn height(&self) -> u16 {
        size().1
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.moved(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.moved(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.moved(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.moved(n, 'D')
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        self.add(s).and_then(|()| self.add("\n"))
    }

    fn write_str(&self, s: &str) -> io::Result<()> {
        self.add(s)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.add("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        let drawn = std::mem::take(&mut *self.drawn());
        let mut err = io::stderr().lock();
        // See above: a terminal that is gone is no reason to end.
        let _ = err.write_all(&drawn).and_then(|()| err.flush());
        Ok(())
    }
}
