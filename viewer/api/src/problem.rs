//! Errors as problem documents (RFC 9457).

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

/// Why a request failed.
#[derive(Clone, Debug)]
pub(crate) enum Problem {
    /// Parameters are invalid.
    Parameters(Vec<FieldError>),
    /// A limit is reached: of one client, or of all clients.
    TooMany {
        /// Which limit is reached.
        detail: &'static str,
        /// When to try again, in s.
        retry_after_s: u64,
    },
    /// The service was started without this store.
    NotConfigured(Store),
    /// The store does not answer.
    Unavailable(Store),
    /// The store needs longer than its time limit.
    TooSlow(Store),
    /// The address does not exist.
    NotFound,
    /// The HTTP method is not supported.
    MethodNotAllowed,
    /// A bug in this service.
    Internal,
}

/// A store that responses depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    /// MongoDB.
    Logs,
    /// Redis.
    Tallies,
    /// Prometheus.
    Metrics,
    /// The directory of reports.
    Reports,
}

/// A parameter, and why it is invalid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FieldError {
    /// The parameter's name, as the client sent it.
    pub field: String,
    /// The reason.
    pub message: Cow<'static, str>,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: Cow<'static, str>,
    status: u16,
    detail: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    errors: &'a [FieldError],
}

impl Store {
    /// The name of the store in messages.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Logs => "MongoDB",
            Self::Tallies => "Redis",
            Self::Metrics => "Prometheus",
            Self::Reports => "The directory of reports",
        }
    }

    const fn option(self) -> &'static str {
        match self {
            Self::Logs => "--mongodb-uri",
            Self::Tallies => "--redis-url",
            Self::Metrics => "--prometheus-url",
            Self::Reports => "--results-dir",
        }
    }
}

impl Problem {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Parameters(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::NotConfigured(_) | Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooSlow(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn title(&self) -> Cow<'static, str> {
        match self {
            Self::Parameters(_) => "Invalid parameter".into(),
            Self::TooMany { .. } => "Too many requests".into(),
            Self::NotConfigured(store) => format!("{} is not configured", store.name()).into(),
            Self::Unavailable(store) => format!("{} does not answer", store.name()).into(),
            Self::TooSlow(store) => format!("{} did not answer in time", store.name()).into(),
            Self::NotFound => "Not found".into(),
            Self::MethodNotAllowed => "Method not allowed".into(),
            Self::Internal => "Internal error".into(),
        }
    }

    fn detail(&self) -> Cow<'static, str> {
        match self {
            Self::Parameters(errors) => {
                let sentences: Vec<_> = errors
                    .iter()
                    .map(|error| format!("{} {}", error.field, error.message))
                    .collect();
                sentences.join("; ").into()
            }
            Self::TooMany { detail, .. } => (*detail).into(),
            Self::NotConfigured(store) => format!("start the viewer with {}", store.option()).into(),
            Self::Unavailable(_) => "try again later".into(),
            Self::TooSlow(_) => "request less data, such as a shorter time range".into(),
            Self::NotFound => "this address does not exist".into(),
            Self::MethodNotAllowed => "this address supports only GET and HEAD".into(),
            Self::Internal => "the reason is in the viewer's log".into(),
        }
    }

    const fn code(&self) -> Option<&'static str> {
        match self {
            Self::NotConfigured(_) => Some("not_configured"),
            Self::Unavailable(_) => Some("unavailable"),
            _ => None,
        }
    }

    const fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::TooMany { retry_after_s, .. } => Some(*retry_after_s),
            // The time after which the MongoDB driver gives up on a server.
            Self::Unavailable(_) => Some(2),
            _ => None,
        }
    }
}

/// The task of a load has panicked.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the query failed; the reason is in the viewer's log")]
pub(crate) struct LoadPanicked;

impl From<LoadPanicked> for Problem {
    fn from(_: LoadPanicked) -> Self {
        Self::Internal
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let errors = match &self {
            Self::Parameters(errors) => errors.as_slice(),
            _ => &[],
        };
        let document = Document {
            r#type: "about:blank",
            title: self.title(),
            status: status.as_u16(),
            detail: self.detail(),
            code: self.code(),
            errors,
        };
        // A struct of numbers and strings always serialises. If not, the body is empty and the status is still right.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = (status, [(CONTENT_TYPE, "application/problem+json")], body).into_response();
        if matches!(self, Self::MethodNotAllowed) {
            let allowed = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, allowed);
        }
        if let Some(seconds) = self.retry_after_s() {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
