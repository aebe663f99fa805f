//! A job that is due each minute, for real: it comes and goes with its release, and one host has it.

use std::process::Output;
use std::time::{Duration, Instant};

use crate::bed::Bed;
use crate::project::{Project, Quality};
use crate::servers::Servers;
use crate::truth::{all_run, until};

const HOSTS: usize = 2;

/// Each run leaves its release's label in a file that outlives releases.
const JOB: &str = r#"
[process.beat]
run = "echo $(cat label) >>$HOME/beats; echo beat of $(cat label)"
roles = ["jobs"]
once = true
at = "* * * * *"
timezone = "Europe/Berlin"
deadline = "20s"
"#;

/// A minute, and what a busy machine adds.
const A_RUN: Duration = Duration::from_secs(180);

fn said(done: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr))
}

/// One web server, one host for jobs.
fn laptop(bed: &Bed, servers: Servers) -> Project {
    let laptop = servers.laptop(bed, "laptop", HOSTS);
    laptop.set(
        "web = [\"deploy@h1\", \"deploy@h2\"]",
        "web = [\"deploy@h1\"]\njobs = [\"deploy@h2\"]",
        "nothing to take out",
    );
    laptop.append(JOB);
    for label in ["v1", "v2"] {
        laptop.release(label, Quality::Good);
    }
    laptop
}

/// The labels that runs have left on a host.
fn beats(bed: &Bed, host: &str) -> Vec<String> {
    let text = bed.file(host, "/home/deploy/beats").unwrap_or_default();
    String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
}

/// In whose trees something waits for a job's times: the labels of their releases.
fn waiting(bed: &Bed, host: &str) -> Vec<String> {
    let ask = "for pid in $(pgrep -f ' job --spec '); do cat /proc/$pid/cwd/label; echo; done";
    let told = String::from_utf8_lossy(&bed.sh(host, ask).stdout).into_owned();
    told.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Waits for one more run, which must be of this release.
fn one_more(bed: &Bed, label: &str) {
    let (before, began) = (beats(bed, "h2").len(), Instant::now());
    while beats(bed, "h2").len() <= before {
        assert!(began.elapsed() < A_RUN, "no run of {label}: {:?}", beats(bed, "h2"));
        std::thread::sleep(Duration::from_millis(500));
    }
    assert_eq!(beats(bed, "h2")[before..], [label.to_owned()]);
}

/// What a run writes is on its way for a moment.
fn logs_tell(bed: &Bed, laptop: &Project, label: &str) {
    until("the run is in the log", || {
        let logs = said(&laptop.run(bed, &["logs", "h2", "--process", "beat"]));
        logs.contains(&format!("beat of {label}")) && logs.contains("friday: run of")
    });
}

#[test]
fn a_job_comes_and_goes_with_its_release() {
    let mut bed = Servers::Plain.up(HOSTS);
    let laptop = laptop(&bed, Servers::Plain);
    let plan = laptop.ends_with(&bed, 0, &["plan", "v1"]);
    assert!(said(&plan).contains("Europe/Berlin, on `h2`"), "{}", said(&plan));
    laptop.ends_with(&bed, 0, &["push", "v1"]);
    assert_eq!(waiting(&bed, "h2"), ["v1"]);
    laptop.ends_with(&bed, 0, &["push", "v2"]);
    assert_eq!(waiting(&bed, "h2"), ["v2"]);
    one_more(&bed, "v2");
    until("the run's end is known", || said(&laptop.run(&bed, &["hosts"])).contains("ran well"));
    logs_tell(&bed, &laptop, "v2");

    // Taken off: nothing of it waits any more, and the next run is the old release's.
    laptop.ends_with(&bed, 0, &["rollback", "--reason", "a test"]);
    assert_eq!(waiting(&bed, "h2"), ["v1"]);
    one_more(&bed, "v1");

    // A reboot of the host starts the one that shall run.
    let dir = "/home/deploy/.friday-host/shop";
    let line = format!("@reboot {dir}/bin/friday-host boot --dir {dir}");
    bed.tell("h2", &format!("echo '{line}' | crontab -u deploy -"));
    bed.kill("h2");
    bed.start("h2");
    until("the job waits again", || waiting(&bed, "h2") == ["v1"]);
    all_run(&bed, &["h1".to_owned()], "v1");
    assert!(waiting(&bed, "h1").is_empty() && beats(&bed, "h1").is_empty());
    laptop.ends_with(&bed, 0, &["log", "verify"]);
}

fn one_run(servers: Servers) {
    let bed = servers.up(HOSTS);
    let laptop = laptop(&bed, servers);
    laptop.ends_with(&bed, 0, &["push", "v1"]);
    one_more(&bed, "v1");
    logs_tell(&bed, &laptop, "v1");
    laptop.ends_with(&bed, 0, &["push", "v2"]);
    assert_eq!(waiting(&bed, "h2"), ["v2"]);
}

#[test]
fn a_job_waits_in_a_unit_of_the_login() {
    one_run(Servers::UserUnits);
}

#[test]
fn a_job_waits_in_an_instance_of_a_template() {
    one_run(Servers::SystemUnits);
}
