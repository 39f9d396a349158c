//! Calls over a fixed number of connections: the same client for every protocol, so that only the protocol differs.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use tokio::sync::Semaphore;

use super::dial::Dial;
use super::lane::{Connections, Version};

/// Connections for calls, each a request with an answer.
#[derive(Debug)]
pub struct Calls {
    dial: Dial,
    connections: Connections,
    /// Calls that fit at a time. First come, first served: what waits here waits in order.
    places: Semaphore,
    pool: Pool,
}

#[derive(Debug)]
enum Pool {
    /// Connections that serve no call.
    Http1(Mutex<Vec<http1::SendRequest<Full<Bytes>>>>),
    /// All connections, each with the calls that it serves.
    H2c(Mutex<Vec<Shared>>),
}

#[derive(Clone, Debug)]
struct Shared {
    connection: http2::SendRequest<Full<Bytes>>,
    calls: usize,
}

impl Calls {
    /// Opens all connections, or one to see that somebody is there if each call has its own.
    pub async fn open(dial: Dial, version: Version, connections: Connections) -> Result<Self> {
        let (pool, at_a_time) = match version {
            Version::Http1 => (Pool::Http1(Mutex::default()), connections.count),
            Version::H2c => (
                Pool::H2c(Mutex::default()),
                connections.count * connections.streams,
            ),
        };
        let calls = Self {
            dial,
            connections,
            places: Semaphore::new(at_a_time),
            pool,
        };
        if connections.reuse {
            calls.renew().await?;
        } else {
            drop(calls.dial.http1::<Full<Bytes>>().await?);
        }
        Ok(calls)
    }

    /// Where it connects to.
    pub fn dial(&self) -> &Dial {
        &self.dial
    }

    /// Opens connections again that were closed while nothing was sent: no vote shall wait for that.
    pub async fn renew(&self) -> Result<()> {
        if !self.connections.reuse {
            return Ok(());
        }
        match &self.pool {
            Pool::Http1(idle) => {
                let missing = {
                    let mut idle = lock(idle);
                    idle.retain(|connection| !connection.is_closed());
                    self.connections.count - idle.len()
                };
                for _ in 0..missing {
                    let connection = self.dial.http1().await?;
                    lock(idle).push(connection);
                }
            }
            Pool::H2c(shared) => {
                let missing = {
                    let mut shared = lock(shared);
                    shared.retain(|shared| !shared.connection.is_closed());
                    self.connections.count - shared.len()
                };
                for _ in 0..missing {
                    let connection = self.dial.h2c().await?;
                    lock(shared).push(Shared { connection, calls: 0 });
                }
            }
        }
        Ok(())
    }

    /// Sends a request as soon as a place is free, and gives what `read` makes of the answer. A connection that broke
    /// is replaced by the next call that needs it.
    pub async fn call<T>(
        &self,
        request: Request<Full<Bytes>>,
        read: impl AsyncFnOnce(Response<Incoming>) -> Result<T>,
    ) -> Result<T> {
        let _place = self.places.acquire().await?;
        match &self.pool {
            Pool::Http1(idle) => {
                let mut connection = self.http1(idle).await?;
                let response = connection.send_request(request).await.context("no answer")?;
                let reply = read(response).await?;
                // The answer was read to its end: the connection serves the next one.
                if self.connections.reuse {
                    lock(idle).push(connection);
                }
                Ok(reply)
            }
            Pool::H2c(_) if !self.connections.reuse => {
                let mut connection = self.dial.h2c().await?;
                read(connection.send_request(request).await.context("no answer")?).await
            }
            Pool::H2c(shared) => {
                let (_lent, mut connection) = self.h2c(shared).await?;
                read(connection.send_request(request).await.context("no answer")?).await
            }
        }
    }

    async fn http1(
        &self,
        idle: &Mutex<Vec<http1::SendRequest<Full<Bytes>>>>,
    ) -> Result<http1::SendRequest<Full<Bytes>>> {
        let kept = lock(idle).pop();
        if let Some(mut connection) = kept
            && connection.ready().await.is_ok()
        {
            return Ok(connection);
        }
        self.dial.http1().await
    }

    /// The connection with the fewest calls: with a place in hand, one has room.
    async fn h2c<'a>(
        &self,
        shared: &'a Mutex<Vec<Shared>>,
    ) -> Result<(Lent<'a>, http2::SendRequest<Full<Bytes>>)> {
        let (lent, mut connection) = lend(shared).context("no connection")?;
        if connection.ready().await.is_ok() {
            return Ok((lent, connection));
        }
        let connection = self.dial.h2c().await?;
        if let Some(broken) = lock(shared).get_mut(lent.index) {
            broken.connection = connection.clone();
        }
        Ok((lent, connection))
    }
}

/// A place on a connection, until it is dropped.
struct Lent<'a> {
    shared: &'a Mutex<Vec<Shared>>,
    index: usize,
}

fn lend(shared: &Mutex<Vec<Shared>>) -> Option<(Lent<'_>, http2::SendRequest<Full<Bytes>>)> {
    let mut connections = lock(shared);
    let (index, least) = connections
        .iter_mut()
        .enumerate()
        .min_by_key(|(_, shared)| shared.calls)?;
    least.calls += 1;
    Some((Lent { shared, index }, least.connection.clone()))
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(shared) = lock(self.shared).get_mut(self.index) {
            shared.calls -= 1;
        }
    }
}

/// Nothing panics while it holds one of these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
