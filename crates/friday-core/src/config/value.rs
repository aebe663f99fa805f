//! Kinds of values: what each key takes, how it is read, and what is said when it is something else.

mod amount;
mod calendar;
mod database;
mod job;
mod list;
pub(crate) mod process;

use core::net::SocketAddr;
use std::ops::RangeInclusive;

use super::bandwidth::parse_bandwidth;
use super::document::{Node, Table, Value};
use super::duration::{parse_duration, show_duration};
use super::problem::Fault;
use super::settings::SecretSource;
use crate::rollout::plan::MigrationBack;

/// The most entries of a list or of a table with free keys.
pub const ENTRIES_MAX: usize = 1_000;

/// What a key takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Letters, digits, `-`, `_`, `.`; begins with a letter or digit; at most 64.
    Name,
    /// One line.
    Text,
    /// A path: one line, no control characters.
    Path,
    /// For `/bin/sh -c`; may have several lines.
    Command,
    /// `true` or `false`.
    Flag,
    /// A whole number in a range.
    Count(RangeInclusive<u32>),
    /// A duration of at least so many milliseconds.
    Duration(u64),
    /// A duration or a list of durations.
    Durations,
    /// `"1%"` to `"100%"`.
    Percent,
    /// A port.
    Port,
    /// `"8100-8199"`.
    PortRange,
    /// Bytes in a second.
    Bandwidth,
    /// An HTTP status.
    Status,
    /// The path of an HTTP request.
    HttpPath,
    /// An HTTP URL with `{host}` and `{port}`.
    Url,
    /// An address to listen on.
    Listen,
    /// Wave sizes.
    Waves,
    /// Paths inside the release.
    Inside,
    /// A variable's value.
    Variable,
    /// Where a secret comes from.
    Secret,
    /// What is declared about going back after a migration.
    MigrateBack,
    /// A role's hosts.
    Hosts,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `"512MiB"`.
    Size,
    /// `"150%"` of one processor.
    Processors,
    /// Roles.
    Roles,
    /// One process of a release, a table.
    Process,
    /// One host.
    Host,
    /// A statement of SQL; may have several lines.
    Statement,
    /// The least and the most that a number may be.
    Between,
    /// By how much a number may change, percent.
    Change,
    /// People, hosts or databases by their names.
    Names,
    /// A date, or a date and a time.
    When,
    /// Hours of duty.
    Hours,
    /// When a rota's turns change hands.
    Handoff,
    /// When something is again, by RFC 5545.
    Repeat,
    /// A time zone.
    Zone,
}

impl Kind {
    /// For sentences: "must be …".
    pub fn expected(&self) -> String {
        match self {
            Self::Name => "a name".to_owned(),
            Self::Text => "a string".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Command => "a shell command".to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::Count(range) => {
                format!("a whole number from {} to {}", range.start(), range.end())
            }
            Self::Duration(_) => "a duration".to_owned(),
            Self::Durations => "a duration or a list of durations".to_owned(),
            Self::Percent => "a percentage from \"1%\" to \"100%\"".to_owned(),
            Self::Port => "a port from 1 to 65535".to_owned(),
            Self::PortRange => "a range of ports".to_owned(),
            Self::Bandwidth => "bytes in a second, such as \"10MB/s\"".to_owned(),
            Self::Status => "an HTTP status from 100 to 599".to_owned(),
            Self::HttpPath => "a path that begins with `/`".to_owned(),
            Self::Url => "a URL".to_owned(),
            Self::Listen => "an address and a port".to_owned(),
            Self::Waves => "a list of wave sizes".to_owned(),
            Self::Inside => "a list of paths inside the release".to_owned(),
            Self::Variable => "a string".to_owned(),
            Self::Secret => "a table with one of `env`, `file` and `command`".to_owned(),
            Self::MigrateBack => "\"safe\", \"one-way\" or a table with `command`".to_owned(),
            Self::Hosts => "a list of hosts".to_owned(),
            Self::Choice(words) => {
                let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                format!("one of {}", quoted.join(", "))
            }
            Self::Size => "a size".to_owned(),
            Self::Processors => "a share of processors".to_owned(),
            Self::Roles => "a list of roles".to_owned(),
            Self::Process => "a table with `run` and `roles`".to_owned(),
            Self::Host => "a host".to_owned(),
            Self::Statement => "a statement of SQL".to_owned(),
            Self::Between => "a list of two numbers, the least and the most".to_owned(),
            Self::Change => "a percentage, such as \"5%\"".to_owned(),
            Self::Names => "a list of names".to_owned(),
            Self::When => "a date and a time".to_owned(),
            Self::Hours => "hours of duty".to_owned(),
            Self::Handoff => "a day and a time".to_owned(),
            Self::Repeat => "a rule of recurrence".to_owned(),
            Self::Zone => "a time zone".to_owned(),
        }
    }

