//! A fleet of small SSH servers on one machine, made of Linux namespaces.
//!
//! Each host has its own processes, host name, address, SSH server with its own host key, and a disk
//! that survives a power cut. They hang on a bridge in a network namespace that only this bed has:
//! nothing gets out, nothing gets in. It needs root and `sshd`, `ip`, `nsenter`, `unshare`, `mount`;
//! what is missing is said in one sentence, and nothing is skipped.
//!
//! All hosts share this machine's kernel and clock. A power cut gives another start time of PID 1
//! but the same boot id; a boot's identity is both together. Everything ends with [`Bed`]: its ground
//! holds every process in one PID namespace, which ends when this process does, however it ends.

mod ground;
mod keys;
mod machine;
mod needs;
mod shell;

use std::path::Path;
use std::process::{Command, Output};

use ground::Ground;
pub use machine::Init;
use machine::Machine;
pub use shell::{collect, describe};

/// Room on each host's disk where nothing else is asked: enough for the host program, several
/// releases of the guestbook and logs, and small enough that six hosts fit into memory.
pub const DISK_MIB: u32 = 192;

/// A fleet that runs. Drop ends it.
#[derive(Debug)]
pub struct Bed {
    // Order matters on drop: hosts end before the ground they stand on, the directory last.
    machines: Vec<Machine>,
    ground: Ground,
    directory: tempfile::TempDir,
}

impl Bed {
    /// A fleet of `count` hosts named `h1`, `h2`, …, all running.
    pub fn up(count: usize) -> Self {
        Self::with_disks(count, DISK_MIB)
    }

    /// The same with another size of disk, MiB, to fill one.
    pub fn with_disks(count: usize, disk_mib: u32) -> Self {
        Self::of(count, disk_mib, Init::Plain)
    }

    /// The same with a first process of one's choice.
    pub fn with_init(count: usize, init: Init) -> Self {
        Self::of(count, DISK_MIB, init)
    }

    fn of(count: usize, disk_mib: u32, init: Init) -> Self {
        needs::check(init);
        assert!((1..=200).contains(&count), "a bed has 1 to 200 hosts");
        let directory = tempfile::Builder::new()
            .prefix("friday-bed-")
            .tempdir()
            .expect("a directory for the bed can be made");
        let keys = keys::Keys::make(directory.path(), count);
        let ground = Ground::lay(directory.path(), count);
        let machines = (1..=count)
            .map(|number| {
                Machine::build(&ground, &keys, directory.path(), number, (disk_mib, init))
            })
            .collect();
        let mut bed = Self { machines, ground, directory };
        for machine in &mut bed.machines {
            machine.power_on(&bed.ground);
        }
        bed
    }

    /// A directory that lives as long as the bed, for the operator's files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A program in the operator's network, where `ssh h1` works without any option. The child is the program itself, so killing it kills it.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        self.command_at(Path::new("/"), program)
    }

    /// The same in a directory.
    pub fn command_at(&self, directory: &Path, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.ground.enter_at(directory);
        command.arg(program).env_remove("SSH_AUTH_SOCK");
        command
    }

    /// A shell command in the operator's network.
    pub fn run_inside(&self, line: &str) -> Output {
        shell::collect(self.command("/bin/sh").args(["-c", line]))
    }

    /// Power cut: everything on the host ends at once, and its address falls silent.
    pub fn kill(&mut self, host: &str) {
        let machine = self.machines.iter_mut().find(|machine| machine.name() == host);
        machine.unwrap_or_else(|| panic!("no host `{host}`")).cut_power(&self.ground);
    }

    /// Power on, with the disk as it was.
    pub fn start(&mut self, host: &str) {
        let machine = self.machines.iter_mut().find(|machine| machine.name() == host);
        machine.unwrap_or_else(|| panic!("no host `{host}`")).power_on(&self.ground);
    }

    /// Its packets vanish, both ways; it does not notice, and nobody is told.
    pub fn partition(&self, host: &str) {
        self.machine(host).unplug(&self.ground);
    }

    /// Undoes [`Bed::partition`].
    pub fn heal(&self, host: &str) {
        self.machine(host).plug(&self.ground);
    }

    /// Lets so much through to the host, as `tc` writes it: `800kbit`.
    pub fn slow_down(&self, host: &str, rate: &str) {
        self.machine(host).narrow(&self.ground, rate);
    }

    /// Freezes every process of the host; its kernel still accepts connections.
    pub fn pause(&self, host: &str) {
        self.machine(host).freeze();
    }

    /// Undoes [`Bed::pause`].
    pub fn resume(&self, host: &str) {
        self.machine(host).thaw();
    }

    /// The operator takes the host key that it has now for the right one, as a person does who compared it.
    pub fn trust_anew(&self, host: &str) {
        let key = self.tell(host, "cat /etc/ssh/host_key.pub");
        let path = self.directory.path().join("known_hosts");
        let known = std::fs::read_to_string(&path).expect("the bed wrote it");
        let others = known.lines().filter(|line| !line.starts_with(&format!("{host},")));
        let mut lines: Vec<String> = others.map(str::to_owned).collect();
        lines.push(format!("{host},{} {key}", self.address(host)));
        std::fs::write(path, lines.join("\n") + "\n").expect("the bed's directory takes files");
    }

    /// Its address, by which it can be reached as well.
    pub fn address(&self, host: &str) -> String {
        machine::address(host.trim_start_matches('h').parse().expect("`h` and a number"))
    }

    /// A file of a host that runs, read past everything that is under test; `None` where there is none.
    pub fn file(&self, host: &str, path: &str) -> Option<Vec<u8>> {
        let inside = self.machine(host).root().join(path.trim_start_matches('/'));
        std::fs::read(inside).ok()
    }

    /// Writes a file on a host that runs, as root.
    pub fn put(&self, host: &str, path: &str, text: &str) {
        let inside = self.machine(host).root().join(path.trim_start_matches('/'));
        std::fs::write(inside, text).expect("the host's disk takes files");
    }

    /// A shell command on the host's console, as root.
    pub fn sh(&self, host: &str, line: &str) -> Output {
        shell::collect(self.machine(host).enter().args(["/bin/sh", "-c", line]))
    }

    /// The same, which must succeed; its output without the last line break.
    pub fn tell(&self, host: &str, line: &str) -> String {
        let done = self.sh(host, line);
        assert!(done.status.success(), "`{line}` on {host}: {}", shell::describe(&done));
        String::from_utf8_lossy(&done.stdout).trim_end().to_owned()
    }

    fn machine(&self, host: &str) -> &Machine {
        let machine = self.machines.iter().find(|machine| machine.name() == host);
        machine.unwrap_or_else(|| panic!("no host `{host}`"))
    }
}
