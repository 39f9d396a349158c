//! A connection to Redis that comes back whatever ended it.

use std::sync::{Mutex, PoisonError};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ErrorKind, RedisResult};

/// redis-rs' manager, which mends a connection that broke, but keeps for good one that was refused because Redis does not
/// know the password. It may know it soon: a new password reaches Redis and its clients at different moments.
#[derive(Debug)]
pub struct ReconnectingConnection {
    client: Client,
    config: ConnectionManagerConfig,
    manager: Mutex<ConnectionManager>,
}

impl ReconnectingConnection {
    /// Connects lazily: Redis need not be there yet.
    pub fn new(client: Client, config: ConnectionManagerConfig) -> RedisResult<Self> {
        let manager = ConnectionManager::new_lazy_with_config(client.clone(), config.clone())?;
        Ok(Self {
            client,
            config,
            manager: Mutex::new(manager),
        })
    }

    /// For one call, whose answer must go through [`Self::checked`].
    pub fn get(&self) -> ConnectionManager {
        self.manager
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Passes an answer on; after a refusal the next call signs in again.
    pub fn checked<T>(&self, answer: RedisResult<T>) -> RedisResult<T> {
        if let Err(error) = &answer
            && error.kind() == ErrorKind::AuthenticationFailed
        {
            let manager = ConnectionManager::new_lazy_with_config(self.client.clone(), self.config.clone())?;
            *self.manager.lock().unwrap_or_else(PoisonError::into_inner) = manager;
        }
        answer
    }
}
