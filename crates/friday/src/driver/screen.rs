//! What a person sees while it drives: the story of what was journalled, and below it the board.

use std::time::{Duration, Instant};

use friday_core::view::Line;
use friday_core::view::words::size;
use friday_edge::progress::Progress;
use friday_wire::RolloutId;

use super::interrupted::Telling;
use super::outcome;
use super::session::Session;
use crate::commands::log::RecordView;
use crate::error::CommandError;
use crate::journal::damaged;
use crate::ui::now;

/// Between two drawings of the board: more often nobody can read it.
const DRAW_EVERY: Duration = Duration::from_millis(100);

impl Session<'_> {
    /// Draws what was journalled since the last time.
    pub(super) fn tell_new(&mut self) -> Result<(), CommandError> {
        if let Some(why) = self.place.take_lost() {
            self.ui.warn(format!(
                "the journal could not be written ({why}); this rollback goes on without it"
            ));
        }
        for record in self.place.take_fresh() {
            let event = record.event().map_err(|error| damaged(&error))?;
            let lines = self.chronicle.take_in(record.at, &event);
            if self.telling == Telling::Silent {
                continue;
            }
            if self.ui.is_json() {
                let (seq, at, hash) = (record.seq, record.at, record.hash());
                self.ui.json(&serde_json::json!({
                    "record": RecordView { seq, at, hash, event }
                }));
            } else if self.ui.is_live() || !outcome::is_said_at_the_end(&event) {
                self.tell(&lines);
            }
        }
        Ok(())
    }

    /// Above the board, or above a question that waits for its answer.
    pub(super) fn tell(&self, lines: &[Line]) {
        let Some(asking) = &self.asking else {
            return lines.iter().for_each(|line| self.ui.story_above(&self.board, line));
        };
        if lines.iter().any(|line| self.ui.tells(line)) {
            self.ui.clear_line();
            lines.iter().for_each(|line| self.ui.story(line));
            asking.show(self.ui);
        }
    }

    pub(super) fn draw(&mut self, id: &RolloutId) {
        while let Ok(progress) = self.progress.try_recv() {
            self.note(progress);
        }
        let back = outcome::taken_back_by(&self.chronicle, id);
        if self.drawn.is_some_and(|drawn| drawn.elapsed() < DRAW_EVERY) {
            return;
        }
        if let Some(view) = back.or(self.chronicle.rollout(id)) {
            self.drawn = Some(Instant::now());
            self.board.draw(view, &self.doing, now());
        }
    }

    pub(super) fn note(&mut self, progress: Progress) {
        let (host, says) = match progress {
            Progress::Connecting { host } => (host, "connecting".to_owned()),
            Progress::PuttingHostProgram { host, sent, bytes } => {
                let says = format!("putting friday-host there, {} of {}", size(sent), size(bytes));
                (host, says)
            }
            Progress::Shipping { host, done, total, .. } => {
                (host, format!("{} of {}", size(done), size(total)))
            }
            Progress::Disconnected { host, why } => (host, format!("(connection lost: {why})")),
            Progress::Probed { host, failed: Some(why) } => (host, format!("({why})")),
            Progress::Connected { host, .. }
            | Progress::Shipped { host, .. }
            | Progress::Probed { host, failed: None } => {
                self.doing.remove(host.as_str());
                return;
            }
            Progress::HookSays { name, line } => {
                if !self.ui.is_json() && self.asking.is_none() {
                    self.board.pause(|| self.ui.say(format!("  {name}: {line}")));
                }
                return;
            }
        };
        self.doing.insert(host.to_string(), says);
    }
}
