//! Faults in rounds: each on a stack of its own, at random moments, with the books read after every round.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use fastrand::Rng;
use lab::progress::Progress;

use crate::books::{Books, Counts};
use crate::families::Fault;
use crate::ledger::Seen;
use crate::load::{Crowd, Load};
use crate::probe;
use crate::scene::Scene;

/// Load after the recovery: what went wrong may show late.
const AFTERMATH: Duration = Duration::from_secs(1);

/// How faults are put on.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Where every random moment comes from.
    pub seed: u64,
    /// Rounds of each fault.
    pub rounds: u32,
    /// Longest time of load before the fault.
    pub load: Duration,
}

/// What became of a fault.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// What it did.
    pub sentence: String,
    /// Rounds that were begun.
    pub rounds: u32,
    /// What the clients saw.
    pub seen: Seen,
    /// What the books say.
    pub books: Counts,
    /// Time to recover in each round that got so far.
    pub recoveries: Vec<Duration>,
    /// What went wrong, a sentence each.
    pub failures: Vec<String>,
}

/// Puts on every fault; what fails is in its row.
pub async fn run(faults: Vec<Box<dyn Fault>>, plan: Plan, progress: &Progress) -> Vec<Row> {
    let mut rows = Vec::new();
    for mut fault in faults {
        rows.push(put_on(fault.as_mut(), plan, progress).await);
    }
    rows
}

async fn put_on(fault: &mut dyn Fault, plan: Plan, progress: &Progress) -> Row {
    let mut row = Row {
        name: fault.name(),
        sentence: fault.sentence(),
        ..Row::default()
    };
    // Of its own: a fault's moments are the same whichever others are put on.
    let mut random = Rng::with_seed(seed_of(&row.name, plan.seed));
    while row.rounds < plan.rounds {
        if let Err(error) = rounds_on_one_stack(fault, plan, &mut random, &mut row, progress).await {
            let failure = format!("{} round {}: {error:#}", row.name, row.rounds);
            progress.note(&failure);
            row.failures.push(failure);
        }
    }
    row
}

/// Rounds until all are done, or until one fails: what comes after it would be on its books.
async fn rounds_on_one_stack(
    fault: &mut dyn Fault,
    plan: Plan,
    random: &mut Rng,
    row: &mut Row,
    progress: &Progress,
) -> Result<()> {
    let scene = Scene::set(fault.stack_options()).await;
    let mut scene = scene.inspect_err(|_| row.rounds += 1)?;
    let mut books = Books::default();
    let mut outcome = Ok(());
    while row.rounds < plan.rounds && outcome.is_ok() {
        row.rounds += 1;
        let step = progress.step(&format!("{} {}/{}", row.name, row.rounds, plan.rounds));
        let before = scene.ledger().seen_by_all();
        outcome = async {
            let recovery = round(&scene, fault, plan.load, random).await?;
            row.recoveries.push(recovery);
            books = Books::of(&scene).await?;
            books.must_be_equal()?;
            step.done(&format!(
                "recovered after {:.1} s, books equal",
                recovery.as_secs_f64()
            ));
            anyhow::Ok(())
        }
        .await;
        row.seen = row.seen + scene.ledger().seen_by_all().since(before);
    }
    row.books = row.books + books.total();
    if outcome.is_err() {
        scene.keep_logs();
    }
    // Waits for processes to end.
    tokio::task::spawn_blocking(move || drop(scene))
        .await
        .context("stopping a stack")?;
    outcome
}

/// One round: at most `load_before` of load, the fault, and the recovery; gives the time that this took. The clients
/// have finished afterwards, so that the books can be read.
pub async fn round(
    scene: &Scene,
    fault: &mut dyn Fault,
    load_before: Duration,
    random: &mut Rng,
) -> Result<Duration> {
    let load = Load::start(Crowd::USUAL, scene.endpoints(), scene.ledger())?;
    // Nothing can be said about a fault that comes before everything works.
    probe::recovered(scene, Instant::now())
        .await
        .context("before the fault")?;
    tokio::time::sleep(load_before.mul_f64(random.f64())).await;
    fault.inject(scene, random).await.context("injecting the fault")?;
    let ended = Instant::now();
    let heal = async { fault.heal(scene).await.context("healing the fault") };
    let (recovery, ()) = tokio::try_join!(probe::recovered(scene, ended), heal)?;
    tokio::time::sleep(AFTERMATH).await;
    load.finish().await?;
    Ok(recovery)
}

fn seed_of(name: &str, seed: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (name, seed).hash(&mut hasher);
    hasher.finish()
}
