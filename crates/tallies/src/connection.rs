//! A connection to Redis that reconnects after every kind of failure.

use std::sync::{Mutex, PoisonError};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ErrorKind, RedisResult};

/// Wraps the connection manager of redis-rs. The manager replaces a broken connection, but keeps a connection whose
/// password Redis rejected. A retry may succeed, because Redis and its clients receive a new password at different times.
/// So this type replaces the manager after a rejected password.
#[derive(Debug)]
pub struct ReconnectingConnection {
    client: Client,
    config: ConnectionManagerConfig,
    manager: Mutex<ConnectionManager>,
}

impl ReconnectingConnection {
    /// Connects on first use: Redis need not be running yet.
    pub fn new(client: Client, config: ConnectionManagerConfig) -> RedisResult<Self> {
        let manager = ConnectionManager::new_lazy_with_config(client.clone(), config.clone())?;
        Ok(Self {
            client,
            config,
            manager: Mutex::new(manager),
        })
    }

    /// The connection for one command. Pass the response through [`Self::checked`].
    pub fn get(&self) -> ConnectionManager {
        self.manager
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns the response unchanged. If Redis rejected the password, the next command authenticates again.
    pub fn checked<T>(&self, response: RedisResult<T>) -> RedisResult<T> {
        if let Err(error) = &response
            && error.kind() == ErrorKind::AuthenticationFailed
        {
            let manager = ConnectionManager::new_lazy_with_config(self.client.clone(), self.config.clone())?;
            *self.manager.lock().unwrap_or_else(PoisonError::into_inner) = manager;
        }
        response
    }
}
