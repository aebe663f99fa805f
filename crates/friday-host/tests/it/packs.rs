//! Offers and packs over real pipes: what is lacking, what arrives, what is damaged.

use friday_wire::pack::Item;
use friday_wire::{Answer, FenceKind, Lacks, ReleaseId, Request, Step, StepState};

use crate::support::Server;
use crate::support::connection::{Connection, fence};
use crate::support::release::{Made, digest, serving};

fn packed(bytes: &[u8], prefix: &[u8]) -> Vec<u8> {
    let mut context = zstd::zstd_safe::CCtx::create();
    context.ref_prefix(prefix).expect("taken");
    let mut out = Vec::with_capacity(zstd::zstd_safe::compress_bound(bytes.len()));
    context.compress2(&mut out, bytes).expect("compresses");
    out
}

fn offer(connection: &mut Connection, made: &Made, base: Option<&Made>) -> Answer {
    let body = made.manifest.identity_bytes();
    let prefix = base.map(|base| base.manifest.identity_bytes()).unwrap_or_default();
    let length = body.len() as u64;
    let request = Request::Offer { release: made.id, base: base.map(|base| base.id), length };
    connection.send_body(request, &packed(&body, &prefix))
}

fn pack(connection: &mut Connection, release: ReleaseId, items: &[Item<'_>]) -> Answer {
    let mut body = Vec::new();
    items.iter().for_each(|item| item.write_to(&mut body));
    connection.send_body(Request::Pack { release }, &body)
}

/// Everything of a release, each file in pieces.
fn send_whole(connection: &mut Connection, made: &Made) -> Answer {
    let files: Vec<(u32, Vec<Vec<u8>>)> = (0_u32..)
        .zip(made.manifest.files())
        .map(|(place, (name, _))| {
            let pieces = made.files[&name].chunks(100_000).map(|piece| packed(piece, &[]));
            (place, pieces.collect())
        })
        .collect();
    let mut items = Vec::new();
    for (file, pieces) in &files {
        items.push(Item::File { file: *file, offset: 0 });
        items.extend(pieces.iter().map(|packed| Item::Piece { packed }));
        items.push(Item::End);
    }
    pack(connection, made.id, &items)
}

fn all_of(made: &Made) -> Answer {
    let count = u32::try_from(made.files.len()).expect("few");
    Answer::Lacks(Lacks { runs: vec![(0, count)], begun: vec![] })
}

#[test]
fn an_offered_release_arrives_in_one_pack_and_starts() {
    let server = Server::new();
    let mut connection = server.connect();
    let made = serving("one");
    assert_eq!(offer(&mut connection, &made, None), all_of(&made));
    assert_eq!(send_whole(&mut connection, &made), Answer::Ok);
    assert_eq!(offer(&mut connection, &made, Some(&made)), Answer::Ok, "nothing is lacking");
    let fence = fence(1, FenceKind::Push);
    connection.open(&fence, "push-1", Some(made.id));
    let stage = Step::Stage { release: made.id };
    assert_eq!(connection.step(&fence, "push-1", stage), StepState::Done);
}

#[test]
fn a_change_is_made_from_what_is_here() {
    let server = Server::new();
    let mut connection = server.connect();
    let (one, two) = (serving("one"), serving("two"));
    let unknown = Answer::NoBase { known: vec![] };
    assert_eq!(offer(&mut connection, &two, Some(&one)), unknown);
    assert_eq!(offer(&mut connection, &one, None), all_of(&one));
    assert_eq!(send_whole(&mut connection, &one), Answer::Ok);
    let place = |made: &Made, bytes: &[u8]| -> u32 {
        let at = made.manifest.files().position(|(name, _)| name == digest(bytes));
        u32::try_from(at.expect("in it")).expect("small")
    };
    let file = place(&two, b"two");
    let lacks = Answer::Lacks(Lacks { runs: vec![(file, 1)], begun: vec![] });
    assert_eq!(offer(&mut connection, &two, Some(&one)), lacks);
    let items = [
        Item::File { file, offset: 0 },
        Item::Base { file: place(&one, b"one") },
        Item::Patch { offset: 0, length: 3, packed: &packed(b"two", b"one") },
        Item::End,
    ];
    assert_eq!(pack(&mut connection, two.id, &items), Answer::Ok);
    assert_eq!(connection.ask(Request::Verify), verified(&[&one, &two]));
}

fn verified(all: &[&Made]) -> Answer {
    let mut files: std::collections::BTreeMap<_, u64> = std::collections::BTreeMap::new();
    all.iter().for_each(|made| files.extend(made.manifest.files()));
    Answer::Verified(friday_wire::Verified {
        files: (files.len() + all.len()) as u64,
        bytes: files.values().sum(),
        damaged: vec![],
    })
}

#[test]
fn damage_in_the_store_is_found_and_mended_by_the_next_offer() {
    let server = Server::new();
    let mut connection = server.connect();
    let made = serving("one");
    assert_eq!(offer(&mut connection, &made, None), all_of(&made));
    assert_eq!(send_whole(&mut connection, &made), Answer::Ok);
    let name = digest(b"one").to_string();
    let path = server.dir.join("store").join(&name[..2]).join(&name);
    std::fs::write(&path, b"onf").expect("damaged");
    let Answer::Verified(found) = connection.ask(Request::Verify) else { panic!("not read") };
    assert!(found.damaged[0].contains("was damaged"), "{found:?}");
    assert!(!path.exists());
    let Answer::Lacks(lacks) = offer(&mut connection, &made, Some(&made)) else {
        panic!("it is lacking")
    };
    assert_eq!(lacks.runs.len(), 1);
    assert_eq!(send_whole(&mut connection, &made), Answer::Ok);
    assert_eq!(std::fs::read(&path).expect("there"), b"one");
}

#[test]
fn other_requests_are_answered_while_a_pack_is_on_its_way() {
    let server = Server::new();
    let mut connection = server.connect();
    let made = serving("one");
    assert_eq!(offer(&mut connection, &made, None), all_of(&made));
    let number = connection.send(Request::Pack { release: made.id });
    let _ = connection.read();
    connection.write(&friday_wire::frame::data_frame(&[]));
    assert_eq!(connection.answer_to(number), all_of(&made), "an empty pack brings nothing");
}

#[test]
fn nonsense_is_an_error_and_the_connection_goes_on() {
    let server = Server::new();
    let mut connection = server.connect();
    let made = serving("one");
    let Answer::Error { why } = pack(&mut connection, made.id, &[]) else { panic!("taken") };
    assert!(why.contains("was not offered"), "{why}");
    let request = Request::Offer { release: made.id, base: None, length: 10 };
    let Answer::Error { why } = connection.send_body(request, b"not zstd") else { panic!("taken") };
    assert!(why.contains("damaged"), "{why}");
    assert_eq!(offer(&mut connection, &made, None), all_of(&made));
    let items = [Item::File { file: 99, offset: 0 }];
    let Answer::Error { why } = pack(&mut connection, made.id, &items) else { panic!("taken") };
    assert!(why.contains("not in the manifest"), "{why}");
    let Answer::Error { .. } = connection.ask(Request::Recipe { file: digest(b"none") }) else {
        panic!("there is none")
    };
    assert_eq!(send_whole(&mut connection, &made), Answer::Ok);
}
