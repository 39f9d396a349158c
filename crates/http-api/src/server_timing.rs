//! The `Server-Timing` header for clients that request it. HTTP and gRPC use the same two headers.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Response};
use ingest::RequestTimer;

/// The request header that requests the stage times, with the value `1`.
const REQUEST_HEADER: HeaderName = HeaderName::from_static("x-dualpath-timing");
/// The response header with the stage times.
const RESPONSE_HEADER: HeaderName = HeaderName::from_static("server-timing");

/// Makes `timer` record its stage times if the headers of the request contain `x-dualpath-timing: 1`.
pub fn record_timings_if_requested(timer: &mut RequestTimer, headers: &HeaderMap) {
    if headers.get(REQUEST_HEADER).is_some_and(|value| value == "1") {
        timer.record_stage_timings();
    }
}

/// Adds the stage times to the headers of `response`, if `timer` has recorded them.
pub fn add_server_timing_header<B>(timer: &RequestTimer, response: &mut Response<B>) {
    let value = timer
        .server_timing()
        .and_then(|text| HeaderValue::try_from(text).ok());
    if let Some(value) = value {
        response.headers_mut().insert(RESPONSE_HEADER, value);
    }
}
