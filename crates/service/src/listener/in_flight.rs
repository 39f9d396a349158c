//! Requests in flight, counted for the whole process and per connection. A request is in flight from its head until its
//! transport has taken its whole response, because a response that the client does not read occupies memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The requests in flight of the whole process.
#[derive(Debug)]
pub(super) struct InFlightRequests {
    limit: usize,
    count: AtomicUsize,
}

/// The requests in flight of one connection.
#[derive(Debug)]
pub(super) struct ConnectionRequests {
    process: Arc<InFlightRequests>,
    count: AtomicUsize,
    /// Whether a request began in the current period.
    has_begun: AtomicBool,
    /// The number of the current period; each check ends a period. A response that starts to wait now is counted in
    /// `waiting` at the index `period % 2`.
    period: AtomicUsize,
    /// Responses that wait for the client: one counter for periods with an even number, one for odd numbers. The number
    /// is that of the period in which the wait started.
    waiting: [AtomicUsize; 2],
}

/// A request in flight, until it is dropped.
#[derive(Debug)]
pub(super) struct InFlightGuard {
    connection: Arc<ConnectionRequests>,
    /// The index in `waiting` that counts this response while it waits for the client.
    waiting_index: Option<usize>,
}

/// Which responses the limit still allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Capacity {
    /// The request can be served.
    Available,
    /// The request can only be rejected.
    RejectionsOnly,
    /// The request is dropped without a response: too many unread rejections already occupy memory.
    Exhausted,
}

/// What a connection did between two checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    /// It has or had requests.
    Busy,
    /// It had no request.
    Idle,
    /// One of its responses waited for the client for the whole period.
    Stalled,
}

impl InFlightRequests {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            count: AtomicUsize::new(0),
        }
    }
}

impl ConnectionRequests {
    pub(super) fn new(process: Arc<InFlightRequests>) -> Self {
        Self {
            process,
            count: AtomicUsize::new(0),
            has_begun: AtomicBool::new(false),
            period: AtomicUsize::new(0),
            waiting: [AtomicUsize::new(0), AtomicUsize::new(0)],
        }
    }

    /// Counts a new request.
    pub(super) fn begin(self: &Arc<Self>) -> (InFlightGuard, Capacity) {
        self.has_begun.store(true, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
        let count = self.process.count.fetch_add(1, Ordering::Relaxed);
        let capacity = if count < self.process.limit {
            Capacity::Available
        } else if count < self.process.limit.saturating_mul(2) {
            Capacity::RejectionsOnly
        } else {
            Capacity::Exhausted
        };
        let guard = InFlightGuard {
            connection: Arc::clone(self),
            waiting_index: None,
        };
        (guard, capacity)
    }

    /// Whether several requests are in flight.
    pub(super) fn has_several(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 1
    }

    /// Ends the current period and reports what happened in it. A response that started to wait in one period and still
    /// waits at the end of the next has waited for one to two periods. This needs no clock per response.
    pub(super) fn check(&self) -> Activity {
        let period = self.period.load(Ordering::Relaxed);
        let [even, odd] = &self.waiting;
        let waiting_since_previous_period = if period.is_multiple_of(2) { odd } else { even };
        if waiting_since_previous_period.load(Ordering::Relaxed) > 0 {
            return Activity::Stalled;
        }
        self.period.store(period.wrapping_add(1), Ordering::Relaxed);
        let has_begun = self.has_begun.swap(false, Ordering::Relaxed);
        if has_begun || self.count.load(Ordering::Relaxed) > 0 {
            Activity::Busy
        } else {
            Activity::Idle
        }
    }
}

impl InFlightGuard {
    /// The transport has a part of the response. The wait for the client starts now.
    pub(super) fn start_client_wait(&mut self) {
        self.end_client_wait();
        let index = self.connection.period.load(Ordering::Relaxed) % 2;
        if let Some(counter) = self.connection.waiting.get(index) {
            counter.fetch_add(1, Ordering::Relaxed);
            self.waiting_index = Some(index);
        }
    }

    /// The transport has room for the next part of the response. The response no longer waits for the client.
    pub(super) fn end_client_wait(&mut self) {
        let index = self.waiting_index.take();
        if let Some(counter) = index.and_then(|index| self.connection.waiting.get(index)) {
            counter.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.end_client_wait();
        self.connection.count.fetch_sub(1, Ordering::Relaxed);
        self.connection.process.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(limit: usize) -> Arc<ConnectionRequests> {
        Arc::new(ConnectionRequests::new(Arc::new(InFlightRequests::new(limit))))
    }

    #[test]
    fn requests_are_served_then_rejected_then_dropped() {
        let connection = connection(1);
        let (first, capacity) = connection.begin();
        assert_eq!(capacity, Capacity::Available);
        let (_second, capacity) = connection.begin();
        assert_eq!(capacity, Capacity::RejectionsOnly);
        let (third, capacity) = connection.begin();
        assert_eq!(capacity, Capacity::Exhausted);
        drop((first, third));
        let (_fourth, capacity) = connection.begin();
        assert_eq!(capacity, Capacity::RejectionsOnly);
    }

    #[test]
    fn connection_without_requests_is_idle() {
        let connection = connection(9);
        assert_eq!(connection.check(), Activity::Idle);
        let (request, _) = connection.begin();
        assert_eq!(connection.check(), Activity::Busy);
        assert_eq!(connection.check(), Activity::Busy);
        drop(request);
        assert_eq!(connection.check(), Activity::Idle);
        drop(connection.begin());
        assert_eq!(connection.check(), Activity::Busy);
        assert_eq!(connection.check(), Activity::Idle);
    }

    #[test]
    fn unread_response_stalls_the_connection_after_one_whole_period() {
        let connection = connection(9);
        let (mut request, _) = connection.begin();
        for _ in 0..3 {
            request.start_client_wait();
            assert_eq!(connection.check(), Activity::Busy);
            request.end_client_wait();
            assert_eq!(connection.check(), Activity::Busy);
        }
        request.start_client_wait();
        assert_eq!(connection.check(), Activity::Busy);
        assert_eq!(connection.check(), Activity::Stalled);
        drop(request);
        assert_eq!(connection.check(), Activity::Idle);
    }
}
