#!/usr/bin/env bash
# Runs the tests in Python. Those of Locust mostly wait for the end of their runs, so the others run beside them; their output
# follows at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh
readonly python="$cache/venv-dev/bin/python"

others() {
    "$python" -m pytest --quiet -p no:locust bench scripts e2e/capture
    (cd grafana && "$python" -m pytest --quiet)
    (cd k8s && "$python" -m pytest --quiet)
}

log="$(mktemp)"
others >"$log" 2>&1 &
readonly log others=$!
trap 'kill "$others" 2>/dev/null || true; rm -f "$log"' EXIT
failed=0
(cd locust && "$python" -m pytest --quiet) || failed=1
wait "$others" || failed=1
cat "$log"
exit "$failed"
