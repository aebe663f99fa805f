//! What is shown live below the story while a rollout runs: one line for the rollout, one for each
//! host; beyond twenty hosts only those at work or in trouble, and the rest counted.

use std::collections::BTreeMap;
use std::time::Duration;

use anstream::ColorChoice;
use friday_core::time::Timestamp;
use friday_core::view::words::{count, duration};
use friday_core::view::{HostStage, RolloutHost, RolloutView, Standing};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::screen::Screen;
use super::text::{Ink, Text};

/// The most host lines shown.
const HOST_LINES_MAX: usize = 20;

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
    let shown: Vec<&RolloutHost> = if view.hosts.len() <= HOST_LINES_MAX {
        view.hosts.iter().collect()
    } else {
        let busy = |host: &&RolloutHost| host.stage.is_at_work() || host.stage.why().is_some();
        view.hosts.iter().filter(busy).take(HOST_LINES_MAX).collect()
    };
    let width = shown.iter().map(|host| host.host.as_str().chars().count()).max().unwrap_or(0);
    for host in &shown {
        lines.push(host_line(host, width, progress.get(host.host.as_str()), now));
    }
    if shown.len() < view.hosts.len() {
        lines.push(Text::new().ink(Ink::Faint, &folded(view, shown.len())));
    }
    lines
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

fn folded(view: &RolloutView, shown: usize) -> String {
    let quiet = |stage: &dyn Fn(&HostStage) -> bool| {
        view.hosts.iter().filter(|host| stage(&host.stage)).count()
    };
    let done = quiet(&|stage| *stage == HostStage::Done);
    let ready = quiet(&|stage| {
        matches!(stage, HostStage::Staged | HostStage::Stopped | HostStage::Waiting)
    });
    let more = count(view.hosts.len() - shown, "more host");
    format!("and {more}: {done} done, {ready} waiting")
}
