//! What is shown live below the story while a rollout runs: one line for the rollout, one for each
//! host; beyond twenty hosts how many are at what, and the few that matter by name.

use std::collections::BTreeMap;
use std::time::Duration;

use anstream::ColorChoice;
use friday_core::time::Timestamp;
use friday_core::view::words::{count, duration};
use friday_core::view::{HostStage, RolloutHost, RolloutView, Standing};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::screen::Screen;
use super::text::{Ink, Text};

/// Up to so many hosts each has a line.
const HOST_LINES_MAX: usize = 20;

/// Of more hosts, those in trouble that are named.
const TROUBLED_LINES_MAX: usize = 8;

/// And those at work.
const BUSY_LINES_MAX: usize = 6;

/// Redraws of the spinner.
const TICK: Duration = Duration::from_millis(120);

/// The live part of the screen; nothing where nobody watches.
#[derive(Debug)]
pub struct Board {
    live: Option<Live>,
}

#[derive(Debug)]
struct Live {
    multi: MultiProgress,
    lines: Vec<ProgressBar>,
    color: ColorChoice,
}

impl Board {
    /// Draws on stderr.
    pub fn live(color: ColorChoice) -> Self {
        let multi = MultiProgress::with_draw_target(ProgressDrawTarget::term_like_with_hz(
            Box::<Screen>::default(),
            10,
        ));
        Self { live: Some(Live { multi, lines: Vec::new(), color }) }
    }

    /// Draws nothing.
    pub fn off() -> Self {
        Self { live: None }
    }

    /// Takes the board away while something is printed.
    pub fn pause(&self, print: impl FnOnce()) {
        match &self.live {
            Some(live) => live.multi.suspend(print),
            None => print(),
        }
    }

    /// Shows where a rollout stands.
    pub fn draw(
        &mut self,
        view: &RolloutView,
        progress: &BTreeMap<String, String>,
        now: Timestamp,
    ) {
        let Some(live) = &mut self.live else {
            return;
        };
        let lines = board_lines(view, progress, now);
        live.fit(lines.len());
        for (bar, line) in live.lines.iter().zip(lines) {
            bar.set_message(match live.color {
                ColorChoice::Never => line.bare(),
                _ => line.painted(),
            });
        }
    }

    /// Takes it away for good.
    pub fn clear(&mut self) {
        if let Some(live) = self.live.take() {
            for bar in &live.lines {
                bar.finish_and_clear();
            }
            // What cannot be cleared stays on the screen; nothing depends on it.
            let _ = live.multi.clear();
        }
    }
}

impl Live {
    fn fit(&mut self, wanted: usize) {
        while self.lines.len() < wanted {
            let bar = self.multi.add(ProgressBar::new_spinner());
            let template = if self.lines.is_empty() { "{spinner} {msg}" } else { "  {msg}" };
            // The templates are constants and parse; the default style would show too, only plainer.
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.enable_steady_tick(TICK);
            self.lines.push(bar);
        }
        while self.lines.len() > wanted {
            if let Some(bar) = self.lines.pop() {
                bar.finish_and_clear();
                self.multi.remove(&bar);
            }
        }
    }
}

/// The board's lines, the rollout's first.
fn board_lines(
    view: &RolloutView,
    progress: &BTreeMap<String, String>,
    now: Timestamp,
) -> Vec<Text> {
    let head = Text::new().ink(Ink::Strong, view.word.noun()).plain(&format!(
        " {}, {}",
        standing(view, now),
        duration(view.lasted_ms(now) / 1_000 * 1_000)
    ));
    let mut lines = vec![head];
    let few = view.hosts.len() <= HOST_LINES_MAX;
    let shown: Vec<&RolloutHost> =
        if few { view.hosts.iter().collect() } else { that_matter(view) };
    if !few {
        lines.push(Text::new().plain(&counts(view)));
    }
    let width = shown.iter().map(|host| host.host.as_str().chars().count()).max().unwrap_or(0);
    for host in &shown {
        lines.push(host_line(host, width, progress.get(host.host.as_str()), now));
    }
    let untold = view.troubled().count().saturating_sub(TROUBLED_LINES_MAX);
    if !few && untold > 0 {
        let says =
            format!("and {} in trouble; `friday why` names them", count(untold, "more host"));
        lines.push(Text::new().ink(Ink::Faint, &says));
    }
    lines
}

