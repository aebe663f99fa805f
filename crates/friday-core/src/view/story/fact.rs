//! What hosts knew and the journal did not, as a line.

use super::Tone;
use crate::journal::finding::Fact;
use crate::view::chronicle::Chronicle;

pub(super) fn observed(chronicle: &Chronicle, fact: &Fact) -> (Tone, String) {
    match fact {
        Fact::Stable { release, .. } => (
            Tone::Plain,
            format!(
                "learned from the hosts: {} is stable",
                chronicle.target_says(release.as_ref())
            ),
        ),
        Fact::OpenRollout { open, .. } => (
            Tone::Warn,
            format!("learned from the hosts: rollout {} of another journal is open", open.id),
        ),
        Fact::Superseded { rollout, by } => {
            (Tone::Warn, format!("learned from the hosts: a {} took over from {rollout}", by.kind))
        }
        Fact::Quarantine { entries } => {
            let active = entries.iter().filter(|(_, entry)| entry.active);
            let said: Vec<String> =
                active.map(|(release, _)| chronicle.release_says(release)).collect();
            match said.as_slice() {
                [] => (Tone::Fine, "nothing is in quarantine".to_owned()),
                some => (Tone::Plain, format!("in quarantine: {}", some.join(", "))),
            }
        }
        Fact::Lock { lock: Some(lock) } => (
            Tone::Warn,
            format!("learned from the hosts: {} locked the fleet: {}", lock.person, lock.reason),
        ),
        Fact::Lock { lock: None } => {
            (Tone::Plain, "learned from the hosts: the lock was lifted".to_owned())
        }
        Fact::Apart { hosts } if hosts.is_empty() => {
            (Tone::Plain, "learned from the hosts: none runs apart from the fleet".to_owned())
        }
        Fact::Apart { hosts } => {
            let said: Vec<String> = hosts
                .iter()
                .map(|(host, release)| format!("`{host}` runs {}", chronicle.release_says(release)))
                .collect();
            let says = format!("learned from the hosts: apart from the fleet {}", said.join(", "));
            (Tone::Plain, says)
        }
        Fact::Keeper { keeper } => {
            (Tone::Fine, format!("learned from the hosts: the keeper is `{keeper}`"))
        }
    }
}
