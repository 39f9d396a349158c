//! `Content-Encoding: gzip`: every encoding of a vote can be compressed, and all limits hold after decompression.

use std::io::Write;

use axum::body::Body;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use crate::api::{Api, BATCH, BUDGET, SINGLE, batches, json_vote, singles};

const MAX_VOTE_BYTES: usize = 16 * 1024;
const MAX_BATCH_BYTES: usize = 1024 * 1024;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A valid vote of this many bytes, padded with white space.
fn vote_of(bytes: usize) -> Vec<u8> {
    let vote = json_vote().to_string();
    format!("{vote}{}", " ".repeat(bytes - vote.len())).into_bytes()
}

#[tokio::test]
async fn every_encoding_of_a_vote_can_be_compressed() {
    let api = Api::new();
    for (content_type, body) in singles() {
        let headers = [("content-type", content_type), ("content-encoding", "gzip")];
        let response = api.post(SINGLE, &headers, gzip(&body)).await;
        assert_eq!(response.status, 202, "{response:?}");
        assert_eq!(response.header("content-type"), Some(content_type));
    }
    for (content_type, body) in batches(1_000) {
        let headers = [("content-type", content_type), ("content-encoding", "gzip")];
        let response = api.post(BATCH, &headers, gzip(&body)).await;
        assert_eq!(response.status, 200, "{content_type}");
        if content_type != "application/x-protobuf" {
            assert_eq!(response.accepted_votes(), 1_000);
        }
    }
    api.assert_no_memory_is_reserved();
}

#[tokio::test]
async fn names_and_lists_of_encodings_are_read_as_http_says() {
    let api = Api::new();
    let plain = json_vote().to_string().into_bytes();
    for list in [
        ["gzip"].as_slice(),
        &["x-gzip"],
        &["GZip"],
        &["gzip, identity"],
        &[" , gzip ,"],
        &["identity", "gzip"],
    ] {
        let headers: Vec<_> = list.iter().map(|&value| ("content-encoding", value)).collect();
        api.post(SINGLE, &headers, gzip(&plain)).await.assert_accepted();
    }
    for list in ["identity", "Identity", "", "identity, identity"] {
        let headers = [("content-encoding", list)];
        api.post(SINGLE, &headers, plain.clone()).await.assert_accepted();
    }
    for list in [
        ["br"].as_slice(),
        &["deflate"],
        &["zstd"],
        &["gzip, br"],
        &["gzip", "gzip"],
        &["gzip;q=1"],
        &["identity;q=0"],
    ] {
        let headers: Vec<_> = list.iter().map(|&value| ("content-encoding", value)).collect();
        for path in [SINGLE, BATCH] {
            let response = api.post(path, &headers, gzip(&plain)).await;
            assert!(response.detail(415).contains("gzip"), "{list:?}");
            assert_eq!(response.header("accept-encoding"), Some("gzip, identity"));
            assert_eq!(response.header("accept"), None);
        }
    }
}

#[tokio::test]
async fn size_limit_holds_after_decompression() {
    let api = Api::new();
    let headers = [("content-encoding", "gzip")];
    for (path, limit) in [(SINGLE, MAX_VOTE_BYTES), (BATCH, MAX_BATCH_BYTES)] {
        let bomb = gzip(&vec![b' '; 300 * limit]);
        assert!(bomb.len() < limit);
        let response = api.post(path, &headers, bomb).await;
        let detail = response.detail(413);
        assert!(detail.contains(&limit.to_string()), "{detail}");
        // The members of a body count together.
        let half = gzip(&vec![b' '; limit / 2 + 1]);
        api.post(path, &headers, [half.clone(), half].concat())
            .await
            .detail(413);
    }
    api.post(SINGLE, &headers, gzip(&vote_of(MAX_VOTE_BYTES)))
        .await
        .assert_accepted();
    api.post(SINGLE, &headers, gzip(&vote_of(MAX_VOTE_BYTES + 1)))
        .await
        .detail(413);
    // The compressed bytes have the same limit.
    let stored = {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
        encoder.write_all(&vote_of(MAX_VOTE_BYTES)).unwrap();
        encoder.finish().unwrap()
    };
    api.post(SINGLE, &headers, stored).await.detail(413);
    api.assert_no_memory_is_reserved();
}

