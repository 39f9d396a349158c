//! The context of the clients: what the client library calls for its log and for access tokens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;

use crate::Brokers;
use crate::connection_log::ConnectionLog;
use crate::token_file::TokenFile;

/// The library asks for the first token when a client is created.
const FIRST_TOKEN_TIMEOUT: Duration = Duration::from_secs(1);
const POLL_TIME: Duration = Duration::from_millis(10);

/// The context of all clients but the member of a consumer group. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) connection_log: ConnectionLog,
    pub(crate) tokens: Tokens,
}

/// Gives access tokens to the client library.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    file: Option<TokenFile>,
    was_asked: Arc<AtomicBool>,
}

impl Context {
    pub(crate) fn new(brokers: &Brokers) -> Self {
        Self {
            connection_log: ConnectionLog::default(),
            tokens: Tokens::new(brokers),
        }
    }
}

impl Tokens {
    pub(crate) fn new(brokers: &Brokers) -> Self {
        Self {
            file: brokers.security.token_file().cloned(),
            was_asked: Arc::default(),
        }
    }

    /// The token that the file has now. The library asks again after 80 % of its lifetime, and ten seconds after an error.
    pub(crate) fn next(&self) -> Result<OAuthToken, String> {
        self.was_asked.store(true, Ordering::Relaxed);
        let file = self.file.as_ref().ok_or("there is no --kafka-token-file")?;
        let token = file.read()?;
        Ok(OAuthToken {
            token: token.text,
            principal_name: token.subject,
            lifetime_ms: token.expires_at_ms,
        })
    }

    /// Lets a client ask for its first token by `poll`. A client that no thread polls needs this before its first request.
    pub(crate) fn give_first(&self, poll: impl Fn(Duration)) {
        let started = Instant::now();
        while self.file.is_some()
            && !self.was_asked.load(Ordering::Relaxed)
            && started.elapsed() < FIRST_TOKEN_TIMEOUT
        {
            poll(POLL_TIME);
        }
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        self.connection_log.note(facility, message);
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        let token = self.tokens.next();
        if let Err(reason) = &token {
            self.connection_log.note_reason(reason);
        }
        Ok(token?)
    }
}

impl ConsumerContext for Context {}
