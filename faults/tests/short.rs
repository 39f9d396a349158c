//! A round each of the faults that find most, on one stack; `make faults` runs all of them, often.

use std::time::Duration;

use faults::books::Books;
use faults::families;
use faults::scene::Scene;
use faults::suite::round;

const FAULTS: [&str; 5] = [
    "kill-rest",
    "kill-consumer-between-stores",
    "kill-redis",
    "kill-kafka",
    "impatient-client",
];
const LOAD: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_vote_is_counted_once_and_logged_once() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let scene = Scene::set(&[]).await.unwrap();
    let mut faults = families::all(Duration::ZERO);
    faults.retain(|fault| FAULTS.contains(&fault.name().as_str()));
    assert_eq!(faults.len(), FAULTS.len(), "a fault has another name now");
    for fault in &mut faults {
        let recovery = round(&scene, fault.as_mut(), LOAD, &mut random).await.unwrap();
        let books = Books::of(&scene).await.unwrap();
        books.must_be_equal().unwrap();
        println!(
            "{}: recovered after {recovery:?}, {:?}",
            fault.name(),
            scene.ledger().seen_by_all()
        );
    }
}
