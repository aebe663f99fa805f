//! Stories of hosts that come and go: new ones, ones set up anew, removed, renamed and forgotten ones.

use friday_core::controller::input::{BackTo, Command};
use friday_core::controller::turn::Reply;
use friday_core::journal::event::End;
use friday_core::journal::intent::MemberChange;
use friday_core::reason::Reason;
use friday_core::rollout::plan::FleetPlan;
use friday_wire::{Fence, Holder, HostName, ProcessName, RolloutId, Stamped};

use crate::scene::host::ScriptedHost;
use crate::scene::{Scene, release};

fn host(name: &str) -> HostName {
    HostName::new(name)
}

fn change_in(scene: &mut Scene, id: &str, change: MemberChange, fleet: FleetPlan) -> Reply {
    let driver = scene.driver();
    let (rollout, fleet) = (RolloutId::new(id), Box::new(fleet));
    let reply = scene.give(Command::ChangeMembers { rollout, driver, change, fleet });
    scene.run();
    reply
}

fn change(scene: &mut Scene, id: &str, change: MemberChange) {
    let fleet = scene.fleet();
    let _ = change_in(scene, id, change, fleet);
}

fn sweep(scene: &mut Scene) {
    let driver = scene.driver();
    let (rollout, fleet) = (RolloutId::new("sweep"), Box::new(scene.fleet()));
    let _ = scene.give(Command::Sweep { rollout, driver, fleet });
    scene.run();
}

/// A fleet whose stable release is 1, and was 3 before.
fn settled(count: usize) -> Scene {
    let mut scene = Scene::with_hosts(count);
    for host in scene.hosts.values_mut() {
        host.head.previous_stable = Some(release(3));
        host.head.held.push(release(3));
        host.head.stable_fence.number = 4;
        host.head.fence.number = 4;
    }
    scene
}

#[test]
fn a_sweep_brings_a_new_or_wiped_host_to_the_stable_release() {
    let mut scene = settled(3);
    scene.hosts.insert(host("web-3"), ScriptedHost::empty());
    sweep(&mut scene);
    assert_eq!(scene.end("sweep"), &End::Converged);
    assert_eq!((scene.count("web-3", "ship"), scene.count("web-3", "back")), (1, 1));
    assert_eq!(
        (scene.count_all("ship"), scene.count_all("back")),
        (1, 1),
        "nobody else is touched"
    );
    assert_eq!(scene.running(), [Some(release(1))].into());
}

#[test]
fn a_wiped_host_does_not_make_the_fleet_forget_the_release_before() {
    let mut scene = settled(3);
    scene.hosts.insert(host("web-3"), ScriptedHost::empty());
    sweep(&mut scene);
    // web-3 became stable last, under the highest fence, and knows of nothing before.
    assert_eq!(scene.host("web-3").head.previous_stable, None);
    let driver = scene.driver();
    let fleet = Box::new(scene.fleet());
    let _ = scene.give(Command::Rollback {
        rollout: RolloutId::new("back"),
        driver,
        to: BackTo::LastStable,
        now: false,
        quarantine: true,
        reason: "a test".to_owned(),
        fleet,
    });
    scene.until("it is bound", |scene| scene.rollout("back").bound.is_some());
    assert_eq!(
        scene.rollout("back").bound.as_ref().and_then(|open| open.release),
        Some(release(3))
    );
}

#[test]
fn a_push_puts_a_wiped_keeper_right_before_it_begins() {
    let mut scene = settled(3);
    scene.hosts.insert(host("web-1"), ScriptedHost::empty());
    let plan = scene.plan();
    let _ = scene.push("push", plan);
    scene.run();
    assert_eq!(scene.end("push"), &End::Stable, "the empty keeper gives the lease");
    assert_eq!(scene.running(), [Some(release(2))].into());
    assert_eq!(scene.count("web-1", "back"), 1, "first to what all others run");
}

#[test]
fn what_only_a_wiped_host_says_is_not_learned_as_the_fleets_stable_release() {
    let mut scene = settled(3);
    sweep(&mut scene);
    assert_eq!(scene.controller.state().stable, Some(Some(release(1))));
    scene.hosts.insert(host("web-1"), ScriptedHost::empty());
    scene.cut("web-2");
    scene.cut("web-3");
    let plan = scene.plan();
    let _ = scene.push("push", plan);
    scene.run();
    assert!(matches!(scene.end("push"), End::Unreachable { .. }), "{:?}", scene.end("push"));
    assert_eq!(scene.controller.state().stable, Some(Some(release(1))));
}

