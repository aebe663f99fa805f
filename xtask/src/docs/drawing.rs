//! Draws a host's operation, the table in friday-node, as a picture and whole; and rollouts, the table
//! in friday-core.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use friday_node::operation::drawing::{Event, State, Transition, transitions};

const HEAD: &str = "\
# A host's operation

<!-- Generated from crates/friday-node/src/operation/drawing.rs by `cargo xtask docs`. -->

What a host does between being asked and being done. A **switch** is armed: it ends confirmed, or the
host goes back alone. So is a **stop**, for a migration: it holds until something takes its place, or
the host starts its old release again. A **return** is an undo, a `back`, or a start after a reboot.
A phase that has nothing to do is skipped. friday-node's tests check that every transition it ever takes is here.

## The straight way

```mermaid
stateDiagram-v2
";

const ROLLOUTS: &str = "\
# A rollout

<!-- Generated from crates/friday-core/src/rollout/drawing.rs by `cargo xtask docs`. -->

What friday itself does from being asked to being done: one drawing for each kind of rollout. An arrow
is a step on the way; what can come between, from many phases, stands below each drawing. The
simulator's tests check that every transition ever taken is here, and that what is here is taken.
What happens on each host meanwhile is in [a host's operation](state-machine.md).

";

/// The page about rollouts.
pub fn rollouts() -> String {
    format!("{ROLLOUTS}{}", friday_core::rollout::drawing::mermaid())
}

/// The whole page about hosts.
pub fn markdown() -> String {
    let all = transitions();
    let mut page = HEAD.to_owned();
    for Transition { from, event, to } in all.iter().filter(|one| is_straight(one)) {
        // Writing to a string cannot fail.
        let _ = writeln!(page, "    {} --> {}: {}", node(*from), node(*to), event_word(*event));
    }
    page.push_str("```\n\n## Every transition\n\n| when | from | to |\n| --- | --- | --- |\n");
    let mut rows: BTreeMap<(Event, State), BTreeSet<State>> = BTreeMap::new();
    for Transition { from, event, to } in all {
        rows.entry((event, to)).or_default().insert(from);
    }
    for ((event, to), from) in rows {
        let _ = writeln!(page, "| {} | {} | {} |", event_word(event), places(from), state_word(to));
    }
    page
}

/// What happens when nothing goes wrong and nothing is skipped.
fn is_straight(one: &Transition) -> bool {
    let begins = one.event == Event::Begun;
    begins || one.event == Event::Done || one.event == Event::Confirmed
}

fn node(state: State) -> String {
    match state {
        State::Idle => "[*]".to_owned(),
        State::Ended => "Ended".to_owned(),
        State::Switch(phase) => format!("Switch{phase:?}"),
        State::Stop(phase) => format!("Stop{phase:?}"),
        State::Return(phase) => format!("Return{phase:?}"),
    }
}

fn state_word(state: State) -> String {
    match state {
        State::Idle => "idle".to_owned(),
        State::Ended => "ended".to_owned(),
        State::Switch(phase) => format!("switch: {}", format!("{phase:?}").to_lowercase()),
        State::Stop(phase) => format!("stop: {}", format!("{phase:?}").to_lowercase()),
        State::Return(phase) => format!("return: {}", format!("{phase:?}").to_lowercase()),
    }
}

/// A list that says "any return" where it names every phase of one.
fn places(mut from: BTreeSet<State>) -> String {
    let every: BTreeSet<State> = transitions().into_iter().map(|one| one.from).collect();
    let mut words = Vec::new();
    for kind in ["switch", "stop", "return"] {
        let phases = every.iter().filter(|state| kind_word(state) == kind);
        if phases.clone().all(|state| from.contains(state)) {
            from.retain(|state| kind_word(state) != kind);
            words.push(format!("any {kind}"));
        }
    }
    words.extend(from.into_iter().map(state_word));
    words.join(", ")
}

fn kind_word(state: &State) -> &'static str {
    match state {
        State::Idle => "idle",
        State::Ended => "ended",
        State::Switch(_) => "switch",
        State::Stop(_) => "stop",
        State::Return(_) => "return",
    }
}

fn event_word(event: Event) -> &'static str {
    match event {
        Event::Begun => "begun",
        Event::Done => "done",
        Event::Skipped => "skipped",
        Event::Failed => "failed",
        Event::TimedOut => "timed out",
        Event::Confirmed => "confirmed",
        Event::Raised => "higher fence",
        Event::Rebooted => "rebooted",
        Event::Replaced => "replaced",
    }
}
