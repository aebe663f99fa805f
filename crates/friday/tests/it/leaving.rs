//! Ctrl-C in mid-push, a terminal that is closed, a request to end, and readers that go away.

use std::process::Command;

use crate::sandbox::{Sandbox, config};
use crate::terminal::Terminal;

const CTRL_C: &str = "\u{3}";
const QUESTION: &str = "Go on, hold it here, or go back?";

/// A fleet whose bakes last so long.
fn bakes(long: &str) -> Sandbox {
    let sandbox = Sandbox::fleet();
    let text = config("local:[1-3]").replace("bake = \"500ms\"", &format!("bake = \"{long}\""));
    sandbox.write("friday.toml", &text);
    sandbox
}

/// A fleet on `v1` and a terminal in which a push of `v2` bakes.
fn baking(long: &str) -> (Sandbox, Terminal) {
    let sandbox = Sandbox::fleet();
    assert_eq!(sandbox.friday(&["push"]).exit, 0);
    let text = config("local:[1-3]").replace("bake = \"500ms\"", &format!("bake = \"{long}\""));
    sandbox.write("friday.toml", &text);
    let terminal = Terminal::open(&sandbox, &[], &["push", "v2"]);
    sandbox.wait_for_bake("v2");
    (sandbox, terminal)
}

fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args([name, &pid.to_string()]).status().expect("kill");
    assert!(status.success());
}

#[test]
fn ctrl_c_asks_and_a_push_that_goes_on_becomes_stable() {
    let (sandbox, mut terminal) = baking("4s");
    terminal.press(CTRL_C);
    terminal.wait_for(QUESTION, 1);
    terminal.press("perhaps\n");
    terminal.wait_for(QUESTION, 2);
    terminal.press("go\n");
    assert_eq!(terminal.exit(), Some(0), "{}", terminal.shown());
    assert!(terminal.shown().contains("stable"), "{}", terminal.shown());
    assert_eq!(sandbox.runs(), ["v2", "v2", "v2"]);
}

#[test]
fn a_push_comes_to_its_end_while_nobody_answers() {
    let (_sandbox, mut terminal) = baking("2s");
    terminal.press(CTRL_C);
    terminal.wait_for(QUESTION, 1);
    assert_eq!(terminal.exit(), Some(0), "{}", terminal.shown());
}

#[test]
fn held_with_ctrl_c_it_waits_and_can_go_on() {
    let (sandbox, mut terminal) = baking("60s");
    terminal.press(CTRL_C);
    terminal.wait_for(QUESTION, 1);
    terminal.press("hold\n");
    assert_eq!(terminal.exit(), Some(6), "{}", terminal.shown());
    let why = sandbox.friday(&["why"]);
    assert!(why.stdout.contains("anna held it: Ctrl-C"), "{}", why.all());
    assert!(why.stdout.contains("`friday resume --forward` goes on"), "{}", why.all());
    sandbox.write("friday.toml", &config("local:[1-3]"));
    let resumed = sandbox.friday(&["resume", "--back"]);
    assert_eq!(resumed.exit, 0, "{}", resumed.all());
    assert_eq!(sandbox.runs(), ["v1", "v1", "v1"]);
    let push = sandbox.friday(&["push", "v2"]);
    assert_eq!(push.exit, 0, "it was not quarantined: {}", push.all());
}

#[test]
fn back_with_ctrl_c_takes_it_off() {
    let (sandbox, mut terminal) = baking("60s");
    terminal.press(CTRL_C);
    terminal.wait_for(QUESTION, 1);
    terminal.press("b\n");
    assert_eq!(terminal.exit(), Some(5), "{}", terminal.shown());
    assert_eq!(sandbox.runs(), ["v1", "v1", "v1"]);
}

#[test]
fn a_second_ctrl_c_leaves_at_once() {
    let (sandbox, mut terminal) = baking("60s");
    terminal.press(CTRL_C);
    terminal.wait_for(QUESTION, 1);
    terminal.press(CTRL_C);
    assert_eq!(terminal.exit(), Some(130), "{}", terminal.shown());
    let status = sandbox.friday(&["status", "--offline"]);
    assert!(status.stdout.contains("was interrupted"), "{}", status.all());
}

#[test]
fn a_closed_terminal_holds_the_push_and_says_so_in_the_journal() {
    let (sandbox, mut terminal) = baking("60s");
    terminal.close();
    assert_eq!(terminal.exit(), Some(6), "it ended by itself, and in order");
    let why = sandbox.friday(&["why"]);
    assert!(why.stdout.contains("anna held it: the terminal was closed"), "{}", why.all());
    assert_eq!(sandbox.runs(), ["v2", "v2", "v2"], "what was confirmed stays");
    let resumed = sandbox.friday(&["resume", "--back"]);
    assert_eq!(resumed.exit, 0, "{}", resumed.all());
}

#[test]
fn a_terminal_closed_in_a_wave_lets_the_host_in_flight_finish() {
    let sandbox = Sandbox::fleet();
    assert_eq!(sandbox.friday(&["push"]).exit, 0);
    let text = config("local:[1-3]").replace("steady = \"300ms\"", "steady = \"3s\"");
    sandbox.write("friday.toml", &text);
    let mut terminal = Terminal::open(&sandbox, &[], &["push", "v2"]);
    terminal.wait_for("switching", 1);
    terminal.close();
    assert_eq!(terminal.exit(), Some(6));
    let mut runs = sandbox.runs();
    runs.sort();
    assert_eq!(runs, ["v1", "v1", "v2"], "one was in flight, and it was not undone");
    let log = sandbox.friday(&["log", "--all"]).stdout;
    assert!(log.contains("wants it held once no host is in flight"), "{log}");
}

