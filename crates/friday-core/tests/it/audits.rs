//! The audit finds nothing in a journal as friday writes it, and every breach that is planted in one.

use friday_core::audit::audit;
use friday_core::controller::input::Way;
use friday_core::journal::event::End;
use friday_core::journal::finding::{Fact, Gate, GateResult};
use friday_core::journal::round::{HostAnswer, RoundAsk};
use friday_core::journal::{Event, Position, Record};
use friday_core::time::Timestamp;
use friday_wire::{Fault, Fence, HostName, Quarantined, RolloutId, StartId};

use crate::scene::{Scene, release};

/// A push of five hosts that became stable.
fn stable() -> Vec<Event> {
    let mut scene = Scene::with_hosts(5);
    let plan = scene.plan();
    let _ = scene.push("push", plan);
    scene.run();
    assert_eq!(scene.end("push"), &End::Stable);
    scene.events()
}

fn records(events: &[Event]) -> Vec<Record> {
    let mut position = Position::START;
    let mut records = Vec::new();
    for event in events {
        let record = Record::after(&position, Timestamp(0), event);
        position = record.position();
        records.push(record);
    }
    records
}

/// The promises that a journal shows broken.
fn broken(events: &[Event]) -> Vec<u8> {
    let findings = audit(&records(events)).expect("every record opens");
    findings.iter().map(|finding| finding.promise).collect()
}

fn place(events: &[Event], is_it: impl Fn(&Event) -> bool) -> usize {
    events.iter().position(is_it).expect("it is in the journal")
}

fn is_wave(event: &Event) -> bool {
    matches!(event, Event::WaveBegun { .. })
}

fn push() -> RolloutId {
    RolloutId::new("push")
}

#[test]
fn a_journal_as_friday_writes_it_breaks_no_promise() {
    assert_eq!(broken(&stable()), Vec::<u8>::new());
}

#[test]
fn a_wave_without_a_way_back_is_found_and_named_by_its_record() {
    let mut events = stable();
    let gate = |event: &Event| matches!(event, Event::GateJudged { gate: Gate::WayBack, .. });
    let at = place(&events, gate);
    events.remove(at);
    let first_wave = place(&events, is_wave);
    let findings = audit(&records(&events)).expect("every record opens");
    assert_eq!(findings.len(), 2, "each of the two waves");
    assert_eq!((findings[0].promise, findings[0].seq), (1, first_wave as u64 + 1));
}

#[test]
fn a_way_back_that_was_judged_and_failed_is_none() {
    let mut events = stable();
    for event in &mut events {
        if let Event::GateJudged { gate: Gate::WayBack, result, .. } = event {
            *result = GateResult::Inconclusive;
        }
    }
    assert_eq!(broken(&events), [1, 1]);
}

#[test]
fn more_hosts_out_than_the_plan_allows_are_found() {
    let mut events = stable();
    // Of five hosts two may be out. Whoever is done comes back in; take that from the journal.
    let done =
        |event: &Event| matches!(event, Event::HostDone { host, .. } if host.as_str() != "web-2");
    events.retain(|event| !done(event));
    let found = broken(&events);
    assert_eq!(found, [2, 2], "the fourth and the fifth host");
}

#[test]
fn hosts_that_served_before_a_resume_and_not_after_it_do_not_count() {
    let mut events = stable();
    let wave = place(&events, is_wave);
    let resumed = Event::Resumed { rollout: push(), start: StartId::new("s2"), way: Way::Forward };
    events.insert(wave, resumed);
    let mut steps = Vec::new();
    events.retain(|event| {
        let is_step = matches!(event, Event::StepBegun { .. });
        if is_step {
            steps.push(event.clone());
        }
        !is_step
    });
    // All five at once, and nobody answered after the resume that it serves.
    let at = wave + 2;
    events.splice(at..at, steps);
    assert_eq!(broken(&events), Vec::<u8>::new());
}

