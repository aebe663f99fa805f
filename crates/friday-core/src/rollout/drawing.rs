//! The state machine of rollouts as a table, for the drawing in the documents. The simulator's tests
//! hold it to the truth: whatever a rollout does in some hundred worlds stands here, and what stands
//! here happens.

use std::fmt::Write;

use crate::journal::intent::Intent;
use crate::rollout::run::Rollout;

/// Before the first phase.
pub const START: &str = "start";

/// The kinds of rollouts, and what each does.
pub const KINDS: [(&str, &str); 4] = [
    ("push", "ships a release"),
    ("rollback", "takes a release off"),
    ("sweep", "makes every host what the fleet's truth says"),
    (
        "act",
        "looks, locks, quarantines, names the keeper, moves what runs once, replaces friday-host, lets a host leave, renames one",
    ),
];

/// Every transition that leads on: kind, from, to. Phases by [`Phase::name`](super::run::Phase::name).
pub const TRANSITIONS: &[(&str, &str, &str)] = &[
    ("push", START, "begun"),
    ("push", "begun", "reading"),
    ("push", "reading", "raising"),
    ("push", "raising", "sweeping first"),
    ("push", "sweeping first", "reading"),
    ("push", "raising", "opening"),
    ("push", "opening", "shipping"),
    ("push", "shipping", "staging"),
    ("push", "staging", "making restore points"),
    ("push", "making restore points", "hook before"),
    ("push", "making restore points", "storing that the migration begins"),
    ("push", "making restore points", "hook before a wave"),
    ("push", "making restore points", "raising before a wave"),
    ("push", "making restore points", "judging before"),
    ("push", "staging", "judging before"),
    ("push", "judging before", "hook before"),
    ("push", "judging before", "storing that the migration begins"),
    ("push", "judging before", "hook before a wave"),
    ("push", "judging before", "raising before a wave"),
    ("push", "storing how the migration ended", "judging after the migration"),
    ("push", "staging", "judging after the migration"),
    ("push", "judging after the migration", "hook before a wave"),
    ("push", "judging after the migration", "raising before a wave"),
    ("push", "soak", "judging after a soak"),
    ("push", "judging after a soak", "hook before a wave"),
    ("push", "judging after a soak", "raising before a wave"),
    ("push", "bake", "judging after the bake"),
    ("push", "judging after the bake", "observing"),
    ("push", "staging", "hook before"),
    ("push", "staging", "storing that the migration begins"),
    ("push", "staging", "raising before a wave"),
    ("push", "hook before", "storing that the migration begins"),
    ("push", "hook before", "raising before a wave"),
    ("push", "storing that the migration begins", "migrating"),
    ("push", "storing that the migration begins", "stopping every host"),
    ("push", "stopping every host", "migrating"),
    ("push", "migrating", "storing how the migration ended"),
    ("push", "storing how the migration ended", "raising before a wave"),
    ("push", "staging", "hook before a wave"),
    ("push", "hook before", "hook before a wave"),
    ("push", "storing how the migration ended", "hook before a wave"),
    ("push", "hook before a wave", "raising before a wave"),
    ("push", "raising before a wave", "wave"),
    ("push", "raising before a wave", "observing"),
    ("push", "wave", "soak"),
    ("push", "wave", "raising before a wave"),
    ("push", "wave", "bake"),
    ("push", "soak", "raising before a wave"),
    ("push", "wave", "hook after a wave"),
    ("push", "wave", "hook before a wave"),
    ("push", "hook after a wave", "soak"),
    ("push", "hook after a wave", "bake"),
    ("push", "hook after a wave", "hook before a wave"),
    ("push", "hook after a wave", "raising before a wave"),
    ("push", "soak", "hook before a wave"),
    ("push", "bake", "observing"),
    ("push", "observing", "closing"),
    ("push", "closing", "releasing the lease"),
    ("push", "releasing the lease", "hook after"),
    ("push", "releasing the lease", "ended"),
    ("push", "hook after", "ended"),
    ("push", "going back", "ended"),
    ("rollback", START, "begun"),
    ("rollback", "begun", "reading"),
    ("rollback", "begun", "raising"),
    ("rollback", "reading", "raising"),
    ("rollback", "raising", "opening"),
    ("rollback", "raising", "releasing the lease"),
    ("rollback", "raising", "closing"),
    ("rollback", "opening", "looking"),
    ("rollback", "opening", "migrating back"),
    ("rollback", "opening", "hosts go back"),
    ("rollback", "opening", "closing"),
    ("rollback", "looking", "migrating back"),
    ("rollback", "looking", "hosts go back"),
    ("rollback", "migrating back", "hosts go back"),
    ("rollback", "hosts go back", "observing"),
    ("rollback", "hosts go back", "closing"),
    ("rollback", "observing", "closing"),
    ("rollback", "closing", "releasing the lease"),
    ("rollback", "closing", "ended"),
    ("rollback", "releasing the lease", "ended"),
    ("sweep", START, "begun"),
    ("sweep", "begun", "reading"),
    ("sweep", "reading", "raising"),
    ("sweep", "raising", "looking"),
    ("sweep", "looking", "opening"),
    ("sweep", "looking", "ended"),
    ("sweep", "opening", "quarantining"),
    ("sweep", "opening", "hosts go back"),
    ("sweep", "quarantining", "hosts go back"),
    ("sweep", "quarantining", "shipping"),
    ("sweep", "shipping", "staging"),
    ("sweep", "shipping", "hosts go back"),
    ("sweep", "staging", "hosts go back"),
    ("sweep", "hosts go back", "observing"),
    ("sweep", "hosts go back", "closing"),
    ("sweep", "observing", "closing"),
    ("sweep", "closing", "releasing the lease"),
    ("sweep", "closing", "ended"),
    ("sweep", "releasing the lease", "ended"),
    ("act", START, "begun"),
    ("act", "begun", "reading"),
    ("act", "reading", "raising"),
    ("act", "reading", "ended"),
    ("act", "raising", "acting"),
    ("act", "acting", "acting"),
    ("act", "raising", "upgrading friday-host"),
    ("act", "upgrading friday-host", "upgrading friday-host"),
    ("act", "upgrading friday-host", "releasing the lease"),
    ("act", "raising", "leaving the fleet"),
    ("act", "leaving the fleet", "releasing the lease"),
    ("act", "raising", "taking another name"),
    ("act", "taking another name", "acting"),
    ("act", "taking another name", "releasing the lease"),
    ("act", "raising", "releasing the lease"),
    ("act", "acting", "releasing the lease"),
    ("act", "releasing the lease", "ended"),
];

