//! A directory of a repository: on a disk, or as a name in a bucket.
//!
//! It knows no backup. What it writes is there whole and stays, or is not there; what it does not find is
//! [`io::ErrorKind::NotFound`] in both places.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::bucket::parts::{self, PartsReader, PartsWriter};
use super::bucket::{Bucket, Depth};
use crate::place;

/// Written at a time.
const BLOCK: usize = 256 * 1024;

/// A small file, a manifest say, is at most so long, bytes.
const SMALL: u64 = 16 * 1024 * 1024;

/// A directory.
#[derive(Debug, Clone)]
pub enum Shelf {
    /// On a disk of this host.
    Disk(PathBuf),
    /// In a bucket.
    Bucket {
        /// Which.
        bucket: Bucket,
        /// Its name there, without a `/` at its end.
        name: String,
        /// On this host: files that say who uses what in the bucket.
        leases: PathBuf,
    },
}

impl Shelf {
    /// One in it. The name comes from [`place::plain`] or is ours.
    pub fn below(&self, part: &str) -> Self {
        match self {
            Self::Disk(dir) => Self::Disk(dir.join(part)),
            Self::Bucket { bucket, name, leases } => Self::Bucket {
                bucket: bucket.clone(),
                name: if name.is_empty() { part.to_owned() } else { format!("{name}/{part}") },
                leases: leases.clone(),
            },
        }
    }

    /// The last part of its name.
    pub fn name(&self) -> String {
        match self {
            Self::Disk(dir) => super::name_of(dir),
            Self::Bucket { name, .. } => name.rsplit('/').next().unwrap_or(name).to_owned(),
        }
    }

    /// For people.
    pub fn shown(&self, file: &str) -> String {
        match self {
            Self::Disk(dir) if file.is_empty() => dir.display().to_string(),
            Self::Disk(dir) => dir.join(file).display().to_string(),
            Self::Bucket { bucket, name, .. } => {
                format!("s3://{}/{name}/{file}", bucket.name()).trim_end_matches('/').to_owned()
            }
        }
    }

    /// Where it is a directory of this host.
    pub fn disk(&self) -> Option<&Path> {
        match self {
            Self::Disk(dir) => Some(dir),
            Self::Bucket { .. } => None,
        }
    }

    /// The file on this host that is locked by who uses it.
    pub fn lease(&self) -> io::Result<PathBuf> {
        match self {
            Self::Disk(dir) => Ok(dir.join("in-use")),
            Self::Bucket { leases, .. } => {
                place::private(leases).map_err(io::Error::other)?;
                Ok(leases.join(place::plain(&self.name())))
            }
        }
    }

    /// The same, with a little time of its own: for who tidies up after a request that was given up.
    pub fn tidying(&self) -> Self {
        match self {
            Self::Disk(dir) => Self::Disk(dir.clone()),
            Self::Bucket { bucket, name, leases } => {
                let (bucket, name, leases) = (bucket.tidying(), name.clone(), leases.clone());
                Self::Bucket { bucket, name, leases }
            }
        }
    }

    fn key(name: &str, file: &str) -> String {
        format!("{name}/{file}")
    }

    /// Makes it new; in a bucket it is there with its first file.
    ///
    /// # Errors
    /// `AlreadyExists`, and the system's.
    pub fn make(&self) -> io::Result<()> {
        match self {
            Self::Disk(dir) => DirBuilder::new().mode(0o700).create(dir),
            Self::Bucket { .. } => Ok(()),
        }
    }

    /// Directories in it, in the order of their names.
    ///
    /// # Errors
    /// The system's or the store's.
    pub fn directories(&self) -> io::Result<Vec<Self>> {
        let mut found = Vec::new();
        match self {
            Self::Disk(dir) => {
                for entry in fs::read_dir(dir)? {
                    let entry = entry?;
                    if entry.file_type()?.is_dir() {
                        found.push(entry.path());
                    }
                }
                found.sort();
                Ok(found.into_iter().map(Self::Disk).collect())
            }
            Self::Bucket { bucket, name, .. } => {
                let below = bucket.below(&Self::key(name, ""), Depth::Here)?;
                let last = |name: &String| name.rsplit('/').next().unwrap_or(name).to_owned();
                Ok(below.directories.iter().map(|name| self.below(&last(name))).collect())
            }
        }
    }

    /// Names of small files in it.
    ///
    /// # Errors
    /// The system's or the store's.
    pub fn files(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        match self {
            Self::Disk(dir) => {
                for entry in fs::read_dir(dir)? {
                    names.extend(entry?.file_name().into_string());
                }
            }
            Self::Bucket { bucket, name, .. } => {
                let prefix = Self::key(name, "");
                for (key, _) in bucket.below(&prefix, Depth::Here)?.objects {
                    names.extend(key.strip_prefix(&prefix).map(str::to_owned));
                }
            }
        }
        names.sort();
        Ok(names)
    }

    /// Reads a small file.
    ///
    /// # Errors
    /// `NotFound`, the system's or the store's.
    pub fn read(&self, file: &str) -> io::Result<Vec<u8>> {
        match self {
            Self::Disk(dir) => fs::read(dir.join(file)),
            Self::Bucket { bucket, name, .. } => Ok(bucket.get(&Self::key(name, file), SMALL)?),
        }
    }

