use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use age::secrecy::ExposeSecret;
use friday_wire::data::{self, Engine, Position, RepositoryPlace};

use super::*;

struct Bed {
    #[expect(dead_code, reason = "it goes at the end")]
    base: tempfile::TempDir,
    repository: Repository,
}

fn identity() -> Hidden {
    Hidden::new(age::x25519::Identity::generate().to_string().expose_secret())
}

fn bed(key: Option<Hidden>) -> Bed {
    let base = tempfile::tempdir().unwrap();
    let place = RepositoryPlace::Directory { path: None };
    let guarded = Guarded {
        name: DatabaseName::new("main"),
        engine: Engine::Sqlite { path: "x".to_owned() },
        repository: data::Repository { place, key },
        keep: 2,
        scratch: None,
    };
    let fleet = FleetName::new("shop");
    let place = Place::open(base.path(), &fleet, &guarded).unwrap();
    let repository = Repository::open(&place, &fleet, &guarded).unwrap();
    Bed { base, repository }
}

fn text() -> Vec<u8> {
    (0..200_000_u32).flat_map(|number| (number * 7_919).to_le_bytes()).collect()
}

fn make(repository: &Repository, point: Option<&str>) -> Manifest {
    let course = Course::quiet();
    let mut draft = repository.begin().unwrap();
    let object = draft.store("database", &mut &text()[..], None, &course).unwrap();
    draft
        .finish(Finished {
            position: Position::Sqlite { digest: object.plain },
            engine_version: "3".to_owned(),
            holds_ms: crate::clock::now_ms(),
            point: point.map(str::to_owned),
            facts: BTreeMap::new(),
        })
        .unwrap()
}

fn fetched(repository: &Repository, manifest: &Manifest) -> Result<Vec<u8>, String> {
    let mut plain = Vec::new();
    repository
        .fetch(manifest, &manifest.objects[0], &mut plain, &Course::quiet())
        .map(|()| plain)
        .map_err(|error| Failure::of(&error, None).why)
}

/// Where something lies on the disk.
fn on_disk(shelf: &Shelf) -> PathBuf {
    shelf.disk().unwrap().to_owned()
}

fn object_path(repository: &Repository, manifest: &Manifest) -> PathBuf {
    on_disk(&repository.directory_of(manifest)).join(&manifest.objects[0].file)
}

#[test]
fn what_is_stored_comes_back_in_clear_and_encrypted() {
    for key in [None, Some(identity())] {
        let Bed { repository, .. } = &bed(key.clone());
        let manifest = make(repository, None);
        assert_eq!(manifest.backup.encrypted, key.is_some());
        assert_eq!(repository.newest().unwrap(), manifest);
        assert_eq!(fetched(repository, &manifest).unwrap(), text());
        let path = object_path(repository, &manifest);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let report = repository.verify(None, &Course::quiet()).unwrap();
        assert_eq!((report.backups, report.damage.len()), (1, 0));
        assert_eq!(report.bytes, manifest.backup.stored);
    }
}

#[test]
fn any_flipped_bit_is_found_and_named() {
    for key in [None, Some(identity())] {
        let Bed { repository, .. } = &bed(key);
        let manifest = make(repository, None);
        let path = object_path(repository, &manifest);
        let whole = fs::read(&path).unwrap();
        for at in [0, 5, 60, whole.len() / 2, whole.len() - 1] {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            fs::write(&path, &bytes).unwrap();
            let why = fetched(repository, &manifest).unwrap_err();
            assert!(why.ends_with("its bytes are not those that were stored"), "{at}: {why}");
            assert!(why.contains(manifest.backup.id.as_str()), "{why}");
            let report = repository.verify(Some(&manifest.backup.id), &Course::quiet()).unwrap();
            assert_eq!(report.damage, [why]);
        }
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert!(fetched(repository, &manifest).unwrap_err().contains("were stored"));
        fs::write(&path, [&whole[..], b"x"].concat()).unwrap();
        assert!(fetched(repository, &manifest).unwrap_err().contains("were stored"));
        fs::remove_file(&path).unwrap();
        assert!(fetched(repository, &manifest).unwrap_err().ends_with("its file is missing"));
    }
}

#[test]
fn a_damaged_manifest_is_neither_used_nor_passed_over() {
    let Bed { repository, .. } = &bed(None);
    make(repository, None);
    let newest = make(repository, None);
    let path = on_disk(&repository.directory_of(&newest)).join(manifest::MANIFEST_FILE);
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, whole.replace("\"number\": 2", "\"number\": 3")).unwrap();
    assert!(matches!(repository.newest(), Err(RepositoryError::Manifest { .. })));
    let report = repository.verify(None, &Course::quiet()).unwrap();
    assert_eq!((report.backups, report.damage.len()), (1, 1));
    fs::write(&path, &whole[..40]).unwrap();
    assert!(matches!(repository.find(&newest.backup.id), Err(RepositoryError::Manifest { .. })));
    fs::write(&path, whole).unwrap();
    assert_eq!(repository.newest().unwrap(), newest);
}

