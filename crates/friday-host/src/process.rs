//! Processes as `/proc` shows them: who descends from whom, and ending all of them.
//!
//! Reads are snapshots: a process may end, or fork, between two of them. Whoever kills therefore
//! looks again until nothing is left.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal};

/// One line of the process table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// Its parent's.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// Its session.
    pub session: i32,
    /// When it started, clock ticks since boot. With the id it names a process for ever.
    pub start: u64,
    /// It has ended and nobody asked how.
    pub zombie: bool,
}

/// When a process started; `None` when there is none, or one that has ended.
pub fn start_time(pid: i32) -> Option<u64> {
    read(pid).filter(|process| !process.zombie).map(|process| process.start)
}

/// One process.
pub fn read(pid: i32) -> Option<Process> {
    parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name in parentheses may hold anything, also parentheses and line breaks: fields begin after
/// the last one.
fn parse(pid: i32, stat: &str) -> Option<Process> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some(Process {
        pid,
        zombie: matches!(*fields.first()?, "Z" | "X"),
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        start: fields.get(19)?.parse().ok()?,
    })
}

/// Every process there is.
pub fn all() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(read)
        .collect()
}

/// All living descendants of a process, itself not among them.
pub fn descendants(of: i32) -> Vec<Process> {
    let table = all();
    let mut family = BTreeSet::from([of]);
    loop {
        let before = family.len();
        family.extend(
            table.iter().filter(|p| family.contains(&p.parent)).map(|p| p.pid).collect::<Vec<_>>(),
        );
        if family.len() == before {
            break;
        }
    }
    table.into_iter().filter(|p| p.pid != of && family.contains(&p.pid) && !p.zombie).collect()
}

/// Living processes of a session whose leader has ended, if they carry `mark` in the environment
/// they were started with: a number alone might have been given to somebody else by now.
pub fn orphans_of_session(session: i32, mark: &str) -> Vec<Process> {
    marked(mark).into_iter().filter(|process| process.session == session).collect()
}

/// Living processes of this user that were started with `mark`, `NAME=value`, in the environment.
pub fn marked(mark: &str) -> Vec<Process> {
    all().into_iter().filter(|process| !process.zombie && carries(process.pid, mark)).collect()
}

fn carries(pid: i32, mark: &str) -> bool {
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|env| env.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes()))
}

/// Living processes of this user that work in a directory, or below it.
pub fn working_in(dir: &Path) -> Vec<Process> {
    let works =
        |pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(dir));
    all().into_iter().filter(|process| !process.zombie && works(process.pid)).collect()
}

/// Sends a signal to a process; one that has ended is no error.
pub fn send(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// Sends a signal to a process group; an empty one is no error.
pub fn send_to_group(group: i32, signal: Signal) {
    // 0 and 1 would mean our own group and everybody.
    if group > 1
        && let Some(group) = Pid::from_raw(group)
    {
        let _ = rustix::process::kill_process_group(group, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_hides_no_field() {
        let stat = "77 (a) R (b)) S 5 6 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4242 0 0";
        let process = parse(77, stat).expect("it has all fields");
        assert_eq!((process.parent, process.group, process.session), (5, 6, 7));
        assert_eq!(process.start, 4242);
        assert!(!process.zombie);
    }

    #[test]
    fn this_process_is_found_and_has_no_descendants_of_a_stranger() {
        let me = i32::try_from(std::process::id()).expect("ids fit");
        assert!(all().iter().any(|p| p.pid == me));
        assert!(start_time(me).is_some());
        assert!(descendants(me).iter().all(|p| p.pid != me));
    }
}
