//! The ground that hosts stand on: one network, mount and PID namespace for the whole bed.
//!
//! Its first process waits on a pipe that this process holds. When the pipe closes, however that
//! comes about, it ends, and the kernel ends everything in its PID namespace with it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::machine;
use super::shell;

/// The operator's address; hosts have 10.78.1.1, 10.78.1.2, …
const OPERATOR: &str = "10.78.0.1";
/// Hardware addresses are fixed, so that neighbours are known without asking: a host without power is
/// then silent, as it should be, not "no route".
const OPERATOR_MAC: &str = "02:fd:00:00:00:01";
/// The bridge's name.
pub const BRIDGE: &str = "bed";

/// The operator sees its hosts by name, and uses the bed's SSH configuration and nobody's own.
const SCRIPT: &str = r#"
set -e
mount --bind "$1/ssh_config" /etc/ssh/ssh_config
mount --bind "$1/hosts" /etc/hosts
mkdir "$1/empty" "$1/disks"
[ ! -d /root/.ssh ] || mount --bind "$1/empty" /root/.ssh
read -r pid rest </proc/self/stat
echo "$pid"
read -r end || true
"#;

/// The namespaces, held by their first process.
#[derive(Debug)]
pub struct Ground {
    holder: Child,
    pid: u32,
}

impl Ground {
    /// Lays it for `count` hosts.
    pub fn lay(bed: &Path, count: usize) -> Self {
        let mut holder = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "--net", "--pid", "--fork"])
            .args(["--kill-child", "/bin/sh", "-c", SCRIPT, "ground"])
            .arg(bed)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`unshare` was there a moment ago");
        let pid = first_line(&mut holder);
        let ground = Self { holder, pid };
        let mut script = format!(
            "link set lo up\nlink add {BRIDGE} address {OPERATOR_MAC} type bridge stp_state 0 forward_delay 0\n\
             link set {BRIDGE} up\naddress add {OPERATOR}/16 dev {BRIDGE}\n"
        );
        for number in 1..=count {
            script += &neighbour(number, BRIDGE);
        }
        ground.ip(bed, "ground", &script);
        ground
    }

    /// Begins a command in the operator's network; the process that runs is the command itself.
    pub fn enter(&self) -> Command {
        self.enter_at(Path::new("/"))
    }

    /// The same in a directory: entering forgets the one that a command is given otherwise.
    pub fn enter_at(&self, directory: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid.to_string(), "--mount", "--net"]);
        command.arg(format!("--wdns={}", directory.display())).arg("--");
        command
    }

    /// Begins a command that becomes part of the ground and ends with it.
    pub fn enter_whole(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid.to_string(), "--mount", "--net", "--pid", "--"]);
        command
    }

    /// Runs a batch of `ip` commands in its network.
    pub fn ip(&self, bed: &Path, name: &str, script: &str) {
        let path = bed.join(format!("{name}.ip"));
        std::fs::write(&path, script).expect("the bed's directory takes files");
        shell::must(self.enter().args(["ip", "-batch"]).arg(&path));
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // The operator's programs are in this network but not in its PID namespace.
        for pid in machine::processes_in(self.pid, "net") {
            if pid != self.pid {
                shell::signal("KILL", pid);
            }
        }
        drop(self.holder.stdin.take());
        shell::signal("KILL", self.pid);
        let _ = self.holder.wait();
    }
}

/// The `ip` command that makes a host's hardware address known on a device.
pub fn neighbour(number: usize, device: &str) -> String {
    format!(
        "neighbour replace {} lladdr {} dev {device} nud permanent\n",
        machine::address(number),
        machine::mac(number)
    )
}

/// The same for the operator.
pub fn operator_neighbour(device: &str) -> String {
    format!("neighbour replace {OPERATOR} lladdr {OPERATOR_MAC} dev {device} nud permanent\n")
}

/// The number a new first process says of itself.
pub fn first_line(holder: &mut Child) -> u32 {
    let mut line = String::new();
    let said = holder.stdout.take().expect("its output is piped");
    BufReader::new(said).read_line(&mut line).expect("a pipe can be read");
    line.trim().parse().unwrap_or_else(|_| {
        panic!(
            "a namespace of the bed did not come up: its messages stand above (`{}`)",
            line.trim()
        )
    })
}
