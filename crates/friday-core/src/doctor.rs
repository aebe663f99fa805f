//! What is missing here and on each host, and what mends it: the judgements of `friday doctor`.
//!
//! Facts come from hosts ([`Examination`]) and from the machine friday runs on; nothing here looks. A
//! finding that is not good says exactly what to type, and friday never types it itself: it is an
//! ordinary user everywhere.

pub mod units;

use friday_wire::{BootHook, Examination, FleetName, HostName, Limits, Supervisor};
use serde::Serialize;

use crate::config::Settings;
use crate::view::words::{duration, size};
use units::UnitTexts;

/// Less than this leaves no room for a release of any size, bytes.
const BYTES_LOW: u64 = 256 << 20;

/// Below this share of all files a file system counts as full of them.
const FILES_LOW_PERCENT: u64 = 3;

/// A clock that is off by more makes times in logs and journals mislead.
const SKEW_MAX_MS: u64 = 5_000;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, and something will not be as expected.
    Warning,
    /// Something that is asked for cannot work.
    Missing,
}

/// Who types a fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum As {
    /// The login of the host.
    Login,
    /// Root, on the host.
    Root,
    /// Whoever runs friday, where it runs.
    Here,
}

/// What mends something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fix {
    /// Who types it.
    pub who: As,
    /// For a POSIX shell, to be pasted as it is.
    pub commands: String,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where; `None`: where friday runs.
    pub host: Option<HostName>,
    /// What was looked at, in a word or two.
    pub check: &'static str,
    /// How it came out.
    pub verdict: Verdict,
    /// One sentence.
    pub says: String,
    /// What mends it, in this order.
    pub fix: Vec<Fix>,
}

impl Finding {
    /// As it should be.
    pub fn good(host: Option<&HostName>, check: &'static str, says: impl Into<String>) -> Self {
        Self { host: host.cloned(), check, verdict: Verdict::Good, says: says.into(), fix: vec![] }
    }

    /// Not as expected.
    pub fn warning(host: Option<&HostName>, check: &'static str, says: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warning, ..Self::good(host, check, says) }
    }

    /// Cannot work.
    pub fn missing(host: Option<&HostName>, check: &'static str, says: impl Into<String>) -> Self {
        Self { verdict: Verdict::Missing, ..Self::good(host, check, says) }
    }

    /// With what mends it.
    #[must_use]
    pub fn mended(mut self, who: As, commands: impl Into<String>) -> Self {
        self.fix.push(Fix { who, commands: commands.into() });
        self
    }
}

/// What is asked of every host.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The fleet.
    pub fleet: &'a FleetName,
    /// Who shall run applications.
    pub supervisor: Supervisor,
    /// What they may use.
    pub limits: Limits,
    /// There is something to run.
    pub runs: bool,
}

impl<'a> Wanted<'a> {
    /// From a configuration.
    pub fn of(settings: &'a Settings) -> Self {
        Self {
            fleet: &settings.fleet,
            supervisor: settings.unit.supervisor,
            limits: settings.unit.limits,
            runs: settings.run.is_some(),
        }
    }
}

/// What a person types where a login prints: the commonest place, and the others by name.
const HUSH: &str = "\
# what prints stands in ~/.bashrc, ~/.zshenv, ~/.config/fish/config.fish or ~/.ssh/rc; in ~/.bashrc, this line
# in front of everything ends it where nobody reads:
sed -i '1i case $- in *i*) ;; *) return ;; esac' ~/.bashrc";

/// A login's profile that prints before anybody's program does; `printed` is its first line. friday looks past
/// it, within bounds, and rsync, scp and git do not.
pub fn profile(host: &HostName, printed: Option<&str>) -> Finding {
    const CHECK: &str = "profile";
    let Some(line) = printed else {
        return Finding::good(Some(host), CHECK, "a login without a terminal prints nothing");
    };
    let says = format!(
        "a login without a terminal prints `{line}`: friday looks past that, and rsync, scp and git fail on it"
    );
    Finding::warning(Some(host), CHECK, says).mended(As::Login, HUSH)
}

