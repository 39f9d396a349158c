#!/usr/bin/env bash
# Installs what is missing on Debian 12 and builds the programs; done in a second or two where all is there. Options go to
# cargo: --all-targets builds the tests as well.
#   - by apt: Java and Maven (Kafka), Python (Locust), libcurl (MongoDB), a C++ toolchain (librdkafka)
#   - into ${XDG_CACHE_HOME:-~/.cache}/dualpath: Locust in a virtual environment, and the servers (`lab fetch`)
#   - by npm: what the viewer's page is built with (scripts/web.sh, also where Node comes from)
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=scripts/common.sh
. scripts/common.sh

# Where another Java, Maven or Python is installed already, its Debian package is missing and is added beside it.
readonly packages=(
    build-essential zlib1g-dev
    openjdk-17-jre-headless maven
    python3 python3-venv
    libcurl4
)

# `lab fetch` downloads Debian packages: for that apt's lists must be there and current.
update_lists() {
    if [ ! -d "$cache/redis-7.0" ] || [ ! -d "$cache/prometheus-2.42" ]; then as_root apt-get update --quiet=2; fi
}

# All of them and not only the stack's: another selection has other features, and compiles most dependencies once more.
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