/// A first release was switched everywhere, nobody confirmed it, and it was taken off again while a resumed
/// push waited: all hosts may be switched at once, as the first time.
#[test]
fn hosts_that_went_back_to_nothing_do_not_count() {
    let mut events = stable();
    let raises =
        |event: &Event| matches!(event, Event::RoundBegun { ask: RoundAsk::RaiseWave, .. });
    let from = place(&events, raises);
    for event in &mut events[from..] {
        if let Event::HostAnswered { answer: HostAnswer::Head { head }, .. } = event {
            head.current = None;
        }
    }
    let done = |event: &Event| matches!(event, Event::HostDone { .. });
    events.retain(|event| !done(event));
    assert_eq!(broken(&events), Vec::<u8>::new());
}

#[test]
fn a_quarantined_release_in_a_wave_is_found_and_a_lifted_one_is_not() {
    for active in [true, false] {
        let mut events = stable();
        let (fence, reason) = (Fence::zero(), "it lost orders".to_owned());
        let entry = Quarantined { fence, tree: None, reason, active };
        let fact = Fact::Quarantine { entries: [(release(2), entry)].into() };
        events.insert(place(&events, is_wave), Event::Observed { fact });
        let wanted: &[u8] = if active { &[3, 3] } else { &[] };
        assert_eq!(broken(&events), wanted);
    }
}

#[test]
fn stable_with_a_host_unobserved_is_found() {
    let events = stable();
    let observes =
        |event: &Event| matches!(event, Event::RoundBegun { ask: RoundAsk::Observe, .. });
    let from = place(&events, observes);
    let unseen = from
        + place(&events[from..], |event| {
            matches!(event, Event::HostAnswered { answer: HostAnswer::Seen { .. }, .. })
        });
    let mut without = events.clone();
    without.remove(unseen);
    assert_eq!(broken(&without), [6]);

    let mut silent = events;
    if let Event::HostAnswered { answer, .. } = &mut silent[unseen] {
        *answer = HostAnswer::Unknown { why: "no answer in time".to_owned() };
    }
    assert_eq!(broken(&silent), [6]);
}

#[test]
fn an_observation_before_the_last_round_does_not_count() {
    let mut events = stable();
    let ended = |event: &Event| matches!(event, Event::RolloutEnded { .. });
    let asked_again = Event::RoundBegun {
        rollout: push(),
        round: 99,
        ask: RoundAsk::Observe,
        hosts: Vec::new(),
        deadline: Timestamp(0),
    };
    events.insert(place(&events, ended), asked_again);
    assert_eq!(broken(&events), [6]);
}

#[test]
fn verdicts_without_evidence_are_found() {
    let host = || HostName::new("web-1");
    let bare = [
        Event::GateJudged {
            rollout: push(),
            gate: Gate::Lease,
            result: GateResult::Pass,
            says: String::new(),
        },
        Event::HostFailed {
            rollout: push(),
            host: host(),
            why: String::new(),
            log: Vec::new(),
            fault: Fault::Release,
        },
        Event::HostLeft { rollout: push(), host: host(), why: String::new() },
        Event::Held { rollout: push(), reasons: Vec::new() },
        Event::RolloutEnded { rollout: push(), end: End::Refused { reasons: Vec::new() } },
        Event::RolloutEnded { rollout: push(), end: End::Unreachable { reasons: Vec::new() } },
        Event::RolloutEnded { rollout: push(), end: End::NotSwitched { reasons: Vec::new() } },
    ];
    for event in bare {
        let mut events = stable();
        events.insert(events.len() - 1, event.clone());
        assert_eq!(broken(&events), [10], "{event:?}");
    }
}

#[test]
fn a_record_that_does_not_open_is_an_error() {
    let mut records = records(&stable());
    records[3].body = r#"{"kind":"from_the_future"}"#.to_owned();
    let error = audit(&records).expect_err("it is no event of this version");
    assert!(error.to_string().starts_with("record 4 "), "{error}");
}
