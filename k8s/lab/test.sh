#!/usr/bin/env bash
# `make cluster-test`: the lab cluster from nothing, the project's images in it, every stage of k8s/cluster_test, and the
# cluster gone again. About 25 minutes, and 20 more the first time.
#
#   test.sh [--keep] [STAGE...]     --keep leaves the cluster running; one that runs already is used, and left running
set -euo pipefail
# shellcheck source=k8s/lab/common.sh
. "$(dirname "$0")/common.sh"
keep=
if [ "${1:-}" = --keep ]; then
    keep=yes
    shift
fi
if [ -e "$run/pid" ]; then
    keep=yes
else
    "$here/build.sh"
    "$here/images.sh" project
    # An hour of work must not leave its mess when it is interrupted.
    [ -n "$keep" ] || trap '"$here/cluster.sh" down' EXIT
    "$here/cluster.sh" up
    "$here/cluster.sh" load "$cache/k8s-images/project.tar"
fi
cd "$root"
PYTHONPATH=k8s "$cache/venv-dev/bin/python" -m cluster_test "$@"
