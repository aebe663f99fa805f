//! The stories in which something dies: hosts, the network, friday itself.

use std::process::Child;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::bed::Bed;
use crate::project::{Project, Quality};
use crate::servers::{Servers, hosts_or};
use crate::truth::{all_run, current, names, page_inside, until};

/// Enough for three waves.
fn hosts() -> usize {
    hosts_or(6)
}

/// A prepared fleet that runs `v1`, and its laptop.
pub fn fleet_with_v1(servers: Servers, hosts: usize) -> (Bed, Project) {
    let bed = servers.up(hosts);
    let laptop = servers.laptop(&bed, "laptop", hosts);
    laptop.release("v1", Quality::Good);
    laptop.ends_with(&bed, 0, &["push", "v1"]);
    (bed, laptop)
}

/// The first of the first hosts that is seen on a release.
pub fn first_on(bed: &Bed, label: &str, hosts: usize) -> String {
    let mut found = None;
    until(&format!("some host is on {label}"), || {
        found = names(hosts).into_iter().find(|host| current(bed, host).as_deref() == Some(label));
        found.is_some()
    });
    found.expect("just found")
}

fn end(mut friday: Child) {
    friday.kill().expect("it is our own child");
    friday.wait().expect("it is our own child");
}

/// Its exit status, when it has ended.
pub fn ended_with(mut friday: Child) -> Option<i32> {
    let mut status = None;
    until("friday ends", || {
        status = friday.try_wait().expect("it is our own child");
        status.is_some()
    });
    status.and_then(|status| status.code())
}

#[test]
fn a_host_that_dies_in_mid_push_is_put_right_when_it_returns() {
    dies_in_mid_push(Servers::Plain, hosts());
}

/// A host loses its power in mid-push; the push comes back, and a sweep puts the host right.
pub fn dies_in_mid_push(servers: Servers, hosts: usize) {
    let (mut bed, laptop) = fleet_with_v1(servers, hosts);
    laptop.release("v2", Quality::Good);
    let push = laptop.begin(&bed, &["push", "v2"], "push");
    let dead = first_on(&bed, "v2", hosts);
    bed.kill(&dead);
    assert_eq!(ended_with(push), Some(6), "the dead host is still owed the way back");
    let others: Vec<String> = names(hosts).into_iter().filter(|host| *host != dead).collect();
    all_run(&bed, &others, "v1");
    bed.start(&dead);
    laptop.ends_with(&bed, 0, &["sweep"]);
    all_run(&bed, &names(hosts), "v1");
}

#[test]
fn a_host_cut_off_before_its_confirm_undoes_alone() {
    cut_off_before_its_confirm(Servers::Plain, hosts());
}

/// A host that nobody can reach any more goes back by itself.
pub fn cut_off_before_its_confirm(servers: Servers, hosts: usize) {
    let (bed, laptop) = fleet_with_v1(servers, hosts);
    laptop.release("v2", Quality::SlowOutside);
    let push = laptop.begin(&bed, &["push", "v2"], "push");
    let cut = first_on(&bed, "v2", hosts);
    bed.partition(&cut);
    until(&format!("{cut} is back on v1 by itself"), || {
        page_inside(&bed, &cut).as_deref() == Some("v1")
    });
    bed.heal(&cut);
    let status = ended_with(push);
    assert!(matches!(status, Some(5 | 6)), "{status:?}");
    laptop.run(&bed, &["sweep"]);
    all_run(&bed, &names(hosts), "v1");
}

