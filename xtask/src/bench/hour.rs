//! `cargo xtask bench hour`: what the answer of `friday check` costs, with many rules that began years ago and a long
//! journal. Reading the journal's file is no part of it.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Instant;

use friday_core::answer::{Chances, Question, ask};
use friday_core::config::{ReleaseFacts, parse};
use friday_core::journal::Event;
use friday_core::journal::event::End;
use friday_core::journal::intent::Intent;
use friday_core::time::Timestamp;
use friday_core::view::Chronicle;
use friday_wire::{Digest, ReleaseId, RolloutId, TreeId};

/// Rules of each kind: rotas, freezes, windows.
const RULES: usize = 17;

/// Pushes that the journal knows.
const PUSHES: i64 = 10_000;

/// 2026-11-27, a Friday, 16:40 in Berlin.
const NOW: Timestamp = Timestamp(1_795_794_000_000);

/// Measures once, and prints a line of JSON.
pub fn run() -> Result<(), String> {
    let settings = parse("friday.toml", &rules(), None).map_err(|wrong| format!("{wrong:?}"))?;
    let plan = settings.plan(ReleaseFacts {
        bytes: 0,
        files: 0,
        release: ReleaseId(Digest([1; 32])),
        tree: TreeId(Digest([1; 32])),
        label: String::new(),
        secrets: None,
        quarantine_override: None,
        only: Vec::new(),
    });
    let mut chronicle = Chronicle::default();
    let folding = Instant::now();
    for number in 0..PUSHES {
        let rollout = RolloutId::new(format!("r-{number}"));
        let intent = Box::new(Intent::Push { plan: plan.clone() });
        let at = Timestamp(NOW.0 - (PUSHES - number) * 3_600_000);
        let begun = Event::RolloutBegun { rollout: rollout.clone(), intent, because_of: None };
        let _ = chronicle.take_in(at, &begun);
        let _ = chronicle.take_in(at, &Event::RolloutEnded { rollout, end: End::Stable });
    }
    let folded = folding.elapsed();
    let asking = Instant::now();
    let answer = ask(&Question {
        calendar: &settings.calendar,
        at: NOW,
        lasts_ms: 4_200_000,
        back_ms: 300_000,
        stands_on: settings.hosts.iter().map(|host| host.name.clone()).collect(),
        chances: Chances::of_history(&chronicle, NOW),
        what_if: Vec::new(),
    });
    let asked = asking.elapsed();
    let line = serde_json::json!({
        "what": "answer of an hour",
        "rules": 3 * RULES,
        "pushes": PUSHES,
        "fold_ms": folded.as_secs_f64() * 1_000.0,
        "answer_ms": asked.as_secs_f64() * 1_000.0,
        "answer": answer.answer,
        "slots": answer.next_slots.len(),
    });
    writeln!(io::stdout(), "{line}").map_err(|error| error.to_string())
}

/// Rules that began five years ago and go on.
fn rules() -> String {
    let mut text = "name = \"shop\"\ntimezone = \"Europe/Berlin\"\n[release]\npath = \"dist\"\n[hosts]\nweb = [\"deploy@web-[1-5]\"]\n".to_owned();
    for number in 0..RULES {
        let _ = write!(
            text,
            "[[rota]]\nname = \"r{number}\"\nmembers = [\"a\", \"b\", \"c\"]\nstart = \"2021-11-01\"\nhours = \"mon-fri 09:00-18:00\"\n\
             [[freeze]]\nname = \"f{number}\"\nstart = \"2021-11-0{} 20:00\"\nduration = \"2h\"\nrepeat = \"FREQ=DAILY;INTERVAL={}\"\n\
             [[maintenance]]\nname = \"m{number}\"\nstart = \"2021-11-06 03:00\"\nduration = \"1h\"\nrepeat = \"FREQ=MONTHLY;BYDAY={}SA\"\nhosts = [\"web-1\"]\n",
            number % 9 + 1,
            number + 1,
            number % 4 + 1
        );
    }
    text
}
