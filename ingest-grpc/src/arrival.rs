//! What the wrapper of the request body (`request_body.rs`) and the handler of the gRPC method share about one call: the
//! memory reserved for the message that arrives, and the error that ended the request.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ingest::{IngestError, MemoryReservation};

/// The state of a request while it arrives.
#[derive(Debug)]
pub(crate) struct Arrival(Mutex<State>);

#[derive(Debug)]
struct State {
    reservation: MemoryReservation,
    error: Option<IngestError>,
}

impl Arrival {
    /// A request whose arriving bytes are counted in `reservation`.
    pub(crate) fn new(reservation: MemoryReservation) -> Self {
        Self(Mutex::new(State {
            reservation,
            error: None,
        }))
    }

    /// Reserves memory with `reserve`.
    pub(crate) fn reserve(
        &self,
        reserve: impl FnOnce(&mut MemoryReservation) -> Result<(), IngestError>,
    ) -> Result<(), IngestError> {
        reserve(&mut self.state().reservation)
    }

    /// Ends the request with `error`. Frees the memory of the bytes that have arrived.
    pub(crate) fn fail(&self, error: IngestError) {
        let mut state = self.state();
        state.reservation.replace(0);
        state.error = Some(error);
    }

    /// The error that ended the request.
    pub(crate) fn take_error(&self) -> Option<IngestError> {
        self.state().error.take()
    }

    /// Takes the reservation of a complete message, and grows it to `length`, its bytes after decompression. If the budget
    /// does not allow that, also stores the error for [`Self::take_error`].
    pub(crate) fn take_reservation(&self, length: usize) -> Result<MemoryReservation, IngestError> {
        let mut state = self.state();
        let mut reservation = state.reservation.take();
        if let Err(error) = reservation.grow_to(length) {
            state.error = Some(error.clone());
            return Err(error);
        }
        Ok(reservation)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No step that holds the lock leaves the state half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
