//! The rights of the users of a secured stack: entries in Kafka's access control list, users of MongoDB, and the access
//! control list of Redis. Each user may do what its program needs, and nothing else.

use anyhow::{Context, Result};
use kafka::acl::{AclEntry, Operation, Resource};
use mongodb::bson::{Document, doc};

use super::readiness::{error_code, initiate_replica_set, run_admin_command};
use crate::access::Access;
use crate::secrets::{Secrets, User, sha256};
use crate::servers::Server;

/// The commands of the consumer: its own, those of its scripts, and those of `reconcile` and `rebuild`.
const CONSUMER_COMMANDS: &str = "+ping +multi +exec +evalsha +script|load +get +mget +set +del +exists +type +pexpire \
    +hget +hmget +hgetall +hset +hdel +hexists +hlen +hscan \
    +zadd +zcard +zrange +zrem +zremrangebyrank";
const VIEWER_COMMANDS: &str = "+ping +multi +exec +get +hlen +hgetall +zrevrange";

/// The access control list of Redis.
pub(super) fn redis_acl(secrets: &Secrets) -> Result<String> {
    let mut lines = vec!["user default off".to_owned()];
    for (user, rights) in [
        (User::Admin, "~* &* +@all".to_owned()),
        (User::Consumer, format!("~{{votes}}:* {CONSUMER_COMMANDS}")),
        // It may only read the keys.
        (User::Viewer, format!("%R~{{votes}}:* {VIEWER_COMMANDS}")),
    ] {
        let password = sha256(&secrets.password(Server::Redis, user)?);
        lines.push(format!(
            "user {} on #{password} resetchannels {rights}",
            user.name()
        ));
    }
    Ok(format!("{}\n", lines.join("\n")))
}

/// Lets the users of Kafka do what they need.
pub(super) async fn allow_kafka_users(access: &Access) -> Result<()> {
    if access.secrets.is_none() {
        return Ok(());
    }
    let (ingest, consumer) = (User::Ingest.name(), User::Consumer.name());
    let entry = |user, resource, operations| AclEntry {
        user,
        resource,
        operations,
    };
    let entries = [
        entry(
            ingest,
            Resource::Topic("votes"),
            &[Operation::Write, Operation::Describe][..],
        ),
        entry(
            consumer,
            Resource::Topic("votes"),
            &[Operation::Read, Operation::Describe],
        ),
        entry(consumer, Resource::Group("votes-consumer"), &[Operation::Read]),
        entry(
            consumer,
            Resource::Topic("votes.dlq"),
            &[Operation::Write, Operation::Describe],
        ),
    ];
    kafka::acl::allow(&access.brokers()?, &entries).await?;
    Ok(())
}

/// Initiates the replica set and creates the users. MongoDB allows this without a login from this machine, until the first
/// user exists.
pub(super) async fn prepare_mongodb(access: &Access) -> Result<()> {
    const AUTHENTICATION_FAILED: i32 = 18;
    let is_prepared = match run_admin_command(access, true, doc! { "ping": 1 }).await? {
        Ok(_) => true,
        Err(error) if is_rejected_login(&error, AUTHENTICATION_FAILED) => false,
        Err(error) => return Err(error).context("logging in"),
    };
    let Some(secrets) = access.secrets.as_ref().filter(|_| !is_prepared) else {
        return create_users(access).await;
    };
    initiate_replica_set(access, false).await?;
    let admin = doc! {
        "createUser": User::Admin.name(),
        "pwd": secrets.password(Server::Mongodb, User::Admin)?,
        "roles": ["root"],
    };
    run_admin_command(access, false, admin)
        .await?
        .context("creating the user admin")?;
    create_users(access).await
}

fn is_rejected_login(error: &mongodb::error::Error, code: i32) -> bool {
    error_code(error) == Some(code)
        || matches!(
            error.kind.as_ref(),
            mongodb::error::ErrorKind::Authentication { .. }
        )
}

async fn create_users(access: &Access) -> Result<()> {
    const USER_EXISTS: i32 = 51_003;
    let Some(secrets) = &access.secrets else {
        return Ok(());
    };
    let client = mongodb::Client::with_uri_str(access.mongodb_node(true)?).await?;
    let database = client.database("votes");
    for (user, role) in [(User::Consumer, "readWrite"), (User::Viewer, "read")] {
        let command: Document = doc! {
            "createUser": user.name(),
            "pwd": secrets.password(Server::Mongodb, user)?,
            "roles": [{ "role": role, "db": "votes" }],
        };
        match database.run_command(command).await {
            Err(error) if error_code(&error) == Some(USER_EXISTS) => {}
            other => {
                other.with_context(|| format!("creating the user {}", user.name()))?;
            }
        }
    }
    Ok(())
}
