//! Where votes go and how they are written. All that can be done before the first vote is done here: bodies are encoded
//! and heads are built once, so that the driver, which shares the processors with the servers, does little for each.

use anyhow::{Context, Result};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, TE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use proto::votes::Vote;

use super::call::{Encoding, Reply, streamed_reply};
use super::lane::{Connections, Lane, Version};
use super::timing;
use crate::data::{ServerTiming, WireBytes};

/// What to reach, and how.
#[derive(Clone, Copy, Debug)]
pub struct Spec<'a> {
    /// host:port.
    pub authority: &'a str,
    /// What the proxy strips from the path, or nothing.
    pub prefix: &'a str,
    /// The HTTP version.
    pub version: Version,
    /// How votes are written.
    pub encoding: Encoding,
    /// How connections are used.
    pub connections: Connections,
}

/// A target with open connections and the votes for it.
#[derive(Debug)]
pub struct Target {
    lane: Lane,
    encoding: Encoding,
    uri: Uri,
    headers: HeaderMap,
    /// The same, and the question for the server's times.
    timed_headers: HeaderMap,
    bodies: Vec<Bytes>,
}

impl Target {
    /// Opens all connections, and encodes `votes` to be sent in turn.
    pub async fn open(spec: Spec<'_>, votes: &[Vote]) -> Result<Self> {
        let Spec {
            authority,
            prefix,
            version,
            encoding,
            connections,
        } = spec;
        anyhow::ensure!(!votes.is_empty(), "there are no votes to send");
        let path = format!("{prefix}{}", encoding.path());
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static("dualpath-compare"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(encoding.content_type()));
        if encoding.is_grpc() {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
        // HTTP/1.1 has the authority as a header of its own; HTTP/2 takes it from the URI.
        let uri = match version {
            Version::Http1 => {
                headers.insert(HOST, HeaderValue::from_str(authority)?);
                path
            }
            Version::H2c => format!("http://{authority}{path}"),
        };
        let uri: Uri = uri.parse().with_context(|| format!("{uri} is no address"))?;
        let mut timed_headers = headers.clone();
        let (name, value) = timing::ASKS;
        timed_headers.insert(name, value);
        let head = with_head(&uri, &headers, ());
        Ok(Self {
            lane: Lane::open(authority, version, encoding, head, connections).await?,
            encoding,
            uri,
            headers,
            timed_headers,
            bodies: votes
                .iter()
                .map(|vote| encoding.body(vote))
                .collect::<Result<_>>()?,
        })
    }

    /// Opens connections again that were closed while nothing was sent.
    pub async fn renew(&self) -> Result<()> {
        self.lane.renew().await
    }

    /// Bytes on its connections since they were opened.
    pub fn wire(&self) -> WireBytes {
        self.lane.wire()
    }

    /// Sends the vote at `index`, round and round, and reads its answer; `timed` asks the server for its times, which a
    /// stream cannot.
    pub async fn send(&self, index: usize, timed: bool) -> Result<(Reply, Option<ServerTiming>)> {
        let body = self
            .bodies
            .get(index % self.bodies.len())
            .context("no vote")?
            .clone();
        match &self.lane {
            Lane::Calls(calls) => {
                let headers = if timed { &self.timed_headers } else { &self.headers };
                let request = with_head(&self.uri, headers, Full::new(body));
                calls
                    .call(request, async |response| self.encoding.reply(response).await)
                    .await
            }
            Lane::Streams(streams) => Ok((streamed_reply(streams.call(body).await?)?, None)),
        }
    }
}

fn with_head<B>(uri: &Uri, headers: &HeaderMap, body: B) -> Request<B> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.clone();
    *request.headers_mut() = headers.clone();
    request
}