    /// Writes a small file, so that it is there whole or not at all, also after a power cut.
    ///
    /// # Errors
    /// The system's or the store's.
    pub fn write(&self, file: &str, bytes: &[u8]) -> io::Result<()> {
        let dir = match self {
            Self::Disk(dir) => dir,
            Self::Bucket { bucket, name, .. } => {
                return Ok(bucket.put(&Self::key(name, file), bytes)?);
            }
        };
        let temporary = dir.join(Path::new(file).with_extension("tmp"));
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        let mut opened = options.write(true).create_new(true).mode(0o600).open(&temporary)?;
        opened.write_all(bytes)?;
        opened.sync_all()?;
        fs::rename(&temporary, dir.join(file))?;
        File::open(dir)?.sync_all()
    }

    /// Whether a small file is there.
    ///
    /// # Errors
    /// The store's.
    pub fn has(&self, file: &str) -> io::Result<bool> {
        match self {
            Self::Disk(dir) => Ok(dir.join(file).exists()),
            Self::Bucket { bucket, name, .. } => {
                Ok(bucket.length(&Self::key(name, file))?.is_some())
            }
        }
    }

    /// How long a large file is, bytes.
    ///
    /// # Errors
    /// `NotFound`, the system's or the store's.
    pub fn length(&self, file: &str) -> io::Result<u64> {
        match self {
            Self::Disk(dir) => fs::metadata(dir.join(file)).map(|found| found.len()),
            Self::Bucket { bucket, name, .. } => {
                Ok(parts::lengths(bucket, &Self::key(name, file))?.into_iter().sum())
            }
        }
    }

    /// Begins a large file.
    ///
    /// # Errors
    /// The system's.
    pub fn create(&self, file: &str) -> io::Result<Outgoing> {
        match self {
            Self::Disk(dir) => {
                let mut options = OpenOptions::new();
                let opened = options.write(true).create_new(true).mode(0o600).open(dir.join(file));
                Ok(Outgoing::Disk(BufWriter::with_capacity(BLOCK, opened?)))
            }
            Self::Bucket { bucket, name, .. } => {
                Ok(Outgoing::Bucket(PartsWriter::begin(bucket, &Self::key(name, file))))
            }
        }
    }

    /// Opens a large file, and says how long it is, bytes.
    ///
    /// # Errors
    /// `NotFound`, the system's or the store's.
    pub fn open(&self, file: &str) -> io::Result<(Incoming, u64)> {
        match self {
            Self::Disk(dir) => {
                let opened = File::open(dir.join(file))?;
                let length = opened.metadata()?.len();
                Ok((Incoming::Disk(opened), length))
            }
            Self::Bucket { bucket, name, .. } => {
                let key = Self::key(name, file);
                let lengths = parts::lengths(bucket, &key)?;
                let length = lengths.iter().sum();
                Ok((Incoming::Bucket(PartsReader::begin(bucket, &key, lengths)), length))
            }
        }
    }

    /// Removes a small file; one that is not there is well removed.
    ///
    /// # Errors
    /// The system's or the store's.
    pub fn remove(&self, file: &str) -> io::Result<()> {
        match self {
            Self::Disk(dir) => match fs::remove_file(dir.join(file)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
            Self::Bucket { bucket, name, .. } => Ok(bucket.remove(&Self::key(name, file))?),
        }
    }

    /// Removes a large file, also where only some of it is there.
    ///
    /// # Errors
    /// The system's or the store's.
    pub fn remove_large(&self, file: &str) -> io::Result<()> {
        match self {
            Self::Disk(_) => self.remove(file),
            Self::Bucket { bucket, name, .. } => {
                remove_below(bucket, &format!("{}.part-", Self::key(name, file)))
            }
        }
    }

    /// Removes it with all that is in it.
    ///
    /// # Errors
    /// The system's or the store's.
    pub fn remove_all(&self) -> io::Result<()> {
        match self {
            Self::Disk(dir) => {
                self.sync()?;
                place::remove(dir)
            }
            Self::Bucket { bucket, name, .. } => {
                remove_below(bucket, &Self::key(name, ""))?;
                // Who holds it keeps it: the file goes, the lock does not.
                let _ = fs::remove_file(self.lease()?);
                Ok(())
            }
        }
    }

    /// Waits until the disk has the names in it; a store has them.
    ///
    /// # Errors
    /// The system's.
    pub fn sync(&self) -> io::Result<()> {
        match self {
            Self::Disk(dir) => File::open(dir)?.sync_all(),
            Self::Bucket { .. } => Ok(()),
        }
    }
}

fn remove_below(bucket: &Bucket, prefix: &str) -> io::Result<()> {
    for (key, _) in bucket.below(prefix, Depth::All)?.objects {
        bucket.remove(&key)?;
    }
    Ok(())
}

/// A large file that is being written.
pub enum Outgoing {
    /// To a disk.
    Disk(BufWriter<File>),
    /// To a bucket.
    Bucket(PartsWriter),
}

impl Outgoing {
    /// Waits until the disk or the store has all of it.
    ///
    /// # Errors
    /// The system's or the store's.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Self::Disk(writer) => {
                writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
            }
            Self::Bucket(writer) => writer.finish(),
        }
    }
}

impl Write for Outgoing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Disk(writer) => writer.write(bytes),
            Self::Bucket(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Disk(writer) => writer.flush(),
            Self::Bucket(writer) => writer.flush(),
        }
    }
}

/// A large file that is being read.
pub enum Incoming {
    /// From a disk.
    Disk(File),
    /// From a bucket.
    Bucket(PartsReader),
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Disk(file) => file.read(buffer),
            Self::Bucket(reader) => reader.read(buffer),
        }
    }
}
