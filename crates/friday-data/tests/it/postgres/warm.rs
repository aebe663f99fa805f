//! Drills on what an earlier drill left, and backups as older programs stored them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use friday_wire::Digest;
use friday_wire::data::{DataAnswer, DataPhase, DataRequest, DrillReport, DrillTarget, Guarded};
use serde_json::{Value, json};

use super::beside::{Beside, guarded};
use super::cluster::{Cluster, own};
use super::{a_key, back_up, flip, lines, nothing_runs, point, request, to_point};

fn drill(beside: &Beside, database: &Guarded, target: DrillTarget) -> DrillReport {
    let mut asked = request(database, target);
    if let DataRequest::Drill { keep_scratch, .. } = &mut asked {
        *keep_scratch = true;
    }
    match beside.ask(asked) {
        DataAnswer::Drilled { report } => {
            assert!(report.scratch.kept);
            assert!(report.invariants.iter().all(|one| one.holds()), "{:?}", lines(&report));
            assert!(
                report
                    .checks
                    .iter()
                    .any(|check| ["files", "pg_verifybackup"].contains(&&*check.name))
            );
            nothing_runs(beside);
            *report
        }
        other => panic!("{other:?}"),
    }
}

fn fetched(report: &DrillReport) -> u64 {
    report.phases.iter().filter(|time| time.phase == DataPhase::Fetch).map(|time| time.bytes).sum()
}

#[test]
fn a_kept_scratch_is_believed_for_its_bytes_and_only_what_differs_is_fetched() {
    let cluster = Cluster::start("");
    cluster.fill();
    let mut client = cluster.connect();
    // What nobody writes to again, many parts of it.
    let filler = "CREATE TABLE filler AS SELECT repeat(md5(n::text), 8) AS t FROM generate_series(1, 100000) n";
    client.batch_execute(filler).unwrap();
    client.batch_execute("VACUUM (FREEZE, ANALYZE) filler").unwrap();
    let beside = Beside::new(&cluster);
    let database = guarded(&cluster, Some(&a_key()));
    back_up(&beside, &database);
    let made = point(&beside, &database, "shop-1");
    let first = drill(&beside, &database, to_point(&made));
    assert_eq!(first.scratch.warm_bytes, 0);
    assert!(fetched(&first) >= first.scratch.bytes - (1 << 20), "{first:?}");

    let second = drill(&beside, &database, to_point(&made));
    assert!(second.scratch.warm_bytes > 20_000_000, "{second:?}");
    assert!(fetched(&second) + second.scratch.warm_bytes <= first.scratch.bytes + (1 << 20));
    assert_eq!((&second.reached, &second.target), (&first.reached, &first.target));

    // One bit of what lies there is another, with the times that it had; something lies there that is not to be.
    let data = beside.place().join("scratch/data");
    let largest = largest(&data.join("base"));
    let before = fs::metadata(&largest).unwrap();
    flip(&largest, 0.5);
    let file = fs::File::options().write(true).open(&largest).unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
    drop(file);
    fs::write(data.join("base/stranger"), "?").unwrap();
    fs::create_dir(data.join("strangers")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", data.join("global/link")).unwrap();
    own(&data.join("strangers"));
    let third = drill(&beside, &database, to_point(&made));
    assert!(third.scratch.warm_bytes < second.scratch.warm_bytes, "{third:?}");
    assert!(!data.join("base/stranger").exists() && !data.join("strangers").exists());
    assert!(fs::symlink_metadata(data.join("global/link")).is_err());

    // A newer backup: most of it is the same.
    client.batch_execute("UPDATE account SET filler = 'other' WHERE id = 3").unwrap();
    back_up(&beside, &database);
    let newer = point(&beside, &database, "shop-2");
    let fourth = drill(&beside, &database, to_point(&newer));
    assert!(fourth.backup != first.backup && fourth.scratch.warm_bytes > 20_000_000, "{fourth:?}");

    // What fails leaves nothing; without `keep_scratch` nothing stays.
    for part in beside.files(&["repository/backups", "base.tar."]) {
        if part.metadata().unwrap().len() > 0 {
            flip(&part, 0.5);
        }
    }
    let (phase, why) = super::failed(&beside, &database, to_point(&newer));
    assert!(phase == DataPhase::Fetch && why.contains("damaged"), "{phase}: {why}");
    assert!(beside.files(&["scratch/"]).is_empty());
}

fn largest(dir: &Path) -> PathBuf {
    let mut open = vec![dir.to_owned()];
    let mut files = Vec::new();
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).expect("it can be done").flatten() {
            let found = entry.metadata().expect("it can be done");
            if found.is_dir() {
                open.push(entry.path());
            } else {
                files.push((found.size(), entry.path()));
            }
        }
    }
    files.into_iter().max().expect("a file").1
}

#[test]
fn a_backup_in_one_piece_as_older_programs_made_it_is_still_restored() {
    let cluster = Cluster::start("");
    cluster.fill();
    let beside = Beside::new(&cluster);
    let database = guarded(&cluster, None);
    back_up(&beside, &database);
    let made = point(&beside, &database, "shop-1");
    drill(&beside, &database, to_point(&made));
    as_of_before(&beside);
    // Also where a newer one was drilled before.
    let report = drill(&beside, &database, to_point(&made));
    assert_eq!((report.scratch.warm_bytes, &report.backup), (0, &made.backup));
    assert!(report.checks.iter().any(|check| check.name == "pg_verifybackup"), "{report:?}");
    let verify = DataRequest::Verify { database, backup: None };
    let DataAnswer::Verified { report } = beside.ask(verify) else { panic!("no look") };
    assert!(report.damage.is_empty(), "{report:?}");
}

