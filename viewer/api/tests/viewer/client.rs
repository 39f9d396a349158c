//! What a browser does, and what only an attacker does.

use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bed::{PATIENCE, Viewer};

/// Status and JSON.
pub(crate) async fn get(viewer: &Viewer, path: &str) -> (u16, Value) {
    let (status, _, body) = get_raw(viewer, path, &[]).await;
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

/// The JSON of a good answer.
pub(crate) async fn get_ok(viewer: &Viewer, path: &str) -> Value {
    let (status, json) = get(viewer, path).await;
    assert_eq!(status, 200, "{path}: {json}");
    json
}

/// Asks until the answer is good and as wanted.
pub(crate) async fn get_until(viewer: &Viewer, path: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let (status, json) = get(viewer, path).await;
        if status == 200 && is_wanted(&json) {
            return json;
        }
        assert!(started.elapsed() < PATIENCE, "{path}: {status} {json}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

pub(crate) async fn get_raw(
    viewer: &Viewer,
    path: &str,
    headers: &[(&'static str, &str)],
) -> (u16, HeaderMap, Vec<u8>) {
    let mut request = reqwest::Client::new().get(viewer.at(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, headers, response.bytes().await.unwrap().to_vec())
}

/// The status of a path that is sent as it stands: an URL library would tidy it up.
pub(crate) async fn get_untidied(viewer: &Viewer, path: &str) -> (u16, String) {
    let address = viewer.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: viewer\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer)
}

/// The names of the refused parameters.
pub(crate) async fn refused_fields(viewer: &Viewer, path: &str) -> Vec<String> {
    let (status, headers, body) = get_raw(viewer, path, &[]).await;
    assert_eq!(status, 422, "{path}");
    assert_eq!(headers[CONTENT_TYPE], "application/problem+json", "{path}");
    let problem: Value = serde_json::from_slice(&body).unwrap();
    let errors = problem["errors"].as_array().unwrap().iter();
    errors
        .map(|error| error["field"].as_str().unwrap().to_owned())
        .collect()
}

/// An event of a stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) data: Value,
}

/// A stream of events, read as a browser reads it.
pub(crate) struct Events {
    response: reqwest::Response,
    unread: String,
}

impl Events {
    pub(crate) async fn open(viewer: &Viewer, query: &str, last_event_id: Option<&str>) -> Self {
        let mut request = reqwest::Client::new().get(viewer.at(&format!("/api/logs/stream{query}")));
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
        Self {
            response,
            unread: String::new(),
        }
    }

    /// The next event; comments are passed over. None at the end.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        let next = tokio::time::timeout(PATIENCE, self.read());
        next.await.expect("no event in time")
    }

    async fn read(&mut self) -> Option<Event> {
        loop {
            if let Some((text, rest)) = self.unread.split_once("\n\n") {
                let event = parse(text);
                self.unread = String::from(rest);
                if !event.name.is_empty() {
                    return Some(event);
                }
                continue;
            }
            // What the service cuts off ends like what it ends.
            let chunk = self.response.chunk().await.unwrap_or_default()?;
            self.unread.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event, which must have this name.
    pub(crate) async fn expect(&mut self, name: &str) -> Event {
        let event = self.next().await.expect("the stream has ended");
        assert_eq!(event.name, name, "{event:?}");
        event
    }

    /// Ids of votes, with how many were left out, until there are so many in all; also the last event's id.
    pub(crate) async fn votes(&mut self, count: u64) -> (Vec<String>, u64, Option<String>) {
        let (mut ids, mut skipped, mut last) = (Vec::new(), 0, None);
        while (ids.len() as u64) + skipped < count {
            let event = self.expect("votes").await;
            skipped += event.data["skipped"].as_u64().unwrap();
            ids.extend(vote_ids(&event.data));
            last = event.id;
        }
        (ids, skipped, last)
    }
}

pub(crate) fn vote_ids(json: &Value) -> Vec<String> {
    let votes = json["votes"].as_array().unwrap().iter();
    votes
        .map(|vote| vote["vote_id"].as_str().unwrap().to_owned())
        .collect()
}

fn parse(text: &str) -> Event {
    let mut event = Event::default();
    for line in text.lines() {
        match line.split_once(": ") {
            Some(("event", value)) => value.clone_into(&mut event.name),
            Some(("id", value)) => event.id = Some(value.to_owned()),
            Some(("data", value)) => event.data = serde_json::from_str(value).unwrap(),
            _ => {}
        }
    }
    event
}
