//! What must hold for any bytes at all: called by fuzzers, and by the tests, which replay what fuzzers
//! found. Compiled for nobody else. A function here panics where something does not hold.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Request;
use crate::frame::{self, Call, DATA_LEN_MAX, Frame, Reply};

/// The first byte of an input whose frames want their heads: a fuzzer cannot guess lengths.
const WANTS_HEADS: u8 = 0x01;

/// Between two frames of such an input; no UTF-8 has it.
const NEXT_FRAME: u8 = 0xff;

/// The bytes of a connection that an input stands for.
pub fn connection(input: &[u8]) -> Vec<u8> {
    let Some((&WANTS_HEADS, frames)) = input.split_first() else { return input.to_vec() };
    let mut bytes = Vec::new();
    for piece in frames.split(|byte| *byte == NEXT_FRAME) {
        let Some((kind, body)) = piece.split_first() else { continue };
        bytes.push(*kind);
        bytes.extend_from_slice(&(body.len() as u32).to_be_bytes());
        bytes.extend_from_slice(body);
    }
    bytes
}

/// What either end reads from a connection: frame after frame, and both envelopes in each.
pub fn frames(input: &[u8]) {
    let bytes = connection(input);
    let mut rest = bytes.as_slice();
    loop {
        let before = rest.len();
        match frame::read_frame(&mut rest) {
            Ok(Frame::Json(body)) => envelope(&body),
            Ok(Frame::Data(body)) => assert!(body.len() <= DATA_LEN_MAX),
            Err(error) => {
                assert!(!error.to_string().is_empty());
                return;
            }
        }
        assert!(rest.len() < before, "a frame took no bytes");
    }
}

fn envelope(body: &[u8]) {
    if let Ok(call) = frame::parse::<Call>(body) {
        again(&call);
        if let Request::PutManifest { manifest, .. } = &call.request
            && manifest.check().is_ok()
        {
            assert!(!manifest.identity_bytes().is_empty());
        }
    }
    if let Ok(reply) = frame::parse::<Reply>(body) {
        again(&reply);
    }
}

/// What was understood can be said again, and means the same.
fn again<M: Serialize + DeserializeOwned + PartialEq + Debug>(message: &M) {
    let bytes = frame::json_frame(message).expect("what was read is short enough to be written");
    let read = frame::read_frame(&mut bytes.as_slice());
    let Ok(Frame::Json(body)) = read else { panic!("{read:?}") };
    assert_eq!(frame::parse::<M>(&body).expect("our own words"), *message);
}

#[cfg(test)]
mod tests;
