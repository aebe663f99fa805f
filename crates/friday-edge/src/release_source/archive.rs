//! Reading a tar archive. Nothing is ever unpacked to disk under a name from the archive.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use friday_wire::EntryKind;
use tar::EntryType;

use super::{Content, Mode, SourceError, Tree, shown_bytes};

/// How an archive is compressed, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    /// `None` for a name that is not an archive's: such a file is a release of one file.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| name.ends_with(suffix));
        if ends(&[".tar"]) {
            Some(Self::Plain)
        } else if ends(&[".tar.gz", ".tgz"]) {
            Some(Self::Gzip)
        } else if ends(&[".tar.zst", ".tzst"]) {
            Some(Self::Zstd)
        } else {
            None
        }
    }
}

pub(super) fn read(path: &Path, packing: Packing, tree: &mut Tree<'_>) -> Result<(), SourceError> {
    let broken = |source| SourceError::Archive { archive: path.to_owned(), source };
    let file = File::open(path)
        .map_err(|source| SourceError::Unreadable { path: path.to_owned(), source })?;
    let file = BufReader::new(file);
    let mut stream: Box<dyn Read> = match packing {
        Packing::Plain => Box::new(file),
        Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        Packing::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(file).map_err(broken)?),
    };
    let mut archive = tar::Archive::new(&mut stream);
    for entry in archive.entries().map_err(broken)? {
        add(&mut entry.map_err(broken)?, path, tree)?;
    }
    // To the end, so that a checksum there is looked at: but padding has a limit too.
    let mut rest = stream.take(tree.limits.total_bytes);
    io::copy(&mut rest, &mut io::sink()).map_err(broken)?;
    Ok(())
}

fn add(
    entry: &mut tar::Entry<'_, impl Read>,
    archive: &Path,
    tree: &mut Tree<'_>,
) -> Result<(), SourceError> {
    let kind = entry.header().entry_type();
    if kind == EntryType::XGlobalHeader {
        return Ok(());
    }
    let path = normal(&entry.path_bytes(), kind)?;
    let special = |kind| Err(SourceError::Special { path: path.clone(), kind });
    match kind {
        EntryType::Directory if path.is_empty() => return Ok(()),
        EntryType::Directory => {
            add_parents(&path, tree)?;
            return tree.add(&path, EntryKind::Directory);
        }
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {}
        EntryType::Symlink | EntryType::Link => {}
        EntryType::Char | EntryType::Block => return special("device"),
        EntryType::Fifo => return special("named pipe"),
        _ => return special("thing of an unknown kind"),
    }
    add_parents(&path, tree)?;
    if tree.entries.contains_key(&path) {
        return Err(SourceError::Twice { path });
    }
    if kind == EntryType::Symlink {
        let target = text(&entry.link_name_bytes().unwrap_or_default())?;
        return tree.add(&path, EntryKind::Link { target });
    }
    if kind == EntryType::Link {
        let target = entry.link_name_bytes().unwrap_or_default();
        return add_hard_link(path, &target, tree);
    }
    let mode = Mode(entry.header().mode().unwrap_or(0o644));
    // Before a byte is read: the header of a sparse file can claim any size.
    let size = entry.size();
    let most = tree.limits.file_bytes.min(tree.limits.total_bytes.saturating_sub(tree.bytes));
    if size > most {
        return Err(tree.too_large(&path, most));
    }
    tree.add_file(&path, Content::Stream(entry, archive), mode)
}

/// A hard link becomes another file with the same content: all that it can mean on a host.
fn add_hard_link(path: String, target: &[u8], tree: &mut Tree<'_>) -> Result<(), SourceError> {
    let wrong = || SourceError::HardLink { path: path.clone(), target: shown_bytes(target) };
    let inside = normal(target, EntryType::Link).map_err(|_| wrong())?;
    match tree.entries.get(&inside) {
        Some(kind @ EntryKind::File { .. }) => {
            let kind = kind.clone();
            tree.add(&path, kind)
        }
        Some(EntryKind::Directory | EntryKind::Link { .. }) | None => Err(wrong()),
    }
}

/// Archives need not list directories.
fn add_parents(path: &str, tree: &mut Tree<'_>) -> Result<(), SourceError> {
    for (at, _) in path.match_indices('/') {
        let parent = &path[..at];
        if !tree.entries.contains_key(parent) {
            tree.add(parent, EntryKind::Directory)?;
        }
    }
    Ok(())
}

/// A path without the leading `./` and the trailing `/` that archivers write; nothing else is mended.
fn normal(bytes: &[u8], kind: EntryType) -> Result<String, SourceError> {
    let whole = text(bytes)?;
    let mut path = whole.as_str();
    while let Some(rest) = path.strip_prefix("./") {
        path = rest.trim_start_matches('/');
    }
    let path = path.trim_end_matches('/');
    let path = if path == "." { "" } else { path };
    let is_root = path.is_empty() && kind == EntryType::Directory && !whole.starts_with('/');
    if is_root || friday_wire::manifest::is_inside(path) {
        return Ok(path.to_owned());
    }
    Err(SourceError::Escape { path: crate::last_lines::shown(&whole) })
}

fn text(bytes: &[u8]) -> Result<String, SourceError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(SourceError::NotUtf8 { path: shown_bytes(bytes) }),
    }
}
