//! Servers that ran something before friday came: a Capistrano layout, started by hand or by systemd.

use crate::bed::Bed;
use crate::project::{Project, Quality};
use crate::servers::Servers;
use crate::truth::{all_run, names, page_inside, until};

/// Two releases of the old way, the second one current, run by a plain process.
fn capistrano(bed: &Bed, laptop: &Project, host: &str) {
    let lay = "set -e; cd /srv; mkdir -p app/shared/log app/releases/20260101 app/releases/20260202; cd app; \
         ln -s releases/20260202 current; ln -s /srv/app/shared/log current/log; echo old >current/log/x; \
         mkdir current/bin; printf 'cd /srv/app/current || exit 1; PORT=8080 setsid perl app.pl >/srv/app/shared/log/out 2>&1 </dev/null & \
         echo $! >/srv/app/app.pid\\n' >current/bin/start; chmod +x current/bin/start";
    bed.tell(host, lay);
    for file in ["app.pl", "label", "quality"] {
        let text = std::fs::read_to_string(laptop.path("old").join(file)).expect("it was written");
        let into = format!(
            "cat >/srv/app/current/{file} <<'END_OF_FILE'\n{}\nEND_OF_FILE",
            text.trim_end()
        );
        bed.tell(host, &into);
    }
    bed.tell(host, "printf old >/srv/app/current/label; printf good >/srv/app/current/quality; chown -R deploy /srv/app");
    start(bed, host);
    until(&format!("{host} serves the old way"), || {
        page_inside(bed, host).as_deref() == Some("old")
    });
}

/// As the login user, the way a person does.
fn start(bed: &Bed, host: &str) {
    let done = bed.run_inside(&format!("ssh {host} 'sh /srv/app/current/bin/start'"));
    assert!(done.status.success(), "{}", crate::bed::describe(&done));
}

fn pid(bed: &Bed, host: &str) -> String {
    bed.tell(host, "cat /srv/app/app.pid")
}

const HOW: [&str; 5] =
    ["/srv/app/current", "--pidfile", "/srv/app/app.pid", "--start", "sh bin/start"];

fn adopt<'a>(more: &[&'a str]) -> Vec<&'a str> {
    ["adopt"].into_iter().chain(HOW).chain(more.iter().copied()).collect()
}

#[test]
fn what_runs_by_hand_is_adopted_replaced_and_gone_back_to() {
    let bed = Bed::up(2);
    let laptop = Project::new(&bed, "laptop", 2);
    laptop.release("old", Quality::Good);
    laptop.release("v1", Quality::Good);
    laptop.release("v2", Quality::BadOutside);
    for host in names(2) {
        capistrano(&bed, &laptop, &host);
    }
    let before: Vec<String> = names(2).iter().map(|host| pid(&bed, host)).collect();

    // Hosts that differ are told, and nothing happens.
    bed.tell("h2", "echo odd >/srv/app/current/odd");
    let refused = laptop.ends_with(&bed, 4, &adopt(&[]));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("differs from `h1` in `odd`"));
    bed.tell("h2", "rm /srv/app/current/odd");

    laptop.ends_with(&bed, 0, &adopt(&[]));
    let after: Vec<String> = names(2).iter().map(|host| pid(&bed, host)).collect();
    assert_eq!(before, after, "nothing was restarted");
    for (host, pid) in names(2).iter().zip(&after) {
        bed.tell(host, &format!("kill -0 {pid}"));
    }
    all_run(&bed, &names(2), "old");
    laptop.ends_with(&bed, 4, &adopt(&[]));

    // A bad release comes back to it: it was stopped its own way, and is started its own way.
    laptop.ends_with(&bed, 5, &["push", "v2"]);
    all_run(&bed, &names(2), "old");
    laptop.ends_with(&bed, 0, &["push", "v1"]);
    all_run(&bed, &names(2), "v1");
    for (host, pid) in names(2).iter().zip(&after) {
        assert!(
            !bed.sh(host, &format!("kill -0 {pid}")).status.success(),
            "the old process is gone"
        );
    }
    laptop.ends_with(&bed, 0, &["rollback", "--reason", "a test"]);
    all_run(&bed, &names(2), "old");
    laptop.ends_with(&bed, 0, &["log", "verify"]);
}

#[test]
fn what_does_not_pass_its_health_check_is_let_alone() {
    let bed = Bed::up(2);
    let laptop = Project::new(&bed, "laptop", 2);
    laptop.release("old", Quality::Good);
    for host in names(2) {
        capistrano(&bed, &laptop, &host);
        bed.tell(&host, "printf bad-outside >/srv/app/current/quality");
    }
    let before = pid(&bed, "h1");
    bed.tell(
        "h1",
        &format!("kill {before}; while kill -0 {before} 2>/dev/null; do sleep 0.1; done"),
    );
    start(&bed, "h1");
    let bad = pid(&bed, "h1");
    until("it answers its health page", || {
        bed.sh("h1", &format!("kill -0 {bad}")).status.success()
    });
    std::thread::sleep(std::time::Duration::from_secs(4));
    // The outside probe fails on h1: it is not made a release, and goes on running as it did.
    laptop.ends_with(&bed, 5, &adopt(&[]));
    assert_eq!(pid(&bed, "h1"), bad);
    bed.tell("h1", &format!("kill -0 {bad}"));
    assert_eq!(page_inside(&bed, "h2").as_deref(), Some("old"));
}

