//! Refusals as gRPC statuses, and back again for the bridge.

use std::error::Error;
use std::time::Duration;

use ingest::{Refusal, SinkError};
use tonic::metadata::MetadataValue;
use tonic::{Code, Status, TimeoutExpired};
use tonic_types::{ErrorDetails, StatusExt};

use crate::retry;

/// The field to name where a refusal is about the message as a whole.
const WHOLE_MESSAGE: &str = "body";

/// A refusal as a status with `google.rpc` details: `BadRequest` where the client has to change something, `RetryInfo`
/// where it only has to wait.
pub(crate) fn from_refusal(refusal: &Refusal) -> Status {
    let facts = refusal.facts();
    let code = Code::from_i32(facts.grpc_code);
    let mut details = ErrorDetails::new();
    for error in refusal.field_errors() {
        details.add_bad_request_violation(error.field, error.message);
    }
    if code == Code::InvalidArgument && !details.has_bad_request_violations() {
        details.add_bad_request_violation(WHOLE_MESSAGE, refusal.detail());
    }
    if let Some(seconds) = facts.retry_after_s {
        details.set_retry_info(Some(Duration::from_secs(seconds.into())));
    }
    let message = format!("{}: {}", facts.title, refusal.detail());
    let mut status = Status::with_error_details(code, message, details);
    if *refusal == Refusal::UnsupportedEncoding {
        // What gRPC's rules for compression ask for: the encodings that are read.
        let identity = MetadataValue::from_static("identity");
        status.metadata_mut().insert("grpc-accept-encoding", identity);
    }
    status
}

/// What the bridge makes of its upstream's answer.
pub(crate) fn to_sink_error(status: &Status) -> SinkError {
    match status.code() {
        _ if retry::causes(status).any(<dyn Error>::is::<TimeoutExpired>) => SinkError::Deadline,
        // With a source it is no answer at all: the connection broke, whatever code tonic gives that.
        _ if status.source().is_some() => {
            SinkError::Unavailable(format!("ingest-grpc: {}", status.message()))
        }
        Code::ResourceExhausted => SinkError::Full,
        Code::DeadlineExceeded | Code::Cancelled => SinkError::Deadline,
        Code::Unavailable | Code::Unknown => SinkError::Unavailable(status.message().to_owned()),
        code => SinkError::Internal(format!("ingest-grpc answered {code:?}: {}", status.message())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_without_an_answer_is_a_time_out_or_a_broken_connection() {
        let timed_out = Status::from_error(Box::new(TimeoutExpired(())));
        assert_eq!(to_sink_error(&timed_out), SinkError::Deadline);
        let mut broken = Status::cancelled("operation was canceled");
        broken.set_source(std::sync::Arc::new(std::io::Error::other("reset")));
        assert!(matches!(to_sink_error(&broken), SinkError::Unavailable(_)));
        let answered = Status::deadline_exceeded("Kafka did not acknowledge in time");
        assert_eq!(to_sink_error(&answered), SinkError::Deadline);
    }
}
