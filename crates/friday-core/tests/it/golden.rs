//! The golden journal: records as friday wrote them in format 1, at least one of everything an event
//! can say. Old formats load for ever: a line in `tests/golden/` is never changed or taken away. What
//! an event can say beyond it is added to `sample` at the end; the test then shows the lines to append.

mod sample;
mod variants;

use std::collections::BTreeSet;

use friday_core::controller::Controller;
use friday_core::journal::record::JOURNAL_FORMAT;
use friday_core::journal::{Event, Position, Record};
use friday_core::time::Timestamp;

const GOLDEN: &str = include_str!("../golden/journal-1.jsonl");

fn line(record: &Record) -> String {
    format!(
        r#"{{"seq":{},"at":{},"prev":"{}","kind":"{}","body":{}}}"#,
        record.seq, record.at.0, record.prev, record.kind, record.body
    )
}

/// A record from its line, its body byte for byte as it stands there.
fn record(line: &str) -> Record {
    let (head, body) = line.split_once(r#","body":"#).expect("the body stands last");
    let head: serde_json::Value =
        serde_json::from_str(&format!("{head}}}")).expect("what stands before it is JSON");
    let text = |name: &str| head[name].as_str().expect("text").to_owned();
    Record {
        seq: head["seq"].as_u64().expect("a number"),
        at: Timestamp(head["at"].as_i64().expect("a number")),
        prev: text("prev").parse().expect("a digest"),
        kind: text("kind"),
        body: body.strip_suffix('}').expect("an object ends").to_owned(),
    }
}

fn golden() -> Vec<Record> {
    GOLDEN.lines().map(record).collect()
}

fn events() -> Vec<Event> {
    golden().iter().map(|record| record.event().expect("an old event still parses")).collect()
}

#[test]
fn old_records_load_for_ever_and_are_written_again_byte_for_byte() {
    let mut position = Position::START;
    for record in golden() {
        let event = record.open(&position).expect("an old record still opens");
        assert_eq!(Record::after(&position, record.at, &event), record);
        position = record.position();
    }
    assert_eq!(JOURNAL_FORMAT, 1, "a new format needs a golden journal of its own beside this one");
}

#[test]
fn an_old_journal_replays() {
    let records = golden();
    let controller = Controller::replay(&records).expect("it is a legal journal");
    assert_eq!(Some(controller.position()), records.last().map(Record::position).as_ref());
    // One of each end, and nothing left open.
    assert!(controller.state().open.is_empty(), "{:?}", controller.state().open);
    assert!(controller.owed().is_empty());
}

#[test]
fn a_changed_old_record_is_noticed() {
    let records = golden();
    for changed in [0, records.len() / 2, records.len() - 2] {
        let mut records = records.clone();
        records[changed].at = records[changed].at.plus_ms(1);
        assert!(Controller::replay(&records).is_err(), "record {}", changed + 1);
    }
}

#[test]
fn the_golden_journal_has_one_of_everything() {
    let found: BTreeSet<String> = events().iter().flat_map(variants::of_event).collect();
    let missing: Vec<String> =
        variants::all().into_iter().filter(|name| !found.contains(name)).collect();
    assert!(missing.is_empty(), "not in the golden journal: {missing:?}");
}

#[test]
fn every_kind_is_written_as_its_record_says() {
    for record in golden() {
        let event = record.event().expect("an old event still parses");
        assert_eq!(event.kind(), record.kind);
        assert!(record.body.starts_with(&format!(r#"{{"kind":"{}""#, record.kind)));
    }
}

#[test]
fn the_golden_journal_was_only_ever_added_to() {
    let sample = sample::records();
    let sampled: Vec<Event> =
        sample.iter().map(|record| record.event().expect("an event parses")).collect();
    let known = events();
    let new: Vec<String> = sample.iter().skip(known.len()).map(line).collect();
    assert!(new.is_empty(), "append to tests/golden/journal-1.jsonl:\n{}", new.join("\n"));
    assert_eq!(known, sampled, "the sample changes records that were written before");
}
