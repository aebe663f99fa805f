//! A plan, drawn like a diff: what it changes, then how it gets there. Colour is never the only sign.

use std::collections::BTreeMap;

use friday_core::rollout::plan::MigrationBack;
use friday_core::view::difference::{FileChange, SettingChange};
use friday_core::view::host::Sight;
use friday_core::view::words::{count, duration, names, size};
use friday_core::view::{Change, Chronicle, Estimate, HostView};
use friday_wire::HostName;

use super::{PlanView, Secrets};
use crate::ui::{Ink, Text, Ui};

/// The most of a setting's value that is shown, characters.
const VALUE_MAX: usize = 200;

/// The most hosts that are named in one line.
const NAMES_MAX: usize = 8;

pub(super) fn draw(ui: &Ui, chronicle: &Chronicle, view: &PlanView<'_>) {
    let (files, release) = (count(view.files, "file"), view.release.short());
    ui.data(
        Text::new()
            .plain("Release ")
            .ink(Ink::Strong, view.label)
            .plain(&format!(" ({release}): {files}, {}", size(view.bytes))),
    );
    changes(ui, chronicle, view);
    hosts(ui, chronicle, view);
    ui.data(returns(chronicle, view));
    waves(ui, view);
    ui.data(takes(&view.estimate));
    for job in &view.jobs {
        ui.data(Text::new().ink(Ink::Strong, "Job").plain(" ").plain(&job.says()));
    }
    for database in &view.databases {
        let says = format!(" `{}`: {}", database.database, database.says);
        ui.data(Text::new().ink(Ink::Strong, "Database").plain(&says));
    }
    for rehearsal in &view.rehearsals {
        let says = format!(" on `{}`: {}", rehearsal.database, rehearsal.says);
        ui.data(Text::new().ink(Ink::Strong, "Rehearsal").plain(&says));
    }
    for note in &view.notes {
        ui.data(Text::new().ink(Ink::Warn, "Note:").plain(" ").plain(note));
    }
    if view.against.is_empty() {
        ui.data(Text::new().ink(Ink::Good, "Nothing stands against it."));
    }
    for against in &view.against {
        ui.data(Text::new().ink(Ink::Bad, "Refused:").plain(" ").plain(against));
    }
}

/// What a failure does.
fn returns(chronicle: &Chronicle, view: &PlanView<'_>) -> String {
    let rehearsed = view.rehearsals.iter().find_map(|rehearsal| rehearsal.way_back.as_ref());
    let declared = view.plan.migration.as_ref().map(|migration| &migration.back);
    let one_way = rehearsed.or(declared) == Some(&MigrationBack::OneWay);
    match &view.returns_to {
        Some(back) if *back == view.release => "It is the stable release already.".to_owned(),
        Some(back) if one_way => format!(
            "A failure before the migration returns to {}; after it the push is held, and nothing goes back by itself.",
            chronicle.release_says(back)
        ),
        Some(back) => format!("A failure returns to {}.", chronicle.release_says(back)),
        None => "A failure returns to nothing: the release is stopped and removed.".to_owned(),
    }
}

/// How long a push is likely to take, and what that rests on.
pub fn takes(estimate: &Estimate) -> String {
    let seconds = |ms: u64| duration(ms.div_ceil(1_000) * 1_000);
    let waiting = duration(estimate.waiting_ms);
    let Some(likely) = &estimate.likely else {
        return format!(
            "It takes at least {waiting}, soak and bake; how long the rest takes is not known before a first push."
        );
    };
    let about = seconds(likely.about_ms);
    let (from, to) = (seconds(likely.from_ms), seconds(likely.to_ms));
    let rests = match likely.pushes {
        1 => format!("about {about} by the last push's pace"),
        pushes if from == to => format!("about {about} by the last {pushes} pushes' pace"),
        pushes => format!("about {about}; {from} to {to} by the last {pushes} pushes' pace"),
    };
    format!("It takes {rests}; {waiting} of it are soak and bake.")
}

