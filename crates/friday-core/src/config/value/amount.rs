//! One of several words, sizes and shares of processors.

use super::{Kind, Reading, whole};
use crate::config::document::{Node, Value};
use crate::config::problem::Fault;

/// Units of sizes, the longest first: an ending is looked for in this order.
const UNITS: [(&str, u64); 6] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

/// Less than this is no room for a program.
const SIZE_MIN: u64 = 1 << 20;

impl Reading<'_> {
    /// One of the kind's words.
    pub(crate) fn choice(&self, node: &Node) -> Result<String, Fault> {
        let Value::Text(text) = &node.value else { return Err(self.mismatch(node)) };
        match self.kind {
            Kind::Choice(words) if words.contains(&text.as_str()) => Ok(text.clone()),
            _ => {
                let message = format!("`{}` must be {}", self.key, self.kind.expected());
                Err(Fault::at(node.span.clone(), message).label(format!("`{text}` is not")))
            }
        }
    }

    /// Bytes.
    pub(crate) fn size(&self, node: &Node) -> Result<u64, Fault> {
        let hint = "for example \"512MiB\" or \"2GiB\"";
        let Value::Text(text) = &node.value else { return Err(self.mismatch(node).hint(hint)) };
        let read = UNITS.iter().find_map(|(unit, factor)| {
            let number = text.strip_suffix(unit)?.trim_end();
            u64::from(whole(number)?).checked_mul(*factor)
        });
        match read {
            Some(bytes) if bytes >= SIZE_MIN => Ok(bytes),
            Some(_) => Err(self.fault(node, "that is less than 1 MiB").hint(hint)),
            None => Err(self.fault(node, format!("`{text}` is no size")).hint(hint)),
        }
    }

    /// Percent of one processor, above 100 too.
    pub(crate) fn processors(&self, node: &Node) -> Result<u32, Fault> {
        let hint = "\"50%\" is half of one processor, \"200%\" are two";
        let Value::Text(text) = &node.value else { return Err(self.mismatch(node).hint(hint)) };
        match text.strip_suffix('%').and_then(whole) {
            Some(percent @ 1..=100_000) => Ok(percent),
            Some(_) | None => {
                Err(self.fault(node, format!("`{text}` is no share of processors")).hint(hint))
            }
        }
    }
}
