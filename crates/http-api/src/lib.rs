//! The HTTP edge that `rest` and `bridge` share: routes, content types, problem documents, OpenAPI. It is the same
//! code on both, so that the split path compares what lies behind it.

mod batch;
mod body;
mod media;
mod openapi;
mod problem;
mod router;
mod single;
mod timing;

pub use body::{broken as broken_body, discard_briefly};
pub use openapi::openapi_json;
pub use router::{overflow, router};
pub use timing::{keep_timing_if_asked, tell_timing};
