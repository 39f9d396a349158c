//! A connection to Redis that reconnects after every kind of failure.

use std::sync::{Mutex, PoisonError};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{ErrorKind, RedisResult};

use crate::server::{Credentials, RedisServer};

/// Wraps the connection manager of redis-rs. The manager replaces a broken connection, but keeps a connection whose
/// password Redis rejected, and it never reads a file again. So this type replaces the manager after a rejected password,
/// and after a failure if a file has changed: Redis and its clients receive new passwords and certificates at different
/// times.
#[derive(Debug)]
pub struct ReconnectingConnection {
    server: RedisServer,
    config: ConnectionManagerConfig,
    current: Mutex<Current>,
}

struct Current {
    credentials: Credentials,
    manager: ConnectionManager,
}

impl ReconnectingConnection {
    /// Connects on first use: Redis need not be running yet.
    pub fn new(server: RedisServer, config: ConnectionManagerConfig) -> anyhow::Result<Self> {
        let current = Current::new(server.credentials()?, &config)?;
        Ok(Self {
            server,
            config,
            current: Mutex::new(current),
        })
    }

    /// The connection for one command. Pass the response through [`Self::checked`].
    pub fn get(&self) -> ConnectionManager {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.manager.clone()
    }

    /// Returns the response unchanged. If Redis rejected the password, or if the connection failed and a file has changed, the
    /// next command uses a new connection.
    pub fn checked<T>(&self, response: RedisResult<T>) -> RedisResult<T> {
        if let Err(error) = &response {
            let is_rejected = error.kind() == ErrorKind::AuthenticationFailed;
            if is_rejected || error.is_io_error() {
                // The files are small, and are read after a failure only.
                if let Err(error) = self.reconnect(is_rejected) {
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "cannot use the changed options of Redis; the loaded ones stay in use"
                    );
                }
            }
        }
        response
    }

    fn reconnect(&self, is_rejected: bool) -> anyhow::Result<()> {
        let credentials = self.server.credentials()?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if is_rejected || current.credentials != credentials {
            *current = Current::new(credentials, &self.config)?;
        }
        Ok(())
    }
}

impl Current {
    fn new(credentials: Credentials, config: &ConnectionManagerConfig) -> anyhow::Result<Self> {
        let manager = ConnectionManager::new_lazy_with_config(credentials.client()?, config.clone())?;
        Ok(Self { credentials, manager })
    }
}

impl std::fmt::Debug for Current {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The credentials are secrets.
        formatter.debug_struct("Current").finish_non_exhaustive()
    }
}
