//! The time from the start of the process to its first response: with scale-to-zero, a user waits for it.

use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::client::get_raw_path;
use crate::environment::{TIMEOUT, Viewer};

/// Prints the figure that viewer/README.md quotes, without asserting it, because a test machine may be busy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_response_does_not_wait_for_stores() {
    let mut times = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        // None of these stores exists, and the host of MongoDB cannot be resolved.
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
            assert!(started.elapsed() < TIMEOUT);
        }
        assert_eq!(get_raw_path(&viewer, "/api/live").await.0, 200);
        times.push(started.elapsed());
    }
    times.sort();
    println!(
        "from process start to the first response: median {:.1} ms, slowest of 20 {:.1} ms",
        times[times.len() / 2].as_secs_f64() * 1e3,
        times[times.len() - 1].as_secs_f64() * 1e3
    );
}
