//! The rules of time zones, as this machine has them: its updates keep them, and laws on clocks change.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use friday_wire::timetable::is_zone_name;
use friday_wire::{Manifest, Times, Timetable};

/// Where every system keeps them.
const DATABASE: &str = "/usr/share/zoneinfo";

/// The longest file of rules; the longest there is has 4 KiB.
const RULES_LEN_MAX: u64 = 256 * 1024;

/// The times of a timetable by this machine's rules.
///
/// # Errors
/// One sentence, with what is missing.
pub fn times(table: &Timetable) -> Result<Times, String> {
    let rules = table.timezone.as_deref().map(rules).transpose()?;
    table.times(rules.as_deref()).map_err(|error| error.to_string())
}

/// Whether the zones of all jobs of a release are known here.
///
/// # Errors
/// One sentence, with what is missing.
pub fn check(manifest: &Manifest) -> Result<(), String> {
    let tables = manifest.run.processes.named.values().filter_map(|spec| spec.timetable.as_ref());
    tables.map(times).try_for_each(|times| times.map(drop))
}

fn rules(name: &str) -> Result<Vec<u8>, String> {
    let path = Path::new(DATABASE).join(name);
    let missing = |why: String| {
        format!(
            "this host does not know the time zone `{name}` (`{}`: {why}); the package tzdata has it",
            path.display()
        )
    };
    if !is_zone_name(name) {
        return Err(format!("`{name}` is not the name of a time zone"));
    }
    let file = File::open(&path).map_err(|error| missing(error.to_string()))?;
    let mut rules = Vec::new();
    file.take(RULES_LEN_MAX).read_to_end(&mut rules).map_err(|error| missing(error.to_string()))?;
    Ok(rules)
}
