//! What a bed needs of the machine, said in one sentence where it is missing.

use std::path::Path;
use std::process::{Command, Stdio};

use super::machine::Init;

const PROGRAMS: [(&str, &str); 8] = [
    ("sshd", "openssh-server"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("ip", "iproute2"),
    ("tc", "iproute2"),
    ("nsenter", "util-linux"),
    ("unshare", "util-linux"),
    ("mount", "mount"),
];

/// What hosts with systemd need beside that: they run this machine's programs.
const SYSTEMD: [(&str, &str); 6] = [
    ("/lib/systemd/systemd", "systemd"),
    ("/usr/bin/dbus-daemon", "dbus"),
    ("/usr/bin/journalctl", "systemd"),
    ("/usr/bin/loginctl", "systemd"),
    ("/usr/share/pam-configs/systemd", "libpam-systemd"),
    ("/usr/bin/sudo", "sudo"),
];

const PLACES: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Panics with what is missing and what to do.
pub fn check(init: Init) {
    check_namespaces();
    match init {
        Init::Plain => {}
        Init::Systemd => check_systemd(),
    }
}

fn check_systemd() {
    for (path, package) in SYSTEMD {
        assert!(
            Path::new(path).exists(),
            "`{path}` is missing: run `cargo xtask test`, or apt-get install {package}"
        );
    }
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    assert!(
        mounts.lines().any(|line| line.split(' ').nth(2) == Some("cgroup2")),
        "no control groups of version 2 are mounted here: mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified"
    );
}

fn check_namespaces() {
    let id = Command::new("id").arg("-u").output().expect("`id` runs everywhere");
    assert!(
        id.stdout == b"0\n",
        "real fleets are made of network namespaces, which needs root: run `cargo xtask test`, which asks sudo"
    );
    for (program, package) in PROGRAMS {
        assert!(
            PLACES.iter().any(|place| Path::new(place).join(program).exists()),
            "`{program}` is missing: run `cargo xtask test`, or apt-get install {package}"
        );
    }
    let namespaces = Command::new("unshare")
        .args(["--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "true"])
        .stdin(Stdio::null())
        .output();
    let refused = match namespaces {
        Ok(done) if done.status.success() => return,
        Ok(done) => String::from_utf8_lossy(&done.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    panic!(
        "this machine gives root no namespaces ({refused}): in a container, start it with --privileged"
    );
}
