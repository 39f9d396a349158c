//! Kafka with TLS, login and access control lists: a real broker with a listener that requires all three.

mod broker;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use authority::Authority;
use e2e::http2_client::Http2Client;
use e2e::service_process::{ServiceKind, ServiceProcess};
use e2e::wait::wait_until;
use kafka::source::{Source, SourceConfig, SourceEvent};
use kafka::{BrokerArgs, Brokers, SaslMechanism, SecurityArgs, SecurityProtocol, TopicIds};

use self::broker::{PASSWORD, READER, READERS, SecuredBroker, WRITER};
use crate::issuer::Issuer;

/// The options of a login over TLS.
fn options(broker: &SecuredBroker, ca: &str, user: &str, password_file: &str) -> Vec<String> {
    let address = broker.address();
    [
        ("--kafka-brokers", address.as_str()),
        ("--kafka-security-protocol", "sasl-ssl"),
        ("--kafka-ca", ca),
        ("--kafka-username", user),
        ("--kafka-password-file", password_file),
    ]
    .into_iter()
    .flat_map(|(option, value)| [option.to_owned(), value.to_owned()])
    .collect()
}

fn as_str(options: &[String]) -> Vec<&str> {
    options.iter().map(String::as_str).collect()
}

fn open(broker: &SecuredBroker, login: SecurityArgs) -> Brokers {
    let args = BrokerArgs {
        addresses: broker.address(),
        security: SecurityArgs {
            kafka_security_protocol: SecurityProtocol::SaslSsl,
            kafka_ca: Some(PathBuf::from(broker.path("ca.pem"))),
            ..login
        },
    };
    args.open().unwrap()
}

fn brokers(broker: &SecuredBroker, mechanism: SaslMechanism, password_file: &str) -> Brokers {
    let login = SecurityArgs {
        kafka_sasl_mechanism: mechanism,
        kafka_username: Some(READER.to_owned()),
        kafka_password_file: Some(PathBuf::from(broker.path(password_file))),
        ..SecurityArgs::default()
    };
    open(broker, login)
}

#[tokio::test]
async fn votes_reach_a_broker_with_tls_login_and_access_control() {
    let broker = SecuredBroker::start(&Issuer::new("key")).await;
    let (ca, password) = (broker.path("ca.pem"), broker.path("password"));

    for kind in ServiceKind::KAFKA_PRODUCERS {
        let service = ServiceProcess::start(kind, &as_str(&options(&broker, &ca, WRITER, &password)))
            .await
            .unwrap();
        let mut client = Http2Client::connect(kind, service.address()).await.unwrap();
        assert!(client.send_vote().await.unwrap().is_receipt());
        assert!(!service.log().contains(PASSWORD), "{}", service.log());
    }

    // This user may read only, so the producer cannot start.
    let address = lab::ports::free_address().unwrap();
    let reader = ServiceProcess::spawn(
        ServiceKind::Rest,
        &as_str(&options(&broker, &ca, READER, &password)),
        address,
    )
    .unwrap();
    wait_until(async || reader.log().to_lowercase().contains("authorization failed")).await;

    let other_ca = broker.write("other-ca.pem", &Authority::new("another CA").unwrap().pem());
    let wrong_password = broker.write("wrong-password", "wrong");
    for (options, reason) in [
        (
            options(&broker, &other_ca, WRITER, &password),
            "certificate verify failed",
        ),
        (
            options(&broker, &ca, WRITER, &wrong_password),
            "authentication failed",
        ),
        (vec!["--kafka-brokers".to_owned(), broker.address()], ""),
    ] {
        let address = lab::ports::free_address().unwrap();
        let service = ServiceProcess::spawn(ServiceKind::Rest, &as_str(&options), address).unwrap();
        wait_until(async || {
            let log = service.log().to_lowercase();
            log.contains("kafka") && log.contains(reason)
        })
        .await;
        assert!(!service.is_ready().await, "{reason}");
        assert!(!service.log().contains(PASSWORD), "{}", service.log());
    }

    for mechanism in [
        SaslMechanism::Plain,
        SaslMechanism::ScramSha256,
        SaslMechanism::ScramSha512,
    ] {
        let ids = TopicIds::new(brokers(&broker, mechanism, "password"), "votes");
        assert!(!ids.requested_after(Instant::now()).await.unwrap().is_nil());
        let ids = TopicIds::new(brokers(&broker, mechanism, "wrong-password"), "votes");
        let error = ids.requested_after(Instant::now()).await.unwrap_err().to_string();
        assert!(error.contains("the login failed"), "{error}");
    }
    let wrong = brokers(&broker, SaslMechanism::ScramSha512, "wrong-password");
    let error = kafka::admin::partitions(&wrong, "votes", Duration::from_secs(5)).await;
    let error = error.unwrap_err().to_string().to_lowercase();
    assert!(error.contains("authentication failed"), "{error}");
    let mut records = 0;
    kafka::scan(
        brokers(&broker, SaslMechanism::ScramSha512, "password"),
        "votes",
        |_| records += 1,
    )
    .unwrap();
    assert_eq!(records, 2);
}

