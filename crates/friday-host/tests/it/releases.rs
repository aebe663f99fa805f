//! Files and manifests: sent, cut off, damaged, too large; and the tree made of them.

use friday_wire::{Answer, FenceKind, Request, Step, StepState};

use crate::support::Server;
use crate::support::connection::fence;
use crate::support::release::{digest, serving};

#[test]
fn a_cut_transfer_goes_on_over_another_connection() {
    let server = Server::new();
    let bytes: Vec<u8> = (0..400_000_u32).flat_map(u32::to_le_bytes).collect();
    let name = digest(&bytes);
    let mut first = server.connect();
    first.send(Request::Put { digest: name, size: bytes.len() as u64, offset: 0 });
    let packed = zstd::encode_all(&bytes[..], 1).expect("compresses");
    for chunk in packed[..packed.len() / 2].chunks(50_000) {
        first.write(&friday_wire::frame::data_frame(chunk));
    }
    let mut second = server.connect();
    let held = crate::support::until("half of it is here", || {
        let Answer::Missing { files } = second.ask(Request::Missing { files: vec![name] }) else {
            panic!("no list");
        };
        (files[0].1 > 100_000).then(|| files[0].1)
    });
    drop(first);
    let held = usize::try_from(held).expect("fits");
    assert!(held < bytes.len());
    assert_eq!(second.put(name, &bytes, held), Answer::Ok);
    let Answer::Missing { files } = second.ask(Request::Missing { files: vec![name] }) else {
        panic!("no list");
    };
    assert!(files.is_empty());
}

#[test]
fn a_damaged_file_and_a_wrong_offset_are_errors_and_the_connection_goes_on() {
    let server = Server::new();
    let mut connection = server.connect();
    let name = digest(b"right");
    let Answer::Error { why } = connection.put(name, b"wrong", 0) else { panic!("taken") };
    assert!(why.contains("damaged"), "{why}");
    let Answer::Error { why } = connection.put(name, b"right", 3) else { panic!("taken") };
    assert!(why.contains("no offset 3"), "{why}");
    assert_eq!(connection.put(name, b"right", 0), Answer::Ok);
    assert_eq!(connection.put(name, b"right", 0), Answer::Ok, "again is nothing new");
}

#[test]
fn a_request_between_the_pieces_of_a_file_is_answered_at_once() {
    let server = Server::new();
    let mut connection = server.connect();
    let bytes = b"some file".repeat(1_000);
    let put = connection.send(Request::Put { digest: digest(&bytes), size: 9_000, offset: 0 });
    let packed = zstd::encode_all(&bytes[..], 1).expect("compresses");
    let (one, two) = packed.split_at(packed.len() / 2);
    connection.write(&friday_wire::frame::data_frame(one));
    let _ = connection.read();
    connection.write(&friday_wire::frame::data_frame(two));
    connection.write(&friday_wire::frame::data_frame(&[]));
    assert_eq!(connection.answer_to(put), Answer::Ok);
}

#[test]
fn what_does_not_fit_on_the_disk_is_refused_first() {
    let server = Server::new();
    let mut connection = server.connect();
    let free = connection.read().facts.disk_free;
    let put = Request::Put { digest: digest(b"huge"), size: free + 1, offset: 0 };
    let number = connection.send(put);
    let Answer::Error { why } = connection.answer_to(number) else { panic!("taken") };
    assert!(why.contains("not enough disk space"), "{why}");
    connection.write(&friday_wire::frame::data_frame(&[]));
    let _ = connection.read();
}

#[test]
fn a_manifest_is_kept_under_its_own_name_only() {
    let server = Server::new();
    let mut connection = server.connect();
    let (one, two) = (serving("1"), serving("2"));
    let wrong = Request::PutManifest { release: two.id, manifest: one.manifest.clone() };
    let Answer::Error { why } = connection.ask(wrong) else { panic!("taken") };
    assert!(why.contains("hashes to"), "{why}");

    let mut bad = one.manifest.clone();
    bad.tree[0].path = "../escape".to_owned();
    let id = friday_wire::ReleaseId(digest(&bad.identity_bytes()));
    let Answer::Error { why } = connection.ask(Request::PutManifest { release: id, manifest: bad })
    else {
        panic!("taken");
    };
    assert!(why.contains("escape"), "{why}");

    connection.send_release(&one);
    let Answer::Manifest(held) = connection.ask(Request::GetManifest { release: one.id }) else {
        panic!("not kept");
    };
    assert_eq!(*held, one.manifest);
    assert!(matches!(
        connection.ask(Request::GetManifest { release: two.id }),
        Answer::Error { .. }
    ));
}

#[test]
fn a_release_is_staged_from_what_was_sent_and_not_from_less() {
    let server = Server::new();
    let mut connection = server.connect();
    let made = serving("1");
    let push = fence(1, FenceKind::Push);
    connection.open(&push, "r1", Some(made.id));
    let manifest = made.manifest.clone();
    assert_eq!(connection.ask(Request::PutManifest { release: made.id, manifest }), Answer::Ok);
    let state = connection.step(&push, "r1", Step::Stage { release: made.id });
    let StepState::Failed { why, .. } = state else { panic!("staged: {state:?}") };
    assert!(why.contains("was not transferred"), "{why}");

    connection.send_release(&made);
    let again = fence(2, FenceKind::Push);
    connection.open(&again, "r2", Some(made.id));
    let state = connection.step(&again, "r2", Step::Stage { release: made.id });
    assert_eq!(state, StepState::Done);
    let tree = server.dir.join("releases").join(made.id.to_string());
    assert_eq!(std::fs::read(tree.join("version")).expect("reads"), b"1");
    assert_eq!(connection.read().head.held, [made.id]);
    assert_eq!(server.version(), None, "staged is not started");
}
