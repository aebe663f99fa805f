//! From nothing to a pushed release, and what mistakes look like on the way.

use insta::assert_snapshot;

use crate::sandbox::{Sandbox, config};

#[test]
fn init_writes_a_file_that_works_and_never_writes_over_one() {
    let sandbox = Sandbox::empty();
    sandbox.release("bin", "exec sleep 600");
    assert_snapshot!(sandbox.friday(&["init"]).all(), @r#"
    exit 0
    --- stderr
    Wrote friday.toml.
    Look at `path` and `run` in it; then `friday plan` shows what a push would do,
    and `friday push` pushes to three hosts that are directories of this machine.
    "#);
    assert_snapshot!(sandbox.friday(&["init"]).all(), @r#"
    exit 4
    --- stderr
    Error: `friday.toml` is there already
    Hint: `friday plan` shows what it says; `friday init --force` writes over it
    "#);
    let plan = sandbox.friday(&["plan", "--offline"]);
    assert_eq!(plan.exit, 0, "{}", plan.all());
}

#[test]
fn without_a_configuration_friday_says_how_to_get_one() {
    assert_snapshot!(Sandbox::empty().friday(&["push"]).all(), @r#"
    exit 3
    --- stderr
    Error: there is no `friday.toml` here or in a directory above
    Hint: `friday init` writes one
    Hint: `--config PATH` names one that lies elsewhere
    "#);
}

#[test]
fn every_mistake_in_a_configuration_is_drawn() {
    let sandbox = Sandbox::empty();
    sandbox.write(
        "friday.toml",
        "name = \"shop\"\n\n[release]\npath = \"v1\"\nrum = \"./app\"\n\n[hosts]\nweb = [\"local:1\"]\n\n[rollout]\nsoak = \"5 parsecs\"\n",
    );
    assert_snapshot!(sandbox.friday(&["push"]).all(), @r#"
    exit 3
    --- stderr
    error: there is no key `rum` in `[release]`
     --> friday.toml:5:1
      |
    5 | rum = "./app"
      | ^^^ unknown key
      |
      = help: did you mean `run`?

    error: `rollout.soak` is no duration: `parsecs` is not a unit
      --> friday.toml:11:8
       |
    11 | soak = "5 parsecs"
       |        ^^^^^^^^^^^
       |
       = help: write numbers with d, h, m, s or ms: "5m", "90s", "1h30m", "250ms"

    Error: `friday.toml` has 2 mistakes
    "#);
}

#[test]
fn plan_shows_what_a_push_would_do_and_changes_nothing() {
    let sandbox = Sandbox::fleet();
    assert_snapshot!(sandbox.friday(&["plan"]).all(), @r#"
    exit 0
    --- stdout
    Release v1 ([id]): 1 file, 25 B
      + app  25 B
      + run  `./app`
      + `local-1`, `local-2`, `local-3`: nothing → `v1`
    A failure returns to nothing: the release is stopped and removed.
      wave 1  `local-2`, then soaks [long]
      wave 2  `local-1`, then soaks [long]
      wave 3  `local-3`, then bakes [long]
    It takes at least [long], soak and bake; how long the rest takes is not known before a first push.
    Note: `local-1`, `local-2`, `local-3` have nothing of the fleet's yet, and are taken in first
    Note: there is no outside probe: the hosts' own health suffices to confirm
    Note: after a reboot, `local-1`, `local-2`, `local-3` start nothing and undo nothing until friday's next contact
    Nothing stands against it.
    "#);
    assert_eq!(sandbox.runs(), ["nothing", "nothing", "nothing"]);
}

#[test]
fn a_first_push_and_a_second() {
    let sandbox = Sandbox::fleet();
    assert_snapshot!(sandbox.friday(&["push"]).all(), @r#"
    exit 0
    --- stderr
    It takes at least [long], soak and bake; how long the rest takes is not known before a first push.
    [time]   push of `v1` ([id]) to 3 hosts in 3 waves
    [time]   shipping to 3 hosts
    [time]   staging on 3 hosts
    [time]   wave 1 of 3: `local-2`
    [time]   local-2: switching
    [time] ✓ local-2: runs it, healthy, in rotation, confirmed
    [time]   wave 1 soaks for [long]
    [time]   wave 2 of 3: `local-1`
    [time]   local-1: switching
    [time] ✓ local-1: runs it, healthy, in rotation, confirmed
    [time]   wave 2 soaks for [long]
    [time]   wave 3 of 3: `local-3`
    [time]   local-3: switching
    [time] ✓ local-3: runs it, healthy, in rotation, confirmed
    [time]   every host runs it; it bakes for [long]
    [time]   the bake ended well
    [time]   observing 3 hosts
    [time] ✓ `v1` ([id]) is stable on every host, after [long]
    "#);
    assert_eq!(sandbox.runs(), ["v1", "v1", "v1"]);
    assert_snapshot!(sandbox.friday(&["push", "v2", "--quiet"]).all(), @"exit 0");
    assert_eq!(sandbox.runs(), ["v2", "v2", "v2"]);
    assert_snapshot!(sandbox.friday(&["status"]).all(), @r#"
    exit 0
    --- stdout
    shop: `v2` ([id]) is stable since [date] [time] ([long] ago)
    HOST     RELEASE              HEALTH   ROTATION  NOTE
    local-1  `v2` ([id])  healthy  in
    local-2  `v2` ([id])  healthy  in
    local-3  `v2` ([id])  healthy  in
    "#);
}

#[test]
fn releases_that_cannot_be_read_are_named() {
    let sandbox = Sandbox::fleet();
    assert_snapshot!(sandbox.friday(&["push", "v9"]).all(), @r#"
    exit 2
    --- stderr
    Error: the release could not be read
      there is no file or directory at `v9`
    Hint: `release.path` names what is shipped; was it built?
    "#);
    std::fs::create_dir(sandbox.path().join("empty")).expect("a directory");
    assert_snapshot!(sandbox.friday(&["push", "empty"]).all(), @r#"
    exit 2
    --- stderr
    Error: the release could not be read
      the release has no files
    Hint: was it built? `release.path` names what is shipped
    "#);
}

#[test]
fn an_environment_has_hosts_and_a_journal_of_its_own() {
    let sandbox = Sandbox::fleet();
    let with_staging =
        format!("{}\n[env.staging.hosts]\nweb = [\"local:9\"]\n", config("local:[1-3]"));
    sandbox.write("friday.toml", &with_staging);
    let push = sandbox.friday(&["push", "--env", "staging", "--quiet"]);
    assert_eq!(push.exit, 0, "{}", push.all());
    assert_eq!(sandbox.runs(), ["nothing", "nothing", "nothing"]);
    assert_snapshot!(sandbox.friday(&["status", "--env", "staging"]).all(), @r#"
    exit 0
    --- stdout
    shop-staging: `v1` ([id]) is stable since [date] [time] ([long] ago)
    HOST     RELEASE              HEALTH   ROTATION  NOTE
    local-9  `v1` ([id])  healthy  in
    "#);
}
