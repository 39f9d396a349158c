//! gRPC frames: a five-byte header (compression flag and length), then a message.

use anyhow::{Result, ensure};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;

const HEADER_BYTES: usize = 5;

/// Encodes a message in a frame.
pub fn encode(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(HEADER_BYTES + length);
    frame.put_u8(0);
    frame.put_u32(length as u32);
    // The buffer grows as needed, so encoding cannot fail.
    let _ = message.encode(&mut frame);
    frame.freeze()
}

/// Removes the first frame from `bytes` and returns its message; `None` if the frame is incomplete.
pub fn decode_next(bytes: &mut BytesMut) -> Result<Option<Bytes>> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    let [compressed, length @ ..] = *header;
    ensure!(
        compressed == 0,
        "the gRPC frame is compressed, but the request did not accept compression"
    );
    let length = u32::from_be_bytes(length) as usize;
    if rest.len() < length {
        return Ok(None);
    }
    bytes.advance(HEADER_BYTES);
    Ok(Some(bytes.split_to(length).freeze()))
}

/// Returns the message of an answer that consists of exactly one frame.
pub fn decode_single(bytes: Bytes) -> Result<Bytes> {
    let mut bytes = BytesMut::from(bytes);
    let message = decode_next(&mut bytes)?;
    ensure!(
        bytes.is_empty(),
        "the answer is not exactly one complete gRPC frame"
    );
    message.ok_or_else(|| anyhow::anyhow!("the answer contains no gRPC frame"))
}

#[cfg(test)]
mod tests {
    use proto::votes::Vote;

    use super::*;

    fn vote() -> Vote {
        Vote {
            name: "Bohemia Suburbana".to_owned(),
            album: "Mil Palabras Con Sus Dientes".to_owned(),
            year: "1995".to_owned(),
            rank: "9.5".to_owned(),
            vote_id: String::new(),
        }
    }

    #[test]
    fn encoded_frame_decodes_to_the_same_message() {
        let message = decode_single(encode(&vote())).unwrap();
        assert_eq!(Vote::decode(message).unwrap(), vote());
    }

    #[test]
    fn malformed_frames_are_rejected() {
        for invalid in [&b"\0\0\0\0\x09x"[..], b"\x01\0\0\0\0", b"", b"\0\0\0\0\0x"] {
            assert!(decode_single(Bytes::from_static(invalid)).is_err(), "{invalid:?}");
        }
    }

    #[test]
    fn frames_decode_at_any_split_of_the_bytes() {
        let frame = encode(&vote());
        let all = [&frame[..], &frame[..]].concat();
        for cut in 0..all.len() {
            let mut bytes = BytesMut::from(&all[..cut]);
            let mut messages = 0;
            while decode_next(&mut bytes).unwrap().is_some() {
                messages += 1;
            }
            bytes.extend_from_slice(&all[cut..]);
            while decode_next(&mut bytes).unwrap().is_some() {
                messages += 1;
            }
            assert_eq!((messages, bytes.len()), (2, 0));
        }
    }
}
