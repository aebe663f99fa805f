//! Columns that line up.

use super::text::{Ink, Text};

/// Between columns.
const GAP: usize = 2;

/// A table with a head.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Vec<Text>>,
}

impl Table {
    /// With these column heads.
    pub fn new(heads: &[&str]) -> Self {
        Self { rows: vec![heads.iter().map(|head| Text::new().ink(Ink::Faint, head)).collect()] }
    }

    /// Adds a row; missing cells are empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Text>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The lines.
    pub fn rows(&self) -> Vec<Text> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(Text::width).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let line = |row: &Vec<Text>| {
            let last = row.iter().rposition(|cell| cell.width() > 0).map_or(0, |at| at + 1);
            row.iter().take(last).enumerate().fold(Text::new(), |line, (at, cell)| {
                let cell = cell.clone();
                line.append(if at + 1 < last { cell.pad_to(widths[at] + GAP) } else { cell })
            })
        };
        self.rows.iter().map(line).collect()
    }
}
