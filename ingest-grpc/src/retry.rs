//! The transparent retry of gRPC: a call that no server has processed is sent again on another connection.
//!
//! A draining server relies on it. It sends `GOAWAY` (HTTP/2) with the number of the last call that it still processes.
//! A call that was sent before the client received `GOAWAY` may be ignored. Other failed calls are not sent again:
//! their votes may be in Kafka, and the client decides whether to repeat them.

use std::error::Error;

use tonic::Status;

/// Maximum number of retries of one call. Each retry means that another server drains at the same moment.
pub(crate) const MAX_RETRIES: u32 = 3;

/// Whether it is certain that no server has processed the call.
pub(crate) fn is_unprocessed(status: &Status) -> bool {
    causes(status).any(|cause| is_unsent(cause) || is_ignored_by_server(cause))
}

/// The causes of a status; empty if the server sent the status.
pub(crate) fn causes(status: &Status) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(status.source(), |&cause| cause.source())
}

/// The connection closed before the call was sent.
fn is_unsent(cause: &(dyn Error + 'static)) -> bool {
    cause
        .downcast_ref::<hyper::Error>()
        .is_some_and(hyper::Error::is_canceled)
}

/// The server reported that it ignores the call.
fn is_ignored_by_server(cause: &(dyn Error + 'static)) -> bool {
    let Some(error) = cause.downcast_ref::<h2::Error>() else {
        return false;
    };
    let is_draining = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
    let is_refused_stream = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    error.is_remote() && (is_draining || is_refused_stream)
}
