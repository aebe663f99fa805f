//! The only place that prints. stdout is data, stderr is everything else.
//!
//! Text comes in as [`Text`], which shows control characters from outside instead of sending them to
//! the terminal: a host's or an application's words can never move the cursor or hide a line. Colour is
//! never the only sign of anything.

mod board;
mod clock;
mod problem;
mod question;
mod screen;
mod table;
mod text;
mod waiting;

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use anstream::{AutoStream, ColorChoice};
use friday_core::time::Timestamp;
use friday_core::view::{Line, Tone};
use serde::Serialize;

use crate::error::CommandError;
pub use board::Board;
pub use clock::Clock;
pub use question::{Question, Said};
pub use table::Table;
pub use text::{Ink, Text};
pub use waiting::Waiting;

/// When colour is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Human text, or JSON for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text.
    Human,
    /// JSON.
    Json,
}

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Volume {
    /// What happens.
    Normal,
    /// Warnings and errors only.
    Quiet,
}

/// Whether questions are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Asked on a terminal.
    Ask,
    /// Every safe question is answered with yes.
    Yes,
}

/// Where output goes and how it looks.
#[derive(Debug)]
pub struct Ui {
    format: Format,
    volume: Volume,
    consent: Consent,
    out: ColorChoice,
    err: ColorChoice,
    clock: Clock,
}

impl Ui {
    /// As the options say, with the terminal's own wishes filled in.
    pub fn new(format: Format, volume: Volume, consent: Consent, color: ColorWhen) -> Self {
        Self {
            format,
            volume,
            consent,
            out: choice(color, &io::stdout()),
            err: choice(color, &io::stderr()),
            clock: Clock::system(),
        }
    }

    /// Whether JSON was asked for.
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Whether somebody watches stderr live.
    pub fn is_live(&self) -> bool {
        self.volume == Volume::Normal
            && self.format == Format::Human
            && io::stderr().is_terminal()
            && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
    }

    /// Times as people here read them.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// A line of data, to stdout.
    pub fn data(&self, text: impl Into<Text>) {
        let mut out = AutoStream::new(io::stdout().lock(), self.out);
        // A reader that has gone away has seen what it wanted.
        let _ = writeln!(out, "{}", text.into().painted());
    }

    /// A text of friday's own making as it is, to stdout: a script, a page, a schema.
    pub fn text(&self, text: &str) {
        // As above.
        let _ = io::stdout().lock().write_all(text.as_bytes());
    }

    /// A table of data, to stdout.
    pub fn table(&self, table: &Table) {
        for row in table.rows() {
            self.data(row);
        }
    }

    /// One JSON value on one line, to stdout.
    pub fn json(&self, value: &impl Serialize) {
        let mut out = io::stdout().lock();
        // Views hold strings, numbers and lists only; writing can fail only as above.
        let _ = serde_json::to_writer(&mut out, value);
        let _ = writeln!(out);
        let _ = out.flush();
    }

    /// What happens, to stderr.
    pub fn say(&self, text: impl Into<Text>) {
        if self.volume == Volume::Normal {
            self.err(text.into());
        }
    }

    /// Something worth a look, to stderr, also when quiet.
    pub fn warn(&self, text: impl Into<Text>) {
        self.err(Text::new().ink(Ink::Warn, "Warning:").plain(" ").append(text.into()));
    }

    /// What can be done, to stderr.
    pub fn hint(&self, hint: &str) {
        self.err(Text::new().ink(Ink::Hint, "Hint:").plain(" ").plain(hint));
    }

    /// One line of a story: what happens now, on stderr. Quiet shows only what went wrong.
    pub fn story(&self, line: &Line) {
        if !self.tells(line) {
            return;
        }
        for text in self.story_lines(line) {
            self.err(text);
        }
    }

    /// Whether a line of a story is shown at all.
    pub fn tells(&self, line: &Line) -> bool {
        line.tone != Tone::Fine && (self.volume == Volume::Normal || line.tone >= Tone::Warn)
    }

    /// A line of a story, drawn.
    pub fn story_lines(&self, line: &Line) -> Vec<Text> {
        let (mark, ink) = match line.tone {
            Tone::Fine => ("·", Ink::Faint),
            Tone::Plain => (" ", Ink::Plain),
            Tone::Good => ("✓", Ink::Good),
            Tone::Warn => ("!", Ink::Warn),
            Tone::Bad => ("✗", Ink::Bad),
        };
        let mut head = Text::new()
            .ink(Ink::Faint, &self.clock.short(line.at))
            .plain(" ")
            .ink(ink, mark)
            .plain(" ");
        if let Some(host) = &line.host {
            head = head.ink(Ink::Name, host.as_str()).plain(": ");
        }
        let below = line.below.iter().map(|text| {
            Text::new().plain("           ").ink(Ink::Faint, "|").plain(" ").plain(text)
        });
        std::iter::once(head.ink(ink, &line.text)).chain(below).collect()
    }

