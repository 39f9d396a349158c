//! Redis, MongoDB and Prometheus refuse, or are refused, for each reason, and the log of our program says which.

use authority::Authority;
use e2e::wait::wait_until;
use ephemeral_stack::EphemeralStack;
use lab::ports::Port;
use lab::secrets::User;
use lab::servers::Server;

use super::program::Program;
use super::{Options, SecuredStack, shown};

const STORES: [Server; 3] = [Server::Redis, Server::Mongodb, Server::Prometheus];

/// Options with which the viewer does not reach a store, and the reason in its log.
struct Case {
    name: &'static str,
    /// The store, as the viewer names it.
    store: &'static str,
    options: Options,
    reason: &'static str,
}

fn case(name: &'static str, store: &'static str, options: Options, reason: &'static str) -> Case {
    Case {
        name,
        store,
        options,
        reason,
    }
}

fn redis_cases(stack: &SecuredStack, files: &OtherFiles, plaintext: &str) -> Vec<Case> {
    let good = stack.viewer_options();
    let port = stack.ports.get(Port::Redis);
    let url = |url: &str| good.clone().with("--redis-url", url);
    vec![
        case(
            "CA that the client does not trust",
            "tallies",
            good.clone().with("--redis-ca", &files.ca),
            "UnknownIssuer",
        ),
        case(
            "certificate for another name",
            "tallies",
            url(&format!("rediss://viewer@localhost:{port}")),
            "certificate not valid for name \"localhost\"",
        ),
        case(
            "no client certificate",
            "tallies",
            good.clone().without("--redis-cert").without("--redis-key"),
            "CertificateRequired",
        ),
        case(
            "client certificate of another CA",
            "tallies",
            good.clone()
                .with("--redis-cert", &files.cert)
                .with("--redis-key", &files.key),
            "UnknownCA",
        ),
        case(
            "expired client certificate",
            "tallies",
            good.clone()
                .with("--redis-cert", &files.expired_cert)
                .with("--redis-key", &files.expired_key),
            "CertificateExpired",
        ),
        case(
            "wrong password",
            "tallies",
            good.clone().with("--redis-password-file", &files.password),
            "AuthenticationFailed",
        ),
        case(
            "no TLS to a port with TLS",
            "tallies",
            url(&format!("redis://viewer@127.0.0.1:{port}"))
                .without("--redis-ca")
                .without("--redis-cert")
                .without("--redis-key"),
            "Connection reset by peer",
        ),
        case(
            "TLS to a port without TLS",
            "tallies",
            url(&plaintext.replace("redis://", "rediss://viewer@")),
            // Redis waits for the end of a command.
            "timed out",
        ),
    ]
}

fn mongodb_cases(stack: &SecuredStack, files: &OtherFiles, plaintext: &str) -> Vec<Case> {
    let good = stack.viewer_options();
    let cert_with_key = shown(&stack.secrets.cert_with_key(Server::Viewer));
    let uri = stack.mongodb_uri("viewer", &cert_with_key);
    let with_uri = |uri: &str| good.clone().with("--mongodb-uri", uri);
    let ca = shown(&stack.secrets.ca());
    let address = stack.ports.address(Port::Mongodb);
    let by_other_name = address.replace("127.0.0.1", "localhost");
    let plaintext = plaintext.split(['/', '?']).nth(2).unwrap();
    vec![
        case(
            "CA that the client does not trust",
            "logs",
            with_uri(&uri.replace(&ca, &files.ca)),
            "UnknownIssuer",
        ),
        case(
            "certificate for another name",
            "logs",
            with_uri(
                &uri.replace(&address, &by_other_name)
                    .replace("replicaSet=rs0", "directConnection=true"),
            ),
            "certificate not valid for name \"localhost\"",
        ),
        case(
            "no client certificate",
            "logs",
            with_uri(&uri.replace(&format!("&tlsCertificateKeyFile={cert_with_key}"), "")),
            "without sending TLS close_notify",
        ),
        case(
            "client certificate of another CA",
            "logs",
            with_uri(&uri.replace(&cert_with_key, &files.cert_with_key)),
            "without sending TLS close_notify",
        ),
        case(
            "expired client certificate",
            "logs",
            with_uri(&uri.replace(&cert_with_key, &files.expired_cert_with_key)),
            "without sending TLS close_notify",
        ),
        case(
            "wrong password",
            "logs",
            good.clone().with("--mongodb-password-file", &files.password),
            "SCRAM failure",
        ),
        case(
            "no TLS to a port with TLS",
            "logs",
            with_uri(&format!(
                "mongodb://viewer@{address}/?replicaSet=rs0&authSource=votes"
            )),
            "unexpected end of file",
        ),
        case(
            "TLS to a port without TLS",
            "logs",
            with_uri(&uri.replace(&address, plaintext)),
            "tls handshake eof",
        ),
    ]
}

