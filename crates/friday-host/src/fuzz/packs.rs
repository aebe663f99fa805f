//! Packs: items that are right, nearly right or senseless, for a host that has some of what they are
//! made from, some of it damaged.

use friday_wire::pack::Item;
use friday_wire::{Entry, EntryKind, HealthSpec, Manifest, ReleaseId, RunSpec, UnitSpec};

use super::*;
use crate::store::Store;
use crate::store::offer::Offered;
use crate::store::unpacking::Unpacking;

/// A pack as somebody may send it: what lies in the store under a hash has it, and whatever came, a
/// whole pack after it makes the release whole.
pub fn packs(input: &[u8]) {
    let Some((&setting, rest)) = input.split_first() else { return };
    let room = Room::new();
    let (files, bases) = contents();
    let offered = offered(&files, &bases);
    for (place, base) in bases.iter().enumerate() {
        if setting & (1 << place) != 0 {
            keep(&room.store, base, base);
        }
    }
    if setting & 8 != 0 {
        let mut damaged = bases[0].clone();
        damaged[1_000] ^= 1;
        keep(&room.store, &bases[0], &damaged);
    }
    if setting & 16 != 0 {
        // An interrupted transfer left it; or something else did.
        let part = [&files[4][..300], &rest[..rest.len().min(40)]].concat();
        let partial = room.store.place().partial(digest(&files[4]));
        fs::write(partial, part).expect("our own directory");
    }
    let bytes = Sender { files: &files, bases: &bases, rest, at: None }.pack();
    let step = if setting & 32 == 0 { bytes.len().max(1) } else { 7 };
    feed(&room.store, &offered, &bytes, step);
    check_named(&room.store, &bases[0]);
    // What was wrong in a partial file or a base is found by the first of these.
    for _ in 0..2 {
        let whole = whole(&room.store, &offered, &files);
        assert!(feed(&room.store, &offered, &whole, whole.len().max(1)), "a right pack is refused");
    }
    assert!(room.store.lacks(&offered).expect("looked").is_empty(), "it does not get whole");
    check_named(&room.store, &bases[0]);
}

/// Whether all of it was taken.
fn feed(store: &Store, offered: &Offered, bytes: &[u8], step: usize) -> bool {
    let mut unpacking = Unpacking::begin(store, offered).expect("memory");
    let fed = bytes.chunks(step).try_for_each(|part| unpacking.feed(part));
    fed.and_then(|()| unpacking.finish())
        .inspect_err(|error| assert!(!error.to_string().is_empty()))
        .is_ok()
}

/// What a right sender makes of what is lacking now.
fn whole(store: &Store, offered: &Offered, files: &[Vec<u8>]) -> Vec<u8> {
    let lacks = store.lacks(offered).expect("looked");
    let lacking = lacks.files(files.len()).expect("the host's own words");
    let mut bytes = Vec::new();
    for (file, held) in lacking {
        Item::File { file, offset: held }.write_to(&mut bytes);
        let held = usize::try_from(held).expect("at most a file");
        Item::Piece { packed: &packed(&files[file as usize][held..], &[]) }.write_to(&mut bytes);
        Item::End.write_to(&mut bytes);
    }
    bytes
}

/// Everything under a hash has it; but for the base that this test itself damaged.
fn check_named(store: &Store, damaged: &[u8]) {
    let damaged = store.place().stored(digest(damaged));
    for shelf in listed(&store.place().join("store")).iter().filter(|shelf| !shelf.ends_with("tmp"))
    {
        for file in listed(shelf).iter().filter(|file| **file != damaged) {
            let found = crate::machine::digest_of(file).expect("it can be read").to_string();
            assert!(file.ends_with(&found), "{} hashes to {found}", file.display());
        }
    }
}

/// Reads bytes as what a sender does; what it leaves out of an item is what a right one says.
struct Sender<'a> {
    files: &'a [Vec<u8>],
    bases: &'a [Vec<u8>],
    rest: &'a [u8],
    /// The file at work and how far it is.
    at: Option<(usize, usize)>,
}

