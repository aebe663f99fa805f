//! Servers come and go: one host is tried alone, one is set up anew, one is called something else, one leaves.

use crate::bed::Bed;
use crate::project::{Project, Quality};
use crate::truth::{all_run, current, names, page_inside, until};

fn said(done: &std::process::Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr))
}

#[test]
fn one_host_is_tried_alone_and_the_fleet_stays_what_it_is() {
    let bed = Bed::up(3);
    let laptop = Project::new(&bed, "laptop", 3);
    for label in ["v1", "v2", "v3"] {
        laptop.release(label, Quality::Good);
    }
    laptop.ends_with(&bed, 0, &["push", "v1"]);
    let plan = laptop.ends_with(&bed, 0, &["plan", "v2", "--only", "h2"]);
    assert!(said(&plan).contains("the fleet will be mixed"), "{}", said(&plan));
    laptop.ends_with(&bed, 0, &["push", "v2", "--only", "h2"]);
    all_run(&bed, &["h2".to_owned()], "v2");
    all_run(&bed, &["h1".to_owned(), "h3".to_owned()], "v1");
    let status = laptop.ends_with(&bed, 0, &["status"]);
    assert!(said(&status).contains("apart from the fleet"), "{}", said(&status));
    assert!(said(&status).contains("`v1`") && !said(&status).contains("is stable\n  drift"));
    laptop.ends_with(&bed, 0, &["sweep"]);
    all_run(&bed, &["h2".to_owned()], "v2");
    laptop.ends_with(&bed, 4, &["push", "v3", "--only", "h3"]);
    laptop.ends_with(&bed, 0, &["rollback", "--reason", "a test"]);
    all_run(&bed, &names(3), "v1");
    laptop.ends_with(&bed, 0, &["push", "v3"]);
    all_run(&bed, &names(3), "v3");
    laptop.ends_with(&bed, 0, &["log", "verify"]);
}

/// What somebody changed behind friday's back is said by a sweep, and left for a push.
fn a_changed_file_is_told(bed: &Bed, laptop: &Project) {
    bed.tell("h2", "touch /home/deploy/.friday-host/shop/current/label");
    let swept = said(&laptop.ends_with(bed, 0, &["sweep"]));
    assert!(swept.contains("h2: `label` of the current release was changed"), "{swept}");
}

#[test]
fn hosts_are_added_wiped_renamed_and_removed() {
    let mut bed = Bed::up(4);
    let laptop = Project::new(&bed, "laptop", 3);
    laptop.release("v1", Quality::Good);
    laptop.release("v2", Quality::Good);
    laptop.ends_with(&bed, 0, &["push", "v1"]);

    // A fourth one: it is new, and a sweep takes it in.
    laptop.names_hosts(&["h1", "h2", "h3", "h4"]);
    let hosts = laptop.ends_with(&bed, 0, &["hosts"]);
    assert!(said(&hosts).contains("new: nothing is there yet"), "{}", said(&hosts));
    laptop.ends_with(&bed, 0, &["sweep"]);
    all_run(&bed, &names(4), "v1");

    // The keeper is set up anew: another host key, an empty disk.
    bed.tell("h1", "rm -rf /home/deploy/.friday-host; rm /etc/ssh/host_key; ssh-keygen -q -N '' -t ed25519 -f /etc/ssh/host_key");
    bed.kill("h1");
    bed.start("h1");
    let hosts = laptop.ends_with(&bed, 7, &["hosts"]);
    assert!(said(&hosts).contains("host key"), "{}", said(&hosts));
    bed.trust_anew("h1");
    let hosts = laptop.ends_with(&bed, 0, &["hosts"]);
    assert!(said(&hosts).contains("was it set up anew?"), "{}", said(&hosts));
    laptop.ends_with(&bed, 0, &["sweep"]);
    all_run(&bed, &names(4), "v1");
    laptop.ends_with(&bed, 0, &["push", "v2"]);
    all_run(&bed, &names(4), "v2");

    a_changed_file_is_told(&bed, &laptop);

    // The keeper is called by its address from now on.
    let address = bed.address("h1");
    laptop.names_hosts(&[&address, "h2", "h3", "h4"]);
    let hosts = laptop.ends_with(&bed, 7, &["hosts"]);
    assert!(
        said(&hosts).contains(&format!("friday hosts rename h1 {address}")),
        "{}",
        said(&hosts)
    );
    laptop.ends_with(&bed, 0, &["hosts", "rename", "h1", &address]);
    let again = said(&laptop.ends_with(&bed, 0, &["hosts", "rename", "h1", &address]));
    assert!(again.contains("already"), "{again}");
    laptop.ends_with(&bed, 0, &["hosts"]);
    laptop.ends_with(&bed, 0, &["rollback", "--reason", "a test"]);
    all_run(&bed, &names(4), "v1");

    // It goes, and another one keeps the lease.
    laptop.ends_with(&bed, 0, &["hosts", "remove", &address]);
    until("nothing runs there any more", || page_inside(&bed, "h1").is_none());
    assert_eq!(current(&bed, "h1"), None);
    assert!(!bed.sh("h1", "test -e /home/deploy/.friday-host/shop").status.success());
    laptop.names_hosts(&["h2", "h3", "h4"]);
    laptop.ends_with(&bed, 4, &["push", "v2"]);

    // One that is only deleted from the configuration is not forgotten.
    laptop.names_hosts(&["h2", "h3"]);
    let status = laptop.ends_with(&bed, 0, &["status"]);
    assert!(
        said(&status).contains("`h4` is not in the configuration any more"),
        "{}",
        said(&status)
    );
    laptop.ends_with(&bed, 0, &["hosts", "forget", "h4", "--reason", "it was given back"]);
    let status = laptop.ends_with(&bed, 0, &["status"]);
    assert!(!said(&status).contains("`h4`"), "{}", said(&status));
    assert_eq!(page_inside(&bed, "h4").as_deref(), Some("v1"), "it was only forgotten");
    laptop.release("v3", Quality::Good);
    laptop.ends_with(&bed, 0, &["push", "v3"]);
    laptop.ends_with(&bed, 0, &["log", "verify"]);
}
