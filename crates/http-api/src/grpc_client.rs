//! The answer to gRPC clients. The Ingress sends calls of unknown methods here, and some clients use the wrong port.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};

/// The gRPC status for a call of an unknown method; `None` if the request is not a gRPC call. gRPC clients cannot read
/// problem documents.
pub(crate) fn unimplemented(headers: &HeaderMap) -> Option<Response> {
    let content_type = headers.get(header::CONTENT_TYPE)?;
    if !content_type.as_bytes().starts_with(b"application/grpc") {
        return None;
    }
    let status = [
        (header::CONTENT_TYPE, content_type.clone()),
        (
            HeaderName::from_static("grpc-status"),
            HeaderValue::from_static("12"),
        ),
        (
            HeaderName::from_static("grpc-message"),
            HeaderValue::from_static("this method does not exist, or this port does not serve gRPC"),
        ),
    ];
    Some(status.into_response())
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    fn with_content_type(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(value))])
    }

    #[test]
    fn unknown_method_is_unimplemented_for_grpc_clients() {
        for content_type in [
            "application/grpc",
            "application/grpc+proto",
            "application/grpc-web+proto",
        ] {
            let response = unimplemented(&with_content_type(content_type)).unwrap_or_default();
            assert_eq!(response.status(), StatusCode::OK, "{content_type}");
            assert_eq!(response.headers()["grpc-status"], "12", "{content_type}");
            assert_eq!(response.headers()[header::CONTENT_TYPE], content_type);
        }
    }

    #[test]
    fn http_clients_get_no_grpc_status() {
        for headers in [
            HeaderMap::new(),
            with_content_type("application/json"),
            with_content_type("text/grpc"),
        ] {
            assert!(unimplemented(&headers).is_none(), "{headers:?}");
        }
    }
}
