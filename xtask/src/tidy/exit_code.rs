//! Every exit status is in the reference, with the number the code gives it.

use std::path::Path;

use super::problem::Problem;
use super::source::Source;

const ENUM_FILE: &str = "crates/friday/src/exit.rs";
const REFERENCE: &str = "docs/reference/exit-codes.md";

/// Compares the enum with the reference; silent while there is no enum.
pub fn check(sources: &[Source]) -> Vec<Problem> {
    let find = |path: &str| sources.iter().find(|source| source.path == Path::new(path));
    let Some(codes) = find(ENUM_FILE) else { return Vec::new() };
    let reference = find(REFERENCE).map(|source| source.text.as_str()).unwrap_or_default();
    compare(&codes.code, reference)
}

/// Variants `Name = 5,` against rows `| 5 | … |`.
pub fn compare(code: &str, reference: &str) -> Vec<Problem> {
    let rows: Vec<&str> = reference.lines().filter_map(row_number).collect();
    let variants: Vec<(usize, &str)> = code
        .lines()
        .enumerate()
        .filter_map(|(number, line)| Some((number + 1, variant_number(line)?)))
        .collect();
    let missing = variants.iter().filter(|(_, code)| !rows.contains(code)).map(|(line, code)| {
        let mend = format!("status {code} has no row in {REFERENCE}");
        Problem::new(Path::new(ENUM_FILE), *line, "exit status", mend)
    });
    let unknown =
        rows.iter().filter(|row| !variants.iter().any(|(_, code)| code == *row)).map(|row| {
            let mend = format!("status {row} is not in {ENUM_FILE}");
            Problem::new(Path::new(REFERENCE), 1, "exit status", mend)
        });
    missing.chain(unknown).collect()
}

fn variant_number(line: &str) -> Option<&str> {
    let (name, number) = line.trim().strip_suffix(',')?.split_once(" = ")?;
    let is_name = name.chars().all(char::is_alphanumeric) && name.starts_with(char::is_uppercase);
    (is_name && number.chars().all(|digit| digit.is_ascii_digit())).then_some(number)
}

fn row_number(line: &str) -> Option<&str> {
    let cell = line.strip_prefix('|')?.split('|').next()?.trim().trim_matches('`');
    (!cell.is_empty() && cell.chars().all(|digit| digit.is_ascii_digit())).then_some(cell)
}
