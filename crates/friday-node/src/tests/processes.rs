//! Several processes of one release on one host: started together, judged together, never two of a name.

use friday_wire::*;

use super::world::*;

fn to_old() -> Undo {
    Undo::To { release: id(1) }
}

fn pushed(setting: Setting) -> (World, u64) {
    let mut world = World::settled(setting);
    world.ship(2);
    world.begin_push("p2", 2, 2);
    world.log.clear();
    let call = world.switch("p2", 2, 2, to_old());
    (world, call)
}

#[test]
fn followers_end_first_and_start_last() {
    let (mut world, call) = pushed(Setting::plain().of_role("web"));
    assert_eq!(world.log, ["stop 1 worker", "stop 1", "start 2", "start 2 worker", "point 2"]);
    world.run_for(11_000);
    assert!(matches!(world.came_to(call), Some(StepState::AwaitingConfirm { .. })));
    let app = world.observe().app.expect("it runs");
    let shown: Vec<String> = app.processes.iter().map(|one| one.part.to_string()).collect();
    assert_eq!(shown, ["run", "worker"]);
    assert!(app.processes.iter().all(|one| one.running && one.health == HealthState::Healthy));
}

#[test]
fn a_role_without_the_run_command_runs_its_processes_alone() {
    let (mut world, _) = pushed(Setting::plain().of_role("jobs"));
    assert_eq!(world.log, ["stop 1 worker", "start 2 worker", "point 2"]);
    world.run_for(11_000);
    assert_eq!(state(&world.confirm("p2", 2, 1)), StepState::Done);
}

#[test]
fn a_role_that_runs_nothing_holds_the_files() {
    let (mut world, _) = pushed(Setting::plain().of_role("static"));
    assert_eq!(world.log, ["point 2"]);
    world.run_for(11_000);
    assert_eq!(state(&world.confirm("p2", 2, 1)), StepState::Done);
    assert_eq!(world.running(), []);
}

#[test]
fn a_worker_that_exits_fails_the_switch_and_says_which() {
    let mut world = World::settled(Setting::plain().of_role("web"));
    world.ship(2);
    world.begin_push("p2", 2, 2);
    let call = world.switch("p2", 2, 2, to_old());
    world.run_for(2_000);
    world.fall("worker");
    match world.came_to(call) {
        Some(StepState::Failed { why, .. }) => assert_eq!(why, "worker: exited: exit status 1"),
        other => panic!("{other:?}"),
    }
    world.run_for(60_000);
    assert_eq!(world.serves(), Some(id(1)));
    assert_eq!(world.living("worker").len(), 1);
    assert_eq!(world.living("worker")[0].release, id(1));
}

#[test]
fn a_worker_that_crash_loops_makes_the_host_sick_and_leaves_the_web_process_alone() {
    let mut world = World::settled(Setting::plain().of_role("web"));
    let web = world.disk.serving;
    world.falling_parts.insert(part("worker"));
    world.fall("worker");
    world.run_for(45_000);
    let app = world.observe().app.expect("it runs");
    let HealthState::Sick { why } = app.health else { panic!("{:?}", app.health) };
    assert!(why.starts_with("worker: "), "{why}");
    assert_eq!(world.disk.serving, web);
    world.falling_parts.clear();
    world.run_for(200_000);
    assert_eq!(world.observe().app.expect("it runs").health, HealthState::Healthy);
}

#[test]
fn a_worker_that_cannot_be_started_fails_the_switch() {
    let mut world = World::settled(Setting::plain().of_role("web"));
    world.ship(2);
    world.begin_push("p2", 2, 2);
    world.failing.insert("start 2 worker".to_owned());
    let call = world.switch("p2", 2, 2, to_old());
    assert!(matches!(world.came_to(call), Some(StepState::Failed { .. })));
    world.run_for(60_000);
    assert_eq!(world.living("worker")[0].release, id(1));
}

#[test]
fn beside_each_other_only_leaders_are() {
    let (mut world, _) = pushed(Setting::beside().of_role("web"));
    assert_eq!(world.log, ["start 2", "stop 1 worker", "start 2 worker"]);
    world.run_for(11_000);
    assert_eq!(world.observe().warm, Some(id(1)));
    world.confirm("p2", 2, 1);
    // Back to what is warm: its worker is started again, after the other ended.
    world.log.clear();
    world.begin_rollback("b1", 3, Some(1));
    let call = world.back("b1", 3, Some(1), Some(2));
    world.run_for(20_000);
    assert_eq!(world.came_to(call), Some(StepState::Done));
    let stop = world.log.iter().position(|line| line == "stop 2 worker");
    let start = world.log.iter().position(|line| line == "start 1 worker");
    assert!(stop.is_some() && stop < start, "{:#?}", world.log);
    assert!(!world.log.contains(&"start 1".to_owned()), "it was warm: {:#?}", world.log);
    assert_eq!(world.living("worker").len(), 1);
}

