//! A person's laptop: a directory with a configuration and releases, and friday run from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::bed::Bed;

/// The configuration; clocks are short, everything else is the default.
const CONFIGURATION: &str = r#"
name = "shop"

[release]
path = "v1"
run = "exec perl app.pl"
port = 8080

[health]
http = "/healthz"
outside = "http://{host}:8080/"
passes = 2
steady = "200ms"
interval = "200ms"
interval_after = "300ms"
timeout = "2s"
failures = 2
deadline = "40s"

[hosts]
web = [HOSTS]

[rollout]
waves = ["1", "50%", "100%"]
soak = "1s"
bake = "2s"
settle = "0s"
drain = "0s"
stop = "2s"
confirm = "12s"
observe = "500ms"
out_at_once = "50%"
"#;

/// A web server in what every Debian has. Behaves as the file `quality` beside it says.
const APPLICATION: &str = include_str!("app.pl");

/// How a release behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    /// Well.
    Good,
    /// Its own health page is fine; `/` fails from the third second on.
    BadOutside,
    /// `/` fails during the first minute, so that a switch waits long for its confirm.
    SlowOutside,
    /// Well, and says so by `sd_notify`.
    Ready,
}

impl Quality {
    fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::BadOutside => "bad-outside",
            Self::SlowOutside => "slow-outside",
            Self::Ready => "ready",
        }
    }
}

/// A laptop's directory. Several may push to the same fleet.
#[derive(Debug)]
pub struct Project {
    directory: PathBuf,
}

impl Project {
    /// A new directory in the bed, for its first `hosts` hosts.
    pub fn new(bed: &Bed, laptop: &str, hosts: usize) -> Self {
        Self::with(bed, laptop, hosts, &[])
    }

    /// The same, with lines of the configuration replaced.
    pub fn with(bed: &Bed, laptop: &str, hosts: usize, lines: &[(&str, &str)]) -> Self {
        let directory = bed.directory().join(laptop);
        fs::create_dir(&directory).expect("the bed's directory takes directories");
        let names: Vec<String> = (1..=hosts).map(|n| format!("\"deploy@h{n}\"")).collect();
        let mut text = CONFIGURATION.replace("HOSTS", &names.join(", "));
        for (line, other) in lines {
            assert!(text.contains(line), "the configuration has no `{line}`");
            text = text.replace(line, other);
        }
        fs::write(directory.join("friday.toml"), text).expect("a new directory takes files");
        Self { directory }
    }

    /// Writes the configuration anew, for these hosts.
    pub fn names_hosts(&self, hosts: &[&str]) {
        let names: Vec<String> = hosts.iter().map(|host| format!("\"deploy@{host}\"")).collect();
        let text = CONFIGURATION.replace("HOSTS", &names.join(", "));
        fs::write(self.directory.join("friday.toml"), text).expect("our own directory takes files");
    }

    /// A path in its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Sets a key of `[hosts]`.
    pub fn configure(&self, key: &str, value: &str) {
        let path = self.directory.join("friday.toml");
        let text = fs::read_to_string(&path).expect("it was written");
        let kept = text.lines().filter(|line| !line.starts_with(&format!("{key} =")));
        let mut text = kept.collect::<Vec<_>>().join("\n");
        text = text.replace("[hosts]\n", &format!("[hosts]\n{key} = \"{value}\"\n"));
        fs::write(&path, text + "\n").expect("our own file");
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What a friday that was begun under this name has said so far.
    pub fn said(&self, name: &str) -> String {
        fs::read_to_string(self.directory.join(format!("{name}.out"))).unwrap_or_default()
    }

    /// Adds to the configuration.
    pub fn append(&self, more: &str) {
        let path = self.directory.join("friday.toml");
        let text = fs::read_to_string(&path).expect("it was written");
        fs::write(&path, text + more).expect("our own file");
    }

    /// Replaces a line of the configuration, and takes another one out.
    pub fn set(&self, line: &str, by: &str, without: &str) {
        let path = self.directory.join("friday.toml");
        let text = fs::read_to_string(&path).expect("it was written");
        let text = text.replace(&format!("{without}\n"), "").replace(line, by);
        fs::write(&path, text).expect("our own file");
    }

    /// Writes a release; its label is what `/` answers.
    pub fn release(&self, label: &str, quality: Quality) -> PathBuf {
        let release = self.directory.join(label);
        fs::create_dir(&release).expect("each label is written once");
        for (name, text) in [("app.pl", APPLICATION), ("label", label), ("quality", quality.word())]
        {
            fs::write(release.join(name), text).expect("a new directory takes files");
        }
        release
    }

    /// friday in this directory and in the bed's network; the child is friday itself.
    pub fn friday(&self, bed: &Bed, words: &[&str]) -> Command {
        let mut friday = bed.command_at(&self.directory, env!("CARGO_BIN_EXE_friday"));
        friday.args(words).args(["--yes", "--color", "never"]);
        friday
    }

    /// Runs it to its end.
    pub fn run(&self, bed: &Bed, words: &[&str]) -> Output {
        crate::bed::collect(&mut self.friday(bed, words))
    }

    /// Runs it to its end, which must have this exit status.
    pub fn ends_with(&self, bed: &Bed, status: i32, words: &[&str]) -> Output {
        let done = self.run(bed, words);
        let told = crate::bed::describe(&done);
        assert_eq!(done.status.code(), Some(status), "`friday {}`: {told}", words.join(" "));
        done
    }

    /// Starts it and goes on; what it says is in `NAME.out`.
    pub fn begin(&self, bed: &Bed, words: &[&str], name: &str) -> Child {
        let said = fs::File::create(self.directory.join(format!("{name}.out")));
        let said = said.expect("our own directory takes files");
        let also = said.try_clone().expect("an open file can be cloned");
        let mut friday = self.friday(bed, words);
        friday.stdin(Stdio::null()).stdout(said).stderr(also);
        friday.spawn().expect("friday was just built")
    }
}
