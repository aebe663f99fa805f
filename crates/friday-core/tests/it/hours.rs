//! What calendars and rotas say of a push: it is refused before anything is done, and where a freeze begins while it
//! runs, hosts in flight finish, no other starts, and the way back is free.

use friday_core::audit::audit;
use friday_core::controller::input::{BackTo, Command, Way};
use friday_core::journal::event::End;
use friday_core::journal::finding::{Gate, GateResult};
use friday_core::journal::intent::Intent;
use friday_core::journal::{Event, Position, Record};
use friday_core::reason::Reason;
use friday_core::rollout::plan::{Closed, Hour, HourGate, Plan};
use friday_core::rollout::run::Phase;
use friday_core::time::Span;
use friday_wire::RolloutId;

use crate::scene::Scene;

const HOUR_MS: u64 = 3_600_000;

fn said(gate: Gate, result: GateResult, says: &str) -> HourGate {
    HourGate { gate, result, says: says.to_owned(), vouched: None }
}

fn plan(scene: &Scene, gates: Vec<HourGate>, closed: Vec<Closed>) -> Plan {
    let hour = Hour { asked_at: scene.now, gates, closed, unattended_s: None, harmful_ppm: None };
    Plan { hour: Some(Box::new(hour)), ..scene.plan() }
}

fn freeze(span: Span) -> Closed {
    Closed { span, gate: Gate::Freeze, what: "the freeze `sale`".to_owned() }
}

