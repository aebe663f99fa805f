//! What a configuration comes to, and that no text breaks the parser.

mod databases;
mod mistakes;
mod overlay;
mod processes;

use friday_wire::{Clocks, HealthSpec, HostName, Ports, Rotation};
use proptest::prelude::*;

use super::{Address, Problem, Settings, parse};
use crate::rollout::plan::MigrationBack;
use crate::rollout::wave::WaveSize;

/// A configuration with most keys in it.
const FULL: &str = include_str!("tests/full.toml");

/// The least that is a configuration.
const SMALL: &str = r#"name = "shop"
[release]
path = "dist"
[hosts]
web = ["local:[1-3]"]
"#;

fn good(text: &str, env: Option<&str>) -> Settings {
    match parse("friday.toml", text, env) {
        Ok(settings) => settings,
        Err(problems) => panic!("{}", drawn(text, &problems).join("\n")),
    }
}

/// Each problem as one line: `line:column message | label | hint`.
fn drawn(text: &str, problems: &[Problem]) -> Vec<String> {
    problems
        .iter()
        .map(|problem| {
            let (line, column) = problem.position(text);
            let hint = problem.hint.as_deref().unwrap_or("");
            format!("{line}:{column} {problem} | {} | {hint}", problem.label)
        })
        .collect()
}

#[test]
fn defaults_are_those_of_the_plan() {
    let settings = good(SMALL, None);
    assert_eq!(settings.health, HealthSpec::default());
    assert_eq!(settings.clocks, Clocks::default());
    assert_eq!(settings.rotation, Rotation::None);
    assert_eq!(
        settings.waves,
        [WaveSize::Hosts(1), WaveSize::Percent(10), WaveSize::Percent(33), WaveSize::Percent(100),]
    );
    assert_eq!(settings.soak_ms, [300_000, 600_000, 600_000]);
    assert_eq!(settings.bake_ms, 3_600_000);
    assert_eq!(settings.out_at_once_percent, 25);
    assert_eq!(settings.keep, (5, 3));
    assert_eq!(settings.hooks.timeout_ms, 300_000);
    let fleet = settings.fleet_plan();
    assert_eq!(fleet.progress_deadline_ms, 600_000);
    assert_eq!(fleet.stage_deadline_ms, 600_000);
    assert_eq!((fleet.lease_ms, fleet.heartbeat_ms), (60_000, 15_000));
    assert_eq!((fleet.observe_ms, fleet.answer_deadline_ms), (5_000, 20_000));
    assert_eq!(fleet.outside, None);
    assert_eq!(settings.migration, None);
    assert_eq!(settings.run_spec().command, None);
}

#[test]
fn hosts_keep_the_files_order_and_the_first_is_the_keeper() {
    let settings = good(
        "name = \"shop\"\n[release]\npath = \"dist\"\n[hosts]\nweb = [\"deploy@web-2\", \"deploy@web-1:2222\"]\ndb = [\"deploy@a\"]\nuser = \"other\"\nall = [\"b\"]\n",
        None,
    );
    let names: Vec<&str> = settings.hosts.iter().map(|host| host.name.as_str()).collect();
    assert_eq!(names, ["web-2", "web-1", "a", "b"]);
    assert_eq!(settings.keeper.as_str(), "web-2");
    assert_eq!(
        settings.hosts[1].address,
        Address::Ssh { user: "deploy".to_owned(), host: "web-1".to_owned(), port: Some(2222) }
    );
    assert_eq!(
        settings.hosts[3].address,
        Address::Ssh { user: "other".to_owned(), host: "b".to_owned(), port: None }
    );
    assert_eq!(settings.hosts[3].role, "all");
}

#[test]
fn local_hosts_are_directories_with_ports_in_turn() {
    let text = SMALL.replace("path =", "port = 8080\npath =")
        + "[health]\noutside = \"http://{host}:{port}/\"\n";
    let settings = good(&text, None);
    assert_eq!(settings.hosts[1].name, HostName::new("local-2"));
    assert_eq!(
        settings.hosts[1].address,
        Address::Local { dir: ".friday/hosts/local-2".to_owned() }
    );
    let fleet = settings.fleet_plan();
    let ports: Vec<Ports> = fleet.hosts.iter().map(|host| host.ports).collect();
    assert_eq!(ports, [8080, 8081, 8082].map(|port| Ports::Fixed { port }));
    assert_eq!(fleet.hosts[2].outside_url.as_deref(), Some("http://127.0.0.1:8082/"));
}

