//! Brokers that do not respond, as a consumer sees them.

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const ID: Uuid = Uuid::from_u128(7);

/// A server that the kernel connects to, and that never reads or responds.
async fn silent() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

fn address(listener: &TcpListener) -> String {
    listener.local_addr().unwrap().to_string()
}

/// A broker that responds to every request, and returns `brokers` as the members of its cluster.
async fn broker(brokers: Vec<SocketAddr>) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let name = address(&listener);
    let serve = async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let response = metadata(&brokers);
            tokio::spawn(async move {
                while let Ok(length) = connection.read_u32().await {
                    let mut request = vec![0; length as usize];
                    connection.read_exact(&mut request).await.unwrap();
                    connection.write_all(&response).await.unwrap();
                }
            });
        }
    };
    (name, tokio::spawn(serve))
}

/// A metadata response of version 12 with one topic.
fn metadata(brokers: &[SocketAddr]) -> Vec<u8> {
    fn text(body: &mut BytesMut, text: &str) {
        body.put_u8(u8::try_from(text.len()).unwrap() + 1);
        body.put_slice(text.as_bytes());
    }
    let mut body = BytesMut::new();
    body.put_i32(0); // correlation id
    body.put_u8(0); // tags of the header
    body.put_i32(0); // throttle time
    body.put_u8(u8::try_from(brokers.len()).unwrap() + 1);
    for broker in brokers {
        body.put_i32(1); // node
        text(&mut body, &broker.ip().to_string());
        body.put_i32(broker.port().into());
        body.put_u8(0); // rack
        body.put_u8(0); // tags
    }
    body.put_u8(0); // cluster id
    body.put_i32(1); // controller
    body.put_u8(2); // one topic
    body.put_i16(0); // no error
    text(&mut body, "votes");
    body.put_slice(ID.as_bytes());
    body.put_u8(0); // not internal
    body.put_u8(1); // no partitions
    body.put_i32(0); // authorized operations
    body.put_slice(&[0, 0]); // tags
    let mut frame = BytesMut::new();
    frame.put_u32(u32::try_from(body.len()).unwrap());
    frame.put_slice(&body);
    frame.to_vec()
}

async fn timed(ids: &TopicIds) -> (Result<Uuid, KafkaError>, Duration) {
    let started = Instant::now();
    let id = ids.requested_after(started).await;
    (id, started.elapsed())
}

#[tokio::test]
async fn silent_broker_delays_only_the_first_call() {
    let silent = silent().await;
    let (working, _serving) = broker(Vec::new()).await;
    let ids = TopicIds::new(&format!("{},{working}", address(&silent)), "votes");
    let (id, elapsed) = timed(&ids).await;
    assert_eq!(id.unwrap(), ID);
    assert!(elapsed + Duration::from_secs(1) < TIMEOUT, "{elapsed:?}");
    // A new connection is necessary, and the broker that responded is asked first.
    ids.state.lock().await.idle_connection = None;
    let (id, elapsed) = timed(&ids).await;
    assert_eq!(id.unwrap(), ID);
    assert!(elapsed < Duration::from_millis(500), "{elapsed:?}");
}

#[tokio::test]
async fn address_that_drops_connection_requests_delays_a_call_within_the_timeout() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(1).unwrap();
    // Fill the queue of connections that nobody accepts: the kernel drops further requests.
    let mut waiting = Vec::new();
    let connect = || {
        let connection = TcpStream::connect(full.local_addr().unwrap());
        tokio::time::timeout(Duration::from_millis(200), connection)
    };
    while let Ok(connection) = connect().await {
        waiting.push(connection);
    }
    let (working, _serving) = broker(Vec::new()).await;
    let ids = TopicIds::new(&format!("{},{working}", address(&full)), "votes");
    let (id, elapsed) = timed(&ids).await;
    assert_eq!(id.unwrap(), ID);
    assert!(elapsed + Duration::from_secs(1) < TIMEOUT, "{elapsed:?}");
}

#[tokio::test]
async fn broker_that_falls_silent_on_an_open_connection_is_replaced_by_a_discovered_one() {
    let (other, _serving) = broker(Vec::new()).await;
    let (first, serving) = broker(vec![other.parse().unwrap()]).await;
    let ids = TopicIds::new(&first, "votes");
    assert_eq!(timed(&ids).await.0.unwrap(), ID);
    serving.abort();
    let silent = silent().await;
    let connection = Connection::open(
        &address(&silent),
        silent.local_addr().unwrap(),
        &Security::default(),
    )
    .await
    .unwrap();
    ids.state.lock().await.idle_connection = Some(connection);
    let (id, elapsed) = timed(&ids).await;
    assert_eq!(id.unwrap(), ID);
    assert!(elapsed + Duration::from_secs(1) < TIMEOUT, "{elapsed:?}");
}

#[tokio::test]
async fn call_that_reaches_its_limit_leaves_the_untried_brokers_to_the_next_call() {
    let mut listeners = Vec::new();
    for _ in 0..6 {
        listeners.push(silent().await);
    }
    let (working, _serving) = broker(Vec::new()).await;
    let mut names: Vec<String> = listeners.iter().map(address).collect();
    names.push(working);
    let ids = TopicIds::new(&names.join(","), "votes");
    let (failed, elapsed) = timed(&ids).await;
    let error = failed.unwrap_err().to_string();
    assert!(error.contains("did not respond within"), "{error}");
    assert!(elapsed < TIMEOUT + Duration::from_secs(1), "{elapsed:?}");
    assert_eq!(timed(&ids).await.0.unwrap(), ID);
}

#[tokio::test]
async fn broker_that_refuses_connections_is_skipped_at_once() {
    let refusing = address(&silent().await);
    let (working, _serving) = broker(Vec::new()).await;
    let ids = TopicIds::new(&format!("{refusing},{working}"), "votes");
    let (id, elapsed) = timed(&ids).await;
    assert_eq!(id.unwrap(), ID);
    assert!(elapsed < Duration::from_millis(500), "{elapsed:?}");
    let none = TopicIds::new(" , ", "votes");
    let error = timed(&none).await.0.unwrap_err().to_string();
    assert!(error.contains("the list of brokers is empty"), "{error}");
}
