//! Answers as protobuf messages: the same on gRPC and on REST.

use proto::votes::vote_result::Result as Content;

use crate::{Receipt, Refusal};

/// The protobuf answer to a batch: the same on REST and on gRPC.
pub fn batch_response(results: &[Result<Receipt, Refusal>]) -> proto::votes::CastVotesResponse {
    let accepted = results.iter().filter(|result| result.is_ok()).count();
    proto::votes::CastVotesResponse {
        accepted: u32::try_from(accepted).unwrap_or(u32::MAX),
        rejected: u32::try_from(results.len() - accepted).unwrap_or(u32::MAX),
        results: results.iter().map(vote_result).collect(),
    }
}

/// One result of a batch or of a stream.
pub fn vote_result(result: &Result<Receipt, Refusal>) -> proto::votes::VoteResult {
    let content = match result {
        Ok(receipt) => Content::Receipt((*receipt).into()),
        Err(refusal) => Content::Problem(refusal.into()),
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

impl From<&Refusal> for proto::votes::Problem {
    fn from(refusal: &Refusal) -> Self {
        let facts = refusal.facts();
        let errors = refusal
            .field_errors()
            .iter()
            .map(|error| proto::votes::FieldError {
                field: error.field.to_owned(),
                message: error.message.to_owned(),
            });
        Self {
            status: u32::from(facts.status),
            code: facts.grpc_code,
            title: facts.title.to_owned(),
            detail: refusal.detail().into_owned(),
            errors: errors.collect(),
        }
    }
}
