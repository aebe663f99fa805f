use friday_wire::{JobRun, ReleaseId};

use super::*;
use crate::config::parse;

const FILE: &str = r#"name = "shop"
timezone = "Europe/Berlin"
[release]
path = "dist"
[hosts]
jobs = ["deploy@jobs-[1-2]"]
[process.report]
run = "bin/shop report"
roles = ["jobs"]
once = true
at = "15 3 * * *"
[process.sweep]
run = "bin/shop sweep"
roles = ["jobs"]
at = "0 * * * *"
timezone = "UTC"
[process.worker]
run = "bin/shop work"
roles = ["jobs"]
"#;

/// Mon 23 Nov 2026, 14:00 in UTC.
const NOW: Timestamp = Timestamp(1_795_442_400_000);

#[test]
fn next_times_are_told_with_their_hosts() {
    let settings = parse("friday.toml", FILE, None).expect("right");
    let says = |holder: Option<&str>| -> Vec<String> {
        let jobs = jobs(&settings, |_| holder.map(HostName::new), NOW);
        jobs.iter().map(JobView::says).collect()
    };
    assert_eq!(
        says(None),
        [
            "report: next Tue 24 Nov 03:15 Europe/Berlin, on one of `jobs-1`, `jobs-2`",
            "sweep: next Mon 23 Nov 15:00 UTC, on `jobs-1`, `jobs-2`",
        ]
    );
    assert!(says(Some("jobs-2"))[0].ends_with(", on `jobs-2`"));
    assert!(says(Some("jobs-2"))[1].ends_with(", on `jobs-1`, `jobs-2`"));
}

#[test]
fn the_last_run_is_told_with_what_came_of_it() {
    let run = |ended: Option<(JobOutcome, &str)>, left_out| JobFacts {
        timezone: None,
        next_ms: Some(NOW.0 + 60_000),
        last: Some(JobRun {
            release: ReleaseId(friday_wire::Digest([7; 32])),
            due_ms: NOW.0 - 120_000,
            began_ms: NOW.0 - 120_000,
            ended: ended.map(|(outcome, status)| JobEnd {
                at_ms: NOW.0 - 65_300,
                outcome,
                status: status.to_owned(),
            }),
            left_out,
        }),
    };
    let told = |facts: &JobFacts| says(facts, NOW).join("; ");
    let next = "next Mon 23 Nov 14:01 UTC";
    let never = JobFacts { last: None, ..run(None, 0) };
    assert_eq!(told(&never), format!("{next}; never ran here"));
    assert_eq!(
        told(&run(None, 1)),
        format!("{next}; at work for 2 min; 1 time left out meanwhile")
    );
    let well = run(Some((JobOutcome::Done, "exit status 0")), 0);
    assert_eq!(told(&well), format!("{next}; ran well 65 s ago"));
    let failed = run(Some((JobOutcome::Failed, "exit status 3")), 0);
    assert!(is_failing(&failed) && !is_failing(&well) && !is_failing(&never));
    assert_eq!(told(&failed), format!("{next}; failed 65 s ago: exit status 3"));
}
