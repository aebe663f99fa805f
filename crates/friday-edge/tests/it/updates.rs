//! Updates over real pipes: what differs travels, what is damaged is mended, and files come out as
//! they are, whatever was done to them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use friday_edge::bandwidth::Bandwidth;
use friday_edge::fleet::Fleet;
use friday_edge::progress::{Progress, ProgressSender};
use friday_edge::release_source::SourcedRelease;
use friday_edge::ship::{ShipFrom, Shipment, ship, ship_speaking};
use friday_edge::stock::Stock;
use friday_wire::{
    Answer, Digest, FenceKind, HostName, Migration, OpenRollout, Request, RolloutId, RolloutKind,
    Step, StepKey, StepName, StepState,
};

use crate::bench::{Bench, fence, soon};

fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    })
    .take(len)
    .collect()
}

fn from(bench: &Bench, stock: &Stock, progress: ProgressSender) -> ShipFrom {
    let (stock, secrets) = (stock.clone(), bench.secrets.clone());
    ShipFrom { stock, secrets, bandwidth: Bandwidth::default(), progress }
}

fn to(host: &str, release: &SourcedRelease) -> Shipment {
    Shipment { host: HostName::new(host), release: release.release, secrets: None }
}

/// As a push does it: raised and opened first, so that what the host has is known; then shipped, and
/// its tree built.
async fn push(fleet: &Fleet, from: &ShipFrom, release: &SourcedRelease, number: u64) {
    let host = HostName::new("a");
    let fence = fence(number, FenceKind::Push);
    let raise = Request::Raise {
        fence: fence.clone(),
        lease: None,
        keeper: host.clone(),
        keeper_fence: None,
        witness: None,
    };
    let raised = fleet.ask(&host, &raise, soon()).await;
    assert!(matches!(raised, Ok(Answer::Raised(_))), "{raised:?}");
    let id = RolloutId::new(format!("push-{number}"));
    let rollout = OpenRollout {
        id: id.clone(),
        kind: RolloutKind::Push,
        release: Some(release.release),
        returns_to: None,
        leaves: None,
        migration: Migration::NotBegun,
    };
    let open = Request::Open { fence: fence.clone(), rollout, once: BTreeMap::new() };
    assert_eq!(fleet.ask(&host, &open, soon()).await.expect("answered"), Answer::Ok);
    ship(fleet, from, &to("a", release), soon()).await.expect("shipped");
    let key = StepKey { rollout: id, step: StepName::Stage, attempt: 1 };
    let step = Step::Stage { release: release.release };
    let staged = fleet.ask(&host, &Request::Do { fence, key, step }, soon()).await;
    let Ok(Answer::Step(report)) = staged else { panic!("{staged:?}") };
    assert_eq!(report.state, StepState::Done);
}

fn stored(bench: &Bench, digest: Digest) -> PathBuf {
    let name = digest.to_string();
    bench.host_directory("a").join("store").join(&name[..2]).join(name)
}

fn digest(bytes: &[u8]) -> Digest {
    friday_core::release::digest(bytes)
}

fn assert_stored(bench: &Bench, files: &[&[u8]]) {
    for bytes in files {
        let found = fs::read(stored(bench, digest(bytes))).expect("stored");
        assert!(found == *bytes, "{} bytes", bytes.len());
    }
}

/// The file of a release's tree.
fn in_tree(bench: &Bench, release: &SourcedRelease, path: &str) -> Vec<u8> {
    let tree = bench.host_directory("a").join("releases").join(release.release.to_string());
    fs::read(tree.join(path)).expect("in the tree")
}

#[tokio::test]
async fn a_file_lives_through_many_edits() {
    let bench = Bench::new();
    let fleet = bench.fleet(&["a"]);
    let mut file = noise(3_000_000, 1);
    let mut sent = Vec::new();
    let from = from(&bench, &bench.stock, ProgressSender::nobody());
    for turn in 0..6_u64 {
        let release = bench.release(&[("app", &file), ("same", b"same")]);
        push(&fleet, &from, &release, turn + 1).await;
        assert!(in_tree(&bench, &release, "app") == file);
        assert_stored(&bench, &[&file, b"same"]);
        sent.push(file.clone());
        let at = usize::try_from(turn).expect("small") * 400_000;
        match turn % 3 {
            0 => file.splice(at..at, noise(50_000, turn + 7)).for_each(drop),
            1 => file.drain(at..at + 70_000).for_each(drop),
            _ => file[at..at + 9_000].copy_from_slice(&noise(9_000, turn + 7)),
        }
    }
    let all: Vec<&[u8]> = sent.iter().map(Vec::as_slice).collect();
    assert_stored(&bench, &all);
}

