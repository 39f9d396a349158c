//! Emits each vote at its intended send time. It runs on its own thread, because the runtime's timer counts whole
//! milliseconds, and at a thousand votes a second two votes are a millisecond apart.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// A running schedule.
#[derive(Debug)]
pub struct Pacer {
    due: UnboundedReceiver<DueVote>,
    /// The start of the schedule.
    pub start: Instant,
}

/// A vote that is due.
#[derive(Clone, Copy, Debug)]
pub struct DueVote {
    /// Its index in the schedule.
    pub index: usize,
    /// Its intended send time.
    pub intended: Instant,
}

impl Pacer {
    /// Starts at once; `times` are offsets from now, ascending.
    pub fn start(times: Vec<Duration>) -> std::io::Result<Self> {
        let (sender, due) = unbounded_channel();
        let start = Instant::now();
        std::thread::Builder::new()
            .name("pacer".to_owned())
            .spawn(move || {
                // By default the kernel may wake a thread 50 µs late to coalesce timers. If this call fails, the effect
                // shows in the scheduling delay.
                let _ = nix::sys::prctl::set_timerslack(1);
                for (index, offset) in times.into_iter().enumerate() {
                    let intended = start + offset;
                    // Overdue votes follow without a pause; none is skipped.
                    std::thread::sleep(intended.saturating_duration_since(Instant::now()));
                    if sender.send(DueVote { index, intended }).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self { due, start })
    }

    /// The next vote, when it is due; `None` after the last.
    pub async fn next(&mut self) -> Option<DueVote> {
        self.due.recv().await
    }
}
