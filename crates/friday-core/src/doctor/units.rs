//! The unit files that a person installs: their exact text, the commands that install them, and
//! whether what is installed is what was printed.

use core::fmt::Write as _;

use friday_wire::{BootHook, Examination, Supervisor};

use super::{As, Fix, Wanted};

/// One unit file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitText {
    /// The file's name.
    pub name: String,
    /// The file's path.
    pub path: String,
    /// What must stand in it.
    pub text: String,
    /// Whether it is enabled by itself; a template is not.
    pub begins: Begins,
}

/// What brings a unit up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begins {
    /// A boot: it is enabled.
    AtBoot,
    /// Something that names it.
    WhenAsked,
}

impl UnitText {
    /// What is wrong with what is installed.
    pub fn wrong(&self, seen: &Examination) -> Option<String> {
        let Some(found) = seen.units.get(&self.path) else {
            return Some(format!("`{}` is not installed", self.path));
        };
        if found.text.trim_end() != self.text.trim_end() {
            return Some(format!("`{}` is not what this configuration needs", self.path));
        }
        if self.begins == Begins::AtBoot && !found.enabled {
            return Some(format!("`{}` is not enabled: a boot would not start it", self.name));
        }
        None
    }

    /// A shell command that writes the file.
    fn write(&self) -> String {
        format!("cat >{} <<'END'\n{}END", self.path, self.text)
    }
}

/// The texts for one host.
#[derive(Debug)]
pub struct UnitTexts<'a> {
    wanted: &'a Wanted<'a>,
    seen: &'a Examination,
}

impl<'a> UnitTexts<'a> {
    /// For what is wanted on an examined host.
    pub fn new(wanted: &'a Wanted<'a>, seen: &'a Examination) -> Self {
        Self { wanted, seen }
    }

    /// friday-host as a unit of the login.
    pub fn host_in_login(&self) -> UnitText {
        let name = format!("friday-host-{}.service", self.wanted.fleet);
        let path = format!("{}/.config/systemd/user/{name}", self.seen.home);
        let text = self.host_text("", "default.target");
        UnitText { name, path, text, begins: Begins::AtBoot }
    }

    /// friday-host as a unit of the machine, still as the login.
    pub fn host_in_system(&self) -> UnitText {
        let name = format!("friday-host-{}.service", self.wanted.fleet);
        let path = format!("/etc/systemd/system/{name}");
        let user = format!("User={}\n", self.seen.user);
        let text = self.host_text(&user, "multi-user.target");
        UnitText { name, path, text, begins: Begins::AtBoot }
    }

    fn host_text(&self, user: &str, target: &str) -> String {
        let (fleet, dir) = (self.wanted.fleet, &self.seen.directory);
        format!(
            "# From `friday doctor`: friday-host of the fleet {fleet}.\n\
             [Unit]\n\
             Description=friday-host of {fleet}\n\
             StartLimitIntervalSec=0\n\
             \n\
             [Service]\n\
             {user}Type=notify\n\
             # After an upgrade another process than the first one serves, and says so.\n\
             NotifyAccess=all\n\
             ExecStart={dir}/bin/friday-host serve --in-turn --dir {dir}\n\
             Restart=always\n\
             RestartSec=1\n\
             # It ended because friday took it off this server.\n\
             RestartPreventExitStatus=0\n\
             # What friday-host runs outlives it.\n\
             KillMode=process\n\
             \n\
             [Install]\n\
             WantedBy={target}\n"
        )
    }

    /// The socket that only the login may connect to: the permission to start.
    pub fn socket(&self) -> UnitText {
        let (fleet, user) = (self.wanted.fleet, &self.seen.user);
        let name = format!("friday-{fleet}.socket");
        let path = format!("/etc/systemd/system/{name}");
        let text = format!(
            "# From `friday doctor`: whoever connects here starts one instance of friday-{fleet}@.service.\n\
             # Only {user} may.\n\
             [Unit]\n\
             Description=Starts {fleet} for friday-host\n\
             \n\
             [Socket]\n\
             ListenStream=/run/friday-{fleet}.sock\n\
             SocketUser={user}\n\
             SocketMode=0600\n\
             Accept=yes\n\
             MaxConnections=16\n\
             \n\
             [Install]\n\
             WantedBy=sockets.target\n"
        );
        UnitText { name, path, text, begins: Begins::AtBoot }
    }