fn prometheus_cases(stack: &SecuredStack, files: &OtherFiles) -> Vec<Case> {
    let good = stack.viewer_options();
    let address = stack.ports.address(Port::Prometheus);
    let plaintext_port = stack.ports.address(Port::Mongodb);
    vec![
        case(
            "CA that the client does not trust",
            "metrics",
            good.clone().with("--prometheus-ca", &files.ca),
            "UnknownIssuer",
        ),
        case(
            "CA of the system",
            "metrics",
            good.clone().without("--prometheus-ca"),
            "UnknownIssuer",
        ),
        case(
            "no TLS to a port with TLS",
            "metrics",
            good.clone()
                .with("--prometheus-url", &format!("http://{address}"))
                .without("--prometheus-ca"),
            "the status of the answer is 400",
        ),
        case(
            "another server",
            "metrics",
            good.clone()
                .with("--prometheus-url", &format!("https://{plaintext_port}")),
            "Prometheus did not answer",
        ),
    ]
}

/// Files that the stack does not accept.
struct OtherFiles {
    ca: String,
    cert: String,
    key: String,
    cert_with_key: String,
    /// Of the CA of the stack.
    expired_cert: String,
    expired_key: String,
    expired_cert_with_key: String,
    password: String,
}

impl OtherFiles {
    fn write(stack: &SecuredStack) -> Self {
        let other = Authority::new("another CA").unwrap();
        let issued = other.issue(&["viewer"]).unwrap();
        let expired = stack.authority().issue_expired(&["viewer"]).unwrap();
        Self {
            ca: stack.write("other-ca.pem", &other.pem()),
            cert: stack.write("other.pem", &issued.cert),
            key: stack.write("other.key", &issued.key),
            cert_with_key: stack.write("other-with-key.pem", &format!("{}{}", issued.cert, issued.key)),
            expired_cert: stack.write("expired.pem", &expired.cert),
            expired_key: stack.write("expired.key", &expired.key),
            expired_cert_with_key: stack.write(
                "expired-with-key.pem",
                &format!("{}{}", expired.cert, expired.key),
            ),
            password: stack.write("other.password", "wrong"),
        }
    }
}

#[tokio::test]
async fn stores_refuse_and_are_refused_for_each_reason() {
    let stack = SecuredStack::start(&STORES).await;
    let plaintext = tokio::task::spawn_blocking(|| {
        EphemeralStack::start_only(&[Server::Redis, Server::Mongodb]).unwrap()
    });
    let plaintext = plaintext.await.unwrap();
    let files = OtherFiles::write(&stack);

    let good = Program::viewer(&stack.viewer_options());
    for store in ["tallies", "logs", "metrics"] {
        good.wait_for_status(store, "ok").await;
    }
    let mut cases = redis_cases(&stack, &files, &plaintext.endpoints().redis);
    cases.extend(mongodb_cases(&stack, &files, &plaintext.endpoints().mongodb));
    cases.extend(prometheus_cases(&stack, &files));
    for Case {
        name,
        store,
        options,
        reason,
    } in cases
    {
        let viewer = Program::viewer(&options);
        viewer.wait_for_status(store, "unavailable").await;
        let log = viewer.log();
        println!("{store}, {name}: {}", last_warning(&log));
        assert!(log.contains(reason), "{name}: no {reason} in {log}");
        stack.assert_shows_no_password(&log);
        // The other stores are not affected.
        for other in ["tallies", "logs", "metrics"] {
            if other != store {
                viewer.wait_for_status(other, "ok").await;
            }
        }
    }
    for store in ["tallies", "logs", "metrics"] {
        good.wait_for_status(store, "ok").await;
    }
    tokio::task::spawn_blocking(|| drop(plaintext)).await.unwrap();
}