/// What can come between, from many phases: kind, to, when.
pub const FROM_MANY: &[(&str, &str, &str)] = &[
    ("push", "begun", "a person resumes it forward"),
    ("push", "going back", "it fails after its first switch, is aborted, or is rolled back"),
    ("push", "held", "a person must decide"),
    ("push", "closing", "it fails, or is aborted, before its first switch"),
    ("push", "releasing the lease", "it is refused, or aborted, before anything was opened"),
    ("push", "ended", "it is refused, fenced off, or dropped before it left anything"),
    ("rollback", "begun", "a person resumes it"),
    ("rollback", "raising", "a push or a sweep raised a higher fence: it raises over it"),
    ("rollback", "held", "a person must decide"),
    ("rollback", "ended", "it yields to a higher rollback, or another takes its place"),
    ("sweep", "held", "a person must decide"),
    ("sweep", "ended", "it is refused, or fenced off"),
    ("act", "ended", "it is refused, or fenced off"),
];

/// What a rollout is called in the table.
pub fn kind(rollout: &Rollout) -> &'static str {
    match &*rollout.intent {
        Intent::Push { .. } => "push",
        Intent::Rollback { .. } => "rollback",
        Intent::Sweep { .. } => "sweep",
        Intent::Lock { .. }
        | Intent::Quarantine { .. }
        | Intent::Keeper { .. }
        | Intent::Once { .. }
        | Intent::Look { .. }
        | Intent::Members { .. }
        | Intent::Upgrade { .. } => "act",
    }
}

/// The drawings, one after the other, in Markdown.
pub fn mermaid() -> String {
    let mut page = String::new();
    for (kind, does) in KINDS {
        // Writing to a string cannot fail.
        let _ = write!(page, "## {kind}: {does}\n\n```mermaid\nstateDiagram-v2\n");
        let arrows = TRANSITIONS.iter().filter(|(of, _, _)| *of == kind);
        for (_, from, to) in arrows.clone() {
            let _ = writeln!(page, "    {} --> {}", node(from), node(to));
        }
        page.push_str("```\n\n");
        for (_, to, when) in FROM_MANY.iter().filter(|(of, _, _)| *of == kind) {
            let _ = writeln!(page, "- From many phases to **{to}**: {when}.");
        }
        page.push('\n');
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

/// A name without spaces, as the drawing language wants it.
fn node(phase: &str) -> String {
    match phase {
        START | "ended" => "[*]".to_owned(),
        _ => phase.split([' ', '-']).map(capital).collect(),
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests;
