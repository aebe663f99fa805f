//! A configuration's directory with local hosts that run the real friday-host.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use friday_core::config::{Address, LoginSettings};
use friday_core::time::Timestamp;
use friday_edge::clock;
use friday_edge::data::Databases;
use friday_edge::fleet::data::DataSetup;
use friday_edge::fleet::{Fleet, FleetSetup, HostProgram};
use friday_edge::progress::ProgressSender;
use friday_edge::release_source::{SourceLimits, SourcedRelease, read_release};
use friday_edge::secrets::SecretStore;
use friday_edge::state_directory::StateDirectory;
use friday_edge::stock::Stock;
use friday_wire::{Fence, FenceKind, FleetName, HealthSpec, HostName, RunSpec, StartId, UnitSpec};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

/// Longer than anything takes on a busy machine; waited for only by a test that fails.
pub const LONG: Duration = Duration::from_secs(120);

pub fn soon() -> Instant {
    Instant::now() + LONG
}

pub fn soon_by_the_wall() -> Timestamp {
    clock::now().plus_ms(120_000)
}

pub struct Bench {
    directory: tempfile::TempDir,
    pub state: StateDirectory,
    pub stock: Stock,
    pub secrets: SecretStore,
}

impl Bench {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let state = StateDirectory::at(directory.path().join(".friday"));
        let stock = Stock::open(&state).expect("a stock");
        let secrets = SecretStore::open(&state).expect("a store");
        Self { directory, state, stock, secrets }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn host_directory(&self, host: &str) -> PathBuf {
        self.path().join("hosts").join(host)
    }

    pub fn setup(&self, hosts: &[&str], program: HostProgram) -> FleetSetup {
        let address =
            |host: &&str| (HostName::new(*host), Address::Local { dir: format!("hosts/{host}") });
        FleetSetup {
            fleet: FleetName::new("shop"),
            hosts: hosts.iter().map(address).collect(),
            known_as: Default::default(),
            login: LoginSettings::default(),
            base: self.path().to_owned(),
            program,
            version: "0.1.0".to_owned(),
            progress: ProgressSender::nobody(),
        }
    }

    pub fn fleet(&self, hosts: &[&str]) -> Fleet {
        Fleet::new(self.setup(hosts, host_program()))
    }

    /// A configuration that guards nothing.
    pub fn no_databases(&self) -> Databases {
        let FleetSetup { fleet, login, base, version, progress, .. } =
            self.setup(&[], host_program());
        let program = HostProgram::beside_databases(&b""[..]);
        Databases::new(DataSetup { fleet, login, base, program, version, progress }, Vec::new())
    }

    /// A release of these files, in the stock.
    pub fn release(&self, files: &[(&str, &[u8])]) -> SourcedRelease {
        let source = tempfile::tempdir_in(self.path()).expect("a directory");
        for (name, content) in files {
            fs::write(source.path().join(name), content).expect("written");
        }
        let run = RunSpec {
            command: None,
            env: BTreeMap::new(),
            health: HealthSpec::default(),
            shared: Vec::new(),
            unit: UnitSpec::default(),
            processes: friday_wire::Processes::default(),
        };
        read_release(source.path(), run, "v1", &self.stock, &SourceLimits::default())
            .expect("a release")
    }
}

impl Bench {
    /// Kills the processes of this bench whose command line has a word, as a power cut would. Each
    /// process that hosts start names the host's directory, which is this test's alone.
    pub fn kill(&self, word: &str) -> usize {
        let own = self.path().to_string_lossy().into_owned();
        let Ok(processes) = fs::read_dir("/proc") else { return 0 };
        let ours = processes.flatten().filter_map(|process| {
            let pid = process.file_name().to_str().and_then(|name| name.parse().ok());
            let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command);
            let is_ours = command.contains(&own) && command.contains(word);
            pid.and_then(Pid::from_raw).filter(|_| is_ours)
        });
        ours.filter(|pid| kill_process(*pid, Signal::KILL).is_ok()).count()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.kill("");
    }
}

/// friday-host as it is built from the same tree. `FRIDAY_HOST_PROGRAM` names another.
pub fn host_program() -> HostProgram {
    static PROGRAM: OnceLock<HostProgram> = OnceLock::new();
    PROGRAM.get_or_init(|| HostProgram::new(fs::read(built()).expect("read"))).clone()
}

fn built() -> PathBuf {
    if let Some(path) = std::env::var_os("FRIDAY_HOST_PROGRAM") {
        return path.into();
    }
    // This test is TARGET/PROFILE/deps/it-HASH.
    let test = std::env::current_exe().expect("a path");
    let target = test.ancestors().nth(3).expect("a target directory");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "-p", "friday-host", "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo");
    assert!(status.success(), "friday-host does not build");
    target.join("debug/friday-host")
}

pub fn fence(number: u64, kind: FenceKind) -> Fence {
    Fence { number, start: StartId::new("0123456789abcdef"), kind }
}
