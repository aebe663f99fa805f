//! The values of calendars and rotas: names, dates, hours, turns and rules.

use friday_time::{Handoff, Hours, Recurrence, Unclear, When};

use super::Reading;
use crate::config::document::{Node, Value};
use crate::config::problem::Fault;

/// The most letters of a name.
const NAME_LEN_MAX: usize = 64;

impl Reading<'_> {
    /// Names, each once. None at all is a mistake.
    pub(crate) fn names(&self, node: &Node) -> Result<Vec<String>, Vec<Fault>> {
        if let Value::Text(text) = &node.value {
            return Err(vec![self.mismatch(node).hint(format!("write [\"{text}\"]"))]);
        }
        let mut seen: Vec<String> = Vec::new();
        self.each(node, |item| {
            let Value::Text(text) = &item.value else {
                return Err(self.fault(item, "each name is a string"));
            };
            let name = text.trim();
            if name.is_empty() || name.len() > NAME_LEN_MAX || name.contains(char::is_control) {
                return Err(self.fault(item, format!("`{}` is no name", text.escape_debug())));
            }
            if seen.iter().any(|other| other == name) {
                return Err(self.fault(item, format!("`{name}` stands twice")));
            }
            seen.push(name.to_owned());
            Ok(name.to_owned())
        })
    }

    /// A date, or a date and a time; TOML's own are taken, too.
    pub(crate) fn when(&self, node: &Node) -> Result<When, Fault> {
        let text = match &node.value {
            Value::Text(text) => text.clone(),
            Value::Moment(text) => text.clone(),
            _ => return Err(self.mismatch(node)),
        };
        When::parse(&text).map_err(|unclear| self.unclear(node, &unclear))
    }

    /// Hours of duty.
    pub(crate) fn hours(&self, node: &Node) -> Result<Hours, Fault> {
        let text = self.text(node)?;
        Hours::parse(&text).map_err(|unclear| self.unclear(node, &unclear))
    }

    /// When turns change hands.
    pub(crate) fn handoff(&self, node: &Node) -> Result<Handoff, Fault> {
        let text = self.text(node)?;
        Handoff::parse(&text).map_err(|unclear| self.unclear(node, &unclear))
    }

    /// When something is again.
    pub(crate) fn repeat(&self, node: &Node) -> Result<Recurrence, Fault> {
        let text = self.text(node)?;
        Recurrence::parse(&text).map_err(|unclear| self.unclear(node, &unclear))
    }

    /// What is wrong, at its place within the text.
    fn unclear(&self, node: &Node, unclear: &Unclear) -> Fault {
        // Behind the opening quote; a text with escapes in it is marked as a whole.
        let (start, end) =
            (node.span.start + 1 + unclear.at.start, node.span.start + 1 + unclear.at.end);
        let fits = start < end && end < node.span.end;
        let span = if fits { start..end } else { node.span.clone() };
        Fault::at(span, format!("`{}`: {unclear}", self.key)).hint(unclear.hint.clone())
    }
}
