# Settings and functions of the scripts in this directory. Source this file.
# shellcheck shell=bash disable=SC2034

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"
readonly here root
# shellcheck source=scripts/common.sh
. "$root/scripts/common.sh"
readonly kubernetes=1.34.4 coredns=1.12.4 metrics_server=0.7.2 keda=2.18.3
# Knative Serving 1.20, with the versions of its own go.mod.
readonly knative=0.47.0 knative_networking=0.0.0-20251021092443-0bde19154dce knative_caching=0.0.0-20251023153846-09d3ca0533a9
readonly knative_programs=(knative-activator knative-autoscaler knative-controller knative-queue knative-webhook)
readonly cert_manager=1.11.5 cert_manager_crds=1.21.2
readonly cert_manager_programs=(cert-manager-cainjector cert-manager-controller cert-manager-webhook)
# The Kubernetes programs, in a directory per version.
readonly bin="$cache/kubernetes-$kubernetes/bin"
# State, data and logs of the running cluster. overlays/lab/volumes.yaml has the same path.
readonly run=/var/lib/dualpath-k8s
# The address of the API server for pods. Kubernetes allows no loopback address as an endpoint.
readonly api_address=10.99.0.1
readonly nodes=(lab1 lab2)
export KUBECONFIG="$run/admin.kubeconfig"
export PATH="$bin:$PATH"

say() { printf 'k8s: %s\n' "$*"; }
die() { printf 'k8s: %s\n' "$*" >&2; exit 1; }

# start_process NAME COMMAND...: starts a process of the cluster. `stop_process NAME` stops it.
start_process() {
    local name="$1"
    shift
    mkdir -p "$run/log" "$run/pid"
    setsid nohup "$@" >"$run/log/$name.log" 2>&1 </dev/null &
    echo "$!" >"$run/pid/$name"
}

stop_process() {
    local file="$run/pid/$1" pid
    [ -f "$file" ] || return 0
    pid="$(cat "$file")"
    rm -f "$file"
    kill "$pid" 2>/dev/null || return 0
    for _ in $(seq 100); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -9 "$pid" 2>/dev/null || true
}

# wait_for WHAT SECONDS COMMAND...: runs the command once per second until it succeeds.
wait_for() {
    local what="$1" seconds="$2"
    shift 2
    for _ in $(seq "$seconds"); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 1
    done
    die "$what is not ready after $seconds s: see $run/log"
}
