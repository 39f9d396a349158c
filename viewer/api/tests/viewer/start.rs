//! How soon a new process answers: a service that scales to zero makes somebody wait for it.

use std::time::{Duration, Instant};

use crate::bed::Viewer;
use crate::client::get_untidied;
use tokio::net::TcpStream;

/// The figure in viewer/README.md. Not asserted: a test's machine may be busy with anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_answer_waits_for_no_store() {
    let mut times = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        // Nothing listens there, and a host that nobody knows besides: neither may matter.
        let stores = [
            "--redis-url",
            "redis://127.0.0.1:1",
            "--prometheus-url",
            "http://127.0.0.1:1",
        ];
        let viewer = Viewer::spawn("mongodb+srv://nowhere.invalid", &stores);
        let address = viewer.url.strip_prefix("http://").unwrap().to_owned();
        while TcpStream::connect(&address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert!(started.elapsed() < crate::bed::PATIENCE);
        }
        assert_eq!(get_untidied(&viewer, "/api/live").await.0, 200);
        times.push(started.elapsed());
    }
    times.sort();
    println!(
        "from process start to the first answer: median {:.1} ms, slowest of 20 {:.1} ms",
        times[times.len() / 2].as_secs_f64() * 1e3,
        times[times.len() - 1].as_secs_f64() * 1e3
    );
}
