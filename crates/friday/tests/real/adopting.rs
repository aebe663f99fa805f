//! Servers that ran something before friday came: a Capistrano layout, started by hand.

use crate::bed::Bed;
use crate::project::{Project, Quality};
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