#[tokio::test]
async fn changed_files_for_redis_need_no_restart() {
    // An unavailable MongoDB would make the viewer check the stores less often.
    let stack = SecuredStack::start(&[Server::Redis, Server::Mongodb]).await;
    let files = OtherFiles::write(&stack);
    let options = stack
        .store_options(User::Viewer, Server::Viewer)
        .with("--redis-ca", &files.ca)
        .with("--redis-cert", &files.cert)
        .with("--redis-key", &files.key)
        .with("--redis-password-file", &files.password);
    let viewer = Program::viewer(&options);
    let secrets = &stack.secrets;
    // Each step leads to the next refusal. The certificate and its key are one step.
    for (reason, changes) in [
        ("UnknownIssuer", vec![(&files.ca, secrets.ca())]),
        (
            "UnknownCA",
            vec![
                (&files.key, secrets.key(Server::Viewer)),
                (&files.cert, secrets.cert(Server::Viewer)),
            ],
        ),
        (
            "AuthenticationFailed",
            vec![(
                &files.password,
                secrets.password_file(Server::Redis, User::Viewer),
            )],
        ),
    ] {
        viewer.wait_for_status("tallies", "unavailable").await;
        wait_until(async || {
            // Each request of the status is an attempt to connect.
            viewer.wait_for_status("tallies", "unavailable").await;
            viewer.log().contains(reason)
        })
        .await;
        for (path, content) in changes {
            std::fs::copy(content, path).unwrap();
        }
    }
    viewer.wait_for_status("tallies", "ok").await;
    stack.assert_shows_no_password(&viewer.log());
}

/// A user of X.509 logs in to MongoDB by its certificate, without a password.
#[tokio::test]
async fn certificate_is_the_login_to_mongodb() {
    let stack = SecuredStack::start(&[Server::Mongodb]).await;
    let password =
        std::fs::read_to_string(stack.secrets.password_file(Server::Mongodb, User::Admin)).unwrap();
    let lab = shown(&stack.secrets.lab_cert_with_key());
    let admin = stack
        .mongodb_uri(&format!("admin:{password}"), &lab)
        .replace("authSource=votes", "authSource=admin");
    let admin = mongodb::Client::with_uri_str(admin).await.unwrap();
    let user = mongodb::bson::doc! {
        "createUser": "CN=viewer",
        "roles": [{ "role": "read", "db": "votes" }],
    };
    admin.database("$external").run_command(user).await.unwrap();

    let by_certificate = |server| {
        let cert_with_key = shown(&stack.secrets.cert_with_key(server));
        let uri = stack
            .mongodb_uri("", &cert_with_key)
            .replace("mongodb://@", "mongodb://")
            .replace(
                "authSource=votes",
                "authSource=$external&authMechanism=MONGODB-X509",
            );
        Program::viewer(&Options::new([("--mongodb-uri", uri)]))
    };
    by_certificate(Server::Viewer).wait_for_status("logs", "ok").await;
    // The certificate of another program is valid, but names no user.
    let consumer = by_certificate(Server::Consumer);
    consumer.wait_for_status("logs", "unavailable").await;
    let log = consumer.log();
    assert!(log.contains("MONGODB-X509 failure"), "{log}");
}

fn last_warning(log: &str) -> &str {
    let mut warnings = log.lines().filter(|line| line.contains("WARN"));
    warnings.next_back().unwrap_or_default()
}
