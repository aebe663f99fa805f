//! Stories of pushes to some hosts only: the fleet's stable release stays what it was, the mix is meant, and
//! it has an end.

use friday_core::controller::input::{BackTo, Command, Outcome};
use friday_core::journal::event::End;
use friday_core::journal::round::RoundAsk;
use friday_core::reason::Reason;
use friday_core::rollout::plan::Plan;
use friday_wire::{HostName, RolloutId};

use crate::scene::{Scene, release};

/// Release 2 for these hosts, one after the other.
fn only(scene: &Scene, hosts: &[&str]) -> Plan {
    let mut plan = scene.plan();
    plan.only = hosts.iter().map(|host| HostName::new(*host)).collect();
    plan.waves = plan.only.iter().map(|host| vec![host.clone()]).collect();
    plan
}

fn push_only(scene: &mut Scene, id: &str, hosts: &[&str]) {
    let plan = only(scene, hosts);
    let _ = scene.push(id, plan);
    scene.run();
}

fn rollback(scene: &mut Scene, id: &str, to: BackTo) {
    let driver = scene.driver();
    let fleet = Box::new(scene.fleet());
    let _ = scene.give(Command::Rollback {
        rollout: RolloutId::new(id),
        driver,
        to,
        now: false,
        quarantine: true,
        reason: "a test".to_owned(),
        fleet,
    });
    scene.run();
}

fn sweep(scene: &mut Scene, id: &str) {
    let driver = scene.driver();
    let (rollout, fleet) = (RolloutId::new(id), Box::new(scene.fleet()));
    let _ = scene.give(Command::Sweep { rollout, driver, fleet });
    scene.run();
}

fn apart(scene: &Scene) -> Vec<(String, u8)> {
    let apart = &scene.controller.state().apart;
    apart.iter().map(|(host, release)| (host.to_string(), release.0.0[0])).collect()
}

fn runs(scene: &mut Scene, host: &str) -> Option<u8> {
    scene.host(host).head.current.map(|release| release.0.0[0])
}

#[test]
fn only_the_named_hosts_take_it_and_the_stable_release_stays() {
    let mut scene = Scene::with_hosts(4);
    push_only(&mut scene, "push", &["web-2"]);
    assert_eq!(scene.end("push"), &End::Apart { hosts: vec![HostName::new("web-2")] });
    assert_eq!((scene.count_all("ship"), scene.count_all("switch")), (1, 1));
    // The fence is raised and the rollout opened everywhere: another laptop sees it wherever it looks.
    assert_eq!((scene.count_all("open"), scene.count_all("close")), (4, 4));
    assert_eq!(scene.controller.state().stable, Some(Some(release(1))));
    assert_eq!(scene.host("web-2").head.stable, Some(release(1)));
    assert_eq!(apart(&scene), [("web-2".to_owned(), 2)]);
    assert_eq!([runs(&mut scene, "web-1"), runs(&mut scene, "web-2")], [Some(1), Some(2)]);
}

#[test]
fn a_sweep_leaves_the_mix_alone_as_long_as_it_is_well() {
    let mut scene = Scene::with_hosts(3);
    push_only(&mut scene, "push", &["web-2"]);
    sweep(&mut scene, "sweep");
    assert_eq!(scene.end("sweep"), &End::Converged);
    assert_eq!(scene.count_all("back"), 0, "nothing was put right");
    assert_eq!(apart(&scene), [("web-2".to_owned(), 2)]);

    scene.host("web-2").sick = Some("500".to_owned());
    let sick = scene.host("web-2");
    sick.head.apart = sick.head.current;
    sweep(&mut scene, "again");
    assert_eq!(scene.count("web-2", "back"), 1, "a sick one comes back to the fleet");
}

#[test]
fn a_sweep_that_puts_another_host_right_leaves_the_mix_alone() {
    let mut scene = Scene::with_hosts(3);
    push_only(&mut scene, "push", &["web-2"]);
    scene.host("web-3").head.current = None;
    sweep(&mut scene, "sweep");
    assert_eq!(scene.end("sweep"), &End::Converged);
    assert_eq!((scene.count_all("back"), scene.count("web-3", "back")), (1, 1));
    assert_eq!(runs(&mut scene, "web-2"), Some(2));
}

#[test]
fn the_next_push_takes_every_host_and_ends_the_mix() {
    let mut scene = Scene::with_hosts(3);
    push_only(&mut scene, "canary", &["web-2"]);
    let mut plan = scene.plan();
    plan.release = release(3);
    let _ = scene.push("push", plan);
    scene.run();
    assert_eq!(scene.end("push"), &End::Stable);
    assert_eq!(scene.running(), [Some(release(3))].into());
    assert_eq!(scene.controller.state().stable, Some(Some(release(3))));
    assert!(apart(&scene).is_empty());
    // It returns to the fleet's stable release, not to what one host ran apart.
    assert_eq!(scene.controller.state().previous_stable, Some(release(1)));
}

