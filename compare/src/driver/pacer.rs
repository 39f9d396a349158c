//! Says when it is time. A thread of its own, because the runtime's timer counts whole milliseconds and at a thousand
//! votes a second that is the distance between two of them.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Moments as they come.
#[derive(Debug)]
pub struct Pacer {
    moments: UnboundedReceiver<Moment>,
    /// What the offsets count from.
    pub start: Instant,
}

/// A vote is due.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Its number in the schedule.
    pub index: usize,
    /// When it was meant to be sent.
    pub intended: Instant,
}

impl Pacer {
    /// Starts at once; `times` are offsets from now, ascending.
    pub fn start(times: Vec<Duration>) -> std::io::Result<Self> {
        let (sender, moments) = unbounded_channel();
        let start = Instant::now();
        std::thread::Builder::new()
            .name("pacer".to_owned())
            .spawn(move || {
                // The kernel may wake a sleeper 50 µs late, to do things together. Where it cannot be asked not to, the
                // lag shows it.
                let _ = nix::sys::prctl::set_timerslack(1);
                for (index, offset) in times.into_iter().enumerate() {
                    let intended = start + offset;
                    // Late ones follow without a pause: nothing is left out.
                    std::thread::sleep(intended.saturating_duration_since(Instant::now()));
                    if sender.send(Moment { index, intended }).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self { moments, start })
    }

    /// The next vote that is due; None after the last.
    pub async fn next(&mut self) -> Option<Moment> {
        self.moments.recv().await
    }
}
