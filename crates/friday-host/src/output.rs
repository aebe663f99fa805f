//! What applications write: kept in files of bounded size, shown without control characters.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::place::with_suffix;

/// A file that reaches this size is set aside.
pub const FILE_LEN_MAX: u64 = 10 * 1024 * 1024;

/// Files kept: the one being written and two older ones.
pub const FILES_KEPT: u32 = 3;

/// The most lines ever asked for.
pub const LINES_MAX: u32 = 10_000;

/// How far back the end of a file is read for its last lines.
const TAIL_LEN_MAX: u64 = 4 * 1024 * 1024;

/// A line is cut here.
const LINE_LEN_MAX: usize = 4 * 1024;

/// A file that sets itself aside when it is full.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    file: File,
    length: u64,
}

impl RotatingFile {
    /// Opens it for appending.
    ///
    /// # Errors
    /// The system's.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        let file = append_to(&path)?;
        let length = file.metadata()?.len();
        Ok(Self { path, file, length })
    }

    /// Appends; a full file is set aside first.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.length >= FILE_LEN_MAX {
            set_aside(&self.path)?;
            self.file = append_to(&self.path)?;
            self.length = 0;
        }
        self.length += bytes.len() as u64;
        self.file.write_all(bytes)
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// Renames `x.log` to `x.log.1`, that to `x.log.2`; the oldest falls away.
///
/// # Errors
/// The system's.
pub fn set_aside(path: &Path) -> io::Result<()> {
    for older in (1..FILES_KEPT).rev() {
        let from = if older == 1 { path.to_owned() } else { numbered(path, older - 1) };
        match fs::rename(&from, numbered(path, older)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    with_suffix(path, &format!(".{number}"))
}

/// The last lines of a log and, where it was just set aside, of the file before it; oldest first.
///
/// # Errors
/// The system's; no file is no error.
pub fn last_lines(path: &Path, lines: u32) -> io::Result<Vec<String>> {
    let wanted = lines.min(LINES_MAX) as usize;
    let mut found = tail(path, wanted)?;
    if found.len() < wanted {
        let mut older = tail(&numbered(path, 1), wanted - found.len())?;
        older.append(&mut found);
        found = older;
    }
    Ok(found)
}

fn tail(path: &Path, lines: usize) -> io::Result<Vec<String>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    let from = length.saturating_sub(TAIL_LEN_MAX);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(TAIL_LEN_MAX).read_to_end(&mut bytes)?;
    Ok(last_lines_of(&bytes, lines))
}

/// The last lines of some output, shown.
pub fn last_lines_of(bytes: &[u8], lines: usize) -> Vec<String> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    let mut last: Vec<String> =
        bytes.rsplit(|byte| *byte == b'\n').take(lines).map(shown).collect();
    last.reverse();
    last
}

/// Bytes from outside as one line a terminal can be given: control characters, and characters that
/// turn the direction of writing, are spelled out.
pub fn shown(bytes: &[u8]) -> String {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let cut = &bytes[..bytes.len().min(LINE_LEN_MAX)];
    let mut line = String::with_capacity(cut.len());
    for character in String::from_utf8_lossy(cut).chars() {
        match character {
            '\t' => line.push('\t'),
            c if c.is_control() || turns_direction(c) => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
    if cut.len() < bytes.len() {
        line.push('…');
    }
    line
}

fn turns_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(shown(b"\x1b[31mred\x07\r"), "\\u{1b}[31mred\\u{7}");
        assert_eq!(shown("a\u{202e}b\tc".as_bytes()), "a\\u{202e}b\tc");
        assert_eq!(shown(b"\xff"), "\u{fffd}");
    }

    #[test]
    fn a_full_file_is_set_aside_and_its_end_still_found() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.log");
        let mut file = RotatingFile::open(path.clone()).expect("opens");
        file.write(b"old\n").expect("writes");
        file.length = FILE_LEN_MAX;
        file.write(b"new\n").expect("writes");
        assert_eq!(last_lines(&path, 10).expect("reads"), ["old", "new"]);
        assert_eq!(last_lines(&path, 1).expect("reads"), ["new"]);
        for _ in 0..4 {
            file.length = FILE_LEN_MAX;
            file.write(b"more\n").expect("writes");
        }
        assert_eq!(fs::read_dir(dir.path()).expect("lists").count(), FILES_KEPT as usize);
    }
}