#[test]
fn a_removed_host_leaves_and_nobody_else_is_asked_to() {
    let mut scene = Scene::with_hosts(3);
    change(&mut scene, "remove", MemberChange::Remove { host: host("web-3") });
    assert_eq!(scene.end("remove"), &End::Done);
    assert_eq!((scene.count("web-3", "leave"), scene.count_all("leave")), (1, 1));
    assert_eq!(scene.count("web-1", "release"), 1, "the lease is given back");
}

#[test]
fn the_keeper_is_not_removed() {
    let mut scene = Scene::with_hosts(3);
    change(&mut scene, "remove", MemberChange::Remove { host: host("web-1") });
    let keeper = Reason::IsKeeper { host: host("web-1") };
    assert_eq!(scene.end("remove"), &End::Refused { reasons: vec![keeper] });
    assert_eq!(scene.count_all("leave"), 0);
}

#[test]
fn members_do_not_change_while_a_rollout_is_open() {
    let mut scene = Scene::with_hosts(3);
    let open = friday_wire::OpenRollout {
        id: RolloutId::new("theirs"),
        kind: friday_wire::RolloutKind::Push,
        release: Some(release(9)),
        returns_to: Some(release(1)),
        leaves: None,
        migration: friday_wire::Migration::NotBegun,
    };
    scene.host("web-2").head.rollout = Some(Stamped { fence: Fence::zero(), value: open });
    change(&mut scene, "remove", MemberChange::Remove { host: host("web-3") });
    assert!(matches!(scene.end("remove"), End::Refused { .. }), "{:?}", scene.end("remove"));
    assert_eq!(scene.count_all("leave"), 0);
}

#[test]
fn an_old_host_program_is_not_asked_to_leave() {
    let mut scene = Scene::with_hosts(3);
    scene.host("web-3").wire = 0;
    change(&mut scene, "remove", MemberChange::Remove { host: host("web-3") });
    let old = Reason::HostProgramOld { host: host("web-3") };
    assert_eq!(scene.end("remove"), &End::Refused { reasons: vec![old] });
}

#[test]
fn to_forget_a_host_nobody_is_asked() {
    let mut scene = Scene::with_hosts(3);
    scene.cut("web-3");
    let reason = "it burnt".to_owned();
    change(&mut scene, "forget", MemberChange::Forget { host: host("web-3"), reason });
    assert_eq!(scene.end("forget"), &End::Done);
    assert!(scene.asked.is_empty(), "{:?}", scene.asked);
}

#[test]
fn an_old_host_program_is_not_renamed_and_nobody_hears_of_the_name() {
    let mut scene = Scene::with_hosts(3);
    let fleet = renamed(&mut scene);
    scene.host("www-1").wire = 0;
    let change = MemberChange::Rename { from: host("web-1"), to: host("www-1") };
    let _ = change_in(&mut scene, "rename", change, fleet);
    let old = Reason::HostProgramOld { host: host("www-1") };
    assert_eq!(scene.end("rename"), &End::Refused { reasons: vec![old] });
    assert_eq!(scene.count_all("raise"), 0, "a raise tells hosts that know no keeper the new name");
}

/// The configuration calls the first host `www-1` now.
fn renamed(scene: &mut Scene) -> FleetPlan {
    let mut fleet = scene.fleet();
    let machine = scene.hosts.remove(&host("web-1")).expect("it is there");
    scene.hosts.insert(host("www-1"), machine);
    fleet.hosts[0].name = host("www-1");
    fleet.keeper = host("www-1");
    fleet
}

#[test]
fn a_renamed_keeper_is_told_and_so_is_everybody() {
    let mut scene = Scene::with_hosts(3);
    for machine in scene.hosts.values_mut() {
        machine.head.keeper = Some(Stamped { fence: Fence::zero(), value: host("web-1") });
    }
    let fleet = renamed(&mut scene);
    let change = MemberChange::Rename { from: host("web-1"), to: host("www-1") };
    let _ = change_in(&mut scene, "rename", change, fleet);
    assert_eq!(scene.end("rename"), &End::Done);
    assert_eq!((scene.count("www-1", "rename"), scene.count_all("rename")), (1, 1));
    assert_eq!(scene.count_all("keeper"), 3);
    assert!(scene.hosts.values().all(|machine| {
        machine.head.keeper.as_ref().is_some_and(|keeper| keeper.value == host("www-1"))
    }));
    assert_eq!(scene.count_all("switch") + scene.count_all("back"), 0);
}

