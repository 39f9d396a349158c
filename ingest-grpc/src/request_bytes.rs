//! The bodies of requests that the services accept.

use axum::BoxError;
use bytes::Bytes;
use http_body::Body as HttpBody;

/// A body that HTTP delivers.
pub(crate) trait RequestBytes:
    HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static
{
}

impl<B> RequestBytes for B where B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static {}
