//! Disks that are full, at every step, on the hosts and here.

use crate::bed::{Bed, describe};
use crate::broken_off::{ended_with, first_on};
use crate::project::{Project, Quality};
use crate::truth::{all_run, current, names, until};

/// Takes all that is left of the host's disk.
fn fill(bed: &Bed, host: &str) {
    bed.sh(host, "dd if=/dev/zero of=/home/filler bs=64k; dd if=/dev/zero of=/home/filler2 bs=1k");
}

fn make_room(bed: &Bed, host: &str) {
    bed.tell(host, "rm -f /home/filler /home/filler2");
}

/// First contact, transfer, an armed switch, the last word of a push.
#[test]
fn a_hosts_full_disk_is_told_at_every_step_and_harms_nothing() {
    let bed = Bed::with_disks(2, 64);
    let laptop = Project::with(&bed, "laptop", 2, &[("bake = \"2s\"", "bake = \"6s\"")]);
    for (label, quality) in
        [("v1", Quality::Good), ("v2", Quality::SlowOutside), ("v3", Quality::Good)]
    {
        laptop.release(label, quality);
    }
    fill(&bed, "h2");
    let told = describe(&laptop.ends_with(&bed, 7, &["push", "v1"]));
    assert!(told.contains("friday-host cannot be put into"), "{told}");
    assert!(told.contains("No space left"), "{told}");

    make_room(&bed, "h2");
    let nearly = "free=$(df -k /home | tail -1 | awk '{print $4}'); \
                  dd if=/dev/zero of=/home/filler bs=1k count=$((free - 14000))";
    bed.tell("h2", nearly);
    let told = describe(&laptop.ends_with(&bed, 4, &["push", "v1"]));
    assert!(told.contains("`h2` has no room"), "{told}");
    assert!(!told.contains("does not answer"), "it answers: {told}");

    make_room(&bed, "h2");
    laptop.ends_with(&bed, 0, &["push", "v1"]);
    let push = laptop.begin(&bed, &["push", "v2"], "armed");
    let armed = first_on(&bed, "v2", 2);
    fill(&bed, &armed);
    let status = ended_with(push);
    assert!(matches!(status, Some(5 | 6)), "{status:?}: {}", laptop.said("armed"));
    make_room(&bed, &armed);
    laptop.ends_with(&bed, 0, &["sweep"]);
    all_run(&bed, &names(2), "v1");

    let push = laptop.begin(&bed, &["push", "v3"], "baking");
    until("it bakes", || laptop.said("baking").contains("it bakes"));
    fill(&bed, "h2");
    assert_eq!(ended_with(push), Some(6), "{}", laptop.said("baking"));
    let told = laptop.said("baking");
    assert!(told.contains("`h2` does not know yet that its release is stable"), "{told}");
    assert!(told.contains("friday resume --forward"), "{told}");
    make_room(&bed, "h2");
    // Looking at it must not take it for over.
    let told = describe(&laptop.run(&bed, &["status"]));
    assert!(told.contains("is held"), "{told}");
    laptop.ends_with(&bed, 0, &["resume", "--forward"]);
    all_run(&bed, &names(2), "v3");
    let told = describe(&laptop.ends_with(&bed, 0, &["hosts"]));
    assert!(!told.contains("`v1`"), "a reboot would start it: {told}");
}

/// Stock, journal, and a rollback with neither.
#[test]
fn fridays_own_full_disk_stops_a_push_and_never_a_rollback() {
    let bed = Bed::up(2);
    let laptop = Project::new(&bed, "laptop", 2);
    let own = laptop.directory().join(".friday");
    std::fs::create_dir(&own).expect("a new directory takes directories");
    let inside = |line: &str| {
        let line = line.replace("OWN", &own.display().to_string());
        let done = bed.run_inside(&line);
        assert!(done.status.success(), "`{line}`: {}", describe(&done));
    };
    inside("mount -t tmpfs -o size=2m,mode=0700 own OWN");
    laptop.release("v1", Quality::Good);
    laptop.release("v2", Quality::SlowOutside);
    let large = laptop.release("large", Quality::Good);
    laptop.ends_with(&bed, 0, &["push", "v1"]);

    inside(&format!("head -c 4000000 /dev/urandom >{}/noise", large.display()));
    let told = describe(&laptop.ends_with(&bed, 1, &["push", "large"]));
    assert!(told.contains("No space left"), "{told}");

    let push = laptop.begin(&bed, &["push", "v2"], "push");
    first_on(&bed, "v2", 2);
    inside("dd if=/dev/zero of=OWN/filler bs=1k; dd if=/dev/zero of=OWN/filler2 bs=64; true");
    assert_eq!(ended_with(push), Some(6), "{}", laptop.said("push"));
    let told = laptop.said("push");
    assert!(told.contains("the journal was not appended to"), "{told}");
    assert!(!told.contains("bug"), "{told}");

    let told = describe(&laptop.ends_with(&bed, 0, &["rollback", "--reason", "a full disk"]));
    assert!(told.contains("goes on without"), "{told}");
    all_run(&bed, &names(2), "v1");
    inside("rm OWN/filler OWN/filler2");
    laptop.run(&bed, &["resume", "--back"]);
    laptop.ends_with(&bed, 0, &["sweep"]);
    laptop.ends_with(&bed, 0, &["log", "verify"]);
    assert_eq!(current(&bed, "h1").as_deref(), Some("v1"));
}
