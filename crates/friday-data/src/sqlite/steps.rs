//! What a person can do with a restored copy of an SQLite database. Nothing of it is done here.

use std::path::Path;

use friday_wire::data::RestoreStep;

use crate::clock;
use crate::words::quoted;

/// Steps for a copy beside the live file.
pub fn with_copy(live: &Path, copy: &Path, now_ms: u64) -> Vec<RestoreStep> {
    let (live, copy) = (live.display().to_string(), copy.display().to_string());
    let aside = format!("{live}.before-{}", clock::stamp(now_ms));
    let attach = format!("ATTACH {} AS live", text(&live));
    let (at, to, from) = (quoted(&live), quoted(&aside), quoted(&copy));
    vec![
        step("look at the copy", vec![format!("sqlite3 -readonly {from}")]),
        step(
            "one table: compare it with the live one; rows that only the copy has come first",
            vec![
                format!(
                    "sqlite3 -readonly {from} {}",
                    quoted(&format!(
                        "{attach}; SELECT * FROM main.THE_TABLE EXCEPT SELECT * FROM live.THE_TABLE"
                    ))
                ),
                format!(
                    "sqlite3 -readonly {from} {}",
                    quoted(&format!(
                        "{attach}; SELECT * FROM live.THE_TABLE EXCEPT SELECT * FROM main.THE_TABLE"
                    ))
                ),
            ],
        ),
        step(
            "one table: put it beside the live one as THE_TABLE_restored, from which rows can be taken over; the application may run on",
            vec![format!(
                "sqlite3 {at} {}",
                quoted(&format!(
                    "ATTACH {} AS copy; CREATE TABLE main.THE_TABLE_restored AS SELECT * FROM copy.THE_TABLE",
                    text(&copy)
                ))
            )],
        ),
        step(
            "all of it, first: stop everything that has the live file open (nothing may be listed)",
            vec![format!("fuser -v {at} {at}-wal {at}-shm")],
        ),
        step(
            "all of it, second: put the live file aside with its log, and the copy in its place, as the same owner's",
            vec![format!(
                "for part in '' -wal -shm; do test ! -e {at}$part || mv {at}$part {to}$part; done \
                 && cp {from} {at} && chmod --reference={to} {at} && chown --reference={to} {at}"
            )],
        ),
        step(
            "all of it, third: start the application, and make a backup of what is live now",
            Vec::new(),
        ),
        step(
            "the way back from that: stop the application, and put the old file back",
            vec![format!(
                "rm -f {at} {at}-wal {at}-shm && for part in '' -wal -shm; do test ! -e {to}$part || mv {to}$part {at}$part; done"
            )],
        ),
    ]
}

fn step(what: &str, run: Vec<String>) -> RestoreStep {
    RestoreStep { what: what.to_owned(), run }
}

/// Text in SQL.
fn text(word: &str) -> String {
    format!("'{}'", word.replace('\'', "''"))
}
