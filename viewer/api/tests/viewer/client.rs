//! HTTP clients of the tests: requests of a browser, raw requests, and event streams.

use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::environment::{TIMEOUT, Viewer};

/// The status and the JSON of a response.
pub(crate) async fn get(viewer: &Viewer, path: &str) -> (u16, Value) {
    let (status, _, body) = get_raw(viewer, path, &[]).await;
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

/// The JSON of a response with status 200.
pub(crate) async fn get_ok(viewer: &Viewer, path: &str) -> Value {
    let (status, json) = get(viewer, path).await;
    assert_eq!(status, 200, "{path}: {json}");
    json
}

/// Repeats the request until the status is 200 and the JSON is as expected.
pub(crate) async fn get_until(viewer: &Viewer, path: &str, is_expected: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let (status, json) = get(viewer, path).await;
        if status == 200 && is_expected(&json) {
            return json;
        }
        assert!(started.elapsed() < TIMEOUT, "{path}: {status} {json}");
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

/// Sends the path unchanged, which a URL library would normalise. Returns the status and the whole response.
pub(crate) async fn get_raw_path(viewer: &Viewer, path: &str) -> (u16, String) {
    let address = viewer.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: viewer\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await.unwrap();
    let response = String::from_utf8_lossy(&response).into_owned();
    let status = response.split(' ').nth(1).unwrap().parse().unwrap();
    (status, response)
}

/// The names of the invalid parameters.
pub(crate) async fn invalid_fields(viewer: &Viewer, path: &str) -> Vec<String> {
    let (status, headers, body) = get_raw(viewer, path, &[]).await;
    assert_eq!(status, 422, "{path}");
    assert_eq!(headers[CONTENT_TYPE], "application/problem+json", "{path}");
    let problem: Value = serde_json::from_slice(&body).unwrap();
    let errors = problem["errors"].as_array().unwrap().iter();
    errors
        .map(|error| error["field"].as_str().unwrap().to_owned())
        .collect()
}

/// A server-sent event.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) data: Value,
}

/// An event stream, parsed like in a browser.
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

    /// The next event. Skips comments. None at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        let next = tokio::time::timeout(TIMEOUT, self.read());
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
            // A stream that the service aborts ends like one that it closes.
            let chunk = self.response.chunk().await.unwrap_or_default()?;
            self.unread.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event. Panics if it has another name.
    pub(crate) async fn expect(&mut self, name: &str) -> Event {
        let event = self.next().await.expect("the stream has ended");
        assert_eq!(event.name, name, "{event:?}");
        event
    }

    /// Reads events until `count` votes were shown or skipped. Returns the ids of the shown votes, the number of skipped ones,
    /// and the id of the last event.
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
