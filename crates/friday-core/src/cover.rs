//! Cover: who can act on a release, and when.
//!
//! Rotas give shifts; shifts are laid over each other here, and every moment of a span gets one answer with the people
//! and the rule behind it. What is not known is no cover: a feed that could not be read leaves a hole, and says so.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::time::{Span, Timestamp};

/// Who is there at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shown {
    /// Nobody.
    Gap,
    /// A rota that might say somebody could not be read.
    Unknown,
    /// Somebody, but fewer people than the rota asks for, or nobody who can do what may be needed.
    Thin,
    /// Somebody who answers a call.
    OnCall,
    /// Somebody at work.
    Attended,
}

impl Shown {
    /// Whether somebody can take a release off.
    pub fn can_act(self) -> bool {
        match self {
            Self::Attended | Self::OnCall => true,
            Self::Thin | Self::Unknown | Self::Gap => false,
        }
    }

    /// As people read it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Attended => "attended",
            Self::OnCall => "on call",
            Self::Thin => "thin",
            Self::Gap => "nobody",
            Self::Unknown => "unknown",
        }
    }
}

/// What somebody does in a shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Duty {
    /// At work, and looks.
    Attended,
    /// Comes when called.
    OnCall,
}

/// Who has a shift.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "who", rename_all = "kebab-case")]
pub enum Who {
    /// A person.
    Person {
        /// Their name.
        name: String,
    },
    /// Nobody, though the rota has a turn there.
    Nobody {
        /// Why: `anna is away`.
        why: String,
    },
    /// Nobody knows.
    Unknown {
        /// Why: `the feed is 3 d old`.
        why: String,
    },
}

/// Somebody's turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shift {
    /// Of which rota.
    pub rota: String,
    /// Whose.
    #[serde(flatten)]
    pub who: Who,
    /// When.
    #[serde(flatten)]
    pub span: Span,
    /// What they do.
    pub duty: Duty,
    /// The rule: `weekly from mon 09:00`, `an override`.
    pub rule: String,
    /// How many people the rota asks for at once; 1 but where it says more.
    pub depth: u32,
}

/// A span with one answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cover {
    /// From.
    pub from: Timestamp,
    /// To.
    pub to: Timestamp,
    /// The answer.
    pub shown: Shown,
    /// Who, each once, in the order of their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<String>,
    /// By which rule, or why nobody.
    pub says: String,
}

/// Lays shifts over each other: one answer for every moment of `range`, in order, without holes; neighbours differ.
pub fn timeline(range: Span, shifts: &[Shift]) -> Vec<Cover> {
    let mut bounds: BTreeSet<Timestamp> = BTreeSet::from([range.from, range.to]);
    let within = |at: &Timestamp| range.from < *at && *at < range.to;
    bounds.extend(shifts.iter().flat_map(|shift| [shift.span.from, shift.span.to]).filter(within));
    let bounds: Vec<Timestamp> = bounds.into_iter().collect();
    let mut waiting: Vec<&Shift> = shifts.iter().collect();
    waiting.sort_by_key(|shift| shift.span.from);
    let mut waiting = waiting.into_iter().peekable();
    // Every moment asks only the few that live.
    let mut live: Vec<&Shift> = Vec::new();
    let mut covers: Vec<Cover> = Vec::new();
    for pair in bounds.windows(2) {
        let [from, to] = pair else { continue };
        live.extend(std::iter::from_fn(|| waiting.next_if(|shift| shift.span.from <= *from)));
        live.retain(|shift| shift.span.to > *from);
        let cover = answer(Span { from: *from, to: *to }, &live);
        match covers.last_mut() {
            Some(last) if last.is_alike(&cover) => last.to = cover.to,
            _ => covers.push(cover),
        }
    }
    covers
}

impl Cover {
    fn is_alike(&self, other: &Self) -> bool {
        self.shown == other.shown && self.people == other.people && self.says == other.says
    }
}

/// The answer for a span in which nothing begins or ends.
fn answer(span: Span, live: &[&Shift]) -> Cover {
    let by = |duty: Duty| -> Vec<(&str, &Shift)> {
        let people = live.iter().filter(|shift| shift.duty == duty);
        people
            .filter_map(|shift| match &shift.who {
                Who::Person { name } => Some((name.as_str(), *shift)),
                Who::Nobody { .. } | Who::Unknown { .. } => None,
            })
            .collect()
    };
    let (attending, on_call) = (by(Duty::Attended), by(Duty::OnCall));
    let all: Vec<&(&str, &Shift)> = attending.iter().chain(&on_call).collect();
    let people: BTreeSet<&str> = all.iter().map(|(name, _)| *name).collect();
    let made = |shown, says: String| Cover {
        from: span.from,
        to: span.to,
        shown,
        people: people.iter().map(|name| (*name).to_owned()).collect(),
        says,
    };
    let Some((_, first)) = all.first() else { return made_of_nobody(live, made) };
    let asked = all.iter().map(|(_, shift)| shift.depth).max().unwrap_or(1);
    let there = u32::try_from(people.len()).unwrap_or(u32::MAX);
    let rule = format!("{}: {}", first.rota, first.rule);
    if there < asked {
        return made(Shown::Thin, format!("{rule}; {there} of {asked} people"));
    }
    made(if attending.is_empty() { Shown::OnCall } else { Shown::Attended }, rule)
}

fn made_of_nobody(live: &[&Shift], made: impl Fn(Shown, String) -> Cover) -> Cover {
    let unknown = live.iter().find_map(|shift| match &shift.who {
        Who::Unknown { why } => Some(format!("{}: {why}", shift.rota)),
        Who::Person { .. } | Who::Nobody { .. } => None,
    });
    if let Some(why) = unknown {
        return made(Shown::Unknown, why);
    }
    let nobody = live.iter().find_map(|shift| match &shift.who {
        Who::Nobody { why } => Some(format!("{}: {why}", shift.rota)),
        Who::Person { .. } | Who::Unknown { .. } => None,
    });
    made(Shown::Gap, nobody.unwrap_or_else(|| "no rota has anybody then".to_owned()))
}

#[cfg(test)]
mod tests;
