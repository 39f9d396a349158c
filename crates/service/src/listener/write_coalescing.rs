//! Lets responses that are ready together leave with one write.
//!
//! Kafka acknowledges many votes at once, so many requests of one HTTP/2 connection become ready together. The task of each
//! wakes the task of the connection, and the runtime polls a task that was just woken next. So the connection would write
//! nearly each response alone, which took a fifth of the CPU time of a vote (docs/benchmark.md).

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Polls a connection after the tasks that are already ready, whose responses it then writes together.
#[derive(Debug, Default)]
pub(super) struct WriteCoalescing {
    /// Whether the tasks that were ready have run.
    has_waited: bool,
}

impl WriteCoalescing {
    /// Polls `connection`. With several requests in flight, the first poll after a wake only lets the tasks that are ready
    /// run. With one request, there is no other response to wait for.
    pub(super) fn poll<F: Future>(
        &mut self,
        connection: Pin<&mut F>,
        has_several_requests: bool,
        context: &mut Context<'_>,
    ) -> Poll<F::Output> {
        let has_waited = mem::take(&mut self.has_waited);
        if has_several_requests && !has_waited {
            self.has_waited = true;
            // A task that wakes itself goes to the end of the queue of tasks that are ready.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        connection.poll(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;

    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
    use tokio::sync::{Barrier, Notify};
    use tokio::task::JoinSet;

    use super::*;

    const REQUESTS: usize = 16;

    /// Takes all responses that are there at each poll: one write. Returns the number of writes after the last response.
    async fn connection(
        mut responses: UnboundedReceiver<()>,
        has_several_requests: bool,
        is_idle: Arc<Notify>,
    ) -> usize {
        let mut writes = 0;
        let mut coalescing = WriteCoalescing::default();
        let mut served = std::pin::pin!(poll_fn(|context| {
            let mut taken = 0;
            loop {
                match responses.poll_recv(context) {
                    Poll::Ready(Some(())) => taken += 1,
                    end => {
                        if taken > 0 {
                            writes += 1;
                        } else {
                            is_idle.notify_one();
                        }
                        return end.map(drop);
                    }
                }
            }
        }));
        poll_fn(|context| coalescing.poll(served.as_mut(), has_several_requests, context)).await;
        writes
    }

    /// The number of writes for responses that become ready together, on one thread of the services' runtime.
    fn writes(has_several_requests: bool) -> usize {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).build().unwrap();
        runtime.block_on(async {
            let (sender, responses) = unbounded_channel();
            let is_idle = Arc::new(Notify::new());
            let connection = tokio::spawn(connection(responses, has_several_requests, Arc::clone(&is_idle)));
            is_idle.notified().await;
            let all_ready = Arc::new(Barrier::new(REQUESTS));
            let mut requests = JoinSet::new();
            for _ in 0..REQUESTS {
                let (sender, all_ready) = (sender.clone(), Arc::clone(&all_ready));
                requests.spawn(async move {
                    all_ready.wait().await;
                    sender.send(()).unwrap();
                });
            }
            drop(sender);
            requests.join_all().await;
            connection.await.unwrap()
        })
    }

    #[test]
    fn responses_of_several_requests_leave_with_one_write() {
        assert_eq!(writes(true), 1);
    }

    #[test]
    fn without_coalescing_nearly_each_response_leaves_alone() {
        assert!(writes(false) > REQUESTS / 4);
    }
}
