//! Runs each fault in rounds on its own stack, at random moments, with a reconciliation after every round.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use fastrand::Rng;
use lab::progress::Progress;

use crate::environment::TestEnvironment;
use crate::fault::Fault;
use crate::ledger::ClientCounts;
use crate::load::{ClientMix, Load};
use crate::probe;
use crate::reconciliation::{Reconciliation, RouteCounts};

/// Load after the recovery, because an error can appear late.
const LOAD_AFTER_RECOVERY: Duration = Duration::from_secs(1);

/// How to run the faults.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Seed of all random moments.
    pub seed: u64,
    /// Rounds of each fault.
    pub rounds: u32,
    /// Longest time of load before a fault.
    pub max_load: Duration,
    /// Whether all connections of the stack have TLS and a login.
    pub secure: bool,
}

/// The result of a fault over all rounds.
#[derive(Clone, Debug, Default)]
pub struct FaultResult {
    /// The name of the fault.
    pub name: String,
    /// The description of the fault.
    pub description: String,
    /// Rounds that were started.
    pub rounds: u32,
    /// The outcomes that the clients observed.
    pub client_counts: ClientCounts,
    /// The result of the reconciliation, over all routes.
    pub route_counts: RouteCounts,
    /// The recovery time of each round that recovered.
    pub recoveries: Vec<Duration>,
    /// One message for each failed round.
    pub failures: Vec<String>,
}

/// Runs every fault. Failures are part of the results.
pub async fn run(faults: Vec<Box<dyn Fault>>, plan: Plan, progress: &Progress) -> Vec<FaultResult> {
    let mut results = Vec::new();
    for mut fault in faults {
        results.push(run_fault(fault.as_mut(), plan, progress).await);
    }
    results
}

async fn run_fault(fault: &mut dyn Fault, plan: Plan, progress: &Progress) -> FaultResult {
    let mut result = FaultResult {
        name: fault.name(),
        description: fault.description(),
        ..FaultResult::default()
    };
    // One generator for each fault: its moments do not depend on which other faults run.
    let mut random = Rng::with_seed(seed_of(&result.name, plan.seed));
    while result.rounds < plan.rounds {
        if let Err(error) = run_rounds_on_one_stack(fault, plan, &mut random, &mut result, progress).await {
            let failure = format!("{} round {}: {error:#}", result.name, result.rounds);
            progress.note(&failure);
            result.failures.push(failure);
        }
    }
    result
}

/// Runs rounds until all are done or one fails. A failed round would distort the reconciliation of the next.
async fn run_rounds_on_one_stack(
    fault: &mut dyn Fault,
    plan: Plan,
    random: &mut Rng,
    result: &mut FaultResult,
    progress: &Progress,
) -> Result<()> {
    let mut options = fault.stack_options().to_vec();
    if plan.secure {
        options.push("--secure");
    }
    let environment = TestEnvironment::start(&options).await;
    let mut environment = environment.inspect_err(|_| result.rounds += 1)?;
    let mut reconciliation = Reconciliation::default();
    let mut outcome = Ok(());
    while result.rounds < plan.rounds && outcome.is_ok() {
        result.rounds += 1;
        let step = progress.step(&format!("{} {}/{}", result.name, result.rounds, plan.rounds));
        let before = environment.ledger().total_counts();
        outcome = async {
            let recovery = run_round(&environment, fault, plan.max_load, random).await?;
            result.recoveries.push(recovery);
            reconciliation = Reconciliation::run(&environment).await?;
            reconciliation.ensure_reconciled()?;
            step.done(&format!(
                "recovered after {:.1} s, counts reconcile",
                recovery.as_secs_f64()
            ));
            anyhow::Ok(())
        }
        .await;
        result.client_counts = result.client_counts + environment.ledger().total_counts().since(before);
    }
    result.route_counts = result.route_counts + reconciliation.total();
    if outcome.is_err() {
        environment.keep_logs();
    }
    // Stopping the stack blocks until its processes have exited.
    tokio::task::spawn_blocking(move || drop(environment))
        .await
        .context("stopping a stack")?;
    outcome
}

/// Runs one round: load for at most `max_load_before`, the fault, and the recovery. Returns the recovery time. All clients
/// have finished afterwards, so that a reconciliation is possible.
pub async fn run_round(
    environment: &TestEnvironment,
    fault: &mut dyn Fault,
    max_load_before: Duration,
    random: &mut Rng,
) -> Result<Duration> {
    let load = Load::start(ClientMix::DEFAULT, environment.access(), environment.ledger())?;
    // The effect of a fault is only visible if every route worked before.
    probe::wait_for_recovery(environment, Instant::now())
        .await
        .context("before the fault")?;
    tokio::time::sleep(max_load_before.mul_f64(random.f64())).await;
    fault
        .inject(environment, random)
        .await
        .context("injecting the fault")?;
    let fault_end = Instant::now();
    let heal = async { fault.heal(environment).await.context("healing the fault") };
    let (recovery, ()) = tokio::try_join!(probe::wait_for_recovery(environment, fault_end), heal)?;
    tokio::time::sleep(LOAD_AFTER_RECOVERY).await;
    load.finish().await?;
    Ok(recovery)
}

fn seed_of(name: &str, seed: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (name, seed).hash(&mut hasher);
    hasher.finish()
}
