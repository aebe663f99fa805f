//! What a benchmark is told.

use std::path::PathBuf;

/// How it is called.
pub const USAGE: &str = "\
usage: cargo xtask bench peers [OPTIONS]   every tool: push, update with 1 % changed, rollback
       cargo xtask bench warm [OPTIONS]    friday: rollback in mid-bake, connections open
       cargo xtask bench floor [OPTIONS]   handshakes, warm commands, raw streams of ssh itself
       cargo xtask bench controller [N...]  simulated fleets of N hosts, without servers: 10 to 10,000
       cargo xtask bench hour               the answer of `friday check`, with many rules and pushes
       cargo xtask bench table FILE...     medians of what was recorded

  --hosts N       how many servers (16)
  --delay MS      round trip to each (0)
  --times N       runs of each (3)
  --only A,B      these tools only; names of scripts in benches/peers
  --out FILE      append results, one JSON object a line
  --friday PATH   this friday, not one built now
  --install       first get the other tools: packages by apt-get, a virtual environment for Python
  --first         time the first contact with friday-host's transfer in it, too
";

/// All tools, by the names of their scripts; friday first and last, so that drift shows.
const ALL: [&str; 8] = [
    "friday-tuned",
    "rsync-tuned",
    "friday",
    "rsync",
    "pyinfra",
    "fabric",
    "ansible",
    "capistrano",
];

/// Servers on one machine have its memory.
const HOSTS_MAX: usize = 100;

/// The options.
#[derive(Debug)]
pub struct Options {
    /// Servers.
    pub hosts: usize,
    /// Round trip in milliseconds.
    pub delay_ms: u32,
    /// Runs of each.
    pub times: usize,
    /// Tools.
    pub tools: Vec<String>,
    /// Where results go.
    pub out: Option<PathBuf>,
    /// A friday that was built before.
    pub friday: Option<PathBuf>,
    /// Whether the other tools are installed first.
    pub install: Install,
    /// Whether friday meets its hosts for the first time.
    pub contact: Contact,
}

/// Whether to get the other tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Install {
    /// They are there.
    No,
    /// Get them.
    Yes,
}

/// Whether friday-host is on the hosts before the clock starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contact {
    /// It is.
    Before,
    /// The push brings it.
    Within,
}

impl Options {
    /// From the command line.
    ///
    /// # Errors
    /// The usage.
    pub fn parse(words: &[&str]) -> Result<Self, String> {
        let mut options = Self {
            hosts: 16,
            delay_ms: 0,
            times: 3,
            tools: ALL.map(str::to_owned).to_vec(),
            out: None,
            friday: None,
            install: Install::No,
            contact: Contact::Before,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().copied().ok_or_else(|| format!("`{word}` of what?"));
            match *word {
                "--hosts" => options.hosts = number(value()?)?,
                "--delay" => options.delay_ms = number(value()?)?,
                "--times" => options.times = number(value()?)?,
                "--only" => options.tools = value()?.split(',').map(str::to_owned).collect(),
                "--out" => options.out = Some(PathBuf::from(value()?)),
                "--friday" => options.friday = Some(PathBuf::from(value()?)),
                "--install" => options.install = Install::Yes,
                "--first" => options.contact = Contact::Within,
                _ => return Err(format!("`{word}` is no option\n\n{USAGE}")),
            }
        }
        if !(1..=HOSTS_MAX).contains(&options.hosts) {
            return Err(format!("a bed has 1 to {HOSTS_MAX} hosts here"));
        }
        Ok(options)
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is no number that fits"))
}
