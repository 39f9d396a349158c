//! The error table: why a vote has no receipt, and the status of that error in HTTP, in gRPC and in the metrics. No
//! other file chooses the status of a vote.

use std::borrow::Cow;

use auth::{AboveRate, Denied, Unauthenticated};
use vote::{FieldError, Malformed};

use crate::{MAX_BATCH_BYTES, MAX_BATCH_VOTES, MAX_VOTE_BYTES, Outcome, ServerLimit, SinkError};

/// Why there is no receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IngestError {
    /// The bytes cannot be decoded into a vote.
    Malformed(String),
    /// The route does not support the content type.
    UnsupportedMediaType,
    /// A gRPC call has a content type other than protobuf over gRPC.
    UnsupportedGrpcType,
    /// The head of a gRPC call is larger than this many bytes.
    HeadTooLarge(u32),
    /// The body is compressed in a way that the route does not support.
    UnsupportedEncoding,
    /// The content type declares another charset than UTF-8.
    UnsupportedCharset,
    /// A gRPC message is marked as compressed, but its call declares no encoding.
    UndeclaredEncoding,
    /// A single vote larger than [`MAX_VOTE_BYTES`].
    VoteTooLarge,
    /// A batch larger than [`MAX_BATCH_BYTES`] or with more than [`MAX_BATCH_VOTES`] votes.
    BatchTooLarge,
    /// A request that alone exceeds a configured limit of this process. It could never succeed here.
    AboveServerLimit(ServerLimit),
    /// A field of the vote is invalid.
    Invalid(Vec<FieldError>),
    /// The vote is valid, but its band or album is not in the catalogue of this process.
    NotInCatalogue(Vec<FieldError>),
    /// The request was not complete before the deadline.
    SlowRequest,
    /// No vote arrived on a stream within the idle timeout.
    IdleStream,
    /// The client disconnected before its request was complete. The error is counted but not sent.
    ClientDisconnected,
    /// The client is not known.
    Unauthenticated(Unauthenticated),
    /// The client is known, and may not do this.
    Forbidden(String),
    /// The client sends more votes than it may.
    RateLimited {
        /// When it may send these votes, in seconds.
        retry_after_s: u32,
    },
    /// A limit of the process was reached: votes in flight, requests in flight or buffered bytes.
    Overloaded,
    /// Kafka cannot be reached.
    Unavailable(String),
    /// Kafka did not acknowledge the vote before the deadline.
    Deadline,
    /// A defect or a misconfiguration.
    Internal(String),
}

/// The status of an error in each protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorMapping {
    /// HTTP status.
    pub status: u16,
    /// gRPC status code.
    pub grpc_code: i32,
    /// The outcome in the metrics.
    pub outcome: Outcome,
    /// A summary that is the same for all errors of this kind.
    pub title: &'static str,
    /// The delay that the response asks for before a retry, in seconds. `None` if the response asks for none.
    pub retry_after_s: Option<u32>,
}

const CANCELLED: i32 = 1;
const INVALID_ARGUMENT: i32 = 3;
const DEADLINE_EXCEEDED: i32 = 4;
const NOT_FOUND: i32 = 5;
const PERMISSION_DENIED: i32 = 7;
const RESOURCE_EXHAUSTED: i32 = 8;
const UNIMPLEMENTED: i32 = 12;
const INTERNAL: i32 = 13;
const UNAVAILABLE: i32 = 14;
const UNAUTHENTICATED: i32 = 16;

impl IngestError {
    /// The row of the table for this error.
    #[expect(clippy::too_many_lines, reason = "it is one table")]
    pub const fn mapping(&self) -> ErrorMapping {
        match self {
            Self::Malformed(_) => mapping(
                400,
                INVALID_ARGUMENT,
                Outcome::Invalid,
                "The request is malformed",
                None,
            ),
            // gRPC servers usually send RESOURCE_EXHAUSTED here. That asks clients to retry, and a retry never
            // succeeds.
            Self::VoteTooLarge | Self::BatchTooLarge | Self::AboveServerLimit(_) => mapping(
                413,
                INVALID_ARGUMENT,
                Outcome::Invalid,
                "The request is too large",
                None,
            ),
            Self::SlowRequest => mapping(
                408,
                DEADLINE_EXCEEDED,
                Outcome::Deadline,
                "The request was not complete in time",
                None,
            ),
            Self::UnsupportedMediaType | Self::UnsupportedCharset | Self::UnsupportedGrpcType => mapping(
                415,
                INVALID_ARGUMENT,
                Outcome::Invalid,
                "The content type is not supported",
                None,
            ),
            // The status that gRPC clients know for this. It has no retry hint, because a retry never succeeds.
            Self::HeadTooLarge(_) => mapping(
                431,
                RESOURCE_EXHAUSTED,
                Outcome::Invalid,
                "The metadata is too large",
                None,
            ),
            Self::UnsupportedEncoding => mapping(
                415,
                UNIMPLEMENTED,
                Outcome::Invalid,
                "The content encoding is not supported",
                None,
            ),
            // The client's mistake, but the compression rules of gRPC require INTERNAL.
            Self::UndeclaredEncoding => {
                mapping(400, INTERNAL, Outcome::Invalid, "The request is malformed", None)
            }
            Self::IdleStream => mapping(
                408,
                DEADLINE_EXCEEDED,
                Outcome::Deadline,
                "The stream was idle",
                None,
            ),
            // nginx uses 499 for this.
            Self::ClientDisconnected => mapping(
                499,
                CANCELLED,
                Outcome::Cancelled,
                "The client disconnected",
                None,
            ),
            Self::Invalid(_) => mapping(
                422,
                INVALID_ARGUMENT,
                Outcome::Invalid,
                "The vote is invalid",
                None,
            ),
            Self::NotInCatalogue(_) => mapping(
                404,
                NOT_FOUND,
                Outcome::Invalid,
                "The band or the album is not in the catalogue",
                None,
            ),
            Self::Unauthenticated(_) => mapping(
                401,
                UNAUTHENTICATED,
                Outcome::Denied,
                "The client is not authenticated",
                None,
            ),
            Self::Forbidden(_) => mapping(
                403,
                PERMISSION_DENIED,
                Outcome::Denied,
                "The client has no permission",
                None,
            ),
            Self::RateLimited { retry_after_s } => mapping(
                429,
                RESOURCE_EXHAUSTED,
                Outcome::Overloaded,
                "The client sends too many votes",
                Some(*retry_after_s),
            ),
            Self::Overloaded => mapping(
                429,
                RESOURCE_EXHAUSTED,
                Outcome::Overloaded,
                "Overloaded",
                Some(1),
            ),
            Self::Internal(_) => mapping(500, INTERNAL, Outcome::Internal, "Internal error", None),
            Self::Unavailable(_) => mapping(
                503,
                UNAVAILABLE,
                Outcome::Unavailable,
                "Kafka is unavailable",
                Some(1),
            ),
            Self::Deadline => mapping(
                504,
                DEADLINE_EXCEEDED,
                Outcome::Deadline,
                "Kafka did not acknowledge in time",
                None,
            ),
        }
    }

