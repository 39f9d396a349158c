//! The context in which every server is prepared.

use std::path::Path;

use crate::access::Access;
use crate::fetch::Cache;
use crate::state::{Settings, StateDir};

/// The programs, directories and settings that a server is configured and started with.
#[derive(Clone, Debug)]
pub struct LaunchContext<'a> {
    /// The fetched programs.
    pub cache: &'a Cache,
    /// Data, configuration and logs.
    pub dir: &'a StateDir,
    /// Ports and tuning.
    pub settings: &'a Settings,
    /// Addresses and secrets.
    pub access: Access,
    /// The directory of the project's own programs.
    pub programs: &'a Path,
}
