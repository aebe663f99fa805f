//! Local hosts with the real friday-host: one path with servers, without the network.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;

use friday_edge::bandwidth::Bandwidth;
use friday_edge::fleet::{AskError, ConnectError, Fleet, PutFile};
use friday_edge::progress::{Progress, ProgressSender};
use friday_edge::secrets::{SecretValue, Secrets};
use friday_edge::ship::{ShipFrom, Shipment, ship};
use friday_wire::{Answer, Digest, FleetName, HostName, Request};

use crate::bench::{Bench, LONG, host_program, soon};

fn noise(len: usize) -> Vec<u8> {
    let mut state = 7_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    })
    .take(len)
    .collect()
}

fn from(bench: &Bench, progress: ProgressSender) -> ShipFrom {
    let (stock, secrets) = (bench.stock.clone(), bench.secrets.clone());
    ShipFrom { stock, secrets, bandwidth: Bandwidth::default(), progress }
}

async fn missing(fleet: &Fleet, host: &HostName, digest: Digest) -> Vec<(Digest, u64)> {
    match fleet.ask(host, &Request::Missing { files: vec![digest] }, soon()).await {
        Ok(Answer::Missing { files }) => files,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_host_gets_its_program_once_and_answers_many_calls_on_one_connection() {
    let bench = Bench::new();
    let (sender, progress) = std::sync::mpsc::sync_channel(10_000);
    let mut setup = bench.setup(&["a"], host_program());
    setup.progress = ProgressSender::new(sender);
    let fleet = Fleet::new(setup);
    let host = HostName::new("a");
    let calls = (0..20).map(|_| {
        let (fleet, host) = (fleet.clone(), host.clone());
        tokio::spawn(async move { fleet.ask(&host, &Request::READ, soon()).await })
    });
    for call in calls.collect::<Vec<_>>() {
        let answer = call.await.expect("joined").expect("answered");
        let Answer::Observed(observed) = answer else { panic!("{answer:?}") };
        assert_eq!(observed.head.fleet, FleetName::new("shop"));
    }
    let hello = fleet.connect(&host, soon()).await.expect("open").hello().clone();
    assert_eq!(hello.program, host_program().digest());
    fleet.disconnect(&host).await;
    fleet.ask(&host, &Request::READ, soon()).await.expect("answered");
    let told: Vec<Progress> = progress.try_iter().collect();
    let count = |wanted: fn(&Progress) -> bool| told.iter().filter(|told| wanted(told)).count();
    assert_eq!(count(|told| matches!(told, Progress::Connected { .. })), 2, "{told:?}");
    assert_eq!(
        count(|told| matches!(told, Progress::PuttingHostProgram { sent: 0, .. })),
        1,
        "{told:?}"
    );
}

#[tokio::test]
async fn connections_begun_early_put_nothing_before_somebody_asks() {
    let bench = Bench::new();
    let fleet = bench.fleet(&["a"]);
    fleet.reach_out();
    // As soon as the shell wants the program it has made a directory to put it in.
    let bin = bench.host_directory("a").join("bin");
    let late = soon();
    while !bin.exists() {
        assert!(tokio::time::Instant::now() < late, "no shell came");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let lengths = |bin: &std::path::Path| -> Vec<u64> {
        let files = fs::read_dir(bin).expect("there");
        files.map(|file| file.expect("read").metadata().expect("there").len()).collect()
    };
    assert_eq!(lengths(&bin).iter().sum::<u64>(), 0, "nobody asked yet");
    fleet.ask(&HostName::new("a"), &Request::READ, soon()).await.expect("answered");
    let program = bin.join(format!("friday-host-{}", host_program().sha256()));
    assert_eq!(fs::read(&program).expect("there"), host_program().bytes());
}

#[tokio::test]
async fn a_changed_program_is_not_run_but_put_again() {
    let bench = Bench::new();
    let bin = bench.host_directory("a").join("bin");
    fs::create_dir_all(&bin).expect("made");
    let program = bin.join(format!("friday-host-{}", host_program().sha256()));
    let witness = bench.path().join("was-run");
    fs::write(&program, format!("#!/bin/sh\ntouch {}\n", witness.display())).expect("written");
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .expect("set");
    let fleet = bench.fleet(&["a"]);
    fleet.ask(&HostName::new("a"), &Request::READ, soon()).await.expect("answered");
    assert!(!witness.exists());
    assert_eq!(fs::read(&program).expect("there"), host_program().bytes());
}

#[tokio::test]
async fn a_directory_of_another_fleet_is_refused_in_words() {
    let bench = Bench::new();
    let host = HostName::new("a");
    bench.fleet(&["a"]).ask(&host, &Request::READ, soon()).await.expect("answered");
    let mut setup = bench.setup(&["a"], host_program());
    setup.fleet = FleetName::new("other");
    let error = Fleet::new(setup).ask(&host, &Request::READ, soon()).await.expect_err("refused");
    let AskError::NotSent(ConnectError::Refused { why }) = &error else { panic!("{error:?}") };
    assert!(why.contains("shop"), "{why}");
}

#[tokio::test]
async fn a_release_arrives_with_manifest_and_secrets_and_nothing_goes_twice() {
    let bench = Bench::new();
    let release = bench.release(&[("big", &noise(3_000_000)), ("small", b"x"), ("none", b"")]);
    let values = BTreeMap::from([("KEY".to_owned(), SecretValue::new("hunter2"))]);
    let version = bench.secrets.keep(&Secrets { values }).expect("kept");
    let fleet = bench.fleet(&["a"]);
    let host = HostName::new("a");
    let shipment = Shipment { host, release: release.release, secrets: Some(version.clone()) };
    let (sender, progress) = std::sync::mpsc::sync_channel(1_000);
    let from = from(&bench, ProgressSender::new(sender));
    ship(&fleet, &from, &shipment, soon()).await.expect("shipped");
    let told: Vec<Progress> = progress.try_iter().collect();
    let mut done = told.iter().filter_map(|told| match told {
        Progress::Shipping { done, total, .. } => Some((*done, *total)),
        _ => None,
    });
    assert_eq!(done.next_back(), Some((3_000_001, 3_000_001)));
    let manifest = Request::GetManifest { release: release.release };
    let answer = fleet.ask(&shipment.host, &manifest, soon()).await.expect("answered");
    assert_eq!(answer, Answer::Manifest(Box::new(release.manifest.clone())));
    let kept = bench.host_directory("a").join(format!("secrets/{version}.json"));
    assert!(fs::read_to_string(kept).expect("there").contains("hunter2"));
    ship(&fleet, &from, &shipment, soon()).await.expect("shipped again");
    let again: Vec<Progress> = progress.try_iter().collect();
    assert!(!again.iter().any(|told| matches!(told, Progress::Shipping { .. })), "{again:?}");
}

/// Ends for a while after so many bytes, as a cut line does.
struct Cut<R> {
    inner: R,
    left: usize,
}

impl<R: std::io::Read> std::io::Read for Cut<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 {
            return Err(std::io::Error::other("cut"));
        }
        let most = buffer.len().min(self.left);
        let got = self.inner.read(&mut buffer[..most])?;
        self.left -= got;
        Ok(got)
    }
}

#[tokio::test]
async fn a_transfer_that_was_cut_goes_on_where_it_stopped() {
    let bench = Bench::new();
    let content = noise(6_000_000);
    let release = bench.release(&[("big", &content)]);
    let fleet = bench.fleet(&["a"]);
    let host = HostName::new("a");
    let (digest, size) = release.manifest.files().next().expect("one");
    let reader = bench.stock.read_compressed(&digest, 0).expect("opened");
    let connection = fleet.connect(&host, soon()).await.expect("open");
    let file = PutFile { digest, size, offset: 0 };
    // Whole pieces only are sent: three of them.
    let cut = Cut { inner: reader, left: 3 * 1024 * 1024 };
    connection.put(file, cut, soon(), |_| {}).await.expect_err("cut");
    // Calls overtake pieces: ask until the host has unpacked what was sent.
    let held = tokio::time::timeout(LONG, async {
        loop {
            match missing(&fleet, &host, digest).await[..] {
                [(found, held)] if found == digest && held >= 2_000_000 => break held,
                _ => tokio::task::yield_now().await,
            }
        }
    });
    let held = held.await.expect("in time");
    assert!(held < size);
    let (sender, progress) = std::sync::mpsc::sync_channel(1_000);
    let shipment = Shipment { host: host.clone(), release: release.release, secrets: None };
    let from = from(&bench, ProgressSender::new(sender));
    ship(&fleet, &from, &shipment, soon()).await.expect("shipped");
    let total = progress.try_iter().find_map(|told| match told {
        Progress::Shipping { total, .. } => Some(total),
        _ => None,
    });
    assert!(total.is_some_and(|total| total > 0 && total <= size - held), "{total:?}");
    assert!(missing(&fleet, &host, digest).await.is_empty());
    let mut stored = Vec::new();
    let name = digest.to_string();
    let path = bench.host_directory("a").join("store").join(&name[..2]).join(&name);
    fs::File::open(path).expect("there").read_to_end(&mut stored).expect("read");
    assert!(stored == content);
}

#[tokio::test]
async fn a_shipment_outlives_its_connection() {
    let bench = Bench::new();
    let release = bench.release(&[("big", &noise(60_000_000))]);
    let fleet = bench.fleet(&["a"]);
    let (sender, progress) = std::sync::mpsc::sync_channel(1_000);
    let from = from(&bench, ProgressSender::new(sender));
    let shipment = Shipment { host: HostName::new("a"), release: release.release, secrets: None };
    let shipping = tokio::spawn({
        let (fleet, shipment) = (fleet.clone(), shipment.clone());
        async move { ship(&fleet, &from, &shipment, soon()).await }
    });
    let (done, total) = tokio::task::spawn_blocking(move || {
        loop {
            match progress.recv_timeout(LONG).expect("progress") {
                Progress::Shipping { done, total, .. } if done > 0 => break (done, total),
                _ => {}
            }
        }
    })
    .await
    .expect("under way");
    let killed = bench.kill("connect");
    assert!(done < total, "{done} of {total}");
    assert_eq!(killed, 1);
    shipping.await.expect("joined").expect("shipped");
    let (digest, _) = release.manifest.files().next().expect("one");
    assert!(missing(&fleet, &shipment.host, digest).await.is_empty());
}

#[tokio::test]
async fn a_stock_that_lost_a_file_says_so() {
    let bench = Bench::new();
    let release = bench.release(&[("a", b"x")]);
    fs::remove_dir_all(bench.state.path().join("store")).expect("removed");
    let shipment = Shipment { host: HostName::new("a"), release: release.release, secrets: None };
    let from = from(&bench, ProgressSender::nobody());
    let error = ship(&bench.fleet(&["a"]), &from, &shipment, soon()).await.expect_err("lost");
    assert!(error.to_string().contains("push the release again"), "{error}");
}

#[tokio::test]
async fn a_program_that_was_changed_after_it_was_checked_is_put_again() {
    let bench = Bench::new();
    let host = HostName::new("a");
    bench.fleet(&["a"]).ask(&host, &Request::READ, soon()).await.expect("answered");
    let bin = bench.host_directory("a").join("bin");
    let program = bin.join(format!("friday-host-{}", host_program().sha256()));
    let mark = bin.join(format!("friday-host-{}.ok", host_program().sha256()));
    assert!(mark.exists(), "a program that was checked is marked");
    // Beside it and over it: the serving process runs from the file that was there.
    let changed = bin.join("changed");
    fs::write(&changed, "#!/bin/sh\nexit 1\n").expect("written");
    fs::set_permissions(&changed, std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .expect("set");
    fs::rename(&changed, &program).expect("renamed");
    bench.fleet(&["a"]).ask(&host, &Request::READ, soon()).await.expect("answered again");
    assert_eq!(fs::read(&program).expect("there"), host_program().bytes());
}
