//! gRPC's transparent retry: a call that no server has begun to work on is sent again, on another connection.
//!
//! It is what a draining server counts on: it tells a connection to go away (HTTP/2 `GOAWAY`), and names the last call
//! that it will still answer. A call that crossed that message on its way was not read by anybody. Other broken calls are
//! not sent again: their votes may be in Kafka, and whether to repeat them is the client's decision.

use std::error::Error;

use tonic::Status;

/// How often one call may be sent again: each time means another server that drains in this very moment.
pub(crate) const MOST: u32 = 3;

/// Whether it is certain that no server has begun with the call.
pub(crate) fn was_not_begun(status: &Status) -> bool {
    causes(status).any(|cause| never_left(cause) || was_turned_away(cause))
}

/// What led to a status: nothing, where the server has answered it.
pub(crate) fn causes(status: &Status) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(status.source(), |&cause| cause.source())
}

/// It waited for its turn on a connection that closed.
fn never_left(cause: &(dyn Error + 'static)) -> bool {
    cause
        .downcast_ref::<hyper::Error>()
        .is_some_and(hyper::Error::is_canceled)
}

/// The server said that it has not looked at it.
fn was_turned_away(cause: &(dyn Error + 'static)) -> bool {
    let Some(error) = cause.downcast_ref::<h2::Error>() else {
        return false;
    };
    let drains = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
    let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    error.is_remote() && (drains || refused)
}
