//! HTTP/2 by hand: calls that are begun and not ended, resets, windows that stay shut. What clients of libraries are kept
//! from doing.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, StatusCode};
use prost::Message;
use proto::votes::Vote;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::Status;
use tonic_types::StatusExt;

use crate::edge::Kind;

/// No answer takes longer, or the test has found a hanging route.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// What kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// One vote.
    Single,
    /// Many votes.
    Batch,
    /// A stream of votes; gRPC only.
    Stream,
}

/// What came of a call, in the words of its protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// HTTP status.
    pub status: StatusCode,
    /// gRPC status code, where the answer has one.
    pub grpc_code: Option<i32>,
    /// Whether the client is told when to come again.
    pub retry: bool,
}

impl Verdict {
    /// Whether it is a receipt.
    pub fn is_receipt(&self) -> bool {
        match self.grpc_code {
            Some(code) => code == 0,
            None => self.status.is_success(),
        }
    }

    /// Whether it is a refusal for overload that says when to come again.
    pub fn is_overloaded(&self) -> bool {
        let refused = match self.grpc_code {
            Some(code) => code == i32::from(tonic::Code::ResourceExhausted),
            None => self.status == StatusCode::TOO_MANY_REQUESTS,
        };
        refused && self.retry
    }
}

/// A connection on which calls can be begun.
#[derive(Clone, Debug)]
pub struct Wire {
    kind: Kind,
    send: SendRequest<Bytes>,
}

/// A call that has been begun: its body is still open.
#[derive(Debug)]
pub struct Open {
    /// Takes more of the body.
    pub body: SendStream<Bytes>,
    /// Waits for the answer.
    pub answer: ResponseFuture,
}

impl Wire {
    /// Connects.
    pub async fn connect(kind: Kind, address: SocketAddr) -> Result<Self> {
        Self::connect_with(kind, address, &Builder::new()).await
    }

    /// Connects with settings of the test's own.
    pub async fn connect_with(kind: Kind, address: SocketAddr, settings: &Builder) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (send, connection) = settings.handshake(stream).await?;
        // Ends with the connection, whichever way that goes; the calls on it tell.
        tokio::spawn(async move { connection.await.ok() });
        Ok(Self { kind, send })
    }

    /// Which edge it leads to.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Begins a call and leaves its body open.
    pub async fn begin(&mut self, method: Method) -> Result<Open> {
        self.begin_with(method, &[]).await
    }

    /// Begins a call with more headers.
    pub async fn begin_with(&mut self, method: Method, headers: &[(&str, &str)]) -> Result<Open> {
        let mut request = Request::post(format!("http://localhost{}", path(self.kind, method)));
        if self.kind == Kind::Grpc {
            request = request.header("te", "trailers");
        }
        let own_type = headers.iter().any(|(name, _)| *name == "content-type");
        let content_type = (!own_type).then_some(("content-type", content_type(self.kind)));
        for (name, value) in content_type.into_iter().chain(headers.iter().copied()) {
            request = request.header(name, value);
        }
        self.send.clone().ready().await.map(|send| self.send = send)?;
        let (answer, body) = self.send.send_request(request.body(())?, false)?;
        Ok(Open { body, answer })
    }

    /// Sends a whole call and waits for its verdict.
    pub async fn call(&mut self, method: Method, body: Bytes) -> Result<Verdict> {
        let mut open = self.begin(method).await?;
        open.body.send_data(body, true)?;
        open.verdict().await
    }

    /// Sends a good vote and waits for its verdict.
    pub async fn vote(&mut self) -> Result<Verdict> {
        self.call(Method::Single, vote_body(self.kind)).await
    }

    /// Whether the server has closed the connection, or said that it will.
    pub async fn is_closed(&self) -> bool {
        self.send.clone().ready().await.is_err()
    }
}

impl Open {
    /// Waits for the answer, to its end. A body that is still open stays so until then.
    pub async fn verdict(self) -> Result<Verdict> {
        let Self { body, answer } = self;
        let verdict = timeout(PATIENCE, read_verdict(answer))
            .await
            .context("no answer")?;
        drop(body);
        verdict
    }
}

/// Waits until a condition holds.
///
/// # Panics
/// Where it does not come to that.
pub async fn wait_for(condition: impl AsyncFn() -> bool) {
    let met = timeout(PATIENCE, async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(met.await.is_ok(), "it did not come to that");
}

async fn read_verdict(answer: ResponseFuture) -> Result<Verdict> {
    let (head, mut body) = answer.await?.into_parts();
    let status = if head.headers.contains_key("grpc-status") {
        Status::from_header_map(&head.headers)
    } else {
        drain(&mut body)
            .await?
            .and_then(|trailers| Status::from_header_map(&trailers))
    };
    Ok(Verdict {
        status: head.status,
        retry: match &status {
            Some(status) => status.get_details_retry_info().is_some(),
            None => head.headers.contains_key("retry-after"),
        },
        grpc_code: status.map(|status| status.code().into()),
    })
}

async fn drain(body: &mut RecvStream) -> Result<Option<HeaderMap>> {
    while let Some(data) = body.data().await {
        body.flow_control().release_capacity(data?.len())?;
    }
    Ok(body.trailers().await?)
}

/// A vote that nothing is wrong with, as a whole body.
pub fn vote_body(kind: Kind) -> Bytes {
    let (name, album, year, rank) = ("Bohemia Suburbana", "Sombras", "1997", "9.5");
    if kind == Kind::Grpc {
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

/// A message in gRPC's framing.
pub fn grpc_frame(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0], length.to_be_bytes().as_slice(), message].concat().into()
}

/// The path of a call.
pub const fn path(kind: Kind, method: Method) -> &'static str {
    match (kind, method) {
        (Kind::Grpc, Method::Single) => "/votes.v1.VoteService/CastVote",
        (Kind::Grpc, Method::Batch) => "/votes.v1.VoteService/CastVotes",
        (Kind::Grpc, Method::Stream) => "/votes.v1.VoteService/StreamVotes",
        (_, Method::Batch) => "/v1/votes:batch",
        (_, _) => "/v1/votes",
    }
}

/// The content type that clients of an edge send.
pub const fn content_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Grpc => "application/grpc",
        Kind::Rest | Kind::Bridge => "application/json",
    }
}
