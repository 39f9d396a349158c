//! The target of a load: its address, its client and its encoded votes. All votes are encoded and all headers are built
//! before the first vote, because the load generator shares the processors with the servers.

use anyhow::{Context, Result};
use bytes::Bytes;
use experiment_model::protocol::{Encoding, Version};
use experiment_model::sample::{ServerTiming, WireBytes};
use experiment_model::variant::Implementation;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, TE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use proto::votes::Vote;

use crate::client::Client;
use crate::codec::{self, Reply};
use crate::server_timing;
use crate::stock_client::StockClient;
use crate::target_spec::TargetSpec;

/// A target with open connections and encoded votes.
#[derive(Debug)]
pub struct Target {
    client: Client,
    encoding: Encoding,
    uri: Uri,
    headers: HeaderMap,
    /// The same headers with the request for stage times.
    timed_headers: HeaderMap,
    bodies: Vec<Bytes>,
}

impl Target {
    /// Opens all connections and encodes `votes`, which [`Self::send`] repeats.
    pub async fn open(spec: TargetSpec<'_>, votes: &[Vote]) -> Result<Self> {
        let TargetSpec {
            authority,
            prefix,
            version,
            encoding,
            client,
            ..
        } = spec;
        anyhow::ensure!(!votes.is_empty(), "there are no votes to send");
        let path = format!("{prefix}{}", codec::path(encoding));
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static("dualpath-compare"));
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static(codec::content_type(encoding)),
        );
        if let Some(authorization) = &spec.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        if encoding.is_grpc() {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
        // HTTP/1.1 sends the authority as a header; HTTP/2 takes it from the URI.
        let uri = match version {
            Version::Http1 => {
                headers.insert(HOST, HeaderValue::from_str(authority)?);
                path
            }
            Version::H2c => {
                let scheme = if spec.tls.is_some() { "https" } else { "http" };
                format!("{scheme}://{authority}{path}")
            }
        };
        let uri: Uri = uri
            .parse()
            .with_context(|| format!("{uri} is not a valid address"))?;
        let mut timed_headers = headers.clone();
        let (name, value) = server_timing::REQUEST_HEADER;
        timed_headers.insert(name, value);
        let head = post_request(&uri, &headers, ());
        let client = match client {
            Implementation::Ours => Client::open(&spec, head).await?,
            Implementation::Stock => Client::Stock(StockClient::open(spec, votes).await?),
        };
        Ok(Self {
            client,
            encoding,
            uri,
            headers,
            timed_headers,
            bodies: votes
                .iter()
                .map(|vote| codec::encode(encoding, vote))
                .collect::<Result<_>>()?,
        })
    }

    /// Reopens connections that closed while idle.
    pub async fn reopen_closed(&self) -> Result<()> {
        self.client.reopen_closed().await
    }

    /// Bytes on its connections since they were opened; 0 for a stock client.
    pub fn wire_bytes(&self) -> WireBytes {
        self.client.wire_bytes()
    }

    /// Sends the vote at `index` modulo the number of votes, and reads its answer. `timed` requests the server's stage
    /// times; a vote on a stream and a vote of a stock client cannot request them.
    pub async fn send(&self, index: usize, timed: bool) -> Result<(Reply, Option<ServerTiming>)> {
        let body = self
            .bodies
            .get(index % self.bodies.len())
            .context("there are no votes to send")?
            .clone();
        match &self.client {
            Client::Requests(pool) => {
                let headers = if timed { &self.timed_headers } else { &self.headers };
                let request = post_request(&self.uri, headers, Full::new(body));
                pool.send(request, async |response| {
                    codec::read_reply(self.encoding, response).await
                })
                .await
            }
            Client::Streams(pool) => Ok((codec::decode_stream_reply(pool.send(body).await?)?, None)),
            Client::Stock(client) => Ok((client.send(index).await?, None)),
        }
    }
}

fn post_request<B>(uri: &Uri, headers: &HeaderMap, body: B) -> Request<B> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.clone();
    *request.headers_mut() = headers.clone();
    request
}
