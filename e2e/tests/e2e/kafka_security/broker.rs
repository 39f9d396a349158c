//! A broker whose listener requires TLS and a login, and whose users may do only what their entries allow. It ends with the
//! test.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use authority::Authority;
use e2e::wait::wait_until;
use lab::ports::free_address;
use tempfile::TempDir;

use crate::issuer::{AUDIENCE, ISSUER, Issuer};

/// May write into the topic `votes`.
pub(super) const WRITER: &str = "writer";
/// May read the topic `votes` in the group `readers`.
pub(super) const READER: &str = "reader";
pub(super) const READERS: &str = "readers";
/// The password of both.
pub(super) const PASSWORD: &str = "correct-horse-battery-staple";

/// The running broker.
pub(super) struct SecuredBroker {
    directory: TempDir,
    process: Child,
    address: String,
}

impl SecuredBroker {
    /// Starts the broker and creates its topic and its entries. It accepts the access tokens of `tokens`.
    pub(super) async fn start(tokens: &Issuer) -> Self {
        let directory = TempDir::new().unwrap();
        let [secured, internal, controller] = [(); 3].map(|()| free_address().unwrap().port());
        let authority = Authority::new("a CA").unwrap();
        let issued = authority.issue(&["localhost"]).unwrap();
        write(&directory, "ca.pem", &authority.pem());
        write(
            &directory,
            "broker.pem",
            &format!("{}{}", issued.key, issued.cert),
        );
        write(&directory, "password", &format!("{PASSWORD}\n"));
        let key_set = write(&directory, "keys.json", &tokens.key_set());
        let properties = write(
            &directory,
            "server.properties",
            &properties(directory.path(), secured, internal, controller),
        );
        let scram = ["SCRAM-SHA-256", "SCRAM-SHA-512"]
            .into_iter()
            .flat_map(|mechanism| {
                [WRITER, READER].map(|user| format!("{mechanism}=[name={user},password={PASSWORD}]"))
            });
        let mut format = java("kafka.tools.StorageTool");
        format.args([
            "format",
            "--cluster-id",
            "ZHVhbHBhdGgtbGFiLWthZg",
            "--config",
            &properties,
        ]);
        for credential in scram {
            format.args(["--add-scram", &credential]);
        }
        run(&mut format);
        let log = File::create(directory.path().join("broker.log")).unwrap();
        // Kafka reads keys only from places that the command line allows.
        let process = java(&format!(
            "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=file:{key_set}"
        ))
        .args(["kafka.Kafka", &properties])
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
        let broker = Self {
            directory,
            process,
            address: format!("localhost:{secured}"),
        };
        let internal = format!("127.0.0.1:{internal}");
        wait_until(async || kafka::admin::ensure_topic(&internal, "votes", 1).await.is_ok()).await;
        for (user, resources, operations) in [
            (WRITER, &["--topic", "votes"][..], &["Write", "Describe"][..]),
            (READER, &["--topic", "votes"], &["Read", "Describe"]),
            (READER, &["--group", READERS], &["Read"]),
        ] {
            let mut acls = java("org.apache.kafka.tools.AclCommand");
            acls.args(["--bootstrap-server", &internal, "--add"])
                .args(resources);
            acls.args(["--allow-principal", &format!("User:{user}")]);
            for operation in operations {
                acls.args(["--operation", operation]);
            }
            run(&mut acls);
        }
        broker
    }

    /// The address of the listener that requires TLS and a login.
    pub(super) fn address(&self) -> String {
        self.address.clone()
    }

    /// The path of a file of the broker.
    pub(super) fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// Writes a file beside those of the broker. Returns its path.
    pub(super) fn write(&self, name: &str, text: &str) -> String {
        write(&self.directory, name, text)
    }
}

impl Drop for SecuredBroker {
    fn drop(&mut self) {
        // Both calls fail only if the process has already exited.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!(
                "{}",
                std::fs::read_to_string(self.path("broker.log")).unwrap_or_default()
            );
        }
    }
}

fn write(directory: &TempDir, name: &str, text: &str) -> String {
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// `first` is the main class, or an option before it.
fn java(first: &str) -> Command {
    let mut command = Command::new("java");
    command.args(["-Xmx256m", "-XX:+UseSerialGC", "-cp"]);
    command.arg(lab::fetch::Cache::open().unwrap().kafka_class_path());
    command.arg(first);
    command
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// One node. Clients without TLS and login reach it only by the listener INTERNAL, as the user ANONYMOUS.
fn properties(directory: &Path, secured: u16, internal: u16, controller: u16) -> String {
    let directory = directory.display();
    let users = [WRITER, READER]
        .map(|user| format!("user_{user}=\"{PASSWORD}\""))
        .join(" ");
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=SECURED://localhost:{secured},INTERNAL://127.0.0.1:{internal},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=SECURED://localhost:{secured},INTERNAL://127.0.0.1:{internal}
listener.security.protocol.map=SECURED:SASL_SSL,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=INTERNAL
log.dirs={directory}/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
offsets.topic.num.partitions=1
ssl.keystore.type=PEM
ssl.keystore.location={directory}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={directory}/ca.pem
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.secured.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required {users};
listener.name.secured.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secured.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secured.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;
listener.name.secured.oauthbearer.sasl.server.callback.handler.class=org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler
listener.name.secured.oauthbearer.sasl.oauthbearer.jwks.endpoint.url=file:{directory}/keys.json
listener.name.secured.oauthbearer.sasl.oauthbearer.expected.issuer={ISSUER}
listener.name.secured.oauthbearer.sasl.oauthbearer.expected.audience={AUDIENCE}
listener.name.secured.oauthbearer.connections.max.reauth.ms=3600000
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
log.cleaner.dedupe.buffer.size=16777216
"
    )
}
