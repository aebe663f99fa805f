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
fn a_silent_keeper_is_named_once_and_another_is_named_with_a_persons_word() {
    let sandbox = Sandbox::fleet();
    assert_eq!(sandbox.friday(&["push"]).exit, 0);
    let keeper = |sandbox: &Sandbox| -> Vec<String> {
        let said = sandbox.friday(&["hosts", "--json"]).json();
        let hosts = said[0]["hosts"].as_array().expect("hosts").clone();
        let kept = hosts.iter().filter(|host| host["keeper"] == true);
        kept.map(|host| host["host"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(keeper(&sandbox), ["local-1"]);
    assert_eq!(sandbox.friday(&["hosts", "keeper", "local-2"]).exit, 0);
    assert_eq!(keeper(&sandbox), ["local-2"]);
    let push = sandbox.friday(&["push", "v2"]);
    assert_eq!(push.exit, 4, "{}", push.all());
    assert!(push.stderr.contains("`[hosts] keeper = \"…\"`"), "{}", push.all());
    let text = config("local:[1-3]").replace("[hosts]", "[hosts]\nkeeper = \"local-2\"");
    sandbox.write("friday.toml", &text);
    assert_eq!(sandbox.friday(&["push", "v2"]).exit, 0);

    // The keeper goes: a directory of another fleet stands where it was.
    sandbox.write("friday.toml", &text.replace("local:[1-3]", "local:[1-2]"));
    let hosts = sandbox.path().join(".friday/hosts");
    std::fs::rename(hosts.join("local-2"), hosts.join("gone")).expect("moved");
    sandbox.write(".friday/hosts/local-2", "");
    let push = sandbox.friday(&["push", "v1"]);
    assert_eq!(push.exit, 7, "{}", push.all());
    assert_eq!(push.stderr.matches("`local-2` does not answer").count(), 1, "{}", push.all());
    assert!(push.stderr.contains("; it keeps the lease"), "{}", push.all());
    let named = sandbox.friday(&["hosts", "keeper", "local-1"]);
    assert_eq!(named.exit, 7, "{}", named.all());
    assert!(named.stderr.contains("--proven PERSON"), "{}", named.all());
    let listed = sandbox.friday(&["hosts"]);
    assert!(listed.stderr.contains("1 of 2 hosts does not answer."), "{}", listed.all());
    let line = "@reboot [dir]/.friday/hosts/local-1/bin/friday-host boot --dir [dir]/.friday/hosts/local-1";
    assert_eq!(listed.stderr.matches(line).count(), 1, "{}", listed.all());
    assert!(listed.stdout.contains("the login user needs a directory"), "{}", listed.all());
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
