//! Values that are made from files, and made again when the files change.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How often the files are compared with the loaded ones. Notifications of the kernel do not work for all mounted file
/// systems, and Kubernetes needs up to a minute to update a mounted secret.
pub const INTERVAL: Duration = Duration::from_secs(2);

/// Files, and how to make a value from them.
pub trait Files: Send + Sync + 'static {
    /// What the files contain.
    type Contents: PartialEq + Send + Sync;
    /// What is made from it.
    type Value: Send + Sync;

    /// What the files are, for the log.
    fn name(&self) -> String;
    /// Reads the files.
    fn read(&self) -> anyhow::Result<Self::Contents>;
    /// Makes the value.
    fn build(&self, contents: &Self::Contents) -> anyhow::Result<Self::Value>;
}

/// The newest valid value.
pub struct Reloaded<F: Files> {
    files: F,
    loaded: RwLock<Loaded<F>>,
}

struct Loaded<F: Files> {
    contents: F::Contents,
    value: Arc<F::Value>,
}

impl<F: Files> Reloaded<F> {
    /// Loads the files. Errors if they are missing or invalid.
    pub fn load(files: F) -> anyhow::Result<Self> {
        let contents = files.read()?;
        let value = Arc::new(files.build(&contents)?);
        let loaded = RwLock::new(Loaded { contents, value });
        Ok(Self { files, loaded })
    }

    /// The value.
    pub fn value(&self) -> Arc<F::Value> {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&loaded.value)
    }

    /// Loads the files again when they change, until `shutdown`. If they are invalid, for example because only one of two is
    /// written yet, the loaded ones stay, and the log says why.
    pub async fn watch(self: Arc<Self>, shutdown: CancellationToken) {
        let mut failure = None;
        loop {
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = shutdown.cancelled() => return,
            }
            let reloaded = Arc::clone(&self);
            let result = tokio::task::spawn_blocking(move || reloaded.load_if_changed()).await;
            let error = match result {
                Ok(Ok(true)) => {
                    tracing::info!("loaded the changed {}", self.files.name());
                    None
                }
                Ok(Ok(false)) => None,
                Ok(Err(error)) => Some(format!("{error:#}")),
                Err(error) => Some(error.to_string()),
            };
            if let Some(error) = &error
                && failure.as_ref() != Some(error)
            {
                tracing::warn!(
                    error,
                    "cannot load the changed {}; the loaded ones stay in use",
                    self.files.name()
                );
            }
            failure = error;
        }
    }

    /// Returns whether the files have changed.
    fn load_if_changed(&self) -> anyhow::Result<bool> {
        let contents = self.files.read()?;
        {
            let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
            if loaded.contents == contents {
                return Ok(false);
            }
        }
        let value = Arc::new(self.files.build(&contents)?);
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Loaded { contents, value };
        Ok(true)
    }
}

impl<F: Files> std::fmt::Debug for Reloaded<F> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The contents can have secrets.
        formatter.debug_struct("Reloaded").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use anyhow::Context;

    use super::*;

    struct Number(PathBuf);

    impl Files for Number {
        type Contents = String;
        type Value = u32;

        fn name(&self) -> String {
            "number".to_owned()
        }

        fn read(&self) -> anyhow::Result<String> {
            Ok(std::fs::read_to_string(&self.0)?)
        }

        fn build(&self, contents: &String) -> anyhow::Result<u32> {
            contents.parse().context("not a number")
        }
    }

    #[test]
    fn invalid_contents_leave_the_value_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("number");
        let write = |text: &str| std::fs::write(&path, text).unwrap();
        write("1");
        let number = Reloaded::load(Number(path.clone())).unwrap();
        assert!(!number.load_if_changed().unwrap());
        write("two");
        assert!(number.load_if_changed().is_err());
        assert_eq!(*number.value(), 1);
        write("2");
        assert!(number.load_if_changed().unwrap());
        assert_eq!(*number.value(), 2);
        std::fs::remove_file(&path).unwrap();
        assert!(number.load_if_changed().is_err());
        assert_eq!(*number.value(), 2);
    }
}
