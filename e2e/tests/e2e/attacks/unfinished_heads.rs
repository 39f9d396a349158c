//! Request heads that never end. On gRPC the HTTP library collects more of a head than on REST, so that the service can
//! reject it with a gRPC status.

use std::time::Duration;

use futures::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::harness::check_survives;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A SETTINGS frame without settings.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
/// The types of the frames of a request head; none of them gets the flag END_HEADERS.
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
/// The largest frame that a client may send by default.
const FRAME_BYTES: usize = 16 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_heads_hold_bounded_memory() {
    const CONNECTIONS: usize = 1_000;
    check_survives("1,000 heads of 112 KiB that do not end", async |service| {
        let head = unfinished_head(7);
        let attacks = (0..CONNECTIONS).map(async |_| {
            let mut stream = TcpStream::connect(service.address()).await.unwrap();
            // The server can close the connection before the whole head is written.
            let is_written = stream.write_all(&head).await.is_ok();
            (stream, is_written)
        });
        let connections = join_all(attacks).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let written = connections.iter().filter(|(_, is_written)| *is_written).count();
        format!("{written} heads written")
    })
    .await;
}

/// A head in this number of frames, with one field whose value is longer than the frames.
fn unfinished_head(frames: usize) -> Vec<u8> {
    // HPACK: a literal field `x`, and the length of its value, 127 and 1,000,000 in steps of 7 bits.
    let mut block = vec![0, 1, b'x', 0x7f, 0xc0, 0x84, 0x3d];
    block.resize(frames * FRAME_BYTES, b'y');
    let mut head = [PREFACE, &SETTINGS].concat();
    for (index, part) in block.chunks(FRAME_BYTES).enumerate() {
        let kind = if index == 0 { HEADERS } else { CONTINUATION };
        let [_, length @ ..] = (part.len() as u32).to_be_bytes();
        head.extend(length);
        head.extend([kind, 0, 0, 0, 0, 1]);
        head.extend(part);
    }
    head
}
