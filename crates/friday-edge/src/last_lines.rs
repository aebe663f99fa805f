//! The last lines that something outside said: a program's output, ssh's complaints. Bounded, and
//! safe to show: control characters become visible instead of being sent to a terminal.

use std::collections::VecDeque;

/// Longer lines are cut.
const LINE_LEN_MAX: usize = 2_000;

/// Collects bytes, keeps the last lines.
#[derive(Debug, Clone)]
pub struct LastLines {
    lines: VecDeque<String>,
    partial: Vec<u8>,
    most: usize,
}

impl LastLines {
    /// Keeps so many.
    pub fn new(most: usize) -> Self {
        Self { lines: VecDeque::new(), partial: Vec::new(), most }
    }

    /// Adds bytes as they came; returns the lines that became whole.
    pub fn add(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut whole = Vec::new();
        for byte in bytes {
            if *byte == b'\n' {
                whole.extend(self.end_line());
            } else if self.partial.len() < LINE_LEN_MAX {
                self.partial.push(*byte);
            }
        }
        whole
    }

    /// What there is, the unfinished line too.
    pub fn to_lines(&self) -> Vec<String> {
        let mut all = self.clone();
        all.end_line();
        all.lines.into()
    }

    /// What there is, in one line.
    pub fn to_one_line(&self) -> String {
        self.to_lines().join("; ")
    }

    fn end_line(&mut self) -> Option<String> {
        let bytes = std::mem::take(&mut self.partial);
        let line = shown(String::from_utf8_lossy(&bytes).trim_end_matches('\r'));
        if line.is_empty() {
            return None;
        }
        if self.lines.len() == self.most {
            self.lines.pop_front();
        }
        self.lines.push_back(line.clone());
        Some(line)
    }
}

/// Text with its control characters made visible; tabs become spaces.
pub fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\t' => out.push(' '),
            _ if character.is_control() => out.extend(character.escape_default()),
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_and_shows_what_a_terminal_would_obey() {
        let mut lines = LastLines::new(2);
        assert_eq!(lines.add(b"one\ntwo\r\nth"), ["one", "two"]);
        lines.add(b"ree\n\x1b[2Jfour");
        assert_eq!(lines.to_lines(), ["three", "\\u{1b}[2Jfour"]);
        assert_eq!(lines.to_one_line(), "three; \\u{1b}[2Jfour");
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let mut lines = LastLines::new(3);
        lines.add(&vec![b'x'; 1_000_000]);
        assert_eq!(lines.to_lines()[0].len(), LINE_LEN_MAX);
    }
}
