//! What lies where in a stored data directory: it is stored in parts of one length, so that single ones can be
//! fetched, and this list tells of each part which pieces of which files are in it, with their hashes.
//!
//! It comes from a repository: every path and every number is looked at before anything is written by it.

use std::path::{Component, Path};

use friday_wire::Digest;
use serde::{Deserialize, Serialize};

/// The object of a backup that holds this list, as JSON.
pub const OBJECT: &str = "base.layout";

/// Raised when an older program could misread it.
const FORMAT: u32 = 1;

/// Parts are not smaller: each is an object of its own.
const PART_LEAST: u64 = 8 << 20;

/// Nor are there many more, so that a manifest stays small.
const PARTS: u64 = 2_048;

/// A data directory in parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    format: u32,
    /// Of each part but the last, bytes.
    pub part_bytes: u64,
    /// Files and directories, in the order stored.
    pub entries: Vec<Entry>,
    /// For each part what is in it, in order.
    pub parts: Vec<Vec<Piece>>,
}

/// A file or a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Below the data directory.
    pub path: String,
    /// Its length; `None`: a directory.
    pub bytes: Option<u64>,
}

/// A piece of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Which of the entries.
    pub entry: usize,
    /// Where in the file.
    pub at: u64,
    /// Where in the part.
    pub from: u64,
    /// How long.
    pub bytes: u64,
    /// BLAKE3.
    pub hash: Digest,
}

/// How long parts of a data directory of so many bytes are to be.
pub fn part_bytes(whole: u64) -> u64 {
    (whole / PARTS).next_multiple_of(1 << 20).max(PART_LEAST)
}

/// The name of a part's object.
pub fn part_name(number: usize) -> String {
    format!("base.tar.{number:05}")
}

/// Text that is no such list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the backup's list of its parts makes no sense: {0}")]
pub struct Senseless(String);

impl Layout {
    /// Reads one.
    ///
    /// # Errors
    /// [`Senseless`].
    pub fn parse(text: &[u8]) -> Result<Self, Senseless> {
        let layout: Self =
            serde_json::from_slice(text).map_err(|error| Senseless(error.to_string()))?;
        layout.check().map_err(Senseless)?;
        Ok(layout)
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.entries.iter().filter_map(|entry| entry.bytes).sum()
    }

    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("its format is {}", self.format));
        }
        for entry in &self.entries {
            let mut parts = Path::new(&entry.path).components();
            if entry.path.is_empty() || !parts.all(|part| matches!(part, Component::Normal(_))) {
                return Err(format!("a path is `{}`", entry.path.escape_debug()));
            }
        }
        let mut told = vec![0_u64; self.entries.len()];
        for piece in self.parts.iter().flatten() {
            let strange = || format!("a piece of entry {}", piece.entry);
            let file = self.entries.get(piece.entry).and_then(|entry| entry.bytes);
            let (file, told) = file.zip(told.get_mut(piece.entry)).ok_or_else(strange)?;
            // Each file is told from its beginning to its end.
            let ends = piece.at.checked_add(piece.bytes).filter(|ends| *ends <= file);
            let inside = piece.from.checked_add(piece.bytes).filter(|to| *to <= self.part_bytes);
            if piece.at != *told || inside.is_none() {
                return Err(strange());
            }
            *told = ends.ok_or_else(strange)?;
        }
        let whole = |(entry, told): (&Entry, &u64)| entry.bytes.unwrap_or(0) == *told;
        if !self.entries.iter().zip(&told).all(whole) {
            return Err("a file is not told to its end".to_owned());
        }
        Ok(())
    }
}

/// A list that is being made while the bytes pass.
pub struct Draft {
    layout: Layout,
    /// Bytes of the stream so far.
    passed: u64,
    /// The piece in the making, and where its file is.
    piece: Option<(Piece, blake3::Hasher)>,
    at: u64,
}

impl Draft {
    /// One with parts of that length.
    pub fn new(part_bytes: u64) -> Self {
        let layout =
            Layout { format: FORMAT, part_bytes, entries: Vec::new(), parts: vec![Vec::new()] };
        Self { layout, passed: 0, piece: None, at: 0 }
    }