#[test]
fn a_renamed_host_that_is_not_the_keeper_is_told_alone() {
    let mut scene = Scene::with_hosts(3);
    let mut fleet = scene.fleet();
    let machine = scene.hosts.remove(&host("web-3")).expect("it is there");
    scene.hosts.insert(host("www-3"), machine);
    fleet.hosts[2].name = host("www-3");
    let change = MemberChange::Rename { from: host("web-3"), to: host("www-3") };
    let _ = change_in(&mut scene, "rename", change, fleet);
    assert_eq!(scene.end("rename"), &End::Done);
    assert_eq!((scene.count_all("rename"), scene.count_all("keeper")), (1, 0));
}

/// The others were told that the last of three hosts runs what runs once; nothing runs there.
fn told_of_the_third() -> Scene {
    let mut scene = Scene::with_hosts(3);
    for other in ["web-1", "web-2"] {
        let third = Holder::Host { host: host("web-3") };
        let told = Stamped { fence: Fence::zero(), value: third };
        let machine = scene.hosts.get_mut(&host(other)).expect("it is there");
        machine.head.once.insert(ProcessName::new("mailer"), told);
    }
    scene
}

fn move_to_the_second(scene: &mut Scene, fleet: FleetPlan) {
    let command = Command::SetOnce {
        rollout: RolloutId::new("once"),
        driver: scene.driver(),
        process: ProcessName::new("mailer"),
        host: host("web-2"),
        dead: Vec::new(),
        fleet: Box::new(fleet),
    };
    let _ = scene.give(command);
    scene.run();
}

#[test]
fn a_host_that_left_does_not_run_what_runs_once() {
    let mut scene = told_of_the_third();
    change(&mut scene, "remove", MemberChange::Remove { host: host("web-3") });
    scene.hosts.remove(&host("web-3"));
    let fleet = scene.fleet();
    move_to_the_second(&mut scene, fleet);
    assert_eq!(scene.end("once"), &End::Done);
}

#[test]
fn a_host_that_was_forgotten_may_run_what_runs_once() {
    let mut scene = told_of_the_third();
    let reason = "given back".to_owned();
    change(&mut scene, "forget", MemberChange::Forget { host: host("web-3"), reason });
    scene.hosts.remove(&host("web-3"));
    let fleet = scene.fleet();
    move_to_the_second(&mut scene, fleet);
    assert!(matches!(scene.end("once"), End::Refused { .. }), "{:?}", scene.end("once"));
}

#[test]
fn a_host_is_known_by_its_new_name_to_run_what_runs_once() {
    let mut scene = told_of_the_third();
    let mut fleet = scene.fleet();
    let machine = scene.hosts.remove(&host("web-3")).expect("it is there");
    scene.hosts.insert(host("www-3"), machine);
    fleet.hosts[2].name = host("www-3");
    let change = MemberChange::Rename { from: host("web-3"), to: host("www-3") };
    let _ = change_in(&mut scene, "rename", change, fleet.clone());
    move_to_the_second(&mut scene, fleet);
    assert_eq!(scene.end("once"), &End::Done);
}

/// web-1 and web-2 know web-1, as they did from the start; web-3 was set up anew and heard of web-2.
fn of_two_keepers() -> Scene {
    let mut scene = Scene::with_hosts(3);
    for (name, keeper) in [("web-1", "web-1"), ("web-2", "web-1"), ("web-3", "web-2")] {
        let known = Stamped { fence: Fence::zero(), value: host(keeper) };
        scene.hosts.get_mut(&host(name)).expect("a host of the scene").head.keeper = Some(known);
    }
    scene
}

fn name_keeper(scene: &mut Scene, proven: Option<&str>) {
    let driver = scene.driver();
    let (rollout, fleet) = (RolloutId::new("keeper"), Box::new(scene.fleet()));
    let proven = proven.map(str::to_owned);
    let keeper = host("web-1");
    let _ = scene.give(Command::SetKeeper { rollout, driver, keeper, proven, fleet });
    scene.run();
}

#[test]
fn of_two_keepers_that_hosts_know_a_proven_person_names_one() {
    let mut scene = of_two_keepers();
    name_keeper(&mut scene, Some("anna"));
    assert_eq!(scene.end("keeper"), &End::Done);
    assert!(scene.hosts.values().all(|machine| {
        machine.head.keeper.as_ref().is_some_and(|keeper| keeper.value == host("web-1"))
    }));
}

#[test]
fn of_two_keepers_that_hosts_know_none_is_named_without_a_proven_person() {
    let mut scene = of_two_keepers();
    name_keeper(&mut scene, None);
    let End::Refused { reasons } = scene.end("keeper") else {
        panic!("{:?}", scene.end("keeper"));
    };
    assert!(matches!(reasons.as_slice(), [Reason::TwoKeepers { .. }]), "{reasons:?}");
    assert_eq!(scene.count_all("keeper"), 0);
}
