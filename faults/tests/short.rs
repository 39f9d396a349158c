//! The short suite: one round of each fault that finds the most defects, on one stack. `make faults` runs every fault several
//! times.

use std::time::Duration;

use faults::catalog;
use faults::environment::TestEnvironment;
use faults::reconciliation::Reconciliation;
use faults::suite::run_round;

const FAULTS: [&str; 5] = [
    "kill-rest",
    "kill-consumer-between-stores",
    "kill-redis",
    "kill-kafka",
    "short-timeout",
];
const MAX_LOAD: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_vote_is_counted_once_and_logged_once() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let environment = TestEnvironment::start(&[]).await.unwrap();
    let mut faults = catalog::all(Duration::ZERO);
    faults.retain(|fault| FAULTS.contains(&fault.name().as_str()));
    assert_eq!(faults.len(), FAULTS.len(), "FAULTS contains an unknown name");
    for fault in &mut faults {
        let recovery = run_round(&environment, fault.as_mut(), MAX_LOAD, &mut random)
            .await
            .unwrap();
        let reconciliation = Reconciliation::run(&environment).await.unwrap();
        reconciliation.ensure_reconciled().unwrap();
        println!(
            "{}: recovered after {recovery:?}, {:?}",
            fault.name(),
            environment.ledger().total_counts()
        );
    }
}
