//! Each user may do what its program needs, and nothing else.

use kafka::{BrokerArgs, Brokers, Record, RecordWriter, SecurityArgs, SecurityProtocol};
use lab::ports::Port;
use lab::secrets::User;
use lab::servers::Server;
use mongodb::bson::{Document, doc};

use super::program::Program;
use super::{Options, SecuredStack, shown};

const STORES: [Server; 3] = [Server::Kafka, Server::Redis, Server::Mongodb];

fn kafka_options(stack: &SecuredStack, user: User) -> Options {
    Options::new([
        ("--kafka-brokers", stack.ports.address(Port::Kafka)),
        ("--kafka-security-protocol", "sasl-ssl".to_owned()),
        ("--kafka-ca", shown(&stack.secrets.ca())),
        ("--kafka-username", user.name().to_owned()),
        (
            "--kafka-password-file",
            shown(&stack.secrets.password_file(Server::Kafka, user)),
        ),
    ])
}

fn brokers(stack: &SecuredStack, user: User) -> Brokers {
    let security = SecurityArgs {
        kafka_security_protocol: SecurityProtocol::SaslSsl,
        kafka_ca: Some(stack.secrets.ca()),
        kafka_username: Some(user.name().to_owned()),
        kafka_password_file: Some(stack.secrets.password_file(Server::Kafka, user)),
        ..SecurityArgs::default()
    };
    let args = BrokerArgs {
        addresses: stack.ports.address(Port::Kafka),
        security,
    };
    args.open().unwrap()
}

fn consumer_options(stack: &SecuredStack, store_user: User) -> Options {
    let mut options = kafka_options(stack, User::Consumer);
    options
        .0
        .extend(stack.store_options(store_user, Server::Consumer).0);
    options
}

#[tokio::test]
async fn users_cannot_do_more_than_their_program_needs() {
    let stack = SecuredStack::start(&STORES).await;

    let consumer = Program::consumer(&consumer_options(&stack, User::Consumer));
    consumer.wait_until_ready().await;
    stack.assert_shows_no_password(&consumer.log());

    // The viewer may only read the stores.
    let redis = stack.store_options(User::Viewer, Server::Consumer);
    let mut options = consumer_options(&stack, User::Consumer);
    for (option, value) in redis.0.iter().filter(|(option, _)| option.starts_with("--redis")) {
        options = options.with(option, value);
    }
    let reader = Program::consumer(&options);
    reader
        .wait_until_logged("NoPerm: this user has no permissions")
        .await;
    let reader = Program::consumer(&consumer_options(&stack, User::Viewer));
    reader.wait_until_logged("not authorized on votes").await;

    // Neither user of Kafka may do what the other does.
    let record = Record {
        partition: 0,
        offset: 0,
        key: None,
        payload: b"not a vote".to_vec(),
        headers: Vec::new(),
        timestamp_ms: None,
    };
    let write = async |user| {
        let writer = RecordWriter::new(brokers(&stack, user), "votes").unwrap();
        writer.write(&record).await.map_err(|error| error.to_string())
    };
    write(User::Ingest).await.unwrap();
    let error = write(User::Consumer).await.unwrap_err();
    assert!(error.to_lowercase().contains("authorization failed"), "{error}");
    let read = async |user, topic: &'static str| {
        let brokers = brokers(&stack, user);
        let read = tokio::task::spawn_blocking(move || kafka::scan(brokers, topic, |_| ()));
        read.await.unwrap().map_err(|error| error.to_string())
    };
    read(User::Consumer, "votes").await.unwrap();
    let error = read(User::Ingest, "votes").await.unwrap_err();
    assert!(error.to_lowercase().contains("authorization failed"), "{error}");
    let error = kafka::admin::ensure_topic(brokers(&stack, User::Ingest), "another", 1).await;
    let error = error.unwrap_err().to_string();
    assert!(error.to_lowercase().contains("authorization"), "{error}");
    // The record is not a vote, so the consumer writes it into the topic of dead letters.
    let dead_letter = r#"consumer_votes_total{result="dead_letter",route="unknown"} 1"#;
    consumer.wait_for_metric(dead_letter).await;
}

#[tokio::test]
async fn viewer_of_mongodb_cannot_write_and_nobody_enters_without_a_login() {
    let stack = SecuredStack::start(&[Server::Mongodb]).await;
    let password =
        std::fs::read_to_string(stack.secrets.password_file(Server::Mongodb, User::Viewer)).unwrap();
    let cert_with_key = shown(&stack.secrets.cert_with_key(Server::Viewer));
    let insert = async |uri: String| -> String {
        let client = mongodb::Client::with_uri_str(uri).await.unwrap();
        let logs = client.database("votes").collection::<Document>("logs");
        logs.insert_one(doc! {}).await.unwrap_err().to_string()
    };
    let error = insert(stack.mongodb_uri(&format!("viewer:{password}"), &cert_with_key)).await;
    assert!(error.contains("not authorized"), "{error}");
    let without_login = stack.mongodb_uri("", &cert_with_key).replace("//@", "//");
    let error = insert(without_login).await;
    assert!(error.contains("requires authentication"), "{error}");
}