fn sound(scene: &Scene) {
    scene.replays();
    let found = audit(&scene.journal.0).expect("it can be read");
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn what_is_not_known_refuses_as_what_is_wrong_does() {
    for result in [GateResult::Fail, GateResult::Inconclusive] {
        let mut scene = Scene::with_hosts(2);
        let gates = vec![
            said(Gate::Freeze, GateResult::Pass, "no freeze bars it"),
            said(Gate::Cover, result, "nobody can act from Sat 00:00 to 12:00"),
        ];
        let plan = plan(&scene, gates, Vec::new());
        let _ = scene.push("push", plan);
        scene.run();
        let End::Refused { reasons } = scene.end("push") else {
            panic!("{:?}", scene.end("push"));
        };
        assert_eq!(reasons.len(), 1);
        assert_eq!(reasons[0].to_string(), "nobody can act from Sat 00:00 to 12:00");
        assert_eq!(scene.count_all("switch"), 0);
        sound(&scene);
    }
}

#[test]
fn a_person_vouches_for_one_gate_and_no_other() {
    let word = |said: HourGate| HourGate { vouched: Some("I stay".to_owned()), ..said };
    let cover = said(Gate::Cover, GateResult::Fail, "nobody can act");
    let mut scene = Scene::with_hosts(2);
    let vouched = plan(&scene, vec![word(cover.clone())], Vec::new());
    let _ = scene.push("push", vouched);
    scene.run();
    assert_eq!(*scene.end("push"), End::Stable);
    let judged = scene.rollout("push").gates.iter().find(|(gate, ..)| *gate == Gate::Cover);
    let (_, result, says) = judged.expect("it was judged");
    assert_eq!(*result, GateResult::Inconclusive);
    assert_eq!(says, "nobody can act; it is pushed all the same: I stay");
    sound(&scene);

    let mut scene = Scene::with_hosts(2);
    let freeze = said(Gate::Freeze, GateResult::Fail, "the freeze `sale` lasts");
    let both = plan(&scene, vec![word(cover), freeze], Vec::new());
    let _ = scene.push("push", both);
    scene.run();
    assert!(matches!(scene.end("push"), End::Refused { reasons } if reasons.len() == 1));
    sound(&scene);
}

/// Three hosts, of which one has switched when a freeze begins.
fn caught_by_a_freeze() -> Scene {
    let mut scene = Scene::with_hosts(3);
    let first = scene.plan();
    let _ = scene.push("first", first);
    scene.run();
    assert_eq!(*scene.end("first"), End::Stable);
    let mut plan = plan(&scene, Vec::new(), Vec::new());
    plan.release = crate::scene::release(7);
    plan.soak_ms = vec![2 * HOUR_MS];
    plan.waves = plan.fleet.hosts.iter().map(|host| vec![host.name.clone()]).collect();
    let begins = scene.now.plus_ms(HOUR_MS);
    if let Some(hour) = plan.hour.as_mut() {
        hour.closed = vec![freeze(Span::after(begins, 4 * HOUR_MS))];
    }
    let _ = scene.push("push", plan);
    scene.run();
    scene
}

#[test]
fn a_freeze_that_begins_meanwhile_holds_before_the_next_wave() {
    let scene = caught_by_a_freeze();
    let held = scene.rollout("push");
    assert_eq!(held.phase, Phase::Held);
    assert_eq!(held.hosts.tally().done, 1, "what was in flight is seen through");
    assert!(matches!(&held.reasons[..], [Reason::Closed { .. }]), "{:?}", held.reasons);
    assert!(held.reasons[0].to_string().starts_with("the freeze `sale` lasts until "));
    sound(&scene);
}

#[test]
fn the_way_back_is_free_and_the_way_on_waits_for_the_end() {
    let mut scene = caught_by_a_freeze();
    let driver = scene.driver();
    let resume =
        |way| Command::Resume { rollout: RolloutId::new("resumed"), driver: driver.clone(), way };
    let _ = scene.give(resume(Way::Back));
    scene.run();
    assert!(matches!(scene.end("push"), End::TakenBack { .. }), "{:?}", scene.end("push"));
    sound(&scene);

    let mut scene = caught_by_a_freeze();
    let _ = scene.give(resume(Way::Forward));
    scene.run();
    assert_eq!(scene.rollout("push").phase, Phase::Held, "it lasts");
    scene.now = scene.now.plus_ms(4 * HOUR_MS);
    let _ = scene.give(resume(Way::Forward));
    scene.run();
    assert_eq!(*scene.end("push"), End::Stable);
    sound(&scene);
}

#[test]
fn a_rollback_asks_no_calendar() {
    let mut scene = caught_by_a_freeze();
    let driver = scene.driver();
    let fleet = scene.fleet();
    let _ = scene.give(Command::Rollback {
        rollout: RolloutId::new("back"),
        driver,
        to: BackTo::LastStable,
        now: false,
        quarantine: true,
        reason: "users notice".to_owned(),
        fleet: Box::new(fleet),
    });
    scene.run();
    assert!(matches!(scene.end("push"), End::TakenBack { .. }), "{:?}", scene.end("push"));
    sound(&scene);
}

#[test]
fn where_the_first_wave_would_begin_in_a_freeze_nothing_is_switched() {
    let mut scene = Scene::with_hosts(2);
    let closed = vec![freeze(Span::after(scene.now, HOUR_MS))];
    let plan = plan(&scene, Vec::new(), closed);
    let _ = scene.push("push", plan);
    scene.run();
    let End::NotSwitched { reasons } = scene.end("push") else { panic!("{:?}", scene.end("push")) };
    assert!(matches!(&reasons[..], [Reason::Closed { .. }]));
    assert_eq!(scene.count_all("switch"), 0);
    sound(&scene);
}

/// Six hosts in one wave, with a freeze.
fn one_wave(closed: Vec<Closed>) -> Scene {
    let mut scene = Scene::with_hosts(6);
    let mut plan = plan(&scene, Vec::new(), closed);
    plan.waves = vec![plan.fleet.hosts.iter().map(|host| host.name.clone()).collect()];
    let _ = scene.push("push", plan);
    scene.run();
    scene
}

#[test]
fn a_freeze_that_begins_in_a_wave_lets_hosts_in_flight_finish_and_starts_no_other() {
    let free = one_wave(Vec::new());
    let steps = free.journal.0.iter().filter(|record| record.kind == "step_begun");
    let fifth = steps.map(|record| record.at).nth(4).expect("six hosts are switched");
    let scene = one_wave(vec![freeze(Span::after(fifth, HOUR_MS))]);
    let held = scene.rollout("push");
    assert_eq!(held.phase, Phase::Held);
    assert_eq!(scene.count_all("switch"), 4);
    assert_eq!(held.hosts.tally().done, 4, "they were seen through");
    sound(&scene);
}

#[test]
fn the_audit_finds_what_starts_in_a_freeze() {
    let mut scene = one_wave(Vec::new());
    let steps = scene.journal.0.iter().filter(|record| record.kind == "step_begun");
    let fifth = steps.map(|record| record.at).nth(4).expect("six hosts are switched");
    // A journal as a friday would have left it that knows no freeze.
    let mut position = Position::START;
    for record in &mut scene.journal.0 {
        let mut event = record.event().expect("it opens");
        if let Event::RolloutBegun { intent, .. } = &mut event
            && let Intent::Push { plan } = &mut **intent
            && let Some(hour) = &mut plan.hour
        {
            hour.closed = vec![freeze(Span::after(fifth, HOUR_MS))];
        }
        let at = record.at;
        *record = Record::after(&position, at, &event);
        position = record.position();
    }
    let found = audit(&scene.journal.0).expect("it opens");
    assert!(!found.is_empty() && found.iter().all(|finding| finding.promise == 7), "{found:?}");
    assert!(found[0].says.contains("began a host's switch in the freeze `sale`"), "{found:?}");
}
