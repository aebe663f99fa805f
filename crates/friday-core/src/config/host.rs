//! Hosts as people write them: `deploy@web-[01-20].example.com:2222`, `local:[1-3]`.
//!
//! A name goes to `ssh` as an argument, so what it may be made of is a closed list.

use core::net::{IpAddr, Ipv6Addr};
use std::collections::VecDeque;

/// The most hosts of one configuration.
pub const HOSTS_MAX: usize = 1_000;

/// The longest name of a host, bytes; DNS has no longer ones.
const NAME_LEN_MAX: usize = 253;

/// One host, written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WrittenHost {
    /// `local:NAME`.
    Local {
        /// What stands behind the colon.
        name: String,
    },
    /// `user@host:port`.
    Ssh {
        /// Where one is written.
        user: Option<String>,
        /// IPv6 without brackets.
        host: String,
        /// Where one is written.
        port: Option<u16>,
    },
}

impl WrittenHost {
    /// The name by which the fleet knows it.
    pub fn name(&self) -> String {
        match self {
            Self::Local { name } => format!("local-{name}"),
            Self::Ssh { host, .. } => host.clone(),
        }
    }

    /// Equal for two hosts that are the same: however an address is spelled, whatever its case.
    pub fn identity(&self) -> String {
        let name = self.name();
        match name.parse::<IpAddr>() {
            Ok(address) => address.to_string(),
            Err(_) => name.trim_end_matches('.').to_ascii_lowercase(),
        }
    }
}

/// Why a text names no hosts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// Nothing there.
    #[error("the name is empty")]
    Empty,
    /// `-oProxyCommand=…` would be an option, not a host.
    #[error("a host or user does not begin with a dash")]
    Dash,
    /// A space, a control character, anything else that is in no name.
    #[error("`{}` is in no name of a host", .0.escape_default())]
    Character(char),
    /// Longer than any name.
    #[error("a host's name has at most {NAME_LEN_MAX} characters")]
    TooLong,
    /// Behind the colon.
    #[error("`{0}` is not a port from 1 to 65535")]
    Port(String),
    /// More than one colon outside brackets.
    #[error("there is more than one colon")]
    Colons,
    /// A bracket without its other half, or nothing sensible in it.
    #[error("`{0}` is not a range")]
    Range(String),
    /// `[3-1]`.
    #[error("the range `[{0}]` ends before it begins")]
    Backwards(String),
    /// `[1-99999999]`.
    #[error("that would be more than {HOSTS_MAX} hosts")]
    TooMany,
    /// In `[…]` with colons.
    #[error("`{0}` is not an IPv6 address")]
    Ipv6(String),
    /// `ssh://…`.
    #[error("this is a URL, not a host")]
    Url,
}

impl HostError {
    /// What to write instead.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Empty | Self::Character(_) | Self::Dash | Self::TooLong | Self::Url => {
                "write `user@host`, `user@host:port`, an alias of your ssh_config, or `local:1`"
            }
            Self::Port(_) => "write `user@host:2222`, or leave the port to your ssh_config",
            Self::Colons => "an IPv6 address stands in brackets: `deploy@[2001:db8::1]:22`",
            Self::Range(_) | Self::Backwards(_) => {
                "a range is two whole numbers: `web-[1-20]`, or `web-[01-20]` for two digits each"
            }
            Self::TooMany => "split the fleet into several configurations",
            Self::Ipv6(_) => "write `deploy@[2001:db8::1]`",
        }
    }
}

/// The hosts that one text names, in order.
///
/// # Errors
/// The first thing that is wrong.
pub fn expand(text: &str) -> Result<Vec<WrittenHost>, HostError> {
    if let Some(pattern) = text.strip_prefix("local:") {
        let names = ranges(pattern)?;
        names.iter().try_for_each(|name| check_name(name))?;
        return Ok(names.into_iter().map(|name| WrittenHost::Local { name }).collect());
    }
    if text.contains("://") {
        return Err(HostError::Url);
    }
    let (user, rest) = match text.split_once('@') {
        Some((user, rest)) => {
            check_name(user)?;
            (Some(user.to_owned()), rest)
        }
        None => (None, text),
    };
    let (hosts, port) = if let Some((address, port)) = ipv6(rest)? {
        (vec![address], port)
    } else {
        let (pattern, port) = split_port(rest)?;
        let hosts = ranges(pattern)?;
        hosts.iter().try_for_each(|host| check_name(host))?;
        (hosts, port)
    };
    Ok(hosts.into_iter().map(|host| WrittenHost::Ssh { user: user.clone(), host, port }).collect())
}

