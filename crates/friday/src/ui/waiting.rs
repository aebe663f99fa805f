//! One line that says what is being waited for, where somebody watches; nothing else.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::screen::Screen;

/// Redraws of the spinner.
const TICK: Duration = Duration::from_millis(120);

/// The line.
#[derive(Debug)]
pub struct Waiting {
    bar: Option<ProgressBar>,
}

impl Waiting {
    /// Draws on stderr.
    pub fn live() -> Self {
        let target = ProgressDrawTarget::term_like_with_hz(Box::<Screen>::default(), 10);
        let bar = ProgressBar::with_draw_target(None, target);
        // The template is a constant and parses; the default style would show too, only plainer.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        Self { bar: Some(bar) }
    }

    /// Draws nothing.
    pub fn off() -> Self {
        Self { bar: None }
    }

    /// What is waited for now.
    pub fn on(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(super::text::shown(what));
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
