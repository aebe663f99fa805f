//! Files that a reader can hold in mind.

use super::problem::Problem;
use super::source::Source;

/// Above this a file has to say in its header why it is long.
const LINES_PLAIN_MAX: usize = 600;
/// Above this no reason helps.
const LINES_MAX: usize = 800;
/// Tests are read one at a time.
const LINES_TEST_MAX: usize = 1_200;
/// How the reason begins, in the header.
const REASON: &str = "//! Long because";

/// Refuses a file that is too long.
pub fn check(source: &Source) -> Option<Problem> {
    let lines = source.text.lines().count();
    let problem = |mend: String| Some(Problem::new(&source.path, lines, "file length", mend));
    if source.is_test() {
        return (lines > LINES_TEST_MAX)
            .then(|| problem(format!("{lines} lines; split it by what is tested")))?;
    }
    if lines > LINES_MAX {
        return problem(format!("{lines} lines; split it: one noun for each file"));
    }
    let explained = source.text.lines().any(|line| line.starts_with(REASON));
    if lines > LINES_PLAIN_MAX && !explained {
        return problem(format!("{lines} lines; split it, or say `{REASON} …` in its header"));
    }
    None
}