#[tokio::test]
async fn decompressed_bytes_count_in_the_memory_budget() {
    let api = Api::new();
    let mut other_requests = api.memory.reservation();
    other_requests.grow(BUDGET / 4 * 3 - MAX_BATCH_BYTES / 2).unwrap();
    let headers = [("content-encoding", "gzip")];
    let body = gzip(&vec![b' '; MAX_BATCH_BYTES]);
    let response = api.post(BATCH, &headers, body.clone()).await;
    response.detail(429);
    assert_eq!(response.header("retry-after"), Some("1"));
    drop(other_requests);
    api.post(BATCH, &headers, body).await.detail(400);
    api.assert_no_memory_is_reserved();
}

#[tokio::test]
async fn damaged_gzip_is_malformed() {
    let api = Api::new();
    let vote = json_vote().to_string().into_bytes();
    let whole = gzip(&vote);
    let mut wrong_checksum = whole.clone();
    let checksum = wrong_checksum.len() - 8;
    wrong_checksum[checksum] ^= 1;
    let mut wrong_length = whole.clone();
    *wrong_length.last_mut().unwrap() ^= 1;
    let mut damaged_block = whole.clone();
    damaged_block[10] = 0xff;
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(&vote).unwrap();
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::fast());
    deflate.write_all(&vote).unwrap();
    for (name, body) in [
        ("empty", Vec::new()),
        ("plain JSON", vote.clone()),
        ("cut in the header", whole[..5].to_vec()),
        ("cut in the data", whole[..whole.len() / 2].to_vec()),
        ("cut in the checksum", whole[..whole.len() - 3].to_vec()),
        ("wrong checksum", wrong_checksum),
        ("wrong length", wrong_length),
        ("damaged block", damaged_block),
        ("text after the end", [whole.as_slice(), b"x"].concat()),
        ("zeros after the end", [whole.as_slice(), &[0; 64]].concat()),
        ("second member cut", [whole.as_slice(), &whole[..20]].concat()),
        ("zlib", zlib.finish().unwrap()),
        ("deflate", deflate.finish().unwrap()),
    ] {
        for path in [SINGLE, BATCH] {
            let response = api
                .post(path, &[("content-encoding", "gzip")], body.clone())
                .await;
            let detail = response.detail(400);
            assert!(detail.contains("not valid gzip"), "{name}: {detail}");
        }
    }
    api.assert_no_memory_is_reserved();
}

#[tokio::test]
async fn members_are_joined_and_their_number_is_bounded() {
    let api = Api::new();
    let vote = json_vote().to_string().into_bytes();
    let (start, end) = vote.split_at(vote.len() / 2);
    let headers = [("content-encoding", "gzip")];
    let parts = [gzip(start), gzip(b""), gzip(end)].concat();
    api.post(SINGLE, &headers, parts).await.assert_accepted();

    let mut vote_per_member = Vec::new();
    for _ in 0..1_000 {
        vote_per_member.extend(gzip(&[vote.as_slice(), b"\n"].concat()));
    }
    let ndjson = ("content-type", "application/x-ndjson");
    let response = api.post(BATCH, &[ndjson, headers[0]], vote_per_member).await;
    assert_eq!(response.accepted_votes(), 1_000);

    let many = gzip(b"").repeat(1_001);
    let detail = api.post(BATCH, &headers, many).await.detail(400);
    assert!(detail.contains("more than 1000 members"), "{detail}");
}

#[tokio::test]
async fn gzip_without_its_header_is_named() {
    let api = Api::new();
    let body = gzip(json_vote().to_string().as_bytes());
    for path in [SINGLE, BATCH] {
        for content_type in ["application/json", "application/x-protobuf"] {
            let response = api
                .post(path, &[("content-type", content_type)], body.clone())
                .await;
            let detail = response.detail(400);
            assert!(detail.contains("Content-Encoding: gzip"), "{detail}");
        }
    }
}

#[tokio::test]
async fn body_that_arrives_in_parts_is_decompressed() {
    let api = Api::new();
    let body = gzip(&batches(100)[0].1);
    let parts: Vec<_> = body
        .chunks(7)
        .map(|part| Ok::<_, std::io::Error>(part.to_vec()))
        .collect();
    let body = Body::from_stream(futures::stream::iter(parts));
    let response = api.post(BATCH, &[("content-encoding", "gzip")], body).await;
    assert_eq!(response.accepted_votes(), 100);
}
