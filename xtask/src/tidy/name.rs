//! Files and directories are named after what they define; these words define nothing.

use std::path::Path;

use super::problem::Problem;

const EMPTY_WORDS: [&str; 9] =
    ["manager", "managers", "util", "utils", "common", "helper", "helpers", "misc", "stuff"];

/// Refuses an empty word in a path.
pub fn check(path: &Path) -> Option<Problem> {
    let text = path.to_str()?;
    let word = text
        .split(['/', '-', '_', '.'])
        .find(|word| EMPTY_WORDS.contains(&word.to_lowercase().as_str()))?;
    let mend = format!("`{word}` says nothing; name the file after the noun it defines");
    Some(Problem::new(path, 1, "empty name", mend))
}
