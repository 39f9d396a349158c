//! The part of the effective configuration that every process with a listener has.

use crate::allocator;
use crate::args::CommonArgs;
use crate::effective_config::EffectiveConfig;
use crate::listener::{self, ListenerArgs};

impl EffectiveConfig {
    /// The settings of a route's runtime, allocator and listener. A binary adds its own settings to them.
    pub fn of_route(common: &CommonArgs, listener: &ListenerArgs) -> Self {
        Self::of_process(common, listener).with("allocator", allocator::NAME)
    }

    /// The settings of the runtime and the listener. A binary adds its own settings to them.
    pub fn of_process(common: &CommonArgs, listener: &ListenerArgs) -> Self {
        Self::default()
            .with("worker_threads", common.worker_threads)
            .with_all("", common.admin_tls.settings())
            .with_all("", listener::settings(listener))
    }
}