/// Judges what a host found; `now_ms` is our wall clock.
pub fn judge(
    host: &HostName,
    wanted: &Wanted<'_>,
    seen: &Examination,
    now_ms: i64,
) -> Vec<Finding> {
    let on = Some(host);
    let mut findings = vec![disk(on, seen), files(on, seen), clock(on, seen, now_ms)];
    findings.push(kernel(on, seen));
    if wanted.runs {
        findings.push(supervisor(on, wanted, seen));
        findings.push(boot(on, wanted, seen));
        findings.extend(sessions(on, wanted, seen));
        findings.extend(journal(on, wanted, seen));
        findings.extend(open_files(on, wanted, seen));
    }
    findings
}

fn disk(on: Option<&HostName>, seen: &Examination) -> Finding {
    let disk = &seen.disk;
    if disk.read_only {
        return Finding::missing(on, "disk", format!("`{}` cannot be written to", seen.directory));
    }
    if disk.noexec {
        let says = format!("nothing in `{}` can be run: it is mounted noexec", seen.directory);
        return Finding::missing(
            on,
            "disk",
            format!("{says}; name another `directory` under `[hosts]`"),
        );
    }
    let free = format!("{} of {} free", size(disk.bytes_free), size(disk.bytes));
    if disk.bytes_free < BYTES_LOW {
        return Finding::warning(on, "disk", format!("{free}: releases may not fit"));
    }
    Finding::good(on, "disk", free)
}

fn files(on: Option<&HostName>, seen: &Examination) -> Finding {
    let disk = &seen.disk;
    // Some file systems make files as they go, and count none.
    if disk.files == 0 {
        return Finding::good(on, "files", "the file system does not limit them");
    }
    let says = format!("{} of {} can still be made", disk.files_free, disk.files);
    if disk.files_free < disk.files / 100 * FILES_LOW_PERCENT {
        return Finding::warning(on, "files", says);
    }
    Finding::good(on, "files", says)
}

fn clock(on: Option<&HostName>, seen: &Examination, now_ms: i64) -> Finding {
    let skew = seen.clock_ms.saturating_sub(now_ms);
    if skew.unsigned_abs() > SKEW_MAX_MS {
        let way = if skew > 0 { "ahead" } else { "behind" };
        let by = duration(skew.unsigned_abs());
        return Finding::warning(
            on,
            "clock",
            format!("{by} {way} of here; let it keep time by NTP"),
        );
    }
    Finding::good(on, "clock", "as here")
}

fn kernel(on: Option<&HostName>, seen: &Examination) -> Finding {
    if seen.missing_calls.is_empty() {
        return Finding::good(on, "kernel", format!("Linux {}", seen.kernel));
    }
    let says = format!("Linux {} lacks {}", seen.kernel, seen.missing_calls.join(", "));
    Finding::warning(on, "kernel", says)
}

fn supervisor(on: Option<&HostName>, wanted: &Wanted<'_>, seen: &Examination) -> Finding {
    const CHECK: &str = "supervisor";
    let unusable = seen.unusable.get(&wanted.supervisor);
    match wanted.supervisor {
        Supervisor::Own => Finding::good(on, CHECK, "friday-host runs the application itself"),
        _ if seen.systemd.is_none() => Finding::missing(
            on,
            CHECK,
            "systemd does not run here; supervisor = \"own\" under `[hosts]` needs none",
        ),
        Supervisor::UserUnits => match unusable {
            Some(why) => Finding::missing(on, CHECK, why.clone()).mended(As::Root, linger(seen)),
            None => Finding::good(on, CHECK, format!("units of {}, who lingers", seen.user)),
        },
        Supervisor::SystemUnits => {
            let texts = UnitTexts::new(wanted, seen);
            let wrong = texts.application_units().into_iter().find_map(|unit| unit.wrong(seen));
            match (wrong, unusable) {
                (Some(why), _) => Finding::missing(on, CHECK, why),
                (None, Some(why)) => Finding::missing(on, CHECK, why.clone()),
                (None, None) => {
                    let says =
                        format!("the template `{}` is installed as printed", texts.template().name);
                    return Finding::good(on, CHECK, says);
                }
            }
            .mended(As::Root, texts.install_application())
        }
    }
}

