//! The plain stories on six hosts or as many as asked for: push, a bad release, a rollback by hand, two laptops.

use crate::bed::{Bed, describe};
use crate::project::{Project, Quality};
use crate::servers::{Servers, hosts_or};
use crate::truth::{all_run, names, page, until};

fn hosts() -> usize {
    hosts_or(6)
}

#[test]
fn a_push_reaches_every_host_and_a_bad_release_comes_back() {
    let bed = Servers::Plain.up(hosts());
    let laptop = Project::new(&bed, "laptop", hosts());
    laptop.release("v1", Quality::Good);
    laptop.release("v2", Quality::Good);
    laptop.release("v3", Quality::BadOutside);
    laptop.ends_with(&bed, 0, &["push", "v1"]);
    all_run(&bed, &names(hosts()), "v1");
    laptop.ends_with(&bed, 0, &["push", "v2"]);
    all_run(&bed, &names(hosts()), "v2");

    laptop.ends_with(&bed, 5, &["push", "v3"]);
    all_run(&bed, &names(hosts()), "v2");
    laptop.ends_with(&bed, 4, &["push", "v3"]);
    all_run(&bed, &names(hosts()), "v2");

    laptop.ends_with(&bed, 0, &["rollback", "--reason", "a test"]);
    all_run(&bed, &names(hosts()), "v1");
    laptop.ends_with(&bed, 0, &["log", "verify"]);
}

#[test]
fn two_laptops_push_in_turn_and_one_rolls_the_other_back() {
    two_laptops(Servers::Plain, hosts());
}

/// Two people with a journal each, and one fleet.
pub fn two_laptops(servers: Servers, hosts: usize) {
    let bed = servers.up(hosts);
    let anna = servers.laptop(&bed, "anna", hosts);
    let bela = servers.laptop(&bed, "bela", hosts);
    anna.release("v1", Quality::Good);
    bela.release("v2", Quality::Good);
    anna.ends_with(&bed, 0, &["push", "v1"]);
    bela.ends_with(&bed, 0, &["push", "v2"]);
    all_run(&bed, &names(hosts), "v2");
    // Anna's journal has never heard of v2: the hosts' heads tell.
    anna.ends_with(&bed, 0, &["rollback"]);
    all_run(&bed, &names(hosts), "v1");
    // Nor has Bela's of the rollback, and v2 is quarantined now.
    bela.ends_with(&bed, 4, &["push", "v2"]);
    assert_eq!(page(&bed, &format!("h{hosts}")).as_deref(), Some("v1"));
}

/// First contact with a server on which something else listens: the release is as good as before.
#[test]
fn a_taken_port_takes_the_push_back_and_says_whose_it_is() {
    let bed = Servers::Plain.up(2);
    let laptop = Project::new(&bed, "laptop", 2);
    laptop.release("v1", Quality::Good);
    let listen = "my $it = IO::Socket::INET->new(LocalAddr => q(0.0.0.0), LocalPort => 8080, Listen => 5) \
                  or die; sleep 600";
    let begun = format!(
        "setpriv --reuid deploy --regid deploy --clear-groups perl -MIO::Socket::INET -e '{listen}' </dev/null >/dev/null 2>&1 &"
    );
    bed.tell("h2", &begun);
    until("the port is taken", || listens(&bed, "h2"));

    let told = describe(&laptop.ends_with(&bed, 5, &["push", "v1"]));
    assert!(told.contains("not the release's fault: `h2` failed"), "{told}");
    assert!(told.contains("port 8080 is taken by `perl` (pid "), "{told}");
    assert!(told.contains("the release is not quarantined"), "{told}");
    let told = describe(&laptop.ends_with(&bed, 0, &["why"]));
    assert!(told.contains("port 8080 is taken by `perl`"), "{told}");

    bed.tell("h2", "pkill -x perl");
    until("the port is free", || !listens(&bed, "h2"));
    laptop.ends_with(&bed, 0, &["push", "v1"]);
    all_run(&bed, &names(2), "v1");
}

/// Whether anything listens on the application's port.
fn listens(bed: &Bed, host: &str) -> bool {
    bed.sh(host, "grep -q ':1F90 [0-9A-F]*:0000 0A' /proc/net/tcp").status.success()
}
