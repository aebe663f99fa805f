//! A question that is asked while friday works on: whoever waits for its answer looks in now and then.

use std::io::{self, BufRead as _, Write as _};
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use anstream::AutoStream;

use super::Ui;
use super::text::{Ink, Text};

/// What was said so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Nothing yet.
    Nothing,
    /// This answer, by its place.
    Answer(usize),
    /// Nobody is there any more.
    Gone,
}

/// An open question.
#[derive(Debug)]
pub struct Question {
    prompt: Text,
    answers: &'static [&'static str],
    lines: Receiver<Option<String>>,
}

impl Question {
    pub(super) fn pose(ui: &Ui, question: &str, answers: &'static [&'static str]) -> Self {
        let said = answers.join("/");
        let prompt = Text::new().ink(Ink::Strong, question).plain(&format!(" [{said}] "));
        let question = Self { prompt, answers, lines: read_line() };
        question.show(ui);
        question
    }

    /// Shows it again, below what was printed meanwhile.
    pub fn show(&self, ui: &Ui) {
        let mut err = AutoStream::new(io::stderr().lock(), ui.err);
        // A terminal that is gone is noticed by who reads from it.
        let _ = write!(err, "{}", self.prompt.painted()).and_then(|()| err.flush());
    }

    /// What was said; asks again where it was none of the answers.
    pub fn said(&mut self, ui: &Ui) -> Said {
        let line = match self.lines.try_recv() {
            Ok(Some(line)) => line.trim().to_lowercase(),
            Err(TryRecvError::Empty) => return Said::Nothing,
            Ok(None) | Err(TryRecvError::Disconnected) => return Said::Gone,
        };
        let begins = |answer: &&str| !line.is_empty() && answer.starts_with(&line);
        if let Some(answer) = self.answers.iter().position(begins) {
            return Said::Answer(answer);
        }
        self.lines = read_line();
        self.show(ui);
        Said::Nothing
    }
}

/// Reads one line, apart: friday's own thread must not wait for a person.
fn read_line() -> Receiver<Option<String>> {
    let (to, lines) = channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line);
        let line = read.ok().filter(|read| *read > 0).map(|_| line);
        // Nobody waits any more: the rollout is over.
        let _ = to.send(line);
    });
    lines
}
