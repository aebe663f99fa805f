//! What starts friday-host for its directory after a boot: the user's crontab, a user unit with
//! lingering, or a unit of the system. Looks only; a person installs it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use friday_wire::BootHook;

use crate::tool::ask;

/// A directory of units is small; the limit keeps a strange one from costing time.
const UNITS_MAX: usize = 1_000;

/// How long `crontab` may take.
const CRONTAB_DEADLINE: Duration = Duration::from_secs(2);

/// Where units lie whose start belongs to a boot, below a directory of units.
const WANTED: [&str; 2] = ["multi-user.target.wants", "default.target.wants"];

/// What is there. Units are looked for first: they also start friday-host again when it ends.
pub fn find(dir: &Path) -> BootHook {
    let user_units = Path::new(&crate::machine::home()).join(".config/systemd/user");
    if starts_us_in(Path::new("/etc/systemd/system"), dir) {
        BootHook::SystemUnit
    } else if crate::unit::lingers() && starts_us_in(&user_units, dir) {
        BootHook::UserUnit
    } else if crontab().is_some_and(|text| line_in(&text, dir)) {
        BootHook::Crontab
    } else {
        BootHook::None
    }
}

fn line_in(crontab: &str, dir: &Path) -> bool {
    let dir = dir.display().to_string();
    let lines = crontab.lines().map(str::trim_start);
    lines.filter(|line| line.starts_with("@reboot")).any(|line| line.contains(&dir))
}

/// Whether an enabled unit below `units` starts friday-host for a directory.
fn starts_us_in(units: &Path, dir: &Path) -> bool {
    let dir = dir.display().to_string();
    let starts_us = |text: &str| {
        let mut lines = text.lines().map(str::trim_start);
        lines.any(|line| {
            line.starts_with("ExecStart=")
                && line.contains(&dir)
                && (line.contains(" serve ") || line.contains(" boot "))
        })
    };
    WANTED.iter().any(|wanted| {
        let Ok(entries) = fs::read_dir(units.join(wanted)) else { return false };
        let mut names = entries.flatten().take(UNITS_MAX).map(|entry| entry.path());
        names.any(|path| {
            path.extension().is_some_and(|ext| ext == "service")
                && fs::read_to_string(path).is_ok_and(|text| starts_us(&text))
        })
    })
}

fn crontab() -> Option<String> {
    let said = ask(Command::new("crontab").arg("-l"), CRONTAB_DEADLINE).ok()?;
    Some(String::from_utf8_lossy(&said.out).into_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_line_counts_only_at_boots_and_for_this_directory() {
        let dir = Path::new("/home/deploy/.friday-host/shop");
        let line = "@reboot /home/deploy/.friday-host/shop/bin/friday-host boot --dir /x";
        assert!(line_in(line, dir));
        assert!(!line_in(&format!("# {line}"), dir));
        assert!(!line_in("0 1 * * * /home/deploy/.friday-host/shop/bin/x", dir));
        assert!(!line_in(line, Path::new("/home/deploy/.friday-host/other")));
    }

    #[test]
    fn a_unit_counts_only_where_it_is_enabled() {
        let units = tempfile::tempdir().expect("a directory");
        let (dir, path) = (Path::new("/srv/friday"), units.path().join("a.service"));
        let text =
            "[Service]\nExecStart=/srv/friday/bin/friday-host serve --in-turn --dir /srv/friday\n";
        fs::write(&path, text).expect("writes");
        assert!(!starts_us_in(units.path(), dir));
        let wants = units.path().join(WANTED[0]);
        fs::create_dir(&wants).expect("makes");
        symlink(&path, wants.join("a.service")).expect("links");
        assert!(starts_us_in(units.path(), dir));
        assert!(!starts_us_in(units.path(), Path::new("/srv/other")));
    }
}