    /// A file or directory begins with the next bytes that are content.
    pub fn entry(&mut self, path: &str, bytes: Option<u64>) {
        let path = path.trim_start_matches("./").trim_end_matches('/').to_owned();
        self.end_piece();
        self.at = 0;
        self.layout.entries.push(Entry { path, bytes });
    }

    /// Bytes of the stream that are nobody's content.
    pub fn skip(&mut self, mut bytes: u64) {
        self.end_piece();
        while bytes > 0 {
            let now = bytes.min(self.room());
            self.pass(now);
            bytes -= now;
        }
    }

    /// Bytes of the present file.
    pub fn content(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = usize::try_from(self.room()).unwrap_or(usize::MAX);
            let (now, rest) = bytes.split_at(room.min(bytes.len()));
            let from = self.passed % self.layout.part_bytes;
            let entry = self.layout.entries.len().saturating_sub(1);
            let at = self.at;
            let (piece, hash) = self.piece.get_or_insert_with(|| {
                let piece = Piece { entry, at, from, bytes: 0, hash: Digest([0; 32]) };
                (piece, blake3::Hasher::new())
            });
            hash.update(now);
            piece.bytes += now.len() as u64;
            self.at += now.len() as u64;
            self.pass(now.len() as u64);
            bytes = rest;
        }
    }

    /// The list.
    pub fn finish(mut self) -> Layout {
        self.end_piece();
        self.layout
    }

    fn room(&self) -> u64 {
        self.layout.part_bytes - self.passed % self.layout.part_bytes
    }

    fn pass(&mut self, bytes: u64) {
        self.passed += bytes;
        if self.passed.is_multiple_of(self.layout.part_bytes) {
            self.end_piece();
            self.layout.parts.push(Vec::new());
        }
    }

    fn end_piece(&mut self) {
        if let (Some((mut piece, hash)), Some(part)) =
            (self.piece.take(), self.layout.parts.last_mut())
        {
            piece.hash = Digest(*hash.finalize().as_bytes());
            part.push(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn() -> Layout {
        let mut draft = Draft::new(100);
        draft.skip(30);
        draft.entry("base/", None);
        draft.entry("base/1", Some(150));
        draft.content(&[1; 60]);
        draft.content(&[2; 90]);
        draft.skip(20);
        draft.entry("empty", Some(0));
        draft.finish()
    }

    #[test]
    fn a_file_that_crosses_a_border_is_two_pieces() {
        let layout = drawn();
        let pieces: Vec<(u64, u64, u64)> = layout
            .parts
            .iter()
            .flatten()
            .map(|piece| (piece.at, piece.from, piece.bytes))
            .collect();
        assert_eq!(pieces, [(0, 30, 70), (70, 0, 80)]);
        assert_eq!(layout.parts.len(), 3, "the last is empty: it ended at a border");
        let mut first = vec![1; 60];
        first.extend([2; 10]);
        assert_eq!(layout.parts[0][0].hash, Digest(*blake3::hash(&first).as_bytes()));
        let text = serde_json::to_vec(&layout).unwrap();
        assert_eq!(Layout::parse(&text).unwrap(), layout);
        assert_eq!(layout.bytes(), 150);
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        let refused = |change: &dyn Fn(&mut Layout)| {
            let mut layout = drawn();
            change(&mut layout);
            Layout::parse(&serde_json::to_vec(&layout).unwrap()).is_err()
        };
        assert!(!refused(&|_| {}));
        assert!(refused(&|layout| layout.entries[1].path = "../1".to_owned()));
        assert!(refused(&|layout| layout.entries[1].path = "/etc/passwd".to_owned()));
        assert!(refused(&|layout| layout.entries[1].bytes = Some(151)));
        assert!(refused(&|layout| layout.parts[0][0].from = 31));
        assert!(refused(&|layout| layout.parts[1][0].at = 0));
        assert!(refused(&|layout| layout.parts[1][0].entry = 9));
        assert!(refused(&|layout| layout.parts[1][0].bytes = u64::MAX));
        assert!(refused(&|layout| layout.format = 2));
    }

    #[test]
    fn parts_grow_with_the_database() {
        assert_eq!(part_bytes(1 << 30), 8 << 20);
        assert_eq!(part_bytes(1 << 40), 512 << 20);
    }
}