#[test]
fn without_the_key_it_says_so_and_stored_bytes_can_still_be_compared() {
    let mut bed = bed(Some(identity()));
    let manifest = make(&bed.repository, None);
    bed.repository.key = None;
    assert!(fetched(&bed.repository, &manifest).unwrap_err().ends_with("no key was given"));
    assert!(bed.repository.verify(None, &Course::quiet()).unwrap().damage.is_empty());
    bed.repository.key = Some(Key::read(&identity()).unwrap());
    let why = fetched(&bed.repository, &manifest).unwrap_err();
    assert!(why.ends_with("another key than the one given"), "{why}");
    assert_eq!(bed.repository.verify(None, &Course::quiet()).unwrap().damage, [why]);
}

#[test]
fn what_was_not_finished_is_no_backup_and_goes() {
    let Bed { repository, .. } = &bed(None);
    let mut draft = repository.begin().unwrap();
    draft.store("database", &mut &b"half"[..], None, &Course::quiet()).unwrap();
    let dir = on_disk(&repository.backups().below(draft.id().as_str()));
    assert!(repository.list().unwrap().backups.is_empty());
    assert_eq!(repository.put_away_leftovers().unwrap(), 0, "somebody writes it");
    drop(draft);
    assert!(!dir.exists());
    // As a killed program leaves it.
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("database.zst"), b"half").unwrap();
    assert!(matches!(repository.newest(), Err(RepositoryError::Empty)));
    assert_eq!(repository.put_away_leftovers().unwrap(), 1);
    assert!(!dir.exists());
}

#[test]
fn the_newest_stay_each_kind_by_itself_and_whatever_is_read() {
    let Bed { repository, .. } = &bed(None);
    let course = Course::quiet();
    let backups: Vec<_> = (0..4).map(|_| make(repository, None).backup.id).collect();
    let point = make(repository, Some("r1")).backup.id;
    let oldest = repository.find(&backups[0]).unwrap();
    let reading = repository.reading(&oldest).unwrap();
    assert_eq!(repository.prune(Kept::Backups, 2, &course).unwrap(), [backups[1].clone()]);
    drop(reading);
    assert_eq!(repository.prune(Kept::Backups, 2, &course).unwrap(), [backups[0].clone()]);
    assert!(repository.prune(Kept::Points, 0, &course).unwrap().is_empty());
    let left: Vec<_> = told(repository.list().unwrap()).into_iter().map(|one| one.id).collect();
    assert_eq!(left, [backups[2].clone(), backups[3].clone(), point]);
}

#[test]
fn a_source_that_breaks_and_a_request_that_ends_leave_nothing() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let Bed { repository, .. } = &bed(None);
    let mut draft = repository.begin().unwrap();
    let error = draft.store("database", &mut Broken, None, &Course::quiet()).unwrap_err();
    assert!(matches!(error, RepositoryError::Source(_)), "{error}");
    drop(draft);
    let late = crate::course::Watch::new(Default::default(), std::time::Duration::ZERO);
    let course = Course::new(late, crate::progress::Teller::quiet());
    let mut draft = repository.begin().unwrap();
    let error = draft.store("database", &mut &text()[..], None, &course).unwrap_err();
    assert!(matches!(error, RepositoryError::Stopped(Stopped::Late(0))), "{error}");
    drop(draft);
    assert_eq!(fs::read_dir(on_disk(&repository.backups())).unwrap().count(), 0);
}

#[test]
fn another_databases_backup_is_refused() {
    let Bed { repository, .. } = &bed(None);
    let mut manifest = make(repository, None);
    manifest.database = DatabaseName::new("other");
    let dir = repository.directory_of(&manifest);
    dir.remove(manifest::MANIFEST_FILE).unwrap();
    manifest.write(&dir).unwrap();
    assert!(matches!(repository.list(), Err(RepositoryError::Foreign(_))));
}

#[test]
fn what_is_no_key_is_refused_without_being_shown() {
    for text in ["", "# a comment", "hunter2", "AGE-SECRET-KEY-1QQ", "age1qqq"] {
        let error = Key::read(&Hidden::new(text)).err().expect("it is none").to_string();
        assert!(text.len() < 3 || !error.contains(text), "{error}");
    }
    let key = identity();
    let file = format!("# created: now\n# public key: age1\n{}\n", key.expose());
    assert!(Key::read(&Hidden::new(file)).is_ok());
}
