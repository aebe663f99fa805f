//! Where a benchmark happens: a bed of SSH servers, what is pushed, and the other tools.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::account::Groups;
use super::delay::Delay;
use super::options::{Install, Options};
use super::payload;
use crate::real::bed::Bed;
use crate::workspace;

/// Room on each host's disk, in memory: the release twice or thrice, and what tools keep beside it.
const DISK_MIB: u32 = 256;

/// Where the application lies on each host; the login owns it.
pub const APP: &str = "/srv/app";

/// Python tools, by the names that pip knows.
const PYTHON: [&str; 3] = ["ansible", "pyinfra", "fabric"];
/// Debian packages.
const DEBIAN: [&str; 4] = ["rsync", "git", "capistrano", "ruby-ed25519"];

/// All of it. Dropped, it is gone.
#[derive(Debug)]
pub struct Ground {
    // Before the bed, whose network it is in.
    _delay: Option<Delay>,
    /// The servers.
    pub bed: Bed,
    // After the bed: a group with processes in it cannot be removed.
    /// Who used the processor.
    pub groups: Groups,
    /// `v1` and `v2` lie here.
    pub payload: PathBuf,
    /// friday.
    pub friday: PathBuf,
    /// Where Python tools are.
    tools: PathBuf,
    /// Servers.
    pub hosts: usize,
}

impl Ground {
    /// Makes everything.
    ///
    /// # Errors
    /// When something is missing.
    pub fn up(options: &Options) -> Result<Self, String> {
        let target = workspace::target()?;
        let tools = target.join("bench-tools");
        if options.install == Install::Yes {
            install(&tools)?;
        }
        let friday = match &options.friday {
            Some(built) => built.clone(),
            None => build(&target)?,
        };
        let groups = Groups::make()?;
        let bed = groups.as_hosts(|| Bed::with_disks(options.hosts, DISK_MIB))?;
        let payload = bed.directory().join("payload");
        payload::write(&payload).map_err(|error| error.to_string())?;
        let delay = match options.delay_ms {
            0 => None,
            ms => Some(Delay::between(&bed, ms)?),
        };
        Ok(Self { _delay: delay, bed, groups, payload, friday, tools, hosts: options.hosts })
    }

    /// The hosts' names.
    pub fn names(&self) -> Vec<String> {
        (1..=self.hosts).map(|number| format!("h{number}")).collect()
    }

    /// A program that counts as the tool, with what scripts in `benches/peers` are told.
    pub fn tool(&self, program: &Path, state: &Path, work: &Path) -> Command {
        let directory = self.bed.directory();
        let mut command = self.groups.tool(&self.bed, program);
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .env("PATH", format!("{}:{path}", self.tools.join("bin").display()))
            .env("HOSTS", self.names().join(" "))
            .env("APP", APP)
            .env("SSH_CONFIG", directory.join("ssh_config"))
            .env("KNOWN_HOSTS", directory.join("known_hosts"))
            .env("SSH_KEY", directory.join("keys/operator"))
            .env("OPERATOR", "10.78.0.1")
            .env("FRIDAY", &self.friday)
            .env("STATE", state)
            .env("WORK", work);
        command
    }

    /// Every host as it was before anybody came: no release, no friday-host.
    pub fn wipe(&self) -> Result<(), String> {
        self.on_all(&format!(
            "for p in /proc/[0-9]*; do case $(readlink $p/exe) in *friday-host*) kill -9 ${{p#/proc/}};; esac; done; \
             rm -rf {APP} && mkdir {APP} && chown deploy:deploy {APP}"
        ))
        .map(drop)
    }

    /// A command on each host's console; it must succeed. What they said, in the hosts' order.
    pub fn on_all(&self, line: &str) -> Result<Vec<String>, String> {
        self.names()
            .iter()
            .map(|host| {
                let done = self.bed.sh(host, line);
                if !done.status.success() {
                    let said = String::from_utf8_lossy(&done.stderr).into_owned();
                    return Err(format!("{host} is not as it should be: `{line}`: {said}"));
                }
                Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
            })
            .collect()
    }

    /// Looks at every host past the tool: the release's whole tree, and the mark of its restart.
    ///
    /// # Errors
    /// The first host that is not as it should be.
    pub fn verify(&self, version: &str) -> Result<(), String> {
        const TREE: &str = "find . -type f ! -name .restarted ! -name REVISION | LC_ALL=C sort | xargs sha256sum | sha256sum";
        let wanted = workspace::output(
            Command::new("/bin/sh").current_dir(self.payload.join(version)).args(["-c", TREE]),
        )?;
        let line = format!("cd {APP}/current/ && [ \"$(cat .restarted)\" = ok ] && {TREE}");
        for (host, found) in self.names().iter().zip(self.on_all(&line)?) {
            if found != wanted.trim() {
                return Err(format!("{host} has another tree than `{version}`"));
            }
        }
        Ok(())
    }

    /// Takes the mark of the last restart away.
    pub fn forget_restarts(&self) -> Result<(), String> {
        self.on_all(&format!("rm -f {APP}/current/.restarted")).map(drop)
    }
}

fn build(target: &Path) -> Result<PathBuf, String> {
    crate::print("Building friday in release mode ...\n");
    workspace::run(workspace::cargo().args(["build", "-q", "--release", "-p", "friday"]))?;
    Ok(target.join("release/friday"))
}

/// Gets the other tools: Debian's packages, and Python's in an environment of their own.
fn install(tools: &Path) -> Result<(), String> {
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive").args(["install", "-q", "-y"]).args(DEBIAN);
    workspace::run(&mut apt)?;
    workspace::run(Command::new("python3").args(["-m", "venv"]).arg(tools))?;
    workspace::run(Command::new(tools.join("bin/pip")).args(["install", "-q"]).args(PYTHON))
}
