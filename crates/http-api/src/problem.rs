//! Refusals as problem documents (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ingest::Refusal;
use serde::Serialize;
use utoipa::ToSchema;

/// A refusal as `application/problem+json`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemJson {
    /// The HTTP status, also where the document stands inside a batch's answer.
    #[schema(example = 422)]
    status: u16,
    /// What kind of refusal it is; the same for all of its kind.
    #[schema(example = "The vote is invalid")]
    title: &'static str,
    /// What is wrong with this request.
    #[schema(example = "year must be an integer from 1900 to 2100")]
    detail: String,
    /// The fields that are wrong; empty where the refusal is not about fields.
    errors: Vec<FieldErrorJson>,
    #[serde(skip)]
    retry_after_s: Option<u32>,
}

/// A field and the reason why its value was refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FieldError)]
pub(crate) struct FieldErrorJson {
    /// The field's name.
    #[schema(example = "year")]
    field: &'static str,
    /// The reason.
    #[schema(example = "must be an integer from 1900 to 2100")]
    message: &'static str,
}

impl ProblemJson {
    pub(crate) fn of_http(status: StatusCode, title: &'static str, detail: &str) -> Self {
        Self {
            status: status.as_u16(),
            title,
            detail: detail.to_owned(),
            errors: Vec::new(),
            retry_after_s: None,
        }
    }
}

impl From<&Refusal> for ProblemJson {
    fn from(refusal: &Refusal) -> Self {
        let facts = refusal.facts();
        let errors = refusal.field_errors().iter();
        Self {
            status: facts.status,
            title: facts.title,
            detail: refusal.detail().into_owned(),
            errors: errors
                .map(|error| FieldErrorJson {
                    field: error.field,
                    message: error.message,
                })
                .collect(),
            retry_after_s: facts.retry_after_s,
        }
    }
}

impl IntoResponse for ProblemJson {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // A struct of numbers and strings always serialises; an empty body with the right status is the rest.
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
