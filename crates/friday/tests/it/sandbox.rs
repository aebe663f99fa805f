//! A directory with a configuration, releases and local hosts, in which `friday` is run and what it says
//! is made the same in every run: times, ids and places are replaced by words.

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The longest any wait in these tests may take: a lease that nobody holds any more lasts 60 s.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// A directory of its own.
pub struct Sandbox {
    root: tempfile::TempDir,
}

/// What a command said.
pub struct Said {
    pub exit: i32,
    pub stdout: String,
    pub stderr: String,
    /// stdout with nothing replaced.
    raw: String,
}

impl Said {
    /// All of it, for a snapshot.
    pub fn all(&self) -> String {
        let mut out = format!("exit {}\n", self.exit);
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                let _ = write!(out, "--- {name}\n{text}");
            }
        }
        out
    }

    /// stdout as JSON values, one a line.
    pub fn json(&self) -> Vec<serde_json::Value> {
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"))
        };
        self.raw.lines().map(parse).collect()
    }
}

impl Sandbox {
    /// Empty.
    pub fn empty() -> Self {
        Self { root: tempfile::tempdir().expect("a temporary directory") }
    }

    /// Three local hosts in a wave each, and the releases `v1`, `v2` (good) and `bad` (exits at once).
    pub fn fleet() -> Self {
        let sandbox = Self::empty();
        sandbox.write("friday.toml", &config("local:[1-3]"));
        sandbox.release("v1", "exec sleep 600");
        sandbox.release("v2", "exec sleep 601");
        sandbox.release("bad", "echo cannot open the database >&2; exit 3");
        sandbox
    }

    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// Writes a file.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("inside")).expect("a directory");
        fs::write(path, text).expect("a file");
    }

    /// A directory that is a release whose program is this script.
    pub fn release(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        self.write(&format!("{name}/app"), &format!("#!/bin/sh\n{script}\n"));
        let program = self.path().join(name).join("app");
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).expect("executable");
    }

    /// Runs friday here to its end.
    pub fn friday(&self, args: &[&str]) -> Said {
        self.friday_in(".", args)
    }

    /// Runs friday in a directory below.
    pub fn friday_in(&self, directory: &str, args: &[&str]) -> Said {
        let child = self.spawn_in(directory, args);
        self.finish(child)
    }

    /// Begins to run friday.
    pub fn spawn(&self, args: &[&str]) -> Child {
        self.spawn_in(".", args)
    }

    fn spawn_in(&self, directory: &str, args: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_friday"))
            .args(args)
            .current_dir(self.path().join(directory))
            .env_clear()
            .envs([("PATH", "/usr/bin:/bin"), ("HOME", "/nonexistent"), ("TZ", "UTC")])
            .envs([("USER", "anna"), ("COLUMNS", "100"), ("TERM", "dumb")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("friday starts")
    }

    /// Waits for its end.
    pub fn finish(&self, mut child: Child) -> Said {
        let read = |mut from: Box<dyn std::io::Read + Send>| {
            std::thread::spawn(move || {
                let mut text = String::new();
                from.read_to_string(&mut text).map(|_| text)
            })
        };
        let stdout = read(Box::new(child.stdout.take().expect("piped")));
        let stderr = read(Box::new(child.stderr.take().expect("piped")));
        let until = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = child.try_wait().expect("a child") {
                break status;
            }
            if Instant::now() > until {
                child.kill().expect("killed");
                panic!("friday did not end: {:?}", stderr.join());
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let text = |thread: std::thread::JoinHandle<std::io::Result<String>>| {
            thread.join().expect("read").expect("text")
        };
        let (raw, stderr) = (text(stdout), without_estimate(&text(stderr)));
        let exit = status.code().unwrap_or(-1);
        Said { exit, stdout: self.redact(&raw), stderr: self.redact(&stderr), raw }
    }

    /// Waits until a push of this release bakes.
    pub fn wait_for_bake(&self, label: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let log = self.friday(&["log"]).stdout;
            if log.contains(&format!("push of `{label}`")) && log.contains("it bakes") {
                return;
            }
            assert!(Instant::now() < until, "the push of `{label}` never came so far:\n{log}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Waits until a file here has so many lines.
    pub fn wait_for_file(&self, path: &str, lines: usize) {
        let until = Instant::now() + PATIENCE;
        let path = self.path().join(path);
        while fs::read_to_string(&path).unwrap_or_default().matches('\n').count() < lines {
            assert!(Instant::now() < until, "`{}` never came", path.display());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What each local host's `current` points to, told by the program in it.
    pub fn runs(&self) -> Vec<String> {
        let seen = self.friday(&["status", "--json"]).json();
        let hosts = seen[0]["hosts"].as_array().expect("hosts").clone();
        let says = |host: &serde_json::Value| {
            let label = host["label"].as_str().unwrap_or("nothing").to_owned();
            let running = host["running"].as_bool().unwrap_or(false);
            if host["current"].is_null() || running { label } else { format!("{label}, dead") }
        };
        hosts.iter().map(says).collect()
    }

    fn redact(&self, text: &str) -> String {
        let place = self.path().canonicalize().expect("there");
        let text = text.replace(&place.display().to_string(), "[dir]");
        let text = text.replace(&self.path().display().to_string(), "[dir]");
        let lines: Vec<String> = text.lines().map(redact_line).collect();
        sort_hosts(&lines)
    }
}

impl Drop for Sandbox {
    /// Ends what still runs here: friday-host and applications outlive friday by design.
    fn drop(&mut self) {
        let place = self.path().canonicalize().unwrap_or_else(|_| self.path().to_owned());
        for pid in ours(&place) {
            let _ = Command::new("kill").args(["-9", &pid]).status();
        }
    }
}

/// Processes that run from, or in, a directory.
fn ours(place: &Path) -> Vec<String> {
    let inside = |link: PathBuf| {
        fs::read_link(link).is_ok_and(|to| to.to_string_lossy().contains(&*place.to_string_lossy()))
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .map(|entry| entry.path())
        .filter(|path| inside(path.join("cwd")) || inside(path.join("exe")))
        .filter_map(|path| path.file_name()?.to_str().map(str::to_owned))
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .collect()
}

/// A configuration for tests: every clock short, every host a wave of its own.
pub fn config(hosts: &str) -> String {
    format!(
        r#"name = "shop"

[release]
path = "v1"
run = "./app"

[health]
interval = "100ms"
interval_after = "200ms"
passes = 1
steady = "300ms"
deadline = "10s"

[hosts]
web = ["{hosts}"]

[rollout]
waves = ["1", "2", "100%"]
soak = "300ms"
bake = "500ms"
settle = "0s"
drain = "0s"
stop = "1s"
observe = "200ms"
"#
    )
}

/// Without how long a push is likely to take: that rests on how long this machine took.
fn without_estimate(text: &str) -> String {
    let lines = text.split_inclusive('\n');
    lines.filter(|line| !line.starts_with("It takes about ")).collect()
}

/// Hosts work side by side: lines about hosts that follow each other have no order of their own.
fn sort_hosts(lines: &[String]) -> String {
    let host_line = |line: &&String| line.starts_with("[time]") && line.contains(" local-");
    let mut out = String::new();
    let mut at = 0;
    while at < lines.len() {
        let mut group: Vec<&String> = lines[at..].iter().take_while(host_line).collect();
        let taken = group.len().max(1);
        if group.is_empty() {
            group.push(&lines[at]);
        }
        group.sort_by_key(|line| {
            let (_, rest) = line.split_once(" local-")?;
            Some(rest.split(':').next().unwrap_or_default().to_owned())
        });
        for line in group {
            out.push_str(line);
            out.push('\n');
        }
        at += taken;
    }
    out
}

/// One line with times, days, ids and lengths of time replaced.
fn redact_line(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let begins_word = !out.ends_with(|before: char| before.is_alphanumeric());
        let found = begins_word.then(|| {
            PATTERNS.iter().find_map(|(name, matches)| {
                matches(rest).filter(|length| *length > 0).map(|length| (name, length))
            })
        });
        match found.flatten() {
            Some((name, length)) => {
                out.push_str(name);
                rest = &rest[length..];
            }
            None => {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    out
}

type Pattern = (&'static str, fn(&str) -> Option<usize>);

const PATTERNS: [Pattern; 8] = [
    ("[rollout]", |text| shaped(text, "r-dddddddd-xxxxxx")),
    ("[date]", |text| shaped(text, "dddd-dd-dd")),
    ("[time]", |text| shaped(text, "dd:dd:dd")),
    ("[hash]", |text| shaped(text, &"x".repeat(64))),
    ("[id]", |text| shaped(text, "xxxxxxxxxxxx")),
    ("[long]", duration),
    ("[long] ago", |text| whole_seconds(text, "", " s ago")),
    ("after [long]", |text| whole_seconds(text, "after ", " s")),
];

/// The length of a text that has a shape: `d` a digit, `x` a hexadecimal digit.
fn shaped(text: &str, shape: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let fits = shape.bytes().enumerate().all(|(at, wanted)| match (wanted, bytes.get(at)) {
        (b'd', Some(byte)) => byte.is_ascii_digit(),
        (b'x', Some(byte)) => byte.is_ascii_hexdigit(),
        (wanted, Some(byte)) => wanted == *byte,
        (_, None) => false,
    });
    let ends = bytes.get(shape.len()).is_none_or(|byte| !byte.is_ascii_alphanumeric());
    (fits && ends).then_some(shape.len())
}

/// The length of `3.7 s`: whole seconds stand in configurations and stay.
fn duration(text: &str) -> Option<usize> {
    let number = text.find(|found: char| !found.is_ascii_digit() && found != '.')?;
    let fraction = text[..number].contains('.');
    (fraction && text[number..].starts_with(" s")).then_some(number + 2)
}

/// The length of a whole number of seconds between these words.
fn whole_seconds(text: &str, before: &str, after: &str) -> Option<usize> {
    let rest = text.strip_prefix(before)?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let fits = digits > 0 && rest[digits..].starts_with(after);
    fits.then_some(before.len() + digits + after.len())
}
