//! The stories on servers with systemd.

use crate::bed::Bed;
use crate::broken_off::{
    cut_off_before_its_confirm, dies_in_mid_push, fleet_with_v1, killed_at_points,
};
use crate::project::{Project, Quality};
use crate::push_and_back::two_laptops;
use crate::servers::{Servers, hosts_or};
use crate::truth::{all_run, current, names, page_inside, until};

/// Enough for waves; each has a whole systemd.
fn hosts() -> usize {
    hosts_or(3)
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
    let (mut bed, laptop) = fleet_with_v1(servers, hosts());
    all_run(&bed, &names(hosts()), "v1");
    assert_eq!(units(&bed, servers).lines().count(), 1, "{}", units(&bed, servers));
    laptop.release("v2", Quality::Good);
    laptop.release("v3", Quality::BadOutside);
    laptop.ends_with(&bed, 0, &["push", "v2"]);
    all_run(&bed, &names(hosts()), "v2");
    assert_eq!(units(&bed, servers).lines().count(), 1, "the old one is gone");
    let said = laptop.ends_with(&bed, 0, &["logs", "h1"]);
    assert!(String::from_utf8_lossy(&said.stdout).contains("hello from v2"), "{said:?}");

    laptop.ends_with(&bed, 5, &["push", "v3"]);
    all_run(&bed, &names(hosts()), "v2");
    laptop.ends_with(&bed, 0, &["rollback", "--reason", "a test"]);
    all_run(&bed, &names(hosts()), "v1");
    killed_with_an_armed_timer(&mut bed, &laptop);
    laptop.ends_with(&bed, 0, &["log", "verify"]);
}

/// The host's first process dies in mid-switch. Booted again, the host starts the old release alone.
fn killed_with_an_armed_timer(bed: &mut Bed, laptop: &Project) {
    laptop.release("slow", Quality::SlowOutside);
    let mut push = laptop.begin(bed, &["push", "slow"], "push");
    let mut armed = None;
    until("some host is on slow", || {
        armed = names(hosts()).into_iter().find(|h| current(bed, h).as_deref() == Some("slow"));
        armed.is_some()
    });
    let armed = armed.expect("just found");
    push.kill().expect("it is our own child");
    push.wait().expect("it is our own child");
    bed.kill(&armed);
    bed.start(&armed);
    all_run(bed, &[armed], "v1");
    laptop.ends_with(bed, 0, &["resume", "--back"]);
    all_run(bed, &names(hosts()), "v1");
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
fn a_host_with_units_that_dies_in_mid_push_is_put_right() {
    dies_in_mid_push(Servers::UserUnits, hosts());
}

#[test]
fn a_host_with_units_that_is_cut_off_undoes_alone() {
    cut_off_before_its_confirm(Servers::SystemUnits, hosts());
}

#[test]
fn two_laptops_share_a_fleet_with_units() {
    two_laptops(Servers::SystemUnits, hosts());
}

#[test]
fn friday_killed_in_mid_push_goes_on_or_back_with_units() {
    killed_at_points(Servers::UserUnits, hosts(), 4);
}

/// It ends badly for everybody: the release, friday-host, the connection; and each is started again.
#[test]
fn what_ends_is_started_again_by_whoever_owns_it() {
    let (bed, laptop) = fleet_with_v1(Servers::SystemUnits, 1);
    bed.tell("h1", "pkill -KILL -f '[f]riday-host serve'");
    until("systemd starts friday-host again", || {
        bed.sh("h1", "pgrep -f '[f]riday-host serve'").status.success()
    });
    assert_eq!(page_inside(&bed, "h1").as_deref(), Some("v1"), "nobody touched the application");
    bed.tell("h1", "pkill -KILL -f '[p]erl app.pl'");
    all_run(&bed, &names(1), "v1");
    assert_eq!(units(&bed, Servers::SystemUnits).lines().count(), 1);
    let seen = laptop.ends_with(&bed, 0, &["hosts", "--json"]);
    let seen: serde_json::Value = serde_json::from_slice(&seen.stdout).expect("it is JSON");
    assert_eq!(seen["hosts"][0]["supervisor"], "system-units");
    assert_eq!(seen["hosts"][0]["boot"], "system_unit");
    assert_eq!(seen["hosts"][0]["restarts"], 1);
}

#[test]
fn limits_and_readiness_reach_the_unit() {
    let bed = Servers::UserUnits.up(1);
    let laptop = Servers::UserUnits.laptop(&bed, "laptop", 1);
    laptop.append("\n[limits]\nmemory = \"64MiB\"\ntasks = 40\nfiles = 512\n");
    laptop.set("passes = 2", "passes = 2\nnotify = true\ndeadline = \"10s\"", "deadline = \"40s\"");
    laptop.release("silent", Quality::Good);
    laptop.ends_with(&bed, 5, &["push", "silent"]);
    laptop.release("v1", Quality::Ready);
    laptop.ends_with(&bed, 0, &["push", "v1"]);
    all_run(&bed, &names(1), "v1");
    let unit = units(&bed, Servers::UserUnits);
    let unit = unit.split_whitespace().next().expect("one runs").to_owned();
    let show = format!(
        "runuser -u deploy -- env XDG_RUNTIME_DIR=/run/user/2001 systemctl --user show {unit} \
         -p Type -p MemoryMax -p TasksMax -p LimitNOFILE -p SubState"
    );
    let shown = bed.tell("h1", &show);
    for line in
        ["Type=notify", "MemoryMax=67108864", "TasksMax=40", "LimitNOFILE=512", "SubState=running"]
    {
        assert!(shown.lines().any(|one| one == line), "{line}: {shown}");
    }
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
