//! The gRPC service: `tonic::transport::Server` with default settings.

use std::net::SocketAddr;

use prost::Message;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::publisher::Publisher;
use votes::vote_service_server::{VoteService, VoteServiceServer};
use votes::{Receipt, Vote};

#[allow(missing_docs, unreachable_pub, dead_code, clippy::all, clippy::pedantic)] // generated code
mod votes {
    tonic::include_proto!("votes.v1");
}

/// Serves `votes.v1.VoteService` until the process ends.
pub(crate) async fn serve(address: SocketAddr, publisher: Publisher) -> anyhow::Result<()> {
    Server::builder()
        .add_service(VoteServiceServer::new(publisher))
        .serve(address)
        .await?;
    Ok(())
}

#[tonic::async_trait]
impl VoteService for Publisher {
    async fn cast_vote(&self, request: Request<Vote>) -> Result<Response<Receipt>, Status> {
        let payload = request.into_inner().encode_to_vec();
        let delivery = self
            .publish(&payload)
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(Response::new(Receipt {
            vote_id: delivery.vote_id,
            route: "grpc".to_owned(),
            partition: delivery.partition,
            offset: delivery.offset,
        }))
    }
}
