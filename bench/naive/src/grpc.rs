//! The gRPC service: `tonic::transport::Server` with default settings.

use std::net::SocketAddr;

use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::publisher::Publisher;
use crate::votes::vote_service_server::{VoteService, VoteServiceServer};
use crate::votes::{Receipt, Route, Vote};

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
        let receipt = self
            .publish(request.into_inner(), Route::Grpc)
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(Response::new(receipt))
    }
}
