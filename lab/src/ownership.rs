//! The ownership of a state directory: only one process at a time may start or stop its stack.
//!
//! The owner holds a lock on a file. The kernel releases it when the process ends, also after a kill, so a lock is never
//! stale. The file contains the identity of the owner, so that another process can name it in an error. If no process
//! holds the lock, the content is outdated.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::process::{Identity, Signal};
use crate::state::StateDir;

/// The pause between two attempts to lock.
const RETRY_PAUSE: Duration = Duration::from_millis(20);
/// How long the owner may need to write its identity after it has locked the file, on a busy machine.
const IDENTITY_TIMEOUT: Duration = Duration::from_secs(2);

/// What the owner does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Activity {
    /// It starts or runs the stack. SIGTERM makes it stop the stack.
    Running,
    /// It stops the stack.
    Stopping,
}

/// The content of the lock file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    #[serde(flatten)]
    pub(crate) identity: Identity,
    pub(crate) activity: Activity,
}

/// The lock, while this process holds it. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ownership(Arc<Mutex<Option<File>>>);

impl Ownership {
    /// Takes the ownership of `dir`. Returns false if this process already has it. The error is another owner; `None` if it
    /// did not write its identity.
    pub(crate) fn take(&self, dir: &StateDir, activity: Activity) -> Result<Result<bool, Option<Owner>>> {
        let mut held = self.held();
        if held.is_some() {
            return Ok(Ok(false));
        }
        let path = dir.owner_lock();
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .with_context(|| format!("opening {}", path.display()))?;
        let started = Instant::now();
        while let Err(error) = file.try_lock() {
            if let TryLockError::Error(error) = error {
                return Err(error).with_context(|| format!("locking {}", path.display()));
            }
            // A new owner has not written its identity yet, or the owner has just ended.
            let owner = read_owner(&path).filter(|owner| owner.identity.is_alive());
            if owner.is_some() || started.elapsed() >= IDENTITY_TIMEOUT {
                return Ok(Err(owner));
            }
            std::thread::sleep(RETRY_PAUSE);
        }
        let owner = Owner {
            identity: Identity::current()?,
            activity,
        };
        file.set_len(0)
            .context("clearing the lock of the state directory")?;
        file.rewind()
            .context("clearing the lock of the state directory")?;
        file.write_all(&serde_json::to_vec(&owner)?)
            .context("writing the owner of the state directory")?;
        *held = Some(file);
        Ok(Ok(true))
    }

    /// Takes the ownership to stop the stack. Another owner that runs the stack receives SIGTERM. Waits up to `timeout`
    /// for its end. Returns false if this process already has the ownership.
    pub(crate) async fn take_over(&self, dir: &StateDir, timeout: Duration) -> Result<bool> {
        let started = Instant::now();
        let mut signalled = None;
        loop {
            let owner = match self.take(dir, Activity::Stopping)? {
                Ok(is_new) => return Ok(is_new),
                Err(owner) => owner,
            };
            if let Some(owner) = owner.filter(|owner| owner.activity == Activity::Running)
                && signalled != Some(owner)
            {
                owner.identity.signal(Signal::TERM)?;
                signalled = Some(owner);
            }
            if started.elapsed() >= timeout {
                let seconds = timeout.as_secs();
                anyhow::bail!(
                    "{} did not stop within {seconds} s: end it and run this command again",
                    describe(owner)
                );
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    /// Gives up the ownership.
    pub(crate) fn release(&self) {
        *self.held() = None;
    }

    fn held(&self) -> MutexGuard<'_, Option<File>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Describes the owner in the text of an error.
pub(crate) fn describe(owner: Option<Owner>) -> String {
    match owner {
        Some(Owner {
            identity,
            activity: Activity::Running,
        }) => format!("another lab process (pid {})", identity.pid),
        Some(Owner {
            identity,
            activity: Activity::Stopping,
        }) => format!(
            "another lab process (pid {}), which stops the stack,",
            identity.pid
        ),
        None => "another lab process".to_owned(),
    }
}

/// The owner that the file names.
fn read_owner(path: &Path) -> Option<Owner> {
    let mut text = Vec::new();
    File::open(path)
        .and_then(|mut file| file.read_to_end(&mut text))
        .ok()?;
    serde_json::from_slice(&text).ok()
}
