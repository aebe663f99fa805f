//! What is pushed: 20 MB in 200 files, and the same with one hundredth changed. The same bytes on every
//! machine.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// One file that does not compress, bytes.
const LARGE: usize = 15_000_000;
/// Files of words, and the bytes of each.
const TEXTS: usize = 198;
const TEXT: usize = 25_250;
/// Places of the large file that change, bytes each; and texts that change.
const PLACES: usize = 10;
const PLACE: usize = 15_000;
const CHANGED_TEXTS: [usize; 2] = [17, 118];

/// How much older what did not change is.
const DAY: Duration = Duration::from_secs(86_400);

/// The bytes that differ between the two, which a perfect update would send uncompressed.
pub const CHANGED: usize = PLACES * PLACE + CHANGED_TEXTS.len() * TEXT;

/// Writes `v1` and `v2` into a new directory.
pub fn write(into: &Path) -> io::Result<()> {
    let mut random = Random(20);
    let words: Vec<Vec<u8>> = (0..3_000).map(|_| random.word()).collect();
    let mut large = random.bytes(LARGE);
    let texts: Vec<Vec<u8>> = (0..TEXTS).map(|_| random.text(&words)).collect();
    release(&into.join("v1"), "v1", &large, &texts)?;
    for place in 0..PLACES {
        let at = place * 1_500_000 + 700_000;
        large[at..at + PLACE].copy_from_slice(&random.bytes(PLACE));
    }
    let mut texts = texts;
    for number in CHANGED_TEXTS {
        texts[number] = random.text(&words);
    }
    release(&into.join("v2"), "v2", &large, &texts)?;
    // What did not change keeps its time, the best case for whoever goes by it; what did has another.
    let before = SystemTime::now() - DAY;
    for name in files(&into.join("v1"))? {
        let (old, new) = (into.join("v1").join(&name), into.join("v2").join(&name));
        fs::File::options().write(true).open(&old)?.set_modified(before)?;
        if fs::read(&old)? == fs::read(&new)? {
            fs::File::options().write(true).open(&new)?.set_modified(before)?;
        }
    }
    Ok(())
}

fn release(directory: &Path, version: &str, large: &[u8], texts: &[Vec<u8>]) -> io::Result<()> {
    fs::create_dir_all(directory.join("bin"))?;
    fs::create_dir_all(directory.join("share"))?;
    fs::write(directory.join("bin/app"), large)?;
    for (number, text) in texts.iter().enumerate() {
        fs::write(directory.join(format!("share/{number:03}.txt")), text)?;
    }
    fs::write(directory.join("VERSION"), format!("{version}\n"))
}

fn files(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = vec!["bin/app".to_owned(), "VERSION".to_owned()];
    for entry in fs::read_dir(directory.join("share"))? {
        names.push(format!("share/{}", entry?.file_name().to_string_lossy()));
    }
    Ok(names)
}

/// Xorshift: good enough not to compress, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap_or(0)
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend(self.next().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }

    fn word(&mut self) -> Vec<u8> {
        let length = 2 + self.below(8);
        (0..length).map(|_| b"etaoinshrdlucmfwyp"[self.below(18)]).collect()
    }

    fn text(&mut self, words: &[Vec<u8>]) -> Vec<u8> {
        let mut text = Vec::with_capacity(TEXT + 200);
        while text.len() < TEXT {
            for _ in 0..12 {
                text.extend(&words[self.below(words.len())]);
                text.push(b' ');
            }
            text.push(b'\n');
        }
        text.truncate(TEXT);
        text
    }
}
