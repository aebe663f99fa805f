//! Invariants: what must hold in a database. The rule is judged here, so that it is the same wherever it is asked.

use serde::{Deserialize, Serialize};

/// A question to a database, and what its answer must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invariant {
    /// What people call it.
    pub name: String,
    /// One statement that reads.
    pub sql: String,
    /// What must hold.
    pub rule: Rule,
    /// How long it may take, milliseconds.
    pub timeout_ms: u64,
}

/// What an invariant's answer must be. Numbers are decimal text, as people wrote them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Rule {
    /// No rows. Rows that come are what broke it.
    NoRows,
    /// One number within bounds, which belong to what is allowed.
    Between {
        /// At least; `None`: no bound.
        least: Option<String>,
        /// At most; `None`: no bound.
        most: Option<String>,
    },
    /// One number that has not changed by more than so much since the restore point, or the drill's target.
    Change {
        /// Percent of what it was then, up or down.
        percent: String,
        /// What it was; `None`: not known yet, and then it holds and is noted.
        was: Option<String>,
    },
}

/// What a rule makes of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum InvariantResult {
    /// It holds.
    Holds {
        /// The number, where the rule is of one.
        value: Option<String>,
    },
    /// It does not.
    Broken {
        /// How many rows came; 1 for a number.
        rows: u64,
        /// The number, where the rule is of one.
        value: Option<String>,
        /// The file on the database's host that lists the first rows' keys.
        listed: Option<String>,
    },
    /// It could not be asked: no verdict, which counts as broken.
    Failed {
        /// Why.
        why: String,
    },
}

/// One invariant, judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// Which.
    pub name: String,
    /// How.
    pub result: InvariantResult,
    /// How long it took, milliseconds.
    pub ms: u64,
}

impl Judged {
    /// Whether it is known to hold.
    pub fn holds(&self) -> bool {
        matches!(self.result, InvariantResult::Holds { .. })
    }
}

impl Rule {
    /// Whether it asks for one number, not for rows.
    pub fn is_of_a_number(&self) -> bool {
        !matches!(self, Self::NoRows)
    }

    /// Judges a count of rows.
    pub fn judge_rows(rows: u64, listed: Option<String>) -> InvariantResult {
        match rows {
            0 => InvariantResult::Holds { value: None },
            rows => InvariantResult::Broken { rows, value: None, listed },
        }
    }

    /// Judges a number, as the database printed it.
    pub fn judge_number(&self, printed: &str) -> InvariantResult {
        let value = Some(printed.to_owned());
        let Some(number) = finite(printed) else {
            return InvariantResult::Failed { why: format!("`{printed}` is not a number") };
        };
        let within = match self {
            Self::NoRows => return InvariantResult::Failed { why: "it asks for rows".to_owned() },
            Self::Between { least, most } => {
                let above = least
                    .as_deref()
                    .map(finite)
                    .is_none_or(|least| least.is_some_and(|least| number >= least));
                let below = most
                    .as_deref()
                    .map(finite)
                    .is_none_or(|most| most.is_some_and(|most| number <= most));
                above && below
            }
            Self::Change { percent, was } => match (finite(percent), was.as_deref().map(finite)) {
                (Some(_), None) => true,
                (Some(percent), Some(Some(was))) => {
                    (number - was).abs() <= was.abs() * percent / 100.0
                }
                (None, _) | (_, Some(None)) => false,
            },
        };
        if within {
            InvariantResult::Holds { value }
        } else {
            InvariantResult::Broken { rows: 1, value, listed: None }
        }
    }
}

fn finite(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::{InvariantResult, Rule};

    fn between(least: Option<&str>, most: Option<&str>) -> Rule {
        Rule::Between { least: least.map(str::to_owned), most: most.map(str::to_owned) }
    }

    fn change(percent: &str, was: Option<&str>) -> Rule {
        Rule::Change { percent: percent.to_owned(), was: was.map(str::to_owned) }
    }

    fn holds(rule: &Rule, printed: &str) -> bool {
        matches!(rule.judge_number(printed), InvariantResult::Holds { .. })
    }

    #[test]
    fn bounds_belong_to_what_is_allowed() {
        let rule = between(Some("0"), Some("10.5"));
        assert!(holds(&rule, "0") && holds(&rule, "10.5") && holds(&rule, "-0.0"));
        assert!(!holds(&rule, "-0.01") && !holds(&rule, "10.51"));
        assert!(holds(&between(None, Some("1")), "-1e9"));
    }

    #[test]
    fn a_change_is_measured_from_what_was_and_anything_holds_before_that_is_known() {
        assert!(holds(&change("5", Some("200")), "210") && holds(&change("5", Some("200")), "190"));
        assert!(!holds(&change("5", Some("200")), "210.1"));
        assert!(holds(&change("0", Some("-4")), "-4") && !holds(&change("50", Some("0")), "1"));
        assert!(holds(&change("5", None), "77"));
    }

    #[test]
    fn what_is_no_number_is_no_verdict() {
        for printed in ["", "NaN", "inf", "many"] {
            let result = between(None, None).judge_number(printed);
            assert!(matches!(result, InvariantResult::Failed { .. }), "{printed}: {result:?}");
        }
    }
}
