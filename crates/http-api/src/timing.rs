//! The times of one call, told to a client that asks for them: the same two headers over HTTP and gRPC.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Response};
use ingest::Call;

/// Asks for the times of a call, where it is `1`.
const ASKS: HeaderName = HeaderName::from_static("x-dualpath-timing");
/// Tells them.
const TELLS: HeaderName = HeaderName::from_static("server-timing");

/// Makes `call` keep its times, where the head of its request asks for them.
pub fn keep_timing_if_asked(call: &mut Call, head: &HeaderMap) {
    if head.get(ASKS).is_some_and(|value| value == "1") {
        call.keep_timing();
    }
}

/// Writes the times that `call` has kept into the head of its answer.
pub fn tell_timing<B>(call: &Call, answer: &mut Response<B>) {
    let value = call.timing().and_then(|text| HeaderValue::try_from(text).ok());
    if let Some(value) = value {
        answer.headers_mut().insert(TELLS, value);
    }
}
