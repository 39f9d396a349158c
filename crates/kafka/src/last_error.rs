//! The last error of a client's connections. The client library reports it on its own, and fails a request only because no
//! broker is connected: the error of the request does not say why.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::error::KafkaError as ClientError;
use rdkafka::types::RDKafkaErrorCode;

/// Passes the errors of a client to whoever explains a failed request. Clones share the error.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastError(Arc<Mutex<Option<String>>>);

impl ClientContext for LastError {
    fn error(&self, error: ClientError, reason: &str) {
        // It follows the error of each broker, and says nothing new.
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            return;
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    }
}

impl LastError {
    /// Adds the last error to the reason of a failed request.
    pub(crate) fn explain(&self, reason: String) -> String {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(cause) => format!("{reason}: {cause}"),
            None => reason,
        }
    }
}