/// friday dies while a host waits for its confirm, and is resumed at once: it waits for that host's timer.
#[test]
fn a_push_resumed_beside_an_armed_switch_goes_on_when_that_is_undone() {
    let hosts = 2;
    let bed = Servers::Plain.up(hosts);
    // Long enough from outside to be seen.
    let steady = ("steady = \"200ms\"", "steady = \"4s\"");
    let laptop = Project::with(&bed, "laptop", hosts, &[steady]);
    laptop.release("v1", Quality::Good);
    laptop.release("v2", Quality::Good);
    laptop.ends_with(&bed, 0, &["push", "v1"]);
    let push = laptop.begin(&bed, &["push", "v2"], "push");
    let state = "/home/deploy/.friday-host/shop/state.json";
    until("a host waits for its confirm", || {
        names(hosts)
            .iter()
            .any(|host| bed.sh(host, &format!("grep -q '\"confirming\"' {state}")).status.success())
    });
    end(push);
    laptop.ends_with(&bed, 0, &["resume", "--forward"]);
    all_run(&bed, &names(hosts), "v2");
    laptop.ends_with(&bed, 0, &["log", "verify"]);
}

#[test]
fn a_reboot_with_an_armed_timer_starts_the_old_release() {
    let hosts = hosts();
    let (mut bed, laptop) = fleet_with_v1(Servers::Plain, hosts);
    laptop.release("v2", Quality::SlowOutside);
    for host in names(hosts) {
        let dir = "/home/deploy/.friday-host/shop";
        let line = format!("@reboot {dir}/bin/friday-host boot --dir {dir}");
        bed.tell(&host, &format!("echo '{line}' | crontab -u deploy -"));
    }
    let push = laptop.begin(&bed, &["push", "v2"], "push");
    let armed = first_on(&bed, "v2", hosts);
    end(push);
    bed.kill(&armed);
    bed.start(&armed);
    all_run(&bed, &[armed], "v1");
    laptop.ends_with(&bed, 0, &["resume", "--back"]);
    all_run(&bed, &names(hosts), "v1");
}

/// Going forward needs the lease, and that of the start that was killed lives up to a minute longer.
fn forward(bed: &Bed, laptop: &Project) -> std::process::Output {
    let began = Instant::now();
    loop {
        let done = laptop.run(bed, &["resume", "--forward"]);
        let told = crate::bed::describe(&done);
        if !told.contains("the lease lasts") || began.elapsed() > Duration::from_secs(120) {
            return done;
        }
        std::thread::sleep(Duration::from_secs(5));
    }
}

/// Points in time are spread over the length of a whole push; each is jittered by the clock.
#[test]
fn friday_killed_at_thirty_points_resumes_or_goes_back() {
    killed_at_points(Servers::Plain, hosts(), 30);
}

/// friday is killed at so many points of a push, and then goes on or back.
pub fn killed_at_points(servers: Servers, hosts: usize, points: u32) {
    let (bed, laptop) = fleet_with_v1(servers, hosts);
    let began = Instant::now();
    laptop.release("whole", Quality::Good);
    laptop.ends_with(&bed, 0, &["push", "whole"]);
    let whole = began.elapsed();
    let mut stable = "whole".to_owned();
    for point in 0..points {
        let label = format!("p{point}");
        laptop.release(&label, Quality::Good);
        let push = laptop.begin(&bed, &["push", &label], &label);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
        let jitter = Duration::from_nanos(u64::from(now.subsec_nanos()) / 2);
        std::thread::sleep(whole * point / points + jitter);
        end(push);
        let (way, done) = if point % 10 == points.min(10) - 1 {
            ("--forward", forward(&bed, &laptop))
        } else {
            ("--back", laptop.run(&bed, &["resume", "--back"]))
        };
        let told = crate::bed::describe(&done);
        match (done.status.code(), way) {
            (Some(0), "--forward") => stable = label,
            (Some(0 | 5), _) => {}
            // Killed before it began, or after it was done: nothing is open.
            (Some(4), _) if told.contains("to resume") => {
                stable = current(&bed, "h1").expect("every host runs something");
            }
            (status, way) => panic!("killed at point {point}, resumed {way}: {status:?}\n{told}"),
        }
        // It also ends the lease of the start that was killed, so that the next push need not wait.
        laptop.ends_with(&bed, 0, &["sweep"]);
        all_run(&bed, &names(hosts), &stable);
    }
    laptop.ends_with(&bed, 0, &["log", "verify"]);
}
