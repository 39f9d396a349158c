//! The HTTP API of `rest` and `bridge`: routes, content types, problem documents, OpenAPI. Both use the same code, so a
//! comparison of the two measures only the difference behind it.

mod batch;
mod body;
mod content_encoding;
mod content_type;
mod credentials;
mod grpc_client;
mod idempotency_key;
mod openapi;
mod path;
mod problem;
mod request;
mod router;
mod server_timing;
mod single;
mod trace;

pub use body::{body_error, discard_briefly};
pub use credentials::{challenge, credentials};
pub use openapi::openapi_json;
pub use router::{REQUEST_HEADERS, RESPONSE_HEADERS, ROUTE_HEADER, overload_router, router};
pub use server_timing::{add_server_timing_header, record_timings_if_requested};
pub use trace::trace_parent;
