//! The stream of new votes.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use lab::servers::Server;
use mongodb::bson::Document;
use serde_json::json;

use crate::client::{Events, get, get_raw, vote_ids};
use crate::environment::{TIMEOUT, TestEnvironment, Viewer, id, vote, votes};

fn ids(votes: &[Document]) -> Vec<String> {
    votes.iter().map(id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_votes_are_streamed_and_filters_apply() {
    let environment = TestEnvironment::new().await;
    let viewer = environment.viewer_with_only_mongodb(&[]).await;
    let mut all = Events::open(&viewer, "", None).await;
    let mut some = Events::open(&viewer, "?route=grpc&band=Alux+Nahual", None).await;
    let ready = all.expect("ready").await;
    assert_eq!(ready.data, json!({}));
    some.expect("ready").await;

    let first = vote("Alux Nahual", "rest", 0);
    environment.insert(std::slice::from_ref(&first)).await;
    let event = all.expect("votes").await;
    assert_eq!(event.data["skipped"], 0);
    assert_eq!(event.data["votes"][0]["vote_id"], id(&first));
    assert_eq!(event.data["votes"][0]["received_at"], "2026-01-31T12:00:00.000Z");
    assert!(event.id.is_some());

    let second = [
        vote("Bohemia Suburbana", "grpc", 0),
        vote("Alux Nahual", "grpc", 0),
        vote("Alux Nahual", "bridge", 0),
    ];
    environment.insert(&second).await;
    assert_eq!(some.votes(1).await.0, [id(&second[1])]);
    assert_eq!(all.votes(3).await.0, ids(&second));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn band_is_followed_in_each_spelling() {
    let environment = TestEnvironment::new().await;
    let viewer = environment.viewer_with_only_mongodb(&[]).await;
    // The filter has two spaces, and its accent is a separate character.
    let mut events = Events::open(&viewer, "?band=Leo%CC%81n++Verde", None).await;
    events.expect("ready").await;
    let logged = [
        vote("Leon Verde", "rest", 0),
        vote("Le\u{f3}n Verde", "rest", 0),
        vote("Leo\u{301}n  Verde", "grpc", 0),
    ];
    environment.insert(&logged).await;
    assert_eq!(events.votes(2).await.0, ids(&logged[1..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn burst_shows_the_newest_votes_and_counts_the_others() {
    let environment = TestEnvironment::new().await;
    let viewer = environment.viewer_with_only_mongodb(&[]).await;
    let mut events = Events::open(&viewer, "", None).await;
    events.expect("ready").await;
    let logged = votes(5_000, "Alux Nahual", "rest");
    environment.insert(&logged).await;
    let started = Instant::now();
    let (mut shown, mut skipped, mut count) = (Vec::new(), 0, 0);
    while shown.len() as u64 + skipped < 5_000 {
        let event = events.expect("votes").await;
        let page = vote_ids(&event.data);
        assert!(page.len() <= 100);
        shown.extend(page);
        skipped += event.data["skipped"].as_u64().unwrap();
        count += 1;
    }
    // At most four events per second, and the first one immediately.
    assert!(
        f64::from(count) <= started.elapsed().as_secs_f64() * 4.0 + 2.0,
        "{count} events"
    );
    assert_eq!(shown.len() as u64 + skipped, 5_000);
    assert_eq!(
        shown.last(),
        logged.last().map(id).as_ref(),
        "the newest is among them"
    );
    assert_eq!(shown.iter().collect::<BTreeSet<_>>().len(), shown.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_vote_is_lost_when_mongodb_is_killed() {
    let environment = TestEnvironment::new().await;
    let viewer = environment.viewer_with_only_mongodb(&[]).await;
    let mut events = Events::open(&viewer, "", None).await;
    events.expect("ready").await;
    let before = votes(3, "Alux Nahual", "rest");
    environment.insert(&before).await;
    assert_eq!(events.votes(3).await.0, ids(&before));

    environment.stack.kill(Server::Mongodb).await.unwrap();
    let unavailable = events.expect("unavailable").await;
    assert!(unavailable.data["reason"].is_string());
    environment.stack.start_server(Server::Mongodb).await.unwrap();
    // Inserted before the stream is open again.
    let after = votes(3, "Bohemia Suburbana", "grpc");
    environment.insert(&after).await;
    events.expect("ready").await;
    assert_eq!(events.votes(3).await.0, ids(&after));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconnecting_browser_misses_no_vote_on_any_viewer() {
    let environment = TestEnvironment::new().await;
    let viewer = environment.viewer_with_only_mongodb(&[]).await;
    let mut events = Events::open(&viewer, "", None).await;
    let ready = events.expect("ready").await;
    let first = votes(2, "Alux Nahual", "rest");
    environment.insert(&first).await;
    let (_, _, last) = events.votes(2).await;
    // A second follower keeps the shared change stream open, so the reconnecting one must catch up.
    let mut other = Events::open(&viewer, "", None).await;
    other.expect("ready").await;
    drop(events);

    let missed = votes(250, "Bohemia Suburbana", "grpc");
    environment.insert(&missed).await;
    other.votes(250).await;

    let another_viewer = environment.viewer_with_only_mongodb(&[]).await;
    let mut expected = ids(&missed);
    for viewer in [&viewer, &another_viewer] {
        let mut reconnected = Events::open(viewer, "", last.as_deref()).await;
        reconnected.expect("ready").await;
        let (shown, skipped, _) = reconnected.votes(expected.len() as u64).await;
        let newest = expected.len() - 100;
        assert_eq!((shown.as_slice(), skipped), (&expected[newest..], newest as u64));
        // From here on it receives the same votes as the other followers, and none twice.
        let next = vote("Alux Nahual", "bridge", 0);
        environment.insert(std::slice::from_ref(&next)).await;
        assert_eq!(reconnected.votes(1).await.0, [id(&next)]);
        expected.push(id(&next));
    }

    // The position before the first vote also works. Only two of the votes took this route.
    let mut from_the_start = Events::open(&viewer, "?route=rest", ready.id.as_deref()).await;
    from_the_start.expect("ready").await;
    assert_eq!(from_the_start.votes(2).await.0, ids(&first));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_position_is_reported_as_reset() {
    let environment = TestEnvironment::new().await;
    // No change stream can resume from before this drop to after it.
    environment.insert(&votes(1, "Alux Nahual", "rest")).await;
    environment.log.drop().await.unwrap();
    let viewer = environment.viewer_with_only_mongodb(&[]).await;
    let mut events = Events::open(&viewer, "", None).await;
    let token = events.expect("ready").await.id.unwrap();
    // The second to the fifth byte of a token are seconds since the Unix epoch.
    let at = |seconds| format!("{}{seconds}{}", &token[..2], &token[10..]);
    let (ancient, future) = (at("00000001"), at("FFFFFFFF"));
    // The last one has a valid format but is not a position.
    for lost in [ancient.as_str(), &future, "82FF"] {
        let mut reconnected = Events::open(&viewer, "", Some(lost)).await;
        reconnected.expect("ready").await;
        reconnected.expect("reset").await;
        let next = vote("Alux Nahual", "rest", 0);
        environment.insert(std::slice::from_ref(&next)).await;
        assert_eq!(reconnected.votes(1).await.0, [id(&next)], "it continues from now");
    }
    let (status, _, body) = get_raw(&viewer, "/api/logs/stream", &[("last-event-id", "not hex")]).await;
    assert_eq!(status, 422);
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(problem["errors"][0]["field"], "last-event-id");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_log_resets_the_stream() {
    let environment = TestEnvironment::new().await;
    let viewer = environment.viewer_with_only_mongodb(&[]).await;
    environment.insert(&votes(1, "Alux Nahual", "rest")).await;
    let mut events = Events::open(&viewer, "", None).await;
    events.expect("ready").await;
    environment.log.drop().await.unwrap();
    events.expect("reset").await;
    events.expect("ready").await;
    let next = vote("Alux Nahual", "rest", 0);
    environment.insert(std::slice::from_ref(&next)).await;
    assert_eq!(events.votes(1).await.0, [id(&next)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_are_limited_and_closed_streams_free_their_slots() {
    let environment = TestEnvironment::new().await;
    let viewer = environment
        .viewer_with_only_mongodb(&["--max-streams-per-client", "2"])
        .await;
    let first = Events::open(&viewer, "", None).await;
    let _second = Events::open(&viewer, "", None).await;
    let (status, headers, _) = get_raw(&viewer, "/api/logs/stream", &[]).await;
    assert_eq!(status, 429);
    assert_eq!(headers["retry-after"], "10");
    drop(first);
    let started = Instant::now();
    // The service notices the closed connection at its next event, at the latest at a keep-alive comment.
    while open_streams(&viewer).await != 1 {
        assert!(started.elapsed() < TIMEOUT);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut third = Events::open(&viewer, "", None).await;
    third.expect("ready").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_without_mongodb_waits_for_it() {
    let environment = TestEnvironment::new().await;
    environment.stack.stop(Server::Mongodb).await.unwrap();
    let viewer = environment.viewer_with_only_mongodb(&[]).await;
    let mut events = Events::open(&viewer, "", None).await;
    events.expect("unavailable").await;
    assert_eq!(get(&viewer, "/api/logs").await.1["code"], "unavailable");
    environment.stack.start_server(Server::Mongodb).await.unwrap();
    events.expect("ready").await;
    let next = vote("Alux Nahual", "rest", 0);
    environment.insert(std::slice::from_ref(&next)).await;
    assert_eq!(events.votes(1).await.0, [id(&next)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_end_when_the_service_stops() {
    let environment = TestEnvironment::new().await;
    let viewer = environment.viewer_with_only_mongodb(&[]).await;
    let mut events = Events::open(&viewer, "", None).await;
    events.expect("ready").await;
    let started = Instant::now();
    assert!(viewer.terminate().await.success());
    assert!(
        started.elapsed() < Duration::from_secs(3),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(events.next().await, None);
}

async fn open_streams(viewer: &Viewer) -> u64 {
    let metrics = reqwest::get(format!("{}/metrics", viewer.admin)).await.unwrap();
    let metrics = metrics.text().await.unwrap();
    let line = metrics
        .lines()
        .find(|line| line.starts_with("viewer_open_streams "));
    line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}
