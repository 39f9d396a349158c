//! Calls in progress, counted for the process and watched for each connection. A call begins with its request head and
//! ends when its answer has been handed to the transport: an answer that nobody takes costs memory like any other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The calls in progress of the process.
#[derive(Debug)]
pub(super) struct Calls {
    limit: usize,
    open: AtomicUsize,
}

/// The calls of one connection.
#[derive(Debug)]
pub(super) struct Connection {
    calls: Arc<Calls>,
    open: AtomicUsize,
    has_begun: AtomicBool,
    /// The current period between two looks; its parity says where answers that begin to wait now are counted.
    period: AtomicUsize,
    waiting: [AtomicUsize; 2],
}

/// A call in progress.
#[derive(Debug)]
pub(super) struct Call {
    connection: Arc<Connection>,
    /// Where the wait for the client is counted, while there is one.
    waits_in: Option<usize>,
}

/// Whether there is room for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// Yes.
    Free,
    /// Only for its refusal.
    Full,
    /// Not even for that: so many refusals wait to be taken that more of them are a danger of their own.
    Exhausted,
}

/// What a connection did between two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    /// It has calls.
    Busy,
    /// It had none.
    Idle,
    /// One of its answers has waited for the client all the time.
    Stuck,
}

impl Calls {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            open: AtomicUsize::new(0),
        }
    }
}

impl Connection {
    pub(super) fn new(calls: Arc<Calls>) -> Self {
        Self {
            calls,
            open: AtomicUsize::new(0),
            has_begun: AtomicBool::new(false),
            period: AtomicUsize::new(0),
            waiting: [AtomicUsize::new(0), AtomicUsize::new(0)],
        }
    }

    /// A call begins.
    pub(super) fn begin(self: &Arc<Self>) -> (Call, Room) {
        self.has_begun.store(true, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        let open = self.calls.open.fetch_add(1, Ordering::Relaxed);
        let room = if open < self.calls.limit {
            Room::Free
        } else if open < self.calls.limit.saturating_mul(2) {
            Room::Full
        } else {
            Room::Exhausted
        };
        let call = Call {
            connection: Arc::clone(self),
            waits_in: None,
        };
        (call, room)
    }

    /// Looks at what happened since the last look. An answer that began to wait in one period and still waits at the end
    /// of the next has waited for a whole period at least, and for two at most: no clock is read per answer.
    pub(super) fn look(&self) -> Activity {
        let period = self.period.load(Ordering::Relaxed);
        let [even, odd] = &self.waiting;
        let from_the_period_before = if period.is_multiple_of(2) { odd } else { even };
        if from_the_period_before.load(Ordering::Relaxed) > 0 {
            return Activity::Stuck;
        }
        self.period.store(period.wrapping_add(1), Ordering::Relaxed);
        let has_begun = self.has_begun.swap(false, Ordering::Relaxed);
        if has_begun || self.open.load(Ordering::Relaxed) > 0 {
            Activity::Busy
        } else {
            Activity::Idle
        }
    }
}

impl Call {
    /// The transport has a part of the answer and must find out whether the client takes it.
    pub(super) fn waits_for_client(&mut self) {
        self.waits_no_more();
        let parity = self.connection.period.load(Ordering::Relaxed) % 2;
        if let Some(count) = self.connection.waiting.get(parity) {
            count.fetch_add(1, Ordering::Relaxed);
            self.waits_in = Some(parity);
        }
    }

    /// The transport asks for more.
    pub(super) fn waits_no_more(&mut self) {
        let count = self.waits_in.take();
        if let Some(count) = count.and_then(|parity| self.connection.waiting.get(parity)) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.waits_no_more();
        self.connection.open.fetch_sub(1, Ordering::Relaxed);
        self.connection.calls.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(limit: usize) -> Arc<Connection> {
        Arc::new(Connection::new(Arc::new(Calls::new(limit))))
    }

    #[test]
    fn calls_have_room_then_refusals_then_nothing() {
        let connection = connection(1);
        let (first, room) = connection.begin();
        assert_eq!(room, Room::Free);
        let (_second, room) = connection.begin();
        assert_eq!(room, Room::Full);
        let (third, room) = connection.begin();
        assert_eq!(room, Room::Exhausted);
        drop((first, third));
        let (_fourth, room) = connection.begin();
        assert_eq!(room, Room::Full);
    }

    #[test]
    fn a_connection_without_calls_is_idle() {
        let connection = connection(9);
        assert_eq!(connection.look(), Activity::Idle);
        let (call, _) = connection.begin();
        assert_eq!(connection.look(), Activity::Busy);
        assert_eq!(connection.look(), Activity::Busy);
        drop(call);
        assert_eq!(connection.look(), Activity::Idle);
        drop(connection.begin());
        assert_eq!(connection.look(), Activity::Busy);
        assert_eq!(connection.look(), Activity::Idle);
    }

    #[test]
    fn an_answer_that_nobody_takes_is_found_after_a_whole_period() {
        let connection = connection(9);
        let (mut call, _) = connection.begin();
        for _ in 0..3 {
            call.waits_for_client();
            assert_eq!(connection.look(), Activity::Busy);
            call.waits_no_more();
            assert_eq!(connection.look(), Activity::Busy);
        }
        call.waits_for_client();
        assert_eq!(connection.look(), Activity::Busy);
        assert_eq!(connection.look(), Activity::Stuck);
        drop(call);
        assert_eq!(connection.look(), Activity::Idle);
    }
}