#[test]
fn a_rollback_takes_what_runs_apart_off_first_and_leaves_the_stable_release() {
    let mut scene = Scene::with_hosts(3);
    push_only(&mut scene, "canary", &["web-2"]);
    rollback(&mut scene, "back", BackTo::LastStable);
    assert_eq!(scene.end("back"), &End::Converged);
    assert_eq!(scene.running(), [Some(release(1))].into());
    assert!(scene.hosts.values().all(|host| host.head.refuses(&release(2))));
    assert!(apart(&scene).is_empty());
}

#[test]
fn a_rollback_knows_of_a_host_apart_that_does_not_answer() {
    let mut scene = Scene::with_hosts(3);
    push_only(&mut scene, "canary", &["web-2"]);
    scene.cut("web-2");
    rollback(&mut scene, "back", BackTo::LastStable);
    assert_eq!(scene.end("back"), &End::Owed { hosts: vec![HostName::new("web-2")] });
    assert!(scene.host("web-1").head.refuses(&release(2)), "it will be refused when it is back");
    assert_eq!(runs(&mut scene, "web-1"), Some(1));
}

#[test]
fn what_fails_goes_back_to_the_fleets_stable_release() {
    let mut scene = Scene::with_hosts(3);
    for _ in 0..3 {
        let why = "connection refused".to_owned();
        scene.script("web-2", "switch", Outcome::Failed { why });
    }
    push_only(&mut scene, "canary", &["web-2"]);
    assert!(matches!(scene.end("canary"), End::TakenBack { .. }), "{:?}", scene.end("canary"));
    assert_eq!(scene.running(), [Some(release(1))].into());
    assert!(apart(&scene).is_empty());
}

#[test]
fn a_host_that_is_not_named_may_be_down() {
    let mut scene = Scene::with_hosts(3);
    scene.cut("web-3");
    push_only(&mut scene, "canary", &["web-2"]);
    assert_eq!(scene.end("canary"), &End::Apart { hosts: vec![HostName::new("web-2")] });
    // But one that keeps the lease may not.
    let mut scene = Scene::with_hosts(3);
    scene.cut("web-1");
    push_only(&mut scene, "canary", &["web-2"]);
    assert!(matches!(scene.end("canary"), End::Unreachable { .. }), "{:?}", scene.end("canary"));
}

#[test]
fn a_second_release_apart_is_refused_and_more_of_the_first_is_not() {
    let mut scene = Scene::with_hosts(4);
    push_only(&mut scene, "one", &["web-2"]);
    let mut other = only(&scene, &["web-3"]);
    other.release = release(3);
    let _ = scene.push("other", other);
    scene.run();
    let runs_apart = Reason::RunsApart { host: HostName::new("web-2"), release: release(2) };
    assert_eq!(scene.end("other"), &End::Refused { reasons: vec![runs_apart] });

    push_only(&mut scene, "two", &["web-3"]);
    assert!(matches!(scene.end("two"), End::Apart { .. }), "{:?}", scene.end("two"));
    assert_eq!(apart(&scene).len(), 2);
    // The last ones: now it runs everywhere, and that is what stable means.
    push_only(&mut scene, "three", &["web-1", "web-4"]);
    assert_eq!(scene.end("three"), &End::Stable);
    assert_eq!(scene.controller.state().stable, Some(Some(release(2))));
    assert!(apart(&scene).is_empty());
    let observed = scene.rounds("three").iter().filter(|ask| **ask == RoundAsk::Observe).count();
    assert_eq!(observed, 1);
}

#[test]
fn the_stable_release_on_some_hosts_sets_nobody_apart() {
    let mut scene = Scene::with_hosts(3);
    let mut plan = only(&scene, &["web-2"]);
    plan.release = release(1);
    let _ = scene.push("again", plan);
    scene.run();
    assert!(matches!(scene.end("again"), End::Apart { .. }));
    assert!(apart(&scene).is_empty(), "{:?}", apart(&scene));
    assert_eq!(scene.host("web-2").head.runs_apart(), None);
}

#[test]
fn an_old_host_program_is_refused_before_anything_is_opened() {
    let mut scene = Scene::with_hosts(3);
    scene.host("web-2").wire = 0;
    push_only(&mut scene, "canary", &["web-2"]);
    let old = Reason::HostProgramOld { host: HostName::new("web-2") };
    assert_eq!(scene.end("canary"), &End::Refused { reasons: vec![old] });
    assert_eq!(scene.count_all("open"), 0);
}

#[test]
fn another_journal_learns_of_the_mix_from_the_hosts() {
    let mut scene = Scene::with_hosts(3);
    let head = &mut scene.host("web-2").head;
    head.current = Some(release(2));
    head.apart = Some(release(2));
    head.held.push(release(2));
    sweep(&mut scene, "sweep");
    assert_eq!(apart(&scene), [("web-2".to_owned(), 2)]);
    assert_eq!(scene.count_all("back"), 0);
}
