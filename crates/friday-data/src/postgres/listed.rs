//! PostgreSQL's own list of a backup's files, `backup_manifest`: what the server read is compared with what lies in a
//! restored data directory.
//!
//! Who compares has read the files and brings their checksums: no file is opened here.

use std::collections::BTreeMap;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// The file that holds the list.
pub const FILE: &str = "backup_manifest";

/// Its last entry: a hash of every line before.
const OWN_HASH: &str = "\"Manifest-Checksum\"";

/// A file as the server read it, or as it lies there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// Its length, bytes.
    pub bytes: u64,
    /// Its CRC-32C.
    pub crc: u32,
}

impl Sum {
    /// Of a file in which nothing is.
    pub const EMPTY: Self = Self { bytes: 0, crc: 0 };

    /// With what follows it.
    pub fn then(self, next: Self) -> Self {
        let length = usize::try_from(next.bytes).unwrap_or(usize::MAX);
        let crc = crc32c::crc32c_combine(self.crc, next.crc, length);
        Self { bytes: self.bytes + next.bytes, crc }
    }
}

#[derive(Deserialize)]
struct Text {
    #[serde(rename = "Files")]
    files: Vec<Line>,
    #[serde(rename = "Manifest-Checksum")]
    own: String,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "Path")]
    path: Option<String>,
    /// Of a name that is no text.
    #[serde(rename = "Encoded-Path")]
    encoded: Option<String>,
    #[serde(rename = "Size")]
    bytes: u64,
    #[serde(rename = "Checksum-Algorithm")]
    algorithm: Option<String>,
    #[serde(rename = "Checksum")]
    checksum: Option<String>,
}

/// Compares the list with the files that lie there, the list itself among them; how many agree.
///
/// # Errors
/// The first that does not, in words.
pub fn compare(list: &[u8], there: &BTreeMap<&str, Sum>) -> Result<u64, String> {
    let text: Text = serde_json::from_slice(list)
        .map_err(|error| format!("`{FILE}` makes no sense: {error}"))?;
    is_whole(list, &text.own)?;
    let mut agree = 0;
    let mut rest = there.clone();
    rest.remove(FILE);
    for line in text.files {
        let path = line.path.or(line.encoded).ok_or_else(|| format!("`{FILE}` names no file"))?;
        let Some(found) = rest.remove(&*path) else {
            return Err(format!("`{path}` is in the server's list and not in the backup"));
        };
        if found.bytes != line.bytes {
            return Err(format!(
                "`{path}` has {} bytes, and the server read {}",
                found.bytes, line.bytes
            ));
        }
        let listed = match (line.algorithm.as_deref(), line.checksum) {
            (Some("CRC32C"), Some(listed)) => listed,
            (other, _) => {
                let other = other.unwrap_or("none");
                return Err(format!("`{path}` is listed with a checksum of another kind: {other}"));
            }
        };
        if !listed.eq_ignore_ascii_case(&hex(&found.crc.to_le_bytes())) {
            return Err(format!("`{path}` is not what the server read"));
        }
        agree += 1;
    }
    match rest.keys().next() {
        Some(stranger) => Err(format!("`{stranger}` is not in the server's list")),
        None => Ok(agree),
    }
}

fn is_whole(list: &[u8], own: &str) -> Result<(), String> {
    let last = list.windows(OWN_HASH.len()).rposition(|part| part == OWN_HASH.as_bytes());
    let before = last.and_then(|last| list.get(..last)).unwrap_or_default();
    if hex(&Sha256::digest(before)).eq_ignore_ascii_case(own) {
        return Ok(());
    }
    Err(format!("`{FILE}` is not what the server wrote"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [(&str, &[u8]); 3] =
        [("PG_VERSION", b"15\n"), ("base/1/1259", &[7; 8192]), ("empty", b"")];

    fn sum(bytes: &[u8]) -> Sum {
        Sum { bytes: bytes.len() as u64, crc: crc32c::crc32c(bytes) }
    }

    fn list() -> String {
        let lines: Vec<String> = FILES
            .iter()
            .map(|(path, bytes)| {
                let crc = hex(&crc32c::crc32c(bytes).to_le_bytes());
                format!(
                    "{{ \"Path\": \"{path}\", \"Size\": {}, \"Checksum-Algorithm\": \"CRC32C\", \"Checksum\": \"{crc}\" }}",
                    bytes.len()
                )
            })
            .collect();
        let text = format!(
            "{{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n\"Files\": [\n{}\n],\n",
            lines.join(",\n")
        );
        let own = hex(&Sha256::digest(&text));
        format!("{text}{OWN_HASH}: \"{own}\"}}\n")
    }

    fn there() -> BTreeMap<&'static str, Sum> {
        let mut there: BTreeMap<_, _> =
            FILES.iter().map(|(path, bytes)| (*path, sum(bytes))).collect();
        there.insert(FILE, sum(b"itself"));
        there
    }

    #[test]
    fn what_the_server_read_is_what_lies_there() {
        assert_eq!(compare(list().as_bytes(), &there()), Ok(3));
    }

    #[test]
    fn a_bit_a_byte_and_a_file_too_few_or_too_many_are_seen() {
        let list = list();
        let says = |change: &dyn Fn(&mut BTreeMap<&'static str, Sum>) -> Option<Sum>| {
            let mut there = there();
            change(&mut there);
            compare(list.as_bytes(), &there).expect_err("it differs")
        };
        let mut other = [7; 8192];
        other[100] ^= 1;
        assert_eq!(
            says(&|there| there.insert("base/1/1259", sum(&other))),
            "`base/1/1259` is not what the server read"
        );
        assert_eq!(
            says(&|there| there.insert("base/1/1259", sum(&[7; 8191]))),
            "`base/1/1259` has 8191 bytes, and the server read 8192"
        );
        assert!(says(&|there| there.remove("empty")).contains("not in the backup"));
        assert!(
            says(&|there| there.insert("stranger", Sum::EMPTY))
                .ends_with("is not in the server's list")
        );
        let changed = list.replace("\"Size\": 3", "\"Size\": 4");
        assert!(compare(changed.as_bytes(), &there()).is_err_and(|says| says.contains("wrote")));
    }

    #[test]
    fn pieces_of_a_file_make_its_sum() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
        let (first, rest) = bytes.split_at(33_333);
        assert_eq!(Sum::EMPTY.then(sum(first)).then(sum(rest)), sum(&bytes));
    }
}