/// Of many hosts, the few whose line says something: those in trouble, then those that are longest at
/// what they do.
fn that_matter(view: &RolloutView) -> Vec<&RolloutHost> {
    let troubled: Vec<&RolloutHost> = view.troubled().take(TROUBLED_LINES_MAX).collect();
    let mut busy: Vec<&RolloutHost> =
        view.hosts.iter().filter(|host| host.stage.is_at_work()).collect();
    busy.sort_by_key(|host| host.since);
    busy.truncate(BUSY_LINES_MAX);
    troubled.into_iter().chain(busy).collect()
}

/// How many hosts are at what: `10,000 hosts: 3 failed, 2,500 switching, 7,497 done`.
fn counts(view: &RolloutView) -> String {
    let mut by_word: Vec<(HostStage, usize)> = Vec::new();
    for host in &view.hosts {
        let alike = |(stage, _): &&mut (HostStage, usize)| stage.says() == host.stage.says();
        match by_word.iter_mut().find(alike) {
            Some((_, number)) => *number += 1,
            None => by_word.push((host.stage.clone(), 1)),
        }
    }
    by_word.sort_by_key(|(stage, _)| order(stage));
    let says: Vec<String> =
        by_word.iter().map(|(stage, number)| format!("{number} {}", stage.says())).collect();
    format!("{}: {}", count(view.hosts.len(), "host"), says.join(", "))
}

/// Trouble first, then what happens, then what is over, then what is to come.
fn order(stage: &HostStage) -> u8 {
    match stage {
        HostStage::Failed { .. } => 0,
        HostStage::Unreachable { .. } => 1,
        HostStage::Sick { .. } => 2,
        HostStage::GoingBack => 3,
        HostStage::Switching => 4,
        HostStage::Proving => 5,
        HostStage::Confirming => 6,
        HostStage::Stopping => 7,
        HostStage::Stopped => 8,
        HostStage::Staging => 9,
        HostStage::Done => 10,
        HostStage::Staged => 11,
        HostStage::Waiting => 12,
    }
}

fn host_line(host: &RolloutHost, width: usize, progress: Option<&String>, now: Timestamp) -> Text {
    let ink = match &host.stage {
        HostStage::Done | HostStage::Staged => Ink::Good,
        HostStage::Sick { .. } | HostStage::Failed { .. } | HostStage::Unreachable { .. } => {
            Ink::Bad
        }
        HostStage::Waiting | HostStage::Stopped => Ink::Faint,
        HostStage::Staging
        | HostStage::Stopping
        | HostStage::Switching
        | HostStage::Proving
        | HostStage::Confirming
        | HostStage::GoingBack => Ink::Plain,
    };
    let mut line = Text::new().ink(Ink::Name, host.host.as_str()).pad_to(width + 2);
    line = line.ink(ink, host.stage.says());
    if let Some(why) = host.stage.why() {
        line = line.plain(": ").plain(&why.chars().take(100).collect::<String>());
    }
    if host.stage.is_at_work() {
        if let Some(progress) = progress {
            line = line.plain(" ").plain(progress);
        }
        let since = duration(now.since_ms(host.since) / 1_000 * 1_000);
        line = line.plain(" ").ink(Ink::Faint, &since);
    }
    line
}

fn standing(view: &RolloutView, now: Timestamp) -> String {
    let left = |until: &Timestamp| duration(until.since_ms(now).div_ceil(1_000) * 1_000);
    match &view.at {
        Standing::Preparing { doing } | Standing::Finishing { doing } => doing.clone(),
        Standing::Wave { wave } => format!("wave {wave} of {}", view.waves),
        Standing::Soak { wave, until } => {
            format!("wave {wave} of {} soaks, {} left", view.waves, left(until))
        }
        Standing::Bake { until } => format!("bakes, {} left", left(until)),
        Standing::Held => "is held".to_owned(),
        Standing::Ended => "is over".to_owned(),
    }
}

#[cfg(test)]
mod tests;
