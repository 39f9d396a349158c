//! The body of an answer, which keeps its call open and says whose turn it is.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::calls::Call;

pin_project! {
    /// A body whose call lasts as long as the body.
    pub(super) struct Answer<B> {
        #[pin]
        body: B,
        call: Call,
    }
}

impl<B> Answer<B> {
    /// The answer is ready: from here it waits for the client to take it.
    pub(super) fn new(body: B, mut call: Call) -> Self {
        call.waits_for_client();
        Self { body, call }
    }
}

impl<B: Body> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let polled = this.body.poll_frame(context);
        // The transport asks for a frame when there is room for one. Where none is ready, the client waits for us.
        match &polled {
            Poll::Ready(_) => this.call.waits_for_client(),
            Poll::Pending => this.call.waits_no_more(),
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
