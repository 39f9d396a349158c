//! The one use case behind every route: admit, validate, encode, publish, receipt. A route decodes its own bytes and
//! writes its own answer; everything between is here, once, and so is the table that says what a refusal means in each
//! protocol. Sees no web framework and no broker.

mod admission;
mod args;
mod availability;
mod call;
mod collected;
mod confound;
mod held;
mod ingest;
mod messages;
mod metrics;
mod refusal;
mod sink;
mod timing;

pub use admission::Admission;
pub use args::IngestArgs;
pub use availability::Availability;
pub use call::Call;
pub use collected::Collected;
pub use confound::{Confound, ConfoundArgs, Confounded};
pub use held::{HeldBytes, Reservation};
pub use ingest::{Ingest, Limits};
pub use messages::{batch_response, vote_result};
pub use metrics::{CallMetrics, Outcome, Stage, register_config_info};
pub use refusal::{Facts, Refusal};
pub use sink::{EncodedVote, NullSink, Position, Receipt, Sink, SinkError};

/// Largest request that carries one vote, in bytes.
pub const MAX_VOTE_BYTES: usize = 16 * 1024;
/// Largest request that carries a batch of votes, in bytes.
pub const MAX_BATCH_BYTES: usize = 1024 * 1024;
/// Most votes in a batch.
pub const MAX_BATCH_VOTES: usize = 1_000;
