//! Maps errors to gRPC statuses, and for the bridge, statuses back to errors.

use std::error::Error;
use std::time::Duration;

use ingest::{IngestError, SinkError};
use tonic::body::Body;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status, TimeoutExpired};
use tonic_types::{ErrorDetails, StatusExt};

use crate::retry;

/// The field of an error that concerns the message as a whole.
const WHOLE_MESSAGE: &str = "body";

/// The status of an error with `google.rpc` details: `BadRequest` if the client must change the request, `RetryInfo` if
/// it can send the same request later.
pub(crate) fn from_error(error: &IngestError) -> Status {
    let mapping = error.mapping();
    let code = Code::from_i32(mapping.grpc_code);
    let mut details = ErrorDetails::new();
    for field_error in error.field_errors() {
        details.add_bad_request_violation(field_error.field, &*field_error.message);
    }
    if code == Code::InvalidArgument && !details.has_bad_request_violations() {
        details.add_bad_request_violation(WHOLE_MESSAGE, error.detail());
    }
    if let Some(seconds) = mapping.retry_after_s {
        details.set_retry_info(Some(Duration::from_secs(seconds.into())));
    }
    let message = format!("{}: {}", mapping.title, error.detail());
    let mut status = Status::with_error_details(code, message, details);
    if *error == IngestError::UnsupportedEncoding {
        // The compression rules of gRPC require the list of supported encodings.
        let encodings = MetadataValue::from_static("gzip,identity");
        status.metadata_mut().insert("grpc-accept-encoding", encodings);
    }
    if let IngestError::Unauthenticated(cause) = error
        && let Ok(challenge) = MetadataValue::try_from(http_api::challenge(cause).as_bytes())
    {
        status.metadata_mut().insert("www-authenticate", challenge);
    }
    status
}

/// The response to a call that fails with `error` before its method reads it.
pub(crate) fn error_response(error: &IngestError) -> http::Response<Body> {
    let mut response = from_error(error).into_http();
    // The gRPC specification requires an HTTP status for a request that is not gRPC. Clients that know gRPC also find the
    // gRPC status.
    if *error == IngestError::UnsupportedGrpcType {
        *response.status_mut() = http::StatusCode::UNSUPPORTED_MEDIA_TYPE;
    }
    response
}

/// The error of the bridge for a status of its upstream.
pub(crate) fn to_sink_error(status: &Status) -> SinkError {
    match status.code() {
        _ if retry::causes(status).any(<dyn Error>::is::<TimeoutExpired>) => SinkError::Deadline,
        // A status with a source does not come from the server: the connection failed. The code is chosen by tonic.
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
    fn call_without_a_response_is_a_timeout_or_a_failed_connection() {
        let timed_out = Status::from_error(Box::new(TimeoutExpired(())));
        assert_eq!(to_sink_error(&timed_out), SinkError::Deadline);
        let mut broken = Status::cancelled("operation was canceled");
        broken.set_source(std::sync::Arc::new(std::io::Error::other("reset")));
        assert!(matches!(to_sink_error(&broken), SinkError::Unavailable(_)));
        let responded = Status::deadline_exceeded("Kafka did not acknowledge in time");
        assert_eq!(to_sink_error(&responded), SinkError::Deadline);
    }
}
