//! The journal file: compare and swap, and everything that can be wrong with a file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use friday_core::journal::{AppendError, Event, Position, Record, Store as _};
use friday_core::time::Timestamp;
use friday_edge::journal_file::{JOURNAL_FILE, OpenJournalError, SqliteStore};
use friday_wire::{JournalId, StartId};

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory") }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join(".friday")
    }

    fn file(&self) -> PathBuf {
        self.path().join(JOURNAL_FILE)
    }

    fn open(&self) -> SqliteStore {
        SqliteStore::open_or_create(&self.path()).expect("opened")
    }

    /// A closed journal of so many records.
    fn with(records: u64) -> Self {
        let place = Self::new();
        let mut store = place.open();
        append(&mut store, &Position::START, records);
        place
    }

    fn damaged(&self) -> String {
        match SqliteStore::open_or_create(&self.path()) {
            Err(error @ OpenJournalError::Damaged { .. }) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }
}

fn records_after(position: &Position, count: u64) -> Vec<Record> {
    let mut position = position.clone();
    (0..count)
        .map(|_| {
            let record = Record::after(&position, at(&position), &event(&position));
            position = record.position();
            record
        })
        .collect()
}

fn at(position: &Position) -> Timestamp {
    Timestamp(1_795_449_600_000).plus_ms(position.seq)
}

fn event(position: &Position) -> Event {
    if position.seq == 0 {
        let journal = JournalId::new("j-0123456789abcdef");
        return Event::JournalCreated { journal, format: 1, fleet: "shop".to_owned() };
    }
    Event::DriverStarted {
        start: StartId::new(format!("{:016x}", position.seq)),
        person: "anna".to_owned(),
        machine: "laptop".to_owned(),
        version: "0.1.0".to_owned(),
    }
}

fn append(store: &mut SqliteStore, after: &Position, count: u64) -> Position {
    let records = records_after(after, count);
    store.append(after, &records).expect("appended");
    records.last().expect("some").position()
}

#[test]
fn what_was_appended_is_there_and_private() {
    let place = Place::new();
    let mut store = place.open();
    assert_eq!(store.last_position().expect("read"), Position::START);
    let end = append(&mut store, &Position::START, 3);
    drop(store);
    let mut again = place.open();
    assert_eq!(again.read_after(0).expect("read"), records_after(&Position::START, 3));
    assert_eq!(again.read_after(2).expect("read").len(), 1);
    assert_eq!(again.last_position().expect("read"), end);
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode(&place.path()), mode(&place.file())), (0o700, 0o600));
}

#[test]
fn of_two_that_append_after_the_same_record_one_is_told_and_writes_nothing() {
    let place = Place::with(1);
    let (mut one, mut two) = (place.open(), place.open());
    let start = one.last_position().expect("read");
    let seen = two.data_version().expect("read");
    append(&mut one, &start, 2);
    assert_ne!(two.data_version().expect("read"), seen);
    let late = records_after(&start, 1);
    assert_eq!(two.append(&start, &late), Err(AppendError::Moved));
    let end = two.last_position().expect("read");
    assert_eq!(end.seq, 3);
    append(&mut two, &end, 1);
    assert_eq!(one.read_after(0).expect("read").len(), 4);
}

#[test]
fn the_same_number_with_another_hash_has_moved_too() {
    let place = Place::with(2);
    let mut store = place.open();
    let mut end = store.last_position().expect("read");
    end.hash.0[0] ^= 1;
    let records = records_after(&end, 1);
    assert_eq!(store.append(&end, &records), Err(AppendError::Moved));
}

#[test]
fn a_turn_is_written_whole_or_not_at_all() {
    let place = Place::with(1);
    let mut store = place.open();
    let start = store.last_position().expect("read");
    let mut records = records_after(&start, 3);
    records[2].seq = 9;
    assert!(matches!(store.append(&start, &records), Err(AppendError::Failed(_))));
    assert_eq!(store.last_position().expect("read"), start);
}

#[test]
fn a_lock_that_is_held_makes_an_append_fail_and_not_unknown() {
    let place = Place::with(1);
    let mut store = place.open();
    let start = store.last_position().expect("read");
    let other = rusqlite::Connection::open(place.file()).expect("opened");
    other.execute_batch("BEGIN IMMEDIATE").expect("held");
    let records = records_after(&start, 1);
    assert!(matches!(store.append(&start, &records), Err(AppendError::Failed(_))));
    other.execute_batch("ROLLBACK").expect("freed");
    append(&mut store, &start, 1);
}

#[test]
fn a_cut_file_is_damaged_and_left_as_it_is() {
    let place = Place::with(500);
    let whole = fs::read(place.file()).expect("read");
    for length in [0, 10, 100, 4_096, whole.len() / 2, whole.len() - 4_096] {
        fs::write(place.file(), &whole[..length]).expect("cut");
        let says = place.damaged();
        assert!(says.contains("damaged"), "{length}: {says}");
        assert_eq!(fs::metadata(place.file()).expect("there").len(), length as u64);
    }
}

