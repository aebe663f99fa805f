//! The journal lost, damaged, newer; two directories with two journals; what `log` tells.

use std::fs;

use insta::assert_snapshot;

use crate::sandbox::{Sandbox, config};

#[test]
fn a_lost_journal_is_rebuilt_from_the_hosts() {
    let sandbox = Sandbox::fleet();
    assert_eq!(sandbox.friday(&["push"]).exit, 0);
    assert_eq!(sandbox.friday(&["push", "v2"]).exit, 0);
    for name in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        let _ = fs::remove_file(sandbox.path().join(".friday").join(name));
    }
    assert_snapshot!(sandbox.friday(&["status"]).all(), @r#"
    exit 0
    --- stdout
    shop: nothing was pushed from here yet (there is no journal)
    HOST     RELEASE              HEALTH   ROTATION  NOTE
    local-1  `v2` ([id])  healthy  in
    local-2  `v2` ([id])  healthy  in
    local-3  `v2` ([id])  healthy  in
    "#);
    let rollback = sandbox.friday(&["rollback"]);
    assert_eq!(rollback.exit, 0, "{}", rollback.all());
    let push = sandbox.friday(&["push", "v1"]);
    assert_eq!(push.exit, 0, "{}", push.all());
    assert_eq!(sandbox.runs(), ["v1", "v1", "v1"]);
}

#[test]
fn a_damaged_journal_stops_a_push_and_never_a_rollback() {
    let sandbox = Sandbox::fleet();
    assert_eq!(sandbox.friday(&["push"]).exit, 0);
    assert_eq!(sandbox.friday(&["push", "v2"]).exit, 0);
    let journal = sandbox.path().join(".friday/journal.db");
    for name in ["journal.db-wal", "journal.db-shm"] {
        let _ = fs::remove_file(sandbox.path().join(".friday").join(name));
    }
    fs::write(&journal, "this is no journal").expect("written");
    let push = sandbox.friday(&["push", "v1"]);
    assert_eq!(push.exit, 1, "{}", push.all());
    assert!(push.stderr.contains("is damaged"), "{}", push.all());
    let status = sandbox.friday(&["status"]);
    assert_eq!(status.exit, 1, "{}", status.all());
    assert!(status.stdout.contains("local-3"), "{}", status.all());
    assert!(status.stderr.contains("Hint: move it away"), "{}", status.all());
    let rollback = sandbox.friday(&["rollback"]);
    assert_eq!(rollback.exit, 0, "{}", rollback.all());
    fs::remove_file(&journal).expect("moved away");
    let looked = sandbox.friday(&["sweep"]);
    assert_eq!(looked.exit, 0, "{}", looked.all());
}

#[test]
fn two_directories_with_two_journals_push_to_the_same_hosts() {
    let sandbox = Sandbox::fleet();
    fs::create_dir(sandbox.path().join("other")).expect("a directory");
    for name in ["v1", "v2"] {
        sandbox.release(&format!("other/{name}"), "exec sleep 600");
    }
    sandbox.write("other/v2/app", "#!/bin/sh\nexec sleep 602\n");
    sandbox.write("other/friday.toml", &config("local:[1-3]"));
    assert_eq!(sandbox.friday(&["push"]).exit, 0);
    // The same hosts: the second directory's hosts are the first one's.
    fs::create_dir(sandbox.path().join("other/.friday")).expect("a directory");
    let hosts = sandbox.path().join(".friday/hosts");
    std::os::unix::fs::symlink(hosts, sandbox.path().join("other/.friday/hosts")).expect("a link");
    let second = sandbox.friday_in("other", &["push", "v2", "--label", "theirs"]);
    assert_eq!(second.exit, 0, "{}", second.all());
    let third = sandbox.friday(&["push", "v2", "--label", "ours"]);
    assert_eq!(third.exit, 0, "{}", third.all());
    assert!(third.stderr.contains("learned from the hosts"), "{}", third.all());
    assert_eq!(sandbox.runs(), ["ours", "ours", "ours"]);
}

#[test]
fn log_draws_an_old_push_as_it_was_drawn_live() {
    let sandbox = Sandbox::fleet();
    let live = sandbox.friday(&["push"]);
    let log = sandbox.friday(&["log"]);
    assert_eq!(log.exit, 0, "{}", log.all());
    let lines = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.starts_with("[time]")).map(str::to_owned).collect()
    };
    // What hosts told belongs to the journal, not to one rollout.
    let told = |line: &String| !line.contains("learned from the hosts");
    let live: Vec<String> = lines(&live.stderr).into_iter().filter(told).collect();
    assert_eq!(lines(&log.stdout), live);
}

#[test]
fn log_verify_compares_with_what_hosts_were_shown() {
    let sandbox = Sandbox::fleet();
    assert_eq!(sandbox.friday(&["push"]).exit, 0);
    let good = sandbox.friday(&["log", "verify"]);
    assert_eq!(good.exit, 0, "{}", good.all());
    assert!(good.stdout.contains("agrees up to record"), "{}", good.all());
    assert!(good.stdout.contains("The records keep every promise"), "{}", good.all());
    let findings = sandbox.friday(&["log", "verify", "--json"]).json()[0]["findings"].clone();
    assert_eq!(findings, serde_json::json!([]));
    assert_eq!(sandbox.friday(&["log", "verify", "--offline", "--json"]).json().len(), 1);
}
