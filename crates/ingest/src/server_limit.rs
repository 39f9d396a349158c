//! The limits of a process that one request alone can exceed.

use std::fmt;

/// A configured limit that one request alone exceeds. A later attempt cannot succeed either, so the response must not ask
/// for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerLimit {
    /// More votes in a batch than the process admits at a time.
    VotesInFlight(u32),
    /// More votes in a batch than the client may send in a second.
    VotesPerSecond(u32),
    /// More bytes than the process buffers for one request.
    BufferedBytes(usize),
}

/// The reason for the client, and what to do.
impl fmt::Display for ServerLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VotesInFlight(votes) => write!(
                formatter,
                "this server accepts at most {votes} votes at a time (--max-in-flight): send smaller batches"
            ),
            Self::VotesPerSecond(votes) => write!(
                formatter,
                "this client may send at most {votes} votes a second: send smaller batches"
            ),
            Self::BufferedBytes(bytes) => write!(
                formatter,
                "this server buffers at most {bytes} bytes for one request (--max-buffered-bytes): send smaller requests"
            ),
        }
    }
}