#[test]
fn a_rollback_goes_on_without_its_terminal() {
    let sandbox = Sandbox::fleet();
    for release in ["v1", "v2"] {
        assert_eq!(sandbox.friday(&["push", release]).exit, 0);
    }
    let mut terminal = Terminal::open(&sandbox, &[], &["rollback"]);
    terminal.wait_for("going back", 1);
    terminal.close();
    assert_eq!(terminal.exit(), Some(0));
    assert_eq!(sandbox.runs(), ["v1", "v1", "v1"]);
}

#[test]
fn under_nohup_a_closed_terminal_changes_nothing() {
    let sandbox = bakes("2s");
    let mut terminal = Terminal::open(&sandbox, &["nohup"], &["push"]);
    sandbox.wait_for_bake("v1");
    terminal.close();
    assert_eq!(terminal.exit(), Some(0));
    assert_eq!(sandbox.runs(), ["v1", "v1", "v1"]);
}

#[test]
fn a_request_to_end_holds_the_push_without_a_terminal_too() {
    let sandbox = bakes("60s");
    let push = sandbox.spawn(&["push"]);
    sandbox.wait_for_bake("v1");
    signal(push.id(), "-TERM");
    let push = sandbox.finish(push);
    assert_eq!(push.exit, 6, "{}", push.all());
    assert!(push.stderr.contains("anna held it: friday was asked to end"), "{}", push.all());
}

#[test]
fn readers_that_go_away_end_no_push() {
    let sandbox = bakes("1s");
    for json in [true, false] {
        let args: &[&str] = if json { &["push", "--json"] } else { &["push"] };
        let mut push = sandbox.spawn(args);
        drop((push.stdout.take(), push.stderr.take()));
        let status = push.wait().expect("it ended");
        assert_eq!(status.code(), Some(0));
        assert_eq!(sandbox.runs(), ["v1", "v1", "v1"]);
    }
}

/// A fleet whose build says its processes' numbers and never ends.
fn builds_for_ever() -> Sandbox {
    let sandbox = Sandbox::fleet();
    let build = "echo $$ >pids; sleep 600 & echo $! >>pids; echo it builds; wait";
    let text = config("local:[1-3]");
    sandbox.write(
        "friday.toml",
        &text.replace("[release]", &format!("[release]\nbuild = \"{build}\"")),
    );
    sandbox
}

/// Nothing of the build runs any more, and nobody was asked for anything.
fn nothing_was_changed(sandbox: &Sandbox) {
    let pids = std::fs::read_to_string(sandbox.path().join("pids")).expect("it was built");
    assert_eq!(pids.lines().count(), 2, "{pids}");
    for pid in pids.lines() {
        // What was killed may be a corpse until it is buried.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z "), "it still runs: {stat}");
    }
    assert_eq!(sandbox.friday(&["history"]).stdout.matches("push").count(), 0);
}

#[test]
fn ctrl_c_ends_the_build_and_changes_nothing() {
    let sandbox = builds_for_ever();
    let mut terminal = Terminal::open(&sandbox, &[], &["push"]);
    terminal.wait_for("it builds", 2);
    terminal.press(CTRL_C);
    assert_eq!(terminal.exit(), Some(4), "{}", terminal.shown());
    let said = "stopped while `release.build` ran; nothing was changed";
    assert!(terminal.shown().contains(said), "{}", terminal.shown());
    nothing_was_changed(&sandbox);
}

#[test]
fn a_terminal_that_is_closed_ends_the_build_too() {
    let sandbox = builds_for_ever();
    let mut terminal = Terminal::open(&sandbox, &[], &["plan", "--build"]);
    terminal.wait_for("it builds", 2);
    terminal.close();
    assert_eq!(terminal.exit(), Some(4));
    nothing_was_changed(&sandbox);
}

#[test]
fn a_request_to_end_ends_the_build_too() {
    let sandbox = builds_for_ever();
    let push = sandbox.spawn(&["push"]);
    sandbox.wait_for_file("pids", 2);
    signal(push.id(), "-TERM");
    let push = sandbox.finish(push);
    assert_eq!(push.exit, 4, "{}", push.all());
    assert!(push.stderr.contains("friday was asked to end"), "{}", push.all());
    nothing_was_changed(&sandbox);
}

#[test]
fn a_command_for_a_secret_ends_with_the_wish_to_leave() {
    let sandbox = Sandbox::fleet();
    let secret = "echo $$ >pids; sleep 600 & echo $! >>pids; wait";
    let secrets = format!("[release]\nsecrets = {{ DB = {{ command = \"{secret}\" }} }}");
    sandbox.write("friday.toml", &config("local:[1-3]").replace("[release]", &secrets));
    let push = sandbox.spawn(&["push"]);
    sandbox.wait_for_file("pids", 2);
    signal(push.id(), "-INT");
    let push = sandbox.finish(push);
    assert_eq!(push.exit, 4, "{}", push.all());
    assert!(push.stderr.contains("stopped while secrets were asked for"), "{}", push.all());
    nothing_was_changed(&sandbox);
}
