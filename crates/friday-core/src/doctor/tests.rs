use std::collections::BTreeMap;

use friday_wire::{FoundDisk, FoundUnit};

use super::*;

fn fleet() -> FleetName {
    FleetName::new("shop")
}

fn wanted(fleet: &FleetName, supervisor: Supervisor) -> Wanted<'_> {
    Wanted { fleet, supervisor, limits: Limits::default(), runs: true }
}

fn healthy() -> Examination {
    Examination {
        user: "deploy".to_owned(),
        uid: 2001,
        directory: "/home/deploy/.friday-host/shop".to_owned(),
        home: "/home/deploy".to_owned(),
        kernel: "6.1.0".to_owned(),
        systemd: Some("252".to_owned()),
        lingers: true,
        boot_hook: BootHook::Crontab,
        cron_runs: Some(true),
        disk: FoundDisk { bytes_free: 1 << 34, bytes: 1 << 35, ..FoundDisk::default() },
        ..Examination::default()
    }
}

fn found(supervisor: Supervisor, seen: &Examination, check: &str) -> Finding {
    let fleet = fleet();
    let findings = judge(&HostName::new("h1"), &wanted(&fleet, supervisor), seen, 0);
    findings.into_iter().find(|finding| finding.check == check).expect("it is looked at")
}

fn install(seen: &mut Examination, supervisor: Supervisor) {
    let (fleet, before) = (fleet(), seen.clone());
    let wanted = wanted(&fleet, supervisor);
    let texts = UnitTexts::new(&wanted, &before);
    let [socket, template] = texts.application_units();
    let host = texts.host_in_system();
    seen.units = [(socket, true), (template, false), (host, true)]
        .into_iter()
        .map(|(unit, enabled)| (unit.path, FoundUnit { text: unit.text, enabled }))
        .collect::<BTreeMap<_, _>>();
}

#[test]
fn a_healthy_host_lacks_nothing() {
    let fleet = fleet();
    for finding in judge(&HostName::new("h1"), &wanted(&fleet, Supervisor::Own), &healthy(), 0) {
        assert_eq!(finding.verdict, Verdict::Good, "{finding:?}");
    }
}

#[test]
fn without_a_boot_hook_the_means_that_are_there_are_printed() {
    let without = Examination { boot_hook: BootHook::None, lingers: false, ..healthy() };
    let own = found(Supervisor::Own, &without, "reboot");
    assert_eq!(own.verdict, Verdict::Missing);
    assert!(own.fix[0].commands.contains("crontab -"), "{:?}", own.fix);

    let user = found(Supervisor::UserUnits, &without, "reboot");
    assert_eq!(user.fix[0].commands, "loginctl enable-linger deploy");
    assert_eq!((user.fix[0].who, user.fix[1].who), (As::Root, As::Login));

    let system = found(Supervisor::SystemUnits, &without, "reboot");
    assert!(system.fix[0].commands.contains("User=deploy"), "{:?}", system.fix);

    let no_cron = Examination { cron_runs: Some(false), ..without };
    let own = found(Supervisor::Own, &no_cron, "reboot");
    assert!(own.fix[0].commands.contains("friday-host-shop.service"), "{:?}", own.fix);
}

#[test]
fn a_crontab_that_nobody_reads_is_told() {
    let seen = Examination { cron_runs: Some(false), ..healthy() };
    assert_eq!(found(Supervisor::Own, &seen, "reboot").verdict, Verdict::Missing);
}

#[test]
fn what_is_installed_must_be_what_was_printed() {
    let mut seen = Examination { boot_hook: BootHook::SystemUnit, in_unit: true, ..healthy() };
    let check = |seen: &Examination| found(Supervisor::SystemUnits, seen, "supervisor");
    assert_eq!(check(&seen).verdict, Verdict::Missing);
    install(&mut seen, Supervisor::SystemUnits);
    assert_eq!(check(&seen).verdict, Verdict::Good);
    assert_eq!(found(Supervisor::SystemUnits, &seen, "reboot").verdict, Verdict::Good);

    let fleet = fleet();
    let mut more = wanted(&fleet, Supervisor::SystemUnits);
    more.limits.memory = Some(1 << 30);
    let findings = judge(&HostName::new("h1"), &more, &seen, 0);
    let template = findings.iter().find(|finding| finding.check == "supervisor");
    let template = template.expect("it is looked at");
    assert_eq!(template.verdict, Verdict::Missing);
    assert!(template.fix[0].commands.contains("MemoryMax=1073741824"), "{:?}", template.fix);

    for unit in seen.units.values_mut() {
        unit.enabled = false;
    }
    assert!(check(&seen).says.contains("not enabled"));
}

#[test]
fn a_disk_that_cannot_be_used_is_missing_and_a_full_one_is_told() {
    let with = |disk| found(Supervisor::Own, &Examination { disk, ..healthy() }, "disk").verdict;
    let good = healthy().disk;
    assert_eq!(with(FoundDisk { read_only: true, ..good }), Verdict::Missing);
    assert_eq!(with(FoundDisk { noexec: true, ..good }), Verdict::Missing);
    assert_eq!(with(FoundDisk { bytes_free: 1, ..good }), Verdict::Warning);
    let disk = FoundDisk { files: 1_000_000, files_free: 10, ..good };
    let seen = Examination { disk, ..healthy() };
    assert_eq!(found(Supervisor::Own, &seen, "files").verdict, Verdict::Warning);
}

#[test]
fn a_journal_that_cannot_be_read_matters_only_to_units() {
    let seen = Examination { journal: Some("deploy may not read it".to_owned()), ..healthy() };
    assert_eq!(found(Supervisor::UserUnits, &seen, "journal").verdict, Verdict::Missing);
    let fleet = fleet();
    let own = judge(&HostName::new("h1"), &wanted(&fleet, Supervisor::Own), &seen, 0);
    assert!(own.iter().all(|finding| finding.check != "journal"));
}

#[test]
fn a_profile_that_prints_is_a_warning_with_its_words_and_what_hushes_it() {
    let host = HostName::new("h1");
    assert_eq!(profile(&host, None).verdict, Verdict::Good);
    let told = profile(&host, Some("Welcome to h1!"));
    assert_eq!((told.verdict, told.fix[0].who), (Verdict::Warning, As::Login));
    assert!(told.says.contains("`Welcome to h1!`"), "{}", told.says);
    assert!(told.fix[0].commands.contains("~/.bashrc"), "{}", told.fix[0].commands);
}
