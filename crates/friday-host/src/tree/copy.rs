//! Copying one file: sharing its blocks where the file system can, else inside the kernel, else by
//! hand. Holes stay holes. What is copied is not judged here.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use friday_wire::Digest;
use rustix::fs::SeekFrom;
use rustix::io::Errno;

/// Bytes read at once.
const BUFFER_LEN: usize = 256 * 1024;

/// Whether copies in this directory share blocks with what they are copies of. Leaves nothing there.
pub fn shares_blocks(directory: &Path) -> bool {
    let (one, other) = (directory.join(".one"), directory.join(".other"));
    let shares = || -> io::Result<bool> {
        fs::write(&one, b"x")?;
        Ok(rustix::fs::ioctl_ficlone(File::create(&other)?, File::open(&one)?).is_ok())
    };
    let shares = shares().unwrap_or(false);
    // What was not made need not go.
    let _ = (fs::remove_file(&one), fs::remove_file(&other));
    shares
}

/// Copies a file whose content was verified before.
///
/// # Errors
/// The system's.
pub fn plain(source: &File, target: &File, found: &Metadata) -> io::Result<()> {
    if rustix::fs::ioctl_ficlone(target, source).is_ok() {
        return Ok(());
    }
    let mut kernel = Kernel::Copies;
    each_stretch(source, found, |from, to| kernel.copy(source, target, from, to))?;
    end(target, found)
}

/// Copies a file and returns the hash of what was read.
///
/// # Errors
/// The system's.
pub fn hashing(source: &File, target: &File, found: &Metadata) -> io::Result<Digest> {
    let shares_blocks = rustix::fs::ioctl_ficlone(target, source).is_ok();
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0_u8; BUFFER_LEN.min(length_of(found)).max(1)];
    let mut hashed = 0;
    each_stretch(source, found, |from, to| {
        hash_zeros(&mut hasher, from - hashed);
        let mut at = from;
        while at < to {
            let most = usize::try_from(to - at).map_or(buffer.len(), |left| left.min(buffer.len()));
            let got = source.read_at(&mut buffer[..most], at)?;
            if got == 0 {
                break;
            }
            hasher.update(&buffer[..got]);
            if !shares_blocks {
                target.write_all_at(&buffer[..got], at)?;
            }
            at += got as u64;
        }
        hashed = at;
        Ok(())
    })?;
    hash_zeros(&mut hasher, found.len().saturating_sub(hashed));
    if !shares_blocks {
        end(target, found)?;
    }
    Ok(Digest(*hasher.finalize().as_bytes()))
}

fn length_of(found: &Metadata) -> usize {
    usize::try_from(found.len()).unwrap_or(usize::MAX)
}

fn hash_zeros(hasher: &mut blake3::Hasher, mut count: u64) {
    static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
    while count > 0 {
        let step = count.min(ZEROS.len() as u64);
        // At most the array's length.
        hasher.update(&ZEROS[..step as usize]);
        count -= step;
    }
}

/// A hole at the end of a file is there by length alone.
fn end(target: &File, found: &Metadata) -> io::Result<()> {
    if is_sparse(found) { target.set_len(found.len()) } else { Ok(()) }
}

fn is_sparse(found: &Metadata) -> bool {
    found.blocks().saturating_mul(512) < found.len()
}

/// Visits what is not a hole: from, to.
fn each_stretch(
    source: &File,
    found: &Metadata,
    mut visit: impl FnMut(u64, u64) -> io::Result<()>,
) -> io::Result<()> {
    if !is_sparse(found) {
        return visit(0, found.len());
    }
    let mut at = 0;
    while at < found.len() {
        let from = match rustix::fs::seek(source, SeekFrom::Data(at)) {
            Ok(from) => from,
            Err(Errno::NXIO) => return Ok(()),
            // A file system that does not know: all of it is content.
            Err(Errno::INVAL) => return visit(at, found.len()),
            Err(error) => return Err(error.into()),
        };
        let to = rustix::fs::seek(source, SeekFrom::Hole(from))?.min(found.len());
        if to <= from {
            return Ok(());
        }
        visit(from, to)?;
        at = to;
    }
    Ok(())
}

/// Whether the kernel copies between these files.
enum Kernel {
    Copies,
    DoesNot,
}

impl Kernel {
    fn copy(&mut self, source: &File, target: &File, from: u64, to: u64) -> io::Result<()> {
        let mut at = from;
        while at < to && matches!(self, Self::Copies) {
            let (mut read_at, mut write_at) = (at, at);
            let left = usize::try_from(to - at).unwrap_or(usize::MAX);
            let copied = rustix::fs::copy_file_range(
                source,
                Some(&mut read_at),
                target,
                Some(&mut write_at),
                left,
            );
            match copied {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => at += count as u64,
                Err(Errno::INTR) => {}
                Err(Errno::NOSYS | Errno::XDEV | Errno::INVAL | Errno::OPNOTSUPP | Errno::PERM) => {
                    *self = Self::DoesNot;
                }
                Err(error) => return Err(error.into()),
            }
        }
        by_hand(source, target, at, to)
    }
}

fn by_hand(source: &File, target: &File, mut at: u64, to: u64) -> io::Result<()> {
    if at >= to {
        return Ok(());
    }
    let mut buffer = vec![0_u8; BUFFER_LEN];
    while at < to {
        let most = usize::try_from(to - at).map_or(buffer.len(), |left| left.min(buffer.len()));
        match source.read_at(&mut buffer[..most], at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            got => {
                target.write_all_at(&buffer[..got], at)?;
                at += got as u64;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    fn copied(write: impl Fn(&File)) -> (Vec<u8>, Metadata, Vec<u8>, Metadata, Digest) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name| dir.path().join(name);
        write(&File::create(path("source")).expect("made"));
        let source = File::open(path("source")).expect("there");
        let found = source.metadata().expect("told");
        let target = File::create(path("plain")).expect("made");
        plain(&source, &target, &found).expect("copied");
        let target = File::create(path("hashing")).expect("made");
        let digest = hashing(&source, &target, &found).expect("copied");
        let read = |name| std::fs::read(path(name)).expect("read");
        assert_eq!(read("plain"), read("hashing"));
        let copy = std::fs::metadata(path("plain")).expect("told");
        (read("source"), found, read("plain"), copy, digest)
    }

    #[test]
    fn a_copy_is_the_same_and_its_hash_is_right() {
        for bytes in [Vec::new(), b"x".to_vec(), vec![7; BUFFER_LEN * 2 + 1]] {
            let (source, _, copy, _, digest) = copied(|file| {
                file.write_all_at(&bytes, 0).expect("written");
            });
            assert!(source == copy);
            assert_eq!(digest.0, *blake3::hash(&bytes).as_bytes());
        }
    }

    #[test]
    fn holes_stay_holes() {
        let (source, found, copy, copied, digest) = copied(|file| {
            file.write_all_at(b"begin", 1_000_000).expect("written");
            file.set_len(8_000_000).expect("grown");
        });
        assert!(source == copy);
        assert_eq!(digest.0, *blake3::hash(&source).as_bytes());
        assert!(copied.blocks() <= found.blocks() + 64, "{} {}", copied.blocks(), found.blocks());
    }
}
