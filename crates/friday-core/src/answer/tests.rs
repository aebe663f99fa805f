//! The seed story: Friday 16:40, a window on Saturday over the database's host, nobody there at the weekend.

use friday_wire::{Digest, HostName, ReleaseId, TreeId};

use super::{Answer, Chances, GoNoGo, Question, WhatIf, ask};
use crate::config::{ReleaseFacts, Settings, parse};
use crate::journal::finding::{Gate, GateResult};
use crate::rollout::plan::Plan;
use crate::time::Timestamp;
use crate::zone;

const STORY: &str = r#"
name = "shop"
timezone = "Europe/Berlin"
[release]
path = "dist"
[hosts]
web = ["deploy@web-[1-5]"]

[[database]]
name = "shop"
host = "postgres@db-1"
postgres = { url = { env = "DB" } }

[[rota]]
name = "primary"
members = ["anna"]
hours = "mon-fri 09:00-18:00"

[[maintenance]]
name = "storage firmware"
start = "2026-11-28 06:00"
duration = "2h"
hosts = ["db-1"]
"#;

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<friday_time::Timestamp>().expect("a moment").as_millisecond())
}

fn settings(text: &str) -> Settings {
    parse("friday.toml", text, None).expect("a configuration")
}

const CHANCES: Chances = Chances { harmful: 0.05, detected: 0.6, taken_back: 0.9 };

fn asked(settings: &Settings, moment: &str, what_if: &[&str]) -> Answer {
    let hosts = settings.hosts.iter().map(|host| host.name.clone());
    let databases = settings.databases.iter().map(|database| database.host.clone());
    let stands_on: Vec<HostName> = hosts.chain(databases).collect();
    ask(&Question {
        calendar: &settings.calendar,
        at: at(moment),
        lasts_ms: 70 * 60_000,
        back_ms: 5 * 60_000,
        stands_on,
        chances: CHANCES,
        what_if: what_if.iter().map(|what| what.parse::<WhatIf>().expect("a world")).collect(),
    })
}

fn gate(answer: &Answer, gate: Gate) -> (GateResult, String) {
    let said = answer.gates.iter().find(|said| said.gate == gate).expect("it was judged");
    (said.result, said.says.clone())
}

const FRIDAY: &str = "2026-11-27T15:40:00Z";

#[test]
fn the_story_is_a_no_that_names_the_window_and_the_weekend() {
    let answer = asked(&settings(STORY), FRIDAY, &[]);
    assert_eq!(answer.answer, GoNoGo::NoGo);
    assert_eq!(
        gate(&answer, Gate::Cover),
        (
            GateResult::Fail,
            "harm is expected to wait 30 min 20 s for somebody who can act, and may 15 min, most of it from Fri 27 Nov 18:00 to Mon 30 Nov 09:00: nobody".to_owned()
        )
    );
    assert_eq!(
        gate(&answer, Gate::Maintenance),
        (
            GateResult::Fail,
            "planned work 13 h 20 min after it, while nobody can act: `storage firmware` from Sat 28 Nov 06:00 to Sat 28 Nov 08:00: `db-1` may restart".to_owned()
        )
    );
    assert_eq!(answer.terms[0].what, "nobody from Fri 27 Nov 18:00 to Mon 30 Nov 09:00");
    let fix = answer.fix.expect("there is one");
    assert!(
        fix.says.starts_with(
            "somebody who can act from Sat 28 Nov 10:00 to Sat 28 Nov 12:00: harm waits "
        ),
        "{}",
        fix.says
    );
    let slots: Vec<String> =
        answer.next_slots.iter().map(|at| zone::show(at.0, Some("Europe/Berlin"))).collect();
    assert_eq!(slots[0], "Mon 30 Nov 09:00 Europe/Berlin");
}