impl Sender<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<usize> {
        Some(usize::from(self.byte()?) << 8 | usize::from(self.byte()?))
    }

    fn pack(mut self) -> Vec<u8> {
        let mut out = Vec::new();
        while self.item(&mut out).is_some() {}
        out
    }

    fn item(&mut self, out: &mut Vec<u8>) -> Option<()> {
        match self.byte()? % 12 {
            0 => self.group(out)?,
            1 => {
                let (file, offset) = (self.byte()?, self.byte()?);
                let offset = if offset < 0x80 { 0 } else { u64::from(offset) };
                self.at = Some((usize::from(file), offset as usize));
                Item::File { file: u32::from(file), offset }.write_to(out);
            }
            2 => Item::Base { file: u32::from(self.byte()?) }.write_to(out),
            3 => {
                let length = self.number()?;
                let plain = self.next(length);
                Item::Piece { packed: &packed(&plain, &[]) }.write_to(out);
            }
            4 => {
                // Nothing that this friday would say.
                let length = usize::from(self.byte()?).min(self.rest.len());
                let (plain, rest) = self.rest.split_at(length);
                self.rest = rest;
                Item::Piece { packed: &packed(plain, &[]) }.write_to(out);
            }
            5 => {
                let (offset, length) = (self.number()? as u64, self.number()? as u64);
                self.next(length as usize);
                Item::Copy { offset, length }.write_to(out);
            }
            6 => self.patch(out)?,
            7 => {
                let length = self.number()?;
                self.next(length);
                Item::Zeros { length: length as u64 }.write_to(out);
            }
            8 => {
                // To the end, as it should be.
                let plain = self.next(usize::MAX);
                Item::Piece { packed: &packed(&plain, &[]) }.write_to(out);
                Item::End.write_to(out);
            }
            9 => {
                let length = usize::from(self.byte()?).min(self.rest.len());
                out.extend_from_slice(&self.rest[..length]);
                self.rest = &self.rest[length..];
            }
            10 => {
                // What is written already, cut or turned.
                let place = self.number()?;
                match self.byte()? {
                    0 => out.truncate(place),
                    turned => {
                        if let Some(byte) = out.get_mut(place) {
                            *byte ^= turned;
                        }
                    }
                }
            }
            _ => Item::End.write_to(out),
        }
        Some(())
    }

    /// The next bytes of the file at work, as far as it has any.
    fn next(&mut self, length: usize) -> Vec<u8> {
        let Some((file, at)) = &mut self.at else { return Vec::new() };
        let Some(content) = self.files.get(*file) else { return Vec::new() };
        let from = (*at).min(content.len());
        let until = from.saturating_add(length).min(content.len());
        *at = until;
        content[from..until].to_vec()
    }

    fn group(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let count = self.byte()? % 8;
        let mut files = Vec::new();
        let mut plain = Vec::new();
        for _ in 0..count {
            let file = self.byte()?;
            files.push(u32::from(file));
            plain.extend_from_slice(self.files.get(usize::from(file)).map_or(&[], Vec::as_slice));
        }
        Item::Group { files, packed: &packed(&plain, &[]) }.write_to(out);
        Some(())
    }

    fn patch(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let base = self.byte()?;
        let (offset, base_len, length) = (self.number()?, self.number()?, self.number()?);
        let base = self.bases.get(usize::from(base)).map_or(&[][..], Vec::as_slice);
        let prefix = base.get(offset..).unwrap_or_default();
        let prefix = &prefix[..prefix.len().min(base_len)];
        let plain = self.next(length);
        let item = Item::Patch {
            offset: offset as u64,
            length: base_len as u32,
            packed: &packed(&plain, prefix),
        };
        item.write_to(out);
        Some(())
    }
}

/// Files of the release and of its base: some alike, one empty, one of zeros for the most part.
fn contents() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let words: Vec<u8> = (0..5_000_u32).flat_map(|word| (word * 7).to_be_bytes()).collect();
    let other: Vec<u8> = (0..2_000_u32).flat_map(|word| (word * 31).to_le_bytes()).collect();
    let mut changed = words.clone();
    changed[9_000..9_100].fill(9);
    let mut holed = vec![0; 30_000];
    holed.extend_from_slice(&other[..500]);
    let files = vec![Vec::new(), b"one".to_vec(), b"two".to_vec(), changed, other.clone(), holed];
    (files, vec![words, other[..6_000].to_vec(), b"1".to_vec()])
}

fn offered(files: &[Vec<u8>], bases: &[Vec<u8>]) -> Offered {
    let named = |files: &[Vec<u8>]| -> Vec<(Digest, u64)> {
        files.iter().map(|bytes| (digest(bytes), bytes.len() as u64)).collect()
    };
    let entry = |(place, (digest, size)): (usize, (Digest, u64))| Entry {
        path: format!("{place:03}"),
        kind: EntryKind::File { digest, size, executable: false },
    };
    let run = RunSpec {
        command: None,
        env: std::collections::BTreeMap::new(),
        processes: friday_wire::Processes::default(),
        health: HealthSpec::default(),
        unit: UnitSpec::default(),
        shared: Vec::new(),
    };
    let tree = named(files).into_iter().enumerate().map(entry).collect();
    Offered {
        release: ReleaseId(digest(b"release")),
        manifest: Manifest { tree, run },
        files: named(files),
        base_files: named(bases),
    }
}

fn digest(bytes: &[u8]) -> Digest {
    Digest(*blake3::hash(bytes).as_bytes())
}

fn packed(plain: &[u8], prefix: &[u8]) -> Vec<u8> {
    let mut context = zstd::zstd_safe::CCtx::create();
    context.ref_prefix(prefix).expect("taken");
    let mut out = Vec::with_capacity(zstd::zstd_safe::compress_bound(plain.len()));
    context.compress2(&mut out, plain).expect("there is room");
    out
}

fn keep(store: &Store, named: &[u8], content: &[u8]) {
    let path = store.place().stored(digest(named));
    crate::place::private_directory(path.parent().expect("a shelf")).expect("made");
    fs::write(path, content).expect("our own directory");
}

/// A store of its own for one input.
struct Room {
    store: Store,
}

impl Room {
    fn new() -> Self {
        use std::sync::atomic::{AtomicU64, Ordering};
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = memory().join(format!("friday-fuzz-packs-{}-{number}", std::process::id()));
        Self { store: Store::new(Place::open(&dir).expect("a directory of its own")) }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.store.place().dir());
    }
}
