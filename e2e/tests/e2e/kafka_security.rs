//! Kafka with TLS, login and access control lists: a real broker with a listener that requires all three.

mod broker;

use std::path::PathBuf;
use std::time::Instant;

use authority::Authority;
use e2e::http2_client::Http2Client;
use e2e::service_process::{ServiceKind, ServiceProcess};
use e2e::wait::wait_until;
use kafka::{BrokerArgs, Brokers, SaslMechanism, SecurityArgs, SecurityProtocol, TopicIds};

use self::broker::{PASSWORD, READER, SecuredBroker, WRITER};

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

fn brokers(broker: &SecuredBroker, mechanism: SaslMechanism, password_file: &str) -> Brokers {
    let security = SecurityArgs {
        kafka_security_protocol: SecurityProtocol::SaslSsl,
        kafka_ca: Some(PathBuf::from(broker.path("ca.pem"))),
        kafka_sasl_mechanism: mechanism,
        kafka_username: Some(READER.to_owned()),
        kafka_password_file: Some(PathBuf::from(broker.path(password_file))),
        ..SecurityArgs::default()
    };
    let args = BrokerArgs {
        addresses: broker.address(),
        security,
    };
    args.open().unwrap()
}

#[tokio::test]
async fn votes_reach_a_broker_with_tls_login_and_access_control() {
    let broker = SecuredBroker::start().await;
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
    let mut records = 0;
    kafka::scan(
        brokers(&broker, SaslMechanism::ScramSha512, "password"),
        "votes",
        |_| records += 1,
    )
    .unwrap();
    assert_eq!(records, 2);
}
