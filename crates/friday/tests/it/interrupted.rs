//! friday may die at any instant: what the next one says, and both ways on.

use insta::assert_snapshot;

use crate::sandbox::{Sandbox, config};

/// A fleet on `v1`, and a push of `v2` that was killed while it baked.
fn killed() -> Sandbox {
    let sandbox = Sandbox::fleet();
    assert_eq!(sandbox.friday(&["push"]).exit, 0);
    sandbox
        .write("friday.toml", &config("local:[1-3]").replace("bake = \"500ms\"", "bake = \"3s\""));
    let mut push = sandbox.spawn(&["push", "v2"]);
    sandbox.wait_for_bake("v2");
    push.kill().expect("killed");
    push.wait().expect("ended");
    sandbox
}

#[test]
fn the_next_push_is_refused_and_says_both_ways_on() {
    let sandbox = killed();
    assert_snapshot!(sandbox.friday(&["push", "v2"]).all(), @r#"
    exit 4
    --- stderr
    Error: the push was refused; nothing was changed
      1. the friday that drove it ended before it was done
      2. the push [rollout] is still open
    Hint: `friday resume --forward` or `friday resume --back`
    Hint: `friday resume --forward`, `friday resume --back` or `friday rollback`
    "#);
    assert_snapshot!(sandbox.friday(&["status", "--offline"]).all(), @r#"
    exit 0
    --- stdout
    shop: `v1` ([id]) is stable since [date] [time] ([long] ago)
      push of `v2` ([id]) was interrupted ([rollout], 3 of 3 hosts done)
        `friday resume` goes on, forward or back
    "#);
    assert_snapshot!(sandbox.friday(&["resume"]).all(), @r#"
    exit 2
    --- stderr
    The push [rollout] was interrupted.
    Error: which way is not said
    Hint: `friday resume --forward` goes on, `friday resume --back` takes it off
    "#);
}

/// A push that was killed in its bake, and that the same hosts' other directory took back.
fn killed_and_taken_back_elsewhere() -> Sandbox {
    let sandbox = killed();
    sandbox.write("other/friday.toml", &config("local:[1-3]"));
    std::fs::create_dir(sandbox.path().join("other/.friday")).expect("a directory");
    let hosts = sandbox.path().join(".friday/hosts");
    std::os::unix::fs::symlink(hosts, sandbox.path().join("other/.friday/hosts")).expect("a link");
    let back = sandbox.friday_in("other", &["rollback", "--no-quarantine"]);
    assert_eq!(back.exit, 0, "{}", back.all());
    sandbox
}

#[test]
fn what_another_laptop_took_back_is_in_nobodys_way() {
    let sandbox = killed_and_taken_back_elsewhere();
    let push = sandbox.friday(&["push", "v2"]);
    assert_eq!(push.exit, 0, "{}", push.all());
    assert!(push.stderr.contains("took over from [rollout]"), "{}", push.all());
    assert_eq!(sandbox.runs(), ["v2", "v2", "v2"]);
}

#[test]
fn status_sees_that_another_laptop_took_it_back_and_resume_has_nothing_to_do() {
    let sandbox = killed_and_taken_back_elsewhere();
    let offline = sandbox.friday(&["status", "--offline"]);
    assert!(offline.stdout.contains("was interrupted"), "{}", offline.all());
    let json = sandbox.friday(&["status", "--json"]).json();
    assert_eq!(json.len(), 1);
    assert_eq!(json[0]["open"], serde_json::json!([]));
    let status = sandbox.friday(&["status"]);
    assert!(!status.stdout.contains("was interrupted"), "{}", status.all());
    let resume = sandbox.friday(&["resume", "--back"]);
    assert_eq!(resume.exit, 4, "{}", resume.all());
    assert_eq!(sandbox.friday(&["abort"]).exit, 4);
}

#[test]
fn resume_forward_goes_on_to_the_end() {
    let sandbox = killed();
    let resumed = sandbox.friday(&["resume", "--forward"]);
    assert_eq!(resumed.exit, 0, "{}", resumed.all());
    assert_eq!(sandbox.runs(), ["v2", "v2", "v2"]);
}

#[test]
fn resume_back_takes_it_off() {
    let sandbox = killed();
    let resumed = sandbox.friday(&["resume", "--back"]);
    assert_eq!(resumed.exit, 0, "{}", resumed.all());
    assert_eq!(sandbox.runs(), ["v1", "v1", "v1"]);
}

#[test]
fn an_abort_of_an_interrupted_push_takes_it_off_from_here() {
    let sandbox = killed();
    let aborted = sandbox.friday(&["abort"]);
    assert_eq!(aborted.exit, 0, "{}", aborted.all());
    assert_eq!(sandbox.runs(), ["v1", "v1", "v1"]);
}

#[test]
fn a_rollback_needs_no_resume() {
    let sandbox = killed();
    let rollback = sandbox.friday(&["rollback"]);
    assert_eq!(rollback.exit, 0, "{}", rollback.all());
    assert_eq!(sandbox.runs(), ["v1", "v1", "v1"]);
}

#[test]
fn there_is_nothing_to_resume_after_a_good_push() {
    let sandbox = Sandbox::fleet();
    assert_eq!(sandbox.friday(&["push"]).exit, 0);
    assert_snapshot!(sandbox.friday(&["resume", "--forward"]).all(), @r#"
    exit 4
    --- stderr
    Error: there is nothing to resume
      no rollout of this journal is open
    Hint: `friday status` shows what is there
    "#);
}

#[test]
fn ctrl_c_leaves_and_says_how_to_go_on() {
    let sandbox = Sandbox::fleet();
    sandbox
        .write("friday.toml", &config("local:[1-3]").replace("bake = \"500ms\"", "bake = \"3s\""));
    let push = sandbox.spawn(&["push"]);
    sandbox.wait_for_bake("v1");
    let pid = push.id().to_string();
    assert!(
        std::process::Command::new("kill").args(["-INT", &pid]).status().expect("kill").success()
    );
    let push = sandbox.finish(push);
    assert_eq!(push.exit, 6, "{}", push.all());
    assert!(push.stderr.contains("`friday resume --forward` goes on"), "{}", push.all());
    let resumed = sandbox.friday(&["resume", "--back"]);
    assert_eq!(resumed.exit, 0, "{}", resumed.all());
}

#[test]
fn why_knows_that_nobody_drives_an_interrupted_push() {
    let sandbox = killed();
    let why = sandbox.friday(&["why"]).stdout;
    assert!(why.contains("was interrupted"), "{why}");
    assert!(why.contains("nobody drives it any more") && !why.contains("goes on"), "{why}");
}
