use std::time::Instant;

use friday_wire::FleetName;
use friday_wire::data::{Engine, Guarded, Repository, RepositoryPlace};
use friday_wire::frame::Reply;
use friday_wire::id::DatabaseName;
use proptest::prelude::*;

use super::*;

fn beside(base: &std::path::Path) -> Beside {
    Beside { base: base.to_owned(), fleet: FleetName::new("shop") }
}

/// Leaves the program a moment before the connection ends, so that some of what was asked is worked on.
struct Patient<'a> {
    rest: &'a [u8],
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            thread::sleep(Duration::from_millis(5));
        }
        self.rest.read(buffer)
    }
}

fn answers(beside: &Beside, input: &[u8]) -> Vec<Reply<DataAnswer>> {
    let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
    let outlet: Arc<Mutex<dyn Outlet>> = heard.clone();
    let _ = converse(beside, &mut Patient { rest: input }, &outlet, &Arc::default());
    let bytes = heard.lock().unwrap().clone();
    let mut rest = &bytes[..];
    let mut replies = Vec::new();
    loop {
        match frame::read_frame(&mut rest) {
            Ok(Frame::Json(body)) => replies.push(frame::parse(&body).unwrap()),
            Err(frame::FrameError::Closed) => return replies,
            other => panic!("{other:?}"),
        }
    }
}

fn hello(wire: u32, wire_min: u32, fleet: &str) -> DataRequest {
    let fleet = FleetName::new(fleet);
    DataRequest::Hello { wire, wire_min, friday: "1".to_owned(), fleet }
}

fn call(number: u64, request: &DataRequest) -> Vec<u8> {
    frame::json_frame(&Call { number, request }).unwrap()
}

fn list() -> DataRequest {
    let place = RepositoryPlace::Directory { path: None };
    let engine = Engine::Sqlite { path: "/nowhere/shop.db".to_owned() };
    DataRequest::List {
        database: Guarded {
            name: DatabaseName::new("main"),
            engine,
            repository: Repository { place, key: None },
            keep: 3,
            scratch: None,
        },
    }
}

#[test]
fn versions_and_fleets_must_meet() {
    let base = tempfile::tempdir().unwrap();
    let first =
        |request: &DataRequest| answers(&beside(base.path()), &call(1, request)).remove(0).answer;
    assert!(matches!(first(&hello(1, 1, "shop")), DataAnswer::Hello { wire: 1, .. }));
    assert!(matches!(
        first(&hello(9, 1, "shop")),
        DataAnswer::Hello { wire: DATA_WIRE_VERSION, .. }
    ));
    assert!(matches!(first(&hello(9, 9, "shop")), DataAnswer::Failed { .. }));
    assert!(matches!(first(&hello(1, 1, "other")), DataAnswer::Failed { .. }));
    assert!(matches!(first(&list()), DataAnswer::Failed { .. }));
}

#[test]
fn a_connection_that_ended_ends_what_was_asked_at_its_end() {
    // The reader meets the end of the input while the first call is answered: whatever comes, it ends soon.
    let base = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let input = [call(1, &hello(1, 1, "shop")), call(2, &list())].concat();
    let replies = answers(&beside(base.path()), &input);
    assert!(replies.iter().map(|reply| reply.number).is_sorted());
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn what_is_not_understood_is_answered_where_it_has_a_number() {
    let base = tempfile::tempdir().unwrap();
    let odd =
        frame::json_frame(&serde_json::json!({ "number": 7, "request": { "request": "dance" } }));
    let replies = answers(&beside(base.path()), &odd.unwrap());
    assert_eq!(replies[0].number, 7);
    let DataAnswer::Failed { why, .. } = &replies[0].answer else { panic!("{replies:?}") };
    assert!(why.contains("dance"), "{why}");
}

/// Frames of what could be a call, cut and mixed with anything.
fn some_input() -> impl Strategy<Value = Vec<u8>> {
    let path = prop_oneof![
        Just("/nowhere/x.db".to_owned()),
        "[a-z./]{0,12}".prop_map(|p| format!("/nowhere/{p}"))
    ];
    let sane = (0_u64..9, 0_u8..4, path, any::<bool>()).prop_map(|(number, which, path, keyed)| {
        let DataRequest::List { mut database } = list() else { return Vec::new() };
        database.engine = Engine::Sqlite { path };
        database.repository.key =
            keyed.then(|| friday_wire::data::Hidden::new("AGE-SECRET-KEY-1X"));
        let request = match which {
            0 => hello(1, 1, "shop"),
            1 => DataRequest::Examine { database },
            2 => DataRequest::Verify { database, backup: None },
            _ => DataRequest::List { database },
        };
        call(number, &request)
    });
    let any_json = "\\PC{0,80}".prop_map(|text| {
        let mut frame = vec![b'J'];
        frame.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
        frame.extend_from_slice(text.as_bytes());
        frame
    });
    let part =
        prop_oneof![4 => sane, 1 => any_json, 1 => prop::collection::vec(any::<u8>(), 0..64)];
    (prop::collection::vec(part, 0..6), any::<prop::sample::Index>(), any::<bool>()).prop_map(
        |(parts, cut, is_cut)| {
            let mut bytes = parts.concat();
            if is_cut && !bytes.is_empty() {
                bytes.truncate(cut.index(bytes.len()));
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_break_it(bytes in some_input()) {
        let base = tempfile::tempdir().unwrap();
        for reply in answers(&beside(base.path()), &bytes) {
            if let DataAnswer::Failed { why, .. } = reply.answer {
                prop_assert!(!why.is_empty());
            }
        }
    }
}
