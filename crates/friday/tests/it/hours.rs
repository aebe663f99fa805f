//! The hour of a push: who is there, what is frozen, what is planned; asked before it, and obeyed.

use crate::sandbox::{Sandbox, config};
use crate::signatures::key;

/// One person on weekdays, and work on the first host on a Saturday.
const CALENDAR: &str = r#"
[[rota]]
name = "primary"
members = ["anna"]
hours = "mon-fri 09:00-18:00"

[[maintenance]]
name = "storage firmware"
start = "2026-11-28 06:00"
duration = "2h"
hosts = ["local-1"]
"#;

/// It began long ago and lasts.
const FROZEN: &str = r#"
[[freeze]]
name = "sale"
start = "2020-01-01"
end = "2100-01-01"
reason = "the year's largest"
"#;

fn with(rules: &str) -> Sandbox {
    let sandbox = Sandbox::fleet();
    let text = config("local:[1-3]").replacen('\n', "\ntimezone = \"Europe/Berlin\"\n", 1);
    sandbox.write("friday.toml", &format!("{text}{rules}"));
    sandbox
}

const FRIDAY: &str = "2026-11-27 16:40";

#[test]
fn a_friday_afternoon_is_judged_by_who_is_there() {
    let sandbox = with(CALENDAR);
    let no = sandbox.friday(&["check", "--at", FRIDAY]);
    assert_eq!(no.exit, 4, "{}", no.all());
    insta::assert_snapshot!(no.stdout, @r"
    No-go for a push at Fri 27 Nov 16:40 Europe/Berlin
      cover        no         harm is expected to wait 30 min 20 s for somebody who can act, and may 15 min, most of it from Fri 27 Nov 18:00 to Mon 30 Nov 09:00: nobody
      maintenance  no         planned work 13 h 20 min after it, while nobody can act: `storage firmware` from Sat 28 Nov 06:00 to Sat 28 Nov 08:00: `local-1` may restart
      0.50 h  nobody from Fri 27 Nov 18:00 to Mon 30 Nov 09:00
    Helps most: somebody who can act from Sat 28 Nov 10:00 to Sat 28 Nov 12:00: harm waits 9 min 17 s instead of 30 min 20 s
    Good hours: Mon 30 Nov 09:00 Europe/Berlin, Tue 1 Dec 09:00 Europe/Berlin, Wed 2 Dec 09:00 Europe/Berlin
    ");
    let saturday = ["check", "--at", FRIDAY, "--what-if", "cover sat 06:00-12:00 anna"];
    let go = sandbox.friday(&saturday);
    assert_eq!(go.exit, 0, "{}", go.all());
    let moved =
        ["--what-if", "cover sat 10:00-12:00 anna", "--what-if", "no maintenance storage firmware"];
    assert_eq!(sandbox.friday(&[&["check", "--at", FRIDAY][..], &moved].concat()).exit, 0);
    let morning = sandbox.friday(&["check", "--at", "2026-11-27 09:30", "--what-if", moved[3]]);
    assert_eq!(morning.exit, 0, "Friday is not forbidden: {}", morning.all());
}

#[test]
fn scripts_read_the_answer() {
    let sandbox = with(CALENDAR);
    let said = sandbox.friday(&["check", "--json", "--at", FRIDAY]);
    assert_eq!(said.exit, 4, "{}", said.all());
    let answer = &said.json()[0];
    assert_eq!(answer["answer"], "no-go");
    assert_eq!(answer["gates"][0]["gate"], "cover");
    assert_eq!(answer["gates"][0]["result"], "fail");
    assert!(answer["gates"][0]["evidence"]["unattended_hours"].as_f64() > Some(0.4));
    assert_eq!(answer["next_slots"][0], "2026-11-30T09:00:00+01:00");
    assert_eq!(answer["terms"][0]["what"], "nobody from Fri 27 Nov 18:00 to Mon 30 Nov 09:00");
}

#[test]
fn what_cannot_be_read_changes_nothing() {
    let sandbox = with(CALENDAR);
    for (args, says) in [
        (["check", "--at", "tomorrow"], "`tomorrow` is no date"),
        (["check", "--what-if", "rain"], "`rain` is no other world"),
        (["cover", "--from", "x"], "`x` is no date"),
    ] {
        let said = sandbox.friday(&args);
        assert_eq!(said.exit, 2, "{}", said.all());
        assert!(said.stderr.contains(says), "{}", said.all());
    }
    let bare = Sandbox::fleet();
    let cover = bare.friday(&["cover"]);
    assert_eq!(cover.exit, 2, "{}", cover.all());
    assert!(cover.stderr.contains("[[rota]]"), "{}", cover.all());
    let check = bare.friday(&["check"]);
    assert_eq!(check.exit, 0, "what nobody wrote down is not judged: {}", check.all());
    assert!(check.stdout.contains("who is there to act is not judged"), "{}", check.all());
}

#[test]
fn a_mistake_is_told_with_its_place() {
    let sandbox =
        with("[[rota]]\nname = \"a\"\nmembers = [\"anna\"]\nhours = \"mon-fri 9:00-18:00\"\n");
    let said = sandbox.friday(&["check"]);
    assert_eq!(said.exit, 3, "{}", said.all());
    assert!(said.stderr.contains("`9:00` is no time of day"), "{}", said.all());
    assert!(said.stderr.contains("^^^^^^^^^^"), "{}", said.all());
}

#[test]
fn cover_draws_the_weeks_and_says_what_a_weekend_costs() {
    let sandbox = with(CALENDAR);
    let said = sandbox.friday(&["cover", "--from", "2026-11-27", "--weeks", "1"]);
    assert_eq!(said.exit, 0, "{}", said.all());
    insta::assert_snapshot!(said.stdout, @r"
                     00    03    06    09    12    15    18    21
    Fri 27 Nov       ..................##################............
    Sat 28 Nov       ................................................
    Sun 29 Nov       ................................................
    Mon 30 Nov       ..................##################............
    Tue 1 Dec        ..................##################............
    Wed 2 Dec        ..................##################............
    Thu 3 Dec        ..................##################............
    # at work   + on call   ~ too few   ? not known   . nobody
    nobody from Fri 27 Nov 18:00 Europe/Berlin to Mon 30 Nov 09:00 Europe/Berlin, 2 d 15 h (no rota has anybody then)
    person  hours  at weekends
    anna    45     0
    Nobody can act in 123 hours of these weeks; 48 of them are at weekends.
    ");
}

#[test]
fn the_calendar_shows_what_is_planned_and_gives_it_out() {
    let sandbox = with(&format!(
        "{CALENDAR}\n[[holiday]]\nname = \"a day off\"\ndate = \"2026-11-30\"\npeople = [\"anna\"]\n"
    ));
    let said = sandbox.friday(&["calendar", "--from", "2026-11-27", "--weeks", "1"]);
    assert_eq!(said.exit, 0, "{}", said.all());
    insta::assert_snapshot!(said.stdout, @r"
    FROM              TO                WHAT         NAME
    Sat 28 Nov 06:00  Sat 28 Nov 08:00  maintenance  storage firmware  local-1 may restart
    Mon 30 Nov 00:00  Tue 1 Dec 00:00   holiday      a day off         anna
    ");
    let ical = sandbox.friday(&["calendar", "--from", "2026-11-27", "--weeks", "1", "--ical"]);
    assert!(ical.stdout.contains("SUMMARY:maintenance: storage firmware"), "{}", ical.all());
    assert!(ical.stdout.contains("DTSTART:20261128T050000Z"), "{}", ical.all());
    let duty = sandbox.friday(&["cover", "--from", "2026-11-27", "--weeks", "1", "--ical"]);
    assert!(duty.stdout.contains("SUMMARY:on duty: anna"), "{}", duty.all());
    assert!(duty.stdout.contains("DTEND:20261127T170000Z"), "{}", duty.all());
    assert!(!duty.stdout.contains("20261130T080000Z"), "a holiday is none of it: {}", duty.all());
    let nothing = sandbox.friday(&["calendar", "--from", "2030-01-01"]);
    assert!(nothing.stderr.contains("Nothing is planned"), "{}", nothing.all());
}

#[test]
fn a_push_into_a_freeze_is_refused_and_a_proven_person_may_vouch() {
    let sandbox = with("");
    let first = sandbox.friday(&["push"]);
    assert_eq!(first.exit, 0, "{}", first.all());
    let text = std::fs::read_to_string(sandbox.path().join("friday.toml")).expect("written");
    sandbox.write("friday.toml", &format!("{text}{FROZEN}\n[check]\nsigners = \"signers\"\n"));
    let refused = sandbox.friday(&["push", "v2"]);
    assert_eq!(refused.exit, 4, "{}", refused.all());
    assert!(
        refused.stderr.contains("the freeze `sale` (the year's largest) lasts"),
        "{}",
        refused.all()
    );
    let why = sandbox.friday(&["why"]);
    assert!(why.stdout.contains("the freeze `sale`"), "{}", why.all());
    let planned = sandbox.friday(&["plan", "v2", "--offline"]);
    assert_eq!(planned.exit, 4, "{}", planned.all());

    let anna = key(&sandbox, "anna");
    key(&sandbox, "stranger");
    sandbox.write("signers", &format!("anna@example.com {anna}\n"));
    let word = ["push", "v2", "--override", "freeze", "--reason", "it is a fix", "--key"];
    let stranger = sandbox.friday(&[&word[..], &["stranger"]].concat());
    assert_eq!(stranger.exit, 4, "{}", stranger.all());
    assert!(stranger.stderr.contains("is not listed in"), "{}", stranger.all());
    let pushed = sandbox.friday(&[&word[..], &["anna"]].concat());
    assert_eq!(pushed.exit, 0, "{}", pushed.all());
    let log = sandbox.friday(&["log", "--all", "--json"]).stdout;
    assert!(log.contains("it is a fix (anna@example.com, key SHA256:"), "{log}");

    let verify = sandbox.friday(&["log", "verify", "--offline"]);
    assert_eq!(verify.exit, 0, "{}", verify.all());
    assert!(
        verify.stdout.contains("was signed by anna@example.com, with the key SHA256:"),
        "{}",
        verify.all()
    );

    let score = sandbox.friday(&["check", "--score", "--json"]);
    assert_eq!(score.exit, 0, "{}", score.all());
    let score = &score.json()[0];
    assert_eq!(
        (&score["pushes"], &score["vouched"], &score["harmful"]),
        (&1.into(), &1.into(), &0.into())
    );

    // A rollback asks no calendar.
    let back = sandbox.friday(&["rollback", "--reason", "users notice"]);
    assert_eq!(back.exit, 0, "{}", back.all());
    let score = sandbox.friday(&["check", "--score"]);
    assert!(
        score.stdout.contains("1 answer can be scored: of the pushes 1 did harm, 0.0 were"),
        "{}",
        score.all()
    );
    assert!(
        score.stdout.contains("1 went against a gate, and 1 of them did harm"),
        "{}",
        score.all()
    );
}

#[test]
fn beside_a_freeze_one_host_goes_first() {
    // Yearly, for a minute: its shoulder is the rest of the year.
    let sandbox = with(
        "[[freeze]]\nname = \"sale\"\nstart = \"2020-01-01\"\nduration = \"1m\"\nrepeat = \"FREQ=YEARLY\"\nkind = \"soft\"\nbefore = \"366d\"\n",
    );
    let text = std::fs::read_to_string(sandbox.path().join("friday.toml")).expect("written");
    let waves = text.replacen("waves = [\"1\", \"2\", \"100%\"]", "waves = [\"2\", \"100%\"]", 1);
    sandbox.write("friday.toml", &waves);
    let planned = sandbox.friday(&["plan", "--offline"]);
    assert!(planned.stdout.contains("it stands beside the freeze `sale`"), "{}", planned.all());
    let check = sandbox.friday(&["check"]);
    assert_eq!(check.exit, 0, "{}", check.all());
    assert!(
        check.stdout.contains("one host goes first, and soaks last twice as long"),
        "{}",
        check.all()
    );
    let pushed = sandbox.friday(&["push"]);
    assert_eq!(pushed.exit, 0, "{}", pushed.all());
    assert!(pushed.stderr.contains("it stands beside the freeze `sale`"), "{}", pushed.all());
    let log = sandbox.friday(&["log", "--all", "--json"]).stdout;
    let begun = log.lines().find(|line| line.contains("\"wave_begun\"")).expect("a wave");
    assert!(begun.contains("\"hosts\":[\"local-2\"]"), "{begun}");
}

#[test]
fn where_somebody_is_always_there_a_push_goes() {
    let sandbox = with("[[rota]]\nname = \"night and day\"\nmembers = [\"anna\", \"bela\"]\n");
    let pushed = sandbox.friday(&["push"]);
    assert_eq!(pushed.exit, 0, "{}", pushed.all());
    let check = sandbox.friday(&["check"]);
    assert_eq!(check.exit, 0, "{}", check.all());
    assert!(check.stdout.contains("somebody can act while it runs"), "{}", check.all());
}
