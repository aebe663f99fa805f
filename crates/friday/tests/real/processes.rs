//! One release, several processes: web servers, workers, and a mailer that runs once in the fleet.

use std::process::Output;

use crate::bed::Bed;
use crate::project::{Project, Quality};
use crate::servers::Servers;
use crate::truth::{all_run, page_inside, until};

const HOSTS: usize = 4;

/// What the processes end in, and by what they are found on a host.
const WORKER: &str = "sleep 100001";

/// See above.
const MAILER: &str = "sleep 100002";

const PROCESSES: &str = r#"
[process.worker]
run = "echo worker of $(cat label); exec sleep 100001"
roles = ["jobs"]
health = { steady = "300ms" }

[process.mailer]
run = "echo mailer of $(cat label); exec sleep 100002"
roles = ["jobs"]
once = true
health = { steady = "300ms" }
"#;

fn said(done: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr))
}

fn some(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// Two web servers, two hosts for jobs.
fn laptop(bed: &Bed, servers: Servers) -> Project {
    let laptop = servers.laptop(bed, "laptop", HOSTS);
    laptop.set(
        "web = [\"deploy@h1\", \"deploy@h2\", \"deploy@h3\", \"deploy@h4\"]",
        "web = [\"deploy@h1\", \"deploy@h2\"]\njobs = [\"deploy@h3\", \"deploy@h4\"]",
        "nothing to take out",
    );
    laptop.append(PROCESSES);
    for label in ["v1", "v2"] {
        laptop.release(label, Quality::Good);
    }
    laptop
}

/// In whose directories the processes with these words run on a host: their releases' labels.
fn labels(bed: &Bed, host: &str, words: &str) -> Vec<String> {
    let ask = format!("for pid in $(pgrep -xf '{words}'); do cat /proc/$pid/cwd/label; echo; done");
    let told = String::from_utf8_lossy(&bed.sh(host, &ask).stdout).into_owned();
    told.lines().map(str::to_owned).collect()
}

/// Waits until each host for jobs runs one worker of a release, and one of them, or none, the mailer.
fn jobs_run(bed: &Bed, label: &str, mailer: Option<&str>) {
    for host in ["h3", "h4"] {
        until(&format!("{host} runs the worker of {label}"), || {
            labels(bed, host, WORKER) == [label]
        });
        let mails = if mailer == Some(host) { vec![label] } else { Vec::new() };
        until(&format!("{host} runs {mails:?}"), || labels(bed, host, MAILER) == mails);
    }
}

fn whole_story(servers: Servers) {
    let mut bed = servers.up(HOSTS);
    let laptop = laptop(&bed, servers);
    laptop.ends_with(&bed, 0, &["push", "v1"]);
    all_run(&bed, &some(&["h1", "h2"]), "v1");
    jobs_run(&bed, "v1", Some("h3"));
    assert_eq!(page_inside(&bed, "h3"), None, "`run` does not run there");
    assert!(labels(&bed, "h1", WORKER).is_empty());
    let logs = laptop.ends_with(&bed, 0, &["logs", "h3", "--process", "worker"]);
    assert!(said(&logs).contains("worker of v1"), "{}", said(&logs));
    let hosts = laptop.ends_with(&bed, 0, &["hosts"]);
    assert!(said(&hosts).contains("runs worker, mailer (once)"), "{}", said(&hosts));

    // A push leaves the mailer where it is, a person's word moves it, a rollback leaves it there.
    laptop.ends_with(&bed, 0, &["push", "v2"]);
    jobs_run(&bed, "v2", Some("h3"));
    laptop.ends_with(&bed, 0, &["hosts", "once", "mailer", "h4"]);
    jobs_run(&bed, "v2", Some("h4"));
    laptop.ends_with(&bed, 0, &["rollback", "--reason", "a test"]);
    all_run(&bed, &some(&["h1", "h2"]), "v1");
    jobs_run(&bed, "v1", Some("h4"));

    // Its host is gone: nothing else runs it until a person vouches.
    bed.kill("h4");
    let done = laptop.run(&bed, &["hosts", "once", "mailer", "h3"]);
    assert_ne!(done.status.code(), Some(0), "{}", said(&done));
    assert!(labels(&bed, "h3", MAILER).is_empty());
    laptop.ends_with(&bed, 0, &["hosts", "once", "mailer", "h3", "--dead", "h4"]);
    until("h3 runs the mailer", || labels(&bed, "h3", MAILER) == ["v1"]);
    bed.tell("h3", "pkill -xf 'sleep 100001'");
    until("the worker is started again", || labels(&bed, "h3", WORKER) == ["v1"]);
    laptop.ends_with(&bed, 0, &["log", "verify"]);
}

#[test]
fn workers_and_what_runs_once_follow_their_release() {
    whole_story(Servers::Plain);
}

#[test]
fn workers_and_what_runs_once_are_units_of_the_login() {
    whole_story(Servers::UserUnits);
}

#[test]
fn workers_and_what_runs_once_are_instances_of_a_template() {
    whole_story(Servers::SystemUnits);
}
