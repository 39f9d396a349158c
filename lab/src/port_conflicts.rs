//! Finds ports that other processes already use before the stack starts, and names those processes.

use std::collections::HashSet;

use anyhow::{Result, bail};
use procfs::net::{TcpState, tcp, tcp6};
use procfs::process::{FDTarget, Process, all_processes};

use crate::ports::{Port, is_free};
use crate::servers::Server;
use crate::state::Settings;

/// Checks that every port of `servers` is free. The error names all ports in use, the servers that need them and the
/// processes that listen on them.
pub fn check_ports(settings: &Settings, servers: &[Server]) -> Result<()> {
    let conflicts: Vec<String> = servers
        .iter()
        .flat_map(|server| server.ports().iter().map(move |port| (*server, *port)))
        .filter(|(_, port)| !is_free(settings.ports.get(*port)))
        .map(|(server, port)| describe_conflict(server, port, settings.ports.get(port)))
        .collect();
    if conflicts.is_empty() {
        Ok(())
    } else {
        bail!("{}", conflicts.join("\n"))
    }
}

fn describe_conflict(server: Server, port: Port, number: u16) -> String {
    let process = find_listener(number).unwrap_or_else(|| "another process".to_owned());
    let alternative = if number < 50_000 {
        number + 10_000
    } else {
        number - 10_000
    };
    format!(
        "{server} needs port {number}, but {process} already listens on it: stop that process, or choose another port \
         with --port {port}={alternative}"
    )
}

/// The process that listens on the TCP port `number`, as `name (pid 123)`. `None` if no process listens, or if the
/// process belongs to another user or namespace.
pub fn find_listener(number: u16) -> Option<String> {
    let inodes: HashSet<u64> = [tcp(), tcp6()]
        .into_iter()
        .flatten()
        .flatten()
        .filter(|socket| socket.state == TcpState::Listen && socket.local_address.port() == number)
        .map(|socket| socket.inode)
        .collect();
    let process = all_processes()
        .ok()?
        .flatten()
        .find(|process| has_open_socket(process, &inodes))?;
    let name = process.stat().ok()?.comm;
    Some(format!("{name} (pid {})", process.pid()))
}

fn has_open_socket(process: &Process, inodes: &HashSet<u64>) -> bool {
    let Ok(descriptors) = process.fd() else {
        return false;
    };
    descriptors
        .flatten()
        .any(|descriptor| matches!(descriptor.target, FDTarget::Socket(inode) if inodes.contains(&inode)))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn listener_of_a_used_port_is_named_with_its_pid() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let number = listener.local_addr().unwrap().port();
        assert!(!is_free(number));
        assert!(
            find_listener(number)
                .unwrap()
                .contains(&format!("pid {}", std::process::id()))
        );
    }
}