/// The old way with systemd: a unit that boots start, and a login that may do nothing to it yet.
fn served_by_a_unit(bed: &Bed, laptop: &Project, host: &str) {
    bed.tell(host, "mkdir -p /srv/app/releases/1 && ln -s releases/1 /srv/app/current");
    for file in ["app.pl", "label", "quality"] {
        let text = std::fs::read_to_string(laptop.path("old").join(file)).expect("it was written");
        bed.put(host, &format!("/srv/app/releases/1/{file}"), &text);
    }
    let unit = "[Service]\nUser=deploy\nWorkingDirectory=/srv/app/current\nEnvironment=PORT=8080\n\
                ExecStart=/usr/bin/perl app.pl\nRestart=always\n[Install]\nWantedBy=multi-user.target\n";
    bed.put(host, "/etc/systemd/system/app.service", unit);
    bed.tell(host, "chown -R deploy /srv/app; systemctl daemon-reload; systemctl enable --now app");
    bed.put(host, "/etc/sudoers", "root ALL=(ALL:ALL) ALL\n");
    bed.tell(host, "chmod 0440 /etc/sudoers");
    until(&format!("{host} serves the old way"), || {
        page_inside(bed, host).as_deref() == Some("old")
    });
}

/// What systemd says of the unit: its process, and since when.
fn unit(bed: &Bed, host: &str) -> String {
    bed.tell(host, "systemctl show app -p MainPID -p NRestarts -p ActiveEnterTimestampMonotonic")
}

fn unit_is(bed: &Bed, host: &str, word: &str) -> bool {
    let said = bed.sh(host, &format!("systemctl {word} app")).stdout;
    String::from_utf8_lossy(&said).trim() == word.trim_start_matches("is-")
}

#[test]
fn what_a_unit_of_systemd_runs_is_adopted_replaced_and_gone_back_to() {
    let mut bed = Servers::SystemUnits.up(2);
    let laptop = Project::new(&bed, "laptop", 2);
    laptop.release("old", Quality::Good);
    laptop.release("v1", Quality::Good);
    for host in names(2) {
        served_by_a_unit(&bed, &laptop, &host);
    }
    let before: Vec<String> = names(2).iter().map(|host| unit(&bed, host)).collect();
    let adopt = ["adopt", "/srv/app/current", "--unit", "app.service"];

    // The login may not do it yet: the line that is printed, typed as it is, makes that good.
    let refused = laptop.ends_with(&bed, 4, &adopt);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    let line = told.lines().find_map(|line| line.split_once("`visudo` there: "));
    let (_, line) = line.unwrap_or_else(|| panic!("a line for visudo: {told}"));
    for host in names(2) {
        bed.tell(&host, &format!("echo '{line}' >>/etc/sudoers"));
    }
    laptop.ends_with(&bed, 0, &adopt);
    let after: Vec<String> = names(2).iter().map(|host| unit(&bed, host)).collect();
    assert_eq!(before, after, "nothing was restarted");

    // What comes after it has the port for itself, after a boot as well.
    Servers::prepare(&bed, &laptop);
    laptop.ends_with(&bed, 0, &["push", "v1"]);
    all_run(&bed, &names(2), "v1");
    bed.kill("h1");
    bed.start("h1");
    until("h1 serves v1 after a boot", || page_inside(&bed, "h1").as_deref() == Some("v1"));
    assert!(!unit_is(&bed, "h1", "is-active") && !unit_is(&bed, "h1", "is-enabled"));

    laptop.ends_with(&bed, 0, &["rollback", "--reason", "a test"]);
    all_run(&bed, &names(2), "old");
    for host in names(2) {
        assert!(unit_is(&bed, &host, "is-active"), "{}", unit(&bed, &host));
        assert!(unit_is(&bed, &host, "is-enabled"), "a boot starts it as it did");
    }
    laptop.ends_with(&bed, 0, &["log", "verify"]);
}

/// A command that looks for a word among all processes must find the application, and not whoever asks.
#[test]
fn what_does_not_run_is_not_found_by_a_look_for_its_name() {
    let bed = Bed::up(1);
    let laptop = Project::new(&bed, "laptop", 1);
    laptop.release("old", Quality::Good);
    capistrano(&bed, &laptop, "h1");
    let pid = pid(&bed, "h1");
    bed.tell("h1", &format!("kill {pid}; while kill -0 {pid} 2>/dev/null; do sleep 0.1; done"));
    let by_name = [
        "adopt",
        "/srv/app/current",
        "--start",
        "sh bin/start",
        "--leave-out",
        "log",
        "--running",
        "pgrep -f 'perl app.pl' && true",
        "--stop",
        "pkill -f 'perl app.pl'; true",
    ];
    // Nor does a shell profile that prints change what is found.
    bed.put("h1", "/home/deploy/.bashrc", "echo 'Welcome  to h1'; printf 'mind the step'");
    let refused = laptop.ends_with(&bed, 4, &by_name);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("does not seem to run on `h1`"), "{told}");
    start(&bed, "h1");
    laptop.ends_with(&bed, 0, &by_name);
    laptop.release("v1", Quality::Good);
    laptop.ends_with(&bed, 0, &["push", "v1"]);
    all_run(&bed, &names(1), "v1");
}
