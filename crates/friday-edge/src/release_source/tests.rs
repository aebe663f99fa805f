use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::symlink;

use friday_wire::{HealthSpec, UnitSpec};
use tar::{EntryType, Header};

use super::*;
use crate::state_directory::StateDirectory;

struct Bench {
    directory: tempfile::TempDir,
    stock: Stock,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let state = StateDirectory::at(directory.path().join(".friday"));
        let stock = Stock::open(&state).expect("opened");
        Self { directory, stock }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("inside")).expect("made");
        fs::write(&path, content).expect("written");
        path
    }

    fn read(&self, name: &str) -> Result<SourcedRelease, SourceError> {
        self.read_within(name, &SourceLimits::default())
    }

    fn read_within(
        &self,
        name: &str,
        limits: &SourceLimits,
    ) -> Result<SourcedRelease, SourceError> {
        let run = RunSpec {
            command: Some("./run".into()),
            env: BTreeMap::new(),
            health: HealthSpec::default(),
            shared: Vec::new(),
            unit: UnitSpec::default(),
            processes: friday_wire::Processes::default(),
        };
        read_release(&self.path(name), run, "v1", &self.stock, limits)
    }

    /// The refusal's words; nothing may be left of the release.
    fn refused(&self, name: &str) -> String {
        let error = self.read(name).expect_err("refused");
        assert!(!error.hint().is_empty());
        assert!(self.stock.releases().expect("listed").is_empty());
        error.to_string()
    }

    fn archive(&self, name: &str, entries: &[Packed<'_>]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, packed(entries)).expect("written");
        path
    }
}

/// An entry as an evil archiver would write it: nothing is checked.
struct Packed<'a> {
    path: &'a [u8],
    kind: EntryType,
    content: &'a [u8],
    link: &'a [u8],
    mode: u32,
}

fn packed_file<'a>(path: &'a str, content: &'a str) -> Packed<'a> {
    let (path, content) = (path.as_bytes(), content.as_bytes());
    Packed { path, kind: EntryType::Regular, content, link: b"", mode: 0o644 }
}

fn packed_link<'a>(path: &'a str, kind: EntryType, target: &'a str) -> Packed<'a> {
    Packed { path: path.as_bytes(), kind, content: b"", link: target.as_bytes(), mode: 0o777 }
}