    /// An error with its causes and hints: to stderr, and to stdout as JSON where that was asked for.
    pub fn error(&self, error: &CommandError) {
        if self.is_json() {
            self.json(&serde_json::json!({ "error": error.view() }));
        }
        if let Some(drawing) = error.drawing() {
            for problem in &drawing.problems {
                self.err_raw(&problem::draw(problem, &drawing.text, self.err));
            }
        }
        self.err(Text::new().ink(Ink::Bad, "Error:").plain(" ").plain(error.message()));
        let numbered = error.causes().len() > 1;
        for (at, cause) in error.causes().iter().enumerate() {
            let lead = if numbered { format!("  {}. ", at + 1) } else { "  ".to_owned() };
            self.err(Text::new().plain(&lead).plain(cause));
        }
        for hint in error.hints() {
            self.hint(hint);
        }
    }

    /// Asks a question with named answers; the first letter is enough. `None`: nobody is there to
    /// ask, or the answer was none of them.
    pub fn ask(&self, question: &str, answers: &[&str]) -> Option<usize> {
        if !io::stdin().is_terminal() || self.is_json() {
            return None;
        }
        let text =
            Text::new().ink(Ink::Strong, question).plain(&format!(" [{}] ", answers.join("/")));
        let mut err = AutoStream::new(io::stderr().lock(), self.err);
        let _ = write!(err, "{}", text.painted());
        let _ = err.flush();
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).ok()?;
        let said = line.trim().to_lowercase();
        answers.iter().position(|answer| !said.is_empty() && answer.starts_with(&said))
    }

    /// Whether somebody sits at a terminal and can be asked.
    pub fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal() && !self.is_json()
    }

    /// Asks while the caller works on; it looks for the answer itself.
    pub fn pose(&self, question: &str, answers: &'static [&'static str]) -> Question {
        Question::pose(self, question, answers)
    }

    /// Takes away what stands on the terminal's present line; elsewhere begins a new one.
    pub fn clear_line(&self) {
        let mut err = io::stderr().lock();
        // Nobody misses a line of a terminal that is gone.
        let _ = err.write_all(if self.is_live() { b"\r\x1b[2K" } else { b"\n" });
    }

    /// Whether somebody is there to choose, and did not say yes to everything beforehand.
    pub fn asks(&self) -> bool {
        self.consent == Consent::Ask && io::stdin().is_terminal() && !self.is_json()
    }

    /// A question whose answer "yes" is safe: `--yes` answers it, and so does a script.
    pub fn confirm(&self, question: &str) -> bool {
        match self.consent {
            Consent::Yes => true,
            Consent::Ask if !io::stdin().is_terminal() || self.is_json() => true,
            Consent::Ask => self.ask(question, &["yes", "no"]) == Some(0),
        }
    }

    /// What is shown live while a rollout runs.
    pub fn board(&self) -> Board {
        if self.is_live() { Board::live(self.err) } else { Board::off() }
    }

    /// A line for what is being waited for; draws where somebody watches.
    pub fn waiting(&self) -> Waiting {
        if self.is_live() { Waiting::live() } else { Waiting::off() }
    }

    /// A story's line while a board is shown: above it.
    pub fn story_above(&self, board: &Board, line: &Line) {
        board.pause(|| self.story(line));
    }

    fn err(&self, text: Text) {
        self.err_raw(&text.painted());
    }

    fn err_raw(&self, painted: &str) {
        let mut err = AutoStream::new(io::stderr().lock(), self.err);
        let _ = writeln!(err, "{painted}");
    }
}

/// Milliseconds since 1970 of the wall clock, for "so long ago".
pub fn now() -> Timestamp {
    friday_edge::clock::now()
}

fn choice(color: ColorWhen, stream: &impl anstream::stream::RawStream) -> ColorChoice {
    match color {
        ColorWhen::Auto => AutoStream::choice(stream),
        ColorWhen::Always => ColorChoice::AlwaysAnsi,
        ColorWhen::Never => ColorChoice::Never,
    }
}
