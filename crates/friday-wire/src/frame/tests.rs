use proptest::prelude::*;

use super::*;
use crate::fence::Fence;

fn call() -> Call {
    Call { number: 7, request: Request::Observe { fence: Fence::zero(), seal: None } }
}

#[test]
fn what_is_written_is_read() {
    let mut wire = Vec::new();
    write_json(&mut wire, &call()).expect("written");
    wire.extend(data_frame(b"bytes"));
    wire.extend(data_frame(b""));
    let mut reader = wire.as_slice();
    match read_frame(&mut reader).expect("a frame") {
        Frame::Json(body) => assert_eq!(parse::<Call>(&body).expect("a call"), call()),
        other @ Frame::Data(_) => panic!("{other:?}"),
    }
    assert_eq!(read_frame(&mut reader).expect("a frame"), Frame::Data(b"bytes".to_vec()));
    assert_eq!(read_frame(&mut reader).expect("a frame"), Frame::Data(Vec::new()));
    assert!(matches!(read_frame(&mut reader), Err(FrameError::Closed)));
}

#[test]
fn garbage_is_shown_and_not_guessed_at() {
    let mut reader = b"Last login: Friday".as_slice();
    match read_frame(&mut reader) {
        Err(FrameError::Garbage(shown)) => assert_eq!(shown, "Last "),
        other => panic!("{other:?}"),
    }
    let mut reader = b"\x1b[2J\n".as_slice();
    match read_frame(&mut reader) {
        Err(FrameError::Garbage(shown)) => assert!(!shown.contains('\x1b'), "{shown}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn lengths_no_honest_peer_sends_are_refused_before_any_memory_is_taken() {
    let too_long = |kind: u8, length: u32| {
        let [a, b, c, d] = length.to_be_bytes();
        parse_frame_head([kind, a, b, c, d])
    };
    let data_max = u32::try_from(DATA_LEN_MAX).expect("small");
    let json_max = u32::try_from(JSON_LEN_MAX).expect("small");
    assert!(matches!(too_long(b'D', data_max + 1), Err(FrameError::TooLong(_))));
    assert!(matches!(too_long(b'J', json_max + 1), Err(FrameError::TooLong(_))));
    assert!(matches!(too_long(b'J', u32::MAX), Err(FrameError::TooLong(_))));
    assert!(too_long(b'D', data_max).is_ok());
    assert!(too_long(b'J', json_max).is_ok());
}

#[test]
fn a_frame_that_is_cut_is_an_error() {
    let whole = json_frame(&call()).expect("a frame");
    for end in 1..whole.len() {
        let mut reader = &whole[..end];
        assert!(matches!(read_frame(&mut reader), Err(FrameError::Io(_))), "cut at {end}");
    }
}

#[test]
fn a_message_of_another_version_is_an_error() {
    assert!(matches!(parse::<Call>(b"{\"number\":1}"), Err(FrameError::Json(_))));
    let unknown = br#"{"number":1,"request":{"ask":"dance"}}"#;
    assert!(matches!(parse::<Call>(unknown), Err(FrameError::Json(_))));
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut reader = bytes.as_slice();
        while let Ok(frame) = read_frame(&mut reader) {
            if let Frame::Json(body) = frame {
                let _ = parse::<Call>(&body);
                let _ = parse::<Reply>(&body);
            }
        }
    }

    #[test]
    fn data_survives(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let frame = data_frame(&bytes);
        prop_assert_eq!(read_frame(&mut frame.as_slice()).expect("a frame"), Frame::Data(bytes));
    }
}