    /// The template whose instances are the application.
    pub fn template(&self) -> UnitText {
        let (fleet, dir, limits) = (self.wanted.fleet, &self.seen.directory, self.wanted.limits);
        let name = format!("friday-{fleet}@.service");
        let path = format!("/etc/systemd/system/{name}");
        let mut text = format!(
            "# From `friday doctor`: the application of the fleet {fleet}, one instance for each start.\n\
             [Unit]\n\
             Description={fleet}, started by friday-host\n\
             CollectMode=inactive-or-failed\n\
             \n\
             [Service]\n\
             User={user}\n\
             Type=notify\n\
             StandardInput=socket\n\
             StandardOutput=journal\n\
             StandardError=journal\n\
             ExecStart={dir}/bin/friday-host run --dir {dir}\n\
             ExecStop={dir}/bin/friday-host end --dir {dir}\n\
             TimeoutStartSec=infinity\n\
             TimeoutStopSec=90\n\
             # friday-host starts again what ends, with its pauses, crash loops and quarantine.\n\
             Restart=no\n",
            user = self.seen.user,
        );
        // Writing to a string cannot fail, here and below.
        if let Some(bytes) = limits.memory {
            let _ = writeln!(text, "MemoryMax={bytes}");
        }
        if let Some(percent) = limits.cpu_percent {
            let _ = writeln!(text, "CPUQuota={percent}%");
        }
        if let Some(tasks) = limits.tasks {
            let _ = writeln!(text, "TasksMax={tasks}");
        }
        if let Some(files) = limits.files {
            let _ = writeln!(text, "LimitNOFILE={files}");
        }
        UnitText { name, path, text, begins: Begins::WhenAsked }
    }

    /// What runs applications as units of the machine.
    pub fn application_units(&self) -> [UnitText; 2] {
        [self.socket(), self.template()]
    }

    /// The commands that install them, for root.
    pub fn install_application(&self) -> String {
        let [socket, template] = self.application_units();
        format!(
            "{}\n{}\nsystemctl daemon-reload\nsystemctl enable --now {}",
            socket.write(),
            template.write(),
            socket.name
        )
    }

    /// What makes friday-host come back after a boot, by the means that are there.
    pub fn install_host(&self, seen: &Examination) -> Vec<Fix> {
        let login = |commands: String| Fix { who: As::Login, commands };
        let root = |commands: String| Fix { who: As::Root, commands };
        let cron = seen.cron_runs != Some(false);
        let replaces = match (seen.boot_hook, cron) {
            // A unit that is there and wrong is written anew.
            (BootHook::UserUnit, _) => return vec![login(self.install_in_login())],
            (BootHook::SystemUnit, _) => return vec![root(self.install_in_system())],
            (BootHook::Crontab | BootHook::None, cron) => {
                cron && self.wanted.supervisor == Supervisor::Own
            }
        };
        match (self.wanted.supervisor, &seen.systemd) {
            (Supervisor::SystemUnits, Some(_)) => vec![root(self.install_in_system())],
            (Supervisor::UserUnits | Supervisor::Own, Some(_)) if seen.lingers => {
                vec![login(self.install_in_login())]
            }
            (Supervisor::UserUnits, Some(_)) => {
                vec![root(super::linger(seen)), login(self.install_in_login())]
            }
            _ if replaces && !seen.kills_user_processes => vec![login(self.crontab_line())],
            (_, Some(_)) => vec![root(self.install_in_system())],
            (_, None) => vec![login(self.crontab_line())],
        }
    }

    fn crontab_line(&self) -> String {
        let dir = &self.seen.directory;
        format!(
            "(crontab -l 2>/dev/null; echo '@reboot {dir}/bin/friday-host boot --dir {dir}') | crontab -"
        )
    }

    /// A login over SSH knows its systemd by this variable; others may not.
    fn install_in_login(&self) -> String {
        let unit = self.host_in_login();
        format!(
            "export XDG_RUNTIME_DIR=/run/user/{}\nmkdir -p {}/.config/systemd/user\n{}\n\
             systemctl --user daemon-reload\nsystemctl --user enable {name}\n\
             systemctl --user restart --no-block {name}",
            self.seen.uid,
            self.seen.home,
            unit.write(),
            name = unit.name
        )
    }

    fn install_in_system(&self) -> String {
        let unit = self.host_in_system();
        format!(
            "{}\nsystemctl daemon-reload\nsystemctl enable {name}\nsystemctl restart --no-block {name}",
            unit.write(),
            name = unit.name
        )
    }
}
