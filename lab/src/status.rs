//! The status of one server of the stack: whether it is running and ready.

use crate::access::Access;
use crate::launch::check_ready;
use crate::servers::Server;
use crate::state::State;

/// The status of one server.
#[derive(Debug)]
pub struct Status {
    /// The server.
    pub server: Server,
    /// The process id; `None` if the server is not running.
    pub pid: Option<i32>,
    /// Why the server is not ready; `None` if it is ready.
    pub problem: Option<String>,
}

impl Status {
    /// Checks the process and the readiness of the server.
    pub(crate) async fn of(server: Server, state: &State, access: &Access) -> Self {
        let process = state.process(server.name());
        let Some(running) = process.filter(|process| process.identity.is_alive()) else {
            let problem = if process.is_some() { "ended" } else { "stopped" };
            return Status {
                server,
                pid: None,
                problem: Some(problem.to_owned()),
            };
        };
        let problem = check_ready(server, access)
            .await
            .err()
            .map(|error| format!("{error:#}"));
        Status {
            server,
            pid: Some(running.identity.pid),
            problem,
        }
    }
}
