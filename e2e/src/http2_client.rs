//! An HTTP/2 client that can misbehave: calls with an open body, resets, and flow-control windows of 0 bytes. Other client
//! libraries do not allow this.

use std::io::Read;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzEncoder;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, StatusCode};
use prost::Message;
use proto::votes::Vote;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::Status;
use tonic_types::StatusExt;

use crate::service_process::{ServiceKind, ServiceProcess};
use crate::wait::RESPONSE_TIMEOUT;

/// The method to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// One vote.
    Single,
    /// Many votes.
    Batch,
    /// A stream of votes; gRPC only.
    Stream,
}

/// The result of a call: HTTP status and gRPC status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallOutcome {
    /// HTTP status.
    pub status: StatusCode,
    /// gRPC status code; `None` without gRPC.
    pub grpc_code: Option<i32>,
    /// Whether the response has a retry hint.
    pub retry: bool,
}

impl CallOutcome {
    /// Whether the vote was acknowledged.
    pub fn is_receipt(&self) -> bool {
        match self.grpc_code {
            Some(code) => code == 0,
            None => self.status.is_success(),
        }
    }

    /// Whether the service refused the call as too large, without a retry hint.
    pub fn is_too_large(&self) -> bool {
        let rejected = match self.grpc_code {
            Some(code) => code == i32::from(tonic::Code::InvalidArgument),
            None => self.status == StatusCode::PAYLOAD_TOO_LARGE,
        };
        rejected && !self.retry
    }

    /// Whether the service rejected the call for overload, with a retry hint.
    pub fn is_overloaded(&self) -> bool {
        let rejected = match self.grpc_code {
            Some(code) => code == i32::from(tonic::Code::ResourceExhausted),
            None => self.status == StatusCode::TOO_MANY_REQUESTS,
        };
        rejected && self.retry
    }
}

/// A client with one HTTP/2 connection.
#[derive(Clone, Debug)]
pub struct Http2Client {
    kind: ServiceKind,
    sender: SendRequest<Bytes>,
}

/// A call that has started. Its request body is still open.
#[derive(Debug)]
pub struct OpenCall {
    /// Sends more of the request body.
    pub body: SendStream<Bytes>,
    /// Resolves to the response.
    pub response: ResponseFuture,
}

impl Http2Client {
    /// Connects.
    pub async fn connect(kind: ServiceKind, address: SocketAddr) -> Result<Self> {
        Self::connect_with(kind, address, &Builder::new()).await
    }

    /// Connects with other HTTP/2 settings than the default.
    pub async fn connect_with(kind: ServiceKind, address: SocketAddr, settings: &Builder) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = settings.handshake(stream).await?;
        // An error of the connection also fails the calls on it, which report it.
        tokio::spawn(async move { connection.await.ok() });
        Ok(Self { kind, sender })
    }

    /// The service at the other end.
    pub fn kind(&self) -> ServiceKind {
        self.kind
    }

    /// Starts a call and leaves its request body open.
    pub async fn start_call(&mut self, method: Method) -> Result<OpenCall> {
        self.start_call_with(method, &[]).await
    }

    /// Starts a call with additional headers.
    pub async fn start_call_with(&mut self, method: Method, headers: &[(&str, &str)]) -> Result<OpenCall> {
        let mut request = Request::post(format!("http://localhost{}", path(self.kind, method)));
        if self.kind == ServiceKind::Grpc {
            request = request.header("te", "trailers");
        }
        let has_content_type = headers.iter().any(|(name, _)| *name == "content-type");
        let content_type = (!has_content_type).then_some(("content-type", content_type(self.kind)));
        for (name, value) in content_type.into_iter().chain(headers.iter().copied()) {
            request = request.header(name, value);
        }
        self.sender
            .clone()
            .ready()
            .await
            .map(|sender| self.sender = sender)?;
        let (response, body) = self.sender.send_request(request.body(())?, false)?;
        Ok(OpenCall { body, response })
    }

    /// Sends any request and waits for the whole response.
    pub async fn send_request(&mut self, request: Request<()>, body: Bytes) -> Result<WholeResponse> {
        self.sender
            .clone()
            .ready()
            .await
            .map(|sender| self.sender = sender)?;
        let (response, mut stream) = self.sender.send_request(request, false)?;
        stream.send_data(body, true)?;
        timeout(RESPONSE_TIMEOUT, read_whole(response))
            .await
            .context("no response in time")?
    }

    /// Sends a complete call and waits for its outcome.
    pub async fn send_call(&mut self, method: Method, body: Bytes) -> Result<CallOutcome> {
        let mut call = self.start_call(method).await?;
        call.body.send_data(body, true)?;
        call.outcome().await
    }

    /// Sends a valid vote and waits for its outcome.
    pub async fn send_vote(&mut self) -> Result<CallOutcome> {
        self.send_call(Method::Single, vote_body(self.kind)).await
    }

    /// Whether the server has closed the connection or announced that it closes it (GOAWAY).
    pub async fn is_closed(&self) -> bool {
        self.sender.clone().ready().await.is_err()
    }
}

