//! The part of the effective configuration that every process with a listener has.

use crate::allocator;
use crate::args::CommonArgs;
use crate::effective_config::EffectiveConfig;
use crate::listener::{self, ListenerArgs};

impl EffectiveConfig {
    /// The settings of the runtime, the allocator and the listener. A binary adds its own settings to them.
    pub fn of_process(common: &CommonArgs, listener: &ListenerArgs) -> Self {
        Self::default()
            .with("worker_threads", common.worker_threads)
            .with("allocator", allocator::NAME)
            .with_all("", listener::settings(listener))
    }
}
