//! Looks into a stream of tar as it passes, and keeps two of its files: what `pg_basebackup` says about its backup. It
//! draws up what lies where.
//!
//! It changes no byte and holds nothing else back.

use std::io::{self, Read};

use super::layout::{Draft, Layout};

/// The file that says where the WAL begins that a backup needs.
pub const LABEL: &str = "backup_label";

/// The file that lists all others, and says where that WAL ends.
pub const MANIFEST: &str = "backup_manifest";

/// Larger than the manifest of a million files.
const KEEP_LIMIT: u64 = 512 << 20;

const BLOCK: usize = 512;

/// A stream of tar, passed on as it is.
pub struct TarScan<R> {
    inner: R,
    header: Vec<u8>,
    /// Bytes of the present file that are still to come, and of what fills up its last block.
    left: u64,
    filling: u64,
    keeping: Option<&'static str>,
    files: u64,
    label: Vec<u8>,
    manifest: Vec<u8>,
    layout: Draft,
}

/// What was kept of a stream that passed to its end.
pub struct Kept {
    /// [`LABEL`].
    pub label: Vec<u8>,
    /// [`MANIFEST`].
    pub manifest: Vec<u8>,
    /// What lies where.
    pub layout: Layout,
}

impl<R: Read> TarScan<R> {
    /// Around a stream that is stored in parts of that length.
    pub fn new(inner: R, part_bytes: u64) -> Self {
        Self {
            inner,
            header: Vec::with_capacity(BLOCK),
            left: 0,
            filling: 0,
            keeping: None,
            files: 0,
            label: Vec::new(),
            manifest: Vec::new(),
            layout: Draft::new(part_bytes),
        }
    }

    /// What it kept; `None`: the label or the manifest did not come, or not to its end.
    pub fn kept(self) -> Option<Kept> {
        let whole = self.keeping.is_none() && !self.label.is_empty() && !self.manifest.is_empty();
        let (label, manifest) = (self.label, self.manifest);
        whole.then(|| Kept { label, manifest, layout: self.layout.finish() })
    }

    /// Entries that passed.
    pub fn files(&self) -> u64 {
        self.files
    }

    fn see(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.left > 0 {
                let (now, rest) = split(bytes, self.left);
                match self.keeping {
                    Some(LABEL) => self.label.extend_from_slice(now),
                    Some(_) => self.manifest.extend_from_slice(now),
                    None => {}
                }
                self.layout.content(now);
                self.left -= now.len() as u64;
                bytes = rest;
            } else if self.filling > 0 {
                self.keeping = None;
                let (now, rest) = split(bytes, self.filling);
                self.filling -= now.len() as u64;
                self.layout.skip(now.len() as u64);
                bytes = rest;
            } else {
                self.keeping = None;
                let (now, rest) = split(bytes, (BLOCK - self.header.len()) as u64);
                self.header.extend_from_slice(now);
                self.layout.skip(now.len() as u64);
                bytes = rest;
                if self.header.len() == BLOCK {
                    self.open()?;
                    self.header.clear();
                }
            }
        }
        if self.left == 0 {
            self.keeping = None;
        }
        Ok(())
    }

    fn open(&mut self) -> io::Result<()> {
        if self.header.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        let strange = || io::Error::new(io::ErrorKind::InvalidData, "this is no tar");
        let size = number(self.header.get(124..136).unwrap_or_default()).ok_or_else(strange)?;
        let name = self.header.get(..100).unwrap_or_default();
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        self.files += 1;
        let path = std::str::from_utf8(name).map_err(|_| strange())?;
        match self.header.get(156) {
            Some(b'0' | 0) => self.layout.entry(path, Some(size)),
            Some(b'5') => self.layout.entry(path, None),
            // Links are of tablespaces, which are refused before.
            _ => return Err(strange()),
        }
        self.left = size;
        self.filling = size.next_multiple_of(BLOCK as u64) - size;
        self.keeping = match name {
            b"backup_label" => Some(LABEL),
            b"backup_manifest" => Some(MANIFEST),
            _ => None,
        };
        if self.keeping.is_some() && size > KEEP_LIMIT {
            return Err(strange());
        }
        Ok(())
    }
}

impl<R: Read> Read for TarScan<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.inner.read(buffer)?;
        self.see(buffer.get(..got).unwrap_or_default())?;
        Ok(got)
    }
}

fn split(bytes: &[u8], at: u64) -> (&[u8], &[u8]) {
    bytes.split_at(usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len()))
}

/// A size in a header: octal, or binary where that is too small.
fn number(field: &[u8]) -> Option<u64> {
    if field.first()? & 0x80 != 0 {
        let (high, low) = field.split_at(field.len().checked_sub(8)?);
        let zero =
            high.iter().enumerate().all(|(at, byte)| *byte == if at == 0 { 0x80 } else { 0 });
        return zero.then(|| low.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
    }
    let text = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    u64::from_str_radix(if text.is_empty() { "0" } else { text }, 8).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::{BLOCK, TarScan, number};

    fn archive() -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, bytes) in [
            ("backup_label", b"START".to_vec()),
            ("base/1/1259", vec![7; 3 * BLOCK]),
            ("empty", Vec::new()),
            ("backup_manifest", vec![b'm'; BLOCK + 1]),
        ] {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o600);
            header.set_cksum();
            builder.append_data(&mut header, name, &bytes[..]).expect("memory takes it");
        }
        builder.into_inner().expect("memory takes it")
    }

    /// Gives a few bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let now = self.1.min(buffer.len());
            self.0.take(now as u64).read(&mut buffer[..now]).inspect(|got| self.0 = &self.0[*got..])
        }
    }

    #[test]
    fn everything_passes_and_two_files_are_kept() {
        let archive = archive();
        for step in [1, 7, BLOCK, 10_000] {
            let mut scan = TarScan::new(Slow(&archive, step), 1_000);
            let mut passed = Vec::new();
            scan.read_to_end(&mut passed).expect("it is a tar");
            assert_eq!(passed, archive);
            assert_eq!(scan.files(), 4);
            let kept = scan.kept().expect("both came");
            assert_eq!((&kept.label[..], kept.manifest.len()), (&b"START"[..], BLOCK + 1));
            // Each piece is found where the list says.
            for (number, part) in kept.layout.parts.iter().enumerate() {
                for piece in part {
                    let from = number * 1_000 + piece.from as usize;
                    let bytes = &archive[from..from + piece.bytes as usize];
                    assert_eq!(piece.hash.0, *blake3::hash(bytes).as_bytes());
                }
            }
            let text = serde_json::to_vec(&kept.layout).expect("it can be written");
            assert_eq!(super::Layout::parse(&text).expect("it makes sense"), kept.layout);
        }
    }

    #[test]
    fn what_was_cut_has_kept_nothing() {
        let archive = archive();
        let cut = &archive[..archive.len() - 3 * BLOCK];
        let mut scan = TarScan::new(cut, 1_000);
        let _ = scan.read_to_end(&mut Vec::new());
        assert!(scan.kept().is_none());
    }

    #[test]
    fn sizes_are_octal_or_binary() {
        assert_eq!(number(b"00000001000\0"), Some(512));
        assert_eq!(number(b"\x80\0\0\0\0\0\0\x02\0\0\0\0"), Some(0x2_0000_0000));
        assert_eq!(number(b"0000000zzz\0\0"), None);
    }
}
