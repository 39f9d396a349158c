#!/usr/bin/env bash
# Runs all tests. Those of the consumer and of the viewer wait for servers two thirds of the time, so the tests in Python and in
# the browser run beside them, and print their output afterwards. Nothing runs beside the other Rust tests: they keep the
# processors busy, or measure time.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh
readonly python="$cache/venv-dev/bin/python" waiting=(consumer viewer)

# Always the whole workspace: the selection of a package would compile its dependencies for other features.
rust_tests() { cargo test --release --locked --workspace "$@"; }

# Prints the names of the programs of integration tests.
integration_tests() {
    cargo metadata --locked --no-deps --format-version 1 | "$python" -c '
import json, sys
for package in json.load(sys.stdin)["packages"]:
    for target in package["targets"]:
        if target["kind"] == ["test"]:
            print(target["name"])'
}

# The tests of Locust mostly wait for the end of their runs, so the others run beside them.
python_tests() {
    local failed=0
    (cd locust && "$python" -m pytest --quiet) &
    local locust=$!
    "$python" -m pytest --quiet -p no:locust bench scripts e2e/capture || failed=1
    (cd grafana && "$python" -m pytest --quiet) || failed=1
    (cd k8s && "$python" -m pytest --quiet) || failed=1
    wait "$locust" || failed=1
    return "$failed"
}

python_and_web_tests() {
    local failed=0
    python_tests || failed=1
    scripts/web.sh run test || failed=1
    return "$failed"
}

log="$(mktemp)"
python_and_web_tests >"$log" 2>&1 &
readonly log beside=$!
trap 'kill "$beside" 2>/dev/null || true; rm -f "$log"' EXIT
failed=0
rust_tests "${waiting[@]/#/--test=}" || failed=1
wait "$beside" || failed=1
cat "$log"
if [ "$failed" -ne 0 ]; then die "tests failed: their output is above"; fi

# These wait for servers half of the time.
RUST_TEST_THREADS="$(($(nproc) * 3 / 2))" rust_tests --test=e2e
mapfile -t others < <(integration_tests | grep --line-regexp --invert-match --fixed-strings "$(printf '%s\n' "${waiting[@]}" e2e)")
rust_tests --lib --bins "${others[@]/#/--test=}"