fn check_name(name: &str) -> Result<(), HostError> {
    if name.is_empty() {
        return Err(HostError::Empty);
    }
    if name.len() > NAME_LEN_MAX {
        return Err(HostError::TooLong);
    }
    if name.starts_with('-') {
        return Err(HostError::Dash);
    }
    // A directory is named after a local host, and `.` and `..` are no names of hosts either.
    if name.starts_with('.') {
        return Err(HostError::Character('.'));
    }
    let allowed =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '.' | '_');
    match name.chars().find(|character| !allowed(*character)) {
        Some(other) => Err(HostError::Character(other)),
        None => Ok(()),
    }
}

fn parse_port(text: &str) -> Result<u16, HostError> {
    let digits = !text.is_empty() && text.chars().all(|character| character.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port > 0 => Ok(port),
        Ok(_) | Err(_) => Err(HostError::Port(text.to_owned())),
    }
}

fn split_port(text: &str) -> Result<(&str, Option<u16>), HostError> {
    match text.split_once(':') {
        None => Ok((text, None)),
        Some((_, port)) if port.contains(':') => Err(HostError::Colons),
        Some((host, port)) => Ok((host, Some(parse_port(port)?))),
    }
}

/// `[2001:db8::1]` or `[2001:db8::1]:22`; anything without a colon in brackets is a range.
fn ipv6(text: &str) -> Result<Option<(String, Option<u16>)>, HostError> {
    let Some((address, behind)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']'))
    else {
        return Ok(None);
    };
    if !address.contains(':') {
        return Ok(None);
    }
    let address: Ipv6Addr = address.parse().map_err(|_| HostError::Ipv6(address.to_owned()))?;
    let port = match behind.strip_prefix(':') {
        Some(port) => Some(parse_port(port)?),
        None if behind.is_empty() => None,
        None => return Err(HostError::Port(behind.to_owned())),
    };
    Ok(Some((address.to_string(), port)))
}

/// Writes out every `[a-b]`, the leftmost varying slowest.
fn ranges(pattern: &str) -> Result<Vec<String>, HostError> {
    let mut todo = VecDeque::from([(String::new(), pattern)]);
    let mut written = Vec::new();
    while let Some((before, rest)) = todo.pop_front() {
        let Some((text, behind)) = rest.split_once('[') else {
            if let Some((_, stray)) = rest.split_once(']') {
                return Err(HostError::Range(format!("]{stray}")));
            }
            written.push(before + rest);
            continue;
        };
        let (range, behind) =
            behind.split_once(']').ok_or_else(|| HostError::Range(format!("[{behind}")))?;
        if text.contains(']') {
            return Err(HostError::Range(text.to_owned()));
        }
        let numbers = numbers(range)?;
        if written.len() + todo.len() + numbers.len() > HOSTS_MAX {
            return Err(HostError::TooMany);
        }
        for number in numbers.into_iter().rev() {
            todo.push_front((format!("{before}{text}{number}"), behind));
        }
    }
    Ok(written)
}

fn numbers(range: &str) -> Result<Vec<String>, HostError> {
    let wrong = || HostError::Range(format!("[{range}]"));
    let (first, last) = range.split_once('-').ok_or_else(wrong)?;
    let number = |text: &str| -> Result<u64, HostError> {
        if text.is_empty() || !text.chars().all(|character| character.is_ascii_digit()) {
            return Err(wrong());
        }
        text.parse().map_err(|_| HostError::TooMany)
    };
    let (from, to) = (number(first)?, number(last)?);
    if from > to {
        return Err(HostError::Backwards(range.to_owned()));
    }
    if to - from >= HOSTS_MAX as u64 {
        return Err(HostError::TooMany);
    }
    let padded = first.len() > 1 && first.starts_with('0');
    let width = if padded { first.len() } else { 1 };
    // Nobody means a thousand zeros.
    if width > 20 {
        return Err(wrong());
    }
    Ok((from..=to).map(|number| format!("{number:0width$}")).collect())
}

#[cfg(test)]
mod tests;
