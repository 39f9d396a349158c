#!/usr/bin/env bash
# Installs missing dependencies on Debian 12 and builds the programs. Takes a second or two if everything is installed.
# Options are passed to cargo: --all-targets also builds the tests.
#   - by apt: Java and Maven (Kafka), Python (Locust), libcurl (MongoDB), a C++ toolchain (librdkafka)
#   - into ${XDG_CACHE_HOME:-~/.cache}/dualpath: Locust in a virtual environment, and the servers (`lab fetch`)
#   - by npm: the build tools of the viewer's web page (scripts/web.sh, which also provides Node)
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=scripts/common.sh
. scripts/common.sh

# A Java, Maven or Python from another source does not count: the Debian package is installed in addition.
readonly packages=(
    build-essential zlib1g-dev
    openjdk-17-jre-headless maven
    python3 python3-venv
    libcurl4
)

# `lab fetch` downloads Debian packages and needs current package lists.
update_lists() {
    if [ ! -d "$cache/redis-7.0" ] || [ ! -d "$cache/prometheus-2.42" ]; then as_root apt-get update --quiet=2; fi
}

# Build the whole workspace: a subset enables other features and would compile most dependencies a second time.
build_programs() {
    command -v cargo >/dev/null || die "Rust is missing: see https://rustup.rs, then run this again"
    [ -e target/release/lab ] || say "compiling the programs (some minutes)"
    cargo build --release --locked --quiet --workspace "$@"
}

install_packages "${packages[@]}"
update_lists
install_python_environment venv locust/requirements.txt
build_programs "$@"
scripts/web.sh build
target/release/lab fetch
