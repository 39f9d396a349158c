//! The bearer token of the bridge for its upstream.

use std::path::PathBuf;

use anyhow::Context;
use reload::{Files, Reloaded};
use tonic::metadata::{Ascii, MetadataValue};

/// The file of the option `--upstream-token-file`.
#[derive(Debug)]
pub(crate) struct UpstreamTokenFile(pub(crate) PathBuf);

/// The newest token, as the value of the header `Authorization`.
pub(crate) type UpstreamToken = Reloaded<UpstreamTokenFile>;

impl Files for UpstreamTokenFile {
    type Contents = String;
    type Value = MetadataValue<Ascii>;

    fn name(&self) -> String {
        format!("token for the upstream ({})", self.0.display())
    }

    fn read(&self) -> anyhow::Result<String> {
        std::fs::read_to_string(&self.0)
            .with_context(|| format!("cannot read {} (--upstream-token-file)", self.0.display()))
    }

    fn build(&self, contents: &String) -> anyhow::Result<MetadataValue<Ascii>> {
        let token = contents.trim();
        anyhow::ensure!(!token.is_empty(), "--upstream-token-file is empty");
        // The error of the library would be no help, and the text is a secret.
        let value = MetadataValue::try_from(format!("Bearer {token}"));
        let mut value = value.map_err(|_| anyhow::anyhow!("--upstream-token-file has invalid characters"))?;
        // Headers that are sensitive are not shown in logs, and HTTP/2 does not keep them in its table.
        value.set_sensitive(true);
        Ok(value)
    }
}