#[test]
fn after_a_reboot_the_role_is_still_known() {
    let mut world = World::settled(Setting::plain().of_role("jobs"));
    world.reboot();
    world.run_for(30_000);
    assert_eq!(world.running().len(), 1);
    assert_eq!(world.living("worker").len(), 1);
}

#[test]
fn the_host_program_may_die_while_a_worker_starts() {
    for steps in 1..14 {
        let mut world = World::settled(Setting::plain().of_role("web").once());
        world.ship(2);
        world.begin_push("p2", 2, 2);
        world.dies_after = Some(steps);
        world.switch("p2", 2, 2, to_old());
        world.kill_host_program();
        world.run_for(20_000);
        assert_eq!(world.living("worker").len(), 1, "{steps}: {:#?}", world.log);
    }
}

#[test]
fn what_runs_once_runs_only_where_the_head_says_here() {
    let mut world = World::settled(Setting::beside().of_role("web"));
    assert!(world.living("tick").is_empty());
    let once = |number, holder| Request::Once {
        fence: push(number),
        process: ProcessName::new("tick"),
        holder,
    };
    world.raise(push(5));
    assert_eq!(world.ask(once(5, Holder::Here)), Answer::Ok);
    world.run_for(1_000);
    assert_eq!(world.living("tick").len(), 1);
    world.reboot();
    world.run_for(30_000);
    assert_eq!(world.living("tick").len(), 1, "it stays here over a reboot");
    // Given up: the answer waits for the end, also while the stop hangs.
    world.hanging.insert("stop".to_owned());
    let other = Holder::Host { host: HostName::new("web-2") };
    let call = world.send(once(5, other));
    assert_eq!(world.answers.get(&call), None);
    world.release_hung();
    assert_eq!(world.answers.get(&call), Some(&Answer::Ok));
    assert!(world.living("tick").is_empty());
    world.reboot();
    world.run_for(30_000);
    assert!(world.living("tick").is_empty(), "and stays away");
}

#[test]
fn an_undo_does_not_bring_back_what_was_given_up() {
    let mut world = World::settled(Setting::plain().of_role("web").once());
    world.ship(2);
    world.begin_push("p2", 2, 2);
    world.switch("p2", 2, 2, to_old());
    world.run_for(3_000);
    world.raise(push(7));
    let holder = Holder::Host { host: HostName::new("web-2") };
    let process = ProcessName::new("tick");
    let call = world.send(Request::Once { fence: push(7), process, holder });
    world.run_for(20_000);
    assert_eq!(world.answers.get(&call), Some(&Answer::Ok));
    world.run_for(300_000);
    assert_eq!(world.serves(), Some(id(1)), "undone alone");
    assert!(world.living("tick").is_empty() && world.living("worker").len() == 1);
}

/// It runs, and is in a crash loop for the rest of a minute: until then nothing is to be done, and the
/// host may not wake for it again and again.
#[test]
fn a_process_without_checks_that_crash_looped_is_waited_for_in_peace() {
    let mut world = World::settled(Setting::plain().of_role("jobs"));
    world.falling_parts.insert(part("worker"));
    world.reboot();
    world.run_for(16_000);
    world.falling_parts.clear();
    world.run_for(24_000);
    assert_eq!(world.living("worker").len(), 1);
    assert!(matches!(world.observe().app.expect("it runs").health, HealthState::Sick { .. }));
    world.run_for(30_000);
    assert_eq!(world.observe().app.expect("it runs").health, HealthState::Healthy);
}

/// What waits for a job's times is a process: it comes with its release, is well at once, and goes with it.
#[test]
fn a_job_comes_and_goes_with_its_release() {
    let (mut world, call) = pushed(Setting::plain().of_role("night"));
    assert_eq!(world.log, ["stop 1 report", "start 2 report", "point 2"]);
    world.run_for(1_000);
    assert!(matches!(world.came_to(call), Some(StepState::AwaitingConfirm { .. })));
    // Nobody confirms: it is undone, and the job of the release before waits again.
    world.run_for(400_000);
    assert_eq!(world.living("report").len(), 1);
    assert_eq!(world.living("report")[0].release, id(1));
    world.reboot();
    world.run_for(10_000);
    assert_eq!(world.living("report").len(), 1);
    assert_eq!(world.living("report")[0].release, id(1), "nor after a reboot");
}

/// A leader stays warm beside the next release; a job that did would still run at its times.
#[test]
fn a_job_is_never_kept_warm() {
    let mut world = World::settled(Setting::beside().of_role("night"));
    world.ship(3);
    world.begin_push("p2", 2, 3);
    let call = world.switch("p2", 2, 3, to_old());
    world.run_for(11_000);
    assert!(matches!(world.came_to(call), Some(StepState::AwaitingConfirm { .. })));
    assert_eq!(world.living("report"), [], "release 3 has no such job");
    assert_eq!(state(&world.confirm("p2", 2, 1)), StepState::Done);
    world.run_for(60_000);
    assert_eq!(world.living("report"), []);
}
