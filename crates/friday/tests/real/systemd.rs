//! The stories on servers with systemd.

use crate::bed::Bed;
use crate::project::{Project, Quality};
use crate::servers::Servers;
use crate::truth::{all_run, current, names, page_inside, until};

/// Enough for waves; each has a whole systemd.
const HOSTS: usize = 3;

fn fleet_with_v1(servers: Servers) -> (Bed, Project) {
    let bed = servers.up(HOSTS);
    let laptop = servers.laptop(&bed, "laptop", HOSTS);
    Servers::prepare(&bed, &laptop);
    laptop.release("v1", Quality::Good);
    laptop.ends_with(&bed, 0, &["push", "v1"]);
    (bed, laptop)
}

fn units(bed: &Bed, servers: Servers) -> String {
    let list = match servers {
        Servers::Plain => return String::new(),
        Servers::UserUnits => {
            "runuser -u deploy -- env XDG_RUNTIME_DIR=/run/user/2001 \
             systemctl --user list-units --no-legend --plain 'friday-shop-*'"
        }
        Servers::SystemUnits => "systemctl list-units --no-legend --plain 'friday-shop@*.service'",
    };
    bed.tell("h1", list)
}

/// Push, a bad release back, a rollback, the output, a host killed with an armed timer.
fn whole_story(servers: Servers) {
    let (mut bed, laptop) = fleet_with_v1(servers);
    all_run(&bed, &names(HOSTS), "v1");
    assert_eq!(units(&bed, servers).lines().count(), 1, "{}", units(&bed, servers));
    laptop.release("v2", Quality::Good);
    laptop.release("v3", Quality::BadOutside);
    laptop.ends_with(&bed, 0, &["push", "v2"]);
    all_run(&bed, &names(HOSTS), "v2");
    assert_eq!(units(&bed, servers).lines().count(), 1, "the old one is gone");
    let said = laptop.ends_with(&bed, 0, &["logs", "h1"]);
    assert!(String::from_utf8_lossy(&said.stdout).contains("hello from v2"), "{said:?}");

    laptop.ends_with(&bed, 5, &["push", "v3"]);
    all_run(&bed, &names(HOSTS), "v2");
    laptop.ends_with(&bed, 0, &["rollback", "--reason", "a test"]);
    all_run(&bed, &names(HOSTS), "v1");
    killed_with_an_armed_timer(&mut bed, &laptop);
    laptop.ends_with(&bed, 0, &["log", "verify"]);
}

/// The host's first process dies in mid-switch. Booted again, the host starts the old release alone.
fn killed_with_an_armed_timer(bed: &mut Bed, laptop: &Project) {
    laptop.release("slow", Quality::SlowOutside);
    let mut push = laptop.begin(bed, &["push", "slow"], "push");
    let mut armed = None;
    until("some host is on slow", || {
        armed = names(HOSTS).into_iter().find(|h| current(bed, h).as_deref() == Some("slow"));
        armed.is_some()
    });
    let armed = armed.expect("just found");
    push.kill().expect("it is our own child");
    push.wait().expect("it is our own child");
    bed.kill(&armed);
    bed.start(&armed);
    all_run(bed, &[armed], "v1");
    laptop.ends_with(bed, 0, &["resume", "--back"]);
    all_run(bed, &names(HOSTS), "v1");
}

#[test]
fn units_of_the_login_are_pushed_taken_back_and_come_back_after_a_boot() {
    whole_story(Servers::UserUnits);
}

#[test]
fn instances_of_a_template_are_pushed_taken_back_and_come_back_after_a_boot() {
    whole_story(Servers::SystemUnits);
}

#[test]
fn a_fleet_moves_to_systemd_and_back() {
    let bed = Servers::SystemUnits.up(1);
    let laptop = Project::new(&bed, "laptop", 1);
    laptop.release("v1", Quality::Good);
    laptop.ends_with(&bed, 0, &["push", "v1"]);
    laptop.configure("supervisor", "user-units");
    // Nobody prepared the host: the push is refused before anything is touched.
    laptop.ends_with(&bed, 4, &["push", "v1"]);
    assert_eq!(page_inside(&bed, "h1").as_deref(), Some("v1"));
    Servers::prepare(&bed, &laptop);
    laptop.ends_with(&bed, 0, &["push", "v1"]);
    all_run(&bed, &names(1), "v1");
    assert_eq!(units(&bed, Servers::UserUnits).lines().count(), 1);
    // Back to what ran before, and so to friday-host's own supervisor.
    laptop.ends_with(&bed, 0, &["rollback"]);
    all_run(&bed, &names(1), "v1");
    assert_eq!(units(&bed, Servers::UserUnits), "");
    laptop.configure("supervisor", "system-units");
    Servers::prepare(&bed, &laptop);
    laptop.release("v2", Quality::Good);
    laptop.ends_with(&bed, 0, &["push", "v2"]);
    all_run(&bed, &names(1), "v2");
    assert_eq!(units(&bed, Servers::SystemUnits).lines().count(), 1);
    laptop.configure("supervisor", "own");
    laptop.release("v3", Quality::Good);
    laptop.ends_with(&bed, 0, &["push", "v3"]);
    all_run(&bed, &names(1), "v3");
    assert_eq!(units(&bed, Servers::SystemUnits), "");
}
