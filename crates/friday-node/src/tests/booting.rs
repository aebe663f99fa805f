//! Reboots and restarts of the host program, at every moment.

use friday_wire::*;

use super::world::*;

#[test]
fn a_reboot_before_the_confirm_undoes_it_at_once() {
    for setting in [Setting::page(), Setting::plain(), Setting::beside()] {
        for wait in [0, 10_000, 36_000, 50_000] {
            let mut world = World::settled(setting.clone());
            world.ship(2);
            world.begin_push("p2", 2, 2);
            world.switch("p2", 2, 2, Undo::To { release: id(1) });
            world.run_for(wait);
            assert_eq!(world.observe().boot_default, BootDefault::Start { release: id(1) });
            world.reboot();
            let last = world.observe().last.expect("a report").state;
            assert!(matches!(last, StepState::Undone { .. }), "{last:?} after {wait}");
            world.run_for(15_000);
            assert_eq!(world.serves(), Some(id(1)), "after {wait}");
            assert_eq!(world.pointed, Some(id(1)));
            assert_eq!(world.observe().head.open, None);
        }
    }
}

#[test]
fn a_confirmed_release_that_is_not_stable_does_not_survive_a_reboot() {
    let mut world = World::settled(Setting::page());
    world.ship(2);
    world.begin_push("p2", 2, 2);
    world.switch("p2", 2, 2, Undo::To { release: id(1) });
    world.run_for(50_000);
    world.confirm("p2", 2, 1);
    assert_eq!(world.observe().boot_default, BootDefault::Start { release: id(1) });
    world.reboot();
    world.run_for(15_000);
    assert_eq!(world.serves(), Some(id(1)));
    let head = world.observe().head;
    assert_eq!((head.current, head.open, head.stable), (Some(id(1)), None, Some(id(1))));
}

#[test]
fn after_a_one_way_migration_a_reboot_starts_the_new_one() {
    for confirmed in [false, true] {
        let mut world = World::settled(Setting::page());
        world.ship(2);
        world.begin_push("p2", 2, 2);
        let (rollout, migration) = (RolloutId::new("p2"), Migration::Begun { one_way: true });
        world.ask(Request::Migration { fence: push(2), rollout, migration });
        world.switch("p2", 2, 2, Undo::Stay);
        world.run_for(50_000);
        if confirmed {
            world.confirm("p2", 2, 1);
        }
        assert_eq!(world.observe().boot_default, BootDefault::Start { release: id(2) });
        world.log.clear();
        world.reboot();
        world.run_for(15_000);
        assert_eq!(world.serves(), Some(id(2)));
        assert!(!world.log.contains(&"start 1".to_owned()));
    }
}

#[test]
fn an_unswitched_host_starts_what_it_ran() {
    let mut world = World::settled(Setting::page());
    world.ship(2);
    world.begin_push("p2", 2, 2);
    world.reboot();
    assert_eq!(world.serves(), None, "not before it is healthy");
    world.run_for(10_000);
    assert_eq!(world.serves(), Some(id(1)));
    assert_eq!(world.disk.apps[0].secrets, Some(SecretsVersion::new("secrets-1")));
}

#[test]
fn a_boot_into_a_sick_release_keeps_trying_out_of_rotation() {
    let mut world = World::settled(Setting::page());
    world.sick.insert(id(1));
    world.reboot();
    world.run_for(3_600_000);
    assert_eq!(world.serves(), None);
    world.sick.clear();
    world.run_for(20_000);
    assert_eq!(world.serves(), Some(id(1)));
}

#[test]
fn a_back_is_completed_after_a_reboot() {
    let mut world = World::settled(Setting::page());
    world.ship(2);
    world.begin_push("p2", 2, 2);
    world.switch("p2", 2, 2, Undo::To { release: id(1) });
    world.run_for(50_000);
    world.begin_rollback("r1", 3, Some(1));
    world.hanging.insert("stop 2".to_owned());
    world.back("r1", 3, Some(1), Some(2));
    world.hanging.clear();
    world.reboot();
    world.run_for(15_000);
    assert_eq!(world.serves(), Some(id(1)));
    assert_eq!(world.observe().last.expect("a report").state, StepState::Done);
}

