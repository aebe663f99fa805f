//! A bad release comes back by itself, a person's rollback, an abort from another terminal.

use insta::assert_snapshot;

use crate::sandbox::{Sandbox, config};

#[test]
fn a_bad_release_comes_back_by_itself() {
    let sandbox = Sandbox::fleet();
    assert_eq!(sandbox.friday(&["push"]).exit, 0);
    assert_snapshot!(sandbox.friday(&["push", "bad"]).all(), @r#"
    exit 5
    --- stderr
    [time]   push of `bad` ([id]) to 3 hosts in 3 waves
    [time]   shipping to 3 hosts
    [time]   staging on 3 hosts
    [time]   wave 1 of 3: `local-2`
    [time]   local-2: switching
    [time] ✗ local-2: failed: exited: exit status 3
               | cannot open the database
    [time]   friday rolls back on 3 hosts: `local-2` failed: exited: exit status 3
    [time]   going back to `v1` ([id])
    [time]   in quarantine: `bad` ([id])
    [time]   local-1: going back
    [time] ✓ local-1: is back
    [time]   local-2: going back
    [time] ✓ local-2: is back
    [time]   local-3: going back
    [time] ✓ local-3: is back
    [time]   observing 3 hosts
    [time] ✓ the rollback is done: every host was observed, after [long]
    [time] ! the push failed and was taken back, after [long]
    Error: the push failed and was taken back
      `local-2` failed: exited: exit status 3
    Hint: `friday why` shows all of it
    "#);
    assert_eq!(sandbox.runs(), ["v1", "v1", "v1"]);
    assert_snapshot!(sandbox.friday(&["why"]).all(), @r#"
    exit 0
    --- stdout
    The push of `bad` ([id]) failed and was taken back  [rollout], [date] [time]
      local-2 failed: exited: exit status 3
        | cannot open the database
      friday rolled it back: `local-2` failed: exited: exit status 3 ([rollout]-back1 converged)
    "#);
    assert_snapshot!(sandbox.friday(&["history"]).all(), @r#"
    exit 0
    --- stdout
    WHEN                 ROLLOUT                  WHAT      RELEASE               TOOK   BY      END
    [date] [time]  [rollout]-back1  rollback  `v1` ([id])   [long]  friday  converged
    [date] [time]  [rollout]        push      `bad` ([id])  [long]  anna    failed and was taken back
    [date] [time]  [rollout]        push      `v1` ([id])   [long]  anna    became stable
    "#);
    assert_snapshot!(sandbox.friday(&["push", "bad"]).all(), @r#"
    exit 4
    --- stderr
    [time]   push of `bad` ([id]) to 3 hosts in 3 waves
    Error: the push was refused; nothing was changed
      release [id] is quarantined: `local-2` failed: exited: exit status 3
    Hint: change the release; or `friday quarantine --lift RELEASE --reason …` if it was not its fault
    "#);
}

#[test]
fn a_first_push_that_fails_goes_back_to_nothing() {
    let sandbox = Sandbox::fleet();
    let push = sandbox.friday(&["push", "bad"]);
    assert_eq!(push.exit, 5, "{}", push.all());
    assert_eq!(sandbox.runs(), ["nothing", "nothing", "nothing"]);
}

#[test]
fn rollback_takes_off_what_became_stable() {
    let sandbox = Sandbox::fleet();
    assert_eq!(sandbox.friday(&["push"]).exit, 0);
    assert_eq!(sandbox.friday(&["push", "v2"]).exit, 0);
    assert_snapshot!(sandbox.friday(&["rollback", "--reason", "checkout fails"]).all(), @r#"
    exit 0
    --- stderr
    [time]   rollback to the last stable release on 3 hosts: checkout fails
    [time]   going back to `v1` ([id])
    [time]   in quarantine: `v2` ([id])
    [time]   local-1: going back
    [time] ✓ local-1: is back
    [time]   local-2: going back
    [time] ✓ local-2: is back
    [time]   local-3: going back
    [time] ✓ local-3: is back
    [time]   observing 3 hosts
    [time] ✓ the rollback is done: every host was observed, after [long]
    "#);
    assert_eq!(sandbox.runs(), ["v1", "v1", "v1"]);
    assert_snapshot!(sandbox.friday(&["history", "--releases"]).all(), @r#"
    exit 0
    --- stdout
    RELEASE       LABEL  FIRST PUSHED         STATE
    [id]  v2     [date] [time]  quarantined: checkout fails
    [id]  v1     [date] [time]  stable
    "#);
}

#[test]
fn an_abort_from_another_terminal_takes_the_push_back() {
    let sandbox = Sandbox::fleet();
    assert_eq!(sandbox.friday(&["push"]).exit, 0);
    sandbox
        .write("friday.toml", &config("local:[1-3]").replace("bake = \"500ms\"", "bake = \"60s\""));
    let push = sandbox.spawn(&["push", "v2"]);
    sandbox.wait_for_bake("v2");
    let abort = sandbox.friday(&["abort", "--reason", "wrong branch"]);
    assert_eq!(abort.exit, 0, "{}", abort.all());
    let push = sandbox.finish(push);
    assert_eq!(push.exit, 5, "{}", push.all());
    assert!(push.stderr.contains("anna asks to abort: wrong branch"), "{}", push.all());
    assert_eq!(sandbox.runs(), ["v1", "v1", "v1"]);
}

#[test]
fn a_rollback_from_another_terminal_is_taken_up_by_the_driver() {
    let sandbox = Sandbox::fleet();
    assert_eq!(sandbox.friday(&["push"]).exit, 0);
    sandbox
        .write("friday.toml", &config("local:[1-3]").replace("bake = \"500ms\"", "bake = \"60s\""));
    let push = sandbox.spawn(&["push", "v2"]);
    sandbox.wait_for_bake("v2");
    let rollback = sandbox.friday(&["rollback", "--reason", "orders vanish"]);
    assert_eq!(rollback.exit, 0, "{}", rollback.all());
    let push = sandbox.finish(push);
    assert_eq!(push.exit, 5, "{}\n{}", push.all(), rollback.all());
    assert_eq!(sandbox.runs(), ["v1", "v1", "v1"]);
}

#[test]
fn without_a_push_there_is_nothing_to_abort_or_to_go_back_to() {
    let sandbox = Sandbox::fleet();
    assert_snapshot!(sandbox.friday(&["abort"]).all(), @r#"
    exit 4
    --- stderr
    Error: the resume was refused; nothing was changed
      there is no open push to resume
    Hint: see `friday status`
    "#);
    assert_snapshot!(sandbox.friday(&["rollback"]).all(), @r#"
    exit 4
    --- stderr
    [time]   rollback to the last stable release on 3 hosts: asked for by hand
    Error: the rollback was refused; nothing was changed
      there is nothing to return to: no release was stable before this one
    Hint: see `friday history` for releases that can be named
    "#);
}
