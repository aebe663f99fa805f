//! From a configuration to who is there, and to what is planned.

use crate::calendar::{interval, span};
use crate::config::parse;
use crate::cover::{Cover, timeline};
use crate::time::{Span, Timestamp};
use crate::zone;

const TEAM: &str = r#"
name = "shop"
timezone = "Europe/Berlin"
[release]
path = "dist"
[hosts]
web = ["deploy@web-1", "deploy@web-2"]
"#;

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<friday_time::Timestamp>().expect("a moment").as_millisecond())
}

fn shows(cover: &Cover) -> String {
    let show =
        |at: Timestamp| zone::show(at.0, Some("Europe/Berlin")).replace(" Europe/Berlin", "");
    format!(
        "{} - {}: {} {} ({})",
        show(cover.from),
        show(cover.to),
        cover.shown.word(),
        cover.people.join("+"),
        cover.says
    )
}

/// Who is there, span by span.
fn covered(rules: &str, from: &str, to: &str) -> Vec<String> {
    let settings = parse("friday.toml", &format!("{TEAM}{rules}"), None).expect("a configuration");
    let range = Span { from: at(from), to: at(to) };
    let covers = timeline(range, &settings.calendar.shifts(range));
    covers.iter().map(shows).collect()
}

#[test]
fn turns_hours_absences_overrides_and_holidays_come_together() {
    let rules = r#"
[[rota]]
name = "primary"
members = ["anna", "bela"]
start = "2026-11-23"
hours = "mon-fri 09:00-18:00"

[[rota.override]]
from = "2026-11-26 12:00"
to = "2026-11-26 15:00"
person = "chen"

[[absence]]
person = "anna"
from = "2026-11-25"
to = "2026-11-26"

[[holiday]]
name = "a day off"
date = "2026-11-27"
people = ["anna"]
"#;
    let told = covered(rules, "2026-11-24T12:00:00Z", "2026-11-30T12:00:00Z");
    assert_eq!(
        told,
        [
            "Tue 24 Nov 13:00 - Tue 24 Nov 18:00: attended anna (primary: anna's turn)",
            "Tue 24 Nov 18:00 - Wed 25 Nov 09:00: nobody  (no rota has anybody then)",
            "Wed 25 Nov 09:00 - Wed 25 Nov 18:00: nobody  (primary: anna is away)",
            "Wed 25 Nov 18:00 - Thu 26 Nov 09:00: nobody  (no rota has anybody then)",
            "Thu 26 Nov 09:00 - Thu 26 Nov 12:00: attended anna (primary: anna's turn)",
            "Thu 26 Nov 12:00 - Thu 26 Nov 15:00: attended chen (primary: an override)",
            "Thu 26 Nov 15:00 - Thu 26 Nov 18:00: attended anna (primary: anna's turn)",
            "Thu 26 Nov 18:00 - Fri 27 Nov 09:00: nobody  (no rota has anybody then)",
            "Fri 27 Nov 09:00 - Fri 27 Nov 18:00: nobody  (primary: a holiday of anna)",
            "Fri 27 Nov 18:00 - Mon 30 Nov 09:00: nobody  (no rota has anybody then)",
            "Mon 30 Nov 09:00 - Mon 30 Nov 13:00: attended bela (primary: bela's turn)",
        ]
    );
}

#[test]
fn two_rotas_lie_over_each_other_and_the_one_on_call_knows_no_holiday() {
    let rules = r#"
[[rota]]
name = "day"
members = ["anna"]
hours = "mon-fri 09:00-18:00"

[[rota]]
name = "night"
members = ["bela"]
handoff = "daily 09:00"

[[holiday]]
name = "a day off"
date = "2026-11-24"
"#;
    let told = covered(rules, "2026-11-24T00:00:00Z", "2026-11-25T12:00:00Z");
    assert_eq!(
        told,
        [
            "Tue 24 Nov 01:00 - Wed 25 Nov 09:00: on call bela (night: bela's turn)",
            "Wed 25 Nov 09:00 - Wed 25 Nov 13:00: attended anna+bela (day: anna's turn)",
        ]
    );
}

