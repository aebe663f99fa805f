//! One host: a disk, a root file system, an SSH server, and a cable that can be pulled.
//!
//! The root is put together from this machine's programs, read-only, and a disk in memory of its own
//! that stays mounted on the ground while the host is off.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::ground::{self, BRIDGE, Ground};
use super::keys::Keys;
use super::shell;

/// What a host's first process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Init {
    /// A shell that starts `cron` and the SSH server: a server without systemd.
    Plain,
    /// This machine's systemd, with its journal, its logins and what is written for it.
    Systemd,
}

impl Init {
    fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Systemd => "systemd",
        }
    }
}

/// `h1`, `h2`, …
pub fn name(number: usize) -> String {
    format!("h{number}")
}

/// 10.78.1.1, 10.78.1.2, …
pub fn address(number: usize) -> String {
    format!("10.78.1.{number}")
}

/// Its hardware address.
pub fn mac(number: usize) -> String {
    format!("02:fd:00:00:01:{number:02x}")
}

/// Fills a new disk: users, keys, the server's configuration. `$1` disk, `$2` MiB, `$3` name,
/// `$4` the host's private key, `$5` the operator's public key, `$6` what its first process is.
const FORMAT: &str = include_str!("format.sh");

/// Brings a host up on its disk: mounts, then its first process. `$1` disk, `$2` name, `$3` as above.
const BOOT: &str = include_str!("boot.sh");

/// Enters a control group of the host's own, `$1`, which systemd takes for the whole machine's; then
/// becomes the command behind it.
const ENTER_GROUP: &str = r#"
[ ! -d "$1" ] || find "$1" -mindepth 1 -depth -type d -exec rmdir {} \;
mkdir -p "$1" && echo $$ >"$1/cgroup.procs" || exit 1
shift
exec "$@"
"#;

/// A host, on or off.
#[derive(Debug)]
pub struct Machine {
    number: usize,
    bed: PathBuf,
    disk: PathBuf,
    init: Init,
    /// Rises with each power-on, so that a new cable never meets the old one's name.
    starts: u32,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    holder: Child,
    /// The host's PID 1, as this machine counts.
    pid: u32,
}

impl Machine {
    /// Makes its disk; the host is off.
    pub fn build(
        ground: &Ground,
        keys: &Keys,
        bed: &Path,
        number: usize,
        (disk_mib, init): (u32, Init),
    ) -> Self {
        let disk = bed.join("disks").join(name(number));
        shell::must(
            ground
                .enter()
                .args(["/bin/sh", "-c", FORMAT, "format"])
                .arg(&disk)
                .arg(disk_mib.to_string())
                .arg(name(number))
                .arg(keys.private(&name(number)))
                .arg(keys.public("operator"))
                .arg(init.word()),
        );
        Self { number, bed: bed.to_owned(), disk, init, starts: 0, running: None }
    }

    /// Its name.
    pub fn name(&self) -> String {
        name(self.number)
    }

    /// Boots it and waits until its SSH server listens.
    pub fn power_on(&mut self, ground: &Ground) {
        assert!(self.running.is_none(), "{} already runs", self.name());
        self.starts += 1;
        let log = fs::File::create(self.bed.join(format!("{}.{}.log", self.name(), self.starts)))
            .expect("the bed's directory takes files");
        let mut holder = ground.enter_whole();
        if let Some(group) = self.group() {
            holder.args(["/bin/sh", "-c", ENTER_GROUP, "group"]).arg(group);
        }
        holder.args(["unshare", "--mount", "--propagation", "private", "--net", "--pid", "--uts"]);
        if self.init == Init::Systemd {
            holder.arg("--cgroup");
        }
        let mut holder = holder
            .args(["--ipc", "--fork", "--kill-child", "/bin/sh", "-c", BOOT, "boot"])
            .arg(&self.disk)
            .arg(self.name())
            .arg(self.init.word())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("`nsenter` was there a moment ago");
        let pid = ground::first_line(&mut holder);
        self.lay_cable(ground, pid);
        let go = holder.stdin.take().expect("its input is piped").write_all(b"go\n");
        go.expect("a host that just spoke still listens");
        self.running = Some(Running { holder, pid });
        self.await_ssh();
    }

    fn lay_cable(&self, ground: &Ground, pid: u32) {
        let cable = self.cable();
        ground.ip(
            &self.bed,
            &self.name(),
            &format!(
                "link add {cable} type veth peer name eth0 address {} netns {pid}\n\
                 link set {cable} master {BRIDGE}\nlink set {cable} up\n",
                mac(self.number)
            ),
        );
        let script = format!(
            "link set lo up\naddress add {}/16 dev eth0\nlink set eth0 up\n{}",
            address(self.number),
            ground::operator_neighbour("eth0")
        );
        let path = self.bed.join(format!("{}.eth0.ip", self.name()));
        fs::write(&path, script).expect("the bed's directory takes files");
        let target = pid.to_string();
        shell::must(
            Command::new("nsenter")
                .args(["--target", &target, "--net", "--", "ip", "-batch"])
                .arg(&path),
        );
    }

