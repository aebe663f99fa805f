//! What the journals of many worlds show of rollouts: every transition stands in friday-core's
//! drawing, what stands there happens, and the effects owed are always what the state says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use friday_core::controller::Controller;
use friday_core::controller::index::Index;
use friday_core::journal::{Event, Position, Record};
use friday_core::rollout::drawing::{FROM_MANY, START, TRANSITIONS, kind};
use friday_core::rollout::run::Rollout;
use friday_core::state::State;
use friday_core::time::Timestamp;
use friday_sim::{Options, World, run_seed};
use friday_wire::RolloutId;

/// Kind, from, to.
type Transition = (&'static str, &'static str, &'static str);

/// With the first seed that took it.
type Taken = BTreeMap<Transition, u64>;

/// Enough for every arrow that is not in [`RARE`].
const SEEDS: u64 = 300;

/// In so many of them the effects are derived anew after every record, which is slow.
const INDEX_SEEDS: u64 = 20;

/// Arrows that so many seeds need not show, and why.
const RARE: &[(Transition, &str)] = &[
    (("push", "staging", "storing that the migration begins"), "most pushes have a hook before"),
    (("push", "raising before a wave", "observing"), "a push resumed in the moment after its bake"),
    (("push", "wave", "raising before a wave"), "a failure within the budget of twenty hosts"),
    (("push", "making restore points", "storing that the migration begins"), "as above"),
    (("push", "staging", "judging before"), "friday dies while invariants are judged before"),
    (("push", "staging", "judging after the migration"), "as above, after the migration"),
    (("push", "wave", "hook before a wave"), "the hook after a wave comes first"),
    (("push", "hook after a wave", "hook before a wave"), "a failure within the budget"),
    (("push", "hook after a wave", "raising before a wave"), "a hook after a wave and none before"),
    (("rollback", "raising", "closing"), "a rollback that was open before is refused"),
    (("rollback", "opening", "looking"), "a host of before says nothing when it opens"),
    (("rollback", "looking", "migrating back"), "as above"),
    (("rollback", "looking", "hosts go back"), "as above"),
    (("rollback", "opening", "closing"), "every host is lost while it opens"),
    (("rollback", "hosts go back", "closing"), "every host is lost while it goes back"),
    (("sweep", "opening", "hosts go back"), "every drifting host is lost while it opens"),
    (("sweep", "hosts go back", "closing"), "every host is lost while it goes back"),
    (("sweep", "closing", "ended"), "the keeper is lost at the end"),
    (("sweep", "quarantining", "shipping"), "a host that lost a release"),
    (("sweep", "shipping", "staging"), "as above"),
    (("sweep", "shipping", "hosts go back"), "as above, and it is lost too"),
    (("sweep", "staging", "hosts go back"), "as above"),
    (("act", "raising", "upgrading friday-host"), "few worlds have old host programs"),
    (
        ("act", "upgrading friday-host", "upgrading friday-host"),
        "few worlds have old host programs",
    ),
    (("act", "upgrading friday-host", "releasing the lease"), "few worlds have old host programs"),
];

/// As [`RARE`], of what comes from many phases: kind, to.
const RARE_FROM_MANY: &[(&str, &str)] = &[("sweep", "held")];

/// A record from its line in a world's journal.
fn record(line: &str) -> Record {
    let (head, body) = line.split_once(r#","body":"#).expect("the body stands last");
    let head: serde_json::Value =
        serde_json::from_str(&format!("{head}}}")).expect("what stands before it is JSON");
    let text = |name: &str| head[name].as_str().expect("text").to_owned();
    Record {
        seq: head["seq"].as_u64().expect("a number"),
        at: Timestamp(head["at"].as_i64().expect("a number")),
        prev: text("prev").parse().expect("a digest"),
        kind: text("kind"),
        body: body.strip_suffix('}').expect("an object ends").to_owned(),
    }
}

/// The rollouts that a record can move: its own, and the push that a rollback takes back.
fn moved(record: &Record, event: &Event) -> Vec<RolloutId> {
    let before = format!(r#"{{"kind":"{}","rollout":""#, record.kind);
    let own = record.body.strip_prefix(&before).and_then(|rest| rest.split_once('"'));
    let mut ids: Vec<RolloutId> = own.map(|(id, _)| RolloutId::new(id)).into_iter().collect();
    if let Event::RolloutBegun { because_of, .. } = event {
        ids.extend(because_of.clone());
    }
    ids
}

fn transition(before: Option<&Rollout>, after: &Rollout) -> Option<Transition> {
    let Some(before) = before else { return Some((kind(after), START, after.phase.name())) };
    let is_same = before.phase == after.phase && before.rounds == after.rounds;
    (!is_same).then(|| (kind(after), before.phase.name(), after.phase.name()))
}

/// Replays a journal without deciding anything, and notes what every rollout did.
fn transitions(seed: u64, journal: &str, taken: &mut Taken) {
    let mut state = State::default();
    let mut position = Position::START;
    for record in journal.lines().map(record) {
        let event = record.open(&position).expect("a record opens");
        position = record.position();
        let ids = moved(&record, &event);
        let before: Vec<Option<Arc<Rollout>>> =
            ids.iter().map(|id| state.rollouts.get(id).cloned()).collect();
        state.apply(position.clone(), record.at, &event).expect("a record follows");
        for (id, before) in ids.iter().zip(before) {
            let after = state.rollout(id);
            if let Some(one) = after.and_then(|after| transition(before.as_deref(), after)) {
                taken.entry(one).or_insert(seed);
            }
        }
    }
}

/// Journals of a seed's world.
fn journals(seed: u64) -> Vec<String> {
    let (world, _) = run_seed(seed, None, false, World::live_through);
    world.map(|world| world.journals()).unwrap_or_default()
}

/// Runs something for each seed on two threads, and puts together what came of it.
fn all_seeds<T: Send + 'static>(seeds: u64, each: fn(u64, &mut T), new: fn() -> T) -> Vec<T> {
    let worker = |worker: u64| {
        std::thread::spawn(move || {
            let mut found = new();
            (0..seeds).filter(|seed| seed % 2 == worker).for_each(|seed| each(seed, &mut found));
            found
        })
    };
    let workers = [worker(0), worker(1)];
    workers.map(|worker| worker.join().expect("a worker asserts nothing wrongly")).into()
}

#[test]
fn rollouts_do_what_is_drawn_and_nothing_else() {
    let each = |seed: u64, taken: &mut Taken| {
        for journal in journals(seed) {
            transitions(seed, &journal, taken);
        }
    };
    let taken: Taken = all_seeds(SEEDS, each, Taken::new).into_iter().flatten().collect();

    let drawn: BTreeSet<&Transition> = TRANSITIONS.iter().collect();
    let from_many =
        |one: &Transition| FROM_MANY.iter().any(|(kind, to, _)| (*kind, *to) == (one.0, one.2));
    let undrawn: Vec<_> =
        taken.iter().filter(|(one, _)| !drawn.contains(one) && !from_many(one)).collect();
    assert!(undrawn.is_empty(), "taken and not drawn (with a seed): {undrawn:?}");

    let rare: BTreeSet<&Transition> = RARE.iter().map(|(one, _)| one).collect();
    let untaken: Vec<_> =
        TRANSITIONS.iter().filter(|one| !taken.contains_key(*one) && !rare.contains(one)).collect();
    assert!(untaken.is_empty(), "drawn and never taken: {untaken:?}");
    let untaken: Vec<_> = FROM_MANY
        .iter()
        .filter(|(kind, to, _)| !RARE_FROM_MANY.contains(&(*kind, *to)))
        .filter(|(kind, to, _)| {
            !taken.keys().any(|one| (one.0, one.2) == (*kind, *to) && !drawn.contains(one))
        })
        .collect();
    assert!(untaken.is_empty(), "noted and never taken: {untaken:?}");
}

#[test]
fn what_is_rare_is_drawn() {
    let undrawn: Vec<_> = RARE.iter().filter(|(one, _)| !TRANSITIONS.contains(one)).collect();
    assert!(undrawn.is_empty(), "{undrawn:?}");
}

#[test]
fn effects_owed_are_what_the_state_says_after_every_record() {
    let each = |seed: u64, records: &mut u64| {
        let mut controller = Controller::replay(&[]).expect("an empty journal replays");
        for journal in journals(seed).iter().take(1) {
            for record in journal.lines().map(record) {
                controller.take_in(std::slice::from_ref(&record)).expect("a record follows");
                let derived = Index::derive(controller.state());
                assert!(
                    controller.owed() == derived.owed(),
                    "{}\nrecord {}: kept {:?}\nderived {:?}",
                    Options::of_seed(seed),
                    record.seq,
                    controller.owed(),
                    derived.owed()
                );
                *records += 1;
            }
        }
    };
    let records: u64 = all_seeds(INDEX_SEEDS, each, || 0).into_iter().sum();
    assert!(records > 1_000, "{records}");
}
