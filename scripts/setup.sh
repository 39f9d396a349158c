#!/usr/bin/env bash
# Installs what is missing on Debian 12 and builds the programs; done in a second or two where all is there.
#   - by apt: Java and Maven (Kafka), Python (Locust), libcurl (MongoDB), a C++ toolchain (librdkafka)
#   - into ${XDG_CACHE_HOME:-~/.cache}/dualpath: Locust in a virtual environment, and the servers (`lab fetch`)
set -euo pipefail
cd "$(dirname "$0")/.."

readonly cache="${XDG_CACHE_HOME:-$HOME/.cache}/dualpath"
readonly packages=(
    build-essential zlib1g-dev
    openjdk-17-jre-headless maven
    python3 python3-venv
    libcurl4
)

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else die "this needs root: $*"
    fi
}

# Where another Java, Maven or Python is installed already, its Debian package is missing and is added beside it.
install_packages() {
    local missing=() package
    for package in "${packages[@]}"; do
        dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed \
            || missing+=("$package")
    done
    if [ "${#missing[@]}" -gt 0 ]; then
        say "installing ${missing[*]}"
        as_root apt-get update --quiet=2
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends "${missing[@]}"
    fi
}

# `lab fetch` downloads Debian packages: for that apt needs to know them.
update_lists() {
    if [ ! -d "$cache/redis-7.0" ] || [ ! -d "$cache/prometheus-2.42" ]; then
        apt-cache show redis-server prometheus >/dev/null 2>&1 || as_root apt-get update --quiet=2
    fi
}

# The environment is remade when the pinned requirements change; the stamp is written last.
install_locust() {
    local requirements=locust/requirements.txt venv="$cache/venv" stamp
    stamp="$(sha256sum <"$requirements")"
    if [ "$(cat "$venv/requirements.sha256" 2>/dev/null)" = "$stamp" ]; then return; fi
    say "installing Locust"
    mkdir -p "$cache"
    (
        flock 9
        if [ "$(cat "$venv/requirements.sha256" 2>/dev/null)" = "$stamp" ]; then exit; fi
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$requirements"
        printf '%s\n' "$stamp" >"$venv/requirements.sha256"
    ) 9>"$cache/venv.lock"
}

build_programs() {
    command -v cargo >/dev/null || die "Rust is missing: see https://rustup.rs, then run this again"
    cargo build --release --locked --quiet \
        --package lab --package ingest-rest --package ingest-grpc --package consumer
}

install_packages
update_lists
install_locust
build_programs
target/release/lab fetch