    /// Ends everything that runs on it. The cable goes first: a dying host must not refuse anybody.
    pub fn cut_power(&mut self, ground: &Ground) {
        shell::must(ground.enter().args(["ip", "link", "delete", &self.cable()]));
        self.end();
    }

    /// Its control group, where its first process needs one. The bed's directory has a name of its own.
    fn group(&self) -> Option<PathBuf> {
        let bed = self.bed.file_name()?.to_str()?;
        let name = format!("{bed}-{}", self.name());
        (self.init == Init::Systemd).then(|| groups().join(name))
    }

    fn end(&mut self) {
        if let Some(mut running) = self.running.take() {
            shell::signal("KILL", running.pid);
            let _ = running.holder.wait();
        }
    }

    /// Takes the cable out of the bridge: packets vanish, and both ends still see a link.
    pub fn unplug(&self, ground: &Ground) {
        shell::must(ground.enter().args(["ip", "link", "set", &self.cable(), "nomaster"]));
    }

    /// Puts it back.
    pub fn plug(&self, ground: &Ground) {
        shell::must(ground.enter().args(["ip", "link", "set", &self.cable(), "master", BRIDGE]));
    }

    /// Makes the cable carry less towards the host. Sixteen packets may come at once.
    pub fn narrow(&self, ground: &Ground, rate: &str) {
        let cable = self.cable();
        let bucket = ["root", "tbf", "rate", rate, "burst", "24kb", "latency", "400ms"];
        shell::must(ground.enter().args(["tc", "qdisc", "replace", "dev", &cable]).args(bucket));
    }

    /// Stops every process, again until none was started meanwhile.
    pub fn freeze(&self) {
        let mut frozen = Vec::new();
        loop {
            let fresh: Vec<u32> =
                self.processes().into_iter().filter(|pid| !frozen.contains(pid)).collect();
            if fresh.is_empty() {
                return;
            }
            fresh.iter().for_each(|pid| shell::signal("STOP", *pid));
            frozen.extend(fresh);
        }
    }

    /// Lets them go on.
    pub fn thaw(&self) {
        self.processes().iter().for_each(|pid| shell::signal("CONT", *pid));
    }

    /// Its root directory, as this machine sees it.
    pub fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.pid()))
    }

    /// Begins a command on its console, as root.
    pub fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid().to_string(), "--mount", "--uts", "--ipc", "--net"]);
        command.args(["--pid", "--root", "--wd=/", "--"]);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
        command
    }

    fn pid(&self) -> u32 {
        let running = self.running.as_ref();
        running.unwrap_or_else(|| panic!("{} is off", self.name())).pid
    }

    fn processes(&self) -> Vec<u32> {
        processes_in(self.pid(), "pid")
    }

    /// A name of at most 15 letters, unlike any earlier one.
    fn cable(&self) -> String {
        format!("c{}-{}", self.number, self.starts)
    }

    /// Port 22 stands as 0016 in the kernel's table of listening sockets (state 0A).
    fn await_ssh(&self) {
        let table = PathBuf::from(format!("/proc/{}/net/tcp", self.pid()));
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(30) {
            let sockets = fs::read_to_string(&table).unwrap_or_default();
            if sockets.lines().any(|line| line.contains(":0016 00000000:0000 0A")) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let log = self.bed.join(format!("{}.{}.log", self.name(), self.starts));
        panic!(
            "{} has no SSH server: {}",
            self.name(),
            fs::read_to_string(log).unwrap_or_default()
        );
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.end();
        if let Some(group) = self.group() {
            let remove = r#"find "$1" -depth -type d -exec rmdir {} \;"#;
            let _ = Command::new("/bin/sh").args(["-c", remove, "sh"]).arg(group).status();
        }
    }
}

/// Where this machine's control groups (version 2) are mounted.
fn groups() -> PathBuf {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mounted = mounts.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        (fields.get(2) == Some(&"cgroup2")).then(|| PathBuf::from(fields[1]))
    });
    mounted.expect("checked when the bed was made: control groups of version 2 are mounted")
}

/// Processes whose namespace of a kind is that of `pid`.
pub fn processes_in(pid: u32, kind: &str) -> Vec<u32> {
    let namespace = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok();
    let Some(wanted) = namespace(pid) else { return Vec::new() };
    let Ok(listed) = fs::read_dir("/proc") else { return Vec::new() };
    listed
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| namespace(*pid).as_ref() == Some(&wanted))
        .collect()
}
