//! What must hold for any bytes at all: called by fuzzers, and by the tests, which replay what fuzzers
//! found. Compiled for nobody else. A function here panics where something does not hold.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use friday_wire::frame::FrameError;
use friday_wire::{EntryKind, HealthSpec, RunSpec};

use crate::release_source::{SourceLimits, read_release};
use crate::state_directory::StateDirectory;
use crate::stock::Stock;

/// Small, so that an archive that unpacks without end ends soon.
const LIMITS: SourceLimits =
    SourceLimits { file_bytes: 64 * 1024, total_bytes: 256 * 1024, entries: 64 };

/// The length of a block of tar, and where its checksum stands.
const BLOCK: usize = 512;
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// An archive: a release that is whole in the stock, or a refusal that leaves nothing behind. The
/// first byte says how the rest is packed; a fuzzer can guess neither checksums nor compression.
pub fn archives(input: &[u8]) {
    let Some((packing, bytes)) = input.split_first() else { return };
    let room = Room::new();
    let (name, bytes) = match packing % 6 {
        0 => ("a.tar", bytes.to_vec()),
        1 => ("a.tar.gz", bytes.to_vec()),
        2 => ("a.tar.zst", bytes.to_vec()),
        3 => ("a.tar", with_checksums(bytes)),
        4 => ("a.tgz", gzip(&with_checksums(bytes))),
        _ => ("a.tzst", zstd::encode_all(with_checksums(bytes).as_slice(), 1).unwrap_or_default()),
    };
    let path = room.directory.join(name);
    fs::write(&path, bytes).expect("the room takes files");
    let state = StateDirectory::at(room.directory.join(".friday"));
    let stock = Stock::open(&state).expect("a new stock opens");
    let run = RunSpec {
        command: Some("./run".to_owned()),
        env: BTreeMap::new(),
        health: HealthSpec::default(),
        shared: Vec::new(),
        processes: friday_wire::Processes::default(),
        unit: friday_wire::UnitSpec::default(),
    };
    match read_release(&path, run, "v1", &stock, &LIMITS) {
        Ok(read) => {
            read.manifest.check().expect("a release that was read is well-formed");
            for entry in &read.manifest.tree {
                if let EntryKind::File { digest, .. } = &entry.kind {
                    assert!(stock.has(digest), "`{}` is not in the stock", entry.path);
                }
            }
        }
        Err(error) => {
            assert!(
                !error.to_string().chars().any(char::is_control),
                "{error:?} steers a terminal"
            );
            assert!(stock.releases().expect("listed").is_empty(), "{error}: left in the stock");
        }
    }
    let left = |name: &str| name != ".friday" && !path.ends_with(name);
    let beside: Vec<_> = names(&room.directory).into_iter().filter(|name| left(name)).collect();
    assert!(beside.is_empty(), "unpacked beside the stock: {beside:?}");
    let waiting = names(state.path()).into_iter().filter(|name| name.starts_with("waiting"));
    assert_eq!(waiting.count(), 0, "the intake left its files");
}

/// What a host answers, read here and by the reader that hosts use: both must see the same.
pub fn answers(input: &[u8]) {
    let bytes = friday_wire::fuzz::connection(input);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut theirs = bytes.as_slice();
    let mut ours = bytes.as_slice();
    loop {
        let their = friday_wire::frame::read_frame(&mut theirs);
        let our = runtime.block_on(crate::fleet::read_frame(&mut ours));
        match (their, our) {
            (Ok(their), Ok(our)) => assert_eq!(their, our),
            (Err(FrameError::Closed), Err(FrameError::Closed)) => return,
            (Err(their), Err(our)) => {
                assert_eq!(their.to_string(), our.to_string());
                return;
            }
            (their, our) => panic!("{their:?} there, {our:?} here"),
        }
    }
}

/// A directory for one input, in memory where there is such a place: inputs come by the thousand.
struct Room {
    directory: PathBuf,
}

impl Room {
    fn new() -> Self {
        use std::sync::atomic::{AtomicU64, Ordering};
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = base.join(format!("friday-fuzz-{}-{number}", std::process::id()));
        fs::create_dir(&directory).expect("a room of its own");
        Self { directory }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn names(directory: &Path) -> Vec<String> {
    let listed = fs::read_dir(directory).expect("our own directory");
    listed.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Every header of a tar gets the checksum that its bytes have.
fn with_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while let Some(header) = bytes.get_mut(at..at + BLOCK) {
        if header.iter().any(|byte| *byte != 0) {
            header[CHECKSUM].fill(b' ');
            let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
            header[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        let size = tar::Header::from_byte_slice(header).entry_size().unwrap_or(0);
        let blocks = usize::try_from(size).unwrap_or(usize::MAX).div_ceil(BLOCK);
        at = at.saturating_add(BLOCK).saturating_add(blocks.saturating_mul(BLOCK));
        if at > bytes.len() {
            break;
        }
    }
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let written = packer.write_all(bytes);
    written.and_then(|()| packer.finish()).unwrap_or_default()
}

mod recipes;
pub use recipes::recipes;

#[cfg(test)]
mod tests;
