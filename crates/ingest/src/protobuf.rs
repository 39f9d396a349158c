//! Results as protobuf messages: the same on gRPC and on REST.

use proto::votes::vote_result::Result as Content;

use crate::{IngestError, Receipt};

/// The protobuf response to a batch.
pub fn batch_response(results: &[Result<Receipt, IngestError>]) -> proto::votes::CastVotesResponse {
    let accepted = results.iter().filter(|result| result.is_ok()).count();
    proto::votes::CastVotesResponse {
        accepted: u32::try_from(accepted).unwrap_or(u32::MAX),
        rejected: u32::try_from(results.len() - accepted).unwrap_or(u32::MAX),
        results: results.iter().map(vote_result).collect(),
    }
}

/// One result of a batch or of a stream.
pub fn vote_result(result: &Result<Receipt, IngestError>) -> proto::votes::VoteResult {
    let content = match result {
        Ok(receipt) => Content::Receipt((*receipt).into()),
        Err(error) => Content::Problem(error.into()),
    };
    proto::votes::VoteResult {
        result: Some(content),
    }
}

impl From<Receipt> for proto::votes::Receipt {
    fn from(receipt: Receipt) -> Self {
        Self {
            vote_id: receipt.vote_id.to_string(),
            route: receipt.route.as_str().to_owned(),
            partition: receipt.position.partition,
            offset: receipt.position.offset,
        }
    }
}

impl From<&IngestError> for proto::votes::Problem {
    fn from(error: &IngestError) -> Self {
        let mapping = error.mapping();
        let errors = error
            .field_errors()
            .iter()
            .map(|field_error| proto::votes::FieldError {
                field: field_error.field.to_owned(),
                message: field_error.message.to_string(),
            });
        Self {
            status: u32::from(mapping.status),
            code: mapping.grpc_code,
            title: mapping.title.to_owned(),
            detail: error.detail().into_owned(),
            errors: errors.collect(),
        }
    }
}