fn linger(seen: &Examination) -> String {
    format!("loginctl enable-linger {}", seen.user)
}

/// What a reboot will do.
fn boot(on: Option<&HostName>, wanted: &Wanted<'_>, seen: &Examination) -> Finding {
    const CHECK: &str = "reboot";
    let texts = UnitTexts::new(wanted, seen);
    let (user_unit, system_unit) = (texts.host_in_login(), texts.host_in_system());
    match seen.boot_hook {
        BootHook::Crontab if seen.cron_runs == Some(false) => Finding::missing(
            on,
            CHECK,
            "the crontab has the line, and no cron runs: after a reboot nothing starts friday-host",
        )
        .with_all(texts.install_host(seen)),
        BootHook::Crontab => {
            Finding::good(on, CHECK, "a line of the crontab starts friday-host, once")
        }
        BootHook::UserUnit | BootHook::SystemUnit => {
            let unit = if seen.boot_hook == BootHook::UserUnit { user_unit } else { system_unit };
            match unit.wrong(seen) {
                Some(why) => Finding::warning(on, CHECK, why).with_all(texts.install_host(seen)),
                None if seen.in_unit => {
                    Finding::good(on, CHECK, format!("`{}` starts friday-host", unit.name))
                }
                None => Finding::good(
                    on,
                    CHECK,
                    format!("`{}` starts friday-host; until then another process serves", unit.name),
                ),
            }
        }
        BootHook::None => Finding::missing(
            on,
            CHECK,
            "nothing starts friday-host: nothing runs, and nothing is undone, until friday's next contact",
        )
        .with_all(texts.install_host(seen)),
    }
}

impl Finding {
    fn with_all(mut self, fixes: Vec<Fix>) -> Self {
        self.fix.extend(fixes);
        self
    }
}

/// Where logind ends what a login leaves behind, an application that friday-host runs itself may end
/// with the connection that started it.
fn sessions(on: Option<&HostName>, wanted: &Wanted<'_>, seen: &Examination) -> Option<Finding> {
    if !seen.kills_user_processes || wanted.supervisor != Supervisor::Own || seen.in_unit {
        return None;
    }
    let says = "logind ends what a login leaves behind (KillUserProcesses=yes), friday-host too";
    let texts = UnitTexts::new(wanted, seen);
    Some(Finding::missing(on, "logins", says).with_all(texts.install_host(seen)))
}

fn journal(on: Option<&HostName>, wanted: &Wanted<'_>, seen: &Examination) -> Option<Finding> {
    const CHECK: &str = "journal";
    if wanted.supervisor == Supervisor::Own {
        return None;
    }
    Some(match &seen.journal {
        None => Finding::good(on, CHECK, "`friday logs` can read it"),
        Some(why) => Finding::missing(on, CHECK, why.clone())
            .mended(As::Root, format!("usermod -aG systemd-journal {}", seen.user)),
    })
}

fn open_files(on: Option<&HostName>, wanted: &Wanted<'_>, seen: &Examination) -> Option<Finding> {
    let (files, most) = (u64::from(wanted.limits.files?), seen.files_max?);
    if wanted.supervisor == Supervisor::SystemUnits || files <= most {
        return None;
    }
    let says = format!("`files` under `[limits]` is {files}, and {} may open {most}", seen.user);
    let line = format!(
        "echo '{} hard nofile {files}' >/etc/security/limits.d/friday-{}.conf",
        seen.user, wanted.fleet
    );
    Some(Finding::missing(on, "open files", says).mended(As::Root, line))
}

#[cfg(test)]
mod tests;
