//! What ran on hosts before friday came: found, compared and copied, by one small script over ssh. It only
//! reads.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use friday_edge::fleet::shell::{Place, Ran, run_script};
use friday_wire::HostName;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::sight::runtime;

/// Every file is read once.
const LOOK_LIMIT: Duration = Duration::from_secs(600);

/// Every file travels once.
const FETCH_LIMIT: Duration = Duration::from_secs(3_600);

/// Arguments: the directory, the command that asks whether it runs, the command that asks whether the login
/// may stop it, and paths that are left out. Lines: a word and what it is about.
///
/// Commands have the environment that friday-host will give them, and stand in no process's arguments.
const LOOK: &str = r#"cd "$1" || exit 3
r=$2; m=$3; shift 3
e() { env -i HOME="$HOME" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin FRIDAY_ASKED="$1" \
  /bin/sh -c 'eval "$FRIDAY_ASKED"' </dev/null >/dev/null 2>&1; }
printf 'path\t%s\n' "$(pwd -P)"
e "$r" && echo runs
e "$m" && echo may
n=$#
while [ "$n" -gt 0 ]; do p=$1; shift; set -- "$@" -path "./$p" -prune -o; n=$((n-1)); done
LC_ALL=C; export LC_ALL
find . "$@" -type f -exec sha256sum -- {} + || exit 4
find . "$@" -type l -exec sh -c 'for l; do printf "link\t%s\t%s\n" "$l" "$(readlink "$l")"; done' sh {} + || exit 4
find . "$@" ! -type f ! -type d ! -type l -exec printf 'special\t%s\n' {} + || exit 4
"#;

/// The status with which `tar` ends when a file was written to while it was read.
const CHANGED: i32 = 1;

/// Arguments: the directory and `tar`'s options.
const FETCH: &str = r#"cd "$1" || exit 3; shift; exec tar -cf - "$@" ."#;

/// What to look at.
#[derive(Debug, Clone, Copy)]
pub struct Inquiry<'a> {
    /// The directory.
    pub path: &'a str,
    /// Ends with 0 while it runs.
    pub running: &'a str,
    /// Ends with 0 where the login may stop and start it.
    pub may: Option<&'a str>,
    /// Paths in it that do not count.
    pub leave_out: &'a [String],
}

/// What was found on one host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Where the directory really is.
    pub path: String,
    /// It runs.
    pub runs: bool,
    /// The login may stop and start it.
    pub may: bool,
    /// Files and their SHA-256.
    pub files: BTreeMap<String, String>,
    /// Links and their targets.
    pub links: BTreeMap<String, String>,
    /// Sockets, pipes, devices.
    pub special: Vec<String>,
}

impl Found {
    fn parse(text: &str) -> Self {
        let mut found = Self::default();
        let bare = |path: &str| path.trim_start_matches("./").to_owned();
        for line in text.lines() {
            let mut parts = line.split('\t');
            match (parts.next(), parts.next(), parts.next()) {
                (Some("path"), Some(path), _) => found.path = path.to_owned(),
                (Some("runs"), None, _) => found.runs = true,
                (Some("may"), None, _) => found.may = true,
                (Some("link"), Some(link), Some(target)) => {
                    found.links.insert(bare(link), target.to_owned());
                }
                (Some("special"), Some(path), _) => found.special.push(bare(path)),
                _ => {
                    if let Some((sum, path)) = line.split_once("  ") {
                        found.files.insert(bare(path), sum.to_owned());
                    }
                }
            }
        }
        found
    }

    /// Links that end outside of the directory, and what is neither file, link nor directory: no release can
    /// have them.
    pub fn leads_out(&self) -> Vec<String> {
        let out = self.links.iter().filter(|(link, target)| leaves(link, target));
        let mut left: Vec<String> = out.map(|(link, _)| link.clone()).collect();
        left.extend(self.special.iter().cloned());
        left
    }

    /// Paths in which another host's tree is not this one.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let inside = |found: &Self| {
            let links = found.links.iter().filter(|(link, target)| !leaves(link, target));
            let links = links.map(|(link, target)| (link.clone(), format!("-> {target}")));
            found.files.clone().into_iter().chain(links).collect::<BTreeMap<_, _>>()
        };
        let (ours, theirs) = (inside(self), inside(other));
        let mut paths: Vec<String> = ours
            .keys()
            .chain(theirs.keys())
            .filter(|path| ours.get(*path) != theirs.get(*path))
            .cloned()
            .collect();
        paths.sort();
        paths.dedup();
        paths
    }
}

