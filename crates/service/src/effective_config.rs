//! The effective configuration: logged once at start, and hashed for `ingest_config_info`. Equal hashes show that two
//! processes have equal settings.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

/// The configuration of a process: empty until the process publishes it.
pub(crate) type SharedConfig = Arc<OnceLock<EffectiveConfig>>;

/// The settings by name. Never add a secret: redact URLs first.
#[derive(Clone, Debug, Default)]
pub struct EffectiveConfig {
    settings: BTreeMap<String, String>,
}

impl EffectiveConfig {
    /// Adds a setting.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl std::fmt::Display) -> Self {
        self.settings.insert(name.into(), format!("{value}"));
        self
    }

    /// Adds many settings. Each name gets the prefix.
    #[must_use]
    pub fn with_all<'a>(
        mut self,
        prefix: &str,
        settings: impl IntoIterator<Item = (&'a str, String)>,
    ) -> Self {
        self.settings.extend(
            settings
                .into_iter()
                .map(|(name, value)| (format!("{prefix}{name}"), value)),
        );
        self
    }

    /// Logs every setting on one line, with the hash that the metrics show.
    pub(crate) fn log(&self) {
        tracing::info!(
            config_hash = self.hash(),
            settings = self.to_line(),
            "effective configuration"
        );
    }

    /// The first 12 hex digits of the SHA-256 of all settings: equal configurations have equal hashes, on any machine.
    pub fn hash(&self) -> String {
        let digest = Sha256::digest(self.to_line());
        let bits = digest
            .iter()
            .take(6)
            .fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
        format!("{bits:012x}")
    }

    pub(crate) const fn settings(&self) -> &BTreeMap<String, String> {
        &self.settings
    }

    fn to_line(&self) -> String {
        let pairs: Vec<_> = self
            .settings
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_settings_have_the_same_hash_in_any_order() {
        let one = EffectiveConfig::default().with("a", 1).with("b", "x");
        let other = EffectiveConfig::default().with("b", "x").with("a", 1);
        assert_eq!(one.hash(), other.hash());
        assert_ne!(one.hash(), other.with("a", 2).hash());
        assert_eq!(one.hash().len(), 12);
    }
}
