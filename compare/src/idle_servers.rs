//! Stops the servers of the stack that no variant uses. They would take processor time from the variants, and Prometheus
//! would scrape the services of the stack, but not the separate instances beside them.

use std::collections::BTreeSet;

use anyhow::Result;
use ephemeral_stack::Running;
use experiment_model::plan::Plan;
use experiment_model::variant::Variant;
use lab::servers::Server;

/// Stops the servers that no variant of `plan` uses, if they run.
pub async fn stop(plan: &Plan, stack: Running<'_>) -> Result<()> {
    for server in idle(plan) {
        if stack.pid(server).is_ok() {
            stack.stop_server(server).await?;
        }
    }
    Ok(())
}

fn idle(plan: &Plan) -> Vec<Server> {
    let used: BTreeSet<&str> = plan.variants.iter().flat_map(Variant::processes).collect();
    let optional = [
        Server::Prometheus,
        Server::Viewer,
        Server::Ingress,
        Server::Bridge,
    ];
    optional
        .into_iter()
        .filter(|server| !used.contains(server.name()))
        .collect()
}

#[cfg(test)]
mod tests {
    use lab::project;

    use super::*;
    use crate::plans;

    #[test]
    fn servers_of_a_variant_are_not_idle() {
        let idle = |plan| idle(&plans::read_named(&project::root().unwrap(), plan).unwrap());
        let quick = [
            Server::Prometheus,
            Server::Viewer,
            Server::Ingress,
            Server::Bridge,
        ];
        assert_eq!(idle("quick"), quick);
        assert_eq!(idle("ingress"), [Server::Prometheus, Server::Viewer]);
    }
}
