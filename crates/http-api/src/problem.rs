//! Errors as problem documents (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ingest::IngestError;
use serde::Serialize;
use utoipa::ToSchema;

/// An error as `application/problem+json`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemJson {
    /// The HTTP status, also for one vote of a batch.
    #[schema(example = 422)]
    status: u16,
    /// A summary that is the same for all errors of this kind.
    #[schema(example = "The vote is invalid")]
    title: &'static str,
    /// What is wrong with this request.
    #[schema(example = "year must be an integer from 1900 to 2100")]
    detail: String,
    /// The invalid fields; empty if the error is not about fields.
    errors: Vec<FieldErrorJson>,
    #[serde(skip)]
    retry_after_s: Option<u32>,
}

/// An invalid field and the reason.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FieldError)]
pub(crate) struct FieldErrorJson {
    /// The name of the field.
    #[schema(example = "year")]
    field: &'static str,
    /// The reason.
    #[schema(example = "must be an integer from 1900 to 2100")]
    message: String,
}

impl ProblemJson {
    pub(crate) fn for_status(status: StatusCode, title: &'static str, detail: &str) -> Self {
        Self {
            status: status.as_u16(),
            title,
            detail: detail.to_owned(),
            errors: Vec::new(),
            retry_after_s: None,
        }
    }
}

impl From<&IngestError> for ProblemJson {
    fn from(error: &IngestError) -> Self {
        let mapping = error.mapping();
        let errors = error.field_errors().iter();
        Self {
            status: mapping.status,
            title: mapping.title,
            detail: error.detail().into_owned(),
            errors: errors
                .map(|error| FieldErrorJson {
                    field: error.field,
                    message: error.message.to_string(),
                })
                .collect(),
            retry_after_s: mapping.retry_after_s,
        }
    }
}

impl IntoResponse for ProblemJson {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // A struct of numbers and strings always serialises. If it did not, the status would still be right.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response =
            (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        if let Some(seconds) = self.retry_after_s {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
