//! `cargo xtask test`: everything the project tests, on a machine that has only Rust.
//!
//! The real fleets need Debian packages and root. What is missing is installed, or said; nothing is
//! skipped. The tests run in nextest where it is installed, else in cargo's own runner.

use std::io::IsTerminal;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::workspace;

/// A program that tests need, and the Debian package that has it.
const NEEDED: [(&str, &str); 15] = [
    ("sshd", "openssh-server"),
    ("ssh", "openssh-client"),
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("mount", "mount"),
    ("cron", "cron"),
    ("git", "git"),
    // Hosts that boot systemd run this machine's.
    ("systemctl", "systemd"),
    ("dbus-daemon", "dbus"),
    ("/usr/share/pam-configs/systemd", "libpam-systemd"),
    // Logins there may start and stop what root owns.
    ("sudo", "sudo"),
    // Guarded databases: tests make servers of their own, and leave the package's alone.
    ("pg_createcluster", "postgresql"),
    ("pgbackrest", "pgbackrest"),
    // A mail server for messages.
    ("aiosmtpd", "python3-aiosmtpd"),
    // What a person is told to do with a restored copy.
    ("sqlite3", "sqlite3"),
];

/// Where programs for administrators lie, also where `PATH` does not name them.
const PLACES: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Installs what is missing, then runs every test; `words` go to the runner.
pub fn run(words: &[&str]) -> Result<(), String> {
    install_missing()?;
    let runner = if has_nextest() { &["nextest", "run"][..] } else { &["test"][..] };
    if is_root() {
        return workspace::run(workspace::cargo().args(runner).arg("--workspace").args(words));
    }
    // Only the real fleets need root; the rest must not leave files that belong to it.
    let rest = ["--workspace", "--exclude", "friday"];
    workspace::run(workspace::cargo().args(runner).args(rest).args(words))?;
    let mut product = vec!["--package", "friday", "--bins"];
    if workspace::root().join("crates/friday/tests/it").exists() {
        product.extend(["--test", "it"]);
    }
    workspace::run(workspace::cargo().args(runner).args(product).args(words))?;
    let real = ["--package", "friday", "--test", "real"];
    let runner_variable =
        format!("CARGO_TARGET_{}_RUNNER", workspace::triple()?.to_uppercase().replace('-', "_"));
    workspace::run(
        workspace::cargo().env(runner_variable, "sudo -E").args(runner).args(real).args(words),
    )
}

/// What `cargo xtask fleet-test` tells on servers that have SSH and nothing else.
const PLAIN_STORIES: [&str; 2] = ["push_and_back::", "broken_off::"];

/// The stories on as many servers as asked for: with systemd, or plain ones.
pub fn fleet(words: &[&str]) -> Result<(), String> {
    let stories = if words.contains(&"--plain") { &PLAIN_STORIES[..] } else { &["systemd::"] };
    let words: Vec<&str> = words.iter().copied().filter(|word| *word != "--plain").collect();
    let hosts = match words[..] {
        ["--hosts", hosts] => hosts,
        [] => "16",
        _ => return Err("usage: cargo xtask fleet-test [--hosts N] [--plain]".to_owned()),
    };
    let count: usize = hosts.parse().map_err(|_| format!("`{hosts}` is no number of hosts"))?;
    if !(2..=200).contains(&count) {
        return Err("a fleet has 2 to 200 hosts".to_owned());
    }
    install_missing()?;
    if !is_root() {
        return Err("real fleets need root: run it as root".to_owned());
    }
    let mut tests = workspace::cargo();
    tests.args(["test", "--package", "friday", "--test", "real"]);
    // One fleet at a time: all of them share this machine.
    tests.args(["--", "--test-threads", "1"]).args(stories);
    workspace::run(tests.env("FRIDAY_TEST_HOSTS", hosts))
}

fn install_missing() -> Result<(), String> {
    let missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(program, _)| !is_installed(program))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let wanted = missing.join(" ");
    crate::print(&format!("The tests need Debian packages that are not here: {wanted}\n"));
    let by_hand = format!("install them by hand: apt-get install {wanted}");
    if !is_installed("apt-get") {
        return Err(format!("there is no apt-get here; {by_hand}"));
    }
    for arguments in [&["update"][..], &["install", "-y", "--no-install-recommends"]] {
        let packages = if arguments[0] == "install" { missing.as_slice() } else { &[] };
        let mut apt = as_root("apt-get", &by_hand)?;
        apt.env("DEBIAN_FRONTEND", "noninteractive").arg("-q").args(arguments).args(packages);
        workspace::run(&mut apt)?;
    }
    Ok(())
}

/// A command as root: plainly, or through sudo where that can ask or need not.
fn as_root(program: &str, otherwise: &str) -> Result<Command, String> {
    if is_root() {
        return Ok(Command::new(program));
    }
    let silent = Command::new("sudo").args(["-n", "true"]).stderr(Stdio::null()).status();
    if silent.is_ok_and(|status| status.success())
        || (is_installed("sudo") && std::io::stdin().is_terminal())
    {
        let mut sudo = Command::new("sudo");
        sudo.arg(program);
        return Ok(sudo);
    }
    Err(format!("this needs root, and sudo cannot be asked here; {otherwise}"))
}

fn is_installed(program: &str) -> bool {
    PLACES.iter().any(|place| Path::new(place).join(program).exists())
}

fn has_nextest() -> bool {
    let version = workspace::cargo()
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    version.is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|done| done.stdout.starts_with(b"0\n"))
}
