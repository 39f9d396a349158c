//! Requests over a fixed number of connections, which they use in rotation. The same pool serves HTTP/1.1 and HTTP/2, so only the protocol differs
//! between variants.

use std::collections::VecDeque;
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
    /// Idle connections, the longest idle first.
    Http1(Mutex<VecDeque<http1::SendRequest<Full<Bytes>>>>),
    /// All connections.
    H2c(Mutex<Rotation>),
}

/// HTTP/2 connections that requests use in rotation.
#[derive(Debug, Default)]
struct Rotation {
    connections: Vec<http2::SendRequest<Full<Bytes>>>,
    next: usize,
}

impl Rotation {
    /// The next connection and its index; `None` without connections.
    fn next(&mut self) -> Option<(usize, http2::SendRequest<Full<Bytes>>)> {
        let index = self.next % self.connections.len().max(1);
        self.next = index + 1;
        Some((index, self.connections.get(index)?.clone()))
    }
}

impl ConnectionPool {
    /// Opens all connections. If each request has its own connection, it opens one to check that the target is reachable.
    pub async fn open(connector: Connector, version: Version, connections: Connections) -> Result<Self> {
        let open = match version {
            Version::Http1 => OpenConnections::Http1(Mutex::default()),
            Version::H2c => OpenConnections::H2c(Mutex::default()),
        };
        let pool = Self {
            connector,
            connections,
            permits: Semaphore::new(connections.in_flight),
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
                    self.connections.in_flight - idle.len()
                };
                for _ in 0..missing {
                    let connection = self.connector.http1().await?;
                    lock(idle).push_back(connection);
                }
            }
            OpenConnections::H2c(rotation) => {
                let missing = {
                    let mut rotation = lock(rotation);
                    rotation.connections.retain(|connection| !connection.is_closed());
                    self.connections.count - rotation.connections.len()
                };
                for _ in 0..missing {
                    let connection = self.connector.h2c().await?;
                    lock(rotation).connections.push(connection);
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
                    lock(idle).push_back(connection);
                }
                Ok(reply)
            }
            OpenConnections::H2c(_) if !self.connections.reuse => {
                let mut connection = self.connector.h2c().await?;
                read(connection.send_request(request).await.context("no answer")?).await
            }
            OpenConnections::H2c(rotation) => {
                let mut connection = self.next_h2c(rotation).await?;
                read(connection.send_request(request).await.context("no answer")?).await
            }
        }
    }

    async fn idle_http1(
        &self,
        idle: &Mutex<VecDeque<http1::SendRequest<Full<Bytes>>>>,
    ) -> Result<http1::SendRequest<Full<Bytes>>> {
        let kept = lock(idle).pop_front();
        if let Some(mut connection) = kept
            && connection.ready().await.is_ok()
        {
            return Ok(connection);
        }
        self.connector.http1().await
    }

    /// The next connection of the rotation. A broken one is replaced.
    async fn next_h2c(&self, rotation: &Mutex<Rotation>) -> Result<http2::SendRequest<Full<Bytes>>> {
        let next = lock(rotation).next();
        let (index, mut connection) = next.context("the pool has no connection")?;
        if connection.ready().await.is_ok() {
            return Ok(connection);
        }
        let connection = self.connector.h2c().await?;
        if let Some(broken) = lock(rotation).connections.get_mut(index) {
            broken.clone_from(&connection);
        }
        Ok(connection)
    }
}

/// No code panics while it holds one of these locks, so a poisoned lock is still valid.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
