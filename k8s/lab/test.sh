#!/usr/bin/env bash
# `make cluster-test`: starts the lab cluster, loads the project's images, runs the stages of k8s/cluster_test and removes
# the cluster. Takes about 40 minutes, the first time 65.
#
#   test.sh [--keep] [OPTION...] [STAGE...]     --keep leaves the cluster running; a running cluster is reused and left
#                                               running. `python -m cluster_test --help` describes options and stages:
#                                               test.sh deploy ingress-rollouts --repeat 20
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
    # Clean up after an interrupt, too.
    [ -n "$keep" ] || trap '"$here/cluster.sh" down' EXIT
    "$here/cluster.sh" up
    "$here/cluster.sh" load "$cache/k8s-images/project.tar"
fi
cd "$root"
install_python_environment venv-cluster-test k8s/cluster_test/requirements.txt
PYTHONPATH=k8s "$cache/venv-cluster-test/bin/python" -m cluster_test "$@"
