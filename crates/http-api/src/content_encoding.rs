//! Compressed request bodies.

use std::fmt::Display;
use std::io::Read;

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use flate2::bufread::GzDecoder;
use ingest::{BodyBuffer, IngestError, MAX_BATCH_VOTES, MemoryReservation};

use crate::body::BodyLimit;

/// The value of `Accept-Encoding` in a response to an unsupported encoding.
pub(crate) const ACCEPTED: &str = "gzip, identity";
/// How many bytes to decompress before the next check of the limits.
const CHUNK_BYTES: usize = 4 * 1024;
/// Maximum number of members of a gzip body: one for each vote of the largest batch. Each costs time even if it is empty.
const MAX_MEMBERS: usize = MAX_BATCH_VOTES;

/// The encoding of a request body on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentEncoding {
    Identity,
    Gzip,
}

impl ContentEncoding {
    /// Reads `Content-Encoding`: one list, also if it is in several fields. `x-gzip` is an old name of gzip (RFC 9110).
    pub(crate) fn from_headers(headers: &HeaderMap) -> Result<Self, IngestError> {
        let mut encoding = Self::Identity;
        for value in headers.get_all(header::CONTENT_ENCODING) {
            let list = value.to_str().map_err(|_| IngestError::UnsupportedEncoding)?;
            for name in list.split(',').map(str::trim) {
                let is_gzip = name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip");
                if name.is_empty() || name.eq_ignore_ascii_case("identity") {
                    continue;
                }
                if !is_gzip || encoding == Self::Gzip {
                    return Err(IngestError::UnsupportedEncoding);
                }
                encoding = Self::Gzip;
            }
        }
        Ok(encoding)
    }

    /// The body without its encoding. The limit and the memory budget apply to the decompressed bytes while they are
    /// produced, so that a small body cannot expand without bound.
    pub(crate) fn decode(
        self,
        body: Bytes,
        limit: &BodyLimit,
        reservation: &mut MemoryReservation,
    ) -> Result<Bytes, IngestError> {
        match self {
            Self::Identity => Ok(body),
            Self::Gzip => decompress(body, limit, reservation),
        }
    }
}

/// Decompresses a complete body. The decoder, about 50 KiB, exists only during this call: a client that sends slowly
/// occupies no more memory than its bytes. A body of several members is their concatenation (RFC 1952).
fn decompress(
    body: Bytes,
    limit: &BodyLimit,
    reservation: &mut MemoryReservation,
) -> Result<Bytes, IngestError> {
    let mut compressed = &*body;
    let mut decompressed = BodyBuffer::default();
    let mut members = 0;
    while members == 0 || !compressed.is_empty() {
        members += 1;
        if members > MAX_MEMBERS {
            return Err(malformed(format_args!("more than {MAX_MEMBERS} members")));
        }
        let member = GzDecoder::new(&mut compressed);
        decompress_member(member, &mut decompressed, limit, reservation)?;
    }
    drop(body);
    reservation.replace(decompressed.len());
    Ok(decompressed.into_vec().into())
}

fn decompress_member(
    mut member: GzDecoder<&mut &[u8]>,
    decompressed: &mut BodyBuffer,
    limit: &BodyLimit,
    reservation: &mut MemoryReservation,
) -> Result<(), IngestError> {
    let mut chunk = [0; CHUNK_BYTES];
    loop {
        let length = member.read(&mut chunk).map_err(malformed)?;
        if length == 0 {
            return Ok(());
        }
        if decompressed.len() + length > limit.bytes {
            return Err(limit.too_large.clone());
        }
        decompressed.push(chunk.get(..length).unwrap_or_default(), reservation)?;
    }
}

fn malformed(reason: impl Display) -> IngestError {
    IngestError::Malformed(format!(
        "the body is not valid gzip ({reason}); send a complete gzip body, or no Content-Encoding"
    ))
}