#[test]
fn freezes_and_windows_come_again() {
    let rules = r#"
[[freeze]]
name = "weekend"
start = "2026-11-06 16:00"
end = "2026-11-09 08:00"
repeat = "FREQ=WEEKLY"
reason = "nobody is there"

[[maintenance]]
name = "storage firmware"
start = "2026-11-28 06:00"
duration = "2h"
hosts = ["web-2"]
"#;
    let settings = parse("friday.toml", &format!("{TEAM}{rules}"), None).expect("a configuration");
    let range = Span { from: at("2026-11-21T00:00:00Z"), to: at("2026-11-29T00:00:00Z") };
    let freezes = settings.calendar.freezes(range);
    let begins: Vec<String> = freezes.iter().map(|one| zone::show(one.span.from.0, None)).collect();
    assert_eq!(begins, ["Fri 20 Nov 15:00 UTC", "Fri 27 Nov 15:00 UTC"]);
    let windows = settings.calendar.windows(range);
    assert_eq!(windows.len(), 1);
    assert_eq!(
        windows[0].span,
        Span { from: at("2026-11-28T05:00:00Z"), to: at("2026-11-28T07:00:00Z") }
    );
    assert_eq!(windows[0].hosts[0].as_str(), "web-2");
    assert_eq!(interval(windows[0].span).map(span), Some(windows[0].span));
}

#[test]
fn mistakes_are_told_where_they_are() {
    let told = |rules: &str| -> Vec<String> {
        let text = format!("{TEAM}{rules}");
        let problems = parse("friday.toml", &text, None).expect_err("it is wrong");
        problems.iter().map(|problem| problem.message.clone()).collect()
    };
    let table = [
        ("[[rota]]\nname = \"a\"\n", "a rota without members has nobody"),
        ("[[rota]]\nname = \"a\"\nmembers = []\n", "`rota.members`"),
        ("[[rota]]\nname = \"a\"\nmembers = [\"x\", \"x\"]\n", "`x` stands twice"),
        (
            "[[rota]]\nname = \"a\"\nmembers = [\"x\"]\nhours = \"mon 9-18\"\n",
            "`9` is no time of day",
        ),
        (
            "[[rota]]\nname = \"a\"\nmembers = [\"x\"]\ntimezone = \"Berlin\"\n",
            "there is no time zone `Berlin`",
        ),
        (
            "[[rota]]\nname = \"a\"\nmembers = [\"x\"]\n[[rota]]\nname = \"a\"\nmembers = [\"x\"]\n",
            "the rota `a` stands twice",
        ),
        (
            "[[freeze]]\nname = \"a\"\nstart = \"2026-11-28\"\nend = \"2026-11-27\"\n",
            "it ends before it starts",
        ),
        (
            "[[freeze]]\nname = \"a\"\nstart = \"2026-11-28 06:00\"\n",
            "it is not said how long it lasts",
        ),
        (
            "[[freeze]]\nname = \"a\"\nstart = \"2026-11-28\"\nrepeat = \"FREQ=HOURLY\"\n",
            "`HOURLY` is not taken",
        ),
        (
            "[[freeze]]\nname = \"a\"\nstart = \"2026-01-01\"\nrepeat = \"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\"\n",
            "its rule gives no day",
        ),
        (
            "[[maintenance]]\nname = \"a\"\nstart = \"2026-11-28\"\nhosts = [\"db-9\"]\n",
            "`db-9` is no host of the fleet",
        ),
        (
            "[[maintenance]]\nname = \"a\"\nstart = \"2026-11-28\"\ndatabases = [\"x\"]\n",
            "there is no guarded database `x`",
        ),
        (
            "[[absence]]\nperson = \"a\"\nfrom = \"2026-11-28\"\nto = \"2026-11-27\"\n",
            "it ends before it starts",
        ),
        ("[[holiday]]\nname = \"a\"\ndate = \"2026-11-28 06:00\"\n", "a holiday is a whole day"),
    ];
    for (rules, says) in table {
        let told = told(rules);
        assert!(told.iter().any(|message| message.contains(says)), "{rules}: {told:?}");
    }
    let without = TEAM.replace("timezone = \"Europe/Berlin\"\n", "");
    let rota = "[[rota]]\nname = \"a\"\nmembers = [\"x\"]\n";
    let problems = parse("friday.toml", &format!("{without}{rota}"), None).expect_err("no zone");
    assert!(problems[0].message.contains("has no time zone, and none is guessed"), "{problems:?}");
}
