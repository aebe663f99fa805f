//! What is true on the hosts, read past friday: links, pages, processes.

use std::time::{Duration, Instant};

use crate::bed::Bed;

/// How long anything on a host may take: clocks of the tests are seconds, and machines can be busy.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// What `http://HOST:8080/` answers, asked by the operator; `None` without an answer.
pub fn page(bed: &Bed, host: &str) -> Option<String> {
    let ask = format!(
        "timeout 5 bash -c 'exec 3<>/dev/tcp/{host}/8080 && \
         printf \"GET / HTTP/1.0\\r\\n\\r\\n\" >&3 && cat <&3'"
    );
    body(&bed.run_inside(&ask).stdout)
}

/// The same asked on the host's console, which a partition does not touch.
pub fn page_inside(bed: &Bed, host: &str) -> Option<String> {
    let ask = "timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/8080 && \
               printf \"GET / HTTP/1.0\\r\\n\\r\\n\" >&3 && cat <&3'";
    body(&bed.sh(host, ask).stdout)
}

fn body(answer: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(answer).into_owned();
    text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
}

/// The label in the tree that `current` points to.
pub fn current(bed: &Bed, host: &str) -> Option<String> {
    let path = "/home/deploy/.friday-host/shop";
    let done = bed.sh(host, &format!("cat {path}/current/label"));
    done.status.success().then(|| String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Waits until every one of these hosts runs and serves a release.
pub fn all_run(bed: &Bed, hosts: &[String], label: &str) {
    for host in hosts {
        until(&format!("{host} serves {label}"), || {
            page_inside(bed, host).as_deref() == Some(label)
                && current(bed, host).as_deref() == Some(label)
        });
    }
}

/// Waits until something holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "not within {} s: {what}", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// `h1` to `hN`.
pub fn names(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("h{number}")).collect()
}
