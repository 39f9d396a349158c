//! Requests over a fixed number of connections. The same pool serves HTTP/1.1 and HTTP/2, so only the protocol differs
//! between variants.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use bytes::Bytes;
use experiment_model::protocol::{Connections, Version};
use experiment_model::sample::WireBytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use tokio::sync::Semaphore;

use crate::connector::Connector;

/// A pool of connections for requests.
#[derive(Debug)]
pub struct ConnectionPool {
    connector: Connector,
    connections: Connections,
    /// One permit for each concurrent request. Waiting requests get permits in order of arrival.
    permits: Semaphore,
    open: OpenConnections,
}

#[derive(Debug)]
enum OpenConnections {
    /// Idle connections only.
    Http1(Mutex<Vec<http1::SendRequest<Full<Bytes>>>>),
    /// All connections, each with its number of requests in flight.
    H2c(Mutex<Vec<SharedConnection>>),
}

#[derive(Clone, Debug)]
struct SharedConnection {
    connection: http2::SendRequest<Full<Bytes>>,
    in_flight: usize,
}

impl ConnectionPool {
    /// Opens all connections. If each request has its own connection, it opens one to check that the target is reachable.
    pub async fn open(connector: Connector, version: Version, connections: Connections) -> Result<Self> {
        let (open, max_concurrent) = match version {
            Version::Http1 => (OpenConnections::Http1(Mutex::default()), connections.count),
            Version::H2c => (
                OpenConnections::H2c(Mutex::default()),
                connections.count * connections.streams,
            ),
        };
        let pool = Self {
            connector,
            connections,
            permits: Semaphore::new(max_concurrent),
            open,
        };
        if connections.reuse {
            pool.reopen_closed().await?;
        } else {
            drop(pool.connector.http1::<Full<Bytes>>().await?);
        }
        Ok(pool)
    }

    /// Bytes on its connections since they were opened.
    pub fn wire_bytes(&self) -> WireBytes {
        self.connector.wire_bytes()
    }

    /// Reopens connections that closed while idle, so that no vote waits for a connection.
    pub async fn reopen_closed(&self) -> Result<()> {
        if !self.connections.reuse {
            return Ok(());
        }
        match &self.open {
            OpenConnections::Http1(idle) => {
                let missing = {
                    let mut idle = lock(idle);
                    idle.retain(|connection| !connection.is_closed());
                    self.connections.count - idle.len()
                };
                for _ in 0..missing {
                    let connection = self.connector.http1().await?;
                    lock(idle).push(connection);
                }
            }
            OpenConnections::H2c(shared) => {
                let missing = {
                    let mut shared = lock(shared);
                    shared.retain(|shared| !shared.connection.is_closed());
                    self.connections.count - shared.len()
                };
                for _ in 0..missing {
                    let connection = self.connector.h2c().await?;
                    lock(shared).push(SharedConnection {
                        connection,
                        in_flight: 0,
                    });
                }
            }
        }
        Ok(())
    }

    /// Sends a request as soon as a permit is free, and returns the result of `read` on the answer. The next request that
    /// gets a broken connection replaces it.
    pub async fn send<T>(
        &self,
        request: Request<Full<Bytes>>,
        read: impl AsyncFnOnce(Response<Incoming>) -> Result<T>,
    ) -> Result<T> {
        let _permit = self.permits.acquire().await?;
        match &self.open {
            OpenConnections::Http1(idle) => {
                let mut connection = self.idle_http1(idle).await?;
                let response = connection.send_request(request).await.context("no answer")?;
                let reply = read(response).await?;
                // The answer was read completely, so the connection can serve the next request.
                if self.connections.reuse {
                    lock(idle).push(connection);
                }
                Ok(reply)
            }
            OpenConnections::H2c(_) if !self.connections.reuse => {
                let mut connection = self.connector.h2c().await?;
                read(connection.send_request(request).await.context("no answer")?).await
            }
            OpenConnections::H2c(shared) => {
                let (_slot, mut connection) = self.least_loaded_h2c(shared).await?;
                read(connection.send_request(request).await.context("no answer")?).await
            }
        }
    }

    async fn idle_http1(
        &self,
        idle: &Mutex<Vec<http1::SendRequest<Full<Bytes>>>>,
    ) -> Result<http1::SendRequest<Full<Bytes>>> {
        let kept = lock(idle).pop();
        if let Some(mut connection) = kept
            && connection.ready().await.is_ok()
        {
            return Ok(connection);
        }
        self.connector.http1().await
    }

    /// The connection with the fewest requests in flight. The caller holds a permit, so one connection has a free stream.
    async fn least_loaded_h2c<'a>(
        &self,
        shared: &'a Mutex<Vec<SharedConnection>>,
    ) -> Result<(StreamSlot<'a>, http2::SendRequest<Full<Bytes>>)> {
        let (slot, mut connection) = reserve_stream(shared).context("the pool has no connection")?;
        if connection.ready().await.is_ok() {
            return Ok((slot, connection));
        }
        let connection = self.connector.h2c().await?;
        if let Some(broken) = lock(shared).get_mut(slot.index) {
            broken.connection = connection.clone();
        }
        Ok((slot, connection))
    }
}

/// Counts one request as in flight on a connection until it is dropped.
struct StreamSlot<'a> {
    shared: &'a Mutex<Vec<SharedConnection>>,
    index: usize,
}

fn reserve_stream(
    shared: &Mutex<Vec<SharedConnection>>,
) -> Option<(StreamSlot<'_>, http2::SendRequest<Full<Bytes>>)> {
    let mut connections = lock(shared);
    let (index, least_loaded) = connections
        .iter_mut()
        .enumerate()
        .min_by_key(|(_, shared)| shared.in_flight)?;
    least_loaded.in_flight += 1;
    Some((StreamSlot { shared, index }, least_loaded.connection.clone()))
}

impl Drop for StreamSlot<'_> {
    fn drop(&mut self) {
        if let Some(shared) = lock(self.shared).get_mut(self.index) {
            shared.in_flight -= 1;
        }
    }
}

/// No code panics while it holds one of these locks, so a poisoned lock is still valid.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
