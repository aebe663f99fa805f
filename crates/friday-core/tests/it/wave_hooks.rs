//! Hooks of waves: when they run, what they know, and what a failure means.

use friday_core::controller::effect::Effect;
use friday_core::controller::input::{Input, Outcome};
use friday_core::journal::Event;
use friday_core::journal::event::{End, Watcher};
use friday_core::journal::round::Work;
use friday_core::reason::Reason;
use friday_core::rollout::run::Phase;

use crate::scene::{Scene, release};

fn pushing(hosts: usize, before: bool, after: bool) -> Scene {
    let mut scene = Scene::with_hosts(hosts);
    let mut plan = scene.plan();
    plan.hooks.before_wave = before.then(|| "drain".to_owned());
    plan.hooks.after_wave = after.then(|| "check".to_owned());
    plan.hooks.timeout_ms = 60_000;
    let _ = scene.push("push", plan);
    scene
}

fn phases(scene: &Scene) -> Vec<String> {
    let told = scene.events().into_iter().filter_map(|event| match event {
        Event::WorkBegun { work: Work::HookBeforeWave, .. } => Some("before".to_owned()),
        Event::WorkBegun { work: Work::HookAfterWave, .. } => Some("after".to_owned()),
        Event::WaveBegun { wave, .. } => Some(format!("wave {wave}")),
        Event::SoakBegun { .. } => Some("soak".to_owned()),
        Event::BakeBegun { .. } => Some("bake".to_owned()),
        _ => None,
    });
    told.collect()
}

/// The variables of the hook that is owed.
fn variables(scene: &Scene) -> Vec<(String, String)> {
    let hook = scene.controller.owed().values().find_map(|owed| match &owed.effect {
        Effect::Hook { env, .. } => Some(env.clone()),
        _ => None,
    });
    hook.expect("a hook is owed").split_off(3)
}

#[test]
fn they_run_around_every_wave_and_know_its_hosts() {
    let mut scene = pushing(3, true, true);
    scene.wait("", "hook");
    let of = |wave: &str, hosts: &str| {
        vec![
            ("FRIDAY_WAVE".to_owned(), wave.to_owned()),
            ("FRIDAY_HOSTS".to_owned(), hosts.to_owned()),
        ]
    };
    let at = |scene: &Scene| scene.rollout("push").phase.name() == "hook before a wave";
    scene.until("the first hook", at);
    assert_eq!(variables(&scene), of("1", "web-2"));
    scene.answer_again("", "hook");
    scene
        .until("the first wave", |scene| matches!(scene.rollout("push").phase, Phase::Soak { .. }));
    scene.wait("", "hook");
    scene.until("the second hook", at);
    assert_eq!(variables(&scene), of("2", "web-1 web-3"));
    scene.answer_again("", "hook");
    scene.run();
    assert_eq!(*scene.end("push"), End::Stable);
    let expected = ["before", "wave 1", "after", "soak", "before", "wave 2", "after", "bake"];
    assert_eq!(phases(&scene), expected);
    assert_eq!(friday_core::audit::audit(&scene.journal.0).expect("it opens"), []);
}

#[test]
fn one_that_fails_before_the_first_wave_ends_the_push_and_later_ones_take_it_back() {
    let fails = || Outcome::Failed { why: "exited with 1".to_owned() };
    let why = "exited with 1".to_owned();
    let mut scene = pushing(3, true, false);
    scene.script("", "hook", fails());
    scene.run();
    let reasons = vec![Reason::HookFailed { name: "before_wave".to_owned(), why }];
    assert_eq!(*scene.end("push"), End::NotSwitched { reasons });

    let mut scene = pushing(3, false, true);
    scene.script("", "hook", fails());
    scene.run();
    assert!(matches!(scene.end("push"), End::TakenBack { .. }));
    assert_eq!(scene.count_all("switch"), 1, "only the first wave was switched");
    assert_eq!(scene.running(), [Some(release(1))].into());
}

#[test]
fn one_of_which_nothing_is_heard_has_failed_some_time_after_its_deadline() {
    for after in [false, true] {
        let mut scene = pushing(2, !after, after);
        scene.wait("", "hook");
        scene.run();
        let end = scene.end("push");
        match end {
            End::NotSwitched { .. } => assert!(!after),
            End::TakenBack { .. } => assert!(after),
            other => panic!("{other:?}"),
        }
        let heard = scene.events().into_iter().find_map(|event| match event {
            Event::HookEnded { failed, .. } => failed,
            _ => None,
        });
        let why = heard.expect("it failed");
        assert!(why.contains("nothing was heard of it"), "{why}");
    }
}

#[test]
fn hosts_are_watched_while_one_runs() {
    let mut scene = pushing(2, false, true);
    scene.wait("", "hook");
    scene.until("it runs", |scene| scene.rollout("push").phase.name() == "hook after a wave");
    let guards = |scene: &Scene| {
        scene.controller.owed().keys().filter(|id| id.0.contains("/@web-2/")).count()
    };
    assert!(guards(&scene) > 0, "{:?}", scene.controller.owed().keys());
    let sick = scene
        .events()
        .iter()
        .any(|event| matches!(event, Event::HealthChanged { by: Watcher::Host, .. }));
    assert!(!sick);
    let _ = scene.take(Input::Woke);
    assert_eq!(scene.rollout("push").phase.name(), "hook after a wave");
}

#[test]
fn friday_may_die_in_one_and_a_resume_runs_it_again() {
    use friday_core::controller::input::{Command, Way};
    let mut scene = pushing(3, true, true);
    scene.wait("", "hook");
    scene.until("it runs", |scene| scene.rollout("push").phase.name() == "hook before a wave");
    scene.friday_dies();
    scene.answer_again("", "hook");
    let driver = scene.driver();
    let rollout = friday_wire::RolloutId::new("unused");
    let _ = scene.give(Command::Resume { rollout, driver, way: Way::Forward });
    scene.run();
    assert_eq!(*scene.end("push"), End::Stable);
}

#[test]
fn hosts_that_failed_within_the_budget_are_tried_once_more_and_then_it_holds() {
    use friday_wire::{Answer, Fault, RolloutId, StepKey, StepName, StepReport, StepState};
    for (before, after) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut scene = pushing(24, before, after);
        for attempt in [1, 2] {
            let rollout = RolloutId::new("push");
            let key = StepKey { rollout, step: StepName::Switch, attempt };
            let state =
                StepState::Failed { why: "no".to_owned(), log: Vec::new(), fault: Fault::Release };
            let failed = crate::scene::answers(Answer::Step(StepReport { key, state }));
            scene.script("web-5", "switch", failed);
        }
        scene.run();
        assert_eq!(scene.rollout("push").phase, Phase::Held, "{before} {after}");
        let waves = phases(&scene).into_iter().filter(|phase| phase.starts_with("wave")).count();
        assert_eq!(waves, 3, "{before} {after}: {:?}", phases(&scene));
    }
}
