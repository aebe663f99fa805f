//! What is refused, with which exit status, and in which words.

use insta::assert_snapshot;

use crate::sandbox::{Sandbox, config};

#[test]
fn a_lock_refuses_a_push_and_never_a_rollback() {
    let sandbox = Sandbox::fleet();
    assert_eq!(sandbox.friday(&["push"]).exit, 0);
    assert_eq!(sandbox.friday(&["push", "v2"]).exit, 0);
    assert_snapshot!(sandbox.friday(&["lock", "--reason", "the database moves"]).all(), @r#"
    exit 0
    --- stderr
    [time]   anna locks the fleet: the database moves
    [time] ✓ locked on every host, after [long]
    "#);
    assert_snapshot!(sandbox.friday(&["push", "v1"]).all(), @r#"
    exit 4
    --- stderr
    [time]   push of `v1` ([id]) to 3 hosts in 3 waves
    [time] ✗ the push was refused; nothing was changed
               | anna locked the fleet: the database moves
    Error: the push was refused; nothing was changed
      anna locked the fleet: the database moves
    Hint: `friday unlock` lifts it; a rollback needs no unlock
    "#);
    assert_eq!(sandbox.friday(&["rollback", "--no-quarantine"]).exit, 0);
    assert_eq!(sandbox.runs(), ["v1", "v1", "v1"]);
    assert_snapshot!(sandbox.friday(&["unlock"]).all(), @r#"
    exit 0
    --- stderr
    [time]   unlocking the fleet
    [time] ✓ unlocked on every host, after [long]
    "#);
    assert_eq!(sandbox.friday(&["push", "v2"]).exit, 0);
}

#[test]
fn a_quarantined_release_is_refused_until_that_is_lifted() {
    let sandbox = Sandbox::fleet();
    assert_eq!(sandbox.friday(&["push"]).exit, 0);
    assert_eq!(sandbox.friday(&["push", "v2"]).exit, 0);
    assert_snapshot!(
        sandbox.friday(&["quarantine", "v1", "--reason", "loses orders"]).all(), @r#"
    exit 0
    --- stderr
    [time]   quarantine of `v1` ([id]): loses orders
    [time]   in quarantine: `v1` ([id])
    [time] ✓ every host refuses it, after [long]
    "#
    );
    assert_snapshot!(sandbox.friday(&["push", "v1"]).all(), @r#"
    exit 4
    --- stderr
    [time]   push of `v1` ([id]) to 3 hosts in 3 waves
    [time] ✗ the push was refused; nothing was changed
               | release [id] is quarantined: loses orders
    Error: the push was refused; nothing was changed
      release [id] is quarantined: loses orders
    Hint: change the release; or `friday quarantine --lift RELEASE --reason …` if it was not its fault
    "#);
    assert_snapshot!(
        sandbox.friday(&["quarantine", "--lift", "v1", "--reason", "it was the network"]).all(), @r#"
    exit 0
    --- stderr
    [time]   lifting the quarantine of `v1` ([id]): it was the network
    [time] ✓ hosts take it again, after [long]
    "#
    );
    assert_eq!(sandbox.friday(&["push", "v1"]).exit, 0);
}

#[test]
fn a_host_that_cannot_be_reached_refuses_a_push() {
    let sandbox = Sandbox::fleet();
    // A file stands where the host's directory would be.
    sandbox.write(".friday/hosts/local-2", "");
    let push = sandbox.friday(&["push"]);
    assert_eq!(push.exit, 7, "{}", push.all());
    assert!(push.stderr.contains("`local-2` does not answer"), "{}", push.all());
    assert_eq!(sandbox.friday(&["hosts"]).exit, 7);
}

#[test]
fn another_friday_that_drives_here_refuses_a_push() {
    let sandbox = Sandbox::fleet();
    sandbox
        .write("friday.toml", &config("local:[1-3]").replace("bake = \"500ms\"", "bake = \"5s\""));
    let push = sandbox.spawn(&["push"]);
    sandbox.wait_for_bake("v1");
    let second = sandbox.friday(&["push", "v2"]);
    assert_eq!(second.exit, 4, "{}", second.all());
    assert!(second.stderr.contains("another friday is driving here"), "{}", second.all());
    assert_eq!(sandbox.finish(push).exit, 0);
}

#[test]
fn wrong_usage_is_two() {
    let sandbox = Sandbox::fleet();
    assert_eq!(sandbox.friday(&["pusch"]).exit, 2);
    assert_eq!(sandbox.friday(&["lock"]).exit, 2);
    assert_snapshot!(sandbox.friday(&["logs", "web-9"]).all(), @r#"
    exit 2
    --- stderr
    Error: no host is called `web-9`
    Hint: the configuration has `local-1`, `local-2`, `local-3`
    "#);
    assert_snapshot!(sandbox.friday(&["rollback", "v7"]).all(), @r#"
    exit 2
    --- stderr
    Error: no release is called `v7`
    Hint: see `friday history --releases`
    "#);
}
