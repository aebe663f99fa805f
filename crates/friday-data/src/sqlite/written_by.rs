//! Which SQLite wrote a file last: its head says so, and for some versions that is a warning.
//!
//! Bytes 92 to 99 of the head: <https://www.sqlite.org/fileformat2.html#database_header>. The bug:
//! <https://www.sqlite.org/wal.html>, "The WAL-Reset Bug".

use std::fmt;

use friday_wire::data::{Finding, FindingState};

/// The first version in which two checkpoints and a writer can damage a database in WAL mode.
const FIRST_BAD: Version = Version(3_007_000);

/// The first in which they cannot.
const MENDED: Version = Version(3_051_003);

/// A version as SQLite numbers it: 3051003 is 3.51.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number) = self;
        write!(f, "{}.{}.{}", number / 1_000_000, number / 1_000 % 1_000, number % 1_000)
    }
}

/// What a file's first 100 bytes say of its writer.
pub fn finding(head: &[u8; 100]) -> Finding {
    let ours = format!("copies are made by SQLite {}", rusqlite::version());
    let finding = |state, says, help: Option<&str>| Finding {
        subject: "version".to_owned(),
        state,
        says,
        help: help.map(str::to_owned),
    };
    let Some(version) = of(head) else {
        let says = format!("{ours}; the file does not say which one the application uses");
        return finding(FindingState::Good, says, None);
    };
    // Its log is only in use where the head says that a reader must know of it.
    let has_log = head[18] == 2;
    if has_log && (FIRST_BAD..MENDED).contains(&version) {
        let says = format!(
            "SQLite {version} wrote the file last: where several connections write, versions before {MENDED} can \
             damage a database in WAL mode; {ours}"
        );
        let help = "build the application with SQLite 3.51.3 or newer, unless its maker carried the mend back";
        return finding(FindingState::Warn, says, Some(help));
    }
    finding(FindingState::Good, format!("SQLite {version} wrote the file last; {ours}"), None)
}

/// The version, where the head is one that SQLite wrote since 3.7.0.
fn of(head: &[u8; 100]) -> Option<Version> {
    let number = |at: usize| {
        let bytes = head.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_be_bytes(bytes))
    };
    // The version counts where it was written together with the last change.
    let counts = number(92) == number(24);
    number(96).filter(|number| counts && *number >= FIRST_BAD.0).map(Version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(version: u32, format: u8) -> [u8; 100] {
        let mut head = [0; 100];
        head[18] = format;
        head[96..].copy_from_slice(&version.to_be_bytes());
        head
    }

    #[test]
    fn a_writer_that_can_damage_the_file_is_named() {
        for (version, format, state) in [
            (3_040_001, 2, FindingState::Warn),
            (3_051_002, 2, FindingState::Warn),
            (3_051_003, 2, FindingState::Good),
            (3_040_001, 1, FindingState::Good),
            (0, 2, FindingState::Good),
        ] {
            let found = finding(&head(version, format));
            assert_eq!(found.state, state, "{found:?}");
            assert!(found.says.contains(rusqlite::version()), "{found:?}");
        }
        assert!(finding(&head(3_040_001, 2)).says.starts_with("SQLite 3.40.1 wrote"));
        // Written since by one that knows nothing of these bytes.
        let mut older = head(3_040_001, 2);
        older[27] = 9;
        assert!(finding(&older).says.contains("does not say"));
    }
}