    /// Everything that is wrong with a value of this kind. `key` is its path, for the sentences.
    pub(crate) fn check(&self, key: &str, node: &Node) -> Vec<Fault> {
        let read = Reading { key, kind: self };
        let one = |result: Result<(), Fault>| result.err().into_iter().collect();
        match self {
            Self::Name
            | Self::Text
            | Self::Path
            | Self::Command
            | Self::Statement
            | Self::HttpPath
            | Self::Url => one(read.text(node).map(|_| ())),
            Self::Host => one(read.host(node).map(|_| ())),
            Self::Between => one(read.between(node).map(|_| ())),
            Self::Change => one(read.change(node).map(|_| ())),
            Self::Names => read.names(node).err().unwrap_or_default(),
            Self::When => one(read.when(node).map(|_| ())),
            Self::Hours => one(read.hours(node).map(|_| ())),
            Self::Handoff => one(read.handoff(node).map(|_| ())),
            Self::Repeat => one(read.repeat(node).map(|_| ())),
            Self::Zone => one(read.zone(node).map(|_| ())),
            Self::Variable => one(read.variable(node).map(|_| ())),
            Self::Flag => one(read.flag(node).map(|_| ())),
            Self::Count(_) | Self::Port | Self::Status => one(read.number(node).map(|_| ())),
            Self::Duration(_) => one(read.duration(node).map(|_| ())),
            Self::Durations => read.durations(node).err().unwrap_or_default(),
            Self::Percent => one(read.percent(node).map(|_| ())),
            Self::PortRange => one(read.port_range(node).map(|_| ())),
            Self::Bandwidth => one(read.bandwidth(node).map(|_| ())),
            Self::Listen => one(read.listen(node).map(|_| ())),
            Self::Waves => read.waves(node).err().unwrap_or_default(),
            Self::Inside => read.inside(node).err().unwrap_or_default(),
            Self::Secret => one(read.secret(node).map(|_| ())),
            Self::MigrateBack => one(read.migrate_back(node).map(|_| ())),
            Self::Hosts => read.hosts(node).err().unwrap_or_default(),
            Self::Choice(_) => one(read.choice(node).map(|_| ())),
            Self::Size => one(read.size(node).map(|_| ())),
            Self::Processors => one(read.processors(node).map(|_| ())),
            Self::Roles => read.roles(node).err().unwrap_or_default(),
            Self::Process => read.process(node).err().unwrap_or_default(),
        }
    }
}

/// Reads a value as what its key takes. One method per type that comes out.
pub(crate) struct Reading<'a> {
    pub(crate) key: &'a str,
    pub(crate) kind: &'a Kind,
}

