//! Differences of small releases.

use friday_wire::{
    Digest, Entry, EntryKind, HealthSpec, HttpCheck, Manifest, ProcessName, ProcessSpec, RoleName,
    RunSpec, Spread,
};

use super::{Change, Difference};

fn file(path: &str, content: u8, size: u64) -> Entry {
    let kind = EntryKind::File { digest: Digest([content; 32]), size, executable: false };
    Entry { path: path.to_owned(), kind }
}

fn entry(path: &str, kind: EntryKind) -> Entry {
    Entry { path: path.to_owned(), kind }
}

fn manifest(tree: Vec<Entry>) -> Manifest {
    let run = RunSpec {
        command: Some("bin/app".to_owned()),
        env: [("LOG".to_owned(), "info".to_owned())].into(),
        health: HealthSpec::default(),
        shared: Vec::new(),
        processes: friday_wire::Processes::default(),
        unit: Default::default(),
    };
    Manifest { tree, run }
}

fn says(difference: &Difference) -> Vec<String> {
    let size = |size: Option<u64>| size.map_or_else(|| "-".to_owned(), |size| size.to_string());
    let files = difference.files.iter().map(|file| {
        let (before, now) = (size(file.size_before), size(file.size));
        let note = file.note.as_deref().unwrap_or("");
        format!("{} {} {before} {now} {note}", file.change.sign(), file.path).trim_end().to_owned()
    });
    let settings = difference.settings.iter().map(|setting| {
        let shown = |value: &Option<String>| value.clone().unwrap_or_default();
        let (before, now) = (shown(&setting.before), shown(&setting.now));
        format!("{} {} [{before}] [{now}]", setting.change.sign(), setting.setting)
    });
    files.chain(settings).collect()
}

#[test]
fn files_are_added_changed_and_removed_and_directories_are_no_news() {
    let before = manifest(vec![
        entry("bin", EntryKind::Directory),
        file("bin/app", 1, 100),
        file("gone", 2, 5),
        file("same", 3, 7),
    ]);
    let now = manifest(vec![
        entry("bin", EntryKind::Directory),
        file("bin/app", 9, 120),
        entry("new", EntryKind::Directory),
        file("new/file", 4, 1),
        file("same", 3, 7),
    ]);
    let difference = Difference::between(Some(&before), &now);
    assert_eq!(says(&difference), ["~ bin/app 100 120", "- gone 5 -", "+ new/file - 1"]);
    assert_eq!(difference.counts(), (1, 1, 1));
    assert!(Difference::between(Some(&now), &now).is_empty());
}

#[test]
fn links_and_execution_are_noted() {
    let link = |target: &str| EntryKind::Link { target: target.to_owned() };
    let before = manifest(vec![file("a", 1, 1), entry("l", link("a")), file("x", 2, 2)]);
    let mut now = before.clone();
    now.tree[0].kind = EntryKind::File { digest: Digest([1; 32]), size: 1, executable: true };
    now.tree[1].kind = link("x");
    now.tree[2].kind = EntryKind::Directory;
    let difference = Difference::between(Some(&before), &now);
    let expected = ["~ a 1 1 may be executed now", "~ l - - links to x", "- x 2 -"];
    assert_eq!(says(&difference), expected);
}

#[test]
fn settings_show_what_they_were_and_variables_never() {
    let before = manifest(vec![file("a", 1, 1)]);
    let mut now = before.clone();
    now.run.command = Some("bin/app --fast".to_owned());
    now.run.env = [("LOG", "secret-ish"), ("NEW", "x")].map(|(k, v)| (k.into(), v.into())).into();
    now.run.shared = vec!["uploads".to_owned()];
    now.run.health.http = Some(HttpCheck { path: "/healthz".to_owned(), expect: None });
    let difference = Difference::between(Some(&before), &now);
    let expected = [
        "~ env.LOG [] []",
        "+ env.NEW [] []",
        "+ health.http.path [] [/healthz]",
        "~ run [bin/app] [bin/app --fast]",
        "+ shared [] [uploads]",
    ];
    assert_eq!(says(&difference), expected);
}

#[test]
fn against_nothing_everything_is_new_and_the_numbers_of_health_are_no_news() {
    let now = manifest(vec![file("a", 1, 1)]);
    let difference = Difference::between(None, &now);
    assert_eq!(says(&difference), ["+ a - 1", "+ env.LOG [] []", "+ run [] [bin/app]"]);
    assert!(difference.files.iter().all(|file| file.change == Change::Added));
}

#[test]
fn processes_are_told_as_the_configuration_writes_them() {
    let before = manifest(Vec::new());
    let mut now = before.clone();
    let spec = ProcessSpec {
        roles: [RoleName::new("jobs")].into(),
        command: "bin/app mail".to_owned(),
        env: [("TOKEN".to_owned(), "secret".to_owned())].into(),
        health: HealthSpec::default(),
        port: None,
        spread: Spread::Once,
        timetable: None,
    };
    now.run.processes.named.insert(ProcessName::new("mailer"), spec);
    now.run.processes.run_in = Some([RoleName::new("web")].into());
    let mut wanted = [
        "+ process.mailer.env.TOKEN [] []",
        "+ process.mailer.once [] [true]",
        "+ process.mailer.roles [] [jobs]",
        "+ process.mailer.run [] [bin/app mail]",
        "+ release.roles [] [web]",
    ];
    assert_eq!(says(&Difference::between(Some(&before), &now)), wanted);
    let mut later = now.clone();
    if let Some(mailer) = later.run.processes.named.get_mut(&ProcessName::new("mailer")) {
        mailer.health.failures = 7;
    }
    wanted[0] = "~ process.mailer.health.failures [3] [7]";
    assert_eq!(says(&Difference::between(Some(&now), &later)), wanted[..1]);
}
