#!/usr/bin/env bash
# Compiles Kubernetes, CoreDNS, metrics-server and KEDA from their Go modules into the cache. The first run takes about 20
# minutes on 2 cores. Programs that are in the cache are not compiled again.
#
#   build.sh [PROGRAM...]     only these programs, also those that knative.sh and cert-manager.sh need; default: all others
set -euo pipefail
# shellcheck source=k8s/lab/common.sh
. "$(dirname "$0")/common.sh"

readonly kubernetes_programs=(kubectl kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy)
# Modules that Kubernetes' go.mod replaces with directories of its repository. A module proxy does not have those.
readonly staging=(api apiextensions-apiserver apimachinery apiserver cli-runtime client-go cloud-provider cluster-bootstrap
    code-generator component-base component-helpers controller-manager cri-api cri-client csi-translation-lib
    dynamic-resource-allocation endpointslice externaljwt kms kube-aggregator kube-controller-manager kube-proxy
    kube-scheduler kubectl kubelet metrics mount-utils pod-security-admission sample-apiserver sample-cli-plugin
    sample-controller)

# Writes a Go module that depends on Kubernetes' commands only, so that all versions come from that release.
prepare_module() {
    local module="$cache/kubernetes-$kubernetes/module" name
    [ -f "$module/go.sum" ] && return
    mkdir -p "$module"
    (
        cd "$module"
        printf 'module lab\n\ngo 1.24\n\nrequire k8s.io/kubernetes v%s\n' "$kubernetes" >go.mod
        for name in "${staging[@]}"; do go mod edit -replace "k8s.io/$name=k8s.io/$name@v0.${kubernetes#1.}"; done
        {
            printf '//go:build tools\n\npackage tools\n\nimport (\n'
            printf '\t_ "k8s.io/kubernetes/cmd/%s"\n' "${kubernetes_programs[@]}"
            printf ')\n'
        } >tools.go
        GOFLAGS=-mod=mod GOTOOLCHAIN=local go mod tidy >tidy.log 2>&1 || { rm -f go.sum; tail tidy.log; die "go mod tidy failed"; }
    )
}

# Writes a Go module that depends on cert-manager's commands only: its go.mod has replace directives, which `go install`
# refuses.
prepare_cert_manager() {
    local module="$cache/kubernetes-$kubernetes/cert-manager-$cert_manager" name path=github.com/cert-manager/cert-manager
    [ -f "$module/go.sum" ] && return
    mkdir -p "$module"
    (
        cd "$module"
        printf 'module lab\n\ngo 1.24\n\nrequire %s v%s\n' "$path" "$cert_manager" >go.mod
        {
            printf '//go:build tools\n\npackage tools\n\nimport (\n'
            for name in "${cert_manager_programs[@]}"; do printf '\t_ "%s/cmd/%s"\n' "$path" "${name#cert-manager-}"; done
            printf ')\n'
        } >tools.go
        GOFLAGS=-mod=mod GOTOOLCHAIN=local go mod tidy >tidy.log 2>&1 || { rm -f go.sum; tail tidy.log; die "go mod tidy failed"; }
    )
}

# Copies KEDA's module, because its go.mod has replace directives. Removes the scalers for New Relic and SolarWinds: they
# are not used here, and not every registry has their libraries.
prepare_keda() {
    local source="$cache/kubernetes-$kubernetes/keda-$keda"
    [ -e "$source/ready" ] && return
    rm -rf "$source"
    cp -r "$(cd / && go mod download -json "github.com/kedacore/keda/v2@v$keda" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')" "$source"
    chmod -R u+w "$source"
    rm "$source"/pkg/scalers/{newrelic,solarwinds}_scaler*.go
    sed -i '/case "new-relic":/,+1d; /case "solarwinds":/,+1d' "$source/pkg/scaling/scalers_builder.go"
    touch "$source/ready"
}

# compile PROGRAM: compiles into a second directory, then moves the result, so that $bin has no incomplete file.
compile() {
    local program="$1" version=k8s.io/component-base/version
    [ -x "$bin/$program" ] && return
    say "compiling $program"
    mkdir -p "$bin" "$bin.new"
    case "$program" in
        coredns) GOBIN="$bin.new" go install -ldflags '-s -w' "github.com/coredns/coredns@v$coredns" ;;
        metrics-server) GOBIN="$bin.new" go install -ldflags '-s -w' \
            "sigs.k8s.io/metrics-server/cmd/metrics-server@v$metrics_server" ;;
        keda-*)
            prepare_keda
            (
                cd "$cache/kubernetes-$kubernetes/keda-$keda"
                GOFLAGS=-mod=mod go build -trimpath -ldflags '-s -w' -o "$bin.new/$program" "./cmd/${program#keda-}"
            )
            ;;
        knative-*)
            GOBIN="$bin.new" go install -trimpath -ldflags '-s -w' "knative.dev/serving/cmd/${program#knative-}@v$knative"
            mv "$bin.new/${program#knative-}" "$bin.new/$program"
            ;;
        cert-manager-*)
            prepare_cert_manager
            (
                cd "$cache/kubernetes-$kubernetes/cert-manager-$cert_manager"
                GOFLAGS=-mod=mod go build -trimpath -ldflags '-s -w' -o "$bin.new/$program" \
                    "github.com/cert-manager/cert-manager/cmd/${program#cert-manager-}"
            )
            ;;
        *)
            prepare_module
            (
                cd "$cache/kubernetes-$kubernetes/module"
                GOFLAGS=-mod=mod go build -trimpath -o "$bin.new/" \
                    -ldflags "-s -w -X $version.gitVersion=v$kubernetes -X $version.gitMajor=1 -X $version.gitMinor=34" \
                    "k8s.io/kubernetes/cmd/$program"
            )
            ;;
    esac
    mv "$bin.new/$program" "$bin/$program"
}

install_etcd() {
    [ -x "$bin/etcd" ] && return
    local venv="$cache/kubernetes-$kubernetes/etcd"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$here/requirements.txt"
    mkdir -p "$bin"
    ln -sf "$venv/bin/etcd" "$bin/etcd"
}

command -v go >/dev/null || die "Go is missing: see https://go.dev/doc/install, then run this again"
export CGO_ENABLED=0 GOTOOLCHAIN=local
if [ "$#" -gt 0 ]; then
    for program in "$@"; do compile "$program"; done
    exit
fi
install_packages containerd runc docker.io containernetworking-plugins iptables iproute2 conntrack ebtables socat \
    mmdebstrap openssl gcc libc6-dev
install_etcd
for program in "${kubernetes_programs[@]}" coredns metrics-server keda-operator keda-adapter; do compile "$program"; done
