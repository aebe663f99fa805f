//! The bed itself does what its documentation says: else no test on it would mean anything.

use std::time::{Duration, Instant};

use crate::bed::{Bed, Init};
use crate::truth::until;

/// A short login, so that a silent host fails in seconds.
const LOGIN: &str = "ssh -o ConnectTimeout=3 -o ServerAliveInterval=1 -o ServerAliveCountMax=3";

fn says(bed: &Bed, line: &str) -> String {
    let done = bed.run_inside(line);
    let text = String::from_utf8_lossy(&done.stdout).trim().to_owned();
    assert!(done.status.success(), "`{line}`: {}", String::from_utf8_lossy(&done.stderr));
    text
}

#[test]
fn hosts_are_apart_and_answer_by_name() {
    let bed = Bed::up(3);
    for host in ["h1", "h2", "h3"] {
        let line = format!("{LOGIN} {host} 'hostname; id -un; echo mine >note; cat note'");
        assert_eq!(says(&bed, &line), format!("{host}\ndeploy\nmine"));
        assert_eq!(bed.file(host, "/home/deploy/note").as_deref(), Some(&b"mine\n"[..]));
    }
    bed.tell("h1", "echo other >/home/deploy/note");
    assert_eq!(bed.tell("h2", "cat /home/deploy/note"), "mine", "disks are apart");
    assert!(!bed.sh("h1", "echo x >/usr/x").status.success(), "this machine's programs are safe");
    assert_eq!(bed.tell("h1", "ls /proc | grep -c '^[0-9]*$'").len(), 1, "few processes, its own");
    let out = bed.run_inside("ip route get 9.9.9.9");
    assert!(!out.status.success(), "nothing gets out");
}

#[test]
fn the_host_key_is_checked() {
    let bed = Bed::up(2);
    let swapped = format!("{LOGIN} -o HostKeyAlias=h2 h1 true");
    assert!(!bed.run_inside(&swapped).status.success(), "h1 must not pass for h2");
}

#[test]
fn a_power_cut_ends_everything_and_keeps_the_disk() {
    let mut bed = Bed::up(2);
    let started = "tr ' ' '\\n' </proc/1/stat | sed -n 22p";
    let before = bed.tell("h1", started);
    bed.tell(
        "h1",
        "echo kept >/srv/kept; echo gone >/tmp/gone; (sleep 1000 &) </dev/null >/dev/null 2>&1",
    );
    bed.kill("h1");
    let began = Instant::now();
    assert!(!bed.run_inside(&format!("{LOGIN} h1 true")).status.success());
    assert!(began.elapsed() > Duration::from_secs(2), "silence, not a refusal");
    assert!(bed.run_inside(&format!("{LOGIN} h2 true")).status.success(), "its neighbour is well");
    bed.start("h1");
    assert_eq!(says(&bed, &format!("{LOGIN} h1 cat /srv/kept")), "kept");
    assert_eq!(bed.file("h1", "/tmp/gone"), None);
    assert_ne!(bed.tell("h1", started), before, "another boot");
    assert!(!bed.sh("h1", "pgrep -x sleep -a | grep 1000").status.success());
}

#[test]
fn a_partition_is_silent_both_ways_and_heals() {
    let bed = Bed::up(2);
    bed.partition("h1");
    assert!(!bed.run_inside(&format!("{LOGIN} h1 true")).status.success());
    assert!(bed.run_inside(&format!("{LOGIN} h2 true")).status.success());
    assert_eq!(bed.tell("h1", "cat /etc/hostname"), "h1", "the console needs no network");
    bed.heal("h1");
    assert!(bed.run_inside(&format!("{LOGIN} h1 true")).status.success());
}

#[test]
fn a_paused_host_goes_on_where_it_stopped() {
    let bed = Bed::up(1);
    bed.pause("h1");
    assert!(!bed.run_inside(&format!("timeout 4 {LOGIN} h1 true")).status.success());
    bed.resume("h1");
    assert!(bed.run_inside(&format!("{LOGIN} h1 true")).status.success());
}

#[test]
fn a_disk_fills_up() {
    let bed = Bed::with_disks(1, 16);
    let full = bed.run_inside(&format!("{LOGIN} h1 'dd if=/dev/zero of=big bs=1M count=64'"));
    assert!(String::from_utf8_lossy(&full.stderr).contains("No space left"));
}

#[test]
fn nothing_is_left_behind() {
    let bed = Bed::up(2);
    let directory = bed.directory().to_owned();
    let mut child = bed.command("sleep").arg("1000").spawn().expect("sleep runs");
    bed.tell("h1", "(setsid sleep 1001 &) </dev/null >/dev/null 2>&1");
    drop(bed);
    assert!(
        child.wait().is_ok_and(|status| !status.success()),
        "the operator's program ended, too"
    );
    assert!(!directory.exists());
    let processes = std::process::Command::new("ps").args(["-eo", "args"]).output();
    let listed = processes.map(|done| String::from_utf8_lossy(&done.stdout).into_owned());
    assert!(listed.is_ok_and(|list| !list.contains("sleep 1001")));
}

#[test]
fn a_boot_runs_what_the_crontab_says() {
    let mut bed = Bed::up(1);
    bed.tell("h1", "echo '@reboot date >>/home/deploy/booted' | crontab -u deploy -");
    bed.kill("h1");
    bed.start("h1");
    until("the crontab's line ran", || bed.file("h1", "/home/deploy/booted").is_some());
}

#[test]
fn systemd_runs_a_host_and_its_users_units() {
    let mut bed = Bed::with_init(1, Init::Systemd);
    let state = |bed: &Bed| {
        let asked = bed.sh("h1", "systemctl is-system-running");
        String::from_utf8_lossy(&asked.stdout).trim().to_owned()
    };
    until("systemd is up", || state(&bed) == "running");
    let failed = bed.tell("h1", "systemctl --failed --no-legend");
    assert_eq!(failed, "");
    bed.tell("h1", "loginctl enable-linger deploy");
    let unit = "systemd-run --quiet --user --unit=note sh -c \"echo noted; exec sleep 1000\"";
    assert_eq!(says(&bed, &format!("{LOGIN} h1 '{unit}'")), "");
    let noted = format!("{LOGIN} h1 journalctl --user-unit=note --output=cat");
    until("the user reads the journal", || says(&bed, &noted).contains("noted"));
    bed.kill("h1");
    bed.start("h1");
    until("the user's manager is there without a login", || {
        bed.sh("h1", "test -S /run/user/2001/systemd/private").status.success()
    });
    assert!(!bed.sh("h1", "pgrep -x sleep").status.success());
}
