//! Ports that are taken before the stack starts: which, wanted by whom, and held by whom.

use std::path::Path;

use anyhow::{Result, bail};

use crate::ports::{Port, is_free};
use crate::servers::Server;
use crate::state::Settings;

/// Errors where a server could not listen; one error names all ports that are taken.
pub fn check_ports(settings: &Settings, servers: &[Server]) -> Result<()> {
    let taken: Vec<String> = servers
        .iter()
        .flat_map(|server| server.ports().iter().map(move |port| (*server, *port)))
        .filter(|(_, port)| !is_free(settings.ports.get(*port)))
        .map(|(server, port)| describe_taken(server, port, settings.ports.get(port)))
        .collect();
    if taken.is_empty() {
        Ok(())
    } else {
        bail!("{}", taken.join("\n"))
    }
}

fn describe_taken(server: Server, port: Port, number: u16) -> String {
    let holder = holder(number).unwrap_or_else(|| "another process".to_owned());
    let suggestion = if number < 50_000 {
        number + 10_000
    } else {
        number - 10_000
    };
    format!(
        "port {number}, wanted by {server}, is taken by {holder}: stop that, or choose another with --port {port}={suggestion}"
    )
}

/// The process that listens on `number`, as `name (pid 123)`; `None` where it belongs to another user or namespace.
pub fn holder(number: u16) -> Option<String> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| listening_inodes(&table, number))
        .collect();
    let targets: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    let pid = std::fs::read_dir("/proc").ok()?.find_map(|entry| {
        let path = entry.ok()?.path();
        let pid: i32 = path.file_name()?.to_str()?.parse().ok()?;
        holds(&path.join("fd"), &targets).then_some(pid)
    })?;
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(format!("{} (pid {pid})", name.trim()))
}

fn listening_inodes(table: &str, number: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let suffix = format!(":{number:04X}");
    table
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
            (local.ends_with(&suffix) && *state == LISTEN).then(|| (*inode).to_owned())
        })
        .collect()
}

fn holds(descriptors: &Path, targets: &[String]) -> bool {
    let Ok(entries) = std::fs::read_dir(descriptors) else {
        return false;
    };
    entries.flatten().any(|entry| {
        std::fs::read_link(entry.path())
            .is_ok_and(|target| targets.iter().any(|wanted| target.as_os_str() == wanted.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_holder_of_a_taken_port_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let number = listener.local_addr().unwrap().port();
        assert!(!is_free(number));
        assert!(
            holder(number)
                .unwrap()
                .contains(&format!("pid {}", std::process::id()))
        );
    }
}
