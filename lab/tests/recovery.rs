//! Nothing is left behind: not by a supervisor that is killed, not by a test that dies, not by a start that fails.

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

const SMALL: [Server; 3] = [Server::Redis, Server::Mongodb, Server::Prometheus];

fn lab(directory: &TempDir, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(project::programs()?.join("lab"));
    Ok(command
        .args(arguments)
        .arg("--state-dir")
        .arg(directory.path())
        .output()?)
}

fn identities(stack: &EphemeralStack) -> Result<Vec<Identity>> {
    SMALL.iter().map(|server| stack.identity(*server)).collect()
}

#[tokio::test]
async fn a_killed_supervisor_leaves_servers_that_the_next_command_ends() -> Result<()> {
    let stack = EphemeralStack::start_only(&SMALL)?;
    let servers = identities(&stack)?;
    let ports = stack.stack().settings()?.ports;
    let supervisor = Identity::of(stack.supervisor().id().cast_signed()).unwrap();
    supervisor.signal(Signal::KILL)?;
    assert!(supervisor.wait(Duration::from_secs(5)).await);
    assert!(
        servers.iter().all(|server| server.is_alive()),
        "servers outlive their supervisor"
    );

    stack.stack().stop().await?;
    assert!(
        servers.iter().all(|server| !server.is_alive()),
        "a server runs on"
    );
    for port in [Port::Redis, Port::Mongodb, Port::Prometheus] {
        assert!(is_free(ports.get(port)), "port {port} is still taken");
    }
    assert!(stack.stack().dir().load()?.is_none());
    Ok(())
}

#[tokio::test]
async fn everything_stops_when_standard_input_closes() -> Result<()> {
    let stack = EphemeralStack::start_only(&SMALL)?;
    let servers = identities(&stack)?;
    drop(stack);
    assert!(servers.iter().all(|server| !server.is_alive()));
    Ok(())
}

#[tokio::test]
async fn a_process_without_a_record_is_found_too() -> Result<()> {
    let stack = EphemeralStack::start_only(&[Server::Redis])?;
    let redis = stack.identity(Server::Redis)?;
    // As if lab had been killed between starting the server and writing that down.
    stack.stack().dir().update(|state| {
        state.processes.clear();
        Ok(())
    })?;
    drop(stack);
    assert!(!redis.is_alive());
    Ok(())
}

#[tokio::test]
async fn a_server_stopped_and_started_again_is_a_new_process_on_the_same_port() -> Result<()> {
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
fn a_taken_port_is_named_with_its_server_and_its_holder_and_nothing_is_started() -> Result<()> {
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
fn up_leaves_a_detached_stack_that_status_shows_and_down_ends() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let up = lab(&directory, &["up", "--only", "redis", "--free-ports"])?;
    assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
    assert!(lab(&directory, &["status"])?.status.success());

    let again = lab(&directory, &["up", "--only", "redis", "--free-ports"])?;
    assert!(String::from_utf8_lossy(&again.stdout).contains("Already running"));

    assert!(lab(&directory, &["stop", "redis"])?.status.success());
    assert!(
        !lab(&directory, &["status"])?.status.success(),
        "a stopped server is no success"
    );

    assert!(lab(&directory, &["down"])?.status.success());
    assert!(lab::process::find_by_state_dir(&directory.path().canonicalize()?).is_empty());
    assert!(!directory.path().join("data").exists());
    Ok(())
}

/// Adds one to three counters at once, as a batch of votes does.
const COUNT: &str = "for _, key in ipairs({'a', 'b', 'c'}) do redis.call('INCR', key) end";

#[tokio::test]
async fn half_a_transaction_in_redis_file_is_executed_by_no_later_start() -> Result<()> {
    let stack = EphemeralStack::start_only(&[Server::Redis])?;
    let client = redis::Client::open(stack.endpoints().redis.as_str())?;
    let count = async || -> Result<()> {
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("EVAL")
            .arg(COUNT)
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
    let whole = std::fs::metadata(&file)?.len();
    count().await?;
    stack.kill(Server::Redis).await?;
    // In the middle of the second transaction: some of its commands are in the file, the end of it is not.
    let torn = u64::midpoint(whole, std::fs::metadata(&file)?.len());
    std::fs::File::options().write(true).open(&file)?.set_len(torn)?;

    stack.start_server(Server::Redis).await?;
    assert_eq!(counters().await?, [1; 3], "what was torn never happened");
    count().await?;
    stack.kill(Server::Redis).await?;
    stack.start_server(Server::Redis).await?;
    assert_eq!(counters().await?, [2; 3]);
    Ok(())
}
