//! gRPC's frames: five bytes of head (whether it is compressed, its length), then a message.

use anyhow::{Result, ensure};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;

const HEAD: usize = 5;

/// A message in its frame.
pub fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(HEAD + length);
    frame.put_u8(0);
    frame.put_u32(length as u32);
    // A vector grows as needed: encoding into it cannot fail.
    let _ = message.encode(&mut frame);
    frame.freeze()
}

/// Takes the first frame's message out of `bytes`; None while it is not complete.
pub fn next(bytes: &mut BytesMut) -> Result<Option<Bytes>> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() else {
        return Ok(None);
    };
    let [compressed, length @ ..] = *head;
    ensure!(
        compressed == 0,
        "a compressed gRPC frame, which was not asked for"
    );
    let length = u32::from_be_bytes(length) as usize;
    if rest.len() < length {
        return Ok(None);
    }
    bytes.advance(HEAD);
    Ok(Some(bytes.split_to(length).freeze()))
}

/// The message of an answer that is one frame.
pub fn only(bytes: Bytes) -> Result<Bytes> {
    let mut bytes = BytesMut::from(bytes);
    let message = next(&mut bytes)?;
    ensure!(bytes.is_empty(), "an answer that is not one gRPC frame");
    message.ok_or_else(|| anyhow::anyhow!("an answer without a gRPC frame"))
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
    fn a_frame_is_read_as_it_was_written() {
        let message = only(framed(&vote())).unwrap();
        assert_eq!(Vote::decode(message).unwrap(), vote());
        for bad in [&b"\0\0\0\0\x09x"[..], b"\x01\0\0\0\0", b"", b"\0\0\0\0\0x"] {
            assert!(only(Bytes::from_static(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn frames_are_found_however_they_are_cut() {
        let frame = framed(&vote());
        let all = [&frame[..], &frame[..]].concat();
        for cut in 0..all.len() {
            let mut bytes = BytesMut::from(&all[..cut]);
            let mut messages = 0;
            while next(&mut bytes).unwrap().is_some() {
                messages += 1;
            }
            bytes.extend_from_slice(&all[cut..]);
            while next(&mut bytes).unwrap().is_some() {
                messages += 1;
            }
            assert_eq!((messages, bytes.len()), (2, 0));
        }
    }
}