#[test]
fn it_turns_with_a_check_in_on_saturday_and_the_window_moved() {
    let settings = settings(STORY);
    let saturday = "cover sat 10:00-12:00 anna";
    assert_eq!(
        asked(&settings, FRIDAY, &[saturday]).answer,
        GoNoGo::NoGo,
        "the window is still there"
    );
    let moved = asked(&settings, FRIDAY, &[saturday, "no maintenance storage firmware"]);
    assert_eq!(moved.answer, GoNoGo::Go, "{:?}", moved.gates);
    // Somebody who is there for the window lets it be.
    let there = asked(&settings, FRIDAY, &["cover sat 06:00-12:00 anna"]);
    assert_eq!(there.answer, GoNoGo::Go, "{:?}", there.gates);
    assert!(
        gate(&there, Gate::Maintenance).1.starts_with("somebody is there for `storage firmware`")
    );
}

#[test]
fn friday_is_not_forbidden_and_another_day_may_be() {
    let settings = settings(
        &STORY
            .replace("hosts = [\"db-1\"]", "hosts = [\"web-1\"]")
            .replace("2026-11-28", "2026-12-05"),
    );
    assert_eq!(
        asked(&settings, "2026-11-27T08:30:00Z", &[]).answer,
        GoNoGo::Go,
        "a Friday morning"
    );
    let late = asked(&settings, "2026-11-24T16:30:00Z", &[]);
    assert_eq!(late.answer, GoNoGo::NoGo, "a Tuesday, half an hour before everybody goes");
    let says = gate(&late, Gate::Cover).1;
    assert!(
        says.starts_with("nobody can act from Tue 24 Nov 18:00 to Tue 24 Nov 18:45 while it runs"),
        "{says}"
    );
}

#[test]
fn a_freeze_bars_what_would_reach_into_it() {
    let freeze = "[[freeze]]\nname = \"sale\"\nstart = \"2026-11-26 12:00\"\nend = \"2026-11-27 12:00\"\nreason = \"the year's largest\"\n";
    let settings = settings(&format!("{STORY}{freeze}"));
    let before = asked(&settings, "2026-11-26T10:30:00Z", &[]);
    assert_eq!(
        gate(&before, Gate::Freeze).1,
        "the freeze `sale` (the year's largest) begins while it runs: from Thu 26 Nov 12:00 to Fri 27 Nov 12:00"
    );
    assert_eq!(
        gate(&asked(&settings, "2026-11-26T09:00:00Z", &[]), Gate::Freeze).0,
        GateResult::Pass
    );
    assert_eq!(gate(&before, Gate::Freeze).0, GateResult::Fail);
    let lifted = asked(&settings, "2026-11-26T10:30:00Z", &["no freeze sale"]);
    assert_eq!(gate(&lifted, Gate::Freeze).0, GateResult::Pass);
    let closed = |answer: &Answer| -> Vec<String> {
        answer.closed.iter().map(|closed| closed.what.clone()).collect()
    };
    assert_eq!(closed(&before), ["the freeze `sale`", "the planned work `storage firmware`"]);
    assert_eq!(closed(&lifted), ["the planned work `storage firmware`"]);
}

/// A freeze from noon to noon, of a kind, with a shoulder of a day before and half a day after.
fn beside(kind: &str) -> Settings {
    let freeze = "[[freeze]]\nname = \"sale\"\nstart = \"2026-11-25 12:00\"\nend = \"2026-11-26 12:00\"\nbefore = \"24h\"\nafter = \"12h\"\n";
    settings(&format!("{STORY}{freeze}kind = \"{kind}\"\n"))
}

#[test]
fn a_soft_freeze_asks_for_a_word_and_stops_nothing() {
    let settings = beside("soft");
    let within = asked(&settings, "2026-11-25T12:00:00Z", &[]);
    assert_eq!(
        gate(&within, Gate::Freeze),
        (
            GateResult::Inconclusive,
            "the soft freeze `sale` lasts from Wed 25 Nov 12:00 to Thu 26 Nov 12:00: a push in it needs a person's word".to_owned()
        )
    );
    let before = asked(&settings, "2026-11-25T10:30:00Z", &[]);
    assert_eq!(
        gate(&before, Gate::Freeze),
        (
            GateResult::Pass,
            "the soft freeze `sale` begins while it runs, and stops nothing: from Wed 25 Nov 12:00 to Thu 26 Nov 12:00".to_owned()
        )
    );
    assert!(before.closed.iter().all(|closed| closed.gate != Gate::Freeze), "{:?}", before.closed);
    let hard = asked(&beside("hard"), "2026-11-25T10:30:00Z", &[]);
    assert_eq!(gate(&hard, Gate::Freeze).0, GateResult::Fail);
}