/// The options of a login by the access token in a file.
fn token_options(broker: &SecuredBroker, token_file: &str) -> Vec<String> {
    let (address, ca) = (broker.address(), broker.path("ca.pem"));
    [
        ("--kafka-brokers", address.as_str()),
        ("--kafka-security-protocol", "sasl-ssl"),
        ("--kafka-ca", &ca),
        ("--kafka-sasl-mechanism", "oauthbearer"),
        ("--kafka-token-file", token_file),
    ]
    .into_iter()
    .flat_map(|(option, value)| [option.to_owned(), value.to_owned()])
    .collect()
}

fn brokers_by_token(broker: &SecuredBroker, token_file: &str) -> Brokers {
    let login = SecurityArgs {
        kafka_sasl_mechanism: SaslMechanism::Oauthbearer,
        kafka_token_file: Some(PathBuf::from(token_file)),
        ..SecurityArgs::default()
    };
    open(broker, login)
}

#[tokio::test]
async fn votes_reach_a_broker_by_access_tokens_that_are_renewed() {
    /// Long enough for a slow machine to start a service, and short enough to wait for its end.
    const LIFETIME_S: i64 = 10;
    let issuer = Issuer::new("key");
    let broker = SecuredBroker::start(&issuer).await;

    let first = issuer.token(WRITER, LIFETIME_S);
    let expires_at = Instant::now() + Duration::from_secs(LIFETIME_S.unsigned_abs());
    let token_file = broker.write("token", &first);
    let kind = ServiceKind::Rest;
    let service = ServiceProcess::start(kind, &as_str(&token_options(&broker, &token_file)))
        .await
        .unwrap();
    let mut client = Http2Client::connect(kind, service.address()).await.unwrap();
    assert!(client.send_vote().await.unwrap().is_receipt());
    let second = issuer.token(WRITER, 600);
    broker.write("token", &second);
    tokio::time::sleep_until((expires_at + Duration::from_secs(1)).into()).await;
    assert!(client.send_vote().await.unwrap().is_receipt());
    for token in [&first, &second] {
        assert!(!service.log().contains(token.as_str()), "{}", service.log());
    }

    let reader = broker.write("reader-token", &issuer.token(READER, 600));
    let ids = TopicIds::new(brokers_by_token(&broker, &reader), "votes");
    assert!(!ids.requested_after(Instant::now()).await.unwrap().is_nil());
    let mut records = 0;
    let (brokers, count) = (brokers_by_token(&broker, &reader), &mut records);
    kafka::scan(brokers, "votes", |_| *count += 1).unwrap();
    assert_eq!(records, 2);
    let mut source = Source::start(&SourceConfig {
        brokers: brokers_by_token(&broker, &reader),
        topic: "votes".to_owned(),
        group: READERS.to_owned(),
        max_outstanding: 10,
    })
    .unwrap();
    let event = source.next().await;
    assert!(matches!(event, SourceEvent::Assigned { .. }), "{event:?}");
    drop(event);
    source.close(Vec::new()).await;
    let error = kafka::admin::ensure_topic(brokers_by_token(&broker, &reader), "other", 1)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("cannot change topics"), "{error}");

    let forged = Issuer::new("key").token(WRITER, 600);
    let forged_file = broker.write("forged-token", &forged);
    let ids = TopicIds::new(brokers_by_token(&broker, &forged_file), "votes");
    let error = ids.requested_after(Instant::now()).await.unwrap_err().to_string();
    assert!(error.contains("the login failed"), "{error}");
    let expired = broker.write("expired-token", &issuer.token(WRITER, -60));
    for (token_file, reason) in [
        (&forged_file, "invalid_token"),
        (&expired, "the token has expired"),
    ] {
        let address = lab::ports::free_address().unwrap();
        let service =
            ServiceProcess::spawn(kind, &as_str(&token_options(&broker, token_file)), address).unwrap();
        wait_until(async || service.log().to_lowercase().contains(reason)).await;
        assert!(!service.is_ready().await, "{reason}");
        assert!(!service.log().contains(&forged), "{}", service.log());
    }
}