fn packed(entries: &[Packed<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        bytes.extend(header(entry, entry.content.len() as u64).as_bytes());
        bytes.extend(entry.content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1_024, 0);
    bytes
}

fn header(entry: &Packed<'_>, size: u64) -> Header {
    let mut header = Header::new_gnu();
    let old = header.as_old_mut();
    old.name[..entry.path.len()].copy_from_slice(entry.path);
    old.linkname[..entry.link.len()].copy_from_slice(entry.link);
    header.set_entry_type(entry.kind);
    header.set_size(size);
    header.set_mode(entry.mode);
    header.set_mtime(1_000);
    header.set_cksum();
    header
}

fn paths(release: &SourcedRelease) -> Vec<&str> {
    release.manifest.tree.iter().map(|entry| entry.path.as_str()).collect()
}

#[test]
fn a_directory_an_archive_and_any_order_are_the_same_release() {
    let bench = Bench::new();
    bench.file("dist/run", "#!/bin/sh");
    bench.file("dist/lib/a-b", "1");
    bench.file("dist/lib/a/b", "2");
    symlink("lib/a/b", bench.path("dist/current")).expect("linked");
    fs::set_permissions(bench.path("dist/run"), fs::Permissions::from_mode(0o750)).expect("set");
    let from_directory = bench.read("dist").expect("read");
    assert_eq!(paths(&from_directory), ["current", "lib", "lib/a", "lib/a-b", "lib/a/b", "run"]);
    let run = || Packed { mode: 0o755, ..packed_file("./run", "#!/bin/sh") };
    let one = || packed_file("lib/a-b", "1");
    let two = || packed_file("./lib/a/b", "2");
    let link = || packed_link("current", EntryType::Symlink, "lib/a/b");
    bench.archive("one.tar", &[run(), one(), two(), link()]);
    let root = packed_link("./", EntryType::Directory, "");
    let lib = packed_link("./lib/", EntryType::Directory, "");
    let bytes = packed(&[root, link(), two(), lib, one(), run()]);
    let mut gzip = flate2::write::GzEncoder::new(
        File::create(bench.path("two.tgz")).expect("made"),
        flate2::Compression::fast(),
    );
    gzip.write_all(&bytes).expect("written");
    gzip.finish().expect("finished");
    fs::write(bench.path("three.tar.zst"), zstd::encode_all(&bytes[..], 1).expect("packed"))
        .expect("written");
    for name in ["one.tar", "two.tgz", "three.tar.zst"] {
        assert_eq!(bench.read(name).expect("read"), from_directory, "{name}");
    }
    let stocked = bench.stock.release(&from_directory.release).expect("noted");
    assert_eq!((stocked.label.as_str(), &stocked.manifest), ("v1", &from_directory.manifest));
    assert!(from_directory.manifest.files().all(|(digest, _)| bench.stock.has(&digest)));
}

#[test]
fn a_file_is_a_release_of_one_file() {
    let bench = Bench::new();
    bench.file("build/app.gz", "bytes");
    let release = bench.read("build/app.gz").expect("read");
    assert_eq!(paths(&release), ["app.gz"]);
}

#[test]
fn fridays_own_directory_is_no_part_of_a_release_around_it() {
    let bench = Bench::new();
    bench.file("run", "x");
    let first = bench.read("").expect("read");
    assert_eq!(paths(&first), ["run"]);
    assert_eq!(bench.read("").expect("read again"), first);

    // An environment's directory lies in it beside the secrets, and the local hosts, of the others.
    let state = StateDirectory::at(bench.path(".friday/env/production"));
    let stock = Stock::open(&state).expect("opened");
    bench.file(".friday/secrets/value", "of another environment");
    let _socket =
        std::os::unix::net::UnixListener::bind(bench.path(".friday/sock")).expect("bound");
    let bench = Bench { stock, ..bench };
    assert_eq!(paths(&bench.read("").expect("read")), ["run"]);
}

#[test]
fn nothing_and_emptiness_are_told_apart() {
    let bench = Bench::new();
    assert!(bench.refused("dist").contains("no file or directory"));
    fs::create_dir_all(bench.path("dist/empty")).expect("made");
    assert_eq!(bench.refused("dist"), "the release has no files");
    bench.archive("dist.tar", &[]);
    assert_eq!(bench.refused("dist.tar"), "the release has no files");
}

#[test]
fn a_directory_with_something_strange_in_it_is_refused_by_name() {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::UnixListener;
    type Strange = fn(&Path);
    let cases: [(Strange, &str); 6] = [
        (
            |place| symlink("/etc/passwd", place.join("out")).expect("linked"),
            "link `out` leads out",
        ),
        (|place| symlink("../../x", place.join("up")).expect("linked"), "link `up` leads out"),
        (
            |place| {
                symlink("b", place.join("a")).expect("linked");
                symlink("a", place.join("b")).expect("linked");
            },
            "leads in a circle",
        ),
        (|place| drop(UnixListener::bind(place.join("s")).expect("bound")), "`s` is a socket"),
        (
            |place| {
                let mode = rustix::fs::Mode::from_raw_mode(0o600);
                rustix::fs::mknodat(
                    rustix::fs::CWD,
                    place.join("p"),
                    rustix::fs::FileType::Fifo,
                    mode,
                    0,
                )
                .expect("made");
            },
            "`p` is a named pipe",
        ),
        (
            |place| {
                let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
                fs::write(place.join(name), "x").expect("written");
            },
            "caf\\xe9",
        ),
    ];
    for (make, says) in cases {
        let bench = Bench::new();
        bench.file("dist/run", "x");
        make(&bench.path("dist"));
        let text = bench.refused("dist");
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn an_archive_with_something_strange_in_it_is_refused_by_name() {
    let special = |kind| Packed { kind, ..packed_file("thing", "") };
    let cases: Vec<(Vec<Packed<'_>>, &str)> = vec![
        (vec![packed_file("../etc/passwd", "x")], "path `../etc/passwd`"),
        (vec![packed_file("/etc/passwd", "x")], "path `/etc/passwd`"),
        (vec![packed_file("a/../../b", "x")], "path `a/../../b`"),
        (vec![packed_file("a//b", "x")], "path `a//b`"),
        (vec![packed_link("/", EntryType::Directory, "")], "path `/`"),
        (vec![Packed { path: b"caf\xe9", ..packed_file("", "x") }], "caf\\xe9"),
        (vec![packed_file("a", "1"), packed_file("./a", "2")], "`a` stands twice"),
        (
            vec![packed_file("a", "1"), packed_link("a", EntryType::Directory, "")],
            "`a` stands twice",
        ),
        (vec![packed_file("a", "1"), packed_file("a/b", "2")], "`a/b` lies under something"),
        (
            vec![
                packed_file("d/f", "1"),
                packed_link("l", EntryType::Symlink, "d"),
                packed_file("l/g", "2"),
            ],
            "`l/g` lies under something",
        ),
        (
            vec![packed_file("a", "1"), packed_link("l", EntryType::Symlink, "/etc/passwd")],
            "link `l` leads out",
        ),
        (
            vec![packed_file("a", "1"), packed_link("l", EntryType::Link, "/etc/passwd")],
            "`l` is a hard link to `/etc/passwd`",
        ),
        (
            vec![packed_file("a", "1"), packed_link("l", EntryType::Link, "later")],
            "`l` is a hard link to `later`",
        ),
        (vec![special(EntryType::Char)], "`thing` is a device"),
        (vec![special(EntryType::Block)], "`thing` is a device"),
        (vec![special(EntryType::Fifo)], "`thing` is a named pipe"),
        (vec![special(EntryType::new(b'Z'))], "`thing` is a thing"),
    ];
    for (entries, says) in cases {
        let bench = Bench::new();
        bench.archive("dist.tar", &entries);
        let text = bench.refused("dist.tar");
        assert!(text.contains(says), "{text}\nwanted: {says}");
    }
}

#[test]
fn a_hard_link_inside_is_another_file_with_the_same_content() {
    let bench = Bench::new();
    bench
        .archive("dist.tar", &[packed_file("a", "same"), packed_link("b", EntryType::Link, "./a")]);
    let release = bench.read("dist.tar").expect("read");
    assert_eq!(release.manifest.tree[0].kind, release.manifest.tree[1].kind);
}

#[test]
fn a_cut_or_strange_archive_is_damaged() {
    let bench = Bench::new();
    let long = "x".repeat(5_000);
    let whole = packed(&[packed_file("a", &long)]);
    fs::write(bench.path("cut.tar"), &whole[..3_000]).expect("written");
    let zstd = zstd::encode_all(&whole[..], 1).expect("packed");
    fs::write(bench.path("cut.tar.zst"), &zstd[..zstd.len() - 4]).expect("written");
    fs::write(bench.path("not.tgz"), "this is not gzip").expect("written");
    fs::write(bench.path("not.tar"), [b'x'; 1_024]).expect("written");
    for name in ["cut.tar", "cut.tar.zst", "not.tgz", "not.tar"] {
        let text = bench.refused(name);
        assert!(text.contains("cut or damaged") && text.contains(name), "{text}");
    }
}

#[test]
fn what_is_absurdly_large_is_refused_before_the_disk_is_full() {
    let limits = SourceLimits { file_bytes: 100, total_bytes: 150, entries: 3 };
    let refused = |bench: &Bench, name: &str| {
        bench.read_within(name, &limits).expect_err("refused").to_string()
    };
    let bench = Bench::new();
    bench.file("one/big", &"x".repeat(101));
    assert_eq!(refused(&bench, "one"), "`big` is larger than 100 bytes");
    bench.file("two/a", &"x".repeat(100));
    bench.file("two/b", &"x".repeat(100));
    assert!(refused(&bench, "two").contains("larger than 150 bytes"));
    (0..4).for_each(|count| drop(bench.file(&format!("many/{count}"), "x")));
    assert_eq!(refused(&bench, "many"), "the release has more than 3 files and directories");
    // A header can claim what is not there.
    let entry = packed_file("vast", "");
    let mut bytes = header(&entry, 1 << 50).as_bytes().to_vec();
    bytes.resize(2_048, 0);
    fs::write(bench.path("vast.tar"), bytes).expect("written");
    assert_eq!(refused(&bench, "vast.tar"), "`vast` is larger than 100 bytes");
}

/// The decoder quotes the name that it stumbled over.
#[test]
fn a_damaged_archive_is_told_without_its_control_characters() {
    let bench = Bench::new();
    let mut bytes = packed(&[packed_file("\u{1b}[31mred", "x")]);
    bytes[124..136].fill(b'z');
    bytes[148..156].fill(b' ');
    let sum: u32 = bytes[..512].iter().map(|byte| u32::from(*byte)).sum();
    bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    fs::write(bench.path("a.tar"), bytes).expect("written");
    let told = bench.refused("a.tar");
    assert!(told.contains("damaged"), "{told}");
    assert!(!told.contains(char::is_control), "{told:?}");
}

/// Nor are the names of what is refused for other reasons.
#[test]
fn what_is_refused_is_named_without_its_control_characters() {
    let evil = "\u{1b}[31mred";
    for entry in [
        Packed { kind: EntryType::Fifo, ..packed_file(evil, "") },
        packed_link(evil, EntryType::Link, "later"),
        packed_link(evil, EntryType::Symlink, "/etc/passwd"),
    ] {
        let bench = Bench::new();
        bench.archive("a.tar", &[packed_file("a", "1"), entry]);
        let told = bench.refused("a.tar");
        assert!(told.contains("\\u{1b}[31mred"), "{told}");
        assert!(!told.contains(char::is_control), "{told:?}");
    }
}