#[test]
fn a_back_to_what_was_quarantined_meanwhile_is_not_completed_after_a_reboot() {
    let mut world = World::settled(Setting::page());
    world.ship(2);
    world.begin_push("p2", 2, 2);
    world.switch("p2", 2, 2, Undo::To { release: id(1) });
    world.run_for(50_000);
    world.begin_rollback("r1", 3, Some(1));
    world.hanging.insert("stop 2".to_owned());
    world.back("r1", 3, Some(1), Some(2));
    let entry =
        Quarantined { fence: rollback(3), tree: None, reason: "bad too".to_owned(), active: true };
    let entries = [(id(1), entry)].into();
    assert_eq!(world.ask(Request::Quarantine { fence: rollback(3), entries }), Answer::Ok);
    world.hanging.clear();
    world.reboot();
    world.run_for(15_000);
    assert_eq!(world.running(), []);
    let seen = world.observe();
    assert_eq!(seen.boot_default, BootDefault::Nothing);
    // Asked again, it is told what became of it.
    let again = world.back("r1", 3, Some(1), Some(2));
    assert!(matches!(world.came_to(again), Some(StepState::Failed { .. })));
}

#[test]
fn a_restart_of_the_host_program_resumes_every_phase() {
    for setting in [Setting::page(), Setting::plain(), Setting::beside()] {
        for wait in (0..50_000).step_by(2_500) {
            let mut world = World::settled(setting.clone());
            world.ship(2);
            world.begin_push("p2", 2, 2);
            world.switch("p2", 2, 2, Undo::To { release: id(1) });
            world.run_for(wait);
            let before = world.processes.clone();
            world.kill_host_program();
            assert!(world.processes.is_superset(&before), "nothing is restarted for it");
            let again = world.switch("p2", 2, 2, Undo::To { release: id(1) });
            let settled = world.came_to(again);
            if !matches!(settled, Some(StepState::Undone { .. })) {
                world.run_for(60_000_u64.saturating_sub(wait).min(20_000));
            }
            world.run_for(200_000);
            assert_eq!(world.serves(), Some(id(1)), "unconfirmed, killed at {wait}");
            assert_eq!(world.running(), [id(1)]);
        }
    }
}

#[test]
fn an_app_that_died_with_the_host_program_is_started_again() {
    let mut world = World::settled(Setting::page());
    world.processes.clear();
    world.kill_host_program();
    world.run_for(12_000);
    assert_eq!(world.serves(), Some(id(1)));
    assert_eq!(world.observe().app.expect("one").restarts, 1);
}

#[test]
fn a_page_and_a_stray_process_are_put_right_after_a_restart() {
    let mut world = World::settled(Setting::page());
    world.serving = None;
    world.processes.insert(crate::action::App { release: id(9), generation: 99 });
    world.kill_host_program();
    assert_eq!(world.serves(), Some(id(1)));
    assert_eq!(world.running(), [id(1)]);
}

#[test]
fn a_lease_counts_a_full_period_after_a_reboot() {
    let mut world = World::new(Setting::plain());
    assert!(matches!(world.lease(push(1)), Answer::Raised(_)));
    world.run_for(59_000);
    world.reboot();
    let remaining = world.observe().head.lease.map(|lease| lease.remaining_ms);
    assert_eq!(remaining, Some(60_000));
    assert!(matches!(world.lease(push(2)), Answer::Refused(Refusal::Leased { .. })));
    world.run_for(60_000);
    assert!(matches!(world.lease(push(2)), Answer::Raised(_)));
}

#[test]
fn a_migration_cut_short_is_lost_and_never_run_again() {
    let mut world = World::settled(Setting::plain());
    world.ship(2);
    world.begin_push("p2", 2, 2);
    world.hanging.insert("command".to_owned());
    let command = "migrate".to_owned();
    let step = Step::Migrate { release: id(2), command, timeout_ms: 60_000, secrets: None };
    let request = Request::Do { fence: push(2), key: key("p2", StepName::Migrate, 1), step };
    world.send(request.clone());
    world.log.clear();
    world.kill_host_program();
    let answer = world.ask(request);
    assert!(matches!(state(&answer), StepState::Lost { .. }), "{answer:?}");
    assert_eq!(world.log, Vec::<String>::new());
}

#[test]
fn a_stage_cut_short_is_done_again() {
    let mut world = World::new(Setting::plain());
    world.ship(1);
    world.raise(push(1));
    let rollout = open("p1", RolloutKind::Push, Some(id(1)));
    world.ask(Request::Open { fence: push(1), rollout, once: Default::default() });
    world.hanging.insert("build".to_owned());
    let step = Step::Stage { release: id(1) };
    let request = Request::Do { fence: push(1), key: key("p1", StepName::Stage, 1), step };
    let call = world.send(request.clone());
    assert_eq!(world.came_to(call), None);
    world.hanging.clear();
    world.kill_host_program();
    assert_eq!(state(&world.ask(request)), StepState::Done);
    assert_eq!(world.observe().head.held, [id(1)]);
}
