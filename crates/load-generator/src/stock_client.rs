//! The clients that most programs use, with default settings: reqwest for REST, and tonic's generated client for gRPC. They
//! encode a vote when they send it.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};
use experiment_model::protocol::{Encoding, Version};
use proto::votes::Vote;
use proto::votes::vote_service_client::VoteServiceClient;
use reqwest::StatusCode;
use tokio::sync::Semaphore;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::codec::{self, JsonReceipt, JsonVote, Reply};
use crate::target_spec::TargetSpec;

/// A stock client with its votes.
#[derive(Debug)]
pub struct StockClient {
    library: Library,
    votes: Vec<Vote>,
    /// One permit for each unanswered vote.
    permits: Semaphore,
}

#[derive(Debug)]
enum Library {
    /// One client with its own pool of connections.
    Reqwest { client: reqwest::Client, url: String },
    /// One channel for each connection. Votes use them in rotation.
    Tonic {
        channels: Vec<VoteServiceClient<Channel>>,
        next: AtomicUsize,
    },
}

impl StockClient {
    /// Opens the client of a target. tonic opens its connections now, and reqwest when it needs them.
    pub async fn open(spec: TargetSpec<'_>, votes: &[Vote]) -> Result<Self> {
        let TargetSpec {
            authority,
            prefix,
            version,
            encoding,
            connections,
            ..
        } = spec;
        let library = match encoding {
            Encoding::Json => {
                let builder = reqwest::Client::builder().no_proxy();
                let builder = match version {
                    Version::Http1 => builder.http1_only(),
                    Version::H2c => builder.http2_prior_knowledge(),
                };
                Library::Reqwest {
                    client: builder.build()?,
                    url: format!("http://{authority}{prefix}{}", codec::path(encoding)),
                }
            }
            Encoding::Grpc => {
                let endpoint = Channel::from_shared(format!("http://{authority}"))?;
                let mut channels = Vec::with_capacity(connections.count);
                for _ in 0..connections.count {
                    let channel = endpoint.connect().await;
                    let channel = channel.with_context(|| format!("cannot reach {authority}"))?;
                    channels.push(VoteServiceClient::new(channel));
                }
                Library::Tonic {
                    channels,
                    next: AtomicUsize::new(0),
                }
            }
            Encoding::Protobuf | Encoding::GrpcStream => {
                bail!("stock clients send JSON and unary gRPC calls only")
            }
        };
        Ok(Self {
            library,
            votes: votes.to_vec(),
            permits: Semaphore::new(connections.in_flight),
        })
    }

    /// Sends the vote at `index` modulo the number of votes as soon as a permit is free, and reads its answer.
    pub async fn send(&self, index: usize) -> Result<Reply> {
        let _permit = self.permits.acquire().await?;
        let vote = self.votes.get(index % self.votes.len().max(1));
        let vote = vote.context("there are no votes to send")?;
        match &self.library {
            Library::Reqwest { client, url } => {
                let answer = client.post(url).json(&JsonVote::from(vote)).send().await?;
                if answer.status() != StatusCode::ACCEPTED {
                    return Ok(Reply::Rejected(answer.status().as_u16().to_string()));
                }
                Ok(Reply::Receipt(answer.json::<JsonReceipt>().await?.vote_id))
            }
            Library::Tonic { channels, next } => {
                let index = next.fetch_add(1, Ordering::Relaxed) % channels.len().max(1);
                let channel = channels.get(index).context("there is no channel")?;
                match channel.clone().cast_vote(vote.clone()).await {
                    Ok(answer) => Ok(Reply::Receipt(Uuid::try_parse(&answer.get_ref().vote_id)?)),
                    Err(status) => Ok(Reply::Rejected(format!(
                        "grpc-status {}",
                        i32::from(status.code())
                    ))),
                }
            }
        }
    }
}
