//! Tests of the real programs, most of them on real servers. They are one program, because linking one for each file takes
//! minutes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic fails the test"
)]

mod attacks;
mod authentication;
mod batches;
mod bridge;
mod catalogue;
mod documented_responses;
mod drain;
mod end_to_end;
mod fault_injection;
mod grpc_compression;
mod grpc_protocol;
mod grpc_web;
mod http_clients;
mod idempotency;
mod ingress_errors;
mod issuer;
mod kafka_outage;
mod kafka_security;
mod layers;
mod module_cycles;
mod overload;
mod parity;
mod secured_stack;
mod server_limits;
mod server_timing;
mod slow_clients;
mod tls;
mod tls_files;
mod traces;

use lab::servers::Server;

/// Kafka and the three routes, for tests that need no store.
const INGEST_SERVERS: [Server; 4] = [Server::Kafka, Server::Grpc, Server::Rest, Server::Bridge];
