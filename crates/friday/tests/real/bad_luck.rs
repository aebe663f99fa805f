//! Hosts and lines that are well enough to answer, and odd all the same.

use crate::bed::{Bed, describe};
use crate::broken_off::{ended_with, first_on};
use crate::project::{Project, Quality};
use crate::truth::{all_run, names, until};

const HOME: &str = "/home/deploy";

/// Six ways in which a login is not what it should be, all told in one look; and two that do no harm.
#[test]
fn strange_logins_are_told_apart_or_put_up_with() {
    let bed = Bed::up(6);
    let laptop = Project::new(&bed, "laptop", 6);
    laptop.release("v1", Quality::Good);
    let profile = |host: &str, line: &str| {
        bed.tell(host, &format!("cat >{HOME}/.bashrc <<'END'\n{line}\nEND"));
    };
    profile("h1", "head -c 200000 /dev/zero | tr '\\0' x | fold");
    profile("h2", "read -r line");
    profile("h3", "echo not today >&2; exit 1");
    let over = "mount --bind /home/deploy /home/deploy && mount -o remount,bind,";
    bed.tell("h4", &format!("{over}noexec /home/deploy"));
    bed.tell("h5", &format!("{over}ro /home/deploy"));
    bed.tell("h6", "pkill -STOP -o -x sshd");
    let told = describe(&laptop.ends_with(&bed, 7, &["hosts"]));
    let says = |host: &str, words: &[&str]| {
        let line = told.lines().find(|line| line.starts_with(&format!("  {host}: ")));
        let line = line.unwrap_or_else(|| panic!("nothing is said of {host}: {told}"));
        assert!(words.iter().any(|words| line.contains(words)), "{line}");
    };
    says("h1", &["does its shell profile print"]);
    says("h2", &["does its shell profile wait"]);
    says("h3", &["the remote shell ended with 1: not today"]);
    says("h4", &["noexec"]);
    says("h5", &["Read-only file system"]);
    // Whose patience ends first, ssh's or friday's.
    says("h6", &["timed out", "no answer in time"]);

    profile("h1", "echo hello; echo oops >&2; printf '\\033[31m'");
    bed.tell("h2", "rm /home/deploy/.bashrc");
    bed.tell("h3", "echo 'MaxSessions 1' >>/etc/ssh/sshd_config; pkill -HUP -o -x sshd");
    bed.tell("h3", "rm /home/deploy/.bashrc");
    bed.tell("h4", "umount /home/deploy");
    bed.tell("h5", "umount /home/deploy");
    bed.tell("h6", "pkill -CONT -o -x sshd");
    laptop.ends_with(&bed, 0, &["push", "v1"]);
    all_run(&bed, &names(6), "v1");
}

/// Over this line friday-host's own program takes longer than any answer may.
#[test]
fn a_slow_line_gets_friday_host_before_the_push_begins() {
    let bed = Bed::up(2);
    let laptop = Project::new(&bed, "laptop", 2);
    laptop.release("v1", Quality::Good);
    bed.slow_down("h2", "800kbit");
    let told = describe(&laptop.ends_with(&bed, 0, &["push", "v1"]));
    assert!(told.contains("friday-host is being put on `h2`"), "{told}");
    all_run(&bed, &names(2), "v1");
}

/// A host that stands still, one whose disk turns read-only, one that takes no more files, and a keeper
/// that loses power: each in mid-push.
#[test]
fn hosts_that_stall_in_mid_push_are_put_right_later() {
    let mut bed = Bed::up(3);
    let laptop = Project::new(&bed, "laptop", 3);
    for (label, quality) in [
        ("v1", Quality::Good),
        ("v2", Quality::SlowOutside),
        ("v3", Quality::Good),
        ("v4", Quality::SlowOutside),
        ("v5", Quality::SlowOutside),
    ] {
        laptop.release(label, quality);
    }
    laptop.ends_with(&bed, 0, &["push", "v1"]);

    let push = laptop.begin(&bed, &["push", "v2"], "paused");
    let host = first_on(&bed, "v2", 3);
    bed.pause(&host);
    assert_eq!(ended_with(push), Some(6), "{}", laptop.said("paused"));
    let told = describe(&laptop.run(&bed, &["hosts"]));
    assert!(!told.contains("its clock"), "one clock is there, and waiting is no skew: {told}");
    bed.resume(&host);
    // It sweeps first, which takes nothing back.
    laptop.ends_with(&bed, 0, &["push", "v3"]);
    all_run(&bed, &names(3), "v3");

    let push = laptop.begin(&bed, &["push", "v4"], "read-only");
    let host = first_on(&bed, "v4", 3);
    let place = format!("{HOME}/.friday-host");
    bed.tell(&host, &format!("mount --bind {place} {place}; mount -o remount,bind,ro {place}"));
    assert_eq!(ended_with(push), Some(6), "{}", laptop.said("read-only"));
    bed.tell(&host, &format!("umount {place}"));
    laptop.ends_with(&bed, 0, &["sweep"]);
    all_run(&bed, &names(3), "v3");

    let push = laptop.begin(&bed, &["push", "v5"], "keeper");
    first_on(&bed, "v5", 3);
    bed.kill("h1");
    assert_eq!(ended_with(push), Some(6), "{}", laptop.said("keeper"));
    all_run(&bed, &["h2".to_owned(), "h3".to_owned()], "v3");
    bed.start("h1");
    // After its reboot the lease counts one full period: until then somebody might be pushing.
    until("the lease is over", || laptop.run(&bed, &["sweep"]).status.success());
    all_run(&bed, &names(3), "v3");
}

/// The state is written as a new file: the last inodes are kept for it.
#[test]
fn a_host_without_inodes_refuses_files_and_keeps_its_state() {
    let bed = Bed::up(1);
    let laptop = Project::new(&bed, "laptop", 1);
    laptop.release("v1", Quality::Good);
    let many = laptop.release("many", Quality::Good);
    for number in 0..300 {
        std::fs::write(many.join(number.to_string()), number.to_string()).expect("a file");
    }
    let small = "cp -a /home/deploy /root/kept; \
                 mount -t tmpfs -o mode=755,uid=2001,gid=2001,nr_inodes=500 small /home/deploy; \
                 cp -a /root/kept/. /home/deploy";
    bed.tell("h1", small);
    laptop.ends_with(&bed, 0, &["push", "v1"]);
    let told = describe(&laptop.ends_with(&bed, 5, &["push", "many"]));
    assert!(told.contains("inodes"), "{told}");
    all_run(&bed, &names(1), "v1");
    bed.tell("h1", "mount -o remount,nr_inodes=5000 /home/deploy");
    laptop.ends_with(&bed, 0, &["push", "many"]);
    all_run(&bed, &names(1), "many");
}