/// A whole response.
#[derive(Debug)]
pub struct WholeResponse {
    /// HTTP status.
    pub status: StatusCode,
    /// The headers, and the trailers after them.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl WholeResponse {
    /// The gRPC status code in the headers or trailers.
    pub fn grpc_code(&self) -> Option<tonic::Code> {
        Status::from_header_map(&self.headers).map(|status| status.code())
    }

    /// The value of a header or trailer as text; empty if it is missing.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl OpenCall {
    /// Waits for the complete response. The request body stays open until then.
    pub async fn outcome(self) -> Result<CallOutcome> {
        let Self { body, response } = self;
        let outcome = timeout(RESPONSE_TIMEOUT, read_outcome(response))
            .await
            .context("no response in time")?;
        drop(body);
        outcome
    }
}

async fn read_outcome(response: ResponseFuture) -> Result<CallOutcome> {
    let (head, mut body) = response.await?.into_parts();
    let status = if head.headers.contains_key("grpc-status") {
        Status::from_header_map(&head.headers)
    } else {
        drain(&mut body)
            .await?
            .and_then(|trailers| Status::from_header_map(&trailers))
    };
    Ok(CallOutcome {
        status: head.status,
        retry: match &status {
            Some(status) => status.get_details_retry_info().is_some(),
            None => head.headers.contains_key("retry-after"),
        },
        grpc_code: status.map(|status| status.code().into()),
    })
}

async fn read_whole(response: ResponseFuture) -> Result<WholeResponse> {
    let (head, mut stream) = response.await?.into_parts();
    let mut body = Vec::new();
    while let Some(data) = stream.data().await {
        let data = data?;
        stream.flow_control().release_capacity(data.len())?;
        body.extend_from_slice(&data);
    }
    let mut headers = head.headers;
    headers.extend(stream.trailers().await?.unwrap_or_default());
    Ok(WholeResponse {
        status: head.status,
        headers,
        body: body.into(),
    })
}

async fn drain(body: &mut RecvStream) -> Result<Option<HeaderMap>> {
    while let Some(data) = body.data().await {
        body.flow_control().release_capacity(data?.len())?;
    }
    Ok(body.trailers().await?)
}

/// The request body of a valid vote.
pub fn vote_body(kind: ServiceKind) -> Bytes {
    let (name, album, year, rank) = ("Bohemia Suburbana", "Sombras", "1997", "9.5");
    if kind == ServiceKind::Grpc {
        let vote = Vote {
            name: name.to_owned(),
            album: album.to_owned(),
            year: year.to_owned(),
            rank: rank.to_owned(),
            vote_id: String::new(),
        };
        return grpc_frame(&vote.encode_to_vec());
    }
    let vote = serde_json::json!({"name": name, "album": album, "year": year, "rank": rank});
    vote.to_string().into()
}

/// Length of the prefix of gRPC's framing, in bytes: a flag and the length of the message.
pub const GRPC_PREFIX: usize = 5;

/// The head of a gRPC call to `path`.
pub fn grpc_request(path: &str) -> http::request::Builder {
    Request::post(format!("http://localhost{path}"))
        .header("te", "trailers")
        .header("content-type", "application/grpc")
}

/// Starts a gRPC service without Kafka, and connects a client to it.
pub async fn start_grpc_service(options: &[&str]) -> Result<(ServiceProcess, Http2Client)> {
    let service = ServiceProcess::start_without_kafka(ServiceKind::Grpc, options).await?;
    let client = Http2Client::connect(ServiceKind::Grpc, service.address()).await?;
    Ok((service, client))
}

/// A message with the prefix of gRPC's framing.
pub fn grpc_frame(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0], length.to_be_bytes().as_slice(), message].concat().into()
}

/// A message with the prefix of gRPC's framing, compressed with gzip.
pub fn gzip_frame(message: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(message, Compression::default());
    let mut compressed = Vec::new();
    // Reading from memory cannot fail.
    encoder.read_to_end(&mut compressed).ok();
    let frame = grpc_frame(&compressed);
    [&[1], frame.get(1..).unwrap_or_default()].concat().into()
}

/// The path of a method.
pub const fn path(kind: ServiceKind, method: Method) -> &'static str {
    match (kind, method) {
        (ServiceKind::Grpc, Method::Single) => "/votes.v1.VoteService/CastVote",
        (ServiceKind::Grpc, Method::Batch) => "/votes.v1.VoteService/CastVotes",
        (ServiceKind::Grpc, Method::Stream) => "/votes.v1.VoteService/StreamVotes",
        (_, Method::Batch) => "/v1/votes:batch",
        (_, _) => "/v1/votes",
    }
}

/// The content type that clients of a service send.
pub const fn content_type(kind: ServiceKind) -> &'static str {
    match kind {
        ServiceKind::Grpc => "application/grpc",
        ServiceKind::Rest | ServiceKind::Bridge => "application/json",
    }
}
