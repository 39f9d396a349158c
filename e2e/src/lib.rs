//! Helpers of the end-to-end tests: clients, service processes, and access to the records in Kafka.

pub mod cases;
pub mod endpoints;
pub mod http2_client;
pub mod load;
pub mod records;
pub mod service_process;
pub mod wait;