/// Whether a link's target lies outside of the directory that the link's path is in.
fn leaves(link: &str, target: &str) -> bool {
    if target.starts_with('/') {
        return true;
    }
    let mut depth = link.split('/').count() - 1;
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return true,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

/// Looks at every host, one after the other's start, all at once.
///
/// # Errors
/// When a host cannot be reached, or cannot be read.
pub fn look(
    context: &Context,
    inquiry: &Inquiry<'_>,
) -> Result<BTreeMap<HostName, Found>, CommandError> {
    let mut arguments: Vec<String> = [inquiry.path, inquiry.running, inquiry.may.unwrap_or("true")]
        .into_iter()
        .map(str::to_owned)
        .collect();
    arguments.extend(inquiry.leave_out.iter().cloned());
    let runtime = runtime()?;
    let mut found = BTreeMap::new();
    for host in &context.settings.hosts {
        let text = temporary(context, &format!("adopt-{}.txt", host.name));
        let ran = runtime.block_on(run(context, &host.name, LOOK, &arguments, &text, LOOK_LIMIT));
        let said = fs::read_to_string(&text);
        let _ = fs::remove_file(&text);
        let said = said.map_err(|error| CommandError::from_error(Exit::Internal, &error))?;
        readable(&host.name, inquiry.path, &ran?)?;
        found.insert(host.name.clone(), Found::parse(&said));
    }
    Ok(found)
}

fn readable(host: &HostName, path: &str, ran: &Ran) -> Result<(), CommandError> {
    let refuse = |what: String| {
        let error = CommandError::new(Exit::Refused, format!("{what}; nothing was changed"));
        Err(error
            .because(&ran.said)
            .hint("`--leave-out PATH` for what is no part of the release: logs, caches, uploads"))
    };
    match ran.status {
        0 => Ok(()),
        3 => {
            let what = format!("there is no directory `{path}` on `{host}`; nothing was changed");
            Err(CommandError::new(Exit::Refused, what).because(&ran.said))
        }
        CHANGED => refuse(format!("something in `{path}` on `{host}` changed while it was read")),
        _ => {
            refuse(format!("not everything in `{path}` on `{host}` can be read by the login user"))
        }
    }
}

/// A copy of one host's tree, as an archive in friday's directory.
///
/// # Errors
/// When the host cannot be reached, or cannot be read.
pub fn fetch(
    context: &Context,
    host: &HostName,
    path: &str,
    leave_out: &[String],
) -> Result<PathBuf, CommandError> {
    let archive = temporary(context, "adopt.tar");
    let mut arguments = vec![path.to_owned(), "--anchored".to_owned(), "--no-wildcards".to_owned()];
    arguments.extend(leave_out.iter().map(|path| format!("--exclude=./{path}")));
    let ran = runtime()?.block_on(run(context, host, FETCH, &arguments, &archive, FETCH_LIMIT))?;
    readable(host, path, &ran)?;
    Ok(archive)
}

fn temporary(context: &Context, name: &str) -> PathBuf {
    context.state.path().join(name)
}

async fn run(
    context: &Context,
    host: &HostName,
    script: &str,
    arguments: &[String],
    output: &Path,
    limit: Duration,
) -> Result<Ran, CommandError> {
    let file =
        File::create(output).map_err(|error| CommandError::from_error(Exit::Internal, &error))?;
    let Some(settings) = context.settings.host(host) else {
        return Err(CommandError::bug(format!("`{host}` is not in the configuration")));
    };
    let place =
        Place { address: &settings.address, login: &context.settings.login, base: &context.base };
    run_script(place, script, arguments, file, limit).await.map_err(|error| {
        CommandError::new(Exit::Unreachable, format!("`{host}` could not be looked at"))
            .because(error.to_string())
            .hint(error.hint())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn what_a_host_says_is_understood() {
        let text = format!(
            "path\t/srv/app/releases/2026\nruns\n{SUM}  ./app.pl\n{SUM}  ./lib/a  b\nlink\t./log\t/srv/app/shared/log\n\
             link\t./lib/c\t../app.pl\nspecial\t./tmp/sock\n"
        );
        let found = Found::parse(&text);
        assert_eq!(found.path, "/srv/app/releases/2026");
        assert!(found.runs && !found.may);
        assert_eq!(found.files.keys().collect::<Vec<_>>(), ["app.pl", "lib/a  b"]);
        assert_eq!(found.leads_out(), ["log", "tmp/sock"]);
    }

    #[test]
    fn hosts_differ_in_files_and_inner_links_and_not_in_what_is_left_out() {
        let one = Found::parse(&format!(
            "{SUM}  ./a\n{SUM}  ./b\nlink\t./l\ta\nlink\t./log\t/var/log/1\n"
        ));
        let other = Found::parse(&format!(
            "{SUM}  ./a\n0{SUM}  ./b\nlink\t./l\tb\nlink\t./log\t/var/log/2\n"
        ));
        assert_eq!(one.differences(&other), ["b", "l"]);
        assert!(one.differences(&one).is_empty());
    }

    #[test]
    fn links_that_climb_out_are_seen() {
        for (link, target, out) in [
            ("a", "b", false),
            ("a", "../b", true),
            ("d/a", "../b", false),
            ("d/a", "../../b", true),
            ("d/a", "x/../../../b", true),
            ("a", "/etc/passwd", true),
        ] {
            assert_eq!(leaves(link, target), out, "{link} -> {target}");
        }
    }
}
