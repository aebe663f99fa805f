//! Completions, manual pages, and a plan that reads like a diff.

use std::process::Command;

use insta::assert_snapshot;

use crate::sandbox::{Sandbox, config};

/// What a shell is offered for a line; the words are what stands before the cursor.
fn offered(sandbox: &Sandbox, words: &[&str]) -> Vec<String> {
    let at = (words.len() - 1).to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_friday"))
        .arg("--")
        .args(words)
        .current_dir(sandbox.path())
        .env_clear()
        .envs([
            ("FRIDAY_COMPLETE", "fish"),
            ("HOME", "/nonexistent"),
            ("_CLAP_COMPLETE_INDEX", &at),
        ])
        .output()
        .expect("friday runs");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn each_shell_gets_a_script_that_asks_friday() {
    for shell in ["bash", "zsh", "fish"] {
        let said = Sandbox::empty().friday(&["completions", shell]);
        assert_eq!(said.exit, 0, "{}", said.all());
        assert!(said.stdout.contains("FRIDAY_COMPLETE"), "{}", said.all());
    }
    let json = Sandbox::empty().friday(&["completions", "bash", "--json"]).json();
    assert!(json[0]["script"].as_str().is_some_and(|script| script.contains("FRIDAY_COMPLETE")));
}

#[test]
fn hosts_releases_and_rollouts_are_offered_and_nothing_is_made() {
    let sandbox = Sandbox::fleet();
    assert!(offered(&sandbox, &["friday", "pu"]).contains(&"push".to_owned()));
    assert_eq!(offered(&sandbox, &["friday", "logs", "local-"]), ["local-1", "local-2", "local-3"]);
    assert_eq!(offered(&sandbox, &["friday", "rollback", "v"]), Vec::<String>::new());
    assert!(!sandbox.path().join(".friday").exists(), "a tab makes nothing");
    for release in ["v1", "v2"] {
        assert_eq!(sandbox.friday(&["push", release]).exit, 0);
    }
    assert_eq!(offered(&sandbox, &["friday", "rollback", "v"]), ["v2", "v1"]);
    assert_eq!(offered(&sandbox, &["friday", "why", "r-"]).len(), 2);
    for words in
        [&["hosts", "forget"][..], &["hosts", "remove"], &["hosts", "verify"], &["push", "--only"]]
    {
        let line = [&["friday"], words, &["local-"]].concat();
        assert_eq!(offered(&sandbox, &line), ["local-1", "local-2", "local-3"], "{words:?}");
    }
}

#[test]
fn the_environment_on_the_line_says_whose_hosts_are_offered() {
    let sandbox = Sandbox::fleet();
    let text = config("local:[1-3]") + "\n[env.staging.hosts]\nweb = [\"local:9\"]\n";
    sandbox.write("friday.toml", &text);
    assert_eq!(offered(&sandbox, &["friday", "push", "--env", "st"]), ["staging"]);
    for env in [&["--env", "staging"][..], &["--env=staging"]] {
        let line = [&["friday", "logs"], env, &["local-"]].concat();
        assert_eq!(offered(&sandbox, &line), ["local-9"]);
    }
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let sandbox = Sandbox::empty();
    let said = sandbox.friday(&["man", "--out", "man"]);
    assert_snapshot!(said.stderr, @r"
    Wrote 39 pages to man.
    ");
    let page = |name: &str| std::fs::read_to_string(sandbox.path().join("man").join(name));
    let push = page("friday-push.1").expect("a page");
    assert!(push.starts_with(".ie \\n(.g .ds Aq") && push.contains("friday\\-push"), "{push}");
    assert!(page("friday-hosts-keeper.1").is_ok());
    assert!(page("friday-__docs.1").is_err(), "hidden commands have none");
    let whole = sandbox.friday(&["man"]);
    assert!(whole.stdout.contains(".SH SUBCOMMANDS"), "{}", whole.all());
}

/// A fleet on `v1`, and a `v2` that changes a bit of everything.
fn changed() -> Sandbox {
    let sandbox = Sandbox::fleet();
    sandbox.write("v1/static/gone.txt", "gone");
    sandbox.write("v1/same.txt", "same");
    assert_eq!(sandbox.friday(&["push"]).exit, 0);
    sandbox.write("v2/static/new.txt", "a new file");
    sandbox.write("v2/same.txt", "same");
    let text = config("local:[1-3]")
        .replace("run = \"./app\"", "run = \"./app --fast\"\nenv = { LOG = \"debug\" }");
    sandbox.write("friday.toml", &text);
    sandbox
}

#[test]
fn a_plan_reads_like_a_diff_and_says_how_long_it_takes() {
    let sandbox = changed();
    let plan = sandbox.friday(&["plan", "v2"]).all();
    let without_time = |line: &str| match line.split_once(" by the last push's pace") {
        Some((_, rest)) => format!("It takes about so long by the last push's pace{rest}"),
        None => line.to_owned(),
    };
    let plan: Vec<String> = plan.lines().map(without_time).collect();
    assert_snapshot!(plan.join("\n"), @r"
    exit 0
    --- stdout
    Release v2 ([id]): 3 files, 39 B
    Against `v1` ([id]), the stable release:
      ~ app              25 B
      - static/gone.txt  4 B
      + static/new.txt   10 B
      + variable LOG
      ~ run  `./app` → `./app --fast`
      ~ `local-1`, `local-2`, `local-3`: `v1` ([id]) → `v2`
    A failure returns to `v1` ([id]).
      wave 1  `local-2`, then soaks [long]
      wave 2  `local-1`, then soaks [long]
      wave 3  `local-3`, then bakes [long]
    It takes about so long by the last push's pace; [long] of it are soak and bake.
    Note: there is no outside probe: the hosts' own health suffices to confirm
    Note: after a reboot, `local-1`, `local-2`, `local-3` start nothing and undo nothing until friday's next contact
    Nothing stands against it.
    ");
    let painted = sandbox.friday(&["plan", "--offline", "v2", "--color", "always"]).stdout;
    assert!(
        painted.contains("\u{1b}[33m\u{1b}[1m~") || painted.contains("\u{1b}[1m\u{1b}[33m~"),
        "{painted:?}"
    );
}

#[test]
fn a_plan_of_many_files_is_short_unless_all_are_wanted() {
    let sandbox = Sandbox::fleet();
    for file in 0..50 {
        sandbox.write(&format!("v1/file-{file:02}"), "x");
    }
    let short = sandbox.friday(&["plan", "--offline"]);
    assert!(short.stdout.contains("and 31 more files; in all 51 added"), "{}", short.all());
    let full = sandbox.friday(&["plan", "--offline", "--full"]);
    assert!(full.stdout.contains("+ file-49"), "{}", full.all());
    let json = sandbox.friday(&["plan", "--offline", "--json"]).json();
    assert_eq!(json[0]["changes"]["added"], 51);
    assert_eq!(json[0]["changes"]["files"].as_array().map(Vec::len), Some(20));
    assert!(json[0]["estimate"]["likely"].is_null());
}

#[test]
fn a_change_of_secrets_is_seen_once_they_are_read() {
    let sandbox = Sandbox::fleet();
    let with = |secret: &str| {
        let run =
            format!("run = \"./app\"\nsecrets = {{ DB = {{ command = \"echo {secret}\" }} }}");
        config("local:[1-3]").replace("run = \"./app\"", &run)
    };
    sandbox.write("friday.toml", &with("one"));
    assert_eq!(sandbox.friday(&["push"]).exit, 0);
    let plan = |args: &[&str]| sandbox.friday(args).json()[0]["secrets"].clone();
    assert_eq!(plan(&["plan", "--offline", "--json"]), "read_at_push");
    assert_eq!(plan(&["plan", "--offline", "--json", "--build"]), "same");
    sandbox.write("friday.toml", &with("two"));
    assert_eq!(plan(&["plan", "--offline", "--json", "--build"]), "changed");
}
