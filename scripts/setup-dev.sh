#!/usr/bin/env bash
# Installs the tools of `make test` and `make bench` into ${XDG_CACHE_HOME:-~/.cache}/dualpath: cargo-deny, grpcurl, ghz,
# kustomize, kubeconform, the schemas of the Kubernetes kinds, and the Python tools. `scripts/setup.sh --dev` runs this.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

readonly cargo_deny=0.20.2 grpcurl=1.9.3 ghz=0.120.0 kustomize=5.8.1 kubeconform=0.8.0

# install_tool TOOL VERSION COMMAND...: runs the command unless this version is installed. The stamp is written last.
install_tool() {
    local tool="$1" version="$2" stamp="$cache/tools/$1.version"
    shift 2
    if [ "$(cat "$stamp" 2>/dev/null)" = "$version" ]; then return; fi
    say "installing $tool $version (some minutes)"
    mkdir -p "$cache/tools"
    "$@"
    printf '%s\n' "$version" >"$stamp"
}

# The tool runs for seconds: optimisation costs more time than it saves.
cargo_tool() {
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=0 \
        cargo install --quiet --locked --root "$cache/tools" --version "$2" "$1"
}

go_tool() {
    command -v go >/dev/null || die "Go is missing: see https://go.dev/doc/install, then run this again"
    GOBIN="$cache/tools/bin" CGO_ENABLED=0 go install -ldflags '-s -w' "$1@v$2"
}

install_tool cargo-deny "$cargo_deny" cargo_tool cargo-deny "$cargo_deny"
install_tool grpcurl "$grpcurl" go_tool github.com/fullstorydev/grpcurl/cmd/grpcurl "$grpcurl"
install_tool ghz "$ghz" go_tool github.com/bojand/ghz/cmd/ghz "$ghz"
install_tool kustomize "$kustomize" go_tool sigs.k8s.io/kustomize/kustomize/v5 "$kustomize"
install_tool kubeconform "$kubeconform" go_tool github.com/yannh/kubeconform/cmd/kubeconform "$kubeconform"
install_python_environment venv-dev locust/requirements.txt locust/requirements-dev.txt grafana/requirements.txt k8s/schemas/requirements.txt
# Separate, because its pytest plugin would load in the other Python tests.
install_python_environment venv-schemathesis e2e/schemathesis/requirements.txt
# The scripts contain the versions of the schemas, so their hash serves as the version.
install_tool k8s-schemas "$(cat k8s/schemas/* | sha256sum | cut --characters=1-12)" \
    k8s/schemas/fetch.sh "$cache/k8s-schemas" "$cache/venv-dev/bin/python"
# cargo-deny reads all crates, including those for other platforms.
cargo fetch --locked --quiet
