//! The readiness of a process: one check per dependency.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The reason of a check that has no result yet.
const NOT_CHECKED: &str = "not checked yet";

/// All checks of a process. The process is ready if it is not draining and every check passes.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    draining: AtomicBool,
    checks: Mutex<BTreeMap<&'static str, Result<(), String>>>,
}

/// The state of one dependency. The code that uses the dependency keeps it current.
#[derive(Clone, Debug)]
pub struct Check {
    name: &'static str,
    inner: Arc<Inner>,
}

impl Readiness {
    /// Adds a check. It fails until the first success is reported.
    pub fn register(&self, name: &'static str) -> Check {
        self.inner.checks().insert(name, Err(NOT_CHECKED.to_owned()));
        Check {
            name,
            inner: Arc::clone(&self.inner),
        }
    }

    /// Whether the process can do its work.
    pub fn is_ready(&self) -> bool {
        !self.is_draining() && self.inner.checks().values().all(Result::is_ok)
    }

    /// Each check's name with `ok` or the reason of the failure.
    pub fn report(&self) -> BTreeMap<&'static str, String> {
        let checks = self.inner.checks();
        let states = checks.iter().map(|(&name, state)| match state {
            Ok(()) => (name, "ok".to_owned()),
            Err(reason) => (name, reason.clone()),
        });
        let draining = self.is_draining().then(|| ("drain", "shutting down".to_owned()));
        states.chain(draining).collect()
    }

    /// Each check's name and whether it passes.
    pub(crate) fn states(&self) -> Vec<(&'static str, bool)> {
        let checks = self.inner.checks();
        checks
            .iter()
            .map(|(&name, state)| (name, state.is_ok()))
            .collect()
    }

    pub(crate) fn start_draining(&self) {
        self.inner.draining.store(true, Ordering::Release);
    }

    fn is_draining(&self) -> bool {
        self.inner.draining.load(Ordering::Acquire)
    }
}

impl Check {
    /// Reports that the dependency works. Logs a change.
    pub fn ok(&self) {
        if self.set(Ok(())) {
            tracing::info!(check = self.name, "ready");
        }
    }

    /// Reports that the dependency does not work, and why. Logs a change.
    pub fn fail(&self, reason: impl Into<String>) {
        let reason = reason.into();
        if self.set(Err(reason.clone())) {
            tracing::warn!(check = self.name, reason, "not ready");
        }
    }

    /// Reports the result of a probe.
    pub fn report(&self, state: Result<(), String>) {
        match state {
            Ok(()) => self.ok(),
            Err(reason) => self.fail(reason),
        }
    }

    /// Whether the last report was a success.
    pub fn is_ok(&self) -> bool {
        self.inner.checks().get(self.name).is_some_and(Result::is_ok)
    }

    /// Stores the result. Returns whether it is the first one, or the check changed between success and failure.
    fn set(&self, state: Result<(), String>) -> bool {
        let is_ok = state.is_ok();
        let before = self.inner.checks().insert(self.name, state);
        before.is_none_or(|before| before.is_ok() != is_ok || before == Err(NOT_CHECKED.to_owned()))
    }
}

impl Inner {
    fn checks(&self) -> MutexGuard<'_, BTreeMap<&'static str, Result<(), String>>> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_only_when_every_check_passes_and_not_draining() {
        let readiness = Readiness::default();
        let (kafka, redis) = (readiness.register("kafka"), readiness.register("redis"));
        assert!(!readiness.is_ready());
        kafka.ok();
        assert!(!readiness.is_ready());
        redis.ok();
        assert!(readiness.is_ready());
        redis.fail("connection refused");
        assert!(!readiness.is_ready());
        assert_eq!(
            readiness.report().get("redis").map(String::as_str),
            Some("connection refused")
        );
        redis.ok();
        readiness.start_draining();
        assert!(!readiness.is_ready());
    }
}