#[test]
fn another_programs_file_is_not_taken_for_a_journal() {
    let place = Place::new();
    fs::create_dir_all(place.path()).expect("made");
    fs::write(
        place.file(),
        "these are my notes, not a database at all, and they are long".repeat(50),
    )
    .expect("written");
    place.damaged();
    fs::remove_file(place.file()).expect("removed");
    let other = rusqlite::Connection::open(place.file()).expect("opened");
    other.execute_batch("CREATE TABLE mine (x)").expect("made");
    drop(other);
    assert!(place.damaged().contains("not a journal of friday"));
}

#[test]
fn a_broken_page_is_seen() {
    let place = Place::with(500);
    let mut bytes = fs::read(place.file()).expect("read");
    let middle = bytes.len() / 2;
    let page = middle - middle % 4_096;
    bytes[page..page + 64].fill(0xff);
    fs::write(place.file(), bytes).expect("written");
    place.damaged();
}

#[test]
fn a_newer_format_is_refused_by_everybody() {
    let place = Place::with(1);
    let other = rusqlite::Connection::open(place.file()).expect("opened");
    other.execute_batch("UPDATE meta SET value = '7' WHERE key = 'format'").expect("changed");
    drop(other);
    for opened in
        [SqliteStore::open_or_create(&place.path()), SqliteStore::open_read_only(&place.path())]
    {
        let error = opened.expect_err("refused");
        assert!(matches!(error, OpenJournalError::Newer { found: 7, .. }), "{error}");
        assert_eq!(error.hint(), "use the newer friday");
    }
}

#[test]
fn looking_makes_nothing_and_sees_what_others_append() {
    let place = Place::new();
    let missing = SqliteStore::open_read_only(&place.path()).expect_err("none");
    assert!(matches!(missing, OpenJournalError::Missing { .. }));
    assert!(!place.path().exists());
    let mut store = place.open();
    let end = append(&mut store, &Position::START, 1);
    let mut viewer = SqliteStore::open_read_only(&place.path()).expect("opened");
    assert_eq!(viewer.read_after(0).expect("read").len(), 1);
    let end = append(&mut store, &end, 1);
    assert_eq!(viewer.read_after(0).expect("read").len(), 2);
    assert!(matches!(viewer.append(&end, &records_after(&end, 1)), Err(AppendError::Failed(_))));
}

const CHILD: &str = "FRIDAY_TEST_READ_ONLY_JOURNAL";

/// Root may write everywhere, so the looking is done by another user where root runs the tests.
#[test]
fn a_journal_that_may_not_be_written_can_be_looked_at_and_says_so_when_written() {
    if let Some(place) = std::env::var_os(CHILD) {
        return look_without_rights(Path::new(&place));
    }
    let place = Place::new();
    let mut store = place.open();
    append(&mut store, &Position::START, 2);
    // What a killed friday leaves: the last records are only in the WAL.
    let copy = Place::new();
    fs::create_dir_all(copy.path()).expect("made");
    for suffix in ["", "-wal"] {
        let name = format!("{JOURNAL_FILE}{suffix}");
        fs::copy(place.path().join(&name), copy.path().join(&name)).expect("copied");
        fs::set_permissions(copy.path().join(&name), fs::Permissions::from_mode(0o444))
            .expect("set");
    }
    for path in [copy.path(), copy.path().parent().expect("one").to_owned()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o555)).expect("set");
    }
    let mut child = Command::new(std::env::current_exe().expect("a path"));
    child
        .arg("journal::a_journal_that_may_not_be_written_can_be_looked_at_and_says_so_when_written")
        .args(["--exact", "--nocapture"])
        .env(CHILD, copy.path());
    if rustix::process::geteuid().is_root() {
        child.uid(65_534).gid(65_534);
    }
    let output = child.output().expect("run");
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
    fs::set_permissions(copy.directory.path(), fs::Permissions::from_mode(0o755)).expect("set");
    fs::set_permissions(copy.path(), fs::Permissions::from_mode(0o755)).expect("set");
}

fn look_without_rights(place: &Path) {
    let mut viewer = SqliteStore::open_read_only(place).expect("opened");
    assert_eq!(viewer.read_after(0).expect("read"), records_after(&Position::START, 2));
    let writer = SqliteStore::open_or_create(place).expect_err("refused");
    assert!(matches!(writer, OpenJournalError::ReadOnly { .. }), "{writer}");
}

#[test]
fn format_1_loads_for_ever() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let place = Place::new();
    fs::create_dir_all(place.path()).expect("made");
    fs::copy(golden.join("journal-1.db"), place.file()).expect("the golden file");
    let mut store = place.open();
    let mut dump = String::new();
    let mut position = Position::START;
    for record in store.read_after(0).expect("read") {
        record.open(&position).expect("a whole record");
        position = record.position();
        let Record { seq, at, prev, kind, body } = record;
        let event: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        let line = serde_json::json!({
            "seq": seq, "at": at, "prev": prev, "kind": kind, "event": event,
        });
        dump.push_str(&format!("{line}\n"));
    }
    let expected = fs::read_to_string(golden.join("journal-1.json")).expect("the golden dump");
    assert_eq!(dump, expected);
    append(&mut store, &position, 1);
}
