//! Numbers as people read them.

/// `1 host`, `3 hosts`. The one place where a plural is made.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// A length of time, milliseconds in: `0.4 s`, `12 s`, `5 min`, `1 h 5 min`, `3 d 2 h`.
pub fn duration(ms: u64) -> String {
    let secs = ms / 1_000;
    // What took any time at all did not take none.
    let tenths = (ms.saturating_add(50) / 100).max(1);
    match secs {
        0..=9 if !ms.is_multiple_of(1_000) => format!("{}.{} s", tenths / 10, tenths % 10),
        0..=119 => format!("{secs} s"),
        120..=3_599 => with_rest(secs / 60, "min", secs % 60, "s"),
        3_600..=172_799 => with_rest(secs / 3_600, "h", secs % 3_600 / 60, "min"),
        _ => with_rest(secs / 86_400, "d", secs % 86_400 / 3_600, "h"),
    }
}

fn with_rest(whole: u64, unit: &str, rest: u64, rest_unit: &str) -> String {
    if rest == 0 { format!("{whole} {unit}") } else { format!("{whole} {unit} {rest} {rest_unit}") }
}

/// A number of bytes: `512 B`, `1.4 MB`, `23 GB`. Decimal units, as `df -H` and disk makers use.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut unit = 0;
    let mut tenths = u128::from(bytes) * 10;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1_000;
        unit += 1;
    }
    if unit == 0 || tenths >= 100 {
        format!("{} {}", tenths / 10, UNITS[unit])
    } else {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    }
}

/// Names in a sentence: `web-1`, `web-2` and 3 more.
pub fn names<'a>(names: impl IntoIterator<Item = &'a str>, most: usize) -> String {
    let all: Vec<&str> = names.into_iter().collect();
    let shown: Vec<String> = all.iter().take(most).map(|name| format!("`{name}`")).collect();
    match all.len().saturating_sub(most) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests;
