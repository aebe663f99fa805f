//! Functions fit a screen. Longer ones that exist are listed by name, and the list may only shrink.

use std::collections::BTreeMap;
use std::path::Path;

use super::problem::Problem;
use super::source::Source;

/// A screen.
const LINES_MAX: usize = 70;

/// A function as found in a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Where it begins, from 1.
    pub line: usize,
    /// From `fn` to the closing brace.
    pub lines: usize,
}

/// Compares every function with the list of long ones.
pub fn check(sources: &[Source], list: &str, list_path: &Path) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut listed: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (number, line) in list.lines().enumerate() {
        let entry = line.rsplit_once(' ').and_then(|(key, n)| Some((key, n.parse().ok()?)));
        match entry {
            Some((key, lines)) => drop(listed.insert(key, (lines, number + 1))),
            None if line.trim().is_empty() || line.starts_with('#') => {}
            None => problems.push(list_problem(list_path, number + 1, "is no `path name lines`")),
        }
    }
    for source in sources.iter().filter(|source| source.is_rust()) {
        for function in functions(&source.code).into_iter().filter(|f| f.lines > LINES_MAX) {
            let key = format!("{} {}", source.path.display(), function.name);
            let before = listed.remove(key.as_str());
            problems.extend(judge(source, &function, before, list_path));
        }
    }
    let gone = listed
        .values()
        .map(|(_, line)| list_problem(list_path, *line, "is short or gone; remove it"));
    problems.extend(gone);
    problems
}

fn judge(
    source: &Source,
    function: &Function,
    before: Option<(usize, usize)>,
    list_path: &Path,
) -> Option<Problem> {
    let Function { name, line, lines } = function;
    match before {
        Some((listed, number)) if *lines < listed => {
            Some(list_problem(list_path, number, &format!("shrank; write {lines}")))
        }
        Some((listed, _)) if *lines == listed => None,
        Some((listed, _)) => {
            let mend = format!("`{name}` grew from {listed} to {lines} lines; it may only shrink");
            Some(Problem::new(&source.path, *line, "function length", mend))
        }
        None => {
            let mend = format!("`{name}` has {lines} lines; a screen has {LINES_MAX}: split it");
            Some(Problem::new(&source.path, *line, "function length", mend))
        }
    }
}

fn list_problem(list_path: &Path, line: usize, what: &str) -> Problem {
    Problem::new(list_path, line, "function length", format!("this entry {what}"))
}

/// Every function with a body, nested ones too.
pub fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_') {
            continue;
        }
        let name: String = code[at + 3..]
            .chars()
            .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
            .collect();
        if let Some(end) = body_end(&code[at..]).filter(|_| !name.is_empty()) {
            let line = code[..at].matches('\n').count() + 1;
            let lines = code[at..at + end].matches('\n').count() + 1;
            found.push(Function { name, line, lines });
        }
    }
    found
}

/// Where the body that follows closes; `None` for a declaration without one.
fn body_end(code: &str) -> Option<usize> {
    let (mut braces, mut brackets) = (0_usize, 0_usize);
    for (at, letter) in code.char_indices() {
        match letter {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets = brackets.saturating_sub(1),
            '{' => braces += 1,
            '}' => {
                braces = braces.checked_sub(1)?;
                if braces == 0 {
                    return Some(at);
                }
            }
            // `[u8; 32]` in a signature is no end of a declaration.
            ';' if braces == 0 && brackets == 0 => return None,
            _ => {}
        }
    }
    None
}
