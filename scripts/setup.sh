#!/usr/bin/env bash
# Installs missing dependencies on Debian 12 and builds the programs. Takes a second or two if everything is installed.
#   scripts/setup.sh               what the demo needs
#   scripts/setup.sh PROGRAM...    also these programs of the workspace
#   scripts/setup.sh --dev         also every program and test, and what the tests and the checks need (scripts/setup-dev.sh)
# Installs:
#   - by apt: a C++ toolchain and OpenSSL (librdkafka), Java and Maven (Kafka), Python (Locust), libcurl (MongoDB); with --dev
#     also h2load, wrk, curl, openssl, a browser and shellcheck
#   - into ${XDG_CACHE_HOME:-~/.cache}/dualpath: Locust in a virtual environment, and the servers (`lab fetch`)
#   - by npm: the build tools of the viewer's web page (scripts/web.sh, which also provides Node)
# The installation runs beside the compilation, because it mostly waits for the network.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

# Debian packages. A compiler, Java, Maven or Python from another source does not count.
readonly compiler=(build-essential libssl-dev pkg-config zlib1g-dev)
readonly packages=(
    openjdk-17-jre-headless maven
    python3 python3-venv
    libcurl4
)
# Independent clients, and a browser with a font.
readonly dev_packages=(curl nghttp2-client wrk openssl chromium fonts-dejavu-core shellcheck)

# `lab fetch` downloads Debian packages and needs current package lists.
update_lists() {
    if [ ! -d "$cache/redis-7.0" ] || [ ! -d "$cache/prometheus-2.42" ]; then as_root apt-get update --quiet=2; fi
}

# Prints the output of an installation that failed. One that was killed (128 and more) did not fail by itself.
report_failure() {
    local status=$?
    if [ "$status" -gt 0 ] && [ "$status" -lt 128 ]; then
        say "the installation failed with this output:"
        cat "$log" >&4
    fi
}

# Runs in the background, so its output goes to a file, messages to the descriptor 3, and the report of a failure to 4.
install_beside_compilation() {
    exec 3>&1 4>&2 >"$log" 2>&1
    export setup_messages=3
    trap report_failure EXIT
    install_packages "${needed[@]}"
    update_lists
    install_python_environment venv locust/requirements.txt
    scripts/web.sh build
    if [ "$dev" = true ]; then scripts/setup-dev.sh; fi
    # Cargo links each program as soon as it is compiled. If this is a program of an earlier version, the last step of this
    # script downloads the servers that only the new one knows.
    until [ -x target/release/lab ]; do sleep 1; done
    target/release/lab fetch
}

# Reads the standard error of cargo. Passes on warnings and errors, and shows how many of the compiler's runs are done: on a
# terminal continuously, otherwise every 20 seconds.
show_progress() {
    local line started=$SECONDS shown=$SECONDS
    while IFS= read -r line; do
        case "$line" in
            *"Building ["*)
                if [ -t 1 ]; then
                    printf '\r\033[K%s' "${line%"${line##*[![:space:]]}"}"
                elif ((SECONDS - shown >= 20)) && [[ "$line" =~ ([0-9]+)/([0-9]+) ]]; then
                    say "compiled ${BASH_REMATCH[1]} of ${BASH_REMATCH[2]} units"
                    shown=$SECONDS
                fi
                ;;
            *" Compiling "* | *" Updating "* | *"  Fetch ["* | *" Downloading "* | *" Downloaded "* | *" Finished "*) ;;
            *[![:space:]]*) printf '%s\n' "$line" >&2 ;;
        esac
    done
    if ((SECONDS - started >= 20)); then say "compiled the programs in $((SECONDS - started)) s"; fi
}

# Builds the programs of the arguments. Cargo enables those features of a dependency that the selected packages need, and
# compiles the dependency again for other features. So all commands select the whole workspace, and `--examples` (there are
# none) adds the features of the dev-dependencies. scripts/check-features.sh checks that this works.
build_programs() {
    local targets=(--examples) program
    if [ "$dev" = true ]; then targets=(--all-targets); fi
    for program in "$@"; do targets+=(--bin "$program"); done
    command -v cargo >/dev/null || die "Rust is missing: see https://rustup.rs, then run this again"
    [ -e target/release/lab ] || say "compiling the programs (some minutes)"
    scripts/build-cache.sh restore
    # Cargo ends each state of its progress with a carriage return.
    CARGO_TERM_PROGRESS_WHEN=always CARGO_TERM_PROGRESS_WIDTH="$(tput cols 2>/dev/null || echo 100)" \
        cargo build --release --locked --workspace "${targets[@]}" 2>&1 >/dev/null \
        | stdbuf --output=L tr '\r' '\n' | show_progress
}

dev=false
if [ "${1:-}" = --dev ]; then dev=true; shift; fi
needed=("${packages[@]}")
if [ "$dev" = true ]; then needed+=("${dev_packages[@]}"); fi
readonly dev needed

install_packages "${compiler[@]}"
ask_for_root "${needed[@]}"
log="$(mktemp)"
(install_beside_compilation) &
readonly log installation=$!
# An installation that is under way, such as that of a Debian package, ends; the next one does not start.
trap 'kill "$installation" 2>/dev/null || true; rm -f "$log"' EXIT

build_programs "${stack_programs[@]}" "$@"
if [ "$dev" = true ]; then scripts/build-cache.sh save dev; else scripts/build-cache.sh save stack; fi
wait "$installation" || die "the installation failed: its output is above"
target/release/lab fetch
