//! Frames on a connection: 1 byte kind, 4 bytes length (big-endian), payload.
//!
//! `J` carries one JSON envelope, `D` raw bytes of a file. A connection that sends anything else is
//! not friday's; it is closed with the bytes shown, never guessed at.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::request::Request;

/// The largest JSON payload: a manifest of a million files fits.
pub const JSON_LEN_MAX: usize = 256 * 1024 * 1024;

/// The largest data payload. Small, so that a confirm never waits long behind a file.
pub const DATA_LEN_MAX: usize = 1024 * 1024;

/// What `friday-host connect` writes before its first frame, so that a talkative shell profile
/// before it can be skipped.
pub const PREAMBLE: &[u8; 16] = b"\x00friday-host/1\r\n";

/// A request and the number its answer will carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call<R = Request> {
    /// Rises per connection.
    pub number: u64,
    /// What is asked.
    pub request: R,
}

/// An answer to the call of that number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply<A = Answer> {
    /// The call's.
    pub number: u64,
    /// What is answered.
    pub answer: A,
}

/// A frame as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A JSON envelope, not yet parsed.
    Json(Vec<u8>),
    /// Bytes of the file that the last `Put` announced. An empty one ends the file.
    Data(Vec<u8>),
}

/// Why a frame could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The connection ended between two frames.
    #[error("the connection was closed")]
    Closed,
    /// The connection ended or broke inside a frame.
    #[error("the connection broke")]
    Io(#[source] io::Error),
    /// Not a frame at all.
    #[error("expected a frame, got `{0}`")]
    Garbage(String),
    /// A length no honest peer sends.
    #[error("a frame of {0} bytes is larger than allowed")]
    TooLong(usize),
    /// A frame, but not an envelope this version knows.
    #[error("a message could not be understood")]
    Json(#[source] serde_json::Error),
}

/// The head of a frame: kind and payload length, checked.
///
/// # Errors
/// `Garbage` and `TooLong`.
pub fn parse_frame_head(head: [u8; 5]) -> Result<(u8, usize), FrameError> {
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    let most = match head[0] {
        b'J' => JSON_LEN_MAX,
        b'D' => DATA_LEN_MAX,
        _ => {
            return Err(FrameError::Garbage(
                String::from_utf8_lossy(&head).escape_default().to_string(),
            ));
        }
    };
    if length > most {
        return Err(FrameError::TooLong(length));
    }
    Ok((head[0], length))
}

/// A JSON frame, ready to be written.
///
/// # Errors
/// `TooLong`, when the message is larger than a peer would accept.
pub fn json_frame(message: &impl Serialize) -> Result<Vec<u8>, FrameError> {
    let body = serde_json::to_vec(message).map_err(FrameError::Json)?;
    if body.len() > JSON_LEN_MAX {
        return Err(FrameError::TooLong(body.len()));
    }
    Ok(with_head(b'J', &body))
}

/// A data frame, ready to be written. `bytes` is at most [`DATA_LEN_MAX`] long.
pub fn data_frame(bytes: &[u8]) -> Vec<u8> {
    with_head(b'D', bytes)
}

fn with_head(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(5 + body.len());
    frame.push(kind);
    // Callers keep to the limits above, which fit into 32 bits.
    frame.extend_from_slice(&(body.len() as u32).to_be_bytes());
    frame.extend_from_slice(body);
    frame
}

/// Reads one frame from a blocking reader.
///
/// # Errors
/// Any [`FrameError`] but `Json`.
pub fn read_frame(reader: &mut impl Read) -> Result<Frame, FrameError> {
    let mut head = [0_u8; 5];
    match reader.read(&mut head[..1]).map_err(FrameError::Io)? {
        0 => return Err(FrameError::Closed),
        _ => reader.read_exact(&mut head[1..]).map_err(FrameError::Io)?,
    }
    let (kind, length) = parse_frame_head(head)?;
    // Grows as bytes arrive: a length alone must not reserve 256 MiB, but it may what data has.
    let mut body = Vec::with_capacity(length.min(DATA_LEN_MAX));
    let got = reader.take(length as u64).read_to_end(&mut body).map_err(FrameError::Io)?;
    if got < length {
        return Err(FrameError::Io(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(if kind == b'J' { Frame::Json(body) } else { Frame::Data(body) })
}

/// Writes one JSON frame to a blocking writer and flushes it.
///
/// # Errors
/// `Io` and `TooLong`.
pub fn write_json(writer: &mut impl Write, message: &impl Serialize) -> Result<(), FrameError> {
    writer.write_all(&json_frame(message)?).map_err(FrameError::Io)?;
    writer.flush().map_err(FrameError::Io)
}

/// Parses an envelope.
///
/// # Errors
/// `Json`.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    serde_json::from_slice(body).map_err(FrameError::Json)
}

#[cfg(test)]
mod tests;
