//! Medians, as a table for `docs/benchmarks.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::peer::Row;

/// Reads what was recorded, and prints its tables.
///
/// # Errors
/// When a file cannot be read.
pub fn print_files(files: &[&str]) -> Result<(), String> {
    let mut rows = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        for line in text.lines() {
            let row: Row =
                serde_json::from_str(line).map_err(|error| format!("{file}: {error}"))?;
            rows.push(row);
        }
    }
    crate::print(&of(&rows));
    Ok(())
}

/// One table for each number of hosts and delay.
pub fn of(rows: &[Row]) -> String {
    let mut tables: BTreeMap<(usize, u32), Vec<&Row>> = BTreeMap::new();
    for row in rows {
        tables.entry((row.hosts, row.delay_ms)).or_default().push(row);
    }
    let mut text = String::new();
    for ((hosts, delay), rows) in tables {
        let mut tasks: Vec<&str> = Vec::new();
        let mut tools: Vec<&str> = Vec::new();
        for row in &rows {
            if !tasks.contains(&row.task.as_str()) {
                tasks.push(&row.task);
            }
            if !tools.contains(&row.tool.as_str()) {
                tools.push(&row.tool);
            }
        }
        let _ = writeln!(text, "\n{hosts} hosts, {delay} ms\n\n| | {} |", tasks.join(" | "));
        let _ = writeln!(text, "| --- |{}", " --- |".repeat(tasks.len()));
        for tool in tools {
            let cells = tasks.iter().map(|task| {
                let same = |row: &&&Row| row.tool == tool && row.task == *task;
                cell(&rows.iter().filter(same).copied().collect::<Vec<_>>())
            });
            let _ = writeln!(text, "| {tool} | {} |", cells.collect::<Vec<_>>().join(" | "));
        }
    }
    text
}

/// Wall, processor seconds of tool and hosts, megabytes sent; `(n)`: of so many calls.
fn cell(rows: &[&Row]) -> String {
    if rows.is_empty() {
        return "–".to_owned();
    }
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let sent = median(rows.iter().map(|row| row.to as f64 / 1e6));
    format!(
        "**{:.2}** / {:.2} / {:.2} / {:.2} ({})",
        median(rows.iter().map(|row| row.wall)),
        median(rows.iter().map(|row| row.tool_cpu)),
        median(rows.iter().map(|row| row.hosts_cpu)),
        sent,
        rows.len()
    )
}

/// The middle one; of an even number the mean of the two.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}
