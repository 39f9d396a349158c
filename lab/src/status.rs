//! Whether a server of the stack runs and is ready.

use crate::servers::Server;
use crate::state::State;

/// One server as `status` shows it.
#[derive(Debug)]
pub struct Status {
    /// The server.
    pub server: Server,
    /// Its process, where it runs.
    pub pid: Option<i32>,
    /// Empty where it is ready; otherwise what is wrong.
    pub problem: Option<String>,
}

impl Status {
    /// Asks the server now.
    pub(crate) async fn of(server: Server, state: &State) -> Self {
        let record = state.process(server.name());
        let Some(record) = record.filter(|record| record.identity.is_alive()) else {
            let problem = if record.is_some() { "ended" } else { "stopped" };
            return Status {
                server,
                pid: None,
                problem: Some(problem.to_owned()),
            };
        };
        let problem = server
            .ready(&state.settings.ports)
            .await
            .err()
            .map(|error| format!("{error:#}"));
        Status {
            server,
            pid: Some(record.identity.pid),
            problem,
        }
    }
}
