//! `--json` for scripts: every command's stdout parses, and says what the exit status says.

use crate::sandbox::Sandbox;

#[test]
fn every_command_speaks_json() {
    let sandbox = Sandbox::fleet();
    let push = sandbox.friday(&["push", "--json"]);
    let lines = push.json();
    let result = lines.last().expect("a result");
    assert_eq!(result["result"]["exit"], 0, "{}", push.all());
    assert_eq!(result["result"]["rollout"]["label"], "v1");
    assert!(lines[0]["estimate"]["waiting_ms"].is_u64(), "{}", push.all());
    assert!(lines.len() > 10 && lines[1]["record"]["event"]["kind"].is_string(), "{}", push.all());
    for args in [
        &["plan"][..],
        &["status"],
        &["status", "--offline"],
        &["hosts"],
        &["why"],
        &["log"],
        &["log", "--all"],
        &["log", "verify"],
        &["history"],
        &["history", "--releases"],
        &["logs", "local-1"],
        &["init", "--stdout"],
    ] {
        let said = sandbox.friday(&[args, &["--json"]].concat());
        assert_eq!(said.exit, 0, "{args:?}: {}", said.all());
        assert_eq!(said.json().len(), 1, "{args:?}: {}", said.all());
    }
    assert_eq!(sandbox.friday(&["push", "v2"]).exit, 0);
    for args in [&["lock", "--reason", "x"][..], &["unlock"], &["sweep"], &["rollback"]] {
        let said = sandbox.friday(&[args, &["--json"]].concat());
        assert_eq!(said.exit, 0, "{args:?}: {}", said.all());
        assert_eq!(said.json().last().expect("a result")["result"]["exit"], 0, "{args:?}");
    }
}

#[test]
fn errors_are_json_too() {
    let sandbox = Sandbox::fleet();
    let said = sandbox.friday(&["resume", "--forward", "--json"]);
    assert_eq!(said.exit, 4);
    assert_eq!(said.json()[0]["error"]["exit"], 4);
    let bad = sandbox.friday(&["push", "bad", "--json"]);
    assert_eq!(bad.exit, 5, "{}", bad.all());
    let results: Vec<_> =
        bad.json().into_iter().filter(|line| line["result"].is_object()).collect();
    assert_eq!(results[0]["result"]["kind"], "taken_back");
    assert!(results[0]["result"]["taken_back_by"]["rollout"].is_string(), "{}", bad.all());
}

#[test]
fn an_application_cannot_write_to_the_terminal() {
    let sandbox = Sandbox::fleet();
    sandbox.release("loud", "printf 'pretty \\033[2Jwords\\n'; exec sleep 600");
    let push = sandbox.friday(&["push", "loud"]);
    assert_eq!(push.exit, 0, "{}", push.all());
    let logs = sandbox.friday(&["logs", "local-1"]);
    assert!(!logs.stdout.contains('\x1b'), "{:?}", logs.stdout);
    assert!(logs.stdout.contains("words"), "{:?}", logs.stdout);
}