#[test]
fn local_hosts_share_a_range_of_ports_out() {
    let text = SMALL.replace("path =", "ports = \"8100-8110\"\npath =")
        + "[rotation]\ninto = \"in\"\nout = \"out\"\n";
    let ports: Vec<Ports> = good(&text, None).hosts.iter().map(|host| host.ports).collect();
    assert_eq!(
        ports,
        [(8100, 8102), (8103, 8105), (8106, 8108)]
            .map(|(first, last)| Ports::PerRelease { first, last })
    );
}

#[test]
fn a_full_configuration_is_read_whole() {
    let settings = good(FULL, None);
    assert_eq!(settings.fleet.as_str(), "shop");
    assert_eq!(settings.hosts.len(), 22);
    assert_eq!(settings.keeper.as_str(), "web-02.example.com");
    let migration = settings.migration.clone().expect("a migration");
    assert_eq!(
        migration.back,
        MigrationBack::Command { command: "bin/shop migrate --back".to_owned() }
    );
    assert_eq!(migration.host.as_str(), "worker-a");
    assert_eq!(settings.secrets.len(), 3);
    assert_eq!(settings.variables["LOG"], "info");
    assert_eq!(settings.soak_ms, [60_000]);
    assert_eq!(settings.shared, ["uploads", "tmp/cache"]);
    let plan = settings.fleet_plan();
    assert_eq!(
        plan.hosts[0].outside_url.as_deref(),
        Some("https://web-01.example.com:8080/healthz?deep=1")
    );
    assert_eq!(plan.outside.map(|outside| outside.health.http), Some(None));
}

#[test]
fn the_example_is_read() {
    let text = include_str!("../../../../examples/guestbook/friday.toml");
    let settings = good(text, None);
    assert_eq!(settings.hosts[2].ports, Ports::Fixed { port: 8103 });
}

#[test]
fn a_plan_has_every_host_in_a_wave() {
    use crate::config::ReleaseFacts;
    use friday_wire::{Digest, ReleaseId, TreeId};
    let settings = good(FULL, Some("staging"));
    let plan = settings.plan(ReleaseFacts {
        release: ReleaseId(Digest([1; 32])),
        tree: TreeId(Digest([2; 32])),
        label: "v1".to_owned(),
        secrets: None,
        only: Vec::new(),
        quarantine_override: None,
        bytes: 3,
        files: 1,
    });
    assert_eq!(plan.waves.concat().len(), settings.hosts.len());
    assert_eq!(plan.migration.expect("a migration").host, settings.hosts[0].name);
}

fn check_bounds(text: &str, env: Option<&str>) -> Result<(), TestCaseError> {
    if let Err(problems) = parse("friday.toml", text, env) {
        prop_assert!(!problems.is_empty());
        for problem in problems {
            prop_assert!(text.get(problem.span.clone()).is_some(), "{problem:?}");
            prop_assert!(!problem.message.contains(char::is_control), "{problem:?}");
            let _ = problem.position(text);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_text_breaks_the_parser(text in "(?s).{0,200}") {
        check_bounds(&text, None)?;
    }

    #[test]
    fn no_text_of_the_right_letters_breaks_it(
        text in "(\\[\\[?|\\]\\]?|name|release|hosts|env|path|web|rollout|waves| = |\"|\n|\\{|\\}|,|\\.|5m|é|[0-9]){0,60}",
        env in proptest::option::of("[a-z]{0,3}"),
    ) {
        check_bounds(&text, env.as_deref())?;
    }

    #[test]
    fn no_change_of_a_good_file_breaks_it(
        at in 0..FULL.len(),
        length in 0..40_usize,
        with in "(?s).{0,8}|\"|\\[|\\]|= 0|-1|\"\"|\\{\\}",
        staging in any::<bool>(),
    ) {
        let mut text = FULL.as_bytes().to_vec();
        let end = (at + length).min(text.len());
        text.splice(at..end, with.bytes());
        let text = String::from_utf8_lossy(&text).into_owned();
        check_bounds(&text, staging.then_some("staging"))?;
    }
}