#[tokio::test]
async fn damage_in_the_hosts_store_is_mended_by_the_next_update() {
    let bench = Bench::new();
    let fleet = bench.fleet(&["a"]);
    let (before, kept) = (noise(2_000_000, 1), noise(400_000, 2));
    let old = bench.release(&[("app", &before), ("kept", &kept), ("small", b"small")]);
    let from = from(&bench, &bench.stock, ProgressSender::nobody());
    push(&fleet, &from, &old, 1).await;
    // The base of the change, and two files that do not change.
    for bytes in [&before[..], &kept, b"small"] {
        let path = stored(&bench, digest(bytes));
        let mut bad = bytes.to_vec();
        bad[bytes.len() / 2] ^= 4;
        fs::write(path, bad).expect("damaged");
    }
    let mut after = before.clone();
    after[500_000..500_100].copy_from_slice(&noise(100, 3));
    let new = bench.release(&[("app", &after), ("kept", &kept), ("small", b"small")]);
    push(&fleet, &from, &new, 2).await;
    assert!(in_tree(&bench, &new, "kept") == kept);
    assert_stored(&bench, &[&after, &kept, b"small"]);
}

#[tokio::test]
async fn a_fresh_machine_sends_what_differs_by_the_hosts_recipe() {
    let bench = Bench::new();
    let fleet = bench.fleet(&["a"]);
    let before = noise(4_000_000, 1);
    let first = from(&bench, &bench.stock, ProgressSender::nobody());
    push(&fleet, &first, &bench.release(&[("app", &before)]), 1).await;
    // Nothing of before is in the stock any more: as on a build machine that is made anew each time.
    fs::remove_dir_all(bench.state.path().join("store")).expect("removed");
    fs::remove_dir_all(bench.state.path().join("releases")).expect("removed");
    let stock = Stock::open(&bench.state).expect("opened");
    let mut after = before.clone();
    after.splice(1_000_000..1_000_000, noise(10_000, 2));
    let new = bench.release(&[("app", &after)]);
    let second = from(&bench, &stock, ProgressSender::nobody());
    push(&fleet, &second, &new, 2).await;
    assert_stored(&bench, &[&after]);
    assert!(stock.kept().recipe(&digest(&before)).is_some(), "the host was asked for it");
}

#[tokio::test]
async fn a_host_of_the_older_protocol_gets_whole_files() {
    let bench = Bench::new();
    let fleet = bench.fleet(&["a"]);
    let (big, small) = (noise(1_000_000, 1), noise(1_000, 2));
    let release = bench.release(&[("big", &big), ("small", &small), ("none", b"")]);
    let from = from(&bench, &bench.stock, ProgressSender::nobody());
    ship_speaking(1, &fleet, &from, &to("a", &release), soon()).await.expect("shipped");
    assert_stored(&bench, &[&big, &small, b""]);
    let manifest = Request::GetManifest { release: release.release };
    let answer = fleet.ask(&HostName::new("a"), &manifest, soon()).await.expect("answered");
    assert_eq!(answer, Answer::Manifest(Box::new(release.manifest.clone())));
}

#[tokio::test]
async fn many_small_files_and_equal_ones_arrive() {
    let bench = Bench::new();
    let fleet = bench.fleet(&["a"]);
    let files: Vec<(String, Vec<u8>)> =
        (0..3_000).map(|at| (format!("f{at}"), format!("{}", at / 2).into_bytes())).collect();
    let listed: Vec<(&str, &[u8])> =
        files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let release = bench.release(&listed);
    let (sender, progress) = std::sync::mpsc::sync_channel(100);
    let from = from(&bench, &bench.stock, ProgressSender::new(sender));
    ship(&fleet, &from, &to("a", &release), soon()).await.expect("shipped");
    let total = progress.try_iter().find_map(|told| match told {
        Progress::Shipping { total, .. } => Some(total),
        _ => None,
    });
    let distinct: u64 = release.manifest.files().map(|(_, size)| size).sum();
    assert_eq!(total, Some(distinct), "equal files go once");
    let all: Vec<&[u8]> = files.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    assert_stored(&bench, &all);
}