#[test]
fn beside_a_freeze_a_push_goes_with_care() {
    let settings = beside("hard");
    let facts = || ReleaseFacts {
        bytes: 0,
        files: 0,
        release: ReleaseId(Digest([1; 32])),
        tree: TreeId(Digest([2; 32])),
        label: String::new(),
        secrets: None,
        quarantine_override: None,
        only: Vec::new(),
    };
    let plan = || Plan {
        waves: vec![hosts(&["web-2", "web-3"]), hosts(&["web-1", "web-4", "web-5"])],
        soak_ms: vec![60_000, 120_000],
        ..settings.plan(facts())
    };
    // An edge of each shoulder, and a moment beyond it: 12:00 in Berlin is 11:00 in UTC.
    for (moment, care) in [
        ("2026-11-24T10:59:00Z", false),
        ("2026-11-24T11:00:00Z", true),
        ("2026-11-26T11:00:00Z", true),
        ("2026-11-26T22:59:00Z", true),
        ("2026-11-26T23:00:00Z", false),
    ] {
        let (paced, says) = asked(&settings, moment, &[]).pace.of(plan());
        assert_eq!(says.len(), usize::from(care), "{moment}: {says:?}");
        if care {
            let waves = [hosts(&["web-2"]), hosts(&["web-3"]), hosts(&["web-1", "web-4", "web-5"])];
            assert_eq!(paced.waves, waves, "{moment}");
            assert_eq!(paced.soak_ms, [120_000, 120_000, 240_000], "{moment}");
        } else {
            assert_eq!(paced, plan(), "{moment}");
        }
    }
}

#[test]
fn a_host_that_is_worked_on_soon_does_not_go_first() {
    let settings = settings(&STORY.replace("hosts = [\"db-1\"]", "hosts = [\"web-2\", \"web-3\"]"));
    let answer = asked(&settings, FRIDAY, &["cover sat 06:00-12:00 anna"]);
    assert_eq!(answer.pace.worked_on, hosts(&["web-2", "web-3"]));
    let facts = ReleaseFacts {
        bytes: 0,
        files: 0,
        release: ReleaseId(Digest([1; 32])),
        tree: TreeId(Digest([2; 32])),
        label: String::new(),
        secrets: None,
        quarantine_override: None,
        only: Vec::new(),
    };
    let waves = vec![hosts(&["web-2"]), hosts(&["web-1", "web-3", "web-4", "web-5"])];
    let plan = Plan { waves, ..settings.plan(facts) };
    assert_eq!(plan.fleet.keeper.as_str(), "web-1");
    let (paced, says) = answer.pace.of(plan.clone());
    assert_eq!(
        paced.waves,
        [hosts(&["web-4"]), hosts(&["web-1", "web-3", "web-2", "web-5"])],
        "neither the keeper nor another that is worked on"
    );
    assert_eq!(says, ["planned work meets `web-2` soon: `web-4` goes first in its place"]);
    // Where it meets every other host, too, nothing is better.
    let alone = Plan { waves: vec![hosts(&["web-2"]), hosts(&["web-1", "web-3"])], ..plan };
    assert_eq!(answer.pace.of(alone.clone()), (alone, Vec::new()));
}

fn hosts(names: &[&str]) -> Vec<HostName> {
    names.iter().map(|name| HostName::new(*name)).collect()
}

#[test]
fn what_no_rule_speaks_of_has_no_gate() {
    let bare = "name = \"shop\"\n[release]\npath = \"dist\"\n[hosts]\nweb = [\"local:1\"]\n";
    let answer = asked(&settings(bare), FRIDAY, &[]);
    assert_eq!((answer.answer, answer.gates.len()), (GoNoGo::Go, 0));
    assert_eq!(answer.unattended_hours, None);
}

#[test]
fn other_worlds_that_mean_nothing_are_told() {
    for text in [
        "",
        "cover",
        "cover sat 10:00-12:00",
        "cover sta 10:00-12:00 anna",
        "no maintenance ",
        "rain",
    ] {
        assert!(text.parse::<WhatIf>().is_err(), "{text}");
    }
}
