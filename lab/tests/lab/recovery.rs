//! No process or file remains after a killed supervisor, a killed test or a failed start.

use std::net::TcpListener;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::Result;
use ephemeral_stack::EphemeralStack;
use lab::ports::{Port, is_free};
use lab::process::{Identity, Signal};
use lab::project;
use lab::servers::Server;
use tempfile::TempDir;

/// Servers that start fast.
const SERVERS: [Server; 3] = [Server::Redis, Server::Mongodb, Server::Prometheus];

fn lab(directory: &TempDir, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(project::programs()?.join("lab"));
    Ok(command
        .args(arguments)
        .arg("--state-dir")
        .arg(directory.path())
        .output()?)
}

fn identities(stack: &EphemeralStack) -> Result<Vec<Identity>> {
    SERVERS.iter().map(|server| stack.identity(*server)).collect()
}

#[tokio::test]
async fn next_command_stops_the_servers_of_a_killed_supervisor() -> Result<()> {
    let stack = EphemeralStack::start_only(&SERVERS)?;
    let servers = identities(&stack)?;
    let ports = stack.stack().settings()?.ports;
    let supervisor = Identity::of(stack.supervisor().id().cast_signed()).unwrap();
    supervisor.signal(Signal::KILL)?;
    assert!(supervisor.wait(Duration::from_secs(5)).await);
    assert!(
        servers.iter().all(|server| server.is_alive()),
        "the servers must survive their supervisor"
    );

    stack.stack().stop().await?;
    assert!(
        servers.iter().all(|server| !server.is_alive()),
        "a server is still running"
    );
    for port in [Port::Redis, Port::Mongodb, Port::Prometheus] {
        assert!(is_free(ports.get(port)), "port {port} is still in use");
    }
    assert!(stack.stack().dir().load()?.is_none());
    Ok(())
}

#[tokio::test]
async fn all_servers_stop_when_standard_input_closes() -> Result<()> {
    let stack = EphemeralStack::start_only(&SERVERS)?;
    let servers = identities(&stack)?;
    drop(stack);
    assert!(servers.iter().all(|server| !server.is_alive()));
    Ok(())
}

#[tokio::test]
async fn process_that_is_missing_in_the_state_is_stopped() -> Result<()> {
    let stack = EphemeralStack::start_only(&[Server::Redis])?;
    let redis = stack.identity(Server::Redis)?;
    // Simulates a lab that was killed between the start of the server and the entry in the state.
    stack.stack().dir().update(|state| {
        state.processes.clear();
        Ok(())
    })?;
    drop(stack);
    assert!(!redis.is_alive());
    Ok(())
}

#[tokio::test]
async fn restarted_server_is_a_new_process_on_the_same_port() -> Result<()> {
    let stack = EphemeralStack::start_only(&[Server::Redis])?;
    let before = stack.identity(Server::Redis)?;
    stack.stop(Server::Redis).await?;
    assert!(!before.is_alive());
    let status = stack.stack().status().await?;
    assert_eq!(
        status.first().and_then(|status| status.problem.as_deref()),
        Some("stopped")
    );
    stack.start_server(Server::Redis).await?;
    assert_ne!(stack.identity(Server::Redis)?, before);
    assert!(
        stack
            .stack()
            .status()
            .await?
            .iter()
            .all(|status| status.problem.is_none())
    );
    Ok(())
}

#[test]
fn error_of_a_port_conflict_names_port_server_and_process_and_nothing_is_started() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let number = listener.local_addr()?.port();
    let directory = tempfile::tempdir()?;
    let port = format!("redis={number}");
    let output = lab(
        &directory,
        &["up", "--only", "redis", "--free-ports", "--port", &port],
    )?;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    for part in [
        &number.to_string(),
        "redis",
        &format!("pid {}", std::process::id()),
        "--port redis=",
    ] {
        assert!(error.contains(part), "{part} is missing in: {error}");
    }
    assert!(lab::process::find_by_state_dir(&directory.path().canonicalize()?).is_empty());
    Ok(())
}

#[test]
fn detached_stack_of_up_is_shown_by_status_and_stopped_by_down() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let up = lab(&directory, &["up", "--only", "redis", "--free-ports"])?;
    assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
    assert!(lab(&directory, &["status"])?.status.success());

    let again = lab(&directory, &["up", "--only", "redis", "--free-ports"])?;
    assert!(String::from_utf8_lossy(&again.stdout).contains("Already running"));

    assert!(lab(&directory, &["stop", "redis"])?.status.success());
    assert!(
        !lab(&directory, &["status"])?.status.success(),
        "status must fail if a server is stopped"
    );

    assert!(lab(&directory, &["down"])?.status.success());
    assert!(lab::process::find_by_state_dir(&directory.path().canonicalize()?).is_empty());
    assert!(!directory.path().join("data").exists());
    Ok(())
}

/// Increments three counters in one transaction, like the script for a batch of votes.
const COUNT_SCRIPT: &str = "for _, key in ipairs({'a', 'b', 'c'}) do redis.call('INCR', key) end";

#[tokio::test]
async fn incomplete_transaction_in_the_redis_file_is_never_executed() -> Result<()> {
    let stack = EphemeralStack::start_only(&[Server::Redis])?;
    let client = redis::Client::open(stack.endpoints().redis.as_str())?;
    let count = async || -> Result<()> {
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("EVAL")
            .arg(COUNT_SCRIPT)
            .arg(0)
            .exec_async(&mut connection)
            .await?;
        Ok(())
    };
    let counters = async || -> Result<[i64; 3]> {
        let mut connection = client.get_multiplexed_async_connection().await?;
        Ok(redis::cmd("MGET")
            .arg(&["a", "b", "c"])
            .query_async(&mut connection)
            .await?)
    };
    let file = stack
        .stack()
        .dir()
        .data(Server::Redis)?
        .join("appendonlydir/appendonly.aof.1.incr.aof");
    count().await?;
    let one_transaction = std::fs::metadata(&file)?.len();
    count().await?;
    stack.kill(Server::Redis).await?;
    // Truncates the file in the middle of the second transaction.
    let truncated = u64::midpoint(one_transaction, std::fs::metadata(&file)?.len());
    std::fs::File::options()
        .write(true)
        .open(&file)?
        .set_len(truncated)?;

    stack.start_server(Server::Redis).await?;
    assert_eq!(
        counters().await?,
        [1; 3],
        "the truncated transaction must not be executed"
    );
    count().await?;
    stack.kill(Server::Redis).await?;
    stack.start_server(Server::Redis).await?;
    assert_eq!(counters().await?, [2; 3]);
    Ok(())
}
