//! The values of `[[database]]` that stand nowhere else: one host, bounds, and a change.

use super::{Kind, Reading};
use crate::config::document::{Node, Value};
use crate::config::host::{WrittenHost, expand};
use crate::config::problem::Fault;

impl Reading<'_> {
    /// One host.
    pub(crate) fn host(&self, node: &Node) -> Result<WrittenHost, Fault> {
        let text = Reading { key: self.key, kind: &Kind::Text }.text(node)?;
        let mut hosts = expand(&text).map_err(|error| {
            let message = format!("`{text}` names no host: {error}");
            Fault::at(node.span.clone(), message).hint(error.hint())
        })?;
        match (hosts.pop(), hosts.is_empty()) {
            (Some(host), true) => Ok(host),
            (Some(_), false) | (None, _) => {
                let what = format!("`{text}` is not one host but {}", hosts.len() + 1);
                Err(self.fault(node, what).hint("a database stands on one: name that"))
            }
        }
    }

    /// The least and the most, as decimal text; `None`: no bound.
    pub(crate) fn between(&self, node: &Node) -> Result<[Option<String>; 2], Fault> {
        let hint = "the least and the most: [0, 100], or [0, inf] without a most";
        let Value::List(items) = &node.value else { return Err(self.mismatch(node).hint(hint)) };
        let [least, most] = items.as_slice() else {
            let what = format!("it takes two numbers, and these are {}", items.len());
            return Err(self.fault(node, what).hint(hint));
        };
        let bounds = [self.bound(least, hint)?, self.bound(most, hint)?];
        let [low, high] = &bounds;
        if number(low).zip(number(high)).is_some_and(|(low, high)| low > high) {
            let fault = self.fault(node, "no number is within: the least is more than the most");
            return Err(fault.hint(hint));
        }
        if low.is_none() && high.is_none() {
            return Err(self.fault(node, "every number is within").hint(hint));
        }
        Ok(bounds)
    }

    fn bound(&self, node: &Node, hint: &str) -> Result<Option<String>, Fault> {
        let text = match &node.value {
            Value::Integer(number) => return Ok(Some(number.to_string())),
            Value::Number(text) => text.replace('_', ""),
            other => {
                let what = format!("{} is no bound", other.kind());
                return Err(self.fault(node, what).hint(hint));
            }
        };
        match text.parse::<f64>() {
            Ok(number) if number.is_infinite() => Ok(None),
            Ok(number) if number.is_finite() => Ok(Some(text)),
            Ok(_) | Err(_) => Err(self.fault(node, format!("`{text}` is no bound")).hint(hint)),
        }
    }

    /// Percent, as decimal text.
    pub(crate) fn change(&self, node: &Node) -> Result<String, Fault> {
        let hint = "for example \"5%\" or \"0.5%\"; \"0%\" is no change at all";
        let Value::Text(text) = &node.value else {
            let fault = self.mismatch(node);
            return Err(match &node.value {
                Value::Integer(number) => fault.hint(format!("write \"{number}%\"")),
                _ => fault.hint(hint),
            });
        };
        let is_decimal = |text: &&str| {
            let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            match text.split_once('.') {
                Some((whole, rest)) => digits(whole) && digits(rest),
                None => digits(text),
            }
        };
        match text.strip_suffix('%').filter(is_decimal) {
            Some(percent) => Ok(percent.to_owned()),
            None => Err(self.fault(node, format!("`{text}` is no percentage")).hint(hint)),
        }
    }
}

fn number(text: &Option<String>) -> Option<f64> {
    text.as_deref().and_then(|text| text.parse().ok())
}