fn changes(ui: &Ui, chronicle: &Chronicle, view: &PlanView<'_>) {
    let Some(changes) = &view.changes else {
        ui.data("The stable release's files are not in friday's stock: what changes is not known.");
        return;
    };
    if let Some(before) = view.against_release.filter(|before| *before != view.release) {
        let says = format!("Against {}, the stable release:", chronicle.release_says(&before));
        ui.data(says);
    }
    let files = &changes.difference.files;
    let width = files.iter().map(|file| file.path.chars().count()).max().unwrap_or(0).min(60);
    files.iter().for_each(|file| ui.data(file_line(file, width)));
    if changes.more > 0 {
        let more = count(changes.more, "more file");
        let (added, changed, removed) = (changes.added, changes.changed, changes.removed);
        ui.data(Text::new().ink(
            Ink::Faint,
            &format!(
                "  and {more}; in all {added} added, {changed} changed, {removed} removed (`--full` shows them)"
            ),
        ));
    }
    changes.difference.settings.iter().for_each(|setting| ui.data(setting_line(setting)));
    match view.secrets {
        Secrets::None | Secrets::Same => {}
        Secrets::ReadAtPush => {
            ui.data(Text::new().ink(Ink::Faint, "  secrets are read at the push"))
        }
        Secrets::Changed => {
            ui.data(signed(Change::Changed).plain("secrets: another set than at its push"));
        }
    }
}

fn signed(change: Change) -> Text {
    let ink = match change {
        Change::Added => Ink::Good,
        Change::Changed => Ink::Warn,
        Change::Removed => Ink::Bad,
    };
    Text::new().plain("  ").ink(ink, &change.sign().to_string()).plain(" ")
}

fn file_line(file: &FileChange, width: usize) -> Text {
    let sizes = match (file.size_before, file.size) {
        (Some(before), Some(now)) if before != now => format!("{} → {}", size(before), size(now)),
        (None, Some(only)) | (Some(only), _) => size(only),
        (None, None) => String::new(),
    };
    let note = file.note.as_ref().map(|note| format!("  {note}")).unwrap_or_default();
    let line = signed(file.change).plain(&file.path).pad_to(width + 4);
    line.plain("  ").ink(Ink::Faint, format!("{sizes}{note}").trim())
}

fn setting_line(setting: &SettingChange) -> Text {
    let shown = |value: &Option<String>| {
        let short: Option<String> =
            value.as_ref().map(|value| value.chars().take(VALUE_MAX).collect());
        short.map(|value| format!("`{value}`"))
    };
    let name = setting.setting.replacen(
        "env.",
        "variable ",
        usize::from(setting.setting.starts_with("env.")),
    );
    let line = signed(setting.change).plain(&name);
    match (shown(&setting.before), shown(&setting.now)) {
        (Some(before), Some(now)) => line.plain(&format!("  {before} → {now}")),
        (None, Some(only)) | (Some(only), None) => line.plain("  ").plain(&only),
        (None, None) => line,
    }
}

/// Hosts by what they run now.
fn hosts(ui: &Ui, chronicle: &Chronicle, view: &PlanView<'_>) {
    let mut by_release: BTreeMap<_, Vec<&HostView>> = BTreeMap::new();
    for host in view.hosts.unwrap_or_default() {
        if let Sight::Seen(seen) = &host.sight {
            by_release.entry(seen.current).or_default().push(host);
        }
    }
    let new = format!("`{}`", view.label);
    for (release, hosts) in by_release {
        let many = names(hosts.iter().map(|host| host.host.as_str()), NAMES_MAX);
        ui.data(match release {
            Some(release) if release == view.release => {
                Text::new().ink(Ink::Faint, &format!("    {many}: {new} already"))
            }
            Some(release) => signed(Change::Changed)
                .plain(&format!("{many}: {} → {new}", chronicle.release_says(&release))),
            None => signed(Change::Added).plain(&format!("{many}: nothing → {new}")),
        });
    }
}

fn waves(ui: &Ui, view: &PlanView<'_>) {
    for (at, wave) in view.waves.iter().enumerate() {
        let hosts = names(wave.iter().map(HostName::as_str), NAMES_MAX);
        let last = at + 1 == view.waves.len();
        let then = if last {
            format!("bakes {}", duration(view.bake_ms))
        } else {
            let soak = view.soak_ms.get(at).or(view.soak_ms.last()).copied().unwrap_or(0);
            format!("soaks {}", duration(soak))
        };
        ui.data(format!("  wave {}  {hosts}, then {then}", at + 1));
    }
}

#[cfg(test)]
mod tests {
    use friday_core::view::Likely;

    use super::*;

    #[test]
    fn a_range_of_one_value_is_no_range() {
        let told = |from_ms, to_ms| {
            let likely = Likely { about_ms: 20_600, from_ms, to_ms, pushes: 2 };
            takes(&Estimate { waiting_ms: 11_000, likely: Some(likely) })
        };
        let one = "It takes about 21 s by the last 2 pushes' pace; 11 s of it are soak and bake.";
        assert_eq!(told(20_100, 20_900), one);
        assert!(
            told(19_100, 20_900).contains("about 21 s; 20 s to 21 s by the last 2 pushes' pace")
        );
    }
}
