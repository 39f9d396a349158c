//! The error table: why a vote is refused, and what that is in HTTP, in gRPC and in the metrics. There is no other
//! place that chooses a status.

use std::borrow::Cow;

use vote::{FieldError, Malformed};

use crate::{MAX_BATCH_BYTES, MAX_BATCH_VOTES, MAX_VOTE_BYTES, Outcome, SinkError};

/// Why there is no receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The bytes are no vote.
    Malformed(String),
    /// The content type is none that the route reads.
    UnsupportedMediaType,
    /// The body is compressed.
    UnsupportedEncoding,
    /// A gRPC message says that it is compressed, and its call does not say how.
    UndeclaredEncoding,
    /// One vote in more than [`MAX_VOTE_BYTES`].
    VoteTooLarge,
    /// A batch in more than [`MAX_BATCH_BYTES`] or of more than [`MAX_BATCH_VOTES`].
    BatchTooLarge,
    /// A vote that breaks the rules.
    Invalid(Vec<FieldError>),
    /// The request was not complete before the deadline.
    SlowRequest,
    /// A stream on which no vote came for long.
    IdleStream,
    /// The client left before its request was complete: nobody reads this answer, but it is counted.
    ClientLeft,
    /// More votes in flight, calls or bytes than the process takes.
    Overloaded,
    /// Kafka cannot be reached.
    Unavailable(String),
    /// Not acknowledged in time.
    Deadline,
    /// A defect.
    Internal(String),
}

/// What a refusal is in each protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// HTTP status.
    pub status: u16,
    /// gRPC status code.
    pub grpc_code: i32,
    /// The metrics' label.
    pub outcome: Outcome,
    /// A sentence that is the same for all refusals of this kind.
    pub title: &'static str,
    /// When to try again, in seconds, where that can help.
    pub retry_after_s: Option<u32>,
}

const CANCELLED: i32 = 1;
const INVALID_ARGUMENT: i32 = 3;
const DEADLINE_EXCEEDED: i32 = 4;
const RESOURCE_EXHAUSTED: i32 = 8;
const UNIMPLEMENTED: i32 = 12;
const INTERNAL: i32 = 13;
const UNAVAILABLE: i32 = 14;

impl Refusal {
    /// The table's row.
    pub const fn facts(&self) -> Facts {
        match self {
            Self::Malformed(_) => facts(
                400,
                INVALID_ARGUMENT,
                Outcome::Invalid,
                "The request is malformed",
                None,
            ),
            // RESOURCE_EXHAUSTED is gRPC's habit for size, but tells clients to come again: this never gets better.
            Self::VoteTooLarge | Self::BatchTooLarge => facts(
                413,
                INVALID_ARGUMENT,
                Outcome::Invalid,
                "The request is too large",
                None,
            ),
            Self::SlowRequest => facts(
                408,
                DEADLINE_EXCEEDED,
                Outcome::Deadline,
                "The request was not complete in time",
                None,
            ),
            Self::UnsupportedMediaType => facts(
                415,
                INVALID_ARGUMENT,
                Outcome::Invalid,
                "The content type is not supported",
                None,
            ),
            Self::UnsupportedEncoding => facts(
                415,
                UNIMPLEMENTED,
                Outcome::Invalid,
                "Compression is not supported",
                None,
            ),
            // A client's fault, and still INTERNAL: gRPC's rules for compression want it so.
            Self::UndeclaredEncoding => {
                facts(400, INTERNAL, Outcome::Invalid, "The request is malformed", None)
            }
            Self::IdleStream => facts(
                408,
                DEADLINE_EXCEEDED,
                Outcome::Deadline,
                "The stream was idle",
                None,
            ),
            // 499 is nginx's number for it.
            Self::ClientLeft => facts(499, CANCELLED, Outcome::Cancelled, "The client left", None),
            Self::Invalid(_) => facts(
                422,
                INVALID_ARGUMENT,
                Outcome::Invalid,
                "The vote is invalid",
                None,
            ),
            Self::Overloaded => facts(
                429,
                RESOURCE_EXHAUSTED,
                Outcome::Overloaded,
                "Overloaded",
                Some(1),
            ),
            Self::Internal(_) => facts(500, INTERNAL, Outcome::Internal, "Internal error", None),
            Self::Unavailable(_) => facts(
                503,
                UNAVAILABLE,
                Outcome::Unavailable,
                "Kafka is unavailable",
                Some(1),
            ),
            Self::Deadline => facts(
                504,
                DEADLINE_EXCEEDED,
                Outcome::Deadline,
                "Kafka did not acknowledge in time",
                None,
            ),
        }
    }

    /// What is wrong with this request, to be read by a person.
    pub fn detail(&self) -> Cow<'static, str> {
        match self {
            Self::Malformed(reason) | Self::Internal(reason) | Self::Unavailable(reason) => {
                reason.clone().into()
            }
            Self::UnsupportedMediaType => {
                "send application/json or application/x-protobuf; a batch may also be application/x-ndjson"
                    .into()
            }
            Self::UnsupportedEncoding => "send the body as it is (identity)".into(),
            Self::UndeclaredEncoding => {
                "the message is marked as compressed, but the call has no grpc-encoding".into()
            }
            Self::IdleStream => "no vote came for long; open a stream when there are votes to send".into(),
            Self::ClientLeft => "the request ended early".into(),
            Self::VoteTooLarge => format!("a vote has at most {MAX_VOTE_BYTES} bytes").into(),
            Self::BatchTooLarge => {
                format!("a batch has at most {MAX_BATCH_BYTES} bytes and {MAX_BATCH_VOTES} votes").into()
            }
            Self::Invalid(errors) => {
                let sentences: Vec<_> = errors
                    .iter()
                    .map(|error| format!("{} {}", error.field, error.message))
                    .collect();
                sentences.join("; ").into()
            }
            Self::SlowRequest => "the body did not arrive before the deadline".into(),
            Self::Overloaded => {
                "too many votes in flight, too many calls, or too many bytes of them; slow down and try again"
                    .into()
            }
            Self::Deadline => {
                "the vote may still arrive; repeat it under the same vote_id and it is counted once".into()
            }
        }
    }

    /// The fields that are wrong, where the refusal is about fields.
    pub fn field_errors(&self) -> &[FieldError] {
        match self {
            Self::Invalid(errors) => errors,
            _ => &[],
        }
    }
}

const fn facts(
    status: u16,
    grpc_code: i32,
    outcome: Outcome,
    title: &'static str,
    retry_after_s: Option<u32>,
) -> Facts {
    Facts {
        status,
        grpc_code,
        outcome,
        title,
        retry_after_s,
    }
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed.0)
    }
}

impl From<SinkError> for Refusal {
    fn from(error: SinkError) -> Self {
        match error {
            SinkError::Full => Self::Overloaded,
            SinkError::Unavailable(reason) => Self::Unavailable(reason),
            SinkError::Deadline => Self::Deadline,
            SinkError::Internal(reason) => Self::Internal(reason),
        }
    }
}
