//! Refusals as gRPC statuses, and back again for the bridge.

use std::error::Error;
use std::time::Duration;

use ingest::{Refusal, SinkError};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

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
    Status::with_error_details(code, format!("{}: {}", facts.title, refusal.detail()), details)
}

/// What tonic itself refused before the handler saw the message, in the words of the one error table.
pub(crate) fn to_refusal(status: &Status, too_large: &Refusal) -> Refusal {
    match status.code() {
        Code::OutOfRange | Code::ResourceExhausted => too_large.clone(),
        Code::Unimplemented => Refusal::UnsupportedMediaType,
        _ => Refusal::Malformed(status.message().to_owned()),
    }
}

/// What the bridge makes of its upstream's answer.
pub(crate) fn to_sink_error(status: &Status) -> SinkError {
    match status.code() {
        Code::ResourceExhausted => SinkError::Full,
        Code::DeadlineExceeded | Code::Cancelled => SinkError::Deadline,
        // With a source it is no answer at all: the connection broke, whatever code tonic gives that.
        _ if status.source().is_some() => {
            SinkError::Unavailable(format!("ingest-grpc: {}", status.message()))
        }
        Code::Unavailable | Code::Unknown => SinkError::Unavailable(status.message().to_owned()),
        code => SinkError::Internal(format!("ingest-grpc answered {code:?}: {}", status.message())),
    }
}