impl Reading<'_> {
    pub(super) fn mismatch(&self, node: &Node) -> Fault {
        let found = node.value.kind();
        let message = format!("`{}` must be {}, not {found}", self.key, self.kind.expected());
        Fault::at(node.span.clone(), message).label(format!("this is {found}"))
    }

    pub(super) fn fault(&self, node: &Node, what: impl std::fmt::Display) -> Fault {
        Fault::at(node.span.clone(), format!("`{}`: {what}", self.key))
    }

    /// Text, by kind: never empty, no NUL.
    pub(crate) fn text(&self, node: &Node) -> Result<String, Fault> {
        let Value::Text(text) = &node.value else {
            let fault = self.mismatch(node);
            return Err(match &node.value {
                Value::Integer(number) => fault.hint(format!("write \"{number}\"")),
                Value::Flag(flag) => fault.hint(format!("write \"{flag}\"")),
                Value::Number(number) => fault.hint(format!("write \"{number}\"")),
                _ => fault,
            });
        };
        if text.trim().is_empty() {
            return Err(self.fault(node, "it is empty").hint(match self.kind {
                Kind::Command => "name a command, or leave the key out",
                _ => "write something, or leave the key out",
            }));
        }
        let lines = matches!(self.kind, Kind::Command | Kind::Statement);
        let bad = |character: &char| {
            character.is_control() && !(lines && matches!(character, '\n' | '\t' | '\r'))
        };
        if let Some(bad) = text.chars().find(bad) {
            let shown = bad.escape_default();
            return Err(self.fault(node, format!("it has the control character `{shown}`")));
        }
        match self.kind {
            Kind::Name => self.name(node, text)?,
            Kind::HttpPath => self.http_path(node, text)?,
            Kind::Url => self.url(node, text)?,
            _ => {}
        }
        Ok(text.clone())
    }

    fn name(&self, node: &Node, text: &str) -> Result<(), Fault> {
        let fault = |what: String| {
            let hint = format!("for example \"{}\"", plain_name(text));
            Err(self.fault(node, what).hint(hint))
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if let Some(other) = text.chars().find(|character| !allowed(*character)) {
            return fault(format!(
                "`{other}` is in no name; letters, digits, `-`, `_` and `.` are"
            ));
        }
        if !text.starts_with(|character: char| character.is_ascii_alphanumeric()) {
            return fault("a name begins with a letter or a digit".to_owned());
        }
        if text.len() > 64 {
            return fault(format!("a name has at most 64 characters, and this has {}", text.len()));
        }
        Ok(())
    }

    fn http_path(&self, node: &Node, text: &str) -> Result<(), Fault> {
        if !text.starts_with('/') {
            let hint = if text.contains("://") {
                "write the path alone; a whole URL belongs to `health.outside`".to_owned()
            } else {
                format!("write \"/{text}\"")
            };
            return Err(self.fault(node, "the path does not begin with `/`").hint(hint));
        }
        if text.contains([' ', '#']) || !text.is_ascii() {
            let what = "a path in a request has no spaces, no `#` and only ASCII";
            return Err(self.fault(node, what).hint("percent-encode it: a space is `%20`"));
        }
        Ok(())
    }

    fn url(&self, node: &Node, text: &str) -> Result<(), Fault> {
        let Some(rest) = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"))
        else {
            let hint = "for example \"http://{host}:{port}/healthz\"";
            return Err(self.fault(node, "it begins with neither http:// nor https://").hint(hint));
        };
        if rest.is_empty() || rest.starts_with(['/', ':', '?', '#']) {
            let hint = "write `{host}` where each host's name belongs";
            return Err(self.fault(node, "the URL names no host").hint(hint));
        }
        if rest.contains(char::is_whitespace) || !rest.is_ascii() {
            let what = "a URL has no spaces and only ASCII";
            return Err(self.fault(node, what).hint("percent-encode it: a space is `%20`"));
        }
        let mut behind = rest;
        while let Some(at) = behind.find(['{', '}']) {
            let placeholder =
                ["{host}", "{port}"].into_iter().find(|p| behind[at..].starts_with(p));
            let Some(placeholder) = placeholder else {
                let end = behind[at..].find('}').map_or(behind.len(), |end| at + end + 1);
                let what = format!("`{}` is no placeholder", &behind[at..end]);
                return Err(self.fault(node, what).hint("there are `{host}` and `{port}`"));
            };
            behind = &behind[at + placeholder.len()..];
        }
        Ok(())
    }

    /// A variable's value: any text without NUL, also none.
    pub(crate) fn variable(&self, node: &Node) -> Result<String, Fault> {
        match &node.value {
            Value::Text(text) if text.contains('\0') => {
                Err(self.fault(node, "a variable cannot hold a NUL character"))
            }
            Value::Text(text) => Ok(text.clone()),
            _ => self.text(node),
        }
    }

    /// True or false.
    pub(crate) fn flag(&self, node: &Node) -> Result<bool, Fault> {
        match &node.value {
            Value::Flag(flag) => Ok(*flag),
            Value::Text(text) if text == "true" || text == "false" => {
                Err(self.mismatch(node).hint(format!("write {text} without quotes")))
            }
            _ => Err(self.mismatch(node)),
        }
    }

    /// A whole number in the kind's range.
    pub(crate) fn number(&self, node: &Node) -> Result<u32, Fault> {
        let range = match self.kind {
            Kind::Count(range) => range.clone(),
            Kind::Port => 1..=65_535,
            Kind::Status => 100..=599,
            _ => 0..=u32::MAX,
        };
        match &node.value {
            Value::Integer(number) => match u32::try_from(*number) {
                Ok(number) if range.contains(&number) => Ok(number),
                Ok(_) | Err(_) => {
                    let what = format!("`{}` must be {}", self.key, self.kind.expected());
                    Err(Fault::at(node.span.clone(), what).label(format!("{number} is not")))
                }
            },
            Value::Text(text)
                if text.parse::<u32>().is_ok_and(|number| range.contains(&number)) =>
            {
                Err(self.mismatch(node).hint(format!("write {text} without quotes")))
            }
            _ => Err(self.mismatch(node)),
        }
    }

    /// A duration, milliseconds.
    pub(crate) fn duration(&self, node: &Node) -> Result<u64, Fault> {
        let text = match &node.value {
            Value::Text(text) => text,
            Value::Integer(number) if *number >= 0 => {
                let hint = format!("write \"{number}s\" for seconds or \"{number}m\" for minutes");
                return Err(self.mismatch(node).hint(hint));
            }
            _ => return Err(self.mismatch(node).hint("for example \"5m\", \"90s\" or \"1h30m\"")),
        };
        let ms = parse_duration(text).map_err(|error| {
            let message = format!("`{}` is no duration: {error}", self.key);
            Fault::at(node.span.clone(), message).hint(error.hint())
        })?;
        if let Kind::Duration(least) = self.kind
            && ms < *least
        {
            let message = format!("`{}` is too short", self.key);
            return Err(Fault::at(node.span.clone(), message)
                .label(format!("at least {}", show_duration(*least))));
        }
        Ok(ms)
    }

    /// 1 to 100.
    /// A list of ssh's algorithms: names with commas between, perhaps with one of ssh's signs before.
    pub(crate) fn algorithms(&self, node: &Node) -> Result<String, Fault> {
        let text = self.text(node)?;
        let is_in_names = |c: char| c.is_ascii_alphanumeric() || "-@.,+^*?".contains(c);
        if let Some(bad) = text.chars().find(|c| !is_in_names(*c)) {
            let why = format!("`{bad}` is in no name of an algorithm");
            return Err(self.fault(node, why).hint(
                "write names as `ssh -Q kex` and `ssh -Q cipher` list them, with commas between",
            ));
        }
        Ok(text)
    }

    pub(crate) fn percent(&self, node: &Node) -> Result<u32, Fault> {
        match &node.value {
            Value::Text(text) => match text.strip_suffix('%').and_then(whole) {
                Some(percent @ 1..=100) => Ok(percent),
                Some(_) | None => {
                    let message = format!("`{}` must be {}", self.key, self.kind.expected());
                    let fault =
                        Fault::at(node.span.clone(), message).label(format!("`{text}` is not"));
                    Err(match text.as_str() {
                        "0%" => fault.hint("at least one host is taken at once: write \"1%\""),
                        text if whole(text).is_some_and(|number| number <= 100) => {
                            fault.hint(format!("write \"{text}%\""))
                        }
                        _ => fault,
                    })
                }
            },
            Value::Integer(number @ 1..=100) => {
                Err(self.mismatch(node).hint(format!("write \"{number}%\"")))
            }
            _ => Err(self.mismatch(node)),
        }
    }

    /// First and last port, at least two ports.
    pub(crate) fn port_range(&self, node: &Node) -> Result<(u16, u16), Fault> {
        let text = match &node.value {
            Value::Text(text) => text,
            Value::Integer(_) => {
                return Err(self.mismatch(node).hint("one port for all releases is `port`"));
            }
            _ => return Err(self.mismatch(node).hint("for example \"8100-8199\"")),
        };
        let port = |text: &str| whole(text.trim()).and_then(|port| u16::try_from(port).ok());
        let (first, last) = match text.split_once('-').map(|(a, b)| (port(a), port(b))) {
            Some((Some(first), Some(last))) if first > 0 => (first, last),
            _ => {
                let fault = self.fault(node, format!("`{text}` is not a range of ports"));
                return Err(fault.hint("two ports from 1 to 65535: \"8100-8199\""));
            }
        };
        if last < first {
            let fault = self.fault(node, "the range ends before it begins");
            return Err(fault.hint(format!("write \"{last}-{first}\"")));
        }
        if last == first {
            let fault = self.fault(node, "two releases need two ports");
            return Err(fault.hint(format!("write \"{first}-{}\"", last.saturating_add(9))));
        }
        Ok((first, last))
    }

    /// Bytes in a second.
    pub(crate) fn bandwidth(&self, node: &Node) -> Result<u64, Fault> {
        let Value::Text(text) = &node.value else {
            return Err(self.mismatch(node).hint("for example \"10MB/s\""));
        };
        parse_bandwidth(text).map_err(|error| {
            let fault = self.fault(node, format!("`{text}` is no bandwidth: {error}"));
            fault.hint(error.hint())
        })
    }

    /// An address with a port.
    pub(crate) fn listen(&self, node: &Node) -> Result<SocketAddr, Fault> {
        let Value::Text(text) = &node.value else {
            let fault = self.mismatch(node);
            return Err(match &node.value {
                Value::Integer(port) => fault.hint(format!("write \"0.0.0.0:{port}\"")),
                _ => fault.hint("for example \"0.0.0.0:9090\""),
            });
        };
        match text.parse::<SocketAddr>() {
            Ok(address) if address.port() > 0 => Ok(address),
            Ok(_) => Err(self.fault(node, "port 0 would be another one each time")),
            Err(_) => {
                let fault = self.fault(node, format!("`{text}` is not an address and a port"));
                Err(fault.hint("for example \"0.0.0.0:9090\", or \"127.0.0.1:9090\""))
            }
        }
    }

    /// Where a secret comes from.
    pub(crate) fn secret(&self, node: &Node) -> Result<SecretSource, Fault> {
        let hint = "for example { env = \"DATABASE_URL\" }, { file = \"secret.txt\" } or { command = \"pass show shop/db\" }";
        let Value::Table(table) = &node.value else {
            let fault = self.mismatch(node);
            return Err(match &node.value {
                Value::Text(_) => fault.hint(
                    "a secret's value never stands in the configuration; name where it comes from, "
                        .to_owned() + hint,
                ),
                _ => fault.hint(hint),
            });
        };
        let (source, text) = self.only_entry(node, table, &["env", "file", "command"], hint)?;
        if source == "env" && !is_variable(&text) {
            return Err(self.fault(node, format!("`{text}` is not the name of a variable")));
        }
        Ok(match source {
            "env" => SecretSource::Env { variable: text },
            "file" => SecretSource::File { path: text },
            _ => SecretSource::Command { command: text },
        })
    }

    /// What is declared about going back after a migration.
    pub(crate) fn migrate_back(&self, node: &Node) -> Result<MigrationBack, Fault> {
        let hint = "write \"safe\", \"one-way\" or { command = \"bin/shop migrate back\" }";
        match &node.value {
            Value::Text(text) if text == "safe" => Ok(MigrationBack::Safe),
            Value::Text(text) if text == "one-way" => Ok(MigrationBack::OneWay),
            Value::Text(text) => {
                let what = format!("`{text}` is neither \"safe\" nor \"one-way\"");
                Err(self.fault(node, what).hint(hint))
            }
            Value::Table(table) => {
                let (_, command) = self.only_entry(node, table, &["command"], hint)?;
                Ok(MigrationBack::Command { command })
            }
            _ => Err(self.mismatch(node).hint(hint)),
        }
    }

    /// The one entry of a table, one of `keys`, with text.
    fn only_entry<'k>(
        &self,
        node: &Node,
        table: &Table,
        keys: &[&'k str],
        hint: &str,
    ) -> Result<(&'k str, String), Fault> {
        let [entry] = table.entries.as_slice() else {
            let what =
                if table.entries.is_empty() { "it is empty" } else { "it names more than one" };
            return Err(self.fault(node, what).hint(hint));
        };
        let Some(key) = keys.iter().find(|key| **key == entry.key) else {
            let message = format!("`{}` has no key `{}`", self.key, entry.key);
            return Err(Fault::at(entry.key_span.clone(), message).label("unknown key").hint(hint));
        };
        let path = format!("{}.{key}", self.key);
        let kind = if *key == "command" { Kind::Command } else { Kind::Path };
        let text = Reading { key: &path, kind: &kind }.text(&entry.node)?;
        Ok((key, text))
    }
}

/// Whether a text can be the name of an environment variable.
pub(crate) fn is_variable(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|character: char| character.is_ascii_digit())
        && text.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}

/// A text with everything that is in no name replaced.
pub(crate) fn plain_name(text: &str) -> String {
    let plain: String = text
        .trim()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' })
        .take(64)
        .collect();
    let plain = plain.trim_matches(['-', '_', '.']).to_ascii_lowercase();
    if plain.is_empty() { "shop".to_owned() } else { plain }
}

/// Digits only: no sign, no space.
pub(super) fn whole(text: &str) -> Option<u32> {
    if text.is_empty() || !text.chars().all(|character| character.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}
