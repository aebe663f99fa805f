//! Lists: every entry that is wrong is told, not only the first.

use friday_wire::RoleName;
use friday_wire::manifest::is_inside;
use friday_wire::process::is_name;

use super::{ENTRIES_MAX, Reading, whole};
use crate::config::document::{Node, Value};
use crate::config::host::{WrittenHost, expand};
use crate::config::problem::Fault;
use crate::rollout::wave::WaveSize;

impl Reading<'_> {
    /// One duration or several, milliseconds; at least one.
    pub(crate) fn durations(&self, node: &Node) -> Result<Vec<u64>, Vec<Fault>> {
        match &node.value {
            Value::List(_) => self.each(node, |item| self.duration(item)),
            _ => self.duration(node).map(|ms| vec![ms]).map_err(|fault| vec![fault]),
        }
    }

    /// Wave sizes: each more than the one before, where that can be known without the hosts.
    pub(crate) fn waves(&self, node: &Node) -> Result<Vec<WaveSize>, Vec<Fault>> {
        let sizes = self.each(node, |item| self.wave(item))?;
        let Value::List(items) = &node.value else { return Ok(sizes) };
        let pairs = sizes.windows(2).zip(items.windows(2));
        let faults: Vec<Fault> = pairs
            .filter(|(sizes, _)| match (sizes[0], sizes[1]) {
                (WaveSize::Hosts(a), WaveSize::Hosts(b)) => b <= a,
                (WaveSize::Percent(a), WaveSize::Percent(b)) => b <= a,
                (WaveSize::Hosts(_), WaveSize::Percent(_))
                | (WaveSize::Percent(_), WaveSize::Hosts(_)) => false,
            })
            .map(|(_, items)| {
                self.fault(&items[1], "this wave would take no further host")
                    .label("not more than the one before")
                    .hint("sizes count the hosts reached in all: [\"1\", \"10%\", \"33%\"]")
            })
            .collect();
        if faults.is_empty() { Ok(sizes) } else { Err(faults) }
    }

    fn wave(&self, node: &Node) -> Result<WaveSize, Fault> {
        let size = match &node.value {
            Value::Integer(number) => u32::try_from(*number).ok().map(WaveSize::Hosts),
            Value::Text(text) => match text.strip_suffix('%') {
                Some(percent) => whole(percent).map(WaveSize::Percent),
                None => whole(text).map(WaveSize::Hosts),
            },
            _ => None,
        };
        let hint = "a number of hosts, \"1\", or a percentage of the fleet, \"10%\"";
        match size {
            None => Err(self.fault(node, "this is not a wave's size").hint(hint)),
            Some(WaveSize::Hosts(0) | WaveSize::Percent(0)) => {
                Err(self.fault(node, "a wave has at least one host").hint(hint))
            }
            Some(WaveSize::Percent(101..)) => {
                Err(self.fault(node, "a wave is at most 100 % of the fleet").hint(hint))
            }
            Some(size) => Ok(size),
        }
    }

    /// Paths inside the release, each once.
    pub(crate) fn inside(&self, node: &Node) -> Result<Vec<String>, Vec<Fault>> {
        // None is a choice too: an environment may share nothing where the base does.
        if node.value == Value::List(Vec::new()) {
            return Ok(Vec::new());
        }
        let mut seen: Vec<String> = Vec::new();
        self.each(node, |item| {
            let Value::Text(text) = &item.value else {
                return Err(self.fault(item, "each path is a string"));
            };
            let path = text.strip_suffix('/').unwrap_or(text);
            if !is_inside(path) || path.contains(char::is_control) {
                let what = format!("`{text}` does not stay inside the release");
                return Err(self
                    .fault(item, what)
                    .hint("relative, without `.` and `..`: \"uploads\""));
            }
            if seen.iter().any(|other| other == path) {
                return Err(self.fault(item, format!("`{path}` stands twice")));
            }
            seen.push(path.to_owned());
            Ok(path.to_owned())
        })
    }

    /// Roles, each once.
    pub(crate) fn roles(&self, node: &Node) -> Result<Vec<RoleName>, Vec<Fault>> {
        let mut seen: Vec<RoleName> = Vec::new();
        self.each(node, |item| {
            let Value::Text(text) = &item.value else {
                return Err(self.fault(item, "each role is a string"));
            };
            if !is_name(text) {
                return Err(self.fault(item, format!("`{text}` is not a name for a role")));
            }
            let role = RoleName::new(text.clone());
            if seen.contains(&role) {
                return Err(self.fault(item, format!("`{text}` stands twice")));
            }
            seen.push(role.clone());
            Ok(role)
        })
    }

    /// A role's hosts, written out, each with the place of the text that names it.
    pub(crate) fn hosts(
        &self,
        node: &Node,
    ) -> Result<Vec<(WrittenHost, std::ops::Range<usize>)>, Vec<Fault>> {
        if let Value::Text(text) = &node.value {
            return Err(vec![self.mismatch(node).hint(format!("write [\"{text}\"]"))]);
        }
        let hosts = self.each(node, |item| {
            let Value::Text(text) = &item.value else {
                return Err(self.fault(item, "each host is a string"));
            };
            let hosts = expand(text).map_err(|error| {
                let message = format!("`{text}` names no host: {error}");
                Fault::at(item.span.clone(), message).hint(error.hint())
            })?;
            Ok(hosts.into_iter().map(|host| (host, item.span.clone())).collect::<Vec<_>>())
        })?;
        Ok(hosts.concat())
    }

    /// Reads each item of a list that is not empty, and tells all faults.
    pub(super) fn each<T>(
        &self,
        node: &Node,
        mut read: impl FnMut(&Node) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Vec<Fault>> {
        let Value::List(items) = &node.value else { return Err(vec![self.mismatch(node)]) };
        if items.is_empty() {
            return Err(vec![self.fault(node, "the list is empty")]);
        }
        if items.len() > ENTRIES_MAX {
            let what = format!("the list has more than {ENTRIES_MAX} entries");
            return Err(vec![self.fault(node, what)]);
        }
        let mut faults = Vec::new();
        let values = items
            .iter()
            .filter_map(|item| read(item).map_err(|fault| faults.push(fault)).ok())
            .collect();
        if faults.is_empty() { Ok(values) } else { Err(faults) }
    }
}
