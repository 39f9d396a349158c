//! Codecs that pass messages to and from tonic as bytes. So every route hands bytes to the same core, which decodes, encodes
//! and measures them at the same points.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};
use ingest::MemoryReservation;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use crate::arrival::Arrival;
use crate::status;

/// Initial size of the buffer for received messages. Holds a usual vote. tonic's default of 8 KiB would be allocated for
/// every call.
const RECEIVE_BUFFER_BYTES: usize = 256;
/// Initial size of the buffer for sent messages. Holds a receipt.
const SEND_BUFFER_BYTES: usize = 128;
/// A stream sends when this much of its results is ready.
const YIELD_BYTES: usize = 32 * 1024;

/// The codec of the server. Every message carries the memory that is reserved for it.
#[derive(Debug)]
pub(crate) struct MessageCodec {
    arrival: Arc<Arrival>,
    send_buffer: BufferSettings,
}

/// A message of a client, decompressed.
#[derive(Debug)]
pub(crate) struct Message {
    /// The encoded message.
    pub(crate) bytes: Bytes,
    /// Counts the message in the memory budget of the process.
    pub(crate) reservation: MemoryReservation,
}

impl MessageCodec {
    /// The codec of a call with one response.
    pub(crate) fn for_unary(arrival: Arc<Arrival>) -> Self {
        Self {
            arrival,
            send_buffer: BufferSettings::new(SEND_BUFFER_BYTES, YIELD_BYTES),
        }
    }

    /// The codec of a call with many responses, which share a larger buffer.
    pub(crate) fn for_stream(arrival: Arc<Arrival>) -> Self {
        Self {
            arrival,
            send_buffer: BufferSettings::default(),
        }
    }
}

impl Codec for MessageCodec {
    type Encode = Bytes;
    type Decode = Message;
    type Encoder = BytesEncoder;
    type Decoder = MessageDecoder;

    fn encoder(&mut self) -> BytesEncoder {
        BytesEncoder(self.send_buffer)
    }

    fn decoder(&mut self) -> MessageDecoder {
        MessageDecoder(Arc::clone(&self.arrival))
    }
}

/// Gives each message the memory that was reserved while it arrived.
#[derive(Debug)]
pub(crate) struct MessageDecoder(Arc<Arrival>);

impl Decoder for MessageDecoder {
    type Item = Message;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Message>, Status> {
        // A compressed message has more bytes now than those that arrived.
        let reservation = self.0.take_reservation(buffer.remaining());
        let reservation = reservation.map_err(|error| status::from_error(&error))?;
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        Ok(Some(Message { bytes, reservation }))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(RECEIVE_BUFFER_BYTES, YIELD_BYTES)
    }
}

/// Sends encoded messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BytesEncoder(BufferSettings);

impl Encoder for BytesEncoder {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0
    }
}

/// The codec of the bridge's client.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RawBytesCodec;

impl Codec for RawBytesCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = BytesEncoder;
    type Decoder = BytesDecoder;

    fn encoder(&mut self) -> BytesEncoder {
        BytesEncoder(BufferSettings::new(RECEIVE_BUFFER_BYTES, YIELD_BYTES))
    }

    fn decoder(&mut self) -> BytesDecoder {
        BytesDecoder
    }
}

/// Receives encoded messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BytesDecoder;

impl Decoder for BytesDecoder {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(SEND_BUFFER_BYTES * 2, YIELD_BYTES)
    }
}