#[test]
fn bytes_that_changed_before_they_were_stored_are_told_by_the_servers_own_list() {
    let cluster = Cluster::start("");
    cluster.fill();
    let beside = Beside::new(&cluster);
    let database = guarded(&cluster, None);
    back_up(&beside, &database);
    let made = point(&beside, &database, "shop-1");
    drill(&beside, &database, to_point(&made));
    changed_on_the_way(&beside);
    // On what an earlier drill left, and on nothing.
    for _ in 0..2 {
        let (phase, why) = super::failed(&beside, &database, to_point(&made));
        assert_eq!(phase, DataPhase::Fetch);
        assert!(
            why.starts_with("files found damage: `")
                && why.ends_with("is not what the server read"),
            "{why}"
        );
        assert!(beside.files(&["scratch/"]).is_empty());
    }
    let verify = DataRequest::Verify { database, backup: None };
    let DataAnswer::Verified { report } = beside.ask(verify) else { panic!("no look") };
    assert!(report.damage.is_empty(), "by our own hashes it is whole: {report:?}");
}

/// Flips a bit of a stored file as if it had come so from the server: every hash of ours is of the changed bytes.
fn changed_on_the_way(beside: &Beside) {
    let path = beside.files(&["repository/backups", "manifest.json"]).pop().expect("a backup");
    let dir = path.parent().expect("its directory");
    let read = |name: &str| {
        let stored = fs::read(dir.join(format!("{name}.zst"))).expect("it is stored");
        zstd::decode_all(&stored[..]).expect("it can be unpacked")
    };
    let mut part = read("base.tar.00000");
    let mut layout: Value = serde_json::from_slice(&read("base.layout")).expect("it is a list");
    let entries = layout["entries"].clone();
    let pieces = layout["parts"][0].as_array_mut().expect("pieces");
    let of_a_table = |piece: &&mut Value| {
        let entry = &entries[piece["entry"].as_u64().expect("a number") as usize];
        entry["path"].as_str().expect("a path").starts_with("base/")
            && piece["bytes"].as_u64() > Some(8_000)
    };
    let piece = pieces.iter_mut().find(of_a_table).expect("a table's file");
    let number = |key: &str| piece[key].as_u64().expect("a number") as usize;
    let (from, bytes) = (number("from"), number("bytes"));
    part[from + bytes / 2] ^= 1;
    piece["hash"] = json!(Digest(*blake3::hash(&part[from..from + bytes]).as_bytes()));
    let layout = layout.to_string().into_bytes();
    let mut sealed: Value =
        serde_json::from_slice(&fs::read(&path).expect("it is there")).expect("it is a manifest");
    for (name, plain) in [("base.tar.00000", &part), ("base.layout", &layout)] {
        let stored = zstd::encode_all(&plain[..], 1).expect("it can be packed");
        fs::write(dir.join(format!("{name}.zst")), &stored).expect("it can be written");
        let objects = sealed["body"]["objects"].as_array_mut().expect("objects");
        let object = objects.iter_mut().find(|object| object["name"] == name).expect("it");
        for (key, bytes) in [("plain", &plain[..]), ("stored", &stored[..])] {
            object[key] = json!(Digest(*blake3::hash(bytes).as_bytes()));
            object[format!("{key}_bytes")] = json!(bytes.len());
        }
    }
    seal(&path, sealed);
}

fn seal(path: &Path, mut sealed: Value) {
    let body = sealed["body"].to_string();
    sealed["digest"] = json!(Digest(*blake3::hash(body.as_bytes()).as_bytes()));
    fs::write(path, sealed.to_string()).expect("it can be done");
}

/// Makes one `base.tar` of a backup's parts.
fn as_of_before(beside: &Beside) {
    let path = beside.files(&["repository/backups", "manifest.json"]).pop().expect("a backup");
    let dir = path.parent().expect("its directory");
    let mut sealed: Value =
        serde_json::from_slice(&fs::read(&path).expect("it can be done")).expect("it can be done");
    let (mut plain, mut number) = (Vec::new(), 0);
    loop {
        let part = dir.join(format!("base.tar.{number:05}.zst"));
        let Ok(bytes) = fs::read(&part) else { break };
        plain.extend(zstd::decode_all(&bytes[..]).expect("it can be done"));
        fs::remove_file(part).expect("it can be done");
        number += 1;
    }
    assert!(number > 1);
    fs::remove_file(dir.join("base.layout.zst")).expect("it can be done");
    let stored = zstd::encode_all(&plain[..], 1).expect("it can be done");
    fs::write(dir.join("base.tar.zst"), &stored).expect("it can be done");
    own(&dir.join("base.tar.zst"));
    let digest = |bytes: &[u8]| Digest(*blake3::hash(bytes).as_bytes());
    sealed["body"]["objects"] = json!([{
        "name": "base.tar", "file": "base.tar.zst",
        "plain_bytes": plain.len(), "plain": digest(&plain),
        "stored_bytes": stored.len(), "stored": digest(&stored),
    }]);
    seal(&path, sealed);
}