    /// The reason for this error, as text for people.
    pub fn detail(&self) -> Cow<'static, str> {
        match self {
            Self::Malformed(reason)
            | Self::Internal(reason)
            | Self::Unavailable(reason)
            | Self::Forbidden(reason) => reason.clone().into(),
            Self::Unauthenticated(cause) => cause.reason().to_owned().into(),
            Self::RateLimited { retry_after_s } => {
                format!("the rate of this client is limited; try again in {retry_after_s} s").into()
            }
            Self::UnsupportedMediaType => {
                "send application/json or application/x-protobuf; a batch may also be application/x-ndjson"
                    .into()
            }
            Self::UnsupportedEncoding => "send the body with gzip or without compression (identity)".into(),
            Self::UnsupportedCharset => "encode the text as UTF-8; JSON needs no charset".into(),
            Self::UnsupportedGrpcType => {
                "send application/grpc or application/grpc+proto; gRPC-Web needs the option --cors-allow-origin".into()
            }
            Self::HeadTooLarge(limit) => {
                format!("the head of a call has at most {limit} bytes; send less metadata").into()
            }
            Self::UndeclaredEncoding => {
                "the message is marked as compressed, but the call declares no grpc-encoding".into()
            }
            Self::IdleStream => {
                "no vote arrived within the idle timeout; open a new stream to send more votes".into()
            }
            Self::ClientDisconnected => "the request ended early".into(),
            Self::VoteTooLarge => format!("a vote has at most {MAX_VOTE_BYTES} bytes").into(),
            Self::BatchTooLarge => {
                format!("a batch has at most {MAX_BATCH_BYTES} bytes and {MAX_BATCH_VOTES} votes").into()
            }
            Self::AboveServerLimit(limit) => limit.to_string().into(),
            Self::Invalid(errors) | Self::NotInCatalogue(errors) => {
                let sentences: Vec<_> = errors
                    .iter()
                    .map(|error| format!("{} {}", error.field, error.message))
                    .collect();
                sentences.join("; ").into()
            }
            Self::SlowRequest => "the body did not arrive before the deadline".into(),
            Self::Overloaded => {
                "too many votes in flight, too many requests in flight, or too many buffered bytes; slow down and try again"
                    .into()
            }
            Self::Deadline => {
                "the vote may still reach Kafka; a vote sent again with the same vote_id is counted once, and a vote without a vote_id may be counted twice"
                    .into()
            }
        }
    }

    /// The reason for the log: what happened, without the advice for the client.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Internal(reason) | Self::Unavailable(reason) | Self::Forbidden(reason) => reason,
            Self::Unauthenticated(cause) => cause.reason(),
            _ => self.mapping().title,
        }
    }

    /// The invalid fields; empty if the error is not about fields.
    pub fn field_errors(&self) -> &[FieldError] {
        match self {
            Self::Invalid(errors) | Self::NotInCatalogue(errors) => errors,
            _ => &[],
        }
    }
}

const fn mapping(
    status: u16,
    grpc_code: i32,
    outcome: Outcome,
    title: &'static str,
    retry_after_s: Option<u32>,
) -> ErrorMapping {
    ErrorMapping {
        status,
        grpc_code,
        outcome,
        title,
        retry_after_s,
    }
}

impl From<Malformed> for IngestError {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed.0)
    }
}

impl From<SinkError> for IngestError {
    fn from(error: SinkError) -> Self {
        match error {
            SinkError::Full => Self::Overloaded,
            SinkError::Unavailable(reason) => Self::Unavailable(reason),
            SinkError::Deadline => Self::Deadline,
            SinkError::Internal(reason) => Self::Internal(reason),
        }
    }
}

impl From<Denied> for IngestError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unauthenticated(cause) => Self::Unauthenticated(cause),
            Denied::Forbidden(reason) => Self::Forbidden(reason),
            Denied::Unavailable(reason) => Self::Unavailable(reason),
        }
    }
}

impl From<AboveRate> for IngestError {
    fn from(above: AboveRate) -> Self {
        match above {
            AboveRate::Now(wait) => Self::RateLimited {
                retry_after_s: u32::try_from(wait.as_secs())
                    .unwrap_or(u32::MAX)
                    .saturating_add(1),
            },
            AboveRate::Always(votes) => Self::AboveServerLimit(ServerLimit::VotesPerSecond(votes)),
        }
    }
}
