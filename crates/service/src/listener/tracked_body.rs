//! A response body that keeps its request in flight and records when it waits for the client.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::in_flight::InFlightGuard;

pin_project! {
    /// A body whose request is in flight for as long as the body exists.
    pub(super) struct TrackedBody<B> {
        #[pin]
        body: B,
        guard: InFlightGuard,
    }
}

impl<B> TrackedBody<B> {
    /// The response is ready. From here on it waits for the client.
    pub(super) fn new(body: B, mut guard: InFlightGuard) -> Self {
        guard.start_client_wait();
        Self { body, guard }
    }
}

impl<B: Body> Body for TrackedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let polled = this.body.poll_frame(context);
        // The transport polls when it has room for a frame. If no frame is ready, the client waits for the service.
        match &polled {
            Poll::Ready(_) => this.guard.start_client_wait(),
            Poll::Pending => this.guard.end_client_wait(),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
