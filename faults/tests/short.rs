//! The short suite: one round of each fault that finds the most defects, on a stack without and on one with TLS and logins.
//! `make faults` runs every fault several times.

use std::time::Duration;

use anyhow::{Result, ensure};
use faults::catalog;
use faults::environment::TestEnvironment;
use faults::reconciliation::Reconciliation;
use faults::suite::run_round;
use tokio::sync::Mutex;

const FAULTS: [&str; 5] = [
    "kill-rest",
    "kill-consumer-between-stores",
    "kill-redis",
    "kill-kafka",
    "short-timeout",
];
const MAX_LOAD: Duration = Duration::from_secs(1);

/// The tests run one after the other, because each needs the whole machine.
static TURN: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_vote_is_counted_once_and_logged_once() {
    run_on(&[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_vote_is_counted_once_and_logged_once_on_a_secured_stack() {
    run_on(&["--secure"]).await.unwrap();
}

async fn run_on(stack_options: &[&str]) -> Result<()> {
    let _turn = TURN.lock().await;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let environment = TestEnvironment::start(stack_options).await?;
    let mut faults = catalog::all(Duration::ZERO);
    faults.retain(|fault| FAULTS.contains(&fault.name().as_str()));
    ensure!(faults.len() == FAULTS.len(), "FAULTS contains an unknown name");
    for fault in &mut faults {
        let recovery = run_round(&environment, fault.as_mut(), MAX_LOAD, &mut random).await?;
        let reconciliation = Reconciliation::run(&environment).await?;
        reconciliation.ensure_reconciled()?;
        println!(
            "{}: recovered after {recovery:?}, {:?}",
            fault.name(),
            environment.ledger().total_counts()
        );
    }
    Ok(())
}
